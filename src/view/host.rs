//! What `info` shows, before it has a shape.

use crate::settings;

/// A line of an ID map: the first ID in the container, the first on the host, the count.
pub(super) type Extent = (u32, u32, u32);

/// The object of `info`, which the engine fills in.
#[derive(Debug, Default)]
pub(crate) struct Info {
    /// The delegated controllers, which rc can use for limits.
    pub(crate) cgroup_controllers: Vec<String>,
    /// How a container gets a cgroup: `cgroupfs` in a delegated one, `systemd` by a scope, `none`.
    pub(crate) cgroup_manager: &'static str,
    /// `v2`; anything else is not supported.
    pub(crate) cgroup_version: &'static str,
    /// CPUs that rc can use.
    pub(crate) cpus: usize,
    /// `ID`, `VERSION_ID` and `VERSION_CODENAME` of os-release(5).
    pub(crate) distribution: [String; 3],
    /// The type of the store's filesystem: `extfs`, docker's name; in hexadecimal if it has none.
    pub(crate) filesystem: String,
    /// The hostname.
    pub(crate) hostname: String,
    /// The map of users.
    pub(crate) uid_map: Vec<Extent>,
    /// The map of groups.
    pub(crate) gid_map: Vec<Extent>,
    /// If rc maps only one ID: why, and the fix.
    pub(crate) single_id: Option<String>,
    /// The kernel's release.
    pub(crate) kernel: String,
    /// Bytes of memory: free, total; then of swap: free, total.
    pub(crate) memory: [u64; 4],
    /// The default network of containers.
    pub(crate) network: String,
    /// Seconds since boot.
    pub(crate) uptime: u64,
    /// Helper programs and their paths; `None`: not found.
    pub(crate) helpers: Vec<(&'static str, Option<String>)>,
    /// The storage driver, and why it was chosen.
    pub(crate) storage: (String, String),
    /// The paths of the store, the runtime directory, the volumes and the user's configuration file.
    pub(crate) directories: [String; 4],
    /// Total and used bytes of the store's filesystem.
    pub(crate) disk: [u64; 2],
    /// Containers: total, running, paused, stopped.
    pub(crate) containers: [usize; 4],
    /// The number of images.
    pub(crate) images: usize,
    /// Now, RFC 3339.
    pub(crate) time: String,
    /// Every setting with its origin.
    pub(crate) settings: Vec<settings::Entry>,
}
