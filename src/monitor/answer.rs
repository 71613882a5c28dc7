//! How a monitor answers the requests of commands. Nothing here waits: the worker does what may take long (`worker`),
//! and an exec proceeds by events of the loop (`exec`).

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use super::exec::Destination;
use super::life::take_title;
use super::parts::{Parts, refusal};
use super::program::AskedBy;
use super::protocol::{self, Ask, Event};
use super::record::Status;
use super::relay::Streams;
use super::stream::Stream;
use super::worker::Task;
use crate::types::{Report, ReportKind, Signal};

impl Parts {
    /// Answers the command on connection `id`; forgets it if it has closed the connection.
    pub(super) fn answer(&mut self, id: u64) {
        let Some(socket) = self.connections.socket(id) else { return };
        let (ask, descriptors) = match protocol::receive::<Ask>(socket) {
            Ok(Some(message)) => message,
            Ok(None) => return self.forget(id),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let report =
                    Report::new(ReportKind::Unsupported, "this container's monitor does not know that request");
                let hint = "restart the container to have it run under this version of rc";
                return self.tell(id, &Event::Failed(report.with_hint(hint)), &[]);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) if error.raw_os_error() == Some(libc::EMFILE) => {
                let report = Report::new(ReportKind::Unavailable, "the container's monitor has too many open files");
                return self.tell(id, &Event::Failed(report), &[]);
            }
            Err(_) => return self.forget(id),
        };
        if let Some(refusal) = self.connections.refuse(id, &ask) {
            return self.tell(id, &refusal, &[]);
        }
        if let Some(event) = self.act(id, ask, descriptors) {
            self.tell(id, &event, &[]);
        }
    }

    /// Carries out a request, and returns the answer; `None` if there is none, or if it is sent later.
    fn act(&mut self, id: u64, ask: Ask, descriptors: Vec<OwnedFd>) -> Option<Event> {
        match ask {
            Ask::Attach { stdin, stdout, stderr, size } => {
                let answer = self.attach(id, [stdin, stdout, stderr], size, descriptors);
                self.connections.set_waits(id, answer == Event::Attached);
                if answer == Event::Attached {
                    self.chronicle.happens("attach");
                }
                return Some(answer);
            }
            Ask::Begin => return self.begin(id),
            Ask::Undo => return Some(self.undo()),
            Ask::Exec(exec) => return self.exec(id, &exec, descriptors),
            // Too late for the program. A command that is told of the end handles the signal itself if there is no
            // answer.
            Ask::Signal { .. } if self.program.ended().is_some() && self.connections.waits(id) => {}
            Ask::Signal { signal } => return Some(self.pass_on(id, signal)),
            Ask::Stop { signal, timeout } => {
                self.chronicle.stopping();
                self.stop(AskedBy::User, signal, timeout);
                return Some(Event::Done);
            }
            Ask::Pause => self.add_job(id, Task::Pause),
            Ask::Unpause => self.add_job(id, Task::Unpause),
            Ask::Update(changes) => self.add_job(id, Task::Update(changes)),
            Ask::Network(change) => self.add_job(id, Task::Network(change)),
            Ask::Renamed => return Some(self.follow_name()),
            Ask::Check => return self.ask_for_check(id),
            Ask::Wait => self.connections.set_waits(id, true),
            Ask::Join { names } => {
                self.member_joins(id, names);
                return Some(Event::Done);
            }
            Ask::Rejoin => return Some(self.pod.rejoin()),
            Ask::CloseOutput { stderr } => {
                self.relay.close_output(id, if stderr { Stream::Stderr } else { Stream::Stdout });
            }
            Ask::Resize { rows, columns } => match self.execs.terminal_of(id) {
                Some(terminal) => drop(crate::sys::tty::set_size(terminal, rows, columns)),
                None => self.relay.resize(rows, columns),
            },
            Ask::Detach => {
                self.relay.detach(id);
                self.connections.set_waits(id, false);
            }
        }
        None
    }

    /// The command on connection `id` starts the program, which waits; it is told when the program runs. The record
    /// says at once that somebody starts it, so that others wait for that.
    fn begin(&mut self, id: u64) -> Option<Event> {
        if let Some(refusal) = self.refuse_unless_initialized() {
            return Some(refusal);
        }
        if let Err(error) = self.records.switch(Status::Initialized, Status::Starting) {
            return Some(Event::Failed(error.into()));
        }
        self.connections.set_starter(id);
        None
    }

    /// Ends what waits for a start. A command that may end no program asks for that.
    fn undo(&mut self) -> Event {
        if let Some(refusal) = self.refuse_unless_initialized() {
            return refusal;
        }
        self.stop(AskedBy::User, None, Some(0));
        Event::Done
    }

    /// The refusal of a request for what waits, if a command has the program run, or it runs.
    fn refuse_unless_initialized(&self) -> Option<Event> {
        let is_waiting = self.records.status() == Status::Initialized && !self.connections.has_starter();
        (!is_waiting).then(|| refusal("the container is being started"))
    }

    /// Calls the monitor and the relay of its ports by the container's name, which has changed, and tells its pod.
    fn follow_name(&mut self) -> Event {
        let config = self.records.config().map_err(Report::from);
        if let Ok(config) = &config {
            self.program.rename_network(&config.name);
            self.pod.rename(&config.name);
        }
        let step = |error| Report::new(ReportKind::of_step(&error), format!("cannot name the monitor: {error}"));
        let named = config.and_then(|config| take_title(&config.name).map_err(step));
        named.map_or_else(Event::Failed, |()| Event::Done)
    }

    fn attach(
        &mut self,
        id: u64,
        [stdin, stdout, stderr]: [bool; 3],
        size: Option<(u16, u16)>,
        descriptors: Vec<OwnedFd>,
    ) -> Event {
        let mut descriptors = descriptors.into_iter();
        let streams = Streams {
            stdin: if stdin { descriptors.next() } else { None },
            stdout: if stdout { descriptors.next() } else { None },
            stderr: if stderr { descriptors.next() } else { None },
        };
        if let Some((rows, columns)) = size {
            self.relay.resize(rows, columns);
        }
        match self.relay.attach(id, streams, false) {
            Ok(()) => Event::Attached,
            Err(error) => {
                let kind = ReportKind::of_step(&error);
                Event::Failed(Report::new(kind, format!("cannot attach: {error}")))
            }
        }
    }

    fn exec(&mut self, id: u64, exec: &protocol::Exec, descriptors: Vec<OwnedFd>) -> Option<Event> {
        let Some(init) = self.program.init() else {
            return Some(refusal("the container's program does not run"));
        };
        if self.records.status() == Status::Paused {
            return Some(refusal("the container is paused"));
        }
        if self.worker.is_pausing() {
            // It would be frozen on its way into the container.
            return Some(refusal("the container is being paused"));
        }
        let cgroup = self.program.cgroup();
        let destination = Destination { init: init.as_fd(), cgroup, confinement: &self.confinement };
        let started = self.execs.start(id, &destination, exec, descriptors);
        started.err().map(|error| Event::Failed(error.into()))
    }

    /// Sends the user's signal to the program. A signal that is meant to end it also ends restarting. Before the
    /// program runs, any signal from the command that starts it undoes the start.
    fn pass_on(&mut self, id: u64, signal: Signal) -> Event {
        if self.program.is_ended_by(signal) || self.connections.is_starter(id) {
            self.program.ask_for_end(AskedBy::User);
        } else if !self.program.is_launched() {
            return refusal("the container's program does not run");
        }
        if self.program.is_running() {
            self.program.signal(signal);
            self.chronicle.signalled(signal.number());
        }
        Event::Done
    }
}
