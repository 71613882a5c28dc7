//! The program's standard descriptors, and the monitor's ends of its pipes.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{Mode, OFlags};

use super::relay::Relay;
use super::start::{Error, Start, Stdio, step};
use super::stream::Stream;
use crate::sys::{idle, process};

/// The monitor's ends of the program's pipes.
#[derive(Debug, Default)]
pub(super) struct Pipes {
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

impl Pipes {
    /// Adds them to the relay.
    pub(super) fn join(self, relay: &mut Relay) -> io::Result<()> {
        if let Some(fd) = self.stdin {
            relay.set_input(fd)?;
        }
        for (fd, stream) in [(self.stdout, Stream::Stdout), (self.stderr, Stream::Stderr)] {
            if let Some(fd) = fd {
                relay.add_pipe(fd, stream)?;
            }
        }
        Ok(())
    }
}

/// Makes the program's descriptors 0, 1 and 2, and the monitor's ends of the pipes among them.
pub(super) fn standard_descriptors(start: &Start) -> Result<([OwnedFd; 3], Pipes), Error> {
    let mut pipes = Pipes::default();
    let null = || -> Result<OwnedFd, Error> {
        rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .map_err(|e| step("open `/dev/null`")(e.into()))
    };
    if start.config.tty {
        return Ok(([null()?, null()?, null()?], pipes));
    }
    let mut theirs = Vec::with_capacity(3);
    for (number, stdio) in start.stdio.iter().enumerate() {
        theirs.push(match stdio {
            // A copy, because the program may be restarted.
            Stdio::Handed(fd) => fd.try_clone().map_err(step("copy a descriptor"))?,
            Stdio::Null => null()?,
            Stdio::Relay => {
                let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
                    .map_err(|e| step("create a pipe")(e.into()))?;
                match number {
                    0 => {
                        pipes.stdin = Some(write);
                        read
                    }
                    1 => {
                        pipes.stdout = Some(read);
                        write
                    }
                    _ => {
                        pipes.stderr = Some(read);
                        write
                    }
                }
            }
        });
    }
    let theirs: [OwnedFd; 3] =
        theirs.try_into().map_err(|_| step("make pipes")(io::Error::from_raw_os_error(libc::EINVAL)))?;
    Ok((theirs, pipes))
}

/// Detaches the monitor from the command's terminal, directory and memory.
pub(super) fn let_go() {
    if let Ok(null) = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        for number in 0..3 {
            drop(process::place(null.as_fd(), number));
        }
    }
    rustix::process::chdir(c"/").ok();
    idle::trim_heap();
}
