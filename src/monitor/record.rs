//! `state.json`: what a container's monitor last wrote about it. Readers never trust it alone: they check the lock and
//! the kernel, too (`container::liveness`). Beside it: `exit`, and `health.json`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::sys::process_id::ProcessId;
use crate::types::NetworkState;

/// The status words of podman, and `orphaned`: the monitor was killed and the program lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// Created, never started.
    Created,
    /// The monitor is starting it.
    Starting,
    /// It is prepared, and its process 1 waits until `start` has it become the program (`rc init`).
    Initialized,
    /// The program runs.
    Running,
    /// Frozen.
    Paused,
    /// A stop was requested and the program has not ended yet.
    Stopping,
    /// It has ended, and is started again after a pause. Never on disk: the exit record says so, and the monitor lives.
    Restarting,
    /// Ended.
    Exited,
    /// Being removed.
    Removing,
    /// The monitor was killed and the program lives. Never on disk: readers find out.
    Orphaned,
}

impl Status {
    /// The status for a word of podman's or docker's; `None` if rc has no such status.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "created" | "configured" => Self::Created,
            "starting" => Self::Starting,
            "initialized" => Self::Initialized,
            "running" => Self::Running,
            "paused" => Self::Paused,
            "restarting" => Self::Restarting,
            "stopping" => Self::Stopping,
            "exited" | "stopped" => Self::Exited,
            "removing" => Self::Removing,
            "orphaned" => Self::Orphaned,
            _ => return None,
        })
    }

    /// The words, for sentences.
    pub(crate) const WORDS: &'static str =
        "created, starting, initialized, running, paused, restarting, stopping, exited, removing, orphaned";

    /// The word, as `ps` and `inspect` show it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Starting => "starting",
            Self::Initialized => "initialized",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::Removing => "removing",
            Self::Orphaned => "orphaned",
        }
    }
}

/// One run of the program: a container may be started many times, and an exit record belongs to one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run(pub(crate) u64);

/// How the program ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExitRecord {
    /// The exit code, as in a shell: 128 + n for signal n.
    pub(crate) code: i32,
    /// When, RFC 3339 with nanoseconds, UTC.
    pub(crate) at: String,
    /// The kernel has killed a process of the container because of the memory limit.
    #[serde(default)]
    pub(crate) oom_killed: bool,
    /// A sentence if the program did not end by itself (`monitor killed`), else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) error: String,
    /// The user has stopped it.
    #[serde(default)]
    pub(crate) stopped_by_user: bool,
    /// The restart policy starts it again, as long as the monitor lives.
    #[serde(default)]
    pub(crate) restarts: bool,
}

/// The content of `state.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    /// The last status that was written.
    pub(crate) status: Status,
    /// PID 1 of the container, once there is one.
    #[serde(default)]
    pub(crate) init: Option<ProcessId>,
    /// When the program was started last.
    #[serde(default)]
    pub(crate) started_at: Option<String>,
    /// Which run this is: 0 before the first start.
    #[serde(default)]
    pub(crate) run: u64,
    /// How it ended, if it has: read from the file `exit`, never from this one.
    #[serde(skip)]
    pub(crate) exit: Option<ExitRecord>,
    /// What its health checks say, if it has some: read from `health.json`, never from this file.
    #[serde(skip)]
    pub(crate) health: Option<HealthRecord>,
    /// How often it was restarted.
    #[serde(default)]
    pub(crate) restart_count: u32,
    /// Why the last start has failed; empty since the next one, or if none has. Of a restart, the exit record says it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) start_error: String,
    /// The addresses and ports that it got.
    #[serde(flatten)]
    pub(crate) network: NetworkState,
    /// The cgroup, relative to the cgroup2 mount, if the container has one of its own.
    #[serde(default)]
    pub(crate) cgroup: Option<String>,
}

/// The content of `health.json`: what the health checks say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthRecord {
    /// What the results amount to.
    pub(crate) status: HealthStatus,
    /// How many checks have failed in a row, those of the start period not counted.
    pub(crate) failing_streak: u32,
    /// The last results, oldest first.
    pub(crate) log: Vec<HealthResult>,
}

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthResult {
    /// When it began, RFC 3339 with nanoseconds, UTC.
    pub(crate) start: String,
    /// When it ended.
    pub(crate) end: String,
    /// Its exit code; -1 if it had to be killed.
    pub(crate) exit_code: i32,
    /// The beginning of its output, or why it could not be run.
    pub(crate) output: String,
}

/// What the results of checks amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum HealthStatus {
    /// No check has passed since the start, and too few have failed.
    Starting,
    /// The last check has passed, or too few have failed since.
    Healthy,
    /// Too many have failed in a row.
    Unhealthy,
}

impl HealthStatus {
    /// The status for a word of podman's or docker's.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        [Self::Starting, Self::Healthy, Self::Unhealthy].into_iter().find(|status| status.as_str() == word)
    }

    /// The word, as `inspect` shows it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl HealthRecord {
    /// That of a program that has just been started.
    pub(super) fn of_start() -> Self {
        Self { status: HealthStatus::Starting, failing_streak: 0, log: Vec::new() }
    }
}

/// Now, RFC 3339 with nanoseconds, UTC.
pub(crate) fn now() -> String {
    format!("{:.9}", Timestamp::now())
}
