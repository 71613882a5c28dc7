//! Connects this process to a program: its standard descriptors, its terminal and its signals.
//!
//! `run`, `start -a`, `attach` and `exec` use it. No lower layer reads these: a start gets what it needs of them as
//! values ([`Console::front_end`]), and this module moves the streams of the resulting [`Session`]. If the program has
//! a terminal, ours is raw meanwhile, and is restored in any case.

pub(crate) mod ask;
mod detach;
mod error;
mod input;
mod muted;
mod output;
mod pump;
mod raw;

use std::io;

use nix::sys::signal::Signal as Number;
use rustix::fs::FileType;

use crate::container::{Attach, FrontEnd, Session, Started};
use crate::sys::signal::Signals;
use crate::sys::{process, tty};
pub(crate) use error::Error;
use muted::Muted;
use pump::Pump;
use raw::Raw;

/// Whether this process is attached to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Console {
    /// It is not.
    Apart,
    /// It is: it passes streams on, and waits for the program.
    Joined {
        /// It passes signals on, too.
        proxy_signals: bool,
    },
}

/// How the streams ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The program has ended with this exit code.
    Exited(i32),
    /// The user has detached, or was never attached; the program continues.
    Detached,
    /// No process reads our output any more; the program continues.
    OutputClosed,
}

impl Console {
    /// Follows a command's options; `proxy_signals` is true by default.
    pub(crate) fn of(is_joined: bool, proxy_signals: Option<bool>) -> Self {
        if is_joined { Self::Joined { proxy_signals: proxy_signals.unwrap_or(true) } } else { Self::Apart }
    }

    /// This process as the front end of a start. The program gets our input if `stdin` is set and there is any.
    pub(crate) fn front_end(self, stdin: bool) -> FrontEnd<'static> {
        let descriptors = [0, 1, 2].map(process::standard);
        let take_signals: fn() -> _ = match self {
            Self::Apart => return FrontEnd { attach: Attach::No, descriptors, size: None, take_signals: None },
            Self::Joined { proxy_signals: true } => take_all,
            Self::Joined { proxy_signals: false } => take_resizes,
        };
        let attach = Attach::Yes { stdin: stdin && has_input() };
        FrontEnd { attach, descriptors, size: own_size(), take_signals: Some(take_signals) }
    }

    /// Follows a program that was started, if this process is attached to it.
    pub(crate) fn follow(self, started: Started) -> Result<Outcome, Error> {
        self.follow_muted(started, &[])
    }

    /// The same; drops what comes to our outputs with the numbers of `muted`.
    pub(crate) fn follow_muted(self, started: Started, muted: &[i32]) -> Result<Outcome, Error> {
        let mute = |number: &i32| Muted::begin(*number).map_err(Error::step("open /dev/null"));
        let _muted = muted.iter().map(mute).collect::<Result<Vec<_>, _>>()?;
        match started {
            Started::Joined { session, signals: Some(signals) } => self.pump(session, signals),
            Started::Joined { session, signals: None } => self.join(session),
            Started::Ended(code) => Ok(Outcome::Exited(code)),
            Started::Detached => Ok(Outcome::Detached),
        }
    }

    /// Moves the streams between this process and the program of a session, until the program ends, the user detaches
    /// or no process reads our output any more.
    pub(crate) fn join(self, session: Session) -> Result<Outcome, Error> {
        let take = if self == (Self::Joined { proxy_signals: true }) { take_all } else { take_resizes };
        let signals = take().map_err(Error::step("block signals"))?;
        self.pump(session, signals)
    }

    fn pump(self, session: Session, signals: Signals) -> Result<Outcome, Error> {
        let raw = session.terminal.is_some().then(Raw::begin);
        let mut pump = Pump::new(session, signals, self == Self::Joined { proxy_signals: true })?;
        let outcome = pump.run()?;
        drop(raw);
        if matches!(outcome, Outcome::Exited(_)) {
            pump.into_session().finish();
        }
        Ok(outcome)
    }
}

/// Whether our standard input is open and is not `/dev/null`.
pub(crate) fn has_input() -> bool {
    process::standard(0).is_some_and(|stdin| {
        rustix::fs::fstat(stdin).is_ok_and(|stat| {
            FileType::from_raw_mode(stat.st_mode) != FileType::CharacterDevice
                || stat.st_rdev != rustix::fs::makedev(1, 3)
        })
    })
}

/// Refuses our standard input for a program with a terminal, unless it is a terminal, too, or `/dev/null`.
///
/// The end of a pipe or a file does not reach a program through its terminal, so a shell would wait forever. docker
/// refuses it for that reason; podman only warns, and then hangs.
pub(crate) fn check_input() -> Result<(), Error> {
    if has_input() && !process::standard(0).is_some_and(rustix::termios::isatty) {
        return Err(Error::NoTerminal);
    }
    Ok(())
}

/// Rows and columns of our standard input, if it is a terminal.
pub(crate) fn own_size() -> Option<(u16, u16)> {
    tty::size(process::standard(0)?).ok()
}

/// Makes events of the signals that are passed on to the program.
fn take_all() -> io::Result<Signals> {
    Signals::only(&passed_on())
}

/// Makes events of changes of the terminal's size alone. Signals that end a process still end this one.
fn take_resizes() -> io::Result<Signals> {
    Signals::only(&[Number::SIGWINCH])
}

/// Every signal that a user or a service manager may send, except those that job control needs here.
fn passed_on() -> Vec<Number> {
    use Number::{
        SIGABRT, SIGALRM, SIGBUS, SIGCHLD, SIGCONT, SIGFPE, SIGILL, SIGKILL, SIGPIPE, SIGSEGV, SIGSTOP, SIGTRAP,
        SIGTSTP, SIGTTIN, SIGTTOU,
    };
    let ours = [
        SIGABRT, SIGALRM, SIGBUS, SIGCHLD, SIGCONT, SIGFPE, SIGILL, SIGKILL, SIGPIPE, SIGSEGV, SIGSTOP, SIGTRAP,
        SIGTSTP, SIGTTIN, SIGTTOU,
    ];
    Number::iterator().filter(|signal| !ours.contains(signal)).collect()
}
