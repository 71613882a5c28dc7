//! The session keyring.
#![expect(unsafe_code, reason = "keyctl(2) has no safe wrapper")]

use std::io;

/// `KEYCTL_JOIN_SESSION_KEYRING`. Source: keyctl(2).
const KEYCTL_JOIN_SESSION_KEYRING: libc::c_long = 1;

/// Gives this process a new anonymous session keyring, so that it shares none with the user's session; fine on a kernel
/// without keyrings.
pub fn new_session() -> io::Result<()> {
    // SAFETY: a null name asks for an anonymous keyring; the kernel reads no memory.
    let result = unsafe {
        libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>(), 0, 0, 0)
    };
    match io::Error::last_os_error() {
        _ if result >= 0 => Ok(()),
        error if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM | libc::EDQUOT)) => Ok(()),
        error => Err(error),
    }
}
