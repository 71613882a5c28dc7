//! What a build tells while it works.

use serde::{Deserialize, Serialize};

use crate::build::dockerfile::source::{Problem, Span};
use crate::build::reason::Reason;
use crate::types::{Digest, Report};

/// A step, as people find it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StepTitle {
    /// The stage, by its name or its number from 0.
    pub(crate) stage: String,
    /// The number of the step in its stage, from 1.
    pub(crate) number: usize,
    /// How many steps the stage has.
    pub(crate) of: usize,
    /// The instruction.
    pub(crate) text: String,
}

/// A stream of a command's output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Something has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BuildEvent<'a> {
    /// A step begins; every other event until [`BuildEvent::Ended`] is of this step.
    Begun(&'a StepTitle),
    /// The step is not in the cache.
    Missed(&'a Reason),
    /// Something about the step.
    Noted(&'a str),
    /// A program of the step has written this.
    Output {
        /// Where to.
        stream: Stream,
        /// What.
        bytes: &'a [u8],
    },
    /// The step has ended well.
    Ended(Outcome),
    /// A moment has passed while several stages grow, or somebody watches ([`super::BuildRequest::is_watched`]): what
    /// is shown may move.
    Tick,
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
        /// The step.
        step: StepTitle,
        /// Its exit code.
        code: i32,
        /// The image of its files, if that was asked for.
        kept: Option<Digest>,
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

impl Failed {
    /// Adds the place of an instruction to what has none.
    pub(super) fn at(self, span: Span) -> Self {
        match self {
            Self::Report(report) => Self::Step { span, report },
            other => other,
        }
    }
}

impl From<Report> for Failed {
    fn from(report: Report) -> Self {
        Self::Report(report)
    }
}
