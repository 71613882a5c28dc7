//! What containers say and use: logs, processes, statistics.

use std::os::fd::{AsFd as _, OwnedFd};

use super::context::Context;
use super::select::find;
use crate::container::logs::{self, Select, Sink};
use crate::container::{self, Container, Names, Process, Sample};
use crate::monitor::Status;
use crate::plan::LogDriver;
use crate::sys::process;
use crate::types::{Report, ReportKind};

/// The log of a container.
#[derive(Debug)]
pub(crate) struct Log {
    container: Container,
    /// A pidfd of the monitor, if what it has yet to write is waited for.
    writer: Option<OwnedFd>,
    follows: bool,
}

/// Opens the log of a container, which is followed until its monitor ends if `follows`. Fails if it keeps none.
pub(crate) fn log(context: &Context, name: &str, follows: bool) -> Result<Log, Report> {
    let container = find(context, name)?;
    if !matches!(container.config.log_driver, LogDriver::K8sFile | LogDriver::Journald) {
        let message = format!("container `{}` keeps no log", container.config.name);
        let hint = "a container keeps one with `--log-driver k8s-file`";
        return Err(Report::new(ReportKind::Unsupported, message).with_hint(hint));
    }
    let writer = if follows { writer(&container)? } else { None };
    Ok(Log { container, writer, follows })
}

impl Log {
    /// Hands over the entries that `select` means, oldest first.
    pub(crate) fn read<S: Sink>(&self, select: &Select, sink: &mut S) -> Result<(), logs::Error<S::Error>> {
        let config = &self.container.config;
        let directory = self.container.directory.path();
        let writer = self.writer.as_ref().map(|writer| writer.as_fd());
        match (config.log_driver, self.follows) {
            (LogDriver::Journald, _) => logs::journal(&config.id, select, writer, sink),
            (_, true) => logs::follow(directory, select, writer, sink),
            (_, false) => logs::read(directory, select, sink),
        }
    }
}

/// A pidfd of the monitor, which writes the last byte of the log before it ends; `None` if there is no monitor (any
/// more).
fn writer(container: &Container) -> Result<Option<OwnedFd>, Report> {
    let Some(pid) = container.monitor else { return Ok(None) };
    let Ok(pidfd) = process::open_pidfd(pid) else { return Ok(None) };
    // The lock is asked again: had the monitor ended before, the pid could be another's by now.
    Ok((container.directory.holder()? == Some(pid)).then_some(pidfd))
}

/// The processes of a container, and what names their users and groups have.
pub(crate) fn processes(context: &Context, name: &str) -> Result<(Vec<Process>, Names), Report> {
    Ok(container::processes(&find(context, name)?)?)
}

/// The containers of these names, or those that run (all, with `all`) if there are none, and what each uses that runs.
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
    let mut seen = Vec::with_capacity(containers.len());
    for container in containers {
        let used = match container::sample(&container) {
            Ok(used) => Some(used),
            // It does not run, or has ended since.
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
