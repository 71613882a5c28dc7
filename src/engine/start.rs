//! Starting existing containers, and restarting them.

use super::context::Context;
use super::control::Stop;
use super::happened;
use super::needed::{ensure_runs, initialize, start_one};
use super::observer::Observer;
use super::pods;
use super::select::{Selection, each};
use crate::container::{self, Container, FrontEnd, Manager, Started};
use crate::monitor::Status;
use crate::types::{DetachKeys, Report, ReportKind};

/// Starts a container, and returns when its program runs. `manager` is the service manager that started the caller;
/// `detach_keys` apply to this session, instead of the container's own.
pub(crate) fn start_attached(
    context: &Context,
    manager: Manager,
    name: &str,
    detach_keys: Option<String>,
    front_end: FrontEnd<'_>,
) -> Result<Started, Report> {
    let environment = context.environment(manager)?;
    let mut container = container::find(&environment.store, name)?;
    if let Some(keys) = detach_keys {
        keys.parse::<DetachKeys>()?;
        container.config.detach_keys = keys;
    }
    start_one(context, &environment, container, front_end)
}

/// Starts containers, one after the other as docker and podman do: a program may need those that were named before it.
/// A selection of many means those that do not run; one of all has the pods, too. Returns the result of the last start:
/// a caller that is the main process of a unit exits as the program did.
pub(crate) fn start(
    context: &Context,
    manager: Manager,
    selection: &Selection,
    front_end: FrontEnd<'_>,
    observer: &mut dyn Observer,
) -> Result<Started, Report> {
    let environment = context.environment(manager)?;
    let is_of_many = selection.is_of_many();
    let mut last = Started::Detached;
    let begin = |container: Container| Ok(Some(container));
    each(context, &environment.store, selection, observer, begin, |container| {
        // A paused container is refused below.
        if !container.can_start() && (is_of_many || container.status != Status::Paused) {
            // As with docker and podman, a running container counts as started.
            return Ok(!is_of_many);
        }
        last = start_one(context, &environment, container.again()?, front_end)?;
        Ok(true)
    })?;
    // Those that none of their containers has started.
    pods::each_of_all(context, &environment.store, selection, observer, |pod| {
        let has_process = pod.config.sandbox.as_ref().is_some_and(|pod| pod.has_process);
        let is_due = has_process && pod.can_start();
        if is_due {
            ensure_runs(context, &environment.manager, &pod.config.name, &pod.config.id)?;
        }
        Ok(is_due)
    })?;
    Ok(last)
}

/// Prepares containers for their start, without running their programs. A selection of many means those for which that
/// was not done, and that do not run.
pub(crate) fn init(context: &Context, selection: &Selection, observer: &mut dyn Observer) -> Result<(), Report> {
    let environment = context.environment(Manager::default())?;
    let is_of_many = selection.is_of_many();
    let begin = |container: Container| Ok(Some(container));
    each(context, &environment.store, selection, observer, begin, |container| {
        if container.is_running() && is_of_many {
            return Ok(false);
        }
        initialize(context, &environment, container.again()?)?;
        Ok(true)
    })
}

/// Stops running containers, all at the same time, and starts them and the others in the order asked for; with
/// `only_running` it skips the others. Returns the result of the last start, as [`start`] does.
pub(crate) fn restart(
    context: &Context,
    manager: Manager,
    selection: &Selection,
    only_running: bool,
    how: &Stop,
    front_end: FrontEnd<'_>,
    observer: &mut dyn Observer,
) -> Result<Started, Report> {
    let environment = context.environment(manager)?;
    let mut last = Started::Detached;
    let begin = |container: Container| {
        if !container.is_running() {
            return Ok((!only_running).then_some((None, container)));
        }
        if container.config.auto_remove {
            let name = &container.config.name;
            let message = format!("cannot restart `{name}`: it is removed when it stops (--rm)");
            return Err(Report::new(ReportKind::Conflict, message));
        }
        let stopping = container::stop(&container, how.signal, how.timeout);
        Ok(Some((Some(stopping), container)))
    };
    each(context, &environment.store, selection, observer, begin, |(stopping, container)| {
        if let Some(stopping) = stopping {
            stopping.finish(&container)?;
        }
        last = start_one(context, &environment, container.again()?, front_end)?;
        happened::to_container(&environment.store, &container.config, "restart");
        Ok(true)
    })?;
    Ok(last)
}
