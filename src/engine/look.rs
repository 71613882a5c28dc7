//! Logs, processes and statistics of containers.

use std::os::fd::{AsFd as _, OwnedFd};

use super::context::Context;
use super::select::find;
use crate::container::logs::{self, Select, Sink};
use crate::container::{self, Container, Names, Process, Sample};
use crate::monitor::Status;
use crate::plan::LogDriver;
use crate::sys::proc::Entry;
use crate::sys::process;
use crate::sys::process_id::ProcessId;
use crate::types::{ContainerId, Report, ReportKind};
use crate::view::Namespaces;

/// The log of a container.
#[derive(Debug)]
pub(crate) struct Log {
    container: Container,
    /// A pidfd of the monitor, if the reader waits for what it has yet to write.
    writer: Option<OwnedFd>,
    follows: bool,
}

/// Opens the log of a container; with `follows`, reading waits until the monitor exits. Fails if it has no log.
pub(crate) fn log(context: &Context, name: &str, follows: bool) -> Result<Log, Report> {
    let container = find(context, name)?;
    if !matches!(container.config.log_driver, LogDriver::K8sFile | LogDriver::Journald) {
        let name = &container.config.name;
        let message = match container.config.log_driver.is_passthrough() {
            true => format!("container `{name}` has no log: its output went past rc (`--log-driver passthrough`)"),
            false => format!("container `{name}` has no log"),
        };
        let hint = "create the container with `--log-driver k8s-file`";
        return Err(Report::new(ReportKind::Unsupported, message).with_hint(hint));
    }
    let writer = if follows { writer(&container)? } else { None };
    Ok(Log { container, writer, follows })
}

impl Log {
    /// The container's name.
    pub(crate) fn name(&self) -> &str {
        self.container.config.name.as_str()
    }

    /// The container's ID.
    pub(crate) fn id(&self) -> &ContainerId {
        &self.container.config.id
    }

    /// Passes the entries that `select` matches to `sink`, oldest first.
    pub(crate) fn read<S: Sink>(&self, select: &Select, sink: &mut S) -> Result<(), logs::Error<S::Error>> {
        let config = &self.container.config;
        let log = &self.container.log();
        let writer = self.writer.as_ref().map(|writer| writer.as_fd());
        match (config.log_driver, self.follows) {
            (LogDriver::Journald, _) => logs::journal(&config.id, select, writer, sink),
            (_, true) => logs::follow(log, select, writer, sink),
            (_, false) => logs::read(log, select, sink),
        }
    }
}

/// The namespaces of a container's first process; those of one that does not run are not known.
pub(crate) fn namespaces(container: &Container) -> Namespaces {
    let Some(init) = &container.state.init else { return Namespaces::default() };
    let Some(process) = Entry::open(init.pid) else { return Namespaces::default() };
    let number = |name: &str| {
        let link = process.link(&format!("ns/{name}")).ok()?;
        // `net:[4026531840]`. Source: namespaces(7).
        str::from_utf8(&link).ok()?.split(['[', ']']).nth(1)?.parse().ok()
    };
    let number = |name| number(name).unwrap_or(0);
    let (cgroup, ipc, mnt, net) = (number("cgroup"), number("ipc"), number("mnt"), number("net"));
    let found = Namespaces { cgroup, ipc, mnt, net, pid: number("pid"), user: number("user"), uts: number("uts") };
    // What was opened may have been another process with its PID.
    if ProcessId::is_alive(init) { found } else { Namespaces::default() }
}

/// A pidfd of the monitor, which writes the last byte of the log before it exits; `None` if the container has no
/// monitor.
fn writer(container: &Container) -> Result<Option<OwnedFd>, Report> {
    let Some(pid) = container.monitor else { return Ok(None) };
    let Ok(pidfd) = process::open_pidfd(pid) else { return Ok(None) };
    // Check the lock again: if the monitor had exited before, its process ID could belong to another process by now.
    Ok((container.directory.holder()? == Some(pid)).then_some(pidfd))
}

/// The processes of a container, and the names of their users and groups.
pub(crate) fn processes(context: &Context, name: &str) -> Result<(Vec<Process>, Names), Report> {
    Ok(container::processes(&find(context, name)?)?)
}

/// The containers of these names, without names the running ones (all of them, with `all`), and what each running one
/// uses.
pub(crate) fn usage(
    context: &Context,
    names: &[String],
    all: bool,
) -> Result<Vec<(Container, Option<Sample>)>, Report> {
    let store = context.store_to_read()?;
    let containers = if names.is_empty() {
        let found = container::list(&store)?.containers;
        found.into_iter().filter(|container| all || is_up(container.status)).collect()
    } else {
        names.iter().map(|name| container::find(&store, name)).collect::<Result<Vec<_>, _>>()?
    };
    usage_of(containers)
}

/// What each of these containers uses; `None` of one that does not run.
pub(crate) fn usage_of(containers: Vec<Container>) -> Result<Vec<(Container, Option<Sample>)>, Report> {
    let mut seen = Vec::with_capacity(containers.len());
    for container in containers {
        let used = match container::sample(&container) {
            Ok(used) => Some(used),
            // It does not run, or has exited meanwhile.
            Err(container::Error::State { .. }) => None,
            Err(_) if Container::read(container.directory.clone()).is_ok_and(|now| !is_up(now.status)) => None,
            Err(error) => return Err(error.into()),
        };
        seen.push((container, used));
    }
    Ok(seen)
}

fn is_up(status: Status) -> bool {
    matches!(status, Status::Running | Status::Paused | Status::Stopping | Status::Orphaned)
}
