//! What a process does whose socket has a client that it cannot accept: as long as no descriptor is free the client
//! waits, and poll(2) says so at once, each time. So the process does not look at the socket for a moment.

use std::io;
use std::time::{Duration, Instant};

/// How long it does not look.
pub(crate) const REST: Duration = Duration::from_millis(100);

/// Whether accept(2) has failed for a reason that is not the client's and is still there: no descriptor or no memory.
pub(crate) fn is_lasting(error: &io::Error) -> bool {
    !matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR | libc::ECONNABORTED))
}

/// Whether and how long a listening socket is left alone.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    until: Option<Instant>,
}

impl Rest {
    /// Begins one if accept(2) has failed for a lasting reason, and returns whether it has.
    pub(crate) fn after(&mut self, error: &io::Error) -> bool {
        let lasts = is_lasting(error);
        if lasts {
            self.until = Some(Instant::now() + REST);
        }
        lasts
    }

    /// When it ends; `None` if clients are accepted.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// Ends it if its time is over. Returns whether it has ended now.
    pub(crate) fn end(&mut self, now: Instant) -> bool {
        self.until.take_if(|until| *until <= now).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_follows_what_lasts_and_ends() {
        let mut rest = Rest::default();
        for code in [libc::EAGAIN, libc::EINTR, libc::ECONNABORTED] {
            assert!(!rest.after(&io::Error::from_raw_os_error(code)), "{code}");
        }
        for code in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM] {
            assert!(rest.after(&io::Error::from_raw_os_error(code)), "{code}");
            let until = rest.deadline().expect("it rests");
            assert!(!rest.end(until - Duration::from_nanos(1)));
            assert!(rest.end(until) && !rest.end(until), "{code}");
        }
    }
}
