//! The edge: here every error becomes a message, a hint and an exit code, and nowhere else.
//!
//! Exit codes: 125 rc failed · 126 the program cannot be run · 127 the program was not found · 128 + n signal n killed
//! it · otherwise the program's own. An invalid command line is 125, too, as in podman.

use crate::types::{Report, ReportKind};

/// The exit code of a command that succeeded.
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

/// An error for the user.
#[derive(Debug)]
pub(crate) struct Error {
    /// The message; `None` if everything has already been printed, or there is no reader.
    pub(crate) message: Option<String>,
    /// How to fix it.
    pub(crate) hint: Option<String>,
    /// The exit code.
    pub(crate) code: u8,
}

impl Error {
    /// rc failed, for the reason in `message`.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), hint: None, code: 125 }
    }

    /// Adds how to fix it.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Everything has already been printed; only the exit code remains.
    pub(crate) fn said(code: u8) -> Self {
        Self { message: None, hint: None, code }
    }
}

/// The exit code of a command that failed with this kind.
fn code(kind: ReportKind) -> u8 {
    match kind {
        ReportKind::MonitorKilled => 137,
        ReportKind::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        // A reader must not take partial output for all of it.
        ReportKind::OutputMissed(code) if code & 0xff != 0 => Exit::of_program(code).0,
        kind => kind.shell_code().unwrap_or(125),
    }
}

/// Every layer converts its own errors to reports, so this is the only conversion.
impl<E: Into<Report>> From<E> for Error {
    fn from(error: E) -> Self {
        let Report { kind, message, hint } = error.into();
        let code = code(kind);
        match kind {
            // The sender of the signal knows about it.
            ReportKind::Interrupted(_) => Self::said(code),
            _ => Self { message: Some(message), hint, code },
        }
    }
}
