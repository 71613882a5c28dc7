//! What the plan of a container must know besides the request and the image: the settings, the caller and the host.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use super::{Found, HostIds};
use crate::types::{ContainerId, Name, Network, NetworkDriver};

/// Values for what neither the command line nor the image sets: rc's defaults, changed by `rc.toml`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Defaults {
    /// The network.
    pub(crate) network: Network,
    /// Where published ports listen when `--publish` names no address; `None` is every IPv4 address.
    pub(crate) publish_address: Option<IpAddr>,
    /// Name servers; empty: the host's.
    pub(crate) dns: Vec<IpAddr>,
    /// What `/etc/hosts` begins with, as for `--hosts-file`; empty: the usual lines.
    pub(crate) hosts_file: String,
    /// Variables below those of the image, as for `--env`.
    pub(crate) env: Vec<String>,
    /// `no_new_privs` for every container.
    pub(crate) no_new_privileges: bool,
    /// The limit of processes, if a cgroup is available.
    pub(crate) pids_limit: Option<u64>,
    /// Bytes of `/dev/shm`.
    pub(crate) shm_size: u64,
    /// Seconds that `stop` waits.
    pub(crate) stop_timeout: u32,
    /// The sequence that leaves a terminal.
    pub(crate) detach_keys: String,
    /// Bytes of one log file.
    pub(crate) log_max_size: u64,
    /// Log files kept.
    pub(crate) log_max_files: u32,
}

impl Default for Defaults {
    /// What rc does without any `rc.toml`.
    fn default() -> Self {
        Self {
            network: NetworkDriver::Slirp4netns.into(),
            publish_address: None,
            dns: Vec::new(),
            hosts_file: String::new(),
            env: Vec::new(),
            no_new_privileges: false,
            pids_limit: Some(2048),
            shm_size: 64 << 20,
            stop_timeout: 10,
            detach_keys: "ctrl-p,ctrl-q".to_owned(),
            log_max_size: 10 << 20,
            log_max_files: 3,
        }
    }
}

/// What `resolve` must know of the caller and the host.
pub(crate) struct Facts {
    /// The settings.
    pub(crate) defaults: Defaults,
    /// The caller's environment, for `-e NAME` and the proxies; variables that are not UTF-8 are left out.
    pub(crate) environment: Vec<(String, String)>,
    /// The caller's directory, absolute: relative sources of `--volume` start there.
    pub(crate) working_dir: PathBuf,
    /// The host's name, which a container on the host's network shows.
    pub(crate) host_name: String,
    /// The version of its kernel, major and minor.
    pub(crate) kernel: (u32, u32),
    /// The user's IDs.
    pub(crate) ids: HostIds,
    /// What was looked up for this request: what [`needs`] says.
    pub(crate) found: Found,
}

impl fmt::Debug for Facts {
    /// Leaves the environment out: it holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("defaults", &self.defaults)
            .field("working_dir", &self.working_dir)
            .field("found", &self.found)
            .finish_non_exhaustive()
    }
}

/// The identity of a new container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its id.
    pub(crate) id: ContainerId,
    /// Its name, reserved.
    pub(crate) name: Name,
    /// Now, RFC 3339 with nanoseconds, UTC.
    pub(crate) created: String,
}
