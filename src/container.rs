//! Life cycle and state on disk: create, start, stop, remove, wait, exec, names, liveness.
//!
//! The containers are the directories themselves (`monitor::ContainerDir`); rc keeps no other list. Locks alone show
//! which monitors live. Every command that looks at a container checks its lock and the kernel, and removes what killed
//! processes have left.

mod adopt;
mod attach;
mod begin;
mod changed;
mod client;
mod control;
mod create;
mod damaged;
mod empty;
mod ending;
mod examine;
mod exec;
mod failed_start;
mod filesystem;
mod find;
mod first_word;
mod front_end;
mod half_made;
mod health;
mod identity;
mod leftover;
mod liveness;
mod lock;
pub(crate) mod logs;
mod manager;
mod names;
mod networks;
mod owner;
mod processes;
mod remove;
mod rename;
mod revive;
mod secrets;
mod service;
mod session;
mod start;
mod stats;
mod step;
mod streams;
mod sweep;
mod trash;
mod update;
mod volumes;
mod wait;

use std::io;
use std::path::PathBuf;

pub(crate) use attach::attach;
pub(crate) use begin::begin;
pub(crate) use client::Asked;
pub(crate) use control::{pause, signal, stop, undo, unpause};
pub(crate) use create::{Creation, create};
pub(crate) use damaged::remove_damaged;
pub(crate) use empty::mount_points;
pub(crate) use ending::discard_cgroup_of_step;
pub(crate) use examine::{Cause, examine};
pub(crate) use exec::{Exec, exec};
pub(crate) use filesystem::{Filesystem, Working, needs_fuse, serve};
pub(crate) use find::{Listing, bare_name, find, find_any, list};
pub(crate) use front_end::{Attach, FrontEnd};
pub(crate) use health::check;
pub(crate) use identity::{new_identity, random_name, volume_name};
pub(crate) use liveness::Container;
pub(crate) use manager::Manager;
pub(crate) use networks::change_networks;
pub(crate) use processes::{Names, Process, processes};
pub(crate) use remove::{Removal, Removing, begin_removal, remove};
pub(crate) use rename::rename;
pub(crate) use revive::{member_of, root_of_pod};
pub(crate) use secrets::Secrets;
pub(crate) use session::{Session, SessionEvent};
pub(crate) use start::{Environment, Origin, Started, Trees, host_facts, start};
pub(crate) use stats::{Sample, sample, since_boot};
pub(crate) use step::Step;
pub(crate) use sweep::{has_leftovers, sweep_store};
pub(crate) use update::update;
pub(crate) use wait::{Condition, Waiting, wait_for, wait_for_start};

pub(crate) use crate::monitor::files;
use crate::monitor::{ContainerDirError, FilesError, Status};
use crate::sys::fs::PathError;
use crate::types::{ContainerId, Invalid, Report, ReportKind, Thing};

/// Why a program has ended whose monitor was killed, in the record of its end.
const KILLED: &str = "monitor killed";

/// Why a program has ended whose monitor a reboot has ended.
const REBOOTED: &str = "the host was restarted";

/// What can go wrong with a container.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No container has this name or ID.
    #[error("no such container: {}", .0.escape_debug())]
    NotFound(String),
    /// It is a pod.
    #[error("no such container: {}", .0.escape_debug())]
    IsPod(String),
    /// A record in its directory is missing or cannot be read.
    #[error("container `{}` is damaged: {reason}", .id.short())]
    Damaged {
        /// The container.
        id: ContainerId,
        /// Why a record cannot be read.
        reason: Box<Self>,
    },
    /// The directory holds the records of another container.
    #[error("`{}` is the record of another container, `{}`", .path.display().to_string().escape_debug(), .id.short())]
    Misplaced {
        /// The file.
        path: PathBuf,
        /// The other container.
        id: ContainerId,
    },
    /// Several IDs begin like this.
    #[error("`{}` matches several container IDs", .0.escape_debug())]
    Ambiguous(String),
    /// Another container has the name.
    #[error("the name `{name}` is already in use by {what} {id}")]
    NameTaken {
        /// The name.
        name: String,
        /// What the other is: a container or a pod.
        what: &'static str,
        /// The short ID of the other container.
        id: String,
    },
    /// A file in the place of a name is not a link to a container.
    #[error("`{}` is not a link to a container", .0.display().to_string().escape_debug())]
    NoName(PathBuf),
    /// The program would get a terminal of the host's.
    #[error("the log driver `passthrough` cannot be used on a terminal")]
    PassedTerminal,
    /// The program would get a directory of the host's, and with it a way to all of the host.
    #[error("the log driver `passthrough` cannot be used on a directory")]
    PassedDirectory,
    /// The program's streams do not go through rc.
    #[error("cannot attach to `{0}`: its log driver is `passthrough`")]
    PassedThrough(String),
    /// The container needs a secret that does not exist any more.
    #[error("no such secret: {0}")]
    NoSecret(String),
    /// The value of a secret is no text.
    #[error("the secret `{0}` cannot be a variable: it is not text")]
    NoText(String),
    /// It has no health check.
    #[error("container `{0}` has no health check")]
    NotChecked(String),
    /// The service manager of `NOTIFY_SOCKET` does not answer.
    #[error("cannot reach the service manager at `$NOTIFY_SOCKET`: {}", crate::sys::fs::plain(.0))]
    NoManager(io::Error),
    /// The container's status does not allow the action.
    #[error("{}", refusal(.action, .name, *.status))]
    State {
        /// The action, as an infinitive.
        action: &'static str,
        /// The container.
        name: String,
        /// Its status.
        status: Status,
    },
    /// Its program has ended after the command had looked at it. It may have been started again since.
    #[error("cannot {action} `{name}`: its program has just ended")]
    JustEnded {
        /// The action, as an infinitive.
        action: &'static str,
        /// The container.
        name: String,
    },
    /// Another rc process is working on it.
    #[error("container `{name}` is in use by process {pid}")]
    Busy {
        /// The container.
        name: String,
        /// The process that holds its lock.
        pid: i32,
    },
    /// Another process has started it since this start looked at it, and that run has ended.
    #[error("cannot start `{0}`: another process has started it meanwhile, and it has ended")]
    StartedMeanwhile(String),
    /// It was initialized, and another process has undone that before this start.
    #[error("cannot start `{0}`: another process has stopped it meanwhile")]
    StoppedMeanwhile(String),
    /// A file could not be read or written.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A record could not be read or written.
    #[error(transparent)]
    ContainerDir(#[from] ContainerDirError),
    /// The store could not be used.
    #[error(transparent)]
    Storage(#[from] crate::storage::Error),
    /// The user's root namespace cannot be used.
    #[error(transparent)]
    Namespace(#[from] crate::userns::Error),
    /// The container cannot be planned as it was asked for.
    #[error(transparent)]
    Plan(#[from] crate::plan::Error),
    /// The cgroup that a killed monitor left cannot be removed.
    #[error(transparent)]
    Cgroup(#[from] crate::runtime::cgroup::Error),
    /// Another process of rc's has reported a failure: the monitor, or a child.
    #[error(transparent)]
    Told(#[from] Report),
    /// A network cannot be used.
    #[error(transparent)]
    Network(#[from] crate::net::Error),
    /// Files that are bound into the container cannot be made.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A value is invalid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// More descriptors than a message to the monitor can carry.
    #[error("at most {0} descriptors can be handed to exec")]
    TooManyDescriptors(usize),
    /// The monitor was killed while this command waited.
    #[error("the container's monitor was killed")]
    MonitorDied,
    /// A signal has ended this command before the program ran, and the start is undone.
    #[error("ended by signal {0}")]
    Interrupted(i32),
    /// A step failed.
    #[error("cannot {step}: {}", crate::sys::fs::plain(.source))]
    Step {
        /// What was tried, as an infinitive.
        step: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

/// Why the status does not allow the action, in docker's words if the container does not run.
fn refusal(action: &str, name: &str, status: Status) -> String {
    match status {
        Status::Created | Status::Exited => format!("`{name}` is not running ({})", status.as_str()),
        status => format!("cannot {action} `{name}`: it is {}", status.as_str()),
    }
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Path(error) => return error.into(),
            Error::ContainerDir(error) => return error.into(),
            Error::Storage(error) => return error.into(),
            Error::Namespace(error) => return error.into(),
            Error::Plan(error) => return error.into(),
            Error::Cgroup(error) => return error.into(),
            Error::Told(report) => return report,
            Error::Network(error) => return error.into(),
            Error::Files(error) => return error.into(),
            Error::Invalid(error) => return error.into(),
            Error::NotFound(_) | Error::IsPod(_) => ReportKind::NotFound(Thing::Container),
            Error::NoSecret(_) => ReportKind::NotFound(Thing::Secret),
            Error::Damaged { .. } | Error::Misplaced { .. } => ReportKind::Damaged,
            Error::NameTaken { .. }
            | Error::NoName(_)
            | Error::State { .. }
            | Error::JustEnded { .. }
            | Error::StoppedMeanwhile(_) => ReportKind::Conflict,
            Error::Busy { .. } | Error::StartedMeanwhile(_) => ReportKind::InUse,
            Error::TooManyDescriptors(_)
            | Error::Ambiguous(_)
            | Error::NotChecked(_)
            | Error::NoText(_)
            | Error::PassedTerminal
            | Error::PassedDirectory
            | Error::PassedThrough(_) => ReportKind::Invalid,
            Error::NoManager(_) => ReportKind::Unavailable,
            Error::MonitorDied => ReportKind::MonitorKilled,
            Error::Interrupted(signal) => ReportKind::Interrupted(signal),
            Error::Step { ref source, .. } => ReportKind::of_step(source),
        };
        Self::new(kind, error.to_string()).with_hint_of(error.hint())
    }
}

impl Error {
    /// Whether no container has this name or ID.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::NotFound(_) | Self::IsPod(_))
    }

    /// Whether a file of the container does not exist.
    fn is_not_found(&self) -> bool {
        match self {
            Self::Path(error) => error.is_not_found(),
            Self::ContainerDir(error) => error.is_not_found(),
            _ => false,
        }
    }

    /// Whether the container's state, as its record or its monitor tells it, does not allow the action.
    fn is_conflict(&self) -> bool {
        match self {
            Self::Told(report) => report.kind == ReportKind::Conflict,
            other => matches!(other, Self::State { .. }),
        }
    }

    /// Makes the error of a step from the answer of the kernel.
    pub(crate) fn step(step: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Step { step, source }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::IsPod(name) => {
                Some(format!("`{}` is a pod: `rc pod --help` lists what can be done with it", name.escape_debug()))
            }
            Self::Damaged { id, .. } => Some(format!("remove it with `rc rm {}`", id.short())),
            Self::NameTaken { name, what: "pod", .. } => {
                Some(format!("remove it with `rc pod rm {name}`, or use another name"))
            }
            Self::NameTaken { name, .. } => Some(format!("remove it with `rc rm {name}`, or use --replace")),
            Self::NoSecret(name) => Some(format!("create it with `rc secret create {name} FILE`")),
            Self::NoText(_) => Some("use it as a file: `type=mount`".to_owned()),
            Self::NotChecked(_) => Some("create the container with `--health-cmd COMMAND`".to_owned()),
            Self::NoName(_) => Some("remove it, or use another name".to_owned()),
            Self::State { action: "remove", name, .. } => {
                Some(format!("stop it first with `rc stop {name}`, or use `rc rm -f {name}`"))
            }
            Self::State { name, status: Status::Created | Status::Exited, .. } => {
                Some(format!("start it with `rc start {name}`"))
            }
            Self::State { name, status: Status::Paused, .. } => Some(format!("resume it with `rc unpause {name}`")),
            Self::State { name, status: Status::Orphaned, .. } => Some(format!(
                "its monitor was killed: `rc stop {name}` ends what is left, `rc rm -f {name}` removes it"
            )),
            _ => None,
        }
    }
}
