//! The parts of the monitor, and what concerns several of them. What concerns one part is a method of that part.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use super::chronicle::Chronicle;
use super::connections::Connections;
use super::exec::{self, Confinement, Execs, Told};
use super::health::Health;
use super::log::Log;
use super::networks::Networks;
use super::pod::Membership;
use super::program::{AskedBy, Launched, Program};
use super::protocol::Event;
use super::record::Status;
use super::records::Records;
use super::relay::{Relay, Streams};
use super::restart::Rule;
use super::start::{Start, Starter, Stdio};
use super::stdio::Pipes;
use super::timers::Timers;
use super::worker::Worker;
use crate::plan::{ExitPolicy, RestartPolicy};
use crate::types::{Report, ReportKind, Signal};

/// All parts that the loop serves.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) program: Program,
    pub(super) rule: Rule,
    pub(super) records: Records,
    pub(super) relay: Relay,
    pub(super) execs: Execs,
    pub(super) health: Health,
    pub(super) worker: Worker,
    pub(super) connections: Connections,
    pub(super) networks: Networks,
    pub(super) pod: Membership,
    pub(super) timers: Timers,
    pub(super) confinement: Confinement,
    pub(super) chronicle: Chronicle,
    /// The program is killed when the command that starts it ends.
    is_tied: bool,
    /// That command.
    tied_to: Option<u64>,
    /// It is a pod that stops when its last member ends.
    pub(super) ends_with_members: bool,
}

impl Parts {
    /// The parts for the container of `start`.
    pub(super) fn new(start: &mut Start, listener: OwnedFd, log: Option<Log>) -> Self {
        let pod = Membership::new(start.pod.take());
        let config = &start.config;
        let can_be_on =
            config.restart != RestartPolicy::No || !start.stdio.iter().any(|stdio| matches!(stdio, Stdio::Handed(_)));
        Self {
            program: Program::new(config.stop_signal, config.stop_timeout, config.timeout),
            rule: Rule::new(config.restart, can_be_on),
            records: Records::new(start),
            relay: Relay::new(log),
            execs: Execs::default(),
            health: Health::new(start),
            worker: Worker::default(),
            connections: Connections::new(listener),
            networks: Networks::new(start),
            pod,
            timers: Timers::default(),
            confinement: Confinement::of(start),
            chronicle: Chronicle::new(start),
            is_tied: start.is_tied,
            tied_to: None,
            ends_with_members: config.sandbox.as_ref().is_some_and(|pod| pod.exit_policy == ExitPolicy::Stop),
        }
    }

    /// Adds the command that starts the container: it is told when the program runs, and how it ends. If the command
    /// ends before the program runs, the start is undone.
    pub(super) fn adopt(&mut self, socket: OwnedFd, starter: Starter) -> io::Result<()> {
        let id = self.connections.add_starter(socket)?;
        self.tied_to = self.is_tied.then_some(id);
        if let Some((rows, columns)) = starter.size {
            self.relay.resize(rows, columns);
        }
        if starter.stdout.is_some() {
            self.chronicle.starter_attaches();
        }
        let streams = Streams { stdin: starter.stdin, stdout: starter.stdout, stderr: starter.stderr };
        self.relay.attach(id, streams, true)
    }

    /// A run of the program begins.
    pub(super) fn begin_run(&mut self, launched: Launched, pipes: Pipes) {
        self.program.begin(launched, &mut self.timers);
        self.relay.begin_run();
        // Setting a flag on one of rc's own pipes does not fail.
        drop(pipes.join(&mut self.relay));
        self.begin_health();
        self.begin_jobs();
    }

    /// The program has ended, or was never executed: returns what must be cleaned up.
    pub(super) fn end_run(&mut self) -> Option<Launched> {
        for connection in self.health.end_run(&mut self.timers) {
            self.refuse(connection, "the container has ended");
        }
        let told = self.execs.end_all();
        self.tell_all(told);
        self.relay.end_run();
        self.program.take(&mut self.timers)
    }

    /// Answers the command that starts the container.
    pub(super) fn tell_starter(&mut self, event: &Event) {
        if let Some(id) = self.connections.take_starter() {
            self.tell(id, event, &[]);
        }
    }

    /// Sends an event to a command. One to which it cannot be sent is disconnected.
    pub(super) fn tell(&mut self, id: u64, event: &Event, descriptors: &[BorrowedFd<'_>]) {
        if !self.connections.tell(id, event, descriptors) {
            self.forget(id);
        }
    }

    /// Sends the events of execs to their commands.
    pub(super) fn tell_all(&mut self, all: Vec<Told>) {
        for (connection, event, descriptor) in all {
            if Health::is_own(connection) {
                self.hear_of_check(connection, event);
                continue;
            }
            let event = match event {
                // Whatever step could not be made: it was in a container that is ending.
                Event::Failed(report) if report.kind == ReportKind::Internal && self.program.is_over() => {
                    Event::Failed(exec::Error::Ended.into())
                }
                event => event,
            };
            match event {
                Event::Started { .. } => self.chronicle.happens("exec"),
                Event::Exited { code, .. } => self.chronicle.exec_ended(code),
                _ => {}
            }
            self.tell(connection, &event, descriptor.as_ref().map(OwnedFd::as_fd).as_slice());
        }
    }

    /// Tells a command that its request conflicts with the state of the container.
    pub(super) fn refuse(&mut self, id: u64, message: &str) {
        self.tell(id, &refusal(message), &[]);
    }

    /// Forgets a command that has ended.
    pub(super) fn forget(&mut self, id: u64) {
        self.relay.forget(id);
        if let Some(names) = self.connections.forget(id) {
            self.member_leaves(&names);
        }
        self.worker.forget(id);
        self.health.forget(id);
        if self.tied_to == Some(id) {
            self.stop(AskedBy::System, None, Some(0));
        }
        if self.connections.is_starter(id) {
            self.connections.take_starter();
            // No other command knows that the program runs.
            self.stop(AskedBy::System, None, Some(0));
        }
    }

    /// Sends the stop signal, and SIGKILL when the time is over. If the program does not run, it is not started
    /// (again).
    pub(super) fn stop(&mut self, by: AskedBy, signal: Option<Signal>, timeout: Option<u32>) {
        self.program.ask_for_end(by);
        if !self.program.is_running() {
            return;
        }
        let paused_now = self.worker.cancel_pause();
        if let Some(connection) = paused_now {
            self.refuse(connection, "the container is being stopped");
        }
        let was_paused = self.records.status() == Status::Paused || paused_now.is_some();
        self.records.stopping();
        self.program.end(signal, timeout, &mut self.timers);
        if was_paused {
            // The signal is the first thing that the program sees. If it does not thaw, SIGKILL ends it in time.
            self.program.thaw();
        }
    }
}

/// The answer to a request that conflicts with the state of the container.
pub(super) fn refusal(message: &str) -> Event {
    Event::Failed(Report::new(ReportKind::Conflict, message))
}
