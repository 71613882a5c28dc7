//! What stands between the program's standard descriptors and our own: pipes that rc has made.
//!
//! Nothing of the caller's goes into a container by itself. A socket there could be connected to anything that the
//! host's network reaches; a pipe could be opened anew by `/proc/self/fd`, in its other direction too, so that the
//! program would read what others write, write what others read, and leave it O_NONBLOCK; a terminal could be typed
//! into (safety.md, X2, X12); a file could be read and written as a whole; a directory leads to all of the host
//! (CVE-2024-21626); and any of them would be kept open by a process that outlives its command. The log driver
//! `passthrough` asks for just that.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::FileType;
use rustix::pipe::{PipeFlags, pipe_with};

use super::pump::{Input, Output};
use super::{Attach, Error};
use crate::monitor::{Starter, Stdio};
use crate::plan::{ContainerConfig, LogDriver};
use crate::sys::{process, tty};

/// The two sides of the pipes.
#[derive(Debug, Default)]
pub(super) struct Ends {
    /// The side of the program, or of its monitor: descriptors 0, 1 and 2. None for what goes nowhere.
    pub(super) theirs: [Option<OwnedFd>; 3],
    /// Ours.
    pub(super) input: Option<Input>,
    pub(super) outputs: Vec<Output>,
}

impl Ends {
    /// Makes the pipe that our standard input goes to; none if that has nothing to give.
    pub(super) fn add_input(&mut self) -> Result<(), Error> {
        if process::standard(0).is_none_or(is_null) {
            return Ok(());
        }
        let (read, write) = pipe()?;
        self.theirs[0] = Some(read);
        self.input = Some(Input::new(write)?);
        Ok(())
    }

    /// Makes the pipe that comes to our standard output (1) or standard error (2).
    pub(super) fn add_output(&mut self, number: u8) -> Result<(), Error> {
        let (read, write) = pipe()?;
        self.theirs[usize::from(number)] = Some(write);
        self.outputs.push(Output::new(read, i32::from(number))?);
        Ok(())
    }
}

/// What the descriptors of a program that is started are, what its monitor gets of ours, and what we keep.
pub(super) struct StartEnds {
    pub(super) stdio: [Stdio; 3],
    pub(super) starter: Starter,
    pub(super) input: Option<Input>,
    pub(super) outputs: Vec<Output>,
}

/// Chooses them for a container that is joined to this command as `attach` says.
pub(super) fn for_start(config: &ContainerConfig, attach: &Attach) -> Result<StartEnds, Error> {
    let mut stdio = [if config.open_stdin { Stdio::Relay } else { Stdio::Null }, Stdio::Relay, Stdio::Relay];
    let mut ends = Ends::default();
    let mut size = None;
    if let Attach::Yes { stdin, .. } = attach {
        let is_handed = |number| config.log_driver.is_passthrough() && can_be_handed(number, config.log_driver);
        stdio[0] = match (*stdin, is_handed(0)) {
            (true, true) => Stdio::Inherit,
            (true, false) => {
                ends.add_input()?;
                if ends.input.is_some() { Stdio::Relay } else { Stdio::Null }
            }
            (false, _) => Stdio::Null,
        };
        for number in [1_u8, 2] {
            if is_handed(number.into()) {
                stdio[usize::from(number)] = Stdio::Inherit;
            } else if !config.tty || number == 1 {
                ends.add_output(number)?;
            }
        }
        size = process::standard(0).filter(|_| config.tty).and_then(|stdin| tty::size(stdin).ok());
    } else if config.log_driver.is_passthrough() {
        check_detached(config.log_driver)?;
        stdio = [Stdio::Inherit; 3];
    }
    let [stdin, stdout, stderr] = ends.theirs;
    let starter = Starter { stdin, stdout, stderr, size };
    Ok(StartEnds { stdio, starter, input: ends.input, outputs: ends.outputs })
}

/// Whether the log driver `passthrough` hands our descriptor over: a pipe, a socket, a device. What else there is comes
/// by a pipe all the same: a file could be read and written as a whole by `/proc/self/fd`.
fn can_be_handed(number: i32, driver: LogDriver) -> bool {
    let Some(fd) = process::standard(number) else { return false };
    match file_type(fd) {
        Some(FileType::Fifo | FileType::Socket) => true,
        Some(FileType::CharacterDevice) => driver == LogDriver::PassthroughTty || !is_terminal(fd),
        _ => false,
    }
}

/// Nobody stays to pass anything on: files are handed over, too, as was asked for.
fn check_detached(driver: LogDriver) -> Result<(), Error> {
    for fd in (0..3).filter_map(process::standard) {
        if driver != LogDriver::PassthroughTty && is_terminal(fd) {
            return Err(Error::PassedTerminal);
        }
        if file_type(fd) == Some(FileType::Directory) {
            return Err(Error::PassedDirectory);
        }
    }
    Ok(())
}

fn file_type(fd: BorrowedFd<'_>) -> Option<FileType> {
    rustix::fs::fstat(fd).ok().map(|stat| FileType::from_raw_mode(stat.st_mode))
}

fn is_terminal(fd: BorrowedFd<'_>) -> bool {
    rustix::termios::isatty(fd)
}

/// Whether it is `/dev/null`.
fn is_null(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| {
        FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == rustix::fs::makedev(1, 3)
    })
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Error> {
    pipe_with(PipeFlags::CLOEXEC).map_err(|error| Error::step("make a pipe")(error.into()))
}
