//! What the monitor gets to start a container, and why a start fails.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use oci_spec::runtime::{Process, Spec};

use super::directory::ContainerDir;
use super::record::State;
use super::revive::MemberOf;
use crate::net;
use crate::plan::ContainerConfig;
use crate::runtime::{self, cgroup};
use crate::storage::events::EventLog;
use crate::sys::inherited::Inherited;
use crate::sys::lock::ProcessLock;
use crate::sys::packages::Package;
use crate::types::{ContainerId, Extras, Layers, Report, ReportKind, SecretFile, StorageDriver};
use crate::userns::{IdMap, UserNamespace};

/// What one of the program's standard descriptors is.
#[derive(Debug)]
pub(crate) enum Stdio {
    /// This descriptor of the caller's.
    Handed(OwnedFd),
    /// `/dev/null`.
    Null,
    /// A pipe that the monitor relays.
    Relay,
}

/// Everything that the monitor needs: it looks up nothing itself.
#[derive(Debug)]
pub(crate) struct Start {
    /// The container.
    pub(crate) config: ContainerConfig,
    /// The same, for the kernel.
    pub(crate) spec: Spec,
    /// What the spec cannot express.
    pub(crate) extras: Extras,
    /// Its directory.
    pub(crate) directory: ContainerDir,
    /// The unpacked layers.
    pub(crate) layers: Layers,
    /// New volumes: mounts that are filled from the image.
    pub(crate) copy_up: Vec<PathBuf>,
    /// The user's IDs.
    pub(crate) ids: IdMap,
    /// The directory in which the user's root namespace is announced.
    pub(crate) runtime_dir: PathBuf,
    /// A directory with an empty `file` and an empty `dir`, which mask paths, and a layer of mount points, `points`.
    pub(crate) empty: PathBuf,
    /// The network's helpers and directories; the configuration has driver and ports.
    pub(crate) network: net::Request,
    /// The networks of the store, for this container.
    pub(crate) networks: net::record::Networks,
    /// How the layers become a root filesystem.
    pub(crate) storage: StorageDriver,
    /// fuse-overlayfs, if it is installed.
    pub(crate) fuse_overlayfs: Option<PathBuf>,
    /// Standard descriptors, unless the program gets a terminal.
    pub(crate) stdio: [Stdio; 3],
    /// Further descriptors of the program.
    pub(crate) descriptors: Vec<Inherited>,
    /// The service manager's socket for the program's messages (`NOTIFY_SOCKET`), if they are passed on.
    pub(crate) notify: Option<String>,
    /// The service manager's socket, if the monitor says when the container is healthy.
    pub(crate) ready: Option<String>,
    /// Where what happens to the container is written.
    pub(crate) events: EventLog,
    /// Where what happens to its networks is written.
    pub(crate) network_events: EventLog,
    /// The container is created by this start.
    pub(crate) is_new: bool,
    /// Everything is prepared, and then the program waits for a command that has it run (`rc init`).
    pub(crate) waits: bool,
    /// The program's secrets, as files.
    pub(crate) secrets: Vec<SecretFile>,
    /// Its secrets, as lines of the environment, for it and for what `exec` runs.
    pub(crate) secret_variables: SecretVariables,
    /// The program is killed when the command that starts it ends.
    pub(crate) is_tied: bool,
    /// The recorded state, with the number of the new run.
    pub(crate) state: State,
    /// The cgroup that the members of this pod are in: its monitor was killed, and they live.
    pub(crate) adopted_cgroup: Option<String>,
    /// The pod that the container is in, if that has a monitor.
    pub(crate) pod: Option<MemberOf>,
}

/// Secrets as lines of the environment, `NAME=value`.
#[derive(Clone, Default)]
pub(crate) struct SecretVariables(pub(crate) Vec<String>);

impl std::fmt::Debug for SecretVariables {
    /// Leaves the values out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SecretVariables").field(&self.0.len()).finish()
    }
}

impl SecretVariables {
    /// Adds them to the environment of a process, in place of variables of the same names.
    pub(crate) fn add_to(&self, process: &mut Process) {
        if self.0.is_empty() {
            return;
        }
        let mut env = process.env().clone().unwrap_or_default();
        let name = |line: &str| line.split_once('=').map(|(name, _)| format!("{name}=")).unwrap_or_default();
        env.retain(|line| !self.0.iter().any(|secret| line.starts_with(&name(secret))));
        env.extend(self.0.iter().cloned());
        process.set_env(Some(env));
    }
}

/// The streams of the command that starts a container.
#[derive(Debug, Default)]
pub(crate) struct Starter {
    /// The monitor's end of its pipe, if it attaches.
    pub(crate) stdin: Option<OwnedFd>,
    /// See above.
    pub(crate) stdout: Option<OwnedFd>,
    /// See above.
    pub(crate) stderr: Option<OwnedFd>,
    /// The size of its terminal.
    pub(crate) size: Option<(u16, u16)>,
}

/// Why a container could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The container's directory cannot be made or locked.
    #[error(transparent)]
    Owner(Report),
    /// The user's root namespace cannot be used.
    #[error(transparent)]
    Namespace(#[from] crate::userns::Error),
    /// A step of the runtime failed.
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    /// A limit cannot be set.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
    /// The network cannot be started.
    #[error(transparent)]
    Network(#[from] net::Error),
    /// A container whose namespaces this one has does not run.
    #[error("container `{}`, whose namespaces it has, does not run", .0.short())]
    Needed(ContainerId),
    /// The chosen storage driver is not installed.
    #[error("fuse-overlayfs is not installed")]
    NoFuse,
    /// The user or the system has asked for the program's end before it ran.
    #[error("the start was cancelled")]
    Cancelled,
    /// A record cannot be written.
    #[error(transparent)]
    ContainerDir(#[from] super::directory::Error),
    /// Files that are bound into the container cannot be made.
    #[error(transparent)]
    Files(#[from] super::files::Error),
    /// A file cannot be used.
    #[error(transparent)]
    Path(#[from] crate::sys::fs::PathError),
    /// A step failed.
    #[error("cannot {step}: {}", crate::sys::fs::plain(.source))]
    Step {
        /// What was tried, as an infinitive.
        step: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Owner(report) => return report,
            Error::Namespace(error) => return error.into(),
            Error::Runtime(error) => return error.into(),
            Error::Cgroup(error) => return error.into(),
            Error::Network(error) => return error.into(),
            Error::ContainerDir(error) => return error.into(),
            Error::Files(error) => return error.into(),
            Error::Path(error) => return error.into(),
            Error::NoFuse => {
                let report = Self::new(ReportKind::Unavailable, error.to_string());
                return report.with_hint(format!("install it: {}", Package::FuseOverlayfs.install()));
            }
            Error::Cancelled | Error::Needed(_) => ReportKind::Conflict,
            Error::Step { ref source, .. } => ReportKind::of_step(source),
        };
        Self::new(kind, error.to_string())
    }
}

impl From<runtime::Failure> for Error {
    fn from(failure: runtime::Failure) -> Self {
        Self::Runtime(failure.into())
    }
}

pub(super) fn step(step: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Step { step, source }
}

/// Makes the control socket in a container's directory.
pub(crate) type Listen = fn(&ContainerDir) -> Result<OwnedFd, Error>;

/// The owner of a container's directory: creates it before the start, and removes it after the end.
pub(crate) trait Owner {
    /// Creates the directory unless it exists, and takes its lock; `listen` makes the control socket before any process
    /// can see that the container is starting. On failure nothing is left.
    fn establish(&self, listen: Listen) -> Result<(ProcessLock, OwnedFd), Report>;
    /// Undoes [`establish`](Self::establish) for a container whose start failed. A new container may stay for
    /// inspection if the failure is that its program could not be run.
    fn withdraw(&self, home: Option<&UserNamespace>, is_rcs_fault: bool);
    /// Begins to remove a container that has ended: its name is free when this returns.
    fn unlink(&self);
    /// Removes what [`unlink`](Self::unlink) moved to the trash.
    fn remove(&self, home: &UserNamespace);
}
