//! Programs that were started beside the container's own, by `rc exec`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::protocol::{self, Event};
use crate::runtime::{self, Join, Progress, Starting};
use crate::sys::inherited::Inherited;
use crate::sys::tty;

/// The container that they run in.
#[derive(Debug)]
pub(super) struct Running<'a> {
    pub(super) init: BorrowedFd<'a>,
    pub(super) group: Option<BorrowedFd<'a>>,
    pub(super) confinement: &'a Confinement,
}

/// What every program of the container has in common.
#[derive(Debug)]
pub(super) struct Confinement {
    /// The container has a network namespace of its own.
    pub(super) own_network: bool,
    /// The container has a cgroup namespace of its own.
    pub(super) own_cgroups: bool,
    /// By rc's own filter.
    pub(super) seccomp: bool,
    /// The container has one id.
    pub(super) single_id: bool,
    /// Groups beyond those of the user.
    pub(super) groups: Vec<String>,
}

/// One such program.
#[derive(Debug)]
pub(super) struct OneExec {
    pub(super) id: u64,
    connection: u64,
    joined: Starting,
    is_starting: bool,
    /// The last execve failed: who asked was told already.
    has_failed: bool,
    terminal: Option<OwnedFd>,
    size: Option<(u16, u16)>,
}

impl OneExec {
    /// Readable while the program starts.
    pub(super) fn sync(&self) -> Option<BorrowedFd<'_>> {
        self.is_starting.then(|| self.joined.sync())
    }

    /// Readable when the program has ended.
    pub(super) fn pidfd(&self) -> BorrowedFd<'_> {
        self.joined.process.pidfd.as_fd()
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Execs {
    all: Vec<OneExec>,
    next_id: u64,
}

/// Why exec could not begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("exec came without its descriptors")]
    Descriptors,
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
}

impl Execs {
    pub(super) fn iter(&self) -> impl Iterator<Item = &OneExec> {
        self.all.iter()
    }

    /// Begins to start a program for the command on `connection`; how it goes on comes by [`progress`](Self::progress).
    pub(super) fn start(
        &mut self,
        connection: u64,
        container: &Running<'_>,
        exec: &protocol::Exec,
        mut descriptors: Vec<OwnedFd>,
    ) -> Result<(), Error> {
        let terminal = exec.process.terminal().unwrap_or(false);
        let further = descriptors.split_off(descriptors.len().min(if terminal { 0 } else { 3 }));
        if further.len() != exec.descriptors.len() || exec.descriptors.iter().any(|number| *number < 3) {
            return Err(Error::Descriptors);
        }
        let numbered = |(&number, fd)| Inherited { number, fd };
        let further: Vec<_> = exec.descriptors.iter().zip(further).map(numbered).collect();
        let stdio = match (terminal, &descriptors[..]) {
            // With a terminal they are not used.
            (true, _) => [container.init; 3],
            (false, [stdin, stdout, stderr]) => [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()],
            (false, _) => return Err(Error::Descriptors),
        };
        let joined = runtime::join(&Join {
            init: container.init,
            own_network: container.confinement.own_network,
            own_cgroups: container.confinement.own_cgroups,
            cgroup: container.group,
            process: &exec.process,
            groups: &container.confinement.groups,
            stdio,
            descriptors: &further,
            seccomp: container.confinement.seccomp,
            single_id: container.confinement.single_id,
        })?;
        self.next_id += 1;
        self.all.push(OneExec {
            id: self.next_id,
            connection,
            joined,
            is_starting: true,
            has_failed: false,
            terminal: None,
            size: exec.size,
        });
        Ok(())
    }

    /// Hears the next word of a program that starts: what its command is to be told.
    pub(super) fn progress(&mut self, id: u64) -> Option<(u64, Event, Option<OwnedFd>)> {
        let exec = self.all.iter_mut().find(|exec| exec.id == id)?;
        match exec.joined.progress() {
            Ok(Progress::Terminal(master)) => {
                if let Some((rows, columns)) = exec.size {
                    // A size that cannot be set leaves the kernel's default.
                    drop(tty::set_size(&master, rows, columns));
                }
                exec.terminal = rustix::io::fcntl_dupfd_cloexec(&master, 0).ok();
                Some((exec.connection, Event::Terminal, Some(master)))
            }
            Ok(Progress::Closed) => {
                exec.is_starting = false;
                let pid = exec.joined.process.pid;
                (!exec.has_failed).then_some((exec.connection, Event::Started { pid }, None))
            }
            Ok(Progress::Failed(failure)) => {
                exec.is_starting = false;
                exec.has_failed = true;
                Some((exec.connection, super::failed(&failure), None))
            }
            Ok(_) => None,
            Err(error) => {
                exec.is_starting = false;
                exec.has_failed = true;
                let event = Event::Failed { code: 125, message: error.to_string(), hint: None };
                Some((exec.connection, event, None))
            }
        }
    }

    /// Reaps a program that has ended: what its command is to be told.
    pub(super) fn end(&mut self, id: u64) -> Option<(u64, Event)> {
        // Its last words may still be in the socket: an error first, then the end.
        let starting = self.all.iter().any(|exec| exec.id == id && exec.is_starting);
        if starting {
            return None;
        }
        let index = self.all.iter().position(|exec| exec.id == id)?;
        let exec = self.all.swap_remove(index);
        let code = exec.joined.process.wait().map_or(255, crate::sys::process::Ended::code);
        (!exec.has_failed).then_some((exec.connection, Event::Exited { code }))
    }

    /// The terminal of the program that the command on `connection` has started.
    pub(super) fn terminal_of(&self, connection: u64) -> Option<&OwnedFd> {
        self.all.iter().find(|exec| exec.connection == connection)?.terminal.as_ref()
    }
}
