//! What networks with names need of the kernel: bridges, pairs of interfaces, and its packet filter.

use super::attempt::{Trouble, attempt};
use super::network::WayOut;
use super::{Finding, Home, NOT_TRIED, Status};
use crate::net::probe_bridge;
use crate::sys::packages::Package;
use crate::types::NetworkDriver;
use crate::userns::UserNamespace;

const CHECK: &str = "bridge";

pub(super) fn check(home: Home<'_>, way_out: &WayOut) -> Finding {
    let disables = "`--network NAME`: networks that containers share";
    let Some(home) = home else { return Finding::bad(CHECK, Status::Limited, NOT_TRIED).disables(disables) };
    match attempt(|| try_out(home)) {
        Ok(has_filter) => with(has_filter, way_out),
        Err(trouble) => Finding::bad(CHECK, Status::Limited, trouble.report.message)
            .disables(disables)
            .fix("`sudo modprobe -a bridge veth`, or a kernel with CONFIG_BRIDGE and CONFIG_VETH".to_owned()),
    }
}

/// What a kernel with bridges can do, with a packet filter or without, by this way out.
fn with(has_filter: bool, way_out: &WayOut) -> Finding {
    let but_internal = "`--network NAME`, unless the network is internal";
    let modules = "`sudo modprobe -a nf_tables nft_masq nft_socket`, or a kernel with CONFIG_NF_TABLES";
    let limited = |found, disables: &str, fix| Finding::bad(CHECK, Status::Limited, found).disables(disables).fix(fix);
    match (has_filter, way_out) {
        (true, WayOut::By(NetworkDriver::Pasta)) => {
            Finding::ok(CHECK, "bridge, veth and nf_tables work; the way out is pasta: slirp4netns not found")
        }
        (true, WayOut::By(_)) => Finding::ok(CHECK, "bridge, veth and nf_tables work; the way out is slirp4netns"),
        (_, WayOut::None(fix)) => {
            limited("bridge and veth work; no helper works that could be the way out", but_internal, fix.clone())
        }
        (false, WayOut::By(NetworkDriver::Pasta)) => limited(
            "bridge and veth work; the kernel has no nf_tables, which pasta needs as the way out",
            but_internal,
            Some(format!("{}; or {modules}", Package::Slirp4netns.install())),
        ),
        (false, WayOut::By(_)) => limited(
            "bridge and veth work; the way out is slirp4netns; the kernel has no nf_tables",
            "in networks with names: IPv6 to the outside, and the addresses of clients of published ports",
            Some(modules.to_owned()),
        ),
    }
}

/// Makes a network as a start does, in a network namespace that ends with this process. Returns whether it has a packet
/// filter.
fn try_out(home: &UserNamespace) -> Result<bool, Trouble> {
    home.enter()?;
    Ok(probe_bridge()?)
}
