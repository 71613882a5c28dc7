//! One process of a relay, as the monitor has it, and what the monitor says to it.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::net::wait::wait_readable;
use crate::sys::prctl;
use crate::sys::process::{self, Child};

/// How long a process may take to pass on a server's last words, or to reset its connections. The words have arrived
/// already, so this is for clients.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// What the monitor says, by one byte in a pipe, after which a name has its length and its bytes. The end of the pipe
/// says that the container has ended: what servers have said is passed on, and then the process ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// Another process serves the doors from now on: this one ends with its last connection.
    Retire,
    /// Nothing inside answers any more: every connection is reset, and the process ends.
    Reset,
    /// The container has another name.
    Named(String),
}

impl Word {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Retire => b"r".to_vec(),
            Self::Reset => b"x".to_vec(),
            // Names are shorter.
            Self::Named(name) => [&[b'n', u8::try_from(name.len()).unwrap_or(0)], name.as_bytes()].concat(),
        }
    }

    /// Reads the next word; `None` at the end of the pipe, which readable it must be.
    pub(super) fn read(pipe: BorrowedFd<'_>) -> Option<Self> {
        let byte = || {
            let mut byte = [0];
            let count = rustix::io::retry_on_intr(|| rustix::io::read(pipe, &mut byte)).ok()?;
            (count == 1).then_some(byte[0])
        };
        match byte()? {
            b'r' => Some(Self::Retire),
            b'x' => Some(Self::Reset),
            // It was written at once.
            b'n' => {
                let length = byte()?;
                let bytes = (0..length).map(|_| byte()).collect::<Option<_>>()?;
                String::from_utf8(bytes).ok().map(Self::Named)
            }
            _ => None,
        }
    }
}

/// Gives this process, a relay for the container `name`, its name and command line.
pub(super) fn take_title(name: &str) -> io::Result<()> {
    let title = format!("rc: ports {name}");
    prctl::set_name(&title)?;
    process::replace_command_line(&title)
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
        self.say(&Word::Retire);
    }

    /// Ends it: its clients see a reset.
    pub(super) fn reset(self) {
        self.say(&Word::Reset);
    }

    /// Lets it call itself by another name.
    pub(super) fn rename(&self, name: &str) {
        self.say(&Word::Named(name.to_owned()));
    }

    /// Lets it end as soon as it has passed on what servers have said.
    #[must_use]
    pub(super) fn last_words(mut self) -> Self {
        self.words = None;
        self
    }

    /// One that has ended hears nothing.
    fn say(&self, word: &Word) {
        if let Some(words) = &self.words {
            rustix::io::write(words, &word.bytes()).ok();
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
        for word in [Word::Retire, Word::Reset, Word::Named("web".to_owned()), Word::Named("x".repeat(128))] {
            rustix::io::write(&write, &word.bytes()).expect("written");
            assert_eq!(Word::read(read.as_fd()), Some(word));
        }
        drop(write);
        assert_eq!(Word::read(read.as_fd()), None);
    }
}
