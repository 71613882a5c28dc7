//! Changes of the networks that an existing container is in: `network connect`, `disconnect`, `reload`. Pure.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{ContainerConfig, Error, Updated};
use crate::types::{Endpoint, Invalid, Linked, Name, Network, NetworkDriver, NetworkRecord};

/// A change. A monitor makes it for a container that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NetworkChange {
    /// The container is in one more network, as its last one.
    Connect(Endpoint),
    /// It is in one less.
    Disconnect(Name),
    /// All of its interfaces are made anew, with the same addresses.
    Reload,
}

/// A requested connection, in the grammar of the options of `network connect`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConnectRequest {
    /// `--ip`.
    pub(crate) ip: Option<String>,
    /// `--ip6`.
    pub(crate) ip6: Option<String>,
    /// `--mac-address`.
    pub(crate) mac_address: Option<String>,
    /// `--alias`.
    pub(crate) aliases: Vec<String>,
    /// `--link`: `CONTAINER[:ALIAS]`.
    pub(crate) links: Vec<String>,
}

impl ConnectRequest {
    /// The links, as typed.
    pub(crate) fn linked(&self) -> Result<Vec<Linked>, Error> {
        self.links.iter().map(|text| text.parse().map_err(Error::option("--link"))).collect()
    }

    /// The container's place in the network, without links. Fails if the network cannot give what is asked of it.
    pub(crate) fn endpoint(&self, record: &NetworkRecord) -> Result<Endpoint, Error> {
        let mut endpoint = Endpoint { network: Some(record.name.clone()), ..NetworkDriver::Bridge.into() };
        for (option, text, is_ipv6) in [("--ip", &self.ip, false), ("--ip6", &self.ip6, true)] {
            let Some(text) = text.as_deref().filter(|text| !text.is_empty()) else { continue };
            let family = if is_ipv6 { "IPv6" } else { "IPv4" };
            let ip = text.parse().ok().filter(|ip: &IpAddr| ip.is_ipv6() == is_ipv6).ok_or_else(|| {
                Error::option(option)(Invalid::new("address", text, format!("must be an {family} address")))
            })?;
            record.check_addresses(&[ip]).map_err(Error::option(option))?;
            endpoint.addresses.push(ip);
        }
        let mac = self.mac_address.as_deref().filter(|text| !text.is_empty());
        endpoint.mac = mac.map(str::parse).transpose().map_err(Error::option("--mac-address"))?;
        endpoint.aliases =
            self.aliases.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(Error::option("--alias"))?;
        if let (Some(alias), false) = (endpoint.aliases.first(), record.dns_enabled) {
            let reason = format!("the network `{}` has no DNS", record.name);
            return Err(Error::option("--alias")(Invalid::new("alias", alias.as_str(), reason)));
        }
        Ok(endpoint)
    }
}

impl ContainerConfig {
    /// The names by which the other members of an endpoint's network find the container: its name, aliases, 12 digits
    /// of its ID, its host name.
    pub(crate) fn names_in(&self, endpoint: &Endpoint) -> Vec<String> {
        let mut names = vec![self.name.to_string()];
        let of_pod = self.sandbox.as_ref().and_then(|pod| pod.infra_name.as_ref()).map(Name::as_str);
        let others = endpoint.aliases.iter().map(Name::as_str).chain([self.id.short(), &self.hostname]).chain(of_pod);
        for name in others.filter(|name| !name.is_empty()) {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// The container's networks after a change. Fails if it cannot be made.
    pub(crate) fn network_after(&self, change: &NetworkChange) -> Result<Network, Error> {
        let name = &self.name;
        let Network::Own { endpoints } = &self.network else {
            let network = self.network.to_string();
            return Err(Error::OtherNetwork { container: name.clone(), network });
        };
        let is_in = |network: &Name| endpoints.iter().any(|endpoint| endpoint.network.as_ref() == Some(network));
        let mut after = endpoints.clone();
        match change {
            NetworkChange::Connect(endpoint) => {
                if let Some(network) = endpoint.network.as_ref().filter(|network| is_in(network)) {
                    return Err(Error::Connected { container: name.clone(), network: network.clone() });
                }
                after.push(endpoint.clone());
            }
            NetworkChange::Disconnect(network) if is_in(network) => {
                after.retain(|endpoint| endpoint.network.as_ref() != Some(network));
            }
            NetworkChange::Disconnect(network) => {
                return Err(Error::NotConnected { container: name.clone(), network: network.clone() });
            }
            NetworkChange::Reload => {}
        }
        Ok(Network::Own { endpoints: after })
    }

    /// What overrides the container's configuration after a change of its networks.
    pub(crate) fn reconnected(&self, change: &NetworkChange) -> Result<Updated, Error> {
        let network = Some(self.network_after(change)?);
        let (limits, health) = (self.limits.clone(), self.health_update.clone());
        let (env, rlimits) = (Some(self.env.clone()), Some(self.rlimits.clone()));
        Ok(Updated { limits, restart: self.restart, health, network, env, rlimits })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{facts, identity, image};
    use super::*;
    use crate::plan::{Request, resolve};

    fn resolved() -> ContainerConfig {
        resolve(&Request::default(), &image(), &facts(), identity()).expect("a container")
    }

    fn name(text: &str) -> Name {
        text.parse().expect("a name")
    }

    fn endpoint(text: &str) -> Endpoint {
        let network: Network = text.parse().expect("a network");
        network.endpoints()[0].clone()
    }

    #[test]
    fn a_container_is_in_one_more_network_or_in_one_less() {
        let after = |network: &str, change: &NetworkChange| {
            let config = ContainerConfig { network: network.parse().expect("a network"), ..resolved() };
            config.network_after(change).map(|network| network.to_string()).map_err(|error| error.to_string())
        };
        let connect = |text: &str| NetworkChange::Connect(endpoint(text));
        assert_eq!(after("slirp4netns", &connect("app:alias=db")).as_deref(), Ok("slirp4netns,app:alias=db"));
        assert_eq!(after("app:ip=10.89.0.5", &connect("web")).as_deref(), Ok("app:ip=10.89.0.5,web"));
        let disconnect = NetworkChange::Disconnect(name("app"));
        assert_eq!(after("app", &disconnect).as_deref(), Ok("private"));
        assert_eq!(after("app", &NetworkChange::Reload).as_deref(), Ok("app"));
        for (network, change, expected) in [
            ("app", connect("app"), "container `box` is in the network `app` already"),
            ("web", disconnect, "container `box` is not in the network `app`"),
            ("host", connect("app"), "container `box` has the network `host`, which excludes others"),
            ("none", connect("app"), "container `box` has the network `none`, which excludes others"),
        ] {
            assert_eq!(after(network, &change), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_change_is_kept_beside_earlier_ones() {
        let mut config = ContainerConfig { network: "app".parse().expect("a network"), ..resolved() };
        let updated = config.reconnected(&NetworkChange::Connect(endpoint("web"))).expect("a change");
        let written = serde_json::to_string(&updated).expect("JSON");
        config.update(crate::types::json::from_str(&written).expect("read back"));
        assert_eq!(config.network.to_string(), "app,web");
        let updated = config.changed_by(&super::super::Changes::default()).expect("no change");
        assert_eq!(updated.network, Some(config.network.clone()));
        // One of an earlier rc names no network.
        let mut earlier: serde_json::Value = serde_json::to_value(&updated).expect("JSON");
        earlier.as_object_mut().expect("an object").remove("network");
        config.update(crate::types::json::from_str(&earlier.to_string()).expect("read"));
        assert_eq!(config.network.to_string(), "app,web");
    }

    #[test]
    fn a_connection_is_checked_against_its_network() {
        let record = NetworkRecord { dns_enabled: true, ..NetworkRecord::default_network() };
        let text = |text: &str| Some(text.to_owned());
        let asked = ConnectRequest {
            ip: text("10.88.0.9"),
            mac_address: text("02:42:00:00:00:01"),
            aliases: vec!["db".to_owned()],
            ..ConnectRequest::default()
        };
        let given = asked.endpoint(&record).map(|endpoint| endpoint.to_string());
        assert_eq!(given.expect("an endpoint"), "podman:ip=10.88.0.9,mac=02:42:00:00:00:01,alias=db");
        let silent = NetworkRecord { dns_enabled: false, ..record.clone() };
        for (asked, record, expected) in [
            (
                ConnectRequest { ip: text("10.89.0.9"), ..asked.clone() },
                &record,
                "`--ip`: address `10.89.0.9` must be in a subnet of the network `podman`: 10.88.0.0/16",
            ),
            (
                ConnectRequest { ip6: text("x"), ..asked.clone() },
                &record,
                "`--ip6`: address `x` must be an IPv6 address",
            ),
            (
                ConnectRequest { mac_address: text("x"), ..asked.clone() },
                &record,
                "`--mac-address`: invalid MAC address `x`: it has six pairs of hex digits, with colons between them",
            ),
            (asked, &silent, "`--alias`: invalid alias `db`: the network `podman` has no DNS"),
        ] {
            assert_eq!(asked.endpoint(record).expect_err("refused").to_string(), expected);
        }
    }
}
