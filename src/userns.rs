//! Subordinate IDs, and the user's root namespace: the user namespace in which rc's own work is root.
//!
//! ```text
//! host ── root namespace (one per user: 0 → the user, 1… → the subordinate IDs) ── a namespace per container, mapped
//!                                                                             line by line to the root namespace
//! ```
//!
//! The first process that needs the root namespace creates it, with newuidmap and newgidmap. It lives as long as a
//! process holds a descriptor of it (every monitor does) or a namespace beneath it exists. A holder announces it by a
//! symlink `RUNTIME/userns/PID`, which is only a hint: a reader checks that it leads to a user namespace of this user.

mod accounts;
mod grant;
mod helper;
mod home;
mod idmap;
mod inside;
mod nested;
mod privilege;
mod refusal;
mod sharing;

pub(crate) use accounts::{HostUser, host_user, user_name};
pub(crate) use grant::grant;
pub(crate) use home::{Home, UserNamespace};
pub(crate) use idmap::{IdMap, Single};
pub(crate) use inside::{Inside, inside, start_inside};
pub(crate) use nested::enter_maps;
pub(crate) use privilege::Privilege;
pub(crate) use sharing::shared_ids;

use std::path::Path;

use crate::sys::fs::PathError;
use crate::types::{Report, ReportKind};

/// Why the root namespace is not available.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file could not be read or written.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The kernel refuses user namespaces.
    #[error("cannot create a user namespace: {}", crate::sys::fs::plain(.source))]
    Refused {
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// newuidmap or newgidmap failed.
    #[error("`{program}` failed: {said}")]
    Helper {
        /// Its path.
        program: String,
        /// Its output, or its exit status.
        said: String,
    },
    /// A system call failed.
    #[error("cannot {action}: {}", crate::sys::fs::plain(.source))]
    System {
        /// The step, as an infinitive.
        action: &'static str,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// The process that worked in the root namespace died.
    #[error("the process that worked in the user namespace was killed ({0})")]
    Died(String),
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Path(error) => return error.into(),
            Error::Refused { .. } | Error::Helper { .. } => ReportKind::Denied,
            Error::System { ref source, .. } => ReportKind::of_step(source),
            Error::Died(_) => ReportKind::Internal,
        };
        Self::new(kind, error.to_string()).with_hint_of(error.hint())
    }
}

impl Error {
    /// How the user or the administrator can fix it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { .. } => Some(refusal::reason(Path::new("/proc/sys"))),
            Self::Helper { program, .. } => Some(match Privilege::of(Path::new(program)) {
                Err(lack) => format!("it cannot map IDs: {lack}: {}", lack.fix()),
                Ok(_) => "the lines for this user in /etc/subuid and /etc/subgid must have the form NAME:FIRST:COUNT, \
                          and their ranges must not include the user's own ID"
                    .to_owned(),
            }),
            _ => None,
        }
    }
}
