//! The only place where a process that lives long sleeps: poll(2), over descriptors with tokens that say what they
//! belong to.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::idle;

/// After this time without an event the process frees as much memory as it can, and then sleeps until something
/// happens. To map the code again takes microseconds, which matter only if events are frequent.
const SILENCE: Duration = Duration::from_millis(50);

/// The descriptors to wait for, each with a token `T` that says what it belongs to.
#[derive(Debug)]
pub(crate) struct PollSet<'a, T> {
    descriptors: Vec<PollFd<'a>>,
    tokens: Vec<T>,
}

impl<'a, T: Copy> PollSet<'a, T> {
    /// Nothing to wait for.
    pub(crate) fn new() -> Self {
        Self { descriptors: Vec::new(), tokens: Vec::new() }
    }

    /// Adds a descriptor. Errors and hang-ups are reported whatever `flags` are.
    pub(crate) fn watch(&mut self, fd: BorrowedFd<'a>, flags: PollFlags, token: T) {
        self.descriptors.push(PollFd::from_borrowed_fd(fd, flags));
        self.tokens.push(token);
    }

    /// Sleeps until a descriptor is ready, a signal arrives, or `timeout` is over; `None` means no limit. Returns the
    /// tokens of the descriptors that are ready, with what they are ready for.
    pub(crate) fn wait(mut self, timeout: Option<Duration>) -> io::Result<Vec<(T, PollFlags)>> {
        let first = timeout.map_or(SILENCE, |timeout| timeout.min(SILENCE));
        let woken = match poll(&mut self.descriptors, timespec(Some(first)).as_ref()) {
            Ok(0) if timeout.is_none_or(|timeout| timeout > SILENCE) => {
                shrink_and_poll(&mut self.descriptors, timeout.map(|timeout| timeout - SILENCE))
            }
            woken => woken,
        };
        match woken {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let all = self.tokens.into_iter().zip(&self.descriptors).map(|(token, fd)| (token, fd.revents()));
        Ok(all.filter(|(_, flags)| !flags.is_empty()).collect())
    }
}

/// Sleeps in a process that is idle. It is not part of the generic function, so that all processes of rc sleep in the
/// same piece of code: it is all of it that they have mapped.
fn shrink_and_poll(descriptors: &mut [PollFd<'_>], timeout: Option<Duration>) -> Result<usize, Errno> {
    let timeout = timespec(timeout);
    idle::shrink_and(|| poll(descriptors, timeout.as_ref()))
}

/// Frees as much memory as it can, and sleeps until `set`, of epoll(7), has something, a signal arrives, or `timeout`
/// is over.
pub(crate) fn sleep_long(set: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<()> {
    match shrink_and_poll(&mut [PollFd::from_borrowed_fd(set, PollFlags::IN)], timeout) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The timeout of poll(2); none if it cannot express the time.
fn timespec(duration: Option<Duration>) -> Option<Timespec> {
    duration.and_then(|duration| Timespec::try_from(duration).ok())
}
