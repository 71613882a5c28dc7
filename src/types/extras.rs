use serde::{Deserialize, Serialize};

use super::{ContainerId, NamespaceKind};

/// What determines a container's processes beyond the runtime spec: the other half of the seam between the plan and the
/// runtime.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Extras {
    /// Groups of the program by name or number, beyond those of its user. Names are looked up in the container's root
    /// file system, as the user is.
    pub(crate) groups: Vec<String>,
    /// The program has the groups of the caller instead, which it cannot name.
    pub(crate) keep_groups: bool,
    /// PID 1 is rc's own init; the program is its child.
    pub(crate) init: bool,
    /// PID 1 runs no program: it keeps the namespaces of a pod.
    pub(crate) rests: bool,
    /// The program is confined by rc's own system call filter, which is compiled in. The spec's `linux.seccomp` is for
    /// every other filter.
    pub(crate) default_filter: bool,
    /// The most processes and threads of the cgroup if the spec sets no limit; set only if a cgroup is available.
    pub(crate) default_pids: Option<u64>,
    /// The program may create further user namespaces.
    pub(crate) user_namespaces: bool,
    /// Namespaces of other containers that it has.
    pub(crate) joined: Vec<(NamespaceKind, ContainerId)>,
    /// Users that the container's `/etc/passwd` gets, unless one there has the ID.
    pub(crate) users: Vec<Account>,
    /// Groups that its `/etc/group` gets.
    pub(crate) group_lines: Vec<Account>,
    /// Links in the root file system, which devices need.
    pub(crate) links: Vec<Link>,
}

/// A symbolic link in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Link {
    /// Where it is, absolute.
    pub(crate) path: String,
    /// Where it leads.
    pub(crate) target: String,
}

/// A line of passwd(5) or group(5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Account {
    /// The ID in it.
    pub(crate) id: u32,
    /// The whole line.
    pub(crate) line: String,
}
