//! A failure as data: what went wrong, for people, and of what kind it is, for programs.
//!
//! Each layer has typed errors of its own and converts them once, where they leave it. A report crosses processes
//! (children, a monitor's protocol) and front ends as it is; the exit code is derived from its kind at the edge
//! (`crate::error`), as an HTTP status would be.

use std::io;

use serde::{Deserialize, Serialize};

/// A failure: one sentence, what to do about it, and its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{message}")]
pub(crate) struct Report {
    /// What kind of failure it is; one that only a later rc knows is `Internal` to this one.
    #[serde(deserialize_with = "known_or_internal")]
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
    /// It conflicts with the current state: a name is taken, a container is running.
    Conflict,
    /// Something else needs it.
    InUse,
    /// The request is wrong, or contradicts itself.
    Invalid,
    /// A registry requires credentials, or refuses the given ones.
    Unauthorized,
    /// Permissions, or the kernel, do not allow it.
    Denied,
    /// Something needed does not answer or is not installed.
    Unavailable,
    /// rc, or this host, cannot do that.
    Unsupported,
    /// The disk is full.
    NoSpace,
    /// It took too long.
    TimedOut,
    /// A signal of this number interrupted it.
    Interrupted(i32),
    /// The program to run, or the directory to run it in, was not found.
    ProgramNotFound,
    /// The program to run cannot be executed, or not as requested.
    ProgramNotExecutable,
    /// The container's monitor was killed.
    MonitorKilled,
    /// The program ended with this exit code, but not all of its output was passed on.
    OutputMissed(i32),
    /// A record on disk, or received data, is damaged.
    Damaged,
    /// Everything else, such as a step that the kernel refused unexpectedly.
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
    /// A secret.
    Secret,
    /// A pod.
    Pod,
    /// A file on the host or in a container.
    File,
}

fn known_or_internal<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Read {
        Known(Kind),
        Later(serde::de::IgnoredAny),
    }
    Ok(match Read::deserialize(deserializer)? {
        Read::Known(kind) => kind,
        Read::Later(_) => Kind::Internal,
    })
}

impl Kind {
    /// What the kernel's answer to an operation on a file means.
    pub(crate) fn of_file(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound(Thing::File),
            io::ErrorKind::AlreadyExists => Self::Conflict,
            _ => Self::of_step(error),
        }
    }

    /// What the kernel's answer to any other step means. ENOENT there does not mean that a requested thing is missing.
    pub(crate) fn of_step(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::Denied,
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::ResourceBusy | io::ErrorKind::AddrInUse | io::ErrorKind::ExecutableFileBusy => Self::InUse,
            io::ErrorKind::Unsupported => Self::Unsupported,
            io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
                Self::Unavailable
            }
            io::ErrorKind::InvalidFilename => Self::Invalid,
            _ => Self::Internal,
        }
    }
}

impl Kind {
    /// The exit code that a shell gives a program which cannot be run; `None` for every other failure.
    pub(crate) fn shell_code(self) -> Option<u8> {
        match self {
            Self::ProgramNotExecutable => Some(126),
            Self::ProgramNotFound => Some(127),
            _ => None,
        }
    }
}

impl Report {
    /// A failure without a hint.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None }
    }

    /// Adds a hint.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Replaces the message by that of an outer layer, which names its own subject first.
    #[must_use]
    pub(crate) fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Adds a hint, if there is one.
    #[must_use]
    pub(crate) fn with_hint_of(mut self, hint: Option<String>) -> Self {
        self.hint = hint;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::json;

    #[test]
    fn a_report_is_read_as_it_was_written() {
        for kind in [
            Kind::NotFound(Thing::Container),
            Kind::Conflict,
            Kind::Interrupted(15),
            Kind::OutputMissed(3),
            Kind::ProgramNotFound,
            Kind::Internal,
        ] {
            for hint in [None, Some("try it".to_owned())] {
                let report = Report::new(kind, "it failed").with_hint_of(hint);
                let json = serde_json::to_vec(&report).expect("JSON");
                assert_eq!(json::from_slice::<Report>(&json).expect("a report"), report);
            }
        }
    }

    #[test]
    fn a_kind_of_a_later_version_is_internal() {
        for kind in [r#""cursed""#, r#"{"cursed":{"by":"x"}}"#, r#"{"not-found":"curse"}"#, "7"] {
            let read = json::from_str::<Report>(&format!(r#"{{"kind":{kind},"message":"it failed"}}"#));
            assert_eq!(read.expect("a report"), Report::new(Kind::Internal, "it failed"), "{kind}");
        }
    }

    #[test]
    fn an_errno_says_what_kind_of_failure_it_is() {
        for (errno, of_file, of_step) in [
            (libc::ENOENT, Kind::NotFound(Thing::File), Kind::Internal),
            (libc::EEXIST, Kind::Conflict, Kind::Internal),
            (libc::ENOSPC, Kind::NoSpace, Kind::NoSpace),
            (libc::EDQUOT, Kind::NoSpace, Kind::NoSpace),
            (libc::EACCES, Kind::Denied, Kind::Denied),
            (libc::EPERM, Kind::Denied, Kind::Denied),
            (libc::EROFS, Kind::Denied, Kind::Denied),
            (libc::EBUSY, Kind::InUse, Kind::InUse),
            (libc::ETIMEDOUT, Kind::TimedOut, Kind::TimedOut),
            (libc::EIO, Kind::Internal, Kind::Internal),
        ] {
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!((Kind::of_file(&error), Kind::of_step(&error)), (of_file, of_step), "{error}");
        }
    }
}
