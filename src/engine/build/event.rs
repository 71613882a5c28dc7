//! What a build tells while it works.

use super::run::Stream;
use crate::build::dockerfile::source::{Problem, Span};
use crate::types::Report;

/// Something has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuildEvent<'a> {
    /// A step begins; every other event until [`BuildEvent::Ended`] is of this step.
    Begun {
        /// The stage, by its name or its number from 0.
        stage: &'a str,
        /// The number of the step in its stage, from 1.
        number: usize,
        /// How many steps the stage has.
        of: usize,
        /// The instruction.
        text: &'a str,
    },
    /// A program of the step has written this.
    Output {
        /// Where to.
        stream: Stream,
        /// What.
        bytes: &'a [u8],
    },
    /// The step has ended well.
    Ended(Outcome),
}

/// How a step has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The cache had its result.
    Cached,
    /// It was done.
    Done {
        /// In so many milliseconds.
        took: u64,
    },
}

/// Why a build ended.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The Dockerfile is wrong.
    Problems(Vec<Problem>),
    /// The command of a RUN has failed.
    Command {
        /// The instruction.
        span: Span,
        /// The same, as one line.
        shown: String,
        /// Its exit code.
        code: i32,
    },
    /// A step cannot be taken.
    Step {
        /// The instruction.
        span: Span,
        /// Why.
        report: Report,
    },
    /// Something else.
    Report(Report),
}

impl From<Report> for Failed {
    fn from(report: Report) -> Self {
        Self::Report(report)
    }
}
