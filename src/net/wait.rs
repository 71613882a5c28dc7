//! Waiting for descriptors with a deadline.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Waits until one of `descriptors` is readable or at its end; `false` at the deadline.
pub(super) fn wait_readable(descriptors: &[BorrowedFd<'_>], deadline: Instant) -> Result<bool, Errno> {
    let mut polled: Vec<_> = descriptors.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match poll(&mut polled, Some(&timespec(left))) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok(count) => return Ok(count > 0),
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec { tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX), tv_nsec: duration.subsec_nanos().into() }
}
