//! One process of a relay, as the monitor has it, and what the monitor says to it.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::net::wait::wait_readable;
use crate::sys::process::Child;

/// How long a process may take to pass on a server's last words, or to reset its connections. The words have arrived
/// already, so this is for clients.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What the monitor says, by one byte in a pipe. The end of the pipe says that the container has ended: what servers
/// have said is passed on, and then the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Another process serves the doors from now on: this one ends with its last connection.
    Retire,
    /// Nothing inside answers any more: every connection is reset, and the process ends.
    Reset,
}

impl Word {
    fn byte(self) -> u8 {
        match self {
            Self::Retire => b'r',
            Self::Reset => b'x',
        }
    }

    /// Reads the next word; `None` at the end of the pipe, which readable it must be.
    pub(super) fn read(pipe: BorrowedFd<'_>) -> Option<Self> {
        let mut byte = [0];
        match rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut byte)) {
            Ok(1) => [Self::Retire, Self::Reset].into_iter().find(|word| word.byte() == byte[0]),
            _ => None,
        }
    }
}

/// The process. Dropping it ends it: what servers have said is passed on.
#[derive(Debug)]
pub(super) struct One {
    child: Child,
    /// `None` at its end.
    words: Option<OwnedFd>,
    /// Readable when it serves.
    pub(super) ready: OwnedFd,
    pub(super) since: Instant,
}

impl One {
    /// A process that has just been forked, and reads words from the other end of `words`.
    pub(super) fn new(child: Child, words: OwnedFd, ready: OwnedFd) -> Self {
        Self { child, words: Some(words), ready, since: Instant::now() }
    }

    /// Readable when it has ended.
    pub(super) fn pidfd(&self) -> BorrowedFd<'_> {
        self.child.pidfd.as_fd()
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        wait_readable(&[self.pidfd()], Instant::now()).unwrap_or(true)
    }

    /// Lets it end with its last connection.
    pub(super) fn retire(&self) {
        self.say(Word::Retire);
    }

    /// Ends it: its clients see a reset.
    pub(super) fn reset(self) {
        self.say(Word::Reset);
    }

    /// Lets it end as soon as it has passed on what servers have said.
    #[must_use]
    pub(super) fn last_words(mut self) -> Self {
        self.words = None;
        self
    }

    /// One that has ended hears nothing.
    fn say(&self, word: Word) {
        if let Some(words) = &self.words {
            rustix::io::write(words, &[word.byte()]).ok();
        }
    }
}

impl Drop for One {
    fn drop(&mut self) {
        drop(self.words.take());
        // If other code has already reaped every child of this process, these fail, which does no harm.
        wait_readable(&[self.child.pidfd.as_fd()], Instant::now() + LAST_WORDS).ok();
        if self.child.signal(libc::SIGKILL).is_ok() {
            self.child.wait().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::pipe::pipe;

    use super::*;

    #[test]
    fn words_come_back_and_the_end_is_none() {
        let (read, write) = pipe().expect("a pipe");
        for word in [Word::Retire, Word::Reset] {
            rustix::io::write(&write, &[word.byte()]).expect("written");
            assert_eq!(Word::read(read.as_fd()), Some(word));
        }
        drop(write);
        assert_eq!(Word::read(read.as_fd()), None);
    }
}
