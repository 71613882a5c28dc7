//! Capabilities of a container's processes: names, sets, and how a process gives up all others.
//!
//! The set bounds what the container may ever have. The inheritable and ambient sets are always empty: with them a
//! program without privileges would gain some by execve (CVE-2022-24769). The kernel computes the program's effective
//! set when it executes it: root gets the whole bounding set, any other user gets none, as with docker.
//!
//! ```text
//! limit      the bounding set, while CAP_SETPCAP is held
//! seccomp    between the two: installing a filter asks for CAP_SYS_ADMIN
//! become     groups, gid, uid, then the sets of this process
//! ```
//! No PR_SET_KEEPCAPS: nothing between the change of IDs and execve needs a capability, so rc relies on the kernel's
//! own rule (a process loses them when its user ID is no longer 0).

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::str::FromStr as _;

use caps::Capability;
use nix::unistd::{Gid, Uid};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::sys::fs::plain;
use crate::types::{Report, ReportKind};

/// Why the rights of a process could not be reduced.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No capability has that name.
    #[error("no such capability `{}`", .name.escape_debug())]
    Unknown {
        /// What was given.
        name: String,
    },
    /// A capability cannot be taken from the bounding set.
    #[error("cannot drop capability {number} from the bounding set: {}", plain(.source))]
    Bounding {
        /// Its number (capabilities(7)).
        number: u32,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A step of the change to the container's user failed.
    #[error("cannot {step}: {}", plain(.source))]
    Step {
        /// What was tried, as an infinitive, with its subject.
        step: String,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Unknown { .. } => ReportKind::Invalid,
            Error::Bounding { ref source, .. } | Error::Step { ref source, .. } => ReportKind::of_step(source),
        };
        Self::new(kind, error.to_string())
    }
}

/// A set of capabilities, by the kernel's numbers.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct CapSet(u64);

impl CapSet {
    /// The empty set.
    pub(crate) const EMPTY: Self = Self(0);

    /// The set of these names, written as capabilities(7) does (`CAP_CHOWN`). Fails with `Unknown`.
    pub(crate) fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let mut set = Self::EMPTY;
        for name in names {
            let known = Capability::from_str(name).map_err(|_| Error::Unknown { name: name.to_owned() })?;
            set.0 |= known.bitmask();
        }
        Ok(set)
    }

    /// The bounding set of a spec's process. Fails with `Unknown` for a capability that the specification knows and rc
    /// does not.
    pub(crate) fn from_spec(capabilities: &HashSet<oci_spec::runtime::Capability>) -> Result<Self, Error> {
        // The crate oci-spec names them without the prefix.
        let names: Vec<String> = capabilities.iter().map(|capability| format!("CAP_{capability}")).collect();
        Self::from_names(names.iter().map(String::as_str))
    }

    /// The set as the kernel's mask: bit n is capability n.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// Whether any capability of the mask `bits` is in the set.
    pub(crate) fn has_any(self, bits: u64) -> bool {
        self.0 & bits != 0
    }
}

impl fmt::Debug for CapSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut known: Vec<Capability> = caps::all().into_iter().filter(|one| self.has_any(one.bitmask())).collect();
        known.sort_unstable_by_key(Capability::index);
        formatter.debug_set().entries(known).finish()
    }
}

/// CAP_CHECKPOINT_RESTORE, of Linux 5.9: every kernel that rc runs on has the capabilities up to it.
const LAST_KNOWN: u32 = 40;

/// Removes everything that is not in `keep` from this process' bounding set, and empties its ambient set.
///
/// Needs CAP_SETPCAP. If it fails, some capabilities may already be removed: the process must not go on. Source:
/// PR_CAPBSET_DROP(2const), PR_CAP_AMBIENT(2const).
pub(crate) fn limit(keep: CapSet) -> Result<(), Error> {
    rustix::thread::clear_ambient_capability_set().map_err(failed("clear the ambient capabilities"))?;
    for number in 0..u64::BITS {
        let one = 1 << number;
        if keep.has_any(one) {
            continue;
        }
        // The end of this kernel's capabilities; it may have more of them than rc knows.
        match rustix::thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(one)) {
            Ok(()) => {}
            Err(Errno::INVAL) if number > LAST_KNOWN => break,
            Err(errno) => return Err(Error::Bounding { number, source: errno.into() }),
        }
    }
    Ok(())
}

/// The user that a process becomes; all IDs are the container's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// User ID: real, effective, saved.
    pub(crate) uid: u32,
    /// Group ID: real, effective, saved.
    pub(crate) gid: u32,
    /// The supplementary groups, exactly. `None` leaves them unchanged: `setgroups` is denied if only one ID is mapped
    /// (user_namespaces(7)).
    pub(crate) groups: Option<Vec<u32>>,
}

/// Makes this process run as that user, with the capabilities `keep` if it is root and none otherwise; real, effective
/// and saved IDs are equal afterwards, and the inheritable set is empty.
///
/// If it fails, some IDs may have changed: the process must not go on. The change clears the parent-death signal
/// (PR_SET_PDEATHSIG(2const)). The process has one thread, so the thread's sets are the process'.
pub(crate) fn become_user(identity: &Identity, keep: CapSet) -> Result<(), Error> {
    let Identity { uid, gid, groups } = identity;
    if let Some(groups) = groups {
        let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
        nix::unistd::setgroups(&groups).map_err(failed("set the supplementary groups"))?;
    }
    let group = Gid::from_raw(*gid);
    nix::unistd::setresgid(group, group, group).map_err(failed(format!("become group {gid}")))?;
    let user = Uid::from_raw(*uid);
    nix::unistd::setresuid(user, user, user).map_err(failed(format!("become user {uid}")))?;
    let own = if *uid == 0 { CapabilitySet::from_bits_retain(keep.bits()) } else { CapabilitySet::empty() };
    let sets = CapabilitySets { effective: own, permitted: own, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets).map_err(failed("set the capabilities"))
}

/// Adds the step to an errno.
fn failed<E: Into<io::Error>>(step: impl Into<String>) -> impl FnOnce(E) -> Error {
    move |errno| Error::Step { step: step.into(), source: errno.into() }
}

#[cfg(test)]
mod tests;
