//! User and group IDs of this process, through the raw system calls: the C library's functions would send a signal to
//! change every thread, which a process with foreign IDs may not do.
#![expect(unsafe_code, reason = "the raw system calls, without the C library's wrapper for threads")]

use std::io;

fn done(result: libc::c_long) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets real, effective and saved user ID. Source: setresuid(2).
pub(crate) fn set_uid(uid: u32) -> io::Result<()> {
    // SAFETY: takes numbers only; this process has one thread.
    done(unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) })
}

/// Sets the real user ID alone. Source: setresuid(2).
pub(crate) fn set_real_uid(uid: u32) -> io::Result<()> {
    // SAFETY: takes numbers only, -1 for an ID that stays; this process has one thread.
    done(unsafe { libc::syscall(libc::SYS_setresuid, uid, -1, -1) })
}

/// Sets real, effective and saved group ID. Source: setresgid(2).
pub(crate) fn set_gid(gid: u32) -> io::Result<()> {
    // SAFETY: takes numbers only; this process has one thread.
    done(unsafe { libc::syscall(libc::SYS_setresgid, gid, gid, gid) })
}

/// Sets the supplementary groups. Source: setgroups(2).
pub(crate) fn set_groups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: the pointer and the count describe the slice, which the kernel only reads.
    done(unsafe { libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) })
}
