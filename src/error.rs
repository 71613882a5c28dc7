//! The edge: every error becomes one sentence, a hint and an exit code here, and nowhere else.
//!
//! Exit codes: 125 rc failed · 126 the program cannot be run · 127 it was not found · 128 + n it died of signal n ·
//! otherwise the program's own. A command line that cannot be understood is 125, too, as with podman.

use crate::types::{Report, ReportKind};

/// What a command returns when all went well: the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(pub(crate) u8);

impl Exit {
    /// Everything was done.
    pub(crate) const SUCCESS: Self = Self(0);

    /// The exit code of a program, which is one byte.
    pub(crate) fn of_program(code: i32) -> Self {
        Self(u8::try_from(code & 0xff).unwrap_or(u8::MAX))
    }
}

/// An error on its way to the user.
#[derive(Debug)]
pub(crate) struct Error {
    /// The sentence; `None` when everything has been said already, or nobody listens.
    pub(crate) message: Option<String>,
    /// What to do.
    pub(crate) hint: Option<String>,
    /// The exit code.
    pub(crate) code: u8,
}

impl Error {
    /// rc failed, for the reason that `message` says.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), hint: None, code: 125 }
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Everything has been said; only the exit code is left.
    pub(crate) fn said(code: u8) -> Self {
        Self { message: None, hint: None, code }
    }
}

/// The exit code of a command that failed so.
fn code(kind: ReportKind) -> u8 {
    match kind {
        ReportKind::MonitorKilled => 137,
        ReportKind::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        // Nobody is to take what has come for all of it.
        ReportKind::OutputMissed(code) if code & 0xff != 0 => Exit::of_program(code).0,
        kind => kind.shell_code().unwrap_or(125),
    }
}

/// Every layer turns its own errors into reports, so that this is the one conversion.
impl<E: Into<Report>> From<E> for Error {
    fn from(error: E) -> Self {
        let Report { kind, message, hint } = error.into();
        let code = code(kind);
        match kind {
            // Who sent the signal knows.
            ReportKind::Interrupted(_) => Self::said(code),
            _ => Self { message: Some(message), hint, code },
        }
    }
}
