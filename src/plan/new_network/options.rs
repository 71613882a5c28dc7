//! `network create --opt`.

use std::collections::BTreeMap;

use super::super::Error;
use crate::types::Invalid;

/// What the options say.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Those that the record keeps.
    pub(super) options: BTreeMap<String, String>,
    /// The name of the bridge.
    pub(super) interface: Option<String>,
}

/// Reads `NAME=VALUE`. Source: podman-network-create(1), `--opt`; docker-network-create(1), "Bridge driver options".
pub(super) fn read(words: &[String]) -> Result<Read, Error> {
    let mut read = Read::default();
    for word in words.iter().flat_map(|word| word.split(',')).filter(|word| !word.is_empty()) {
        let invalid = |reason: &str| Error::option("--opt")(Invalid::new("network option", word, reason));
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match name {
            // 68 bytes are IPv4's least (RFC 791); slirp4netns and pasta take at most 65520.
            "mtu" | "com.docker.network.driver.mtu" => match value.parse::<u32>() {
                Ok(0) => {}
                Ok(68..=65_520) => drop(read.options.insert("mtu".to_owned(), value.to_owned())),
                _ => return Err(invalid("must be a number of bytes, 68 to 65520")),
            },
            "metric" => match value.parse::<u32>() {
                Ok(_) => drop(read.options.insert(name.to_owned(), value.to_owned())),
                Err(_) => return Err(invalid("must be a number")),
            },
            "no_default_route" => match value {
                "1" | "true" | "0" | "false" => drop(read.options.insert(name.to_owned(), value.to_owned())),
                _ => return Err(invalid("must be true or false")),
            },
            "isolate" => match value {
                "true" | "1" | "strict" => drop(read.options.insert(name.to_owned(), value.to_owned())),
                "false" | "0" => {
                    return Err(invalid("networks are always apart: connect the container to both"));
                }
                _ => return Err(invalid("must be true or strict")),
            },
            "com.docker.network.bridge.name" => read.interface = Some(value.to_owned()),
            // What every network has; the words without a value are those that minikube passes.
            "com.docker.network.bridge.enable_ip_masquerade" | "--ip-masq" => match value {
                "" | "true" | "1" => {}
                _ => return Err(invalid("a network without a way out is made with `--internal`")),
            },
            "com.docker.network.bridge.enable_icc" | "--icc" => match value {
                "" | "true" | "1" => {}
                _ => return Err(invalid("containers of a network always reach each other: make one for each")),
            },
            // What every network has; docker's default.
            "com.docker.network.bridge.gateway_mode_ipv4" | "com.docker.network.bridge.gateway_mode_ipv6" => {
                match value {
                    "nat" => {}
                    _ => return Err(invalid("a network has a way out by NAT, or none: `--internal`")),
                }
            }
            "com.docker.network.enable_ipv4" | "com.docker.network.enable_ipv6" => {
                return Err(invalid("use `--ipv4` and `--ipv6`"));
            }
            "com.docker.network.bridge.host_binding_ipv4" => {
                return Err(invalid("name the address where a port is published: `-p IP:PORT:PORT`"));
            }
            "com.docker.network.container_iface_prefix" => {
                return Err(invalid("name the interface where a container joins: `--network NAME:interface_name=…`"));
            }
            "vlan" | "vrf" | "parent" => {
                return Err(invalid("it hangs on an interface of the host, which only root can lend"));
            }
            "mode" if value == "managed" => {}
            "mode" => return Err(invalid("the bridge is rc's own: only root can lend one of the host")),
            _ => {
                let known = "must be mtu, metric, no_default_route, isolate, com.docker.network.bridge.name or \
                             com.docker.network.driver.mtu";
                return Err(invalid(known));
            }
        }
    }
    Ok(read)
}
