//! The program's standard descriptors: our own, where they can be handed over, else pipes of which this command keeps an end.

use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::fs::FileType;
use rustix::pipe::{PipeFlags, pipe_with};

use super::pump::Output;
use super::{Attach, Error};
use crate::monitor::{Starter, Stdio};
use crate::plan::{ContainerConfig, LogDriver};
use crate::sys::{process, tty};

/// Whether a program in a container may have the descriptor itself: a pipe, a socket, a device.
///
/// No terminal: whoever holds it can read what the user types into it (safety.md, X12). No file: the program could open it anew
/// by `/proc/self/fd`, to read all of it and to write to it, however it was opened here. No folder: it leads to all of the host
/// (CVE-2024-21626).
pub(super) fn can_be_handed(fd: BorrowedFd<'_>) -> bool {
    rustix::fs::fstat(fd).is_ok_and(|stat| match FileType::from_raw_mode(stat.st_mode) {
        FileType::Fifo | FileType::Socket => true,
        FileType::CharacterDevice => !is_terminal(fd),
        _ => false,
    })
}

pub(super) fn is_terminal(fd: BorrowedFd<'_>) -> bool {
    rustix::termios::isatty(fd)
}

pub(super) fn pipe() -> Result<(OwnedFd, OwnedFd), Error> {
    pipe_with(PipeFlags::CLOEXEC).map_err(|error| Error::step("make a pipe")(error.into()))
}

/// What the program's descriptors are, and what this command keeps of them.
pub(super) struct Ends {
    pub(super) stdio: [Stdio; 3],
    pub(super) starter: Starter,
    pub(super) input: Option<OwnedFd>,
    pub(super) outputs: Vec<Output>,
}

impl Ends {
    /// Chooses them for a container that is joined to this command as `attach` says.
    pub(super) fn of(config: &ContainerConfig, attach: &Attach) -> Result<Self, Error> {
        let mut ends = Self {
            stdio: [if config.open_stdin { Stdio::Relay } else { Stdio::Null }, Stdio::Relay, Stdio::Relay],
            starter: Starter::default(),
            input: None,
            outputs: Vec::new(),
        };
        let takes_terminals = config.log_driver == LogDriver::PassthroughTty;
        let own = |number| {
            let can_be_handed = |fd: BorrowedFd<'_>| can_be_handed(fd) || takes_terminals && is_terminal(fd);
            process::standard(number).is_some_and(can_be_handed)
        };
        let keeps_log = !config.log_driver.is_passthrough();
        let Attach::Yes { stdin, .. } = attach else {
            if !keeps_log {
                // Nobody stays to pass anything on: files are handed over, too, as was asked for.
                for fd in (0..3).filter_map(process::standard) {
                    if !takes_terminals && is_terminal(fd) {
                        return Err(Error::PassedTerminal);
                    }
                    if rustix::fs::fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_dir()) {
                        return Err(Error::PassedFolder);
                    }
                }
                ends.stdio = [Stdio::Inherit; 3];
            }
            return Ok(ends);
        };
        if *stdin && !config.tty && own(0) {
            // Nothing has to stand between the program and its input: nobody logs it.
            ends.stdio[0] = Stdio::Inherit;
        } else if *stdin {
            let (read, write) = pipe()?;
            ends.starter.stdin = Some(read);
            ends.input = Some(write);
        } else {
            ends.stdio[0] = Stdio::Null;
        }
        for number in [1, 2] {
            let index = usize::try_from(number).unwrap_or_default();
            if !keeps_log && !config.tty && own(number) {
                ends.stdio[index] = Stdio::Inherit;
                continue;
            }
            if config.tty && number == 2 {
                continue;
            }
            let (read, write) = pipe()?;
            if number == 1 {
                ends.starter.stdout = Some(write);
            } else {
                ends.starter.stderr = Some(write);
            }
            ends.outputs.push(Output { source: read, sink: number });
        }
        if config.tty {
            ends.starter.size = process::standard(0).and_then(|stdin| tty::size(stdin).ok());
        }
        Ok(ends)
    }
}
