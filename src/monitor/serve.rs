//! The monitor's loop: one thread that sleeps in poll(2) and wakes for events only, while the program is brought up, while
//! it runs, and between two runs of it. What commands ask for is in `answer`.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::change::Policy;
use super::connections::Connections;
use super::directory::ContainerDir;
use super::exec::{self, Confinement, Execs};
use super::notify::{self, Notifier};
use super::protocol::Event;
use super::record::{ProcessId, State, Status, now};
use super::relay::{self, Relay, Streams};
use super::sink::Log;
use super::start::{Error, Start, Starter, Stdio, step};
use super::stdio::Pipes;
use super::worker::Worker;
use crate::net::addresses::Addresses;
use crate::plan::{CgroupNamespace, ContainerConfig, RestartPolicy, Seccomp};
use crate::runtime::cgroup::Group;
use crate::sys::process::{self, Child, Ended};
use crate::sys::signal::Signals;
use crate::types::{NetworkMode, PortMapping, Signal};

/// What a descriptor in the poll set belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token {
    Init,
    Signals,
    Listener,
    Timer,
    Connection(u64),
    Relay(relay::Token),
    Exec(u64, exec::Token),
    Worker,
    Helper,
    Notify(notify::Token),
    /// Somebody who called [`Server::wait_for`] looks after it.
    Awaited,
}

/// A program that runs.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) init: Child,
    pub(super) group: Option<Group>,
    /// The network helper's pidfd, to notice its end.
    pub(super) helper: Option<OwnedFd>,
    /// Passes on what the program tells a service manager.
    pub(super) notifier: Option<Notifier>,
}

/// How the container is stopped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    pub(super) stop_signal: Signal,
    /// Seconds.
    pub(super) stop_timeout: u32,
}

/// Who has asked for the program's end, so that it is not started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskedBy {
    /// The user, by a command.
    User,
    /// A signal to the monitor, from whoever ends the user's processes; or the command that is starting this has gone.
    System,
}

/// Everything that the loop looks after.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) directory: ContainerDir,
    pub(super) state: State,
    pub(super) timing: Timing,
    pub(super) confinement: Confinement,
    pub(super) relay: Relay,
    pub(super) execs: Execs,
    pub(super) connections: Connections,
    pub(super) program: Option<Program>,
    /// The program has ended, and what it wrote last may still be on its way.
    pub(super) ended: Option<Ended>,
    /// The program is not to run any longer, or again.
    pub(super) end_wanted: Option<AskedBy>,
    /// Runs out when a stopping program is to be killed.
    pub(super) timer: Option<OwnedFd>,
    /// How often the program has been started again.
    pub(super) restarts: u32,
    /// What the restart rule follows, from the program's next end on.
    pub(super) rule: Policy,
    /// The program has ended, and the restart rule waits before it starts it again.
    pub(super) rests: bool,
    pub(super) worker: Worker,
    ports: Vec<PortMapping>,
    signals: Signals,
    /// The connection of the command that starts this, until it has been told that the program runs.
    pub(super) starter: Option<u64>,
}

/// After so much silence the monitor gives back what it can, and then sleeps until something happens. Mapping the code again
/// takes microseconds, which matter only where events are frequent.
const SILENCE: Duration = Duration::from_millis(50);

impl Server {
    /// Looks after the container that `start` is about, for the command that is starting it.
    pub(super) fn new(start: &Start, signals: Signals, listener: OwnedFd, log: Option<Log>) -> Self {
        let config = &start.config;
        Self {
            directory: start.directory.clone(),
            state: start.state.clone(),
            timing: Timing { stop_signal: config.stop_signal, stop_timeout: config.stop_timeout },
            confinement: Confinement {
                own_network: config.network != NetworkMode::Host,
                own_cgroups: config.cgroup.namespace == CgroupNamespace::Private,
                seccomp: config.seccomp == Seccomp::Default,
                single_id: start.ids.is_single(),
                groups: config.groups.clone(),
            },
            relay: Relay::new(log),
            execs: Execs::default(),
            connections: Connections::new(listener),
            program: None,
            ended: None,
            end_wanted: None,
            timer: None,
            restarts: 0,
            rule: Policy {
                policy: config.restart,
                can_be_on: config.restart != RestartPolicy::No || !start.stdio.contains(&Stdio::Inherit),
            },
            rests: false,
            worker: Worker::default(),
            ports: config.ports.clone(),
            signals,
            starter: None,
        }
    }

    /// Takes in the command that is starting the container: it is told that the program runs, and how it ends. If it goes
    /// before the program runs, the start is taken back.
    pub(super) fn adopt(&mut self, socket: OwnedFd, starter: Starter) -> io::Result<()> {
        // Nobody who has asked for nothing yet is waited for.
        rustix::io::ioctl_fionbio(&socket, true)?;
        let id = self.connections.add(socket, true);
        self.starter = Some(id);
        if let Some((rows, columns)) = starter.size {
            self.relay.resize(rows, columns);
        }
        let streams = Streams { stdin: starter.stdin, stdout: starter.stdout, stderr: starter.stderr };
        self.relay.attach(id, streams, true)
    }

    /// Answers the command that is starting the container.
    pub(super) fn tell_starter(&mut self, event: &Event) {
        if let Some(id) = self.starter.take() {
            self.tell(id, event, &[]);
        }
    }

    /// Relays the program's terminal.
    pub(super) fn terminal(&mut self, master: OwnedFd, config: &ContainerConfig) -> Result<(), Error> {
        self.relay.add_terminal(master, config.open_stdin || config.tty).map_err(step("relay the terminal"))
    }

    /// Records that the program runs.
    pub(super) fn record_start(
        &mut self,
        init: Option<ProcessId>,
        addresses: Option<Addresses>,
        group: Option<&Group>,
    ) -> Result<(), Error> {
        let state = State {
            status: Status::Running,
            run: self.state.run + u64::from(self.restarts > 0),
            restart_count: self.restarts,
            init,
            started_at: Some(now()),
            ports: self.ports.clone(),
            ip_address: addresses.map(|addresses| addresses.ip.to_string()),
            ip_prefix: addresses.map_or(0, |addresses| addresses.prefix),
            gateway: addresses.map(|addresses| addresses.gateway.to_string()),
            cgroup: group.map(|group| group.path().to_owned()),
            ..self.state.clone()
        };
        self.directory.write_state(&state)?;
        self.state = state;
        Ok(())
    }

    /// Looks after a program that runs.
    pub(super) fn run_begins(&mut self, program: Program, pipes: Pipes) {
        self.program = Some(program);
        self.ended = None;
        self.relay.begin_run();
        // Setting a flag on a pipe of our own does not fail.
        drop(pipes.join(&mut self.relay));
    }

    /// The program has ended, or was never executed: gives what is left of it.
    pub(super) fn run_is_over(&mut self) -> Option<Program> {
        for (connection, event, _) in self.execs.end_all() {
            self.tell(connection, &event, &[]);
        }
        self.relay.end_run();
        self.timer = None;
        self.program.take()
    }

    /// Serves until the program has ended and its output has been passed on; gives how it ended. Who does not read is
    /// waited for as briefly as while the program ran, and not at all once somebody has asked for its end.
    pub(super) fn run(&mut self) -> io::Result<Ended> {
        loop {
            if let Some(ended) = self.ended {
                self.relay.finish();
                if self.relay.is_drained() || self.end_wanted.is_some() {
                    return Ok(ended);
                }
            }
            self.turn(&[], None)?;
        }
    }

    /// Serves until one of `awaited` is readable, or until `deadline`, which is `false`.
    ///
    /// Fails with `Cancelled` as soon as somebody has asked for the program's end.
    pub(super) fn wait_for(&mut self, awaited: &[BorrowedFd<'_>], deadline: Option<Instant>) -> Result<bool, Error> {
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let is_ready = self.turn(awaited, left).map_err(step("wait for events"))?;
            if self.end_wanted.is_some() {
                return Err(Error::Cancelled);
            }
            if is_ready || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return Ok(is_ready);
            }
        }
    }

    /// Tells everybody who waits, and lets go of their streams first, so that they have read to the end.
    pub(super) fn tell_end(&mut self, code: i32) {
        self.cancel_jobs();
        let missed = self.relay.hang_up();
        self.connections.tell_end(code, &missed);
    }

    /// The one place where the monitor sleeps, for `patience` at most. Acts on what has come, unless one of `awaited`
    /// is readable: tells that.
    fn turn(&mut self, awaited: &[BorrowedFd<'_>], patience: Option<Duration>) -> io::Result<bool> {
        let mut tokens = Vec::new();
        let ready: Vec<(Token, PollFlags)> = {
            let mut set = Vec::new();
            self.poll_set(&mut set, &mut tokens);
            set.extend(awaited.iter().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)));
            tokens.resize(set.len(), Token::Awaited);
            let now = Instant::now();
            let next = self.relay.deadline().into_iter().chain(self.connections.deadline()).min();
            let next = next.map(|deadline| deadline.saturating_duration_since(now));
            let patience = patience.into_iter().chain(next).min();
            let first = patience.map_or(SILENCE, |patience| patience.min(SILENCE));
            let woken = match poll(&mut set, timespec(Some(first)).as_ref()) {
                Ok(0) if patience.is_none_or(|patience| patience > SILENCE) => {
                    process::trim_heap();
                    process::let_go_of_code();
                    // At once, before more code is mapped again.
                    poll(&mut set, timespec(patience.map(|patience| patience - SILENCE)).as_ref())
                }
                woken => woken,
            };
            match woken {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            set.iter().zip(&tokens).map(|(fd, token)| (*token, fd.revents())).filter(|(_, f)| !f.is_empty()).collect()
        };
        // First what is awaited: that the program runs must be known before a signal is taken for one that comes too early.
        // The others are ready still when that is done.
        if ready.iter().any(|(token, _)| matches!(token, Token::Awaited)) {
            return Ok(true);
        }
        for (token, flags) in ready {
            self.handle(token, flags);
        }
        self.relay.expire();
        self.connections.expire();
        Ok(false)
    }

    fn poll_set<'b>(&'b self, set: &mut Vec<PollFd<'b>>, tokens: &mut Vec<Token>) {
        let mut push = |fd: BorrowedFd<'b>, token| {
            set.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            tokens.push(token);
        };
        if let Some(program) = &self.program {
            if self.ended.is_none() {
                push(program.init.pidfd.as_fd(), Token::Init);
            }
            if let Some(helper) = &program.helper {
                push(helper.as_fd(), Token::Helper);
            }
            if let Some(notifier) = &program.notifier {
                let (fd, token) = notifier.poll_fd();
                set.push(fd);
                tokens.push(Token::Notify(token));
            }
        }
        let mut push = |fd: BorrowedFd<'b>, token| {
            set.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            tokens.push(token);
        };
        push(self.signals.as_fd(), Token::Signals);
        if let Some(listener) = self.connections.listener() {
            push(listener, Token::Listener);
        }
        if let Some(timer) = &self.timer {
            push(timer.as_fd(), Token::Timer);
        }
        for (id, socket) in self.connections.iter() {
            push(socket, Token::Connection(id));
        }
        if let Some(answer) = self.worker.answer() {
            push(answer, Token::Worker);
        }
        for (id, fd, token) in self.execs.poll_set() {
            push(fd, Token::Exec(id, token));
        }
        self.relay.poll_set(set, tokens);
    }

    fn handle(&mut self, token: Token, flags: PollFlags) {
        match token {
            Token::Init => {
                if let Some(program) = &mut self.program
                    && let Ok(ended) = program.init.wait()
                {
                    if let Some(notifier) = &mut program.notifier {
                        notifier.finish();
                    }
                    self.ended = Some(ended);
                    self.timer = None;
                }
            }
            Token::Signals => self.act_on_signals(),
            Token::Listener => self.connections.accept(),
            Token::Timer => {
                self.timer = None;
                self.kill(Signal::KILL);
            }
            Token::Helper => {
                // The program loses its network with the helper; nothing here depends on it.
                if let Some(program) = &mut self.program {
                    program.helper = None;
                }
            }
            Token::Notify(token) => {
                if let Some(notifier) = self.program.as_mut().and_then(|program| program.notifier.as_mut()) {
                    notifier.ready(token);
                }
            }
            Token::Connection(id) => self.answer(id),
            // The end of its pipe is the end of the program's input only if it lives.
            Token::Relay(relay::Token::ClientInput(id))
                if flags & (PollFlags::HUP | PollFlags::IN) == PollFlags::HUP && self.connections.is_ending(id) =>
            {
                self.forget(id);
            }
            Token::Relay(token) => self.relay.ready(token, flags),
            Token::Exec(id, token) => {
                for (connection, event, descriptor) in self.execs.ready(id, token) {
                    self.tell(connection, &event, descriptor.as_ref().map(AsFd::as_fd).as_slice());
                }
            }
            Token::Worker => self.finish_job(),
            Token::Awaited => {}
        }
    }

    /// SIGTERM and its like to the monitor itself ask for a stop; they come from whoever ends the user's processes.
    /// Children that are known are waited for by their pidfds; SIGCHLD is for the others.
    fn act_on_signals(&mut self) {
        let mut has_child_ended = false;
        while let Ok(Some(arrived)) = self.signals.take() {
            if matches!(arrived.number, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT | libc::SIGPWR) {
                self.stop(AskedBy::System, None, None);
            }
            has_child_ended |= arrived.number == libc::SIGCHLD;
        }
        if has_child_ended {
            for (connection, event, descriptor) in self.execs.reap_strays() {
                self.tell(connection, &event, descriptor.as_ref().map(AsFd::as_fd).as_slice());
            }
        }
    }

    /// Tells a command something; one that leaves everything unread is closed.
    pub(super) fn tell(&mut self, id: u64, event: &Event, descriptors: &[BorrowedFd<'_>]) {
        if !self.connections.tell(id, event, descriptors) {
            self.forget(id);
        }
    }

    pub(super) fn forget(&mut self, id: u64) {
        self.relay.forget(id);
        self.connections.forget(id);
        self.worker.forget(id);
        if self.starter == Some(id) {
            // Nobody has been told that it runs, and nobody would know.
            self.starter = None;
            self.stop(AskedBy::System, None, Some(0));
        }
    }
}

/// How long poll(2) sleeps; a time that it cannot express is none.
fn timespec(duration: Option<Duration>) -> Option<Timespec> {
    duration.and_then(|duration| Timespec::try_from(duration).ok())
}
