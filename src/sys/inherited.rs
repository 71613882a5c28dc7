//! Descriptors above the standard ones that the caller left open. rc first closes those that the user did not ask for:
//! a monitor that kept a pipe open would make its reader hang.
#![expect(unsafe_code, reason = "close_range(2), and descriptors that are known by number only")]

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::io::FdFlags;

/// A descriptor that is kept, close-on-exec.
#[derive(Debug)]
pub(crate) struct Inherited {
    /// The number that it has in the program.
    pub(crate) number: i32,
    /// The descriptor.
    pub(crate) fd: Arc<OwnedFd>,
}

/// The numbers of the descriptors that paths in a text name, `/dev/fd/N` and `/proc/self/fd/N`, such as a shell's
/// `<(…)`. The standard ones are not among them.
pub(crate) fn named_in(text: &str) -> impl Iterator<Item = i32> + use<'_> {
    DIRECTORIES.iter().flat_map(|directory| text.split(directory).skip(1)).filter_map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..end].parse().ok().filter(|number| *number > 2)
    })
}

/// Whether the path is that of a descriptor of this process.
pub(crate) fn is_name(path: &Path) -> bool {
    path.to_str().is_some_and(|text| {
        let number = |directory| text.strip_prefix(directory).and_then(|number| number.parse::<u32>().ok());
        text == "/dev/stdin" || DIRECTORIES.iter().any(|directory| number(directory).is_some())
    })
}

/// Where a process finds its own descriptors. Source: proc_pid_fd(5).
const DIRECTORIES: [&str; 3] = ["/dev/fd/", "/proc/self/fd/", "/proc/thread-self/fd/"];

/// Whether the caller left this descriptor open.
pub(crate) fn is_open(number: i32) -> bool {
    // SAFETY: only asks for flags; whether the number is open is the question.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    rustix::io::fcntl_getfd(borrowed).is_ok()
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
        next = number.saturating_add(1);
        kept.extend(take(number).map(|fd| Inherited { number, fd: fd.into() }));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_named_by_paths_wherever_they_stand_in_a_word() {
        for (text, numbers) in [
            ("/dev/fd/63", &[63][..]),
            ("--env-file=/dev/fd/63", &[63]),
            ("seccomp=/proc/self/fd/11", &[11]),
            ("/proc/thread-self/fd/4", &[4]),
            ("/dev/fd/3:/dev/fd/4", &[3, 4]),
            ("/dev/fd/0", &[]),
            ("/dev/fd/2", &[]),
            ("/dev/fd/", &[]),
            ("/dev/fd/x", &[]),
            ("/dev/fd/-3", &[]),
            ("/dev/fd/99999999999", &[]),
            ("/dev/fdx/3", &[]),
            ("3", &[]),
        ] {
            assert_eq!(named_in(text).collect::<Vec<_>>(), numbers, "{text}");
        }
    }

    #[test]
    fn a_descriptor_s_own_path_is_known() {
        for (path, expected) in [
            ("/dev/fd/63", true),
            ("/proc/self/fd/0", true),
            ("/dev/stdin", true),
            ("/dev/fd/", false),
            ("/dev/fd/1/x", false),
            ("/dev/fd/../shm/x", false),
            ("fd/3", false),
        ] {
            assert_eq!(is_name(Path::new(path)), expected, "{path}");
        }
    }
}
