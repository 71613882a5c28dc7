//! The pipes between the program's standard descriptors and a front end's: all of them rc's own.
//!
//! By default the program gets no descriptor of the caller's. It could connect a socket to anything that the host's
//! network reaches. It could open a pipe once more by `/proc/self/fd`, in the other direction, too, to read what others
//! write, write what others read, and set O_NONBLOCK on it. It could type into a terminal (safety.md, X2, X12). It
//! could read and write all of a file. From a directory it reaches all of the host (CVE-2024-21626). And a program that
//! outlives its command would keep any of them open. The log driver `passthrough` asks for exactly that.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::FileType;
use rustix::pipe::{PipeFlags, pipe_with};

use super::Error;
use super::front_end::{Attach, FrontEnd};
use crate::monitor::{Starter, Stdio};
use crate::plan::{ContainerConfig, LogDriver};

/// Pipes for some of a program's standard streams, 0, 1 and 2, both ends of each.
#[derive(Debug, Default)]
pub(super) struct PipePairs {
    /// The ends of the program or its monitor.
    pub(super) theirs: [Option<OwnedFd>; 3],
    /// The ends of the session.
    pub(super) ours: [Option<OwnedFd>; 3],
}

impl PipePairs {
    /// Makes the pipe of the stream with this number.
    pub(super) fn add(&mut self, stream: usize) -> Result<(), Error> {
        let (read, write) =
            pipe_with(PipeFlags::CLOEXEC).map_err(|error| Error::step("create a pipe")(error.into()))?;
        let (theirs, ours) = if stream == 0 { (read, write) } else { (write, read) };
        (self.theirs[stream], self.ours[stream]) = (Some(theirs), Some(ours));
        Ok(())
    }
}

/// The streams of a start: what the program's standard descriptors are, what the monitor gets for the front end, and
/// what the front end keeps.
pub(super) struct StartStreams {
    pub(super) stdio: [Stdio; 3],
    pub(super) starter: Starter,
    pub(super) ours: [Option<OwnedFd>; 3],
}

/// Chooses the streams for a container and its front end.
pub(super) fn for_start(config: &ContainerConfig, front_end: &FrontEnd<'_>) -> Result<StartStreams, Error> {
    let mut stdio = [if config.open_stdin { Stdio::Relay } else { Stdio::Null }, Stdio::Relay, Stdio::Relay];
    let mut pipes = PipePairs::default();
    if let Attach::Yes { stdin } = front_end.attach {
        let passes = config.log_driver.is_passthrough();
        let handed = front_end.descriptors.map(|fd| fd.filter(|fd| passes && can_be_handed(*fd, config.log_driver)));
        stdio[0] = match handed[0] {
            _ if !stdin => Stdio::Null,
            Some(fd) => hand(fd)?,
            None => {
                pipes.add(0)?;
                Stdio::Relay
            }
        };
        for stream in [1, 2] {
            if let Some(fd) = handed[stream] {
                stdio[stream] = hand(fd)?;
            } else if !config.tty || stream == 1 {
                pipes.add(stream)?;
            }
        }
    } else if config.log_driver.is_passthrough() {
        // The front end does not stay to pass anything on, so files are handed over, too, as the user has asked.
        for (stdio, fd) in stdio.iter_mut().zip(front_end.descriptors) {
            *stdio = fd.map_or(Ok(Stdio::Null), |fd| {
                check_detached(fd, config.log_driver)?;
                hand(fd)
            })?;
        }
    }
    let PipePairs { theirs: [stdin, stdout, stderr], ours } = pipes;
    let starter = Starter { stdin, stdout, stderr, size: front_end.size.filter(|_| config.tty) };
    Ok(StartStreams { stdio, starter, ours })
}

fn hand(fd: BorrowedFd<'_>) -> Result<Stdio, Error> {
    let copy = rustix::io::fcntl_dupfd_cloexec(fd, 3);
    copy.map(Stdio::Handed).map_err(|error| Error::step("copy a descriptor")(error.into()))
}

/// Whether the log driver `passthrough` hands a descriptor over: a pipe, a socket, a device. The others are relayed by
/// a pipe all the same: the program could read and write all of a file by `/proc/self/fd`.
fn can_be_handed(fd: BorrowedFd<'_>, driver: LogDriver) -> bool {
    match file_type(fd) {
        Some(FileType::Fifo | FileType::Socket) => true,
        Some(FileType::CharacterDevice) => driver == LogDriver::PassthroughTty || !is_terminal(fd),
        _ => false,
    }
}

fn check_detached(fd: BorrowedFd<'_>, driver: LogDriver) -> Result<(), Error> {
    if driver != LogDriver::PassthroughTty && is_terminal(fd) {
        return Err(Error::PassedTerminal);
    }
    if file_type(fd) == Some(FileType::Directory) {
        return Err(Error::PassedDirectory);
    }
    Ok(())
}

fn file_type(fd: BorrowedFd<'_>) -> Option<FileType> {
    rustix::fs::fstat(fd).ok().map(|stat| FileType::from_raw_mode(stat.st_mode))
}

fn is_terminal(fd: BorrowedFd<'_>) -> bool {
    rustix::termios::isatty(fd)
}
