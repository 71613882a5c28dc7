//! The state of a container's network, as saved in `state.json`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Invalid, MacAddress, PortMapping, serde_as_string};

/// The format in which this rc writes it. Older state has no format number, and has the addresses of one endpoint among
/// its other fields; a monitor that writes it may still be running.
const FORMAT: u32 = 1;

/// The state of a container's network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Record", into = "Record")]
pub(crate) struct NetworkState {
    /// One for each endpoint of its [`Network`](super::Network), in the same order; none while it does not run.
    pub(crate) endpoints: Vec<EndpointState>,
}

/// The state of one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct EndpointState {
    /// Its addresses.
    pub(crate) addresses: Vec<NetworkAddress>,
    /// The gateways of the network, at most one for each address family.
    pub(crate) gateways: Vec<IpAddr>,
    /// The interface's MAC address, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mac: Option<MacAddress>,
    /// The interface's name in the container, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) interface: Option<String>,
    /// The ports that are published through it.
    pub(crate) ports: Vec<PortMapping>,
}

/// An address in a network, written `10.0.2.100/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NetworkAddress {
    /// The address.
    pub(crate) ip: IpAddr,
    /// The length of the network's prefix, in bits.
    pub(crate) prefix: u8,
}

impl NetworkState {
    /// The published ports that listen now.
    pub(crate) fn ports(&self) -> Vec<PortMapping> {
        self.endpoints.iter().flat_map(|endpoint| &endpoint.ports).cloned().collect()
    }
}

impl EndpointState {
    /// The first address of one family.
    pub(crate) fn address(&self, is_wanted: fn(&IpAddr) -> bool) -> Option<NetworkAddress> {
        self.addresses.iter().find(|address| is_wanted(&address.ip)).copied()
    }

    /// The gateway for one address family.
    pub(crate) fn gateway(&self, is_wanted: fn(&IpAddr) -> bool) -> Option<IpAddr> {
        self.gateways.iter().find(|ip| is_wanted(ip)).copied()
    }
}

impl fmt::Display for NetworkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

impl FromStr for NetworkAddress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parse = || {
            let (ip, prefix) = text.split_once('/')?;
            let ip: IpAddr = ip.parse().ok()?;
            let prefix = prefix.parse().ok().filter(|bits| *bits <= if ip.is_ipv4() { 32 } else { 128 })?;
            Some(Self { ip, prefix })
        };
        parse().ok_or_else(|| Invalid::new("address", text, "must be written ADDRESS/LENGTH"))
    }
}

serde_as_string!(NetworkAddress);

/// The fields of `state.json` that are about the network.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    #[serde(default)]
    network: Option<Endpoints>,
    // Older records, without a format number.
    #[serde(default, skip_serializing)]
    ip_address: Option<IpAddr>,
    #[serde(default, skip_serializing)]
    ip_prefix: u8,
    #[serde(default, skip_serializing)]
    gateway: Option<IpAddr>,
    #[serde(default, skip_serializing)]
    ports: Vec<PortMapping>,
}

#[derive(Serialize, Deserialize)]
struct Endpoints {
    format: u32,
    endpoints: Vec<EndpointState>,
}

impl From<NetworkState> for Record {
    fn from(NetworkState { endpoints }: NetworkState) -> Self {
        let network = Some(Endpoints { format: FORMAT, endpoints });
        Self { network, ip_address: None, ip_prefix: 0, gateway: None, ports: Vec::new() }
    }
}

impl TryFrom<Record> for NetworkState {
    type Error = String;

    fn try_from(record: Record) -> Result<Self, String> {
        let Record { network, ip_address, ip_prefix, gateway, ports } = record;
        if let Some(Endpoints { format, endpoints }) = network {
            super::check_format("network", format, FORMAT)?;
            return Ok(Self { endpoints });
        }
        if ip_address.is_none() && ports.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self {
            endpoints: vec![EndpointState {
                addresses: ip_address.map(|ip| NetworkAddress { ip, prefix: ip_prefix }).into_iter().collect(),
                gateways: gateway.into_iter().collect(),
                ports,
                ..EndpointState::default()
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Protocol, json};
    use super::*;

    fn state() -> NetworkState {
        let port = PortMapping { host_ip: None, host_port: 8080, container_port: 80, protocol: Protocol::Tcp };
        let endpoint = EndpointState {
            addresses: vec!["10.0.2.100/24".parse().expect("an address")],
            gateways: vec!["10.0.2.2".parse().expect("an address")],
            ports: vec![port],
            ..EndpointState::default()
        };
        NetworkState { endpoints: vec![endpoint] }
    }

    #[test]
    fn a_state_is_written_with_its_format_and_read_back() {
        let whole = EndpointState {
            addresses: vec!["10.0.2.100/24".parse().expect("an address"), "fd00::5/64".parse().expect("an address")],
            mac: Some("02:42:ac:11:00:02".parse().expect("an address")),
            interface: Some("eth0".to_owned()),
            ..state().endpoints.remove(0)
        };
        let given = NetworkState { endpoints: vec![whole, EndpointState::default()] };
        let written = serde_json::to_string(&given).expect("JSON");
        assert!(
            written.starts_with(r#"{"network":{"format":1,"endpoints":[{"addresses":["10.0.2.100/24","#),
            "{written}"
        );
        assert_eq!(json::from_str::<NetworkState>(&written).expect("read back"), given);
    }

    #[test]
    fn the_fields_of_older_records_are_one_endpoint() {
        let old = r#"{"ports":[{"hostIp":null,"hostPort":8080,"containerPort":80,"protocol":"tcp"}],
            "ipAddress":"10.0.2.100","ipPrefix":24,"gateway":"10.0.2.2"}"#;
        assert_eq!(json::from_str::<NetworkState>(old).expect("read"), state());
        let none = r#"{"ports":[],"ipAddress":null,"ipPrefix":0,"gateway":null}"#;
        assert_eq!(json::from_str::<NetworkState>(none).expect("read"), NetworkState::default());
        let later = r#"{"network":{"format":2,"endpoints":[]}}"#;
        let error = json::from_str::<NetworkState>(later).expect_err("of later").to_string();
        assert_eq!(error, "the network has format 2; this rc reads formats up to 1");
    }

    #[test]
    fn an_address_has_a_prefix_of_its_family() {
        for text in ["10.0.0.1", "10.0.0.1/33", "::1/129", "x/8", "10.0.0.1/", "/8"] {
            assert!(text.parse::<NetworkAddress>().is_err(), "{text}");
        }
    }
}
