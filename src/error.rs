//! The edge: every error becomes one sentence, a hint and an exit code here, and nowhere else.
//!
//! Exit codes: 125 rc failed · 126 the program cannot be run · 127 it was not found · 128 + n it died of signal n ·
//! otherwise the program's own. A command line that cannot be understood is 125, too, as with podman.

use crate::types::{Report, ReportKind};
use crate::ui::BrokenOutput;

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

    /// Sets the exit code.
    #[must_use]
    pub(crate) fn with_code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// Everything has been said; only the exit code is left.
    pub(crate) fn said(code: u8) -> Self {
        Self { message: None, hint: None, code }
    }
}

/// The exit code of a command that failed so. Nothing else decides one.
fn code(kind: ReportKind) -> u8 {
    match kind {
        ReportKind::ProgramNotExecutable => 126,
        ReportKind::ProgramNotFound => 127,
        ReportKind::MonitorKilled => 137,
        ReportKind::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        // Nobody is to take what has come for all of it.
        ReportKind::OutputMissed(code) if code & 0xff != 0 => Exit::of_program(code).0,
        _ => 125,
    }
}

impl From<Report> for Error {
    fn from(report: Report) -> Self {
        let code = code(report.kind);
        match report.kind {
            // Whoever sent the signal knows.
            ReportKind::Interrupted(_) => Self::said(code),
            _ => Self { message: Some(report.message), hint: report.hint, code },
        }
    }
}

impl From<BrokenOutput> for Error {
    fn from(error: BrokenOutput) -> Self {
        // A reader that has enough (`rc ps | head -1`) ends us as SIGPIPE would.
        if error.is_broken_pipe() { Self::said(141) } else { Self::new(error.to_string()) }
    }
}

impl From<crate::ui::format::Error> for Error {
    fn from(error: crate::ui::format::Error) -> Self {
        match error {
            crate::ui::format::Error::Output(error) => error.into(),
            error => Self { hint: error.hint(), code: 125, message: Some(error.to_string()) },
        }
    }
}

impl From<crate::container::logs::Error<BrokenOutput>> for Error {
    fn from(error: crate::container::logs::Error<BrokenOutput>) -> Self {
        match error {
            crate::container::logs::Error::Sink(error) => error.into(),
            error => Self::new(error.to_string()),
        }
    }
}

impl From<crate::container::Error> for Error {
    fn from(error: crate::container::Error) -> Self {
        if matches!(error, crate::container::Error::Interrupted(_)) {
            // Whoever sent the signal knows.
            return Self::said(error.code());
        }
        Self { hint: error.hint(), code: error.code(), message: Some(error.to_string()) }
    }
}

/// Errors that are rc's own failure, with a hint or without.
macro_rules! failures {
    ($($type:ty: $hint:expr),* $(,)?) => {
        $(impl From<$type> for Error {
            fn from(error: $type) -> Self {
                let hint: fn(&$type) -> Option<String> = $hint;
                Self { hint: hint(&error), code: 125, message: Some(error.to_string()) }
            }
        })*
    };
}

failures! {
    crate::sys::fs::PathError: |_| None,
    crate::types::Invalid: |_| None,
    crate::settings::Error: |_| None,
    crate::dirs::Error: crate::dirs::Error::hint,
    crate::storage::Error: crate::storage::Error::hint,
    crate::plan::Error: crate::plan::Error::hint,
    crate::userns::Error: crate::userns::Error::hint,
    crate::net::Error: crate::net::Error::hint,
    crate::runtime::cgroup::Error: crate::runtime::cgroup::Error::hint,
    crate::ui::filter::Error: crate::ui::filter::Error::hint,
    crate::image::Error: crate::image::Error::hint,
    crate::registry::Error: crate::registry::Error::hint,
}
