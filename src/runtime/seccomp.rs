//! The seccomp filter of a container: rc's own, whose rules are in `config/seccomp.json`, compiled when rc is built; or
//! the user's (`profile`), compiled when a container starts.
//!
//! The build creates one program, for a process without any capability that a rule depends on, and lists the
//! instructions that become "allow" if the process has such a capability. So the default capabilities cost nothing, not
//! even a copy, and any other set a copy of some 4 kB.

// Shared with the build script, which compiles rc's own filter: each uses its own part of it.
#[expect(dead_code, reason = "the rules of rc's own filter are the build script's to compile")]
mod bpf;
mod profile;
#[expect(dead_code, reason = "which architectures there are is for the build script")]
mod tables;

use std::borrow::Cow;
use std::io;

use libc::{SECCOMP_RET_ALLOW, sock_filter};

use super::caps::CapSet;

/// Places in the program that become "allow".
struct Gate {
    /// Any one of these is enough; bit n is capability n.
    capabilities: u64,
    /// The returns concerned, by position in `BASE`.
    returns: &'static [usize],
}

// BASE and GATES, written by build/seccomp.rs.
include!(concat!(env!("OUT_DIR"), "/seccomp.rs"));

pub(crate) use profile::compile;

/// rc's own filter for processes that may hold at most `capabilities`.
pub(crate) fn filter(capabilities: CapSet) -> Cow<'static, [sock_filter]> {
    let mut filter = Cow::Borrowed(&BASE[..]);
    for gate in GATES.iter().filter(|gate| capabilities.has_any(gate.capabilities)) {
        let filter = filter.to_mut();
        for position in gate.returns {
            if let Some(instruction) = filter.get_mut(*position) {
                instruction.k = SECCOMP_RET_ALLOW;
            }
        }
    }
    filter
}

/// Installs a filter for this process and everything that it starts, permanently.
///
/// Needs CAP_SYS_ADMIN in the container's user namespace, or `no_new_privs`; otherwise it fails with EACCES. The
/// default filter allows all that follows: change of IDs and capabilities, close_range, execveat.
pub(crate) fn install(filter: &[sock_filter]) -> io::Result<()> {
    crate::sys::seccomp::set_filter(filter)
}

#[cfg(test)]
mod tests;
