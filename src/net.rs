//! The connection of a container to the outside, and of the outside to its published ports.
//!
//! A [`Driver`] connects one network namespace. It works in four steps, so that they overlap with the rest of the
//! start:
//!
//! ```text
//! validate   before anything exists: does the program exist, are the ports allowed and free?
//! start      as soon as the network namespace exists: the helper works while init makes the mounts
//! wait_ready before the program is executed: interface configured, ports listening, or an error that names the port
//! Running    owned by the monitor; frees its ports, if the driver can, before it is dropped: the helper ends slowly
//! ```
//!
//! | | `none` | `host` | `slirp4netns` | `pasta` |
//! |---|---|---|---|---|
//! | helper | – | – | child, by pid | child, by pid |
//! | address inside | – | the host's | 10.0.2.100/24 | 10.0.2.100/24, and the host's IPv6 |
//! | host's loopback | closed | open | closed | closed |
//! | published ports | refused | refused | IPv4, IPv6 for TCP | IPv4, IPv6 |
//! | they are served by | – | – | TCP `relay`, UDP the helper | the helper |
//!
//! Source addresses (safety.md, N3): both drivers show a published server the address of a client on another host, or
//! of the host's outward address. A TCP client on the host's loopback appears as 10.0.2.2 with slirp4netns; pasta
//! splices its connection, so that it appears as 127.0.0.1 before pasta 2024-10, and as the container's own address
//! since. A UDP client on the host's loopback is served by `relay` and appears as the container's own address.
//!
//! A service of the host that listens on all its addresses stays reachable through the host's outward address, which is
//! also `host.containers.internal`; only services that listen on loopback are closed.

pub(crate) mod addresses;
pub(crate) mod files;
pub(crate) mod lease;
pub(crate) mod record;
pub(crate) mod routes;

mod agreed;
mod bridge;
mod dns;
mod driver;
mod drivers;
mod error;
mod filter;
mod helper;
mod hostfwd;
mod keeper;
pub(crate) mod member;
mod netlink;
mod pasta;
mod ports;
mod programs;
mod relay;
mod request;
mod slirp4netns;
#[cfg(test)]
mod suite;
mod tell;
#[cfg(test)]
#[path = "../tests/it/support/name_server.rs"]
mod test_name_server;
#[cfg(test)]
#[path = "../tests/it/support/port.rs"]
mod test_port;
mod wait;
mod way_out;

pub(crate) use bridge::{probe as probe_bridge, remove_interfaces};
#[cfg(fuzzing)]
pub(crate) use dns::take as take_dns_packet;
pub(crate) use driver::{Driver, Running, StartingNetwork, Token, open_doors, start};
pub(crate) use drivers::{driver, endpoint_driver};
pub(crate) use error::Error;
pub(crate) use ports::unprivileged_port_start;
pub(crate) use programs::Programs;
pub(crate) use relay::{Doors, Spot};
pub(crate) use request::Request;
pub(crate) use tell::Tell;
