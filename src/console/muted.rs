//! Streams of this process that it is not attached to.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{Mode, OFlags};

use crate::sys::process;

/// One of our outputs, while what comes to it is dropped. Dropping this restores it, so that rc's own errors are seen.
#[derive(Debug)]
pub(crate) struct Muted {
    number: i32,
    own: OwnedFd,
}

impl Muted {
    /// Mutes our standard output (1) or error (2), if it is open.
    pub(crate) fn begin(number: i32) -> io::Result<Option<Self>> {
        let Some(output) = process::standard(number) else { return Ok(None) };
        let own = rustix::io::fcntl_dupfd_cloexec(output, 3)?;
        let null = rustix::fs::open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
        process::place(null.as_fd(), number)?;
        Ok(Some(Self { number, own }))
    }
}

impl Drop for Muted {
    fn drop(&mut self) {
        drop(process::place(self.own.as_fd(), self.number));
    }
}
