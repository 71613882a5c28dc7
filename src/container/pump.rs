//! A command's side of the program's streams: its own standard descriptors on one side, pipes or a terminal on the other.
//!
//! Used by `run`, `start -a`, `attach` and `exec`. The command's terminal, if the program has one, is raw meanwhile and is
//! given back however this ends.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::signal::Signal as Number;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::pipe::{SpliceFlags, splice};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::Error;
use super::detach::Detach;
use crate::monitor::protocol::{self, Event, Request};
use crate::sys::signal::Signals;
use crate::sys::{process, tty};
use crate::types::Signal;

const CHUNK: usize = 256 * 1024;

/// The most pieces that a program's last output comes in; what else comes then is not the program's, and may never end.
const LAST_PIECES: u32 = 1024;

/// What flows where.
#[derive(Debug)]
pub(super) struct Pump {
    /// The connection to the monitor.
    pub socket: OwnedFd,
    /// Our standard input goes here.
    pub input: Option<Input>,
    /// These come to our standard output or error.
    pub outputs: Vec<Output>,
    /// The program has a terminal, so ours is raw; with the keys that detach.
    pub terminal: Option<Terminal>,
    /// Signals to this command, which were taken in before the program could run: one that comes early must not end us.
    pub signals: Signals,
    /// They are passed on.
    pub proxy_signals: bool,
}

/// Takes in the signals that [`run`] acts on. Without a proxy those that end a process end this one, as they would without
/// us.
pub(super) fn take_signals(proxy: bool) -> Result<Signals, Error> {
    let wanted = if proxy { passed_on() } else { vec![Number::SIGWINCH] };
    Signals::only(&wanted).map_err(Error::step("block signals"))
}

/// The program's standard input.
#[derive(Debug)]
pub(super) struct Input {
    fd: OwnedFd,
    /// What it has not taken yet: nothing more of ours is read meanwhile.
    pending: Vec<u8>,
}

impl Input {
    /// Feeds `fd`, a pipe or terminal that is not waited for: a program may read only when what it wrote has been taken.
    pub(super) fn new(fd: OwnedFd) -> Result<Self, Error> {
        rustix::io::ioctl_fionbio(&fd, true).map_err(|error| Error::step("set up standard input")(error.into()))?;
        Ok(Self { fd, pending: Vec::new() })
    }

    /// Writes what it takes; `false` if nobody reads it any more.
    fn flush(&mut self) -> bool {
        while !self.pending.is_empty() {
            match rustix::io::write(&self.fd, &self.pending) {
                Ok(length) => drop(self.pending.drain(..length)),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return true,
                Err(_) => return false,
            }
        }
        true
    }
}

/// One of the program's outputs.
#[derive(Debug)]
pub(super) struct Output {
    /// Where it comes from.
    pub source: OwnedFd,
    /// Our descriptor 1 or 2.
    pub sink: i32,
}

/// The program's terminal, as we see it.
#[derive(Debug)]
pub(super) struct Terminal {
    /// Its controlling side, if it is with us (exec); the monitor has it otherwise.
    pub master: Option<OwnedFd>,
    /// Looks for the keys that detach.
    pub detach: Detach,
}

/// How the streams ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
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
    /// The program's.
    Input,
    Output(usize),
    /// Only watched, for the end of whoever reads our output.
    Sink,
}

/// Moves everything until the program ends, the user detaches or our reader goes.
///
/// Fails with what the monitor said if the program could not be started, and with `MonitorDied` if it was killed.
pub(super) fn run(mut pump: Pump) -> Result<Outcome, Error> {
    let _raw = pump.terminal.as_ref().and_then(|_| Raw::begin());
    pump.pass_size_on();
    let mut code = None;
    loop {
        if let Some(code) = code
            && pump.outputs.is_empty()
        {
            return Ok(Outcome::Exited(code));
        }
        for token in pump.wait(code.is_some())? {
            let outcome = match token {
                Token::Socket => {
                    code = pump.hear(code)?;
                    code.and_then(|_| pump.finish())
                }
                Token::Signals => {
                    pump.pass_signals_on();
                    None
                }
                Token::Stdin => pump.feed(),
                Token::Input => {
                    pump.flush_input();
                    None
                }
                Token::Output(index) => (pump.drain(index) == Drained::Closed).then_some(Outcome::OutputClosed),
                Token::Sink => Some(Outcome::OutputClosed),
            };
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
        }
        pump.outputs.retain(|output| output.sink >= 0);
    }
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
        match &self.input {
            Some(input) if !input.pending.is_empty() => watched.push((input.fd.as_fd(), PollFlags::OUT, Token::Input)),
            Some(_) => watched.extend(process::standard(0).map(|stdin| (stdin, PollFlags::IN, Token::Stdin))),
            None => {}
        }
        for (index, output) in self.outputs.iter().enumerate() {
            watched.push((output.source.as_fd(), PollFlags::IN, Token::Output(index)));
            if let Some(sink) = process::standard(output.sink) {
                watched.push((sink, PollFlags::empty(), Token::Sink));
            }
        }
        let mut set: Vec<_> = watched.iter().map(|(fd, flags, _)| PollFd::from_borrowed_fd(*fd, *flags)).collect();
        match poll(&mut set, None::<&Timespec>) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(Error::step("wait for the program")(error.into())),
        }
        Ok(set
            .iter()
            .zip(&watched)
            .filter(|(fd, (_, _, token))| match token {
                Token::Sink => fd.revents().contains(PollFlags::ERR),
                _ => !fd.revents().is_empty(),
            })
            .map(|(_, (_, _, token))| *token)
            .collect())
    }

    /// Reads the monitor's next word.
    fn hear(&mut self, code: Option<i32>) -> Result<Option<i32>, Error> {
        match protocol::receive::<Event>(&self.socket) {
            Ok(Some((Event::Exited { code }, _))) => {
                self.input = None;
                Ok(Some(code))
            }
            Ok(Some((Event::Failed { code, message, hint }, _))) => Err(Error::Told { code, message, hint }),
            Ok(Some(_)) => Ok(code),
            Ok(None) => Err(Error::MonitorDied),
            Err(error) => Err(Error::step("hear from the monitor")(error)),
        }
    }

    /// The program has ended: passes on what it wrote last, which is in the pipes or the terminal still. Others may hold those
    /// open, a program in the background for instance, so that no end comes.
    fn finish(&mut self) -> Option<Outcome> {
        for index in 0..self.outputs.len() {
            // What cannot be made not to wait is read to its end.
            rustix::io::ioctl_fionbio(&self.outputs[index].source, true).ok();
            for _ in 0..LAST_PIECES {
                match self.drain(index) {
                    Drained::More => {}
                    Drained::Nothing => break,
                    Drained::Closed => return Some(Outcome::OutputClosed),
                }
            }
        }
        self.outputs.clear();
        None
    }

    fn pass_signals_on(&mut self) {
        while let Ok(Some(arrived)) = self.signals.take() {
            if arrived.number == libc::SIGWINCH {
                self.pass_size_on();
            } else if self.proxy_signals
                && let Ok(signal) = arrived.number.to_string().parse::<Signal>()
            {
                // A monitor that has gone is noticed by poll.
                drop(protocol::send(self.socket.as_fd(), &Request::Signal { signal }, &[]));
            }
        }
    }

    fn pass_size_on(&self) {
        let Some(terminal) = &self.terminal else { return };
        let Some((rows, columns)) = own_size() else { return };
        match &terminal.master {
            Some(master) => drop(tty::set_size(master, rows, columns)),
            None => drop(protocol::send(self.socket.as_fd(), &Request::Resize { rows, columns }, &[])),
        }
    }

    /// Passes our input on; keys that detach are looked for in a terminal's.
    fn feed(&mut self) -> Option<Outcome> {
        let stdin = process::standard(0)?;
        let mut buffer = vec![0u8; 64 * 1024];
        let length = match rustix::io::read(stdin, &mut buffer[..]) {
            Ok(length) if length > 0 => length,
            Err(Errno::INTR | Errno::AGAIN) => return None,
            // Its end; or nothing to be read, as a folder.
            _ => {
                self.input = None;
                return None;
            }
        };
        let mut bytes = &buffer[..length];
        let kept;
        if let Some(keys) = self.terminal.as_mut().map(|terminal| &mut terminal.detach) {
            match keys.scan(bytes) {
                Some(passed) => {
                    kept = passed;
                    bytes = &kept;
                }
                None => {
                    // The monitor lets go of our pipes by itself when we have gone.
                    drop(protocol::send(self.socket.as_fd(), &Request::Detach, &[]));
                    return Some(Outcome::Detached);
                }
            }
        }
        if let Some(input) = &mut self.input {
            input.pending.extend_from_slice(bytes);
        }
        self.flush_input();
        None
    }

    fn flush_input(&mut self) {
        if self.input.as_mut().is_some_and(|input| !input.flush()) {
            self.input = None;
        }
    }

    /// Brings what the program wrote to our own descriptor, one piece: within the kernel from pipe to pipe, else by a copy.
    fn drain(&mut self, index: usize) -> Drained {
        let Some(output) = self.outputs.get_mut(index) else { return Drained::Nothing };
        let Some(sink) = process::standard(output.sink) else { return Drained::Nothing };
        match splice(&output.source, None, sink, None, CHUNK, SpliceFlags::MOVE) {
            Ok(0) => {
                output.sink = -1;
                return Drained::Nothing;
            }
            Ok(_) | Err(Errno::INTR) => return Drained::More,
            // Nothing to read; or our own descriptor never waits, and is full.
            Err(Errno::AGAIN) if !is_full(sink) => return Drained::Nothing,
            Err(Errno::PIPE) => return Drained::Closed,
            Err(_) => {}
        }
        let mut buffer = vec![0u8; 64 * 1024];
        match rustix::io::read(&output.source, &mut buffer[..]) {
            Ok(0) | Err(Errno::IO) => output.sink = -1,
            Ok(length) => match write_all(sink, &buffer[..length]) {
                Err(Errno::PIPE) => return Drained::Closed,
                Err(_) => output.sink = -1,
                Ok(()) => return Drained::More,
            },
            Err(Errno::INTR) => return Drained::More,
            Err(_) => {}
        }
        Drained::Nothing
    }
}

/// What came of an attempt to pass output on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Drained {
    /// There may be more.
    More,
    /// There is nothing now, or ever again.
    Nothing,
    /// Nobody reads ours.
    Closed,
}

/// Whether a write would have to wait now.
fn is_full(sink: BorrowedFd<'_>) -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::from_borrowed_fd(sink, PollFlags::OUT)], Some(&at_once)) == Ok(0)
}

fn own_size() -> Option<(u16, u16)> {
    tty::size(process::standard(0)?).ok()
}

fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(Errno::INTR) => {}
            // Whoever we share it with may have set it so.
            Err(Errno::AGAIN) => {
                poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], None::<&Timespec>).ok();
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
