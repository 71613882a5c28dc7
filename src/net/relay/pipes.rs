//! The pipes through which data is spliced. A connection has one only while bytes wait in it, so that an idle
//! connection costs two descriptors and no memory of pipes.

use std::os::fd::OwnedFd;

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

/// The size of a pipe, in bytes: a splice moves at most that much.
pub(super) const SIZE: usize = 256 << 10;

/// How many empty ones are kept.
const SPARE: usize = 4;

/// A pipe.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) out: OwnedFd,
    pub(super) into: OwnedFd,
}

/// The pipes of a relay.
#[derive(Debug)]
pub(super) struct Pipes {
    spare: Vec<Pipe>,
    lent: usize,
    most: usize,
}

impl Pipes {
    /// At most `most` pipes.
    pub(super) fn new(most: usize) -> Self {
        Self { spare: Vec::new(), lent: 0, most }
    }

    /// An empty pipe; `None` if all are in use: by clients or servers that do not read.
    pub(super) fn take(&mut self) -> Option<Pipe> {
        let pipe = match self.spare.pop() {
            Some(pipe) => pipe,
            None if self.lent >= self.most => return None,
            None => {
                let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
                // The kernel refuses it to a user whose pipes have all the memory that they may have.
                fcntl_setpipe_size(&into, SIZE).ok();
                Pipe { out, into }
            }
        };
        self.lent += 1;
        Some(pipe)
    }

    /// Gives back a pipe that is empty.
    pub(super) fn give(&mut self, pipe: Pipe) {
        self.lent -= 1;
        if self.spare.len() < SPARE {
            self.spare.push(pipe);
        }
    }

    /// Closes a pipe that may have bytes in it.
    pub(super) fn close(&mut self, pipe: Pipe) {
        self.lent -= 1;
        drop(pipe);
    }
}
