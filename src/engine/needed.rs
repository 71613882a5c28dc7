//! Starting containers after those that they need: whose namespaces they have (a pod's, too), or that `--requires`
//! names.

use super::context::Context;
use super::happened;
use super::image;
use crate::container::{self, Attach, Container, Environment, FrontEnd, Manager, Origin, Started};
use crate::monitor::Status;
use crate::plan::ContainerConfig;
use crate::types::{ContainerId, Name, Report, ReportKind};

/// A front end that is attached to nothing.
pub(super) const ALONE: FrontEnd<'static> =
    FrontEnd { attach: Attach::No, descriptors: [None; 3], size: None, take_signals: None };

/// How many containers may need each other in a row; only a damaged record has more.
const DEEPEST: u32 = 64;

/// Starts the containers that one of this configuration needs, unless they run, and first those that they need. No
/// front end is attached to them. `manager` is the other's, of which they get nothing.
pub(super) fn start_needed(context: &Context, manager: &Manager, config: &ContainerConfig) -> Result<(), Report> {
    start_below(context, manager, config, DEEPEST)
}

fn start_below(context: &Context, manager: &Manager, config: &ContainerConfig, depth: u32) -> Result<(), Report> {
    for id in config.dependencies() {
        start_until_it_runs(context, manager, &config.name, &id, depth)?;
    }
    Ok(())
}

/// Starts what `name` needs, unless it runs. Several commands may do so at once: the first one starts it, and the
/// others wait for that.
fn start_until_it_runs(
    context: &Context,
    manager: &Manager,
    name: &Name,
    id: &ContainerId,
    depth: u32,
) -> Result<(), Report> {
    let store = context.store()?;
    let find = || {
        container::find_any(store, id.as_str()).map_err(|error| {
            let message = format!("container `{name}` needs container {}: {error}", id.short());
            Report::new(ReportKind::Conflict, message)
        })
    };
    loop {
        let needed = container::wait_for_start(find()?)?;
        if !needed.can_start() {
            return Ok(());
        }
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Report::new(ReportKind::Damaged, format!("container `{name}` needs itself")));
        };
        start_below(context, manager, &needed.config, depth)?;
        let environment = context.environment(manager.for_needed())?;
        match start_alone(&environment, needed.again()?, ALONE) {
            Ok(_) => {
                if needed.config.sandbox.is_some() {
                    happened::to_container(store, &needed.config, "start");
                }
                return Ok(());
            }
            // Another command was faster.
            Err(_) if find().is_ok_and(|now| !now.can_start()) => {}
            // … or has just failed to start what was initialized, or has undone that.
            Err(report) if needed.status == Status::Initialized && report.kind == ReportKind::Conflict => {}
            Err(report) => return Err(report),
        }
    }
}

/// Starts a container or a pod that exists, after those that it needs, unless it runs.
pub(super) fn ensure_runs(context: &Context, manager: &Manager, name: &Name, id: &ContainerId) -> Result<(), Report> {
    start_until_it_runs(context, manager, name, id, DEEPEST)
}

/// Prepares a container that exists, after those that it needs are started: its program waits for a start.
pub(super) fn initialize(context: &Context, environment: &Environment, container: Container) -> Result<(), Report> {
    start_needed(context, &environment.manager, &container.config)?;
    let trees = image::trees_of(environment, &container.config, None)?;
    container::start(environment, Origin::ToInitialize(Box::new(container)), trees, ALONE)?;
    Ok(())
}

/// Starts a container that exists, after those that it needs.
pub(super) fn start_one(
    context: &Context,
    environment: &Environment,
    container: Container,
    front_end: FrontEnd<'_>,
) -> Result<Started, Report> {
    start_needed(context, &environment.manager, &container.config)?;
    start_alone(environment, container, front_end)
}

/// Starts a container on its image's layers, or has the program of one run that is initialized. What a service manager
/// hands over (descriptors, a socket for messages) reaches a program only with all the rest, and the manager hears only
/// of such a start, so that one is prepared anew.
fn start_alone(
    environment: &Environment,
    mut container: Container,
    front_end: FrontEnd<'_>,
) -> Result<Started, Report> {
    if container.status == Status::Initialized {
        if !environment.manager.hands_over(&container.config) {
            return Ok(container::begin(&container, &front_end)?);
        }
        // If another command has begun to start it, the start below says so.
        let undone = container::undo(&container).finish(&container);
        container = container.again()?;
        if container.status == Status::Initialized {
            undone?;
        }
    }
    let trees = image::trees_of(environment, &container.config, None)?;
    Ok(container::start(environment, Origin::Existing(Box::new(container)), trees, front_end)?)
}
