//! A program's session keyring: its own, so that it neither finds the keys of the user's session nor leaves any there.
//!
//! A user may have 200 keys (`kernel.keys.maxkeys`), and each container and each exec needs one. The kernel charges
//! them to the real user ID, which the container's root may choose among the IDs of its map: each has its own quota. If
//! the quota of one ID is used up, the keyring is created for another. With one ID there is no other; the start fails
//! then.
//!
//! If a seccomp filter refuses keyctl(2), as in a container of docker or podman, it also applies to every program that
//! rc starts there: none of them can reach a key. rc finds that out, or that the kernel has no keyrings, before it
//! forks the first process of a start, and it is no failure; every later error is one.

use super::Failure;
use super::sync::Step as _;
use crate::sys::keyring::{Keyrings, look, new_session};
use crate::sys::{fs, ids};
use crate::types::ReportKind;

/// How many IDs are tried, from 1: with 200 keys each they allow 12 800 more programs.
const TRIED: u32 = 64;

/// Finds out, in the monitor, what [`leave`] will do.
pub(super) fn prepare() {
    look();
}

/// Leaves the keyring of the caller's session. This process must still be root of the container.
pub(super) fn leave(single_id: bool) -> Result<(), Failure> {
    if look() != Keyrings::Open {
        return Ok(());
    }
    match new_session() {
        Err(error) if error.raw_os_error() == Some(libc::EDQUOT) => of_another_id(single_id),
        other => other.step("create a session keyring"),
    }
}

fn of_another_id(single_id: bool) -> Result<(), Failure> {
    for id in 1..=TRIED {
        // Only the real ID, on which nothing else depends before the program's own is set: the capabilities stay.
        if single_id || ids::set_real_uid(id).is_err() {
            break;
        }
        let made = new_session();
        ids::set_real_uid(0).step("become user 0 again")?;
        match made {
            Err(error) if error.raw_os_error() == Some(libc::EDQUOT) => {}
            other => return other.step("create a session keyring"),
        }
    }
    let limit = |name| {
        let text = fs::read_to_string(format!("/proc/sys/kernel/keys/{name}")).unwrap_or_default();
        text.trim().parse::<u64>().unwrap_or_default()
    };
    let (keys, bytes) = (limit("maxkeys"), limit("maxbytes"));
    let message = format!("cannot create a session keyring: the user has as many keys as allowed ({keys})");
    // Ten times as many as now: a fixed number could be less than what the host allows already.
    let (keys, bytes) = (keys.saturating_mul(10).max(2000), bytes.saturating_mul(10).max(200_000));
    let hint = format!(
        "`cat /proc/key-users` shows the keys of each user, `keyctl clear @u` removes those that you added; \
         `sudo sysctl kernel.keys.maxkeys={keys} kernel.keys.maxbytes={bytes}` allows more"
    );
    Err(Failure::reason(ReportKind::NoSpace, message).with_hint(hint))
}
