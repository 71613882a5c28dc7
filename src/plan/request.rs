use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{LogRequest, PullPolicy, ServiceRequest};

/// What was asked for: one field for each option, in the option's own grammar, absent where nothing was said.
///
/// Any front end may fill it in: the command line, a unit, an HTTP API. It holds no default: those are the image's, the
/// settings' and rc's, joined in `resolve`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Request {
    /// The image, as typed: a reference or an id.
    pub image: String,
    /// The command and its arguments; empty: the image's.
    pub command: Vec<String>,
    /// `--entrypoint`: a program, a JSON array, or empty for none.
    pub entrypoint: Option<String>,
    /// `--name`.
    pub name: Option<String>,
    /// `--replace`: a container of that name is removed first.
    pub replace: bool,
    /// `--detach`, and `create`: nobody waits at the program's output.
    pub detach: bool,
    /// `--interactive`.
    pub interactive: bool,
    /// `--tty`.
    pub tty: bool,
    /// `--rm`.
    pub auto_remove: bool,
    /// `--init`.
    pub init: bool,
    /// `--detach-keys`.
    pub detach_keys: Option<String>,
    /// `--cgroups`: `enabled`, `disabled`, `no-conmon` or `split`.
    pub cgroups: Option<String>,
    /// `--cgroupns`: `private` or `host`.
    pub cgroupns: Option<String>,
    /// `--cgroup-parent`: a slice, or the absolute path of a group.
    pub cgroup_parent: Option<String>,
    /// `--cgroup-conf`: `FILE=VALUE`.
    pub cgroup_conf: Vec<String>,
    /// `--cidfile`.
    pub cidfile: Option<PathBuf>,
    /// `--env`: `NAME=value`, `NAME` or `NAME*`.
    pub env: Vec<String>,
    /// `--env-file`, read.
    pub env_files: Vec<TextFile>,
    /// `--http-proxy`: the caller's proxy variables are passed on; yes unless told otherwise.
    pub http_proxy: Option<bool>,
    /// `--user`.
    pub user: Option<String>,
    /// `--group-add`.
    pub groups: Vec<String>,
    /// `--workdir`.
    pub working_dir: Option<String>,
    /// `--label`: `NAME=value` or `NAME`.
    pub labels: Vec<String>,
    /// `--label-file`, read.
    pub label_files: Vec<TextFile>,
    /// `--hostname`.
    pub hostname: Option<String>,
    /// `--add-host`: `NAME:ADDRESS`.
    pub add_hosts: Vec<String>,
    /// `--dns`.
    pub dns: Vec<String>,
    /// `--dns-search`.
    pub dns_search: Vec<String>,
    /// `--dns-option`.
    pub dns_options: Vec<String>,
    /// `--network`.
    pub network: Option<String>,
    /// `--publish`.
    pub publish: Vec<String>,
    /// `--volume`.
    pub volumes: Vec<String>,
    /// `--tmpfs`.
    pub tmpfs: Vec<String>,
    /// `--read-only`.
    pub read_only: bool,
    /// `--read-only-tmpfs`: with `--read-only`, `/run`, `/tmp` and `/var/tmp` stay writable; yes unless told otherwise.
    pub read_only_tmpfs: Option<bool>,
    /// `--shm-size`.
    pub shm_size: Option<String>,
    /// `--cap-add`.
    pub cap_add: Vec<String>,
    /// `--cap-drop`.
    pub cap_drop: Vec<String>,
    /// `--security-opt`.
    pub security_opts: Vec<String>,
    /// The limits by cgroup.
    pub limits: LimitRequest,
    /// `--ulimit`.
    pub ulimits: Vec<String>,
    /// `--restart`.
    pub restart: Option<String>,
    /// `--stop-signal`.
    pub stop_signal: Option<String>,
    /// `--stop-timeout`, seconds.
    pub stop_timeout: Option<u32>,
    /// Where the output goes.
    pub log: LogRequest,
    /// What concerns a service manager.
    pub service: ServiceRequest,
    /// `--pull`.
    pub pull: Option<PullPolicy>,
    /// `--platform`.
    pub platform: Option<String>,
    /// `--tls-verify`.
    pub tls_verify: Option<bool>,
    /// The command line that asked, without values of the environment; empty if there was none.
    pub create_command: Vec<String>,
}

/// The limits by cgroup that were asked for, as typed: by `run` and `create`, and by `update`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct LimitRequest {
    /// `--memory`.
    pub memory: Option<String>,
    /// `--memory-swap`: memory and swap together; -1 is no limit.
    pub memory_swap: Option<String>,
    /// `--memory-reservation`.
    pub memory_reservation: Option<String>,
    /// `--cpus`.
    pub cpus: Option<String>,
    /// `--cpu-shares`.
    pub cpu_shares: Option<u64>,
    /// `--cpu-quota`, microseconds.
    pub cpu_quota: Option<i64>,
    /// `--cpu-period`, microseconds.
    pub cpu_period: Option<u64>,
    /// `--cpuset-cpus`.
    pub cpuset_cpus: Option<String>,
    /// `--cpuset-mems`.
    pub cpuset_mems: Option<String>,
    /// `--blkio-weight`.
    pub blkio_weight: Option<u16>,
    /// `--blkio-weight-device`: `DEVICE:WEIGHT`.
    pub blkio_weight_devices: Vec<String>,
    /// `--device-read-bps`: `DEVICE:RATE`.
    pub device_read_bps: Vec<String>,
    /// `--device-write-bps`.
    pub device_write_bps: Vec<String>,
    /// `--device-read-iops`.
    pub device_read_iops: Vec<String>,
    /// `--device-write-iops`.
    pub device_write_iops: Vec<String>,
    /// `--pids-limit`; 0 and -1 are no limit.
    pub pids_limit: Option<i64>,
}

/// A file that an option named, read by the front end: `resolve` opens nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TextFile {
    /// The path, as typed, for errors.
    pub path: String,
    /// The content.
    pub text: String,
}
