use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ContainerId, host_path};

/// A kind of namespace that a container may share with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum NamespaceKind {
    /// User and group IDs, and what root may do.
    User,
    /// Processes.
    Pid,
    /// Shared memory, semaphores and message queues.
    Ipc,
    /// Host names.
    Uts,
    /// The network.
    Network,
    /// What is seen of the cgroups.
    Cgroup,
}

/// Whose namespace a container has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Joined {
    /// Another container's.
    Container(ContainerId),
    /// The one at a path of the host.
    Path(#[serde(with = "host_path")] PathBuf),
}

impl std::fmt::Display for Joined {
    /// In the grammar of `--pid` and its kin.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Container(id) => write!(f, "container:{id}"),
            Self::Path(path) => write!(f, "ns:{}", path.display()),
        }
    }
}
