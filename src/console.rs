//! This process, as it is joined to programs: its standard descriptors, its terminal and its signals.
//!
//! Used by `run`, `start -a`, `attach` and `exec`. Nothing below knows of them: a start is given what it needs of them
//! ([`Console::front_end`]), and what comes of it, a [`Session`], is moved from and to them here. The terminal, if the
//! program has one, is raw meanwhile and is given back however this ends.

mod detach;
mod error;
mod input;
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
use pump::Pump;
use raw::Raw;

/// How this process is joined to a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Console {
    /// Not at all.
    Apart,
    /// It waits for the program, and passes streams on.
    Joined {
        /// Signals to it go to the program.
        proxy_signals: bool,
    },
}

/// How the streams ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The program has ended with this exit code.
    Exited(i32),
    /// The user has detached, or was never joined; the program goes on.
    Detached,
    /// Nobody reads our output any more; the program goes on.
    OutputClosed,
}

impl Console {
    /// As a command's options say; `proxy_signals` is true unless it is given.
    pub(crate) fn of(is_joined: bool, proxy_signals: Option<bool>) -> Self {
        if is_joined { Self::Joined { proxy_signals: proxy_signals.unwrap_or(true) } } else { Self::Apart }
    }

    /// This process as the front end of a start. Its input goes to the program if `stdin` is set and it has any.
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

    /// Follows a program that was started, if this process is joined to it.
    pub(crate) fn follow(self, started: Started) -> Result<Outcome, Error> {
        match started {
            Started::Joined { session, signals: Some(signals) } => self.pump(session, signals),
            Started::Joined { session, signals: None } => self.join(session),
            Started::Ended(code) => Ok(Outcome::Exited(code)),
            Started::Detached => Ok(Outcome::Detached),
        }
    }

    /// Moves everything between this process and the program of a session, until the program ends, the user detaches or
    /// nobody reads our output any more.
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

/// Whether our standard input can give anything: it is open, and is not `/dev/null`.
pub(crate) fn has_input() -> bool {
    process::standard(0).is_some_and(|stdin| {
        rustix::fs::fstat(stdin).is_ok_and(|stat| {
            FileType::from_raw_mode(stat.st_mode) != FileType::CharacterDevice
                || stat.st_rdev != rustix::fs::makedev(1, 3)
        })
    })
}

/// Rows and columns of the terminal that our standard input is, if it is one.
pub(crate) fn own_size() -> Option<(u16, u16)> {
    tty::size(process::standard(0)?).ok()
}

/// Takes in what ends a process, which is passed on to the program. What job control needs here is left alone.
fn take_all() -> io::Result<Signals> {
    Signals::only(&passed_on())
}

/// Takes in changes of the terminal's size. Signals that end a process end this one, as they would without us.
fn take_resizes() -> io::Result<Signals> {
    Signals::only(&[Number::SIGWINCH])
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
