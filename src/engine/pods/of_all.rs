//! The pods of a selection of all containers. Source: podman, in which the infra containers of pods are among all
//! containers. Here a pod has a process of its own, which no command shows as a container.

use super::super::context::Context;
use super::super::networks;
use super::super::observer::Observer;
use super::super::select::{Selection, created, facts};
use crate::container::{self, Container, Listing};
use crate::storage::Store;
use crate::types::Report;
use crate::view::filter::ContainerFilter;

/// Does something to the process of each pod, if the selection is of all; its filters are for pods, too. `act` says
/// whether it has changed the pod. The observer gets the IDs of the changed ones, and all failures.
pub(in super::super) fn each_of_all(
    context: &Context,
    store: &Store,
    selection: &Selection,
    observer: &mut dyn Observer,
    mut act: impl FnMut(&Container) -> Result<bool, Report>,
) -> Result<(), Report> {
    if !selection.all {
        return Ok(());
    }
    let Listing { containers, pods, .. } = container::list(store)?;
    let all: Vec<_> = containers.iter().map(facts).collect();
    let filters = networks::in_filters(store, &selection.filters);
    let filter = ContainerFilter::parse(&filters, context.clock(), |name| created(name, &all))?;
    for pod in pods.iter().filter(|pod| filter.matches(facts(pod))) {
        if observer.item(pod.config.id.as_str(), act(pod)).is_break() {
            break;
        }
    }
    Ok(())
}
