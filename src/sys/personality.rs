//! The kernel that a program sees, personality(2).
#![expect(unsafe_code, reason = "personality(2) has no safe wrapper that knows PER_LINUX32")]

use std::io;

/// What `uname -m` shows, and how addresses are laid out. Source: personality(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persona {
    /// The kernel's own.
    Linux,
    /// Those of a machine with 32 bits.
    Linux32,
}

/// Sets the personality of this process, which its programs inherit.
pub(crate) fn set(persona: Persona) -> io::Result<()> {
    // Source: the kernel's uapi/linux/personality.h.
    let number: libc::c_ulong = match persona {
        Persona::Linux => 0,
        Persona::Linux32 => 8,
    };
    // SAFETY: takes a number and touches no memory.
    if unsafe { libc::personality(number) } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
