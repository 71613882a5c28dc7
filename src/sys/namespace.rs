//! Namespaces by descriptor.
#![expect(unsafe_code, reason = "the nsfs ioctls have no safe wrapper")]

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use nix::sched::CloneFlags;

use super::process;

/// `NS_GET_USERNS`. Source: ioctl_nsfs(2).
const NS_GET_USERNS: libc::Ioctl = 0xb701;
/// `NS_GET_PARENT`. Source: ioctl_nsfs(2).
const NS_GET_PARENT: libc::Ioctl = 0xb702;
/// `NS_GET_NSTYPE`. Source: ioctl_nsfs(2).
const NS_GET_NSTYPE: libc::Ioctl = 0xb703;
/// `NS_GET_OWNER_UID`. Source: ioctl_nsfs(2).
const NS_GET_OWNER_UID: libc::Ioctl = 0xb704;

/// Whether `fd` is a user namespace that user `uid` has created; `false` for any other file.
pub(crate) fn is_user_namespace_of(fd: BorrowedFd<'_>, uid: u32) -> bool {
    if kind_of(fd) != Some(CloneFlags::CLONE_NEWUSER) {
        return false;
    }
    let mut owner: libc::uid_t = u32::MAX;
    // SAFETY: the kernel writes one uid_t, for which `owner` has room.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_OWNER_UID, &raw mut owner) };
    result == 0 && owner == uid
}

/// The user namespace above that of the process of a pidfd. Source: ioctl_nsfs(2), `NS_GET_PARENT`.
///
/// Fails with ESRCH if the process has ended and was waited for.
pub(crate) fn above_user_of(pidfd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
    let pid = process::pid_of(pidfd)?;
    let own = rustix::fs::open(format!("/proc/{pid}/ns/user"), flags, rustix::fs::Mode::empty())?;
    // Still: another process may have had the number when the file was opened.
    process::pid_of(pidfd)?;
    // SAFETY: NS_GET_PARENT takes no argument and returns a new descriptor, which is close-on-exec.
    let above = unsafe { libc::ioctl(own.as_raw_fd(), NS_GET_PARENT) };
    if above < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made the descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(above) })
}

/// The user namespace that owns the namespace `fd`. Source: ioctl_nsfs(2), `NS_GET_USERNS`.
pub(crate) fn owner_of(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    // SAFETY: NS_GET_USERNS takes no argument and returns a new descriptor, which is close-on-exec.
    let owner = unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_USERNS) };
    if owner < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made the descriptor, which nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(owner) })
}

/// Whether two descriptors are of the same namespace.
pub(crate) fn is_same(one: BorrowedFd<'_>, other: BorrowedFd<'_>) -> bool {
    let id = |fd| rustix::fs::fstat(fd).ok().map(|stat| (stat.st_dev, stat.st_ino));
    id(one).is_some_and(|one| id(other) == Some(one))
}

/// The kind of the namespace `fd`, as a flag of clone(2); `None` for any other file. Source: ioctl_nsfs(2).
pub(crate) fn kind_of(fd: BorrowedFd<'_>) -> Option<CloneFlags> {
    // SAFETY: NS_GET_NSTYPE takes no argument; on other files it fails with ENOTTY.
    let kind = unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_NSTYPE) };
    if kind > 0 { CloneFlags::from_bits(kind) } else { None }
}

/// Joins the namespace `fd`, which must be of a kind in `kinds`; with a pidfd, all kinds of that process at once, which
/// fails if it has ended. Source: setns(2).
pub(crate) fn join(fd: BorrowedFd<'_>, kinds: CloneFlags) -> io::Result<()> {
    nix::sched::setns(fd, kinds).map_err(|errno| match errno {
        // The process may be anybody's: "no such process" would leave open which.
        nix::errno::Errno::ESRCH => io::Error::other("its process has ended"),
        errno => errno.into(),
    })
}

/// Creates new namespaces for this process. Source: unshare(2).
pub(crate) fn unshare(kinds: CloneFlags) -> io::Result<()> {
    Ok(nix::sched::unshare(kinds)?)
}
