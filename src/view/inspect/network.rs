//! `NetworkSettings`, and the form of ports.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::{is_up, object};
use crate::monitor::{State, Status};
use crate::plan::ContainerConfig;
use crate::types::{EndpointState, Network, PortMapping};
use crate::view::host_ip;

/// `NetworkSettings` of a container in this state.
pub(crate) fn network(config: &ContainerConfig, state: &State, status: Status) -> Value {
    let given: &[EndpointState] = if is_up(status) { &state.network.endpoints } else { &[] };
    let nothing = EndpointState::default();
    let published: Vec<PortMapping> = given.iter().flat_map(|endpoint| &endpoint.ports).cloned().collect();
    let mut all = bindings(if published.is_empty() { &config.ports } else { &published });
    for exposed in &config.image.exposed_ports {
        all.entry(exposed).or_insert(Value::Null);
    }
    let mut settings = endpoint(given.first().unwrap_or(&nothing));
    settings.extend(object(json!({
        "Bridge": "",
        "SandboxID": "",
        "HairpinMode": false,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": null,
        "SecondaryIPv6Addresses": null,
        "Ports": all,
        "SandboxKey": place(config, state, status),
    })));
    let mut networks = Map::new();
    for (number, name) in config.network.names().into_iter().enumerate() {
        let mut network = endpoint(given.get(number).unwrap_or(&nothing));
        network.extend(object(json!({
            "NetworkID": name,
            "DriverOpts": null,
            "DNSNames": null,
            "IPAMConfig": asked_addresses(config, number),
            "Links": links(config, number),
            "Aliases": aliases(config, number),
        })));
        networks.insert(name, Value::Object(network));
    }
    settings.insert("Networks".to_owned(), Value::Object(networks));
    Value::Object(settings)
}

/// Where nsenter(1) and others find the network namespace of a container that runs; none if it is the host's.
fn place(config: &ContainerConfig, state: &State, status: Status) -> String {
    let init = state.init.as_ref().filter(|_| is_up(status) && config.network != Network::Host);
    init.map_or_else(String::new, |init| format!("/proc/{}/ns/net", init.pid))
}

/// The addresses that the user has asked for in one of its networks, as docker has them.
fn asked_addresses(config: &ContainerConfig, number: usize) -> Value {
    let addresses = config.network.endpoints().get(number).map_or(&[][..], |endpoint| &endpoint.addresses);
    let key = |ip: &IpAddr| if ip.is_ipv4() { "IPv4Address" } else { "IPv6Address" };
    let all: Map<_, _> = addresses.iter().map(|ip| (key(ip).to_owned(), json!(ip))).collect();
    if all.is_empty() { Value::Null } else { Value::Object(all) }
}

/// The names that the container alone has for others in one of its networks.
fn links(config: &ContainerConfig, number: usize) -> Option<Vec<String>> {
    let endpoint = config.network.endpoints().get(number).filter(|endpoint| !endpoint.links.is_empty())?;
    Some(endpoint.links.iter().map(ToString::to_string).collect())
}

/// Its links in all networks, in docker's form `/OTHER:/CONTAINER/ALIAS`.
pub(super) fn all_links(config: &ContainerConfig) -> Option<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    for linked in config.network.endpoints().iter().flat_map(|endpoint| &endpoint.links) {
        let text = format!("/{}:/{}/{}", linked.to, config.name, linked.alias);
        if !all.contains(&text) {
            all.push(text);
        }
    }
    Some(all).filter(|all| !all.is_empty())
}

/// The further names of a container in one of its networks; those of a bridge know its short ID, too.
fn aliases(config: &ContainerConfig, number: usize) -> Vec<&str> {
    let Some(endpoint) = config.network.endpoints().get(number) else { return Vec::new() };
    let id = endpoint.is_bridge().then(|| config.id.short());
    endpoint.aliases.iter().map(crate::types::Name::as_str).chain(id).collect()
}

/// podman's fields for a container's endpoint, which are there once for all networks and once for each.
fn endpoint(given: &EndpointState) -> Map<String, Value> {
    let (v4, v6) = (given.address(IpAddr::is_ipv4), given.address(IpAddr::is_ipv6));
    let gateway = |is_wanted| given.gateway(is_wanted).map_or_else(String::new, |ip| ip.to_string());
    object(json!({
        "EndpointID": "",
        "Gateway": gateway(IpAddr::is_ipv4),
        "IPAddress": v4.map_or_else(String::new, |address| address.ip.to_string()),
        "IPPrefixLen": v4.map_or(0, |address| address.prefix),
        "IPv6Gateway": gateway(IpAddr::is_ipv6),
        "GlobalIPv6Address": v6.map_or_else(String::new, |address| address.ip.to_string()),
        "GlobalIPv6PrefixLen": v6.map_or(0, |address| address.prefix),
        "MacAddress": given.mac.map_or_else(String::new, |mac| mac.to_string()),
    }))
}

/// Container ports as `80/tcp`, each with the host ports that it is published on.
pub(in crate::view) fn bindings(ports: &[PortMapping]) -> Map<String, Value> {
    let mut all = Map::new();
    for port in ports {
        let binding = json!({ "HostIp": host_ip(port), "HostPort": port.host_port.to_string() });
        let name = format!("{}/{}", port.container_port, port.protocol);
        if let Value::Array(list) = all.entry(name).or_insert_with(|| json!([])) {
            list.push(binding);
        }
    }
    all
}
