//! Where a client takes one of the streams: one of rc's own pipes. What becomes of a client that does not read:
//!
//! ```text
//! follows ── its pipe is full ─→ waits, and the program with it ── it takes something ─→ follows
//!                                 └── it takes nothing for STALL ─→ left behind: the program continues, and what the
//!                                     pipe has no room for is lost to this client ── it takes what waits ─→ is told
//!                                     how much it has missed, and follows
//! ```
//!
//! A client that is the only place where the output goes sets the pace: it is waited for, as the reader of any pipe is.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::monitor::stream::Stream;
use crate::sys::pipe;

/// How long a client may take nothing before the program stops waiting for it.
pub(super) const STALL: Duration = Duration::from_secs(10);

/// One stream's way to a client.
#[derive(Debug)]
pub(super) struct Sink {
    fd: OwnedFd,
    stream: Stream,
    /// The program waits for it without a limit, as long as it runs.
    sets_pace: bool,
    /// The program runs no more.
    has_ended: bool,
    /// Bytes that it has not taken yet.
    pending: Vec<u8>,
    /// The kernel said that the pipe is full.
    is_full: bool,
    /// Since when it has taken nothing although something waits.
    stalled: Option<Instant>,
    /// The program no longer waits for it.
    is_behind: bool,
    /// Bytes that it has missed since it was told last.
    missed: u64,
    /// Those that it was told of.
    told: u64,
}

impl Sink {
    pub(super) fn new(fd: OwnedFd, stream: Stream, sets_pace: bool) -> Self {
        Self {
            fd,
            stream,
            sets_pace,
            has_ended: false,
            pending: Vec::new(),
            is_full: false,
            stalled: None,
            is_behind: false,
            missed: 0,
            told: 0,
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(super) fn stream(&self) -> Stream {
        self.stream
    }

    /// Bytes that it has missed or not taken and was not told of; those that it was told of, too, if `all`.
    pub(super) fn missed(&self, all: bool) -> u64 {
        self.missed + self.pending.len() as u64 + if all { self.told } else { 0 }
    }

    /// Whether something waits for it to read.
    pub(super) fn is_waiting(&self) -> bool {
        self.is_full || !self.pending.is_empty()
    }

    /// Whether the program has to wait until it reads.
    pub(super) fn holds_up(&self) -> bool {
        self.is_waiting() && !self.is_behind
    }

    /// When the program stops waiting for it.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.stalled.filter(|_| self.holds_up() && (self.has_ended || !self.sets_pace)).map(|since| since + STALL)
    }

    /// Leaves it behind if its time is over.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.is_behind = true;
        }
    }

    /// Takes bytes of the program for it.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        if self.is_behind && self.is_waiting() {
            self.missed += bytes.len() as u64;
            return;
        }
        self.pending.extend_from_slice(bytes);
        self.flush();
    }

    /// It took something within the kernel.
    pub(super) fn has_taken(&mut self) {
        self.stalled = None;
    }

    /// The kernel has no room for more.
    pub(super) fn is_now_full(&mut self) {
        self.is_full = true;
        self.stalled.get_or_insert_with(Instant::now);
    }

    /// It has room again.
    pub(super) fn has_room(&mut self) {
        self.is_full = false;
        self.has_taken();
        self.flush();
    }

    /// Writes what its pipe has room for; after a gap a note says first how large that was.
    fn flush(&mut self) {
        loop {
            while !self.pending.is_empty() {
                match rustix::io::write(&self.fd, &self.pending) {
                    Ok(length) => {
                        drop(self.pending.drain(..length));
                        self.has_taken();
                    }
                    Err(Errno::INTR) => {}
                    Err(Errno::AGAIN) => return self.is_now_full(),
                    // The reader is gone; poll will say so.
                    Err(_) => self.pending.clear(),
                }
            }
            self.pending = Vec::new();
            self.is_behind = false;
            if self.missed == 0 {
                return;
            }
            let seconds = STALL.as_secs();
            let note = format!("rc: {} bytes of output are missing here: nobody read for {seconds} s\n", self.missed);
            self.pending = note.into_bytes();
            self.told += self.missed;
            self.missed = 0;
        }
    }

    /// The program runs, or runs again.
    pub(super) fn begin_run(&mut self) {
        self.has_ended = false;
    }

    /// The program has ended: its last words are put into the pipe, which is made larger if the kernel lets it be, so
    /// that the client finds them there whenever it reads. If not, it is waited for as briefly as any.
    pub(super) fn finish(&mut self) {
        self.has_ended = true;
        if self.is_waiting() && pipe::add_room(self.fd.as_fd(), self.pending.len()) {
            self.has_room();
        }
    }
}
