//! The name server of one network: names of containers, and everything else forwarded to the host's servers.
//!
//! The network's keeper starts it as a process of its own ([`process`]), confined as no other process of rc is.
//!
//! ```text
//! container ── UDP, TCP ─→ GATEWAY:53 ─┬─ resolver   who asks? → names of all its networks → answer, TTL 0
//!               sockets in N           │   directory   networks/*/{network.json,leases/}
//!                                      ├─ forwards   a socket and port for each query and server ─→ servers
//!                                      └─ streams    a connection for each query that came by TCP ─→ servers
//! ```
//!
//! - `NAME`, `NAME.NETWORK`, `NAME.dns.podman` of a member of a network that the asker is in: its addresses in those
//!   networks, rotated; NOERROR and empty if it has none of that family. Such an address, backwards: its names.
//! - `host.containers.internal`, `host.docker.internal`: the host's outward address of the moment.
//! - Anything else below `dns.podman`, and anything else at all if every network of the asker is internal: NXDOMAIN;
//!   nothing leaves (safety.md, N5).
//! - Anything else: forwarded, and answered, with the bytes as they came.
//!
//! The asker is known by the network and its source address. Forwarded queries leave from the host's network namespace,
//! where the keeper is, so that the host's routes, VPNs and a stub on 127.0.0.53 serve containers as they serve the
//! host. Nothing is cached: neither answers, nor names for longer than their files are unchanged ([`watched`]).
//!
//! A name server must survive whatever is sent to it. [`query`] rejects what is not one well-formed question; what is
//! not a query gets no answer at all, so that two servers cannot keep each other busy.

mod answer;
mod directory;
mod forwards;
#[cfg(any(test, fuzzing))]
mod hostile;
mod outcome;
mod outlets;
pub(super) mod owners;
mod poller;
mod process;
mod query;
mod resolver;
mod server;
mod settings;
mod sockets;
mod streams;
#[cfg(test)]
mod tests;
mod upstream;
mod watched;

#[cfg(fuzzing)]
pub(crate) use hostile::take;
pub(super) use process::NameServer;
pub(super) use settings::Settings;
pub(super) use sockets::Sockets;
