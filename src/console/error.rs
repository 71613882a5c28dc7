//! Why the streams could not be moved.

use std::io;

use crate::container;
use crate::types::{Report, ReportKind};

/// A failure between this process's standard descriptors and a program.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The session has failed: the monitor reports that, or was killed.
    #[error(transparent)]
    Session(#[from] container::Error),
    /// The monitor could not wait until this command had read all of the program's output.
    #[error("{bytes} bytes of the program's output are lost: they were not read in time")]
    OutputMissed {
        /// How many.
        bytes: u64,
        /// The program's exit code.
        code: i32,
    },
    /// A signal has ended this command after the program had ended.
    #[error("ended by signal {0}")]
    Interrupted(i32),
    /// The program has a terminal, and gets an input that is not one.
    #[error("the input device is not a TTY")]
    NoTerminal,
    /// A step failed.
    #[error("cannot {step}: {}", crate::sys::fs::plain(.source))]
    Step {
        /// What was tried, as an infinitive.
        step: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl Error {
    /// Makes the error of a step from the answer of the kernel.
    pub(super) fn step(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Step { step, source }
    }
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Session(error) => return error.into(),
            Error::NoTerminal => {
                let hint = "leave out -t: a terminal does not pass on the end of a pipe or a file";
                return Self::new(ReportKind::Invalid, error.to_string()).with_hint(hint);
            }
            Error::OutputMissed { code, .. } => ReportKind::OutputMissed(code),
            Error::Interrupted(signal) => ReportKind::Interrupted(signal),
            Error::Step { ref source, .. } => ReportKind::of_step(source),
        };
        Self::new(kind, error.to_string())
    }
}
