//! Runs another program in a running container.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use oci_spec::runtime::Process;
use rustix::fs::{Mode, OFlags};

use super::changed::Seen;
use super::client::{answer, ask, connect};
use super::session::{Session, Terminal, Unread};
use super::streams::PipePairs;
use super::{Container, Error};
use crate::monitor::Status;
use crate::monitor::protocol::{self, Ask, Event};
use crate::sys::inherited::Inherited;
use crate::sys::socket::MAX_DESCRIPTORS;
use crate::types::DetachKeys;

/// The program to run, and how the caller is attached to it.
#[derive(Debug)]
pub(crate) struct Exec {
    /// The process, complete.
    pub(crate) process: Process,
    /// The session has the program's input.
    pub(crate) stdin: bool,
    /// The caller does not wait for the program: there is no session.
    pub(crate) detach: bool,
    /// The size of the caller's terminal.
    pub(crate) size: Option<(u16, u16)>,
    /// The keys that detach from its terminal.
    pub(crate) detach_keys: DetachKeys,
    /// Further descriptors that the program gets.
    pub(crate) descriptors: Vec<Inherited>,
}

/// Runs a program in the container. With `detach` there is no session, and the program runs when this returns.
///
/// Its standard descriptors are pipes to the session, or a terminal whose controlling side the monitor sends here: the
/// streams do not go through the monitor.
pub(crate) fn exec(container: &Container, exec: Exec) -> Result<Option<Session>, Error> {
    const ACTION: &str = "run a program in";
    if container.status != Status::Running {
        return Err(container.cannot(ACTION));
    }
    let seen = container.seen(ACTION);
    begin(container, exec, seen.clone()).map_err(|error| seen.explain(error))
}

/// [`exec`] in a container that runs.
fn begin(container: &Container, exec: Exec, seen: Seen) -> Result<Option<Session>, Error> {
    let socket = connect(container)?;
    let wants_terminal = exec.process.terminal().unwrap_or(false);
    if exec.descriptors.len() > MAX_DESCRIPTORS - 3 {
        return Err(Error::TooManyDescriptors(MAX_DESCRIPTORS - 3));
    }
    let numbers = exec.descriptors.iter().map(|inherited| inherited.number).collect();
    let request = Ask::Exec(Box::new(protocol::Exec { process: exec.process, size: exec.size, descriptors: numbers }));
    let further = exec.descriptors.iter().map(|inherited| inherited.fd.as_fd());
    if wants_terminal {
        ask(&socket, &request, &further.collect::<Vec<_>>())?;
        return join_terminal(socket, seen, exec.stdin, exec.detach, exec.detach_keys);
    }
    let mut pipes = PipePairs::default();
    if !exec.detach {
        for stream in if exec.stdin { 0..3 } else { 1..3 } {
            pipes.add(stream)?;
        }
    }
    let null = null()?;
    let standard = pipes.theirs.each_ref().map(|theirs| theirs.as_ref().map_or(null.as_fd(), AsFd::as_fd));
    ask(&socket, &request, &standard.into_iter().chain(further).collect::<Vec<BorrowedFd<'_>>>())?;
    drop((pipes.theirs, exec.descriptors));
    if exec.detach {
        return started(&socket).map(|()| None);
    }
    let [stdin, stdout, stderr] = pipes.ours;
    Ok(Some(Session {
        socket,
        seen: Some(seen),
        stdin,
        stdout,
        stderr,
        terminal: None,
        unread: Unread::Pipe,
        monitor: None,
    }))
}

fn started(socket: &OwnedFd) -> Result<(), Error> {
    while !matches!(answer(socket)?, (Event::Started { .. }, _)) {}
    Ok(())
}

/// Waits for the controlling side of the program's terminal, which the monitor sends.
fn join_terminal(
    socket: OwnedFd,
    seen: Seen,
    stdin: bool,
    detach: bool,
    detach_keys: DetachKeys,
) -> Result<Option<Session>, Error> {
    let master = loop {
        if let (Event::Terminal, mut descriptors) = answer(&socket)? {
            break descriptors.pop().ok_or(Error::MonitorDied)?;
        }
    };
    if detach {
        return started(&socket).map(|()| None);
    }
    let copy =
        || rustix::io::fcntl_dupfd_cloexec(&master, 3).map_err(|error| Error::step("copy a descriptor")(error.into()));
    let (stdin, stdout) = (stdin.then(copy).transpose()?, Some(copy()?));
    let terminal = Some(Terminal { master: Some(master), detach_keys });
    Ok(Some(Session {
        socket,
        seen: Some(seen),
        stdin,
        stdout,
        stderr: None,
        terminal,
        unread: Unread::Nothing,
        monitor: None,
    }))
}

fn null() -> Result<OwnedFd, Error> {
    rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| Error::step("open `/dev/null`")(error.into()))
}
