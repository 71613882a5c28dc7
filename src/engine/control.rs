//! What is done to containers that are there: stop, kill, pause, unpause, update, wait, remove.

use std::time::Duration;

use super::context::Context;
use super::facts::block_devices;
use super::observer::Observer;
use super::select::{Selection, each, each_even_damaged, find};
use super::sweep::sweep_all;
use crate::container::{self, Removal};
use crate::monitor::Status;
use crate::plan::{Changes, LimitRequest};
use crate::types::{ContainerId, Report, Signal};

/// How containers are stopped.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    /// Instead of the container's own signal.
    pub(crate) signal: Option<Signal>,
    /// Seconds before SIGKILL, instead of the container's own.
    pub(crate) timeout: Option<u32>,
}

/// Stops containers; with a selection of many those that run.
pub(crate) fn stop(
    context: &Context,
    selection: &Selection,
    how: &Stop,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    let is_of_many = selection.is_of_many();
    each(context, &context.store_to_read()?, selection, observer, |container| {
        if is_of_many && !container.is_running() {
            return Ok(false);
        }
        // It cannot see the signal; with `all` it was not meant. Source: podman, `StopWithTimeout`.
        if container.status == Status::Paused {
            let name = container.config.name.to_string();
            let refused = container::Error::State { action: "stop", name, status: container.status };
            return if is_of_many { Ok(false) } else { Err(refused.into()) };
        }
        // A container that does not run is stopped already.
        let was_running = container::stop(container, how.signal, how.timeout)?.is_some();
        Ok(was_running || !is_of_many)
    })
}

/// Sends a signal to programs; with `all` to those that run.
pub(crate) fn kill(
    context: &Context,
    selection: &Selection,
    signal: Signal,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    each(context, &context.store_to_read()?, selection, observer, |container| {
        if selection.all && !container.is_running() {
            return Ok(false);
        }
        container::signal(container, signal)?;
        Ok(true)
    })
}

/// Freezes all processes of containers; with a selection of many of those that run.
pub(crate) fn pause(context: &Context, selection: &Selection, observer: &mut dyn Observer) -> Result<(), Report> {
    each(context, &context.store_to_read()?, selection, observer, |container| {
        if selection.is_of_many() && container.status != Status::Running {
            return Ok(false);
        }
        container::pause(container)?;
        Ok(true)
    })
}

/// Lets the processes of containers go on; with a selection of many of those that are paused.
pub(crate) fn unpause(context: &Context, selection: &Selection, observer: &mut dyn Observer) -> Result<(), Report> {
    each(context, &context.store_to_read()?, selection, observer, |container| {
        if selection.is_of_many() && container.status != Status::Paused {
            return Ok(false);
        }
        container::unpause(container)?;
        Ok(true)
    })
}

/// Removes containers, damaged ones too, and what killed processes have left anywhere in the store.
pub(crate) fn remove(
    context: &Context,
    selection: &Selection,
    how: &Removal,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    let store = context.store()?;
    let runtime = context.runtime_dir()?;
    let whole = |container: &container::Container| {
        container::remove(store, container, how, &runtime)?;
        Ok(true)
    };
    let removed = each_even_damaged(context, store, selection, observer, whole, |id, _| {
        container::remove_damaged(store, id, how, &runtime)?;
        Ok(true)
    });
    sweep_all(context)?;
    removed
}

/// Changes limits and the restart policy of a container: all that is named, or nothing. What is not named stays as it
/// is.
pub(crate) fn update(
    context: &Context,
    name: &str,
    limits: &LimitRequest,
    restart: Option<&str>,
) -> Result<ContainerId, Report> {
    let changes = Changes::read(limits, restart, &block_devices(limits.block_devices()))?;
    let container = find(context, name)?;
    if !changes.is_empty() {
        container::update(&container, &changes)?;
    }
    Ok(container.config.id)
}

/// Waits until the container is in one of `states` (none: until it has ended), and gives its exit code. Where nothing
/// tells of a change it is looked at after each `interval`. With `ignore`, `None` if it does not exist.
pub(crate) fn wait(
    context: &Context,
    name: &str,
    states: &[Status],
    interval: Duration,
    ignore: bool,
) -> Result<Option<i32>, Report> {
    match container::find(&context.store_to_read()?, name) {
        Err(container::Error::NotFound(_)) if ignore => Ok(None),
        other => Ok(Some(container::wait_for(&other?, states, interval)?)),
    }
}
