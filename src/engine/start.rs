//! Starting containers that are there, once more or after a stop.

use super::context::Context;
use super::control::Stop;
use super::image;
use super::observer::Observer;
use super::select::{Selection, each};
use crate::container::{self, Attach, Container, Environment, Manager, Origin, Outcome};
use crate::monitor::Status;
use crate::types::{DetachKeys, Report, ReportKind};

/// How a program is joined to the caller when it is started.
#[derive(Debug)]
pub(crate) struct Joined {
    /// The caller's standard input goes to it.
    pub(crate) stdin: bool,
    /// Signals to this process go to it.
    pub(crate) proxy_signals: bool,
    /// Instead of the container's own.
    pub(crate) detach_keys: Option<String>,
}

/// Starts a container, and returns when its program has ended or the user has detached. `manager` is the service manager
/// behind the caller.
pub(crate) fn start_attached(
    context: &Context,
    manager: Manager,
    name: &str,
    joined: Joined,
) -> Result<Outcome, Report> {
    let environment = context.environment(manager)?;
    let mut container = container::find(&environment.store, name)?;
    if let Some(keys) = joined.detach_keys {
        keys.parse::<DetachKeys>()?;
        container.config.detach_keys = keys;
    }
    let attach = Attach::Yes { stdin: joined.stdin, proxy_signals: joined.proxy_signals };
    start_one(&environment, container, &attach)
}

/// Starts containers; with a selection of many those that do not run. Gives the outcome of the last start: as the main
/// process of a unit, a caller ends as the program did.
pub(crate) fn start(
    context: &Context,
    manager: Manager,
    selection: &Selection,
    observer: &mut dyn Observer,
) -> Result<Outcome, Report> {
    let environment = context.environment(manager)?;
    let is_of_many = selection.is_of_many();
    let mut outcome = Outcome::Detached;
    each(context, &environment.store, selection, observer, |container| {
        // One that is paused is refused below.
        if container.is_running() && (is_of_many || container.status != Status::Paused) {
            // As docker and podman have it: what runs is started.
            return Ok(!is_of_many);
        }
        outcome = start_one(&environment, Container::read(container.directory.clone())?, &Attach::No)?;
        Ok(true)
    })?;
    Ok(outcome)
}

/// Stops containers that run, and starts them and the others. With `only_running` the others are passed over. Gives the
/// outcome of the last start, as [`start`] does.
pub(crate) fn restart(
    context: &Context,
    manager: Manager,
    selection: &Selection,
    only_running: bool,
    how: &Stop,
    observer: &mut dyn Observer,
) -> Result<Outcome, Report> {
    let environment = context.environment(manager)?;
    let mut outcome = Outcome::Detached;
    each(context, &environment.store, selection, observer, |container| {
        if only_running && !container.is_running() {
            return Ok(false);
        }
        if container.is_running() {
            if container.config.auto_remove {
                let name = &container.config.name;
                let message = format!("cannot restart `{name}`: it is removed when it stops (--rm)");
                return Err(Report::new(ReportKind::Conflict, message));
            }
            container::stop(container, how.signal, how.timeout)?;
        }
        outcome = start_one(&environment, Container::read(container.directory.clone())?, &Attach::No)?;
        Ok(true)
    })?;
    Ok(outcome)
}

/// Starts a container from its image's layers.
fn start_one(environment: &Environment, container: Container, attach: &Attach) -> Result<Outcome, Report> {
    let image = image::of_container(&environment.store, &container)?;
    let lowers = image::layers(&environment.store, &image, environment)?;
    Ok(container::start(environment, Origin::Existing(Box::new(container)), lowers, attach)?)
}
