//! The resources of a container, as its configuration has them: limits, the cgroup, resource limits of the process.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Limits; absent ones are not set, and need no cgroup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Limits {
    /// Bytes of memory, `memory.max`.
    pub(crate) memory: Option<u64>,
    /// Bytes of memory and swap together; -1 is no limit, absent twice the memory.
    pub(crate) memory_swap: Option<i64>,
    /// Bytes of memory that are reclaimed last, `memory.low`.
    pub(crate) memory_reservation: Option<u64>,
    /// Thousandths of a CPU (1500 is one and a half), `cpu.max`. Excludes quota and period.
    pub(crate) milli_cpus: Option<u64>,
    /// The share of CPU time under contention, `cpu.weight`; the default is 1024.
    pub(crate) cpu_shares: Option<u64>,
    /// Microseconds of CPU time per period, `cpu.max`.
    pub(crate) cpu_quota: Option<u64>,
    /// Microseconds of a period, `cpu.max`.
    pub(crate) cpu_period: Option<u64>,
    /// CPUs, as `0-3,7`.
    pub(crate) cpuset_cpus: Option<String>,
    /// Memory nodes, as `0-1`.
    pub(crate) cpuset_mems: Option<String>,
    /// The share of disk time, 10 to 1000.
    pub(crate) blkio_weight: Option<u16>,
    /// Limits for single devices.
    pub(crate) devices: Vec<DeviceValue>,
    /// Processes and threads, `pids.max`, as requested; the default limit is not included.
    pub(crate) pids: Option<u64>,
    /// The limit of processes if none was requested: set if a cgroup is available; it is no error if none is.
    pub(crate) default_pids: Option<u64>,
}

/// A limit for one block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeviceValue {
    /// What is limited.
    pub(crate) what: Throttle,
    /// The device as it was typed.
    pub(crate) path: String,
    /// Its major number when it was typed.
    pub(crate) major: u32,
    /// Its minor number.
    pub(crate) minor: u32,
    /// The weight, or the rate per second.
    pub(crate) value: u64,
}

impl DeviceValue {
    /// Whether both limit the same thing of the same device.
    pub(crate) fn is_same_limit(&self, other: &Self) -> bool {
        (self.what, self.major, self.minor) == (other.what, other.major, other.minor)
    }
}

/// What is limited of a block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Throttle {
    /// The share of its time, 10 to 1000.
    Weight,
    /// Bytes that are read.
    ReadBps,
    /// Bytes that are written.
    WriteBps,
    /// Reading operations.
    ReadIops,
    /// Writing operations.
    WriteIops,
}

/// The container's cgroup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Cgroup {
    /// Whether there is one, and where it may be created.
    pub(crate) mode: CgroupMode,
    /// What the program sees of it.
    pub(crate) namespace: CgroupNamespace,
    /// The slice (`NAME.slice`) or the cgroup (an absolute path) that it is created in; absent: the cgroup of rc itself
    /// decides.
    pub(crate) parent: Option<String>,
    /// Control files and what is written to them.
    pub(crate) conf: BTreeMap<String, String>,
}

/// Whether a container has a cgroup of its own (`--cgroups`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CgroupMode {
    /// In place, else a scope of the service manager, else none.
    #[default]
    Enabled,
    /// None.
    Disabled,
    /// In place, or an error.
    Split,
    /// In place, else none: the monitor is not moved to a scope.
    NoConmon,
}

impl CgroupMode {
    /// The value of `--cgroups`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Split => "split",
            Self::NoConmon => "no-conmon",
        }
    }
}

/// What the program sees of the cgroups (`--cgroupns`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CgroupNamespace {
    /// Its own, as the root.
    #[default]
    Private,
    /// All of the host's, read-only.
    Host,
}

/// A resource limit of the program's process. Source: getrlimit(2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rlimit {
    /// The resource, as `RLIMIT_NOFILE`.
    pub(crate) name: String,
    /// The soft limit in the resource's own unit; `u64::MAX` is none.
    pub(crate) soft: u64,
    /// The hard limit; `u64::MAX` is none.
    pub(crate) hard: u64,
}
