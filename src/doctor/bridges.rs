//! What networks with names need of the kernel: bridges, pairs of interfaces, and its packet filter.

use super::attempt::{Trouble, attempt};
use super::{Finding, Home, NOT_TRIED, Status};
use crate::net::probe_bridge;
use crate::userns::UserNamespace;

const CHECK: &str = "bridge";

pub(super) fn check(home: Home<'_>) -> Finding {
    let disables = "`--network NAME`: networks that containers share";
    let Some(home) = home else { return Finding::bad(CHECK, Status::Limited, NOT_TRIED).disables(disables) };
    match attempt(|| try_out(home)) {
        Ok(true) => Finding::ok(CHECK, "bridge, veth and nf_tables work"),
        Ok(false) => Finding::bad(CHECK, Status::Limited, "bridge and veth work; the kernel has no nf_tables")
            .disables("in networks with names: pasta, and the addresses of clients of published ports")
            .fix("`sudo modprobe -a nf_tables nft_masq nft_socket`, or a kernel with CONFIG_NF_TABLES".to_owned()),
        Err(trouble) => Finding::bad(CHECK, Status::Limited, trouble.report.message)
            .disables(disables)
            .fix("`sudo modprobe -a bridge veth`, or a kernel with CONFIG_BRIDGE and CONFIG_VETH".to_owned()),
    }
}

/// Makes a network as a start does, in a network namespace that ends with this process. Returns whether it has a packet
/// filter.
fn try_out(home: &UserNamespace) -> Result<bool, Trouble> {
    home.enter()?;
    Ok(probe_bridge()?)
}
