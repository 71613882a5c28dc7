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

/// With so many bytes unread in the pipe no name is written to it: there is always room for the other words, even if
/// the user has so many pipes that the kernel gives this one a page alone (pipe(7)).
const MOST_UNREAD: u64 = 2048;

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

    /// Writes it, unless it is a name and there is too much unread.
    fn write(&self, pipe: &OwnedFd) {
        let has_room = || rustix::io::ioctl_fionread(pipe).is_ok_and(|unread| unread < MOST_UNREAD);
        if !matches!(self, Self::Named(_)) || has_room() {
            rustix::io::write(pipe, &self.bytes()).ok();
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
    /// A process that has just been forked, and reads words from the other end of `words`, into which the monitor
    /// writes without waiting.
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

    /// Lets it call itself by another name. One that has stopped reading does not hear of it.
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
            word.write(words);
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
            word.write(&write);
            assert_eq!(Word::read(read.as_fd()), Some(word));
        }
        drop(write);
        assert_eq!(Word::read(read.as_fd()), None);
    }

    #[test]
    fn names_that_nobody_reads_leave_room_for_the_last_words() {
        let (read, words) = pipe().expect("a pipe");
        rustix::pipe::fcntl_setpipe_size(&words, 4096).expect("a page");
        rustix::io::ioctl_fionbio(&words, true).expect("set");
        (0..100).for_each(|_| Word::Named("x".repeat(128)).write(&words));
        Word::Retire.write(&words);
        drop(words);
        let heard: Vec<Word> = std::iter::from_fn(|| Word::read(read.as_fd())).collect();
        let (last, names) = heard.split_last().expect("words");
        assert!(*last == Word::Retire && names.len() < 32 && names.iter().all(|word| matches!(word, Word::Named(_))));
    }
}
