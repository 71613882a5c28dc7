//! One stream's pipe to a client. What happens to a client that does not read:
//!
//! ```text
//! follows ── its pipe is full ─→ the program waits for it ── it reads something ─→ follows
//!                                 └── it reads nothing for STALL ─→ left behind: the program continues, and output for
//!                                     which the pipe has no room is lost to this client ── it reads all of the pipe ─→
//!                                     gets a note of how much it has missed, and follows
//! ```
//!
//! A client that is the only destination of the output sets the pace: the program waits for it, as for the reader of
//! any pipe.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::monitor::stream::Stream;
use crate::sys::pipe;

/// How long a client may read nothing before the program stops waiting for it.
pub(super) const STALL: Duration = Duration::from_secs(10);

/// The pipe.
#[derive(Debug)]
pub(super) struct Sink {
    fd: OwnedFd,
    stream: Stream,
    /// The program waits for it without a limit, while it runs.
    sets_pace: bool,
    /// The program has ended.
    has_ended: bool,
    /// Bytes for which the pipe had no room.
    pending: Vec<u8>,
    /// The kernel has no room in the pipe.
    is_full: bool,
    /// Since when it has read nothing although bytes wait.
    stalled: Option<Instant>,
    /// The program no longer waits for it.
    is_behind: bool,
    /// Bytes that it has missed since the last note.
    missed: u64,
    /// Bytes that notes have reported as missed.
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

    /// Bytes that it has missed and that no note has reported; with `all` also those that notes have reported.
    pub(super) fn missed(&self, all: bool) -> u64 {
        self.missed + self.pending.len() as u64 + if all { self.told } else { 0 }
    }

    /// Whether bytes wait until it reads.
    pub(super) fn is_waiting(&self) -> bool {
        self.is_full || !self.pending.is_empty()
    }

    /// Whether the program must wait until it reads.
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

    /// Takes bytes of the program's output.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        if self.is_behind && self.is_waiting() {
            self.missed += bytes.len() as u64;
            return;
        }
        self.pending.extend_from_slice(bytes);
        self.flush();
    }

    /// The pipe has taken bytes within the kernel.
    pub(super) fn has_taken(&mut self) {
        self.stalled = None;
    }

    /// The pipe is full.
    pub(super) fn is_now_full(&mut self) {
        self.is_full = true;
        self.stalled.get_or_insert_with(Instant::now);
    }

    /// The pipe has room again.
    pub(super) fn has_room(&mut self) {
        self.is_full = false;
        self.has_taken();
        self.flush();
    }

    /// Writes as much as the pipe has room for; after a gap it writes a note first, which says how large the gap is.
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
                    // The reader has closed its end; poll will report it.
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

    /// The program has ended: puts the rest of its output into the pipe, and enlarges the pipe if the kernel permits,
    /// so that the client finds it whenever it reads. Otherwise the monitor waits for this client no longer than for
    /// others.
    pub(super) fn finish(&mut self) {
        self.has_ended = true;
        if self.is_waiting() && pipe::add_room(self.fd.as_fd(), self.pending.len()) {
            self.has_room();
        }
    }
}
