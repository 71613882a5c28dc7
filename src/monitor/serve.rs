//! The monitor's loop: one thread that sleeps in poll(2) and wakes up only for events, while the program is launched,
//! while it runs, and between two runs. Each event goes to the part that it belongs to (`parts`); `answer` has the
//! requests of commands.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::Instant;

use rustix::event::PollFlags;

use super::exec;
use super::networks;
use super::parts::Parts;
use super::pod;
use super::program::{self, AskedBy};
use super::relay;
use super::start::{Error, step};
use super::timers::Timer;
use crate::sys::poll::PollSet;
use crate::sys::process::Ended;
use crate::sys::signal::Signals;
use crate::types::Signal;

/// What a descriptor in the poll set belongs to.
#[derive(Debug, Clone, Copy)]
enum Token {
    /// It belongs to the caller of [`Server::wait_for`].
    Awaited,
    Program(program::Token),
    Signals,
    Listener,
    Alarm,
    Connection(u64),
    Worker,
    Exec(u64, exec::Token),
    Health,
    Network(networks::Token),
    Pod(pod::Token),
    Relay(relay::Token),
}

/// The loop and its parts.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) parts: Parts,
    signals: Signals,
}

impl Server {
    pub(super) fn new(parts: Parts, signals: Signals) -> Self {
        Self { parts, signals }
    }

    /// Serves until the program has ended and its output was passed on, and returns how it ended. It waits for a client
    /// that does not read no longer than while the program ran, and not at all if the user or the system has asked for
    /// the end.
    pub(super) fn run(&mut self) -> io::Result<Ended> {
        loop {
            if let Some(ended) = self.parts.program.ended() {
                self.parts.relay.finish();
                if self.parts.relay.is_drained() || self.parts.program.asked_by().is_some() {
                    return Ok(ended);
                }
            }
            self.turn(&[])?;
        }
    }

    /// Serves until one of `awaited` is readable, or until `deadline`, and then returns `false`.
    ///
    /// Fails with `Cancelled` as soon as the user or the system asks for the program's end.
    pub(super) fn wait_for(&mut self, awaited: &[BorrowedFd<'_>], deadline: Option<Instant>) -> Result<bool, Error> {
        self.parts.timers.set(Timer::Wait, deadline);
        let waited = loop {
            let is_ready = match self.turn(awaited) {
                Ok(is_ready) => is_ready,
                Err(error) => break Err(step("wait for events")(error)),
            };
            if self.parts.program.asked_by().is_some() {
                break Err(Error::Cancelled);
            }
            if is_ready || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                break Ok(is_ready);
            }
        };
        self.parts.timers.cancel(Timer::Wait);
        waited
    }

    /// Serves until a command has the program run, or `init` has ended. Fails as [`wait_for`](Self::wait_for).
    pub(super) fn wait_for_starter(&mut self, init: BorrowedFd<'_>) -> Result<(), Error> {
        while !self.parts.connections.has_starter() {
            let has_ended = self.turn(&[init]).map_err(step("wait for events"))?;
            if self.parts.program.asked_by().is_some() {
                return Err(Error::Cancelled);
            }
            if has_ended {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sleeps until something happens, and acts on it. If one of `awaited` is readable, it only returns `true`.
    fn turn(&mut self, awaited: &[BorrowedFd<'_>]) -> io::Result<bool> {
        let Parts { timers, relay, .. } = &mut self.parts;
        timers.set(Timer::Readers, relay.readers_deadline());
        timers.set(Timer::Log, relay.log_deadline());
        let mut set = PollSet::new();
        for fd in awaited {
            set.watch(*fd, PollFlags::IN, Token::Awaited);
        }
        self.poll_set(&mut set);
        let ready = set.wait(self.parts.timers.timeout())?;
        // First the awaited descriptors: the monitor must know that the program runs before it decides whether a signal
        // came too early. The others are still ready after that.
        if ready.iter().any(|(token, _)| matches!(token, Token::Awaited)) {
            return Ok(true);
        }
        for (token, flags) in ready {
            self.handle(token, flags);
        }
        while let Some(timer) = self.parts.timers.due() {
            self.fire(timer);
        }
        Ok(false)
    }

    fn poll_set<'a>(&'a self, set: &mut PollSet<'a, Token>) {
        let parts = &self.parts;
        parts.program.poll_set(&mut |fd, flags, token| set.watch(fd, flags, Token::Program(token)));
        set.watch(self.signals.as_fd(), PollFlags::IN, Token::Signals);
        if let Some(listener) = parts.connections.listener() {
            set.watch(listener, PollFlags::IN, Token::Listener);
        }
        if let Some(alarm) = parts.timers.alarm() {
            set.watch(alarm, PollFlags::IN, Token::Alarm);
        }
        for (id, socket) in parts.connections.sockets() {
            set.watch(socket, PollFlags::IN, Token::Connection(id));
        }
        if let Some(answer) = parts.worker.answer() {
            set.watch(answer, PollFlags::IN, Token::Worker);
        }
        for (id, fd, token) in parts.execs.poll_set() {
            set.watch(fd, PollFlags::IN, Token::Exec(id, token));
        }
        for (fd, token) in parts.networks.poll_set() {
            set.watch(fd, PollFlags::IN, Token::Network(token));
        }
        for (fd, token) in parts.pod.poll_set() {
            set.watch(fd, PollFlags::IN, Token::Pod(token));
        }
        if let Some(output) = parts.health.poll_fd() {
            set.watch(output, PollFlags::IN, Token::Health);
        }
        parts.relay.poll_set(&mut |fd, flags, token| set.watch(fd, flags, Token::Relay(token)));
    }

    fn handle(&mut self, token: Token, flags: PollFlags) {
        let parts = &mut self.parts;
        match token {
            Token::Program(token) => parts.program.ready(token, &mut parts.timers),
            Token::Signals => self.act_on_signals(),
            Token::Listener => parts.connections.accept(&mut parts.timers),
            Token::Connection(id) => parts.answer(id),
            Token::Worker => parts.finish_job(),
            Token::Exec(id, token) => {
                let told = parts.execs.ready(id, token);
                parts.tell_all(told);
            }
            Token::Health => parts.health.ready(),
            Token::Network(token) => parts.networks.ready(token, &mut parts.timers),
            Token::Pod(token) => parts.pod.ready(token, &mut parts.timers),
            // The end of a client's pipe is the end of the program's input only if the client lives.
            Token::Relay(relay::Token::ClientInput(id))
                if flags & (PollFlags::HUP | PollFlags::IN) == PollFlags::HUP && parts.connections.is_ending(id) =>
            {
                parts.forget(id);
            }
            Token::Relay(token) => parts.relay.ready(token, flags),
            // Timers are checked in any case; awaited descriptors are the caller's.
            Token::Alarm | Token::Awaited => {}
        }
    }

    fn fire(&mut self, timer: Timer) {
        match timer {
            Timer::Kill | Timer::Timeout => self.parts.program.signal(Signal::KILL),
            Timer::Accept => self.parts.connections.accept_again(),
            Timer::Readers => self.parts.relay.leave_behind(),
            Timer::Log => self.parts.relay.drop_unlogged(),
            Timer::Health => self.parts.check_health(),
            Timer::HealthTimeout => self.parts.end_late_check(),
            Timer::Network => self.parts.program.restart_network(&mut self.parts.timers),
            Timer::Networks => self.parts.networks.rejoin(&mut self.parts.timers),
            Timer::Pod => self.parts.pod.revive(&mut self.parts.timers),
            // `wait_for` checks the clock.
            Timer::Wait => {}
        }
    }

    /// SIGTERM and similar signals to the monitor itself request a stop; the system sends them when it ends the user's
    /// processes. Known children are waited for by their pidfds; SIGCHLD is for the others.
    fn act_on_signals(&mut self) {
        let mut has_child_ended = false;
        while let Ok(Some(arrived)) = self.signals.take() {
            if matches!(arrived.number, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT | libc::SIGPWR) {
                self.parts.stop(AskedBy::System, None, None);
            }
            has_child_ended |= arrived.number == libc::SIGCHLD;
        }
        if has_child_ended {
            let told = self.parts.execs.reap_strays();
            self.parts.tell_all(told);
        }
    }
}
