//! Namespaces by descriptor.
#![expect(unsafe_code, reason = "the nsfs ioctls have no safe wrapper")]

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};

use nix::sched::CloneFlags;

/// `NS_GET_NSTYPE`. Source: ioctl_nsfs(2).
const NS_GET_NSTYPE: libc::Ioctl = 0xb703;
/// `NS_GET_OWNER_UID`. Source: ioctl_nsfs(2).
const NS_GET_OWNER_UID: libc::Ioctl = 0xb704;

/// Whether `fd` is a user namespace that user `uid` has created; `false` for any other file.
pub(crate) fn is_user_namespace_of(fd: BorrowedFd<'_>, uid: u32) -> bool {
    // SAFETY: NS_GET_NSTYPE takes no argument; on other files it fails with ENOTTY.
    let kind = unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_NSTYPE) };
    if kind != libc::CLONE_NEWUSER {
        return false;
    }
    let mut owner: libc::uid_t = u32::MAX;
    // SAFETY: the kernel writes one uid_t, for which `owner` has room.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_OWNER_UID, &raw mut owner) };
    result == 0 && owner == uid
}

/// Joins the namespace `fd`, which must be of a kind in `kinds`; with a pidfd, all kinds of that process at once.
/// Source: setns(2).
pub(crate) fn join(fd: BorrowedFd<'_>, kinds: CloneFlags) -> io::Result<()> {
    Ok(nix::sched::setns(fd, kinds)?)
}

/// Creates new namespaces for this process. Source: unshare(2).
pub(crate) fn unshare(kinds: CloneFlags) -> io::Result<()> {
    Ok(nix::sched::unshare(kinds)?)
}
