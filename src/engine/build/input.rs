//! What a step reads of the caller's standard input (`--stdin`): it comes by a pipe of rc's own, as with `rc run -i`.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// The most that is read before a step takes it.
const AT_ONCE: usize = 4 << 10;

/// Input on its way to a step. What the step does not read before it ends, no other step gets.
pub(super) struct Input<'a> {
    ends: Option<(&'a File, OwnedFd)>,
    unread: Vec<u8>,
}

impl<'a> Input<'a> {
    /// From the caller's `source` to the step's pipe, if there are both.
    pub(super) fn new(source: Option<&'a File>, pipe: Option<OwnedFd>) -> io::Result<Self> {
        if let Some(pipe) = &pipe {
            rustix::io::ioctl_fionbio(pipe, true)?;
        }
        Ok(Self { ends: source.zip(pipe), unread: Vec::new() })
    }

    /// What to wait for: for input, or until the step has taken what there is.
    pub(super) fn awaited(&self) -> Option<PollFd<'_>> {
        let (source, pipe) = self.ends.as_ref()?;
        Some(match self.unread[..] {
            [] => PollFd::new(source, PollFlags::IN),
            _ => PollFd::new(pipe, PollFlags::OUT),
        })
    }

    /// Passes on what is there, without waiting. At the end of the input, and if the step reads no more, the pipe is
    /// closed.
    pub(super) fn pass_on(&mut self) {
        let Some((source, pipe)) = &self.ends else { return };
        if self.unread.is_empty() {
            if !is_ready(source) {
                return;
            }
            self.unread.resize(AT_ONCE, 0);
            match rustix::io::read(source, &mut self.unread[..]) {
                Ok(count) if count > 0 => self.unread.truncate(count),
                Err(Errno::INTR | Errno::AGAIN) => self.unread.clear(),
                _ => return self.ends = None,
            }
        }
        match rustix::io::write(pipe, &self.unread) {
            Ok(count) => drop(self.unread.drain(..count)),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => self.ends = None,
        }
    }
}

fn is_ready(source: &File) -> bool {
    let mut polled = [PollFd::new(source, PollFlags::IN)];
    poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|count| count > 0)
}
