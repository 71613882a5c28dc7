//! A failure as data: what went wrong, for people, and of what kind it is, for programs.
//!
//! Each layer has typed errors of its own and converts them once, where they leave it. A report crosses processes (children,
//! a monitor's protocol) and front ends as it is; the exit code is derived from its kind at the edge (`crate::error`), as an
//! HTTP status would be.

use serde::{Deserialize, Serialize};

/// A failure: one sentence, what to do about it, and its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub(crate) struct Report {
    /// What kind of failure it is.
    pub(crate) kind: Kind,
    /// One sentence: lower case, no full stop, the subject in backticks, the cause last.
    pub(crate) message: String,
    /// What to do, with a command to paste.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// There is no such thing.
    NotFound(Thing),
    /// It cannot be done in the state that things are in: a name is taken, a container is running.
    Conflict,
    /// Something else needs it.
    InUse,
    /// What was asked for is wrong, or does not go together.
    Invalid,
    /// A registry wants credentials, or other ones.
    Unauthorized,
    /// Permissions, or the kernel, do not allow it.
    Denied,
    /// Something that is needed does not answer or is not installed.
    Unavailable,
    /// rc, or this host, cannot do that.
    Unsupported,
    /// The disk is full.
    NoSpace,
    /// It took too long.
    TimedOut,
    /// A signal of this number ended what was being done.
    Interrupted(i32),
    /// The program to run was not found.
    ProgramNotFound,
    /// The program to run cannot be executed.
    ProgramNotExecutable,
    /// The container's monitor was killed.
    MonitorKilled,
    /// The program ended with this exit code, but not all of its output was passed on.
    OutputMissed(i32),
    /// A record on disk is damaged.
    Damaged,
    /// Everything else: the kernel refused a step that should work.
    Internal,
}

/// What was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Thing {
    /// A container.
    Container,
    /// An image.
    Image,
    /// A volume.
    Volume,
    /// A network.
    Network,
    /// A file of the host, or of a container.
    File,
}

impl Report {
    /// A failure without a hint.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// Adds what to do.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds what to do, if that is known.
    #[must_use]
    pub(crate) fn with_hint_of(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}
