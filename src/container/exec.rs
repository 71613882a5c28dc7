//! Another program in a running container.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use oci_spec::runtime::Process;
use rustix::fs::{Mode, OFlags};

use super::control::{connect, refuse};
use super::detach::Detach;
use super::ends::{can_be_handed, pipe};
use super::pump::{self, Input, Outcome, Output, Pump, Terminal};
use super::{Container, Error};
use crate::monitor::Status;
use crate::monitor::protocol::{self, Event, Request};
use crate::sys::inherited::Inherited;
use crate::sys::socket::MAX_DESCRIPTORS;
use crate::sys::{process, tty};
use crate::types::DetachKeys;

/// What is to run, and how it is joined to this command.
#[derive(Debug)]
pub struct Exec {
    /// The process, complete.
    pub process: Process,
    /// Our standard input goes to it.
    pub interactive: bool,
    /// Nobody waits for it.
    pub detach: bool,
    /// The keys that detach from its terminal.
    pub detach_keys: DetachKeys,
    /// Further descriptors that the program gets.
    pub descriptors: Vec<Inherited>,
}

/// Runs a program in the container. With `detach` the outcome is [`Outcome::Detached`] as soon as it runs.
///
/// The program gets our own descriptors, as far as `can_be_handed`, so that nothing stands between it and them.
pub fn exec(container: &Container, exec: Exec) -> Result<Outcome, Error> {
    if container.status != Status::Running {
        return Err(refuse(container, "run a program in"));
    }
    let socket = connect(container)?;
    let wants_terminal = exec.process.terminal().unwrap_or(false);
    let own_size = process::standard(0).and_then(|stdin| tty::size(stdin).ok());
    if exec.descriptors.len() > MAX_DESCRIPTORS - 3 {
        return Err(Error::Inside(format!("at most {} descriptors can be handed to exec", MAX_DESCRIPTORS - 3)));
    }
    let numbers = exec.descriptors.iter().map(|inherited| inherited.number).collect();
    let request =
        Request::Exec(Box::new(protocol::Exec { process: exec.process, size: own_size, descriptors: numbers }));
    let further = exec.descriptors.iter().map(|inherited| inherited.fd.as_fd());
    if wants_terminal {
        send(&socket, &request, &further.collect::<Vec<_>>())?;
        return follow_terminal(socket, exec.interactive, exec.detach, &exec.detach_keys);
    }
    let mut ends = Ends::default();
    let descriptors =
        [ends.input(exec.interactive && !exec.detach)?, ends.output(1, !exec.detach)?, ends.output(2, !exec.detach)?];
    send(&socket, &request, &descriptors.iter().map(AsFd::as_fd).chain(further).collect::<Vec<_>>())?;
    drop((descriptors, exec.descriptors));
    if exec.detach {
        return started(&socket).map(|()| Outcome::Detached);
    }
    pump::run(Pump {
        socket,
        input: ends.input,
        outputs: ends.outputs,
        terminal: None,
        signals: pump::take_signals(false)?,
        proxy_signals: false,
    })
}

fn send(socket: &OwnedFd, request: &Request, descriptors: &[BorrowedFd<'_>]) -> Result<(), Error> {
    protocol::send(socket.as_fd(), request, descriptors).map_err(Error::step("ask the container's monitor"))
}

fn started(socket: &OwnedFd) -> Result<(), Error> {
    loop {
        match protocol::receive::<Event>(socket).map_err(Error::step("hear from the container's monitor"))? {
            Some((Event::Started { .. }, _)) => return Ok(()),
            Some((Event::Failed { code, message, hint }, _)) => return Err(Error::Told { code, message, hint }),
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
            Some((Event::Failed { code, message, hint }, _)) => return Err(Error::Told { code, message, hint }),
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
    let outputs = vec![Output { source: copy(&master)?, sink: 1 }];
    let terminal = Some(Terminal { master: Some(master), detach: Detach::new(keys) });
    pump::run(Pump { socket, input, outputs, terminal, signals: pump::take_signals(false)?, proxy_signals: false })
}

/// Our ends of the pipes that stand in for descriptors of ours that cannot be handed over.
#[derive(Debug, Default)]
pub(super) struct Ends {
    pub(super) input: Option<Input>,
    pub(super) outputs: Vec<Output>,
}

impl Ends {
    /// What the program gets as standard input.
    pub(super) fn input(&mut self, wanted: bool) -> Result<OwnedFd, Error> {
        match process::standard(0).filter(|_| wanted) {
            None => null(),
            Some(own) if can_be_handed(own) => copy(own),
            Some(_) => {
                let (read, write) = pipe()?;
                self.input = Some(Input::new(write)?);
                Ok(read)
            }
        }
    }

    /// What the program gets as standard output or error.
    pub(super) fn output(&mut self, number: i32, wanted: bool) -> Result<OwnedFd, Error> {
        match process::standard(number).filter(|_| wanted) {
            None => null(),
            Some(own) if can_be_handed(own) => copy(own),
            Some(_) => {
                let (read, write) = pipe()?;
                self.outputs.push(Output { source: read, sink: number });
                Ok(write)
            }
        }
    }
}

fn copy(fd: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    rustix::io::fcntl_dupfd_cloexec(fd, 3).map_err(|error| Error::step("copy a descriptor")(error.into()))
}

fn null() -> Result<OwnedFd, Error> {
    rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(|error| Error::step("open `/dev/null`")(error.into()))
}
