//! What the kernel does with a runtime spec.
//!
//! ```text
//! monitor ── vfork ─→ stage   enters the root namespace, clones init for the monitor, writes its maps
//!    │ ←──── pidfd ─────┘
//!    │
//!    └── sync socket ──→ init   root filesystem, devices, terminal; waits for the network; user, capabilities…
//!                          └── execveat ─→ stub ── execve ─→ the program
//! ```
//!
//! `sync` has the messages of the sync socket. The runtime gets a spec with its [`Extras`], the root filesystem's
//! directories and a short list of descriptors ([`Launch`]), nothing else; it knows neither images nor settings nor
//! state on disk.

mod accounts;
mod apart;
mod browse;
pub(crate) mod caps;
pub mod cgroup;
mod create;
mod devices;
mod fuse;
mod init;
mod join;
mod keyring;
mod links;
mod mapped;
mod mounts;
mod namespaces;
mod outside;
mod paths;
mod places;
mod program;
mod root_directory;
mod rootfs;
pub(crate) mod seccomp;
mod shared;
mod shown;
mod starting;
pub(crate) mod stub;
mod sync;
mod terminal;
pub(crate) mod users;
mod xattrs;

use std::path::PathBuf;

pub(crate) use apart::{Apart, mount_apart, view_apart};
pub(crate) use browse::browse;
pub(crate) use create::create_init;
pub(crate) use fuse::FuseOverlay;
pub(crate) use join::{Join, join};
pub(crate) use namespaces::namespaces_of;
pub(crate) use root_directory::{FRESH, adopt as adopt_root, describes_root};
pub(crate) use rootfs::{Rootfs, finds_content, mount_layers, try_mount};
pub(crate) use shared::{SharedNamespaces, flag_of, open_shared};
pub(crate) use starting::{Conversation, StartingProcess, child_of};
pub(crate) use sync::{Failure, Progress};

use crate::sys::inherited::Inherited;
use crate::types::{Extras, Report, ReportKind, SecretFile};
use crate::userns::IdMap;

/// What a container is started with.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// The spec; its hooks and annotations are ignored.
    pub(crate) spec: &'a oci_spec::runtime::Spec,
    /// What the spec has no field for.
    pub(crate) extras: &'a Extras,
    /// The root filesystem.
    pub(crate) rootfs: Rootfs,
    /// The map of the root namespace.
    pub(crate) ids: &'a IdMap,
    /// The namespaces of others that it is started in.
    pub(crate) shared: Vec<SharedNamespaces>,
    /// Descriptors 0, 1 and 2 of the program, unless it gets a terminal.
    pub(crate) stdio: [std::os::fd::BorrowedFd<'a>; 3],
    /// Whether these descriptors are rc's own pipes, so that the program's user may own them.
    pub(crate) own_stdio: [bool; 3],
    /// Further descriptors of the program, each with the number that it sees, above 2.
    pub(crate) descriptors: &'a [Inherited],
    /// Whether the program waits for [`Progress::NetworkUp`].
    pub(crate) wait_for_network: bool,
    /// Whether the monitor gets the mount namespace ([`Progress::Mounts`]).
    pub(crate) keeps_mounts: bool,
    /// Mounts (by destination) that are filled from the image if they are empty: new volumes.
    pub(crate) copy_up: Vec<PathBuf>,
    /// Secrets, as files.
    pub(crate) secrets: &'a [SecretFile],
    /// A directory with an empty `file` and an empty directory `dir`, which mask paths if the user has no ID in the
    /// container.
    pub(crate) empty: PathBuf,
}

/// Why a start failed before a container process could report it; init reports a [`Failure`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A step in the monitor failed.
    #[error("cannot {step}: {}", crate::sys::fs::plain(.source))]
    Step {
        /// What was tried, as an infinitive.
        step: &'static str,
        /// The kernel's answer.
        source: std::io::Error,
    },
    /// A step in stage or init failed.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// A process that takes part in the start died without a message.
    #[error("`{0}` died while the container was started")]
    Died(&'static str),
    /// A file could not be read or written.
    #[error(transparent)]
    Path(#[from] crate::sys::fs::PathError),
    /// A requested limit cannot be set on this host.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Failed(failure) => return failure.into(),
            Error::Path(error) => return error.into(),
            Error::Cgroup(error) => return error.into(),
            Error::Step { ref source, .. } => ReportKind::of_step(source),
            Error::Died(_) => ReportKind::Internal,
        };
        Self::new(kind, error.to_string())
    }
}

impl Error {
    /// Makes the error of a step from the kernel's answer.
    pub(crate) fn step(step: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Step { step, source }
    }
}
