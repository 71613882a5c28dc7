//! The namespaces of a container, as `ps --ns` shows them.

use serde_json::{Map, Value};

use super::PsRow;

/// The columns of `ps --ns`. Source: podman `cmd/podman/containers/ps.go`.
pub(crate) const NAMESPACE_COLUMNS: [&str; 10] =
    ["CONTAINER ID", "NAMES", "PID", "CGROUPNS", "IPC", "MNT", "NET", "PIDNS", "USERNS", "UTS"];

/// The kernel's numbers of the namespaces of a container's first process; 0 for one that is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Namespaces {
    /// Cgroups.
    pub(crate) cgroup: u64,
    /// System V IPC and message queues.
    pub(crate) ipc: u64,
    /// Mounts.
    pub(crate) mnt: u64,
    /// The network.
    pub(crate) net: u64,
    /// Process IDs.
    pub(crate) pid: u64,
    /// Users.
    pub(crate) user: u64,
    /// The host name.
    pub(crate) uts: u64,
}

impl Namespaces {
    /// Podman's fields for templates, in the order of the columns, and what they show.
    pub(super) fn named(&self) -> [(&'static str, String); 7] {
        let shown = |number: u64| if number == 0 { String::new() } else { number.to_string() };
        [
            ("CGROUPNS", shown(self.cgroup)),
            ("IPC", shown(self.ipc)),
            ("MNT", shown(self.mnt)),
            ("NET", shown(self.net)),
            ("PIDNS", shown(self.pid)),
            ("USERNS", shown(self.user)),
            ("UTS", shown(self.uts)),
        ]
    }

    /// Podman's object, without those that are not known.
    pub(super) fn object(&self) -> Value {
        let names = ["Cgroup", "Ipc", "Mnt", "Net", "Pidns", "User", "Uts"];
        let known = names.into_iter().zip(self.named()).filter(|(_, (_, shown))| !shown.is_empty());
        Value::Object(known.map(|(name, (_, shown))| (name.to_owned(), shown.into())).collect::<Map<_, _>>())
    }
}

impl PsRow<'_> {
    /// The cells under [`NAMESPACE_COLUMNS`].
    pub(crate) fn namespace_cells(&self) -> Vec<String> {
        let first = [self.id(), self.config.name.to_string(), self.pid().to_string()];
        first.into_iter().chain(self.namespaces.named().map(|(_, shown)| shown)).collect()
    }
}
