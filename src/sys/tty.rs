//! Terminals: pseudo-terminal pairs, sizes, the controlling terminal.
#![expect(unsafe_code, reason = "TIOCGPTPEER has no safe wrapper")]

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};

use rustix::fs::{Mode, OFlags, openat};
use rustix::termios::{Winsize, tcgetwinsize, tcsetwinsize};

/// `TIOCGPTPEER`: `_IO('T', 0x41)`. Source: ioctl_tty(2).
const TIOCGPTPEER: libc::Ioctl = 0x5441;

/// Opens a new pseudo-terminal of the devpts instance whose `ptmx` is in the directory `dir`: the controlling side, and
/// the program's side, which is opened by descriptor and never by a path that another process could have replaced
/// (CVE-2025-52565). A link in place of `ptmx` is not followed: it could lead anywhere.
pub(crate) fn open_pair(dir: BorrowedFd<'_>) -> io::Result<(OwnedFd, OwnedFd)> {
    let master =
        openat(dir, c"ptmx", OFlags::RDWR | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    rustix::pty::unlockpt(&master)?;
    // SAFETY: TIOCGPTPEER takes open flags by value and returns a new descriptor or -1.
    let peer = unsafe { libc::ioctl(master.as_raw_fd(), TIOCGPTPEER, libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC) };
    if peer < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the ioctl succeeded, so `peer` is a new descriptor that nothing else owns.
    let peer = unsafe { OwnedFd::from_raw_fd(peer) };
    Ok((master, peer))
}

/// Makes `terminal` the controlling terminal of this session's leader, which is this process.
pub(crate) fn make_controlling(terminal: impl AsFd) -> io::Result<()> {
    Ok(rustix::process::ioctl_tiocsctty(terminal)?)
}

/// Rows and columns of a terminal.
pub(crate) fn size(terminal: impl AsFd) -> io::Result<(u16, u16)> {
    let size = tcgetwinsize(terminal)?;
    Ok((size.ws_row, size.ws_col))
}

/// Sets rows and columns of a terminal; the kernel notifies the program with SIGWINCH.
pub(crate) fn set_size(terminal: impl AsFd, rows: u16, columns: u16) -> io::Result<()> {
    Ok(tcsetwinsize(terminal, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 })?)
}
