//! Published ports of containers.

use super::context::Context;
use super::select::{Selection, named};
use crate::container::{self, Container};
use crate::monitor::Status;
use crate::types::{ContainerId, PortMapping, Report};

/// The published ports of a container.
#[derive(Debug)]
pub(crate) struct PublishedPorts {
    /// Its ID.
    pub(crate) id: ContainerId,
    /// Its name.
    pub(crate) name: String,
    /// The ports that listen; if it does not run, those that it would publish.
    pub(crate) ports: Vec<PortMapping>,
}

/// The published ports of the selected container; with `all`, of the running ones.
pub(crate) fn ports(context: &Context, selection: &Selection) -> Result<Vec<PublishedPorts>, Report> {
    let store = context.store_to_read()?;
    if selection.all && !selection.is_of_named() {
        let all = container::list(&store)?.containers.into_iter();
        return Ok(all.filter(is_up).map(|container| published(&container)).collect());
    }
    named(context, selection)?.iter().map(|name| Ok(published(&container::find(&store, name)?))).collect()
}

fn is_up(container: &Container) -> bool {
    matches!(container.status, Status::Running | Status::Paused | Status::Stopping | Status::Orphaned)
}

fn published(container: &Container) -> PublishedPorts {
    let config = &container.config;
    let listening = if is_up(container) { container.state.network.ports() } else { Vec::new() };
    let mut ports = if listening.is_empty() { config.ports.clone() } else { listening };
    ports.sort_by_key(|port| (port.container_port, port.protocol, port.host_port));
    PublishedPorts { id: config.id.clone(), name: config.name.to_string(), ports }
}
