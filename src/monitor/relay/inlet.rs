//! What leads to the program: a pipe or its terminal, which takes input as it has room.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};

use super::turn::{CHUNK, TURNS};
use crate::sys::pipe::Traffic;

/// What leads to the program.
#[derive(Debug)]
pub(super) struct Inlet {
    fd: OwnedFd,
    is_terminal: bool,
    /// What it has not taken yet.
    pending: Vec<u8>,
    /// The kernel said that it is full.
    is_full: bool,
    traffic: Traffic,
}

/// What came of reading a client's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fed {
    /// There may be more.
    More,
    /// The client's input has ended.
    ClientEnded,
    /// The program reads no more.
    ProgramEnded,
}

impl Inlet {
    /// Leads to `fd`, which is set up never to wait.
    pub(super) fn new(fd: OwnedFd, is_terminal: bool) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(Self { fd, is_terminal, pending: Vec::new(), is_full: false, traffic: Traffic::default() })
    }

    /// Whether it takes more now.
    pub(super) fn has_room(&self) -> bool {
        self.pending.is_empty() && !self.is_full
    }

    /// What to wait for, if for anything: room, or the end of the reader. A terminal is watched as an output.
    pub(super) fn poll_fd(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match (self.has_room(), self.is_terminal) {
            (false, _) => Some((self.fd.as_fd(), PollFlags::OUT)),
            (true, false) => Some((self.fd.as_fd(), PollFlags::empty())),
            (true, true) => None,
        }
    }

    /// Passes on what `client`, a pipe that never waits, holds: within the kernel from pipe to pipe.
    pub(super) fn feed(&mut self, client: BorrowedFd<'_>) -> Fed {
        if !self.is_terminal {
            return self.splice(client);
        }
        let mut buffer = vec![0u8; 64 * 1024];
        match rustix::io::read(client, &mut buffer[..]) {
            Ok(0) => Fed::ClientEnded,
            Ok(length) => {
                self.pending.extend_from_slice(&buffer[..length]);
                self.flush()
            }
            Err(Errno::INTR | Errno::AGAIN) => Fed::More,
            Err(_) => Fed::ClientEnded,
        }
    }

    fn splice(&mut self, client: BorrowedFd<'_>) -> Fed {
        for _ in 0..TURNS {
            match splice(client, None, &self.fd, None, CHUNK, SpliceFlags::NONBLOCK | SpliceFlags::MOVE) {
                Ok(0) => return Fed::ClientEnded,
                Ok(length) => self.traffic.count(length, &[client, self.fd.as_fd()]),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    // Nothing to read, or no room to write.
                    self.is_full = rustix::io::ioctl_fionread(client).is_ok_and(|available| available > 0);
                    break;
                }
                Err(Errno::PIPE) => return Fed::ProgramEnded,
                Err(_) => return Fed::ClientEnded,
            }
        }
        Fed::More
    }

    /// Acts on what poll said.
    pub(super) fn ready(&mut self, flags: PollFlags) -> Fed {
        if flags.contains(PollFlags::ERR) {
            return Fed::ProgramEnded;
        }
        self.is_full = false;
        if flags.contains(PollFlags::HUP) {
            // The program has closed its terminal, and poll would say so until there is room, which need not come.
            self.pending = Vec::new();
        }
        self.flush()
    }

    fn flush(&mut self) -> Fed {
        while !self.pending.is_empty() {
            match rustix::io::write(&self.fd, &self.pending) {
                Ok(length) => drop(self.pending.drain(..length)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Fed::More,
                Err(_) => return Fed::ProgramEnded,
            }
        }
        self.pending = Vec::new();
        Fed::More
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, Timespec, poll};
    use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};

    use super::*;

    #[test]
    fn a_terminal_that_its_program_has_closed_keeps_nobody_busy() {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        unlockpt(&master).expect("its other side can be opened");
        let program = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("its other side");
        let mut input = Inlet::new(master, true).expect("it is set up");
        drop(program);
        let (client, mut writer) = io::pipe().expect("a pipe");
        for _ in 0..64 {
            assert!(input.has_room());
            io::Write::write_all(&mut writer, &[b'x'; 4096]).expect("the pipe takes it");
            assert_eq!(input.feed(client.as_fd()), Fed::More);
            // What it does not take is not waited for.
            if let Some((fd, flags)) = input.poll_fd() {
                let mut set = [PollFd::from_borrowed_fd(fd, flags)];
                assert_eq!(poll(&mut set, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(1));
                let flags = set[0].revents();
                assert_eq!(input.ready(flags), Fed::More);
            }
        }
    }
}
