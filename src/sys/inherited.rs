//! Descriptors above the standard ones that the caller left open. rc first closes those that the user did not ask for:
//! a monitor that kept a pipe open would make its reader hang.
#![expect(unsafe_code, reason = "close_range(2), and descriptors that are known by number only")]

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd};

use rustix::io::FdFlags;

/// A descriptor that is kept, close-on-exec.
#[derive(Debug)]
pub(crate) struct Inherited {
    /// The number that it has in the program.
    pub(crate) number: i32,
    /// The descriptor.
    pub(crate) fd: OwnedFd,
}

/// Takes over one descriptor that the caller left open; `None` if it is not open.
///
/// Call it before [`keep_only`], while this process has no descriptors of its own open.
pub(crate) fn take(number: i32) -> Option<OwnedFd> {
    // SAFETY: only asks for and sets flags; whether the number is open is the question.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_setfd(borrowed, FdFlags::CLOEXEC).ok()?;
    // SAFETY: it is open, it came from the caller, and nothing in this process owns it: nothing of its own is open.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Closes every descriptor above 2 except `wanted` (ascending, all above 2), and takes those over; ignores those that
/// are not open.
///
/// Call it once, while this process has no descriptors of its own open.
pub(crate) fn keep_only(wanted: &[i32]) -> io::Result<Vec<Inherited>> {
    let mut kept = Vec::with_capacity(wanted.len());
    let mut next = 3;
    for &number in wanted {
        close_between(next, number)?;
        next = number + 1;
        kept.extend(take(number).map(|fd| Inherited { number, fd }));
    }
    close_between(next, i32::MAX)?;
    Ok(kept)
}

/// Closes the descriptors from `first` up to, not including, `end`. Source: close_range(2).
fn close_between(first: i32, end: i32) -> io::Result<()> {
    if first >= end {
        return Ok(());
    }
    // SAFETY: nothing in this process owns a descriptor above 2 yet, except those that were taken over, which are below
    // `first`.
    match unsafe { libc::syscall(libc::SYS_close_range, first, end - 1, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
