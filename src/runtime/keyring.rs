//! A program's session keyring: one of its own, so that it neither finds the keys of the user's session nor leaves any
//! there.
//!
//! A user may have 200 keys (`kernel.keys.maxkeys`), and each container and each exec needs one. They are charged to
//! the real user id, which root of the container may choose among those of its map: each has a quota of its own. So
//! where the user's is used up, the keyring belongs to another id of the container. With one id there is no other; the
//! start fails then.
//!
//! Where a filter of system calls refuses keyctl(2), as in a container of docker's or podman's, it does so in what rc
//! starts there, too: there is no way to the keys. That, and a kernel without keyrings, is found out before the first
//! process of a start is forked, and is no failure; everything that fails later is.

use super::Failure;
use super::sync::Step as _;
use crate::sys::keyring::{Keyrings, look, new_session};
use crate::sys::{fs, ids};
use crate::types::ReportKind;

/// How many ids are tried, from 1: with 200 keys each they are enough for 12 800 more programs.
const TRIED: u32 = 64;

/// Finds out, in the monitor, what [`leave`] will do.
pub(super) fn prepare() {
    look();
}

/// Leaves the keyring of the caller's session. This process is root of the container still.
pub(super) fn leave(single_id: bool) -> Result<(), Failure> {
    if look() != Keyrings::Open {
        return Ok(());
    }
    match new_session() {
        Err(error) if error.raw_os_error() == Some(libc::EDQUOT) => of_another_id(single_id),
        other => other.step("make a session keyring"),
    }
}

fn of_another_id(single_id: bool) -> Result<(), Failure> {
    for id in 1..=TRIED {
        // Only the real id, which is asked for nothing else before the program's own is set: capabilities stay.
        if single_id || ids::set_real_uid(id).is_err() {
            break;
        }
        let made = new_session();
        ids::set_real_uid(0).step("become user 0 again")?;
        match made {
            Err(error) if error.raw_os_error() == Some(libc::EDQUOT) => {}
            other => return other.step("make a session keyring"),
        }
    }
    let used = fs::read_to_string("/proc/sys/kernel/keys/maxkeys").unwrap_or_default();
    let message = format!("cannot make a session keyring: the user has as many keys as allowed ({})", used.trim());
    let hint = "`cat /proc/key-users` shows the keys of each user, `keyctl clear @u` removes those that you added; \
                `sudo sysctl kernel.keys.maxkeys=2000 kernel.keys.maxbytes=200000` allows more";
    Err(Failure::reason(ReportKind::NoSpace, message).with_hint(hint))
}
