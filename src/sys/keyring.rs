//! The session keyring.
#![expect(unsafe_code, reason = "keyctl(2) has no safe wrapper")]

use std::io;
use std::path::Path;
use std::sync::OnceLock;

/// `KEYCTL_GET_KEYRING_ID`. Source: keyctl(2).
const KEYCTL_GET_KEYRING_ID: libc::c_long = 0;
/// `KEYCTL_JOIN_SESSION_KEYRING`. Source: keyctl(2).
const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;
/// `KEY_SPEC_SESSION_KEYRING`. Source: keyctl(2).
const KEY_SPEC_SESSION_KEYRING: libc::c_long = -3;

/// What this process can do with keyrings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyrings {
    /// They are available.
    Open,
    /// The kernel was built without them.
    Absent,
    /// A seccomp filter, that of an outer container, refuses keyctl(2) to this process and to everything that it
    /// starts.
    Filtered,
}

/// Finds out what can be done with keyrings, by a call that changes nothing. Caches the answer, for forked children
/// too.
pub(crate) fn look() -> Keyrings {
    static FOUND: OnceLock<Keyrings> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // Whether that keyring exists does not matter: ENOKEY is an answer as well.
        match keyctl(KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING).map_err(|error| error.raw_os_error()) {
            Err(Some(libc::ENOSYS)) if !Path::new("/proc/keys").exists() => Keyrings::Absent,
            // The kernel itself never returns EPERM for this call.
            Err(Some(libc::ENOSYS | libc::EPERM)) => Keyrings::Filtered,
            _ => Keyrings::Open,
        }
    })
}

/// Gives this process a new anonymous session keyring, so that it shares none with the user's session.
///
/// The keyring is charged to the real user ID. Fails with `EDQUOT` if that user has the maximum number of keys.
pub(crate) fn new_session() -> io::Result<()> {
    // A null name requests an anonymous keyring.
    keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0).map(drop)
}

fn keyctl(operation: libc::c_long, argument: libc::c_long) -> io::Result<libc::c_long> {
    // SAFETY: both operations take a number, or a null pointer for which the kernel reads no memory.
    let result = unsafe { libc::syscall(libc::SYS_keyctl, operation, argument, 0, 0, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
