//! Another program in a running container.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use oci_spec::runtime::Process;
use rustix::fs::{Mode, OFlags};

use super::control::{connect, refuse};
use super::detach::Detach;
use super::ends::Ends;
use super::pump::{self, Input, Outcome, Output, Pump, Terminal, Unread};
use super::{Container, Error};
use crate::monitor::Status;
use crate::monitor::protocol::{self, Ask, Event};
use crate::sys::inherited::Inherited;
use crate::sys::socket::MAX_DESCRIPTORS;
use crate::sys::{process, tty};
use crate::types::DetachKeys;

/// What is to run, and how it is joined to this command.
#[derive(Debug)]
pub(crate) struct Exec {
    /// The process, complete.
    pub(crate) process: Process,
    /// Our standard input goes to it.
    pub(crate) interactive: bool,
    /// Nobody waits for it.
    pub(crate) detach: bool,
    /// The keys that detach from its terminal.
    pub(crate) detach_keys: DetachKeys,
    /// Further descriptors that the program gets.
    pub(crate) descriptors: Vec<Inherited>,
}

/// Runs a program in the container. With `detach` the outcome is [`Outcome::Detached`] as soon as it runs.
///
/// Its standard descriptors are pipes that end here, or a terminal whose controlling side is sent here: the monitor has
/// nothing to do with what flows.
pub(crate) fn exec(container: &Container, exec: Exec) -> Result<Outcome, Error> {
    if container.status != Status::Running {
        return Err(refuse(container, "run a program in"));
    }
    let socket = connect(container)?;
    let wants_terminal = exec.process.terminal().unwrap_or(false);
    let own_size = process::standard(0).and_then(|stdin| tty::size(stdin).ok());
    if exec.descriptors.len() > MAX_DESCRIPTORS - 3 {
        return Err(Error::TooManyDescriptors(MAX_DESCRIPTORS - 3));
    }
    let numbers = exec.descriptors.iter().map(|inherited| inherited.number).collect();
    let request = Ask::Exec(Box::new(protocol::Exec { process: exec.process, size: own_size, descriptors: numbers }));
    let further = exec.descriptors.iter().map(|inherited| inherited.fd.as_fd());
    if wants_terminal {
        send(&socket, &request, &further.collect::<Vec<_>>())?;
        return follow_terminal(socket, exec.interactive, exec.detach, &exec.detach_keys);
    }
    let mut ends = Ends::default();
    if !exec.detach {
        if exec.interactive {
            ends.add_input()?;
        }
        ends.add_output(1)?;
        ends.add_output(2)?;
    }
    let null = null()?;
    let standard = ends.theirs.each_ref().map(|theirs| theirs.as_ref().map_or(null.as_fd(), AsFd::as_fd));
    send(&socket, &request, &standard.into_iter().chain(further).collect::<Vec<_>>())?;
    drop((ends.theirs, exec.descriptors));
    if exec.detach {
        return started(&socket).map(|()| Outcome::Detached);
    }
    pump::run(Pump {
        socket,
        input: ends.input,
        outputs: ends.outputs,
        unread: Unread::ClosePipe,
        terminal: None,
        signals: pump::take_signals(false)?,
        proxy_signals: false,
    })
}

fn send(socket: &OwnedFd, request: &Ask, descriptors: &[BorrowedFd<'_>]) -> Result<(), Error> {
    protocol::send(socket.as_fd(), request, descriptors).map_err(Error::step("ask the container's monitor"))
}

fn started(socket: &OwnedFd) -> Result<(), Error> {
    loop {
        match protocol::receive::<Event>(socket).map_err(Error::step("hear from the container's monitor"))? {
            Some((Event::Started { .. }, _)) => return Ok(()),
            Some((Event::Failed(report), _)) => return Err(Error::Told(report)),
            Some(_) => {}
            None => return Err(Error::MonitorDied),
        }
    }
}

/// The controlling side of the program's terminal is sent to us, and we relay it: the monitor has nothing to do with it.
fn follow_terminal(socket: OwnedFd, interactive: bool, detach: bool, keys: &DetachKeys) -> Result<Outcome, Error> {
    let master = loop {
        match protocol::receive::<Event>(&socket).map_err(Error::step("hear from the container's monitor"))? {
            Some((Event::Terminal, mut descriptors)) => match descriptors.pop() {
                Some(master) => break master,
                None => return Err(Error::MonitorDied),
            },
            Some((Event::Failed(report), _)) => return Err(Error::Told(report)),
            Some(_) => {}
            None => return Err(Error::MonitorDied),
        }
    };
    if detach {
        return started(&socket).map(|()| Outcome::Detached);
    }
    let copy = |fd: &OwnedFd| {
        rustix::io::fcntl_dupfd_cloexec(fd, 3).map_err(|error| Error::step("copy a descriptor")(error.into()))
    };
    let input = if interactive { Some(Input::new(copy(&master)?)?) } else { None };
    let outputs = vec![Output::new(copy(&master)?, 1)?];
    pump::run(Pump {
        socket,
        input,
        outputs,
        unread: Unread::Leave,
        terminal: Some(Terminal { master: Some(master), detach: Detach::new(keys) }),
        signals: pump::take_signals(false)?,
        proxy_signals: false,
    })
}

fn null() -> Result<OwnedFd, Error> {
    rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| Error::step("open `/dev/null`")(error.into()))
}
