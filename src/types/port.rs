use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// The transport of a published port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// One published port: ranges are expanded and a free host port is chosen before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PortMapping {
    /// The host address to listen on; `None` is every IPv4 address.
    pub(crate) host_ip: Option<IpAddr>,
    /// The port on the host.
    pub(crate) host_port: u16,
    /// The port in the container.
    pub(crate) container_port: u16,
    /// TCP or UDP.
    pub(crate) protocol: Protocol,
}

impl PortMapping {
    /// The address and port that listen on the host; all IPv4 addresses if none was given (safety.md, N1: IPv6 is
    /// opened only on request).
    pub(crate) fn listen_address(&self) -> SocketAddr {
        SocketAddr::new(self.host_ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), self.host_port)
    }
}
