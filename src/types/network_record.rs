//! The record of a network with a name, in podman's shape (`network.json`).

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use super::{Invalid, Name};

/// The ID of the default network in podman: the SHA-256 digest of its name.
const DEFAULT_ID: &str = "2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9";

/// A network: what was asked for when it was created. Source: podman, `Network` of common/libnetwork/types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NetworkRecord {
    /// The name.
    pub(crate) name: Name,
    /// 64 hex digits.
    pub(crate) id: String,
    /// `bridge`.
    pub(crate) driver: String,
    /// The name of the bridge, in the network's own namespace.
    pub(crate) network_interface: String,
    /// When it was created, RFC 3339.
    pub(crate) created: String,
    /// The ranges of addresses; none: nobody gets an address (`ipam_options`).
    #[serde(default)]
    pub(crate) subnets: Vec<Subnet>,
    /// Further routes of its members.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) routes: Vec<Route>,
    /// One of the subnets is IPv6.
    #[serde(default)]
    pub(crate) ipv6_enabled: bool,
    /// It has no way out.
    #[serde(default)]
    pub(crate) internal: bool,
    /// Its members find each other by name.
    #[serde(default)]
    pub(crate) dns_enabled: bool,
    /// The name servers that other names are asked from; empty: the host's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) network_dns_servers: Vec<IpAddr>,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    /// `mtu`, `metric`, `no_default_route`, `isolate`, checked when the network was created.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) options: BTreeMap<String, String>,
    /// `driver`: `host-local`, or `none`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) ipam_options: BTreeMap<String, String>,
}

/// A range of addresses of a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subnet {
    /// The range; its host part is zero.
    pub(crate) subnet: IpNet,
    /// The address of the bridge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gateway: Option<IpAddr>,
    /// The part of it from which members get addresses that they did not ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lease_range: Option<LeaseRange>,
    /// Addresses of it that no member gets, by what they are for: docker's auxiliary addresses, which podman lacks.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) aux_addresses: BTreeMap<Name, IpAddr>,
}

/// A part of a subnet, both ends included; an absent end is the subnet's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeaseRange {
    /// The first address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) start_ip: Option<IpAddr>,
    /// The last address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) end_ip: Option<IpAddr>,
}

/// A route that every member gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Route {
    /// Where it leads.
    pub(crate) destination: IpNet,
    /// By which address of the network.
    pub(crate) gateway: IpAddr,
    /// Its metric; absent: that of the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metric: Option<u32>,
}

impl NetworkRecord {
    /// The network `podman`, as podman and docker have it: without DNS.
    pub(crate) fn default_network() -> Self {
        let at = |last| Ipv4Addr::new(10, 88, 0, last);
        let subnet = IpNet::V4(Ipv4Net::new_assert(at(0), 16));
        Self {
            name: Name::default_network(),
            id: DEFAULT_ID.to_owned(),
            driver: "bridge".to_owned(),
            network_interface: "podman0".to_owned(),
            created: "2026-01-01T00:00:00Z".to_owned(),
            subnets: vec![Subnet { gateway: Some(at(1).into()), ..Subnet::whole(subnet) }],
            routes: Vec::new(),
            ipv6_enabled: false,
            internal: false,
            dns_enabled: false,
            network_dns_servers: Vec::new(),
            labels: BTreeMap::new(),
            options: BTreeMap::new(),
            ipam_options: BTreeMap::from([("driver".to_owned(), "host-local".to_owned())]),
        }
    }

    /// Fails if a member of the network cannot have these addresses, no matter who else has them: at most one of each
    /// subnet.
    pub(crate) fn check_addresses(&self, addresses: &[IpAddr]) -> Result<(), Invalid> {
        for (number, address) in addresses.iter().enumerate() {
            let name = &self.name;
            let refuse = |reason: String| Err(Invalid::new("address", address.to_string(), reason));
            let Some(subnet) = self.subnet_with(*address) else {
                let all: Vec<String> = self.subnets.iter().map(|subnet| subnet.subnet.to_string()).collect();
                return match &all[..] {
                    [] => refuse(format!("cannot be given: the network `{name}` has no subnet")),
                    all => refuse(format!("must be in a subnet of the network `{name}`: {}", all.join(", "))),
                };
            };
            if subnet.gateway == Some(*address) {
                return refuse(format!("cannot be a container's: it is the gateway of the network `{name}`"));
            }
            if let Some((aux, _)) = subnet.aux_addresses.iter().find(|(_, ip)| **ip == *address) {
                return refuse(format!("cannot be a container's: the network `{name}` keeps it for `{aux}`"));
            }
            if !subnet.is_for_members(*address) {
                return refuse(format!("cannot be a container's: it means the network `{name}`, or all in it"));
            }
            if let Some(other) = addresses[..number].iter().find(|other| subnet.subnet.contains(*other)) {
                return refuse(format!("cannot be given together with `{other}`: both are in {}", subnet.subnet));
            }
        }
        Ok(())
    }

    /// The subnet that has this address.
    pub(crate) fn subnet_with(&self, address: IpAddr) -> Option<&Subnet> {
        self.subnets.iter().find(|subnet| subnet.subnet.contains(&address))
    }

    /// The addresses of the bridge, in the order of the subnets.
    pub(crate) fn gateways(&self) -> impl Iterator<Item = IpAddr> {
        self.subnets.iter().filter_map(|subnet| subnet.gateway)
    }

    /// Whether its members have IPv6 addresses.
    pub(crate) fn has_ipv6(&self) -> bool {
        self.subnets.iter().any(|subnet| subnet.subnet.addr().is_ipv6())
    }

    /// Whether one of its subnets and this network have addresses in common.
    pub(crate) fn overlaps(&self, net: &IpNet) -> bool {
        self.subnets.iter().any(|Subnet { subnet, .. }| subnet.contains(net) || net.contains(subnet))
    }

    /// Where its members ask for names.
    pub(crate) fn name_servers(&self) -> impl Iterator<Item = IpAddr> {
        self.gateways().filter(|_| self.dns_enabled)
    }

    /// The `mtu` of its interfaces, bytes, if the user has set it.
    pub(crate) fn mtu(&self) -> Option<u32> {
        self.options.get("mtu")?.parse().ok()
    }

    /// The metric of its members' default routes, if the user has set it.
    pub(crate) fn metric(&self) -> Option<u32> {
        self.options.get("metric")?.parse().ok()
    }

    /// Whether its members get a default route by its gateways.
    pub(crate) fn has_default_route(&self) -> bool {
        let is_refused = self.options.get("no_default_route").is_some_and(|value| matches!(&value[..], "1" | "true"));
        !self.internal && !is_refused
    }
}

impl Subnet {
    /// All of a range, without a bridge.
    pub(crate) fn whole(subnet: IpNet) -> Self {
        Self { subnet, gateway: None, lease_range: None, aux_addresses: BTreeMap::new() }
    }

    /// The first and the last address that members get without asking for them.
    pub(crate) fn range(&self) -> (IpAddr, IpAddr) {
        let part = self.lease_range.unwrap_or(LeaseRange { start_ip: None, end_ip: None });
        (part.start_ip.unwrap_or(self.subnet.network()), part.end_ip.unwrap_or(self.subnet.broadcast()))
    }

    /// Whether a member can have this address of it: not the bridge's, nor one that is kept for something else, or that
    /// means the network or all in it.
    pub(crate) fn is_for_members(&self, address: IpAddr) -> bool {
        // IPv6 has no broadcast; the first address is that of all its routers (RFC 4291, 2.6.1).
        let is_broadcast = self.subnet.addr().is_ipv4() && address == self.subnet.broadcast();
        self.subnet.contains(&address)
            && Some(address) != self.gateway
            && address != self.subnet.network()
            && !is_broadcast
            && !self.aux_addresses.values().any(|aux| *aux == address)
    }
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;

    #[test]
    fn a_record_has_podman_s_shape() {
        let text = r#"{"name":"app","id":"c0","driver":"bridge","network_interface":"podman1",
            "created":"2026-01-02T03:04:05.678901234+01:00",
            "subnets":[{"subnet":"10.89.0.0/24","gateway":"10.89.0.1",
            "lease_range":{"start_ip":"10.89.0.8","end_ip":"10.89.0.15"},"aux_addresses":{"nas":"10.89.0.9"}},
            {"subnet":"fd00:1::/64","gateway":"fd00:1::1"}],
            "routes":[{"destination":"10.1.0.0/16","gateway":"10.89.0.2","metric":7}],"ipv6_enabled":true,
            "internal":false,"dns_enabled":true,"network_dns_servers":["10.0.0.1"],"labels":{"a":"b"},
            "options":{"mtu":"1500"},"ipam_options":{"driver":"host-local"}}"#;
        let record: NetworkRecord = json::from_str(text).expect("a record");
        let written = serde_json::to_string(&record).expect("JSON");
        let without_layout: String = text.split_inclusive('\n').map(str::trim).collect();
        assert_eq!(written, without_layout);
        assert_eq!((record.mtu(), record.metric()), (Some(1500), None));
        let [v4, v6] = &record.subnets[..] else { panic!("two subnets") };
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(v4.range(), (address("10.89.0.8"), address("10.89.0.15")));
        assert_eq!(v6.range(), (address("fd00:1::"), address("fd00:1::ffff:ffff:ffff:ffff")));
        for (subnet, text, expected) in [
            (v4, "10.89.0.0", false),
            (v4, "10.89.0.1", false),
            (v4, "10.89.0.2", true),
            (v4, "10.89.0.9", false),
            (v4, "10.89.0.255", false),
            (v4, "10.89.1.2", false),
            (v6, "fd00:1::", false),
            (v6, "fd00:1::ffff:ffff:ffff:ffff", true),
        ] {
            assert_eq!(subnet.is_for_members(address(text)), expected, "{text}");
        }
        assert_eq!(record.subnet_with(address("fd00:1::9")), Some(v6));
        assert_eq!(record.subnet_with(address("10.90.0.9")), None);
    }

    #[test]
    fn the_default_network_is_that_of_podman() {
        let record = NetworkRecord::default_network();
        assert_eq!(record.subnets[0].subnet.to_string(), "10.88.0.0/16");
        assert_eq!(record.gateways().collect::<Vec<_>>(), ["10.88.0.1".parse::<IpAddr>().expect("an address")]);
        assert!(record.has_default_route() && !record.dns_enabled);
        let internal = NetworkRecord { internal: true, ..record.clone() };
        let options = BTreeMap::from([("no_default_route".to_owned(), "1".to_owned())]);
        assert!(!internal.has_default_route() && !NetworkRecord { options, ..record }.has_default_route());
    }
}
