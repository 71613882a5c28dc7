//! Actions on existing containers: stop, kill, pause, unpause, update, wait, remove.

use std::time::Duration;

use super::context::Context;
use super::dependents::Dependents;
use super::facts::block_devices;
use super::happened;
use super::observer::Observer;
use super::pods;
use super::select::{Selection, each, each_even_damaged, find};
use super::sweep::sweep_all;
use crate::container::{self, Condition, Container, Removal, Removing, Waiting};
use crate::monitor::{HealthStatus, Status};
use crate::plan::{Changes, EnvChanges, HealthRequest, LimitRequest};
use crate::types::{ContainerId, Report, Signal};

/// How to stop containers.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    /// The signal, instead of the container's own.
    pub(crate) signal: Option<Signal>,
    /// Seconds before SIGKILL, instead of the container's own timeout.
    pub(crate) timeout: Option<u32>,
}

/// Stops containers, all at the same time. A selection of many means the running ones; one of all has the pods, too.
pub(crate) fn stop(
    context: &Context,
    selection: &Selection,
    how: &Stop,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    let store = &context.store_to_read()?;
    let is_of_many = selection.is_of_many();
    let begin = |container: Container| {
        if is_of_many && !container.is_running() {
            return Ok(None);
        }
        // A paused program does not get the signal; `all` skips it. Source: podman, `StopWithTimeout`.
        if container.status == Status::Paused {
            let name = container.config.name.to_string();
            let refused = container::Error::State { action: "stop", name, status: container.status };
            return if is_of_many { Ok(None) } else { Err(refused.into()) };
        }
        let stopping = container::stop(&container, how.signal, how.timeout);
        Ok(Some((stopping, container)))
    };
    each(context, store, selection, observer, begin, |(stopping, container)| {
        // A container that does not run counts as stopped.
        let was_running = stopping.finish(&container)?.is_some();
        Ok(was_running || !is_of_many)
    })?;
    pods::each_of_all(context, store, selection, observer, |pod| {
        if pod.status == Status::Paused { Ok(false) } else { pods::stop_process(store, pod, how.timeout) }
    })
}

/// Sends a signal to the programs of containers. `all` means the running ones, and SIGKILL then ends the pods, too.
pub(crate) fn kill(
    context: &Context,
    selection: &Selection,
    signal: Signal,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    let begin = |container: Container| {
        let is_skipped = selection.all && !container.takes_signals();
        if is_skipped { Ok(None) } else { Ok(Some(container::signal(&container, signal)?)) }
    };
    let store = &context.store_to_read()?;
    each(context, store, selection, observer, begin, |asked| Ok(asked.finish().map(|()| true)?))?;
    pods::each_of_all(context, store, selection, observer, |pod| {
        if signal == Signal::KILL { pods::kill_process(store, pod) } else { Ok(false) }
    })
}

/// Freezes all processes of containers, all at the same time. A selection of many means the running ones; one of all
/// has the pods, too.
pub(crate) fn pause(context: &Context, selection: &Selection, observer: &mut dyn Observer) -> Result<(), Report> {
    let begin = |container: Container| {
        let is_skipped = selection.is_of_many() && container.status != Status::Running;
        if is_skipped { Ok(None) } else { Ok(Some(container::pause(&container)?)) }
    };
    let store = &context.store_to_read()?;
    each(context, store, selection, observer, begin, |asked| Ok(asked.finish().map(|()| true)?))?;
    pods::each_of_all(context, store, selection, observer, |pod| pods::pause_process(store, pod))
}

/// Thaws all processes of containers, all at the same time. A selection of many means the paused ones; one of all has
/// the pods, too.
pub(crate) fn unpause(context: &Context, selection: &Selection, observer: &mut dyn Observer) -> Result<(), Report> {
    let begin = |container: Container| {
        let is_skipped = selection.is_of_many() && container.status != Status::Paused;
        if is_skipped { Ok(None) } else { Ok(Some(container::unpause(&container)?)) }
    };
    let store = &context.store_to_read()?;
    each(context, store, selection, observer, begin, |asked| Ok(asked.finish().map(|()| true)?))?;
    pods::each_of_all(context, store, selection, observer, |pod| pods::unpause_process(store, pod))
}

/// Removes containers, even damaged ones, and everything that killed processes left in the store. The running ones end
/// at the same time. A container that others need stays, unless these are removed as well: with `depend` they are.
pub(crate) fn remove(
    context: &Context,
    selection: &Selection,
    how: &Removal,
    depend: bool,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    let store = context.store()?;
    let runtime = context.runtime_dir()?;
    let dependents = (depend || !how.force).then(|| Dependents::find(store, selection)).transpose()?;
    let begin = |container: Container| {
        match &dependents {
            Some(dependents) if depend => dependents.remove(context, &container, how)?,
            Some(dependents) => dependents.check(&container)?,
            None => {}
        }
        Ok(Some(container::begin_removal(container, how)?))
    };
    let finish = |removing: Removing| Ok(removing.finish(store, &runtime).map(|()| true)?);
    let removed = each_even_damaged(context, store, selection, observer, begin, finish, |id, _| {
        container::remove_damaged(store, id, how, &runtime)?;
        Ok(true)
    });
    sweep_all(context)?;
    removed
}

/// Removes what killed processes have left, of these containers and of all others. Fails for one that runs.
pub(crate) fn clean_up(context: &Context, selection: &Selection, observer: &mut dyn Observer) -> Result<(), Report> {
    let begin = |container: Container| match container.is_running() {
        true if selection.is_of_many() => Ok(None),
        true => {
            let (name, status) = (container.config.name.to_string(), container.status);
            Err(container::Error::State { action: "clean up", name, status }.into())
        }
        false => Ok(Some(())),
    };
    let done = each(context, &context.store_to_read()?, selection, observer, begin, |()| Ok(true));
    sweep_all(context)?;
    done
}

/// What is changed in a container.
#[derive(Debug)]
pub(crate) struct Update {
    /// Its limits.
    pub(crate) limits: LimitRequest,
    /// Its restart policy.
    pub(crate) restart: Option<String>,
    /// Its health check.
    pub(crate) health: HealthRequest,
    /// Variables that are set, `NAME=value` or the name of a variable of the caller's.
    pub(crate) env: Vec<String>,
    /// Variables that are unset.
    pub(crate) unset_env: Vec<String>,
    /// Limits of getrlimit(2), `NAME=SOFT[:HARD]`.
    pub(crate) ulimits: Vec<String>,
}

/// Changes a container: all that the request names, or nothing. The others stay.
pub(crate) fn update(
    context: &Context,
    name: &str,
    update: Update,
    environment: &[(String, String)],
) -> Result<ContainerId, Report> {
    let Update { limits, restart, health, env, unset_env, ulimits } = update;
    let env = EnvChanges::read(&env, &unset_env, environment)?;
    let devices = block_devices(limits.block_devices());
    let changes = Changes::read(&limits, restart.as_deref(), health, env, &devices)?.with_ulimits(&ulimits)?;
    let container = find(context, name)?;
    if !changes.is_empty() {
        container::update(&container, &changes)?;
        if !container.is_running() {
            // Otherwise its monitor says so.
            happened::to_container(&context.store_to_read()?, &container.config, "update");
        }
    }
    Ok(container.config.id)
}

/// Runs the health check of a container, and returns whether it has passed, and how the container is.
pub(crate) fn check_health(context: &Context, name: &str) -> Result<(bool, HealthStatus), Report> {
    Ok(container::check(&find(context, name)?)?)
}

/// Begins to wait until one of `states` is true (none: until its program exits). rc checks states whose
/// change the monitor does not announce every `interval`. With `ignore`, `None` if the container does not exist.
pub(crate) fn wait(
    context: &Context,
    name: &str,
    states: &[Condition],
    interval: Duration,
    ignore: bool,
) -> Result<Option<Waiting>, Report> {
    match container::find(&context.store_to_read()?, name) {
        Err(error) if error.is_missing() && ignore => Ok(None),
        other => Ok(Some(container::wait_for(other?, states, interval))),
    }
}
