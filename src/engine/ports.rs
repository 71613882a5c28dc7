//! Published ports of containers.

use std::collections::BTreeMap;

use super::context::Context;
use super::select::{Selection, named};
use crate::container::{self, Container, Listing};
use crate::types::{ContainerId, PortMapping, Report};

/// The published ports of a container.
#[derive(Debug)]
pub(crate) struct PublishedPorts {
    /// Its ID.
    pub(crate) id: ContainerId,
    /// Its name.
    pub(crate) name: String,
    /// The ports that listen; if it does not run, those that it would publish. A member of a pod has the pod's.
    pub(crate) ports: Vec<PortMapping>,
}

/// The published ports of the selected container; with `all`, of the running ones.
pub(crate) fn ports(context: &Context, selection: &Selection) -> Result<Vec<PublishedPorts>, Report> {
    let store = context.store_to_read()?;
    let listing = container::list(&store)?;
    if selection.all && !selection.is_of_named() {
        let alive = listing.containers.iter().filter(|container| container.is_alive());
        return Ok(alive.map(|container| published(&listing, container)).collect());
    }
    let published = |name: &String| Ok(published(&listing, &container::find(&store, name)?));
    named(context, selection)?.iter().map(published).collect()
}

/// The container or the pod that a container has the network of; `None` if that is its own.
pub(crate) fn network_owner<'a>(listing: &'a Listing, container: &'a Container) -> Option<&'a Container> {
    let owner = listing.network_of(container);
    (owner.config.id != container.config.id).then_some(owner)
}

/// The ports of containers that have the network of a pod or of another container: the other's.
pub(crate) fn ports_of_others<'a>(listing: &'a Listing) -> BTreeMap<&'a ContainerId, Vec<PortMapping>> {
    let of_other = |container: &'a Container| Some((&container.config.id, network_owner(listing, container)?.ports()));
    listing.containers.iter().filter_map(of_other).collect()
}

fn published(listing: &Listing, container: &Container) -> PublishedPorts {
    let mut ports = listing.network_of(container).ports();
    ports.sort_by_key(|port| (port.container_port, port.protocol, port.host_port));
    PublishedPorts { id: container.config.id.clone(), name: container.config.name.to_string(), ports }
}
