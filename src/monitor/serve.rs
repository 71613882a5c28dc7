//! The monitor's loop while the program runs: one thread that sleeps in poll(2) and wakes for events only.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};

use super::change::Target;
use super::exec::{Confinement, Execs, Running};
use super::folder::Folder;
use super::notify::{self, Notifier};
use super::protocol::{self, Event, Request};
use super::record::{State, Status};
use super::relay::{self, Relay, Streams};
use crate::runtime::{self, cgroup::Group};
use crate::sys::process::{self, Child, Ended};
use crate::sys::signal::Signals;
use crate::sys::socket;
use crate::types::Signal;

/// What a descriptor in the poll set belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token {
    Init,
    Signals,
    Listener,
    Timer,
    Connection(u64),
    Relay(relay::Token),
    ExecSync(u64),
    ExecEnd(u64),
    Helper,
    Notify(notify::Token),
}

/// A connected command.
#[derive(Debug)]
struct Connection {
    id: u64,
    socket: OwnedFd,
    /// It wants to hear of the program's end.
    waits: bool,
}

/// What the start has made, for the loop to look after.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) timing: Timing,
    pub(super) folder: &'a Folder,
    pub(super) state: State,
    pub(super) init: Child,
    pub(super) signals: Signals,
    pub(super) listener: OwnedFd,
    pub(super) relay: Relay,
    pub(super) confinement: Confinement,
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

/// Everything that the loop looks after.
#[derive(Debug)]
pub(super) struct Server<'a> {
    parts: Parts<'a>,
    execs: Execs,
    connections: Vec<Connection>,
    next_id: u64,
    /// Runs out when a stopping program is to be killed.
    timer: Option<OwnedFd>,
    ended: Option<Ended>,
}

/// After so much silence the monitor gives back what it can, and then sleeps until something happens: 50 ms, in
/// nanoseconds. Mapping the code again takes microseconds, which matter only where events are frequent.
const SILENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

impl<'a> Server<'a> {
    pub(super) fn new(parts: Parts<'a>) -> Self {
        Self { parts, execs: Execs::default(), connections: Vec::new(), next_id: 1, timer: None, ended: None }
    }

    /// The container's cgroup.
    pub(super) fn group(&self) -> Option<&Group> {
        self.parts.group.as_ref()
    }

    /// Takes in the command that has started the container: it wants to hear how the program ends.
    pub(super) fn adopt(&mut self, socket: OwnedFd, streams: Option<Streams>) -> io::Result<()> {
        let id = self.add_connection(socket, true);
        streams.map_or(Ok(()), |streams| self.parts.relay.attach(id, streams))
    }

    fn add_connection(&mut self, socket: OwnedFd, waits: bool) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.connections.push(Connection { id, socket, waits });
        id
    }

    /// Serves until the program has ended and its output has been passed on; gives how it ended.
    pub(super) fn run(&mut self) -> io::Result<Ended> {
        loop {
            if let Some(ended) = self.ended
                && self.parts.relay.is_drained()
            {
                return Ok(ended);
            }
            self.turn()?;
        }
    }

    /// Tells everybody who waits, and lets go of their streams first, so that they have read to the end.
    pub(super) fn tell_end(&mut self, code: i32) {
        self.parts.relay.hang_up();
        for connection in self.connections.iter().filter(|connection| connection.waits) {
            // Who has gone need not know.
            drop(protocol::send(connection.socket.as_fd(), &Event::Exited { code }, &[]));
        }
        self.connections.clear();
    }

    fn turn(&mut self) -> io::Result<()> {
        let mut tokens = Vec::new();
        let ready: Vec<(Token, PollFlags)> = {
            let mut set = Vec::new();
            self.poll_set(&mut set, &mut tokens);
            // After the program's end nothing new is written; what is left in pipes is there already. A client that does
            // not read holds the monitor, as it would hold the program.
            let woken = match poll(&mut set, Some(&SILENCE)) {
                Ok(0) => {
                    process::trim_heap();
                    process::let_go_of_code();
                    // At once, before more code is mapped again.
                    poll(&mut set, None)
                }
                woken => woken,
            };
            match woken {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            set.iter().zip(&tokens).map(|(fd, token)| (*token, fd.revents())).filter(|(_, f)| !f.is_empty()).collect()
        };
        for (token, flags) in ready {
            self.handle(token, flags);
        }
        Ok(())
    }

    fn poll_set<'b>(&'b self, set: &mut Vec<PollFd<'b>>, tokens: &mut Vec<Token>) {
        let mut push = |fd: BorrowedFd<'b>, token| {
            set.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            tokens.push(token);
        };
        if self.ended.is_none() {
            push(self.parts.init.pidfd.as_fd(), Token::Init);
        }
        push(self.parts.signals.as_fd(), Token::Signals);
        push(self.parts.listener.as_fd(), Token::Listener);
        if let Some(timer) = &self.timer {
            push(timer.as_fd(), Token::Timer);
        }
        if let Some(helper) = &self.parts.helper {
            push(helper.as_fd(), Token::Helper);
        }
        if let Some(notifier) = &self.parts.notifier {
            let (fd, token) = notifier.poll_fd();
            set.push(fd);
            tokens.push(Token::Notify(token));
        }
        let mut push = |fd: BorrowedFd<'b>, token| {
            set.push(PollFd::from_borrowed_fd(fd, PollFlags::IN));
            tokens.push(token);
        };
        for connection in &self.connections {
            push(connection.socket.as_fd(), Token::Connection(connection.id));
        }
        for exec in self.execs.iter() {
            if let Some(sync) = exec.sync() {
                push(sync, Token::ExecSync(exec.id));
            }
            push(exec.pidfd(), Token::ExecEnd(exec.id));
        }
        self.parts.relay.poll_set(set, tokens);
    }

    fn handle(&mut self, token: Token, flags: PollFlags) {
        match token {
            Token::Init => {
                if let Ok(ended) = self.parts.init.wait() {
                    if let Some(notifier) = &mut self.parts.notifier {
                        notifier.finish();
                    }
                    self.ended = Some(ended);
                    self.timer = None;
                }
            }
            Token::Signals => self.pass_signals_on(),
            Token::Listener => {
                if let Ok(Some(socket)) = socket::accept(self.parts.listener.as_fd()) {
                    self.add_connection(socket, false);
                }
            }
            Token::Timer => {
                self.timer = None;
                self.kill(Signal::KILL);
            }
            // The program loses its network with the helper; nothing here depends on it.
            Token::Helper => self.parts.helper = None,
            Token::Notify(token) => {
                if let Some(notifier) = &mut self.parts.notifier {
                    notifier.ready(token);
                }
            }
            Token::Connection(id) => self.answer(id),
            Token::Relay(token) => self.parts.relay.ready(token, flags),
            Token::ExecSync(id) => {
                if let Some((connection, event, descriptor)) = self.execs.progress(id) {
                    self.tell(connection, &event, descriptor.as_ref().map(AsFd::as_fd).as_slice());
                }
            }
            Token::ExecEnd(id) => {
                if let Some((connection, event)) = self.execs.end(id) {
                    self.tell(connection, &event, &[]);
                }
            }
        }
    }

    /// SIGTERM and its like to the monitor itself ask for a stop; they come from whoever ends the user's processes.
    fn pass_signals_on(&mut self) {
        while let Ok(Some(arrived)) = self.parts.signals.take() {
            if matches!(arrived.number, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT | libc::SIGPWR) {
                self.stop(None, None);
            }
        }
    }

    fn tell(&mut self, id: u64, event: &Event, descriptors: &[BorrowedFd<'_>]) {
        if let Some(connection) = self.connections.iter().find(|connection| connection.id == id) {
            // A command that has gone is noticed by poll.
            drop(protocol::send(connection.socket.as_fd(), event, descriptors));
        }
    }

    fn answer(&mut self, id: u64) {
        let Some(connection) = self.connections.iter_mut().find(|connection| connection.id == id) else { return };
        let (request, descriptors) = match protocol::receive::<Request>(&connection.socket) {
            Ok(Some(message)) => message,
            Ok(None) => return self.forget(id),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let message = "this container's monitor does not know that request".to_owned();
                let hint = Some("restart the container to have it run under this version of rc".to_owned());
                return self.tell(id, &Event::Failed { code: 125, message, hint }, &[]);
            }
            Err(_) => return self.forget(id),
        };
        let answer = match request {
            Request::Attach { stdin, stdout, stderr, size } => {
                connection.waits = true;
                self.attach(id, [stdin, stdout, stderr], size, descriptors)
            }
            Request::Exec(exec) => self.exec(id, &exec, descriptors),
            Request::Signal { signal } => {
                self.kill(signal);
                Some(Event::Done)
            }
            Request::Stop { signal, timeout } => {
                self.stop(signal, timeout);
                Some(Event::Done)
            }
            Request::Pause if self.ended.is_none() => Some(self.target().pause()),
            Request::Unpause if self.ended.is_none() => Some(self.target().unpause()),
            Request::Update(changes) if self.ended.is_none() => Some(self.target().update(&changes)),
            Request::Pause | Request::Unpause | Request::Update(_) => Some(failed("the container has ended")),
            Request::Wait => {
                connection.waits = true;
                None
            }
            Request::Resize { rows, columns } => {
                match self.execs.terminal_of(id) {
                    Some(terminal) => drop(crate::sys::tty::set_size(terminal, rows, columns)),
                    None => self.parts.relay.resize(rows, columns),
                }
                None
            }
            Request::Detach => {
                self.parts.relay.detach(id);
                connection.waits = false;
                None
            }
        };
        if let Some(event) = answer {
            self.tell(id, &event, &[]);
        }
    }

    fn attach(
        &mut self,
        id: u64,
        [stdin, stdout, stderr]: [bool; 3],
        size: Option<(u16, u16)>,
        descriptors: Vec<OwnedFd>,
    ) -> Option<Event> {
        let mut descriptors = descriptors.into_iter();
        let streams = Streams {
            stdin: if stdin { descriptors.next() } else { None },
            stdout: if stdout { descriptors.next() } else { None },
            stderr: if stderr { descriptors.next() } else { None },
        };
        if let Some((rows, columns)) = size {
            self.parts.relay.resize(rows, columns);
        }
        match self.parts.relay.attach(id, streams) {
            Ok(()) => Some(Event::Attached),
            Err(error) => Some(failed(&format!("cannot attach: {error}"))),
        }
    }

    fn exec(&mut self, id: u64, exec: &protocol::Exec, descriptors: Vec<OwnedFd>) -> Option<Event> {
        if self.ended.is_some() {
            return Some(failed("the container has ended"));
        }
        if self.parts.state.status == Status::Paused {
            return Some(failed("the container is paused"));
        }
        let group = self.parts.group.as_ref().map(Group::fd);
        let running = Running { init: self.parts.init.pidfd.as_fd(), group, confinement: &self.parts.confinement };
        match self.execs.start(id, &running, exec, descriptors) {
            Ok(()) => None,
            Err(super::exec::Error::Runtime(runtime::Error::Failed(failure))) => Some(super::failed(&failure)),
            Err(error) => Some(failed(&error.to_string())),
        }
    }

    fn target(&mut self) -> Target<'_> {
        Target { folder: self.parts.folder, state: &mut self.parts.state, group: self.parts.group.as_ref() }
    }

    fn forget(&mut self, id: u64) {
        self.parts.relay.detach(id);
        self.connections.retain(|connection| connection.id != id);
    }

    fn kill(&mut self, signal: Signal) {
        // It may have ended in this moment.
        drop(self.parts.init.signal(signal.number()));
    }

    /// Sends the stop signal, and arms the timer that kills. The clock is the one that no clock change moves.
    fn stop(&mut self, signal: Option<Signal>, timeout: Option<u32>) {
        let timeout = timeout.unwrap_or(self.parts.timing.stop_timeout);
        if self.ended.is_some() {
            return;
        }
        let was_paused = self.parts.state.status == Status::Paused;
        if matches!(self.parts.state.status, Status::Running | Status::Paused) {
            self.parts.state.status = Status::Stopping;
            // Only `ps` would show it.
            drop(self.parts.folder.write_state(&self.parts.state));
        }
        if timeout == 0 {
            return self.kill(Signal::KILL);
        }
        self.kill(signal.unwrap_or(self.parts.timing.stop_signal));
        if let Some(group) = self.parts.group.as_ref().filter(|_| was_paused) {
            // The signal is the first thing that it sees. What does not thaw is killed when the time is over.
            drop(group.thaw(Duration::ZERO));
        }
        match timer(Duration::from_secs(u64::from(timeout))) {
            Ok(timer) => self.timer = Some(timer),
            Err(_) => self.kill(Signal::KILL),
        }
    }
}

fn failed(message: &str) -> Event {
    Event::Failed { code: 125, message: message.to_owned(), hint: None }
}

/// A descriptor that is readable after `duration`.
fn timer(duration: Duration) -> io::Result<OwnedFd> {
    let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
    let value = Timespec { tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX), tv_nsec: 0 };
    let interval = Timespec { tv_sec: 0, tv_nsec: 0 };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: interval, it_value: value })?;
    Ok(timer)
}
