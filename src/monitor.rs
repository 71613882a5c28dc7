//! One process per container: pty, log, control socket, exit code, clean-up.
//!
//! The monitor is a fork of the command that starts the container. It is the only parent of the container's processes,
//! the only process that waits for them, and the only writer of the exit code. It has one thread and sleeps in poll(2).
//! It knows only its own container: `directory` describes its files, `protocol` the requests that it answers.

mod answer;
mod cgroup_source;
mod change;
mod checkup;
mod chronicle;
mod connections;
mod directory;
mod exec;
mod files;
mod health;
mod jobs;
mod launcher;
mod life;
mod log;
mod members;
mod networks;
mod notify;
mod parts;
mod pidfile;
mod pod;
mod program;
pub(crate) mod protocol;
mod record;
mod records;
mod relay;
mod restart;
mod revive;
mod serve;
mod start;
mod stdio;
mod stream;
mod timers;
mod worker;

pub(crate) use cgroup_source::{
    Purpose, Source, ask as ask_for_cgroup, available, cgroup_name, describe_scope, pod_cgroup,
};
pub(crate) use chronicle::container_event;
pub(crate) use directory::{ContainerDir, Error as ContainerDirError};
pub(crate) use files::{Error as FilesError, files};
pub(crate) use life::run;
pub(crate) use networks::told;
pub(crate) use notify::send_waiting;
pub(crate) use record::{ExitRecord, HealthResult, HealthStatus, Run, State, Status, now};
pub(crate) use revive::{MemberOf, Revive};
pub(crate) use start::{Listen, Owner, SecretVariables, Start, Starter, Stdio};
