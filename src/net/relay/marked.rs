//! Answers to a client's own address, within the container's network namespace.
//!
//! The relay connects by an address that is not the container's. The server's answers would leave by the container's
//! way out; so the relay marks its packets, the kernel gives the answers the same mark, and a rule of routing keeps
//! what is marked where it is:
//!
//! ```text
//! relay  192.0.2.7:40000 ─── mark ──→ 10.0.2.100:80 server      fwmark → table → local
//!                        ←── mark ───                           tcp_fwmark_accept; fwmark_reflect, for a refusal
//! ```
//!
//! Nothing else has the mark, and no packet filter is needed. Source: ip-sysctl.rst, `tcp_fwmark_accept`,
//! `fwmark_reflect`; tproxy.rst.

use std::io;

use crate::net::agreed::{MARK, TABLE};
use crate::net::netlink::{Netlink, messages};
use crate::sys::{fs, netif};

/// Sets that up in this process' network namespace, and returns the mark. Changes nothing that is set up already.
pub(super) fn set_up() -> io::Result<u32> {
    netif::set_up(c"lo")?;
    for file in ["tcp_fwmark_accept", "fwmark_reflect"] {
        fs::write(format!("/proc/sys/net/ipv4/{file}"), "1").map_err(|error| error.source)?;
    }
    let netlink = Netlink::route()?;
    for message in messages::answers_are_local(MARK, TABLE) {
        match netlink.ask(&[message]) {
            // An earlier relay has done it.
            Err(refused) if refused.source.raw_os_error() == Some(libc::EEXIST) => {}
            // A kernel without IPv6 has no rules for it either.
            other => other.map_err(|refused| refused.source)?,
        }
    }
    Ok(MARK)
}
