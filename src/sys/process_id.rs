use serde::{Deserialize, Serialize};

use super::process;

/// A process, told apart from a later one with the same PID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProcessId {
    /// The PID in the host's namespace.
    pub(crate) pid: i32,
    /// Field 22 of `/proc/PID/stat`: clock ticks since boot.
    pub(crate) start_time: u64,
    /// `/proc/sys/kernel/random/boot_id`.
    pub(crate) boot_id: String,
}

impl ProcessId {
    /// The live process `pid` of this boot; `None` if it has ended.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let start_time = process::start_time(pid)?;
        Some(Self { pid, start_time, boot_id: process::boot_id().ok()? })
    }

    /// Whether this process still lives.
    pub(crate) fn is_alive(&self) -> bool {
        process::start_time(self.pid) == Some(self.start_time) && process::boot_id().is_ok_and(|id| id == self.boot_id)
    }
}
