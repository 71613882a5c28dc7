//! One process per container: pty, log, control socket, exit code, clean-up.
//!
//! The monitor is a fork of the command that starts the container. It is the one parent and waiter of the container's
//! processes and the one writer of its exit code; it has one thread and sleeps in poll(2). It keeps no list of anything
//! beyond its own container: `directory` describes what it leaves on disk, `protocol` what it can be asked.

mod answer;
mod attempt;
mod change;
mod connections;
mod directory;
mod exec;
mod group;
mod journal;
mod life;
mod log;
mod notify;
mod pidfile;
pub(crate) mod protocol;
mod record;
mod relay;
mod restart;
mod serve;
mod sink;
mod start;
mod stdio;
mod worker;

pub(crate) use directory::{ContainerDir, Error as ContainerDirError};
pub(crate) use group::{Purpose, Source, ask as ask_for_group, available};
pub(crate) use life::run;
pub(crate) use notify::send_patiently;
pub(crate) use record::{ExitRecord, ProcessId, Run, State, Status, now};
pub(crate) use start::{Keeper, Listen, Start, Starter, Stdio};

/// The name of a container's cgroup.
pub(crate) fn group_name(id: &crate::types::ContainerId) -> String {
    format!("rc-{id}")
}
