//! Starting containers after those that they need: whose namespaces they have, or that `--requires` names.

use super::context::Context;
use super::image;
use crate::container::{self, Attach, Container, Environment, FrontEnd, Manager, Origin, Started};
use crate::plan::ContainerConfig;
use crate::types::{Report, ReportKind};

/// How many containers may need each other in a row; only a damaged record has more.
const DEEPEST: u32 = 64;

/// Starts the containers that one of this configuration needs, unless they run, and first those that they need. No
/// front end is attached to them.
pub(super) fn start_needed(context: &Context, config: &ContainerConfig) -> Result<(), Report> {
    start_below(context, config, DEEPEST)
}

fn start_below(context: &Context, config: &ContainerConfig, depth: u32) -> Result<(), Report> {
    for id in config.dependencies() {
        let store = context.store()?;
        let needed = container::find(store, id.as_str()).map_err(|error| {
            let message = format!("container `{}` needs container {}: {error}", config.name, id.short());
            Report::new(ReportKind::Conflict, message)
        })?;
        if needed.is_running() {
            continue;
        }
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Report::new(ReportKind::Damaged, format!("container `{}` needs itself", config.name)));
        };
        start_below(context, &needed.config, depth)?;
        let alone = FrontEnd { attach: Attach::No, descriptors: [None; 3], size: None, take_signals: None };
        let environment = context.environment(Manager::default())?;
        match start_alone(&environment, Container::read(needed.directory)?, alone) {
            Ok(_) => {}
            // Another command was faster.
            Err(_) if container::find(store, id.as_str()).is_ok_and(|now| now.is_running()) => {}
            Err(report) => return Err(report),
        }
    }
    Ok(())
}

/// Starts a container that exists, after those that it needs.
pub(super) fn start_one(
    context: &Context,
    environment: &Environment,
    container: Container,
    front_end: FrontEnd<'_>,
) -> Result<Started, Report> {
    start_needed(context, &container.config)?;
    start_alone(environment, container, front_end)
}

/// Starts a container on its image's layers.
fn start_alone(environment: &Environment, container: Container, front_end: FrontEnd<'_>) -> Result<Started, Report> {
    let trees = image::trees_of(environment, &container.config)?;
    Ok(container::start(environment, Origin::Existing(Box::new(container)), trees, front_end)?)
}
