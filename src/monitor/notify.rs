//! Passes on what the program tells the service manager (`--sdnotify=container`).
//!
//! ```text
//! program ── /run/notify/notify.sock ─→ monitor ── NOTIFY_SOCKET ─→ manager
//! ```
//!
//! The monitor passes on messages about the program's own state, but none that would control the manager: rc itself
//! names the main process, and stores no descriptors. Source: sd_notify(3).

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};

use super::directory::ContainerDir;
use crate::plan::NOTIFY_FILE;
use crate::sys::datagram::{self, Sender, Sent};

/// The messages that a program may send.
const PASSED_ON: [&[u8]; 10] = [
    b"READY",
    b"RELOADING",
    b"MONOTONIC_USEC",
    b"STOPPING",
    b"STATUS",
    b"ERRNO",
    b"BUSERROR",
    b"WATCHDOG",
    b"WATCHDOG_USEC",
    b"EXTEND_TIMEOUT_USEC",
];

/// The longest message; longer ones are dropped, as the manager itself does. Source: systemd, `NOTIFY_BUFFER_MAX`.
const LONGEST: usize = 4096;

/// How many messages of a program that has ended can still be in the queue, which is not longer
/// (`net.unix.max_dgram_qlen`, which systemd sets to 512).
const LAST_MESSAGES: u32 = 1024;

/// How long a manager may keep its queue full before rc gives up on a message of its own.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What a descriptor in the poll set belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token {
    /// The program has sent a message.
    Program,
    /// The manager has room.
    Manager,
}

/// The connection between the program and the manager.
#[derive(Debug)]
pub(super) struct Notifier {
    program: OwnedFd,
    manager: Sender,
    /// A message for which the manager's queue had no room. No more are read meanwhile.
    pending: Vec<u8>,
}

impl Notifier {
    /// Makes the socket in the container's directory, from where it is mounted into the container, and connects to the
    /// manager at `address`.
    pub(super) fn begin(directory: &ContainerDir, address: &str) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(directory.path(), flags, Mode::empty())?;
        // An earlier start has left it. We hold the lock, so no process listens there.
        rustix::fs::unlinkat(&dir, NOTIFY_FILE, rustix::fs::AtFlags::empty()).ok();
        let program = datagram::bind_at(dir.as_fd(), NOTIFY_FILE)?;
        Ok(Self { program, manager: Sender::connect(address)?, pending: Vec::new() })
    }

    /// The descriptor to wait for.
    pub(super) fn poll_fd(&self) -> (BorrowedFd<'_>, PollFlags, Token) {
        if self.pending.is_empty() {
            (self.program.as_fd(), PollFlags::IN, Token::Program)
        } else {
            (self.manager.as_fd(), PollFlags::OUT, Token::Manager)
        }
    }

    /// Acts on the ready descriptor: one message at a time, so that a program that sends many does not block the loop.
    pub(super) fn ready(&mut self, token: Token) {
        match token {
            Token::Program => {
                self.take();
            }
            Token::Manager => self.flush(),
        }
    }

    /// Passes on the last messages of a program that has ended. Not without a limit: other processes may have the
    /// socket, too.
    pub(super) fn finish(&mut self) {
        self.flush();
        for _ in 0..LAST_MESSAGES {
            if !self.pending.is_empty() || !self.take() {
                return;
            }
        }
    }

    /// Takes one message, and returns whether there was one.
    fn take(&mut self) -> bool {
        let mut space = [0u8; LONGEST];
        match datagram::receive(self.program.as_fd(), &mut space) {
            Ok(Some(length)) => {
                self.pending = space.get(..length).map(filtered).unwrap_or_default();
                self.flush();
                true
            }
            Ok(None) | Err(_) => false,
        }
    }

    fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        // If the manager has ended or refuses the message, it is dropped.
        if !matches!(self.manager.send(&self.pending), Ok(Sent::Full)) {
            self.pending = Vec::new();
        }
    }
}

/// The lines of a message that may be passed on.
fn filtered(message: &[u8]) -> Vec<u8> {
    let lines = message
        .split(|byte| *byte == b'\n')
        .filter(|line| line.iter().position(|byte| *byte == b'=').is_some_and(|end| PASSED_ON.contains(&&line[..end])));
    lines.collect::<Vec<_>>().join(&b'\n')
}

/// Sends one of rc's own messages. Waits up to 5 s if the manager's queue is full, and returns `Full` after that.
pub(crate) fn send_waiting(manager: &Sender, message: &[u8]) -> io::Result<Sent> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match manager.send(message)? {
            Sent::Full if !left.is_zero() => {
                let left = Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(0) + 1, tv_nsec: 0 };
                // A signal only ends this wait early.
                poll(&mut [PollFd::new(manager, PollFlags::OUT)], Some(&left)).ok();
            }
            sent => return Ok(sent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_program_may_say_of_itself_goes_on() {
        let pass = |text: &str| String::from_utf8(filtered(text.as_bytes())).expect("text");
        assert_eq!(pass("READY=1\nSTATUS=up and = running\n"), "READY=1\nSTATUS=up and = running");
        assert_eq!(pass("MAINPID=1\nREADY=1\nFDSTORE=1\nFDNAME=x\nBARRIER=1\nNOTIFYACCESS=none"), "READY=1");
        assert_eq!(pass("EXTEND_TIMEOUT_USEC=5\nWATCHDOG=1"), "EXTEND_TIMEOUT_USEC=5\nWATCHDOG=1");
        for nothing in ["", "\n\n", "READY", " READY=1", "ready=1", "X_READY=1\0READY=1"] {
            assert_eq!(pass(nothing), "", "{nothing:?}");
        }
    }
}
