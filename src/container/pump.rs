//! A command's side of the program's streams: its own standard descriptors on one side, pipes or a terminal on the other.
//!
//! Used by `run`, `start -a`, `attach` and `exec`. The command's terminal, if the program has one, is raw meanwhile and
//! is given back however this ends. Everything waits in one poll(2), so that a reader of ours that stalls, or a program
//! that does not read, keeps no signal and no end from being acted on.

mod input;
mod output;

use std::os::fd::{AsFd, OwnedFd};

use nix::sys::signal::Signal as Number;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

pub(super) use self::input::Input;
pub(super) use self::output::Output;

use self::input::Fed;
use self::output::Drained;
use super::Error;
use super::detach::Detach;
use crate::monitor::protocol::{self, Ask, Event};
use crate::sys::signal::Signals;
use crate::sys::{process, tty};
use crate::types::Signal;

/// How much is moved at once.
const CHUNK: usize = 256 * 1024;

/// How often that is done before anything else is looked at.
const TURN: u32 = 64;

/// What flows where.
#[derive(Debug)]
pub(super) struct Pump {
    /// The connection to the monitor.
    pub(crate) socket: OwnedFd,
    /// Our standard input goes here.
    pub(crate) input: Option<Input>,
    /// These come to our standard output or error.
    pub(crate) outputs: Vec<Output>,
    /// What becomes of us when nobody reads our output any more.
    pub(crate) unread: Unread,
    /// The program has a terminal, so ours is raw; with the keys that detach.
    pub(crate) terminal: Option<Terminal>,
    /// Signals to this command, which were taken in before the program could run: one that comes early must not end us.
    pub(crate) signals: Signals,
    /// They are passed on.
    pub(crate) proxy_signals: bool,
}

/// What becomes of a command whose output nobody reads any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It ends; the program goes on, for its output is kept, or others see it.
    Leave,
    /// The program sees it, as at the end of any pipe, and the command waits for what it does: its pipe is ours alone.
    ClosePipe,
    /// The same, but its pipe is the monitor's.
    TellMonitor,
}

/// Takes in the signals that [`run`] acts on. Without a proxy those that end a process end this one, as they would without
/// us.
pub(super) fn take_signals(proxy: bool) -> Result<Signals, Error> {
    let wanted = if proxy { passed_on() } else { vec![Number::SIGWINCH] };
    Signals::only(&wanted).map_err(Error::step("block signals"))
}

/// The program's terminal, as we see it.
#[derive(Debug)]
pub(super) struct Terminal {
    /// Its controlling side, if it is with us (exec); the monitor has it otherwise.
    pub(crate) master: Option<OwnedFd>,
    /// Looks for the keys that detach.
    pub(crate) detach: Detach,
}

/// How the streams ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The program has ended with this exit code.
    Exited(i32),
    /// The user has detached; the program goes on.
    Detached,
    /// Nobody reads our output any more; the program goes on.
    OutputClosed,
}

/// Our own terminal in raw mode; dropped, it is as it was.
struct Raw(Termios);

impl Raw {
    fn begin() -> Option<Self> {
        let stdin = process::standard(0)?;
        let before = tcgetattr(stdin).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin, OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(stdin) = process::standard(0) {
            // A terminal that has gone needs nothing back.
            tcsetattr(stdin, OptionalActions::Now, &self.0).ok();
        }
    }
}

#[derive(Clone, Copy)]
enum Token {
    Socket,
    Signals,
    /// Ours.
    Stdin,
    /// The program's has room.
    Input,
    /// Nobody reads the program's any more.
    InputClosed,
    /// The program has closed its terminal.
    InputHungUp,
    /// The output that goes to our descriptor of this number: there is more of it, or room for it.
    Output(i32),
    /// Only watched, for the end of whoever reads our output.
    Sink(i32),
}

/// Moves everything until the program ends, the user detaches or our reader goes.
///
/// Fails with what the monitor said if the program could not be started, with `MonitorDied` if it was killed, with
/// `OutputMissed` if it could not wait for us to read, and with `Step` if our output could not be written.
pub(super) fn run(mut pump: Pump) -> Result<Outcome, Error> {
    let _raw = pump.terminal.as_ref().and_then(|_| Raw::begin());
    pump.pass_size_on();
    pump.outputs.iter_mut().for_each(Output::begin);
    let mut flow = Flow::default();
    loop {
        if flow.code.is_some() {
            pump.drain_all(&mut flow);
        }
        if flow.code.is_some()
            && !pump.outputs.is_empty()
            && let Some(number) = flow.unanswered.first()
        {
            // It was sent when the program had ended, which only the monitor knew then.
            return Err(Error::Interrupted(*number));
        }
        match flow {
            Flow { is_over: Some(_), failed: Some(errno), .. } => return Err(not_written(errno)),
            Flow { is_over: Some(outcome), .. } => return Ok(outcome),
            Flow { code: Some(code), missed, failed, .. } if pump.outputs.is_empty() => {
                return match failed {
                    Some(errno) => Err(not_written(errno)),
                    None if missed > 0 => Err(Error::OutputMissed { bytes: missed, code }),
                    None => Ok(Outcome::Exited(code)),
                };
            }
            Flow { .. } => {}
        }
        for token in pump.wait(flow.code.is_some())? {
            match token {
                Token::Socket => pump.hear(&mut flow)?,
                Token::Signals => pump.pass_signals_on(&mut flow)?,
                Token::Stdin => pump.feed(&mut flow),
                Token::Input => pump.flush_input(),
                Token::InputClosed => pump.input = None,
                Token::InputHungUp => pump.input.iter_mut().for_each(Input::discard),
                Token::Output(sink) => pump.drain(sink, &mut flow),
                Token::Sink(sink) => pump.close(sink, &mut flow),
            }
        }
    }
}

/// What has been seen so far.
#[derive(Debug, Default)]
struct Flow {
    /// The program has ended with this code, and output of it may still be on its way.
    code: Option<i32>,
    /// Bytes of its output that never came.
    missed: u64,
    /// Our output could not be written.
    failed: Option<Errno>,
    /// There is nothing more to wait for.
    is_over: Option<Outcome>,
    /// Signals that were passed on, and that the monitor has not answered: it answers none once the program has ended.
    unanswered: Vec<i32>,
}

/// Everything that a user or a service manager may send, except what job control needs here.
fn passed_on() -> Vec<Number> {
    use Number::{
        SIGABRT, SIGALRM, SIGBUS, SIGCHLD, SIGCONT, SIGFPE, SIGILL, SIGKILL, SIGPIPE, SIGSEGV, SIGSTOP, SIGTRAP,
        SIGTSTP, SIGTTIN, SIGTTOU,
    };
    let kept = [
        SIGABRT, SIGALRM, SIGBUS, SIGCHLD, SIGCONT, SIGFPE, SIGILL, SIGKILL, SIGPIPE, SIGSEGV, SIGSTOP, SIGTRAP,
        SIGTSTP, SIGTTIN, SIGTTOU,
    ];
    Number::iterator().filter(|signal| !kept.contains(signal)).collect()
}

impl Pump {
    fn wait(&self, has_ended: bool) -> Result<Vec<Token>, Error> {
        let mut watched = vec![(self.signals.as_fd(), PollFlags::IN, Token::Signals)];
        if !has_ended {
            watched.push((self.socket.as_fd(), PollFlags::IN, Token::Socket));
        }
        if let Some(input) = &self.input {
            if input.has_room() {
                watched.extend(process::standard(0).map(|stdin| (stdin, PollFlags::IN, Token::Stdin)));
            }
            watched.extend(input.poll_fd().map(|(fd, flags)| (fd, flags, Token::Input)));
        }
        for output in &self.outputs {
            let number = output.sink();
            let sink = process::standard(number);
            if output.is_full() {
                watched.extend(sink.map(|sink| (sink, PollFlags::OUT, Token::Output(number))));
            } else {
                watched.push((output.source(), PollFlags::IN, Token::Output(number)));
                watched.extend(sink.map(|sink| (sink, PollFlags::empty(), Token::Sink(number))));
            }
        }
        let mut set: Vec<_> = watched.iter().map(|(fd, flags, _)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        match poll(&mut set, None::<&Timespec>) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(Error::step("wait for the program")(error.into())),
        }
        Ok(set.iter().zip(&watched).filter_map(|(fd, (_, _, token))| due(*token, fd.revents())).collect())
    }

    /// Reads the monitor's next word.
    fn hear(&mut self, flow: &mut Flow) -> Result<(), Error> {
        match protocol::receive::<Event>(&self.socket) {
            Ok(Some((Event::Exited { code, missed }, _))) => {
                self.input = None;
                (flow.code, flow.missed) = (Some(code), missed);
                self.outputs.iter_mut().for_each(Output::finish);
                Ok(())
            }
            Ok(Some((Event::Failed(report), _))) => Err(Error::Told(report)),
            Ok(Some((Event::Done, _))) => {
                // Nothing else is asked for here that is answered so.
                drop(flow.unanswered.drain(..1.min(flow.unanswered.len())));
                Ok(())
            }
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(Error::MonitorDied),
            Err(error) => Err(Error::step("hear from the monitor")(error)),
        }
    }

    /// The program has ended: passes on what it wrote last, as far as there is room for it.
    fn drain_all(&mut self, flow: &mut Flow) {
        let sinks: Vec<_> = self.outputs.iter().filter(|output| !output.is_full()).map(Output::sink).collect();
        for sink in sinks {
            while self.outputs.iter().any(|output| output.sink() == sink && !output.is_full()) {
                self.drain(sink, flow);
            }
        }
    }

    /// Passes signals on. One that comes when the program has ended is for this command, which still waits for its
    /// reader.
    fn pass_signals_on(&mut self, flow: &mut Flow) -> Result<(), Error> {
        while let Ok(Some(arrived)) = self.signals.take() {
            if arrived.number == libc::SIGWINCH {
                self.pass_size_on();
            } else if flow.code.is_some() {
                if arrived.number != libc::SIGURG {
                    return Err(Error::Interrupted(arrived.number));
                }
            } else if self.proxy_signals
                && let Ok(signal) = arrived.number.to_string().parse::<Signal>()
            {
                // A monitor that has gone is noticed by poll.
                drop(protocol::send(self.socket.as_fd(), &Ask::Signal { signal }, &[]));
                if arrived.number != libc::SIGURG {
                    flow.unanswered.push(arrived.number);
                }
            }
        }
        Ok(())
    }

    fn pass_size_on(&self) {
        let Some(terminal) = &self.terminal else { return };
        let Some((rows, columns)) = own_size() else { return };
        match &terminal.master {
            Some(master) => drop(tty::set_size(master, rows, columns)),
            None => drop(protocol::send(self.socket.as_fd(), &Ask::Resize { rows, columns }, &[])),
        }
    }

    /// Passes our input on; keys that detach are looked for in a terminal's.
    fn feed(&mut self, flow: &mut Flow) {
        let keys = self.terminal.as_mut().map(|terminal| &mut terminal.detach);
        match self.input.as_mut().map(|input| input.feed(keys)) {
            Some(Fed::Ended) => self.input = None,
            Some(Fed::Detached) => {
                // The monitor lets go of our pipes by itself when we have gone.
                drop(protocol::send(self.socket.as_fd(), &Ask::Detach, &[]));
                flow.is_over = Some(Outcome::Detached);
            }
            Some(Fed::More) | None => {}
        }
    }

    fn flush_input(&mut self) {
        if self.input.as_mut().is_some_and(|input| input.flush() == Fed::Ended) {
            self.input = None;
        }
    }

    /// Brings what the program wrote to our own descriptor `sink`, one piece.
    fn drain(&mut self, sink: i32, flow: &mut Flow) {
        let Some(output) = self.outputs.iter_mut().find(|output| output.sink() == sink) else { return };
        match output.forward() {
            Drained::More | Drained::Nothing | Drained::Full => {}
            Drained::Ended => self.outputs.retain(|output| output.sink() != sink),
            Drained::Closed => self.close(sink, flow),
            Drained::Failed(errno) => {
                flow.failed = Some(errno);
                self.close(sink, flow);
            }
        }
    }

    /// Nobody reads our descriptor `sink` any more.
    fn close(&mut self, sink: i32, flow: &mut Flow) {
        let is_last = self.outputs.iter().all(|output| output.sink() == sink);
        match self.unread {
            // Without a reader of its errors the program is still of use.
            Unread::Leave if sink == 2 && !is_last => {}
            Unread::Leave => flow.is_over = Some(Outcome::OutputClosed),
            Unread::ClosePipe => {}
            Unread::TellMonitor => {
                drop(protocol::send(self.socket.as_fd(), &Ask::CloseOutput { stderr: sink == 2 }, &[]));
            }
        }
        self.outputs.retain(|output| output.sink() != sink);
    }
}

/// What a descriptor is due for, by what poll says of it.
fn due(token: Token, flags: PollFlags) -> Option<Token> {
    match token {
        Token::Input if flags.contains(PollFlags::ERR) => Some(Token::InputClosed),
        Token::Input if flags.contains(PollFlags::HUP) => Some(Token::InputHungUp),
        _ => (!flags.is_empty()).then_some(token),
    }
}

fn not_written(errno: Errno) -> Error {
    Error::step("write the program's output")(errno.into())
}

fn own_size() -> Option<(u16, u16)> {
    tty::size(process::standard(0)?).ok()
}
