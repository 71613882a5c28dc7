//! Pods: list, find. `create`, `clone`, `start`, `stop`, `control` and `remove` change them.

mod clone;
mod control;
mod create;
mod of_all;
mod process;
mod remove;
mod select;
mod start;
mod stop;

pub(crate) use clone::{ClonePod, clone_pod};
pub(crate) use control::{kill_pods, pause_pods, restart_pods, unpause_pods};
pub(crate) use create::create_pod;
pub(super) use create::{planned, with_pod};
pub(super) use of_all::each_of_all;
pub(super) use process::{kill_process, pause_process, stop_process, unpause_process};
pub(crate) use remove::{prune_pods, remove_pods};
pub(super) use remove::{remove_ended, remove_with_members};
pub(crate) use select::PodSelection;
pub(crate) use start::start_pods;
pub(crate) use stop::stop_pods;

use super::context::Context;
use crate::container::Container;
use crate::pod::{self, Pod};
use crate::types::{ContainerId, Report, ReportKind, Thing};

/// All pods, the newest first.
pub(crate) fn pods(context: &Context) -> Result<Vec<Pod>, Report> {
    Ok(pod::list(&context.store_to_read()?)?)
}

/// The ID of the pod that was created last.
pub(crate) fn latest_pod(context: &Context) -> Result<ContainerId, Report> {
    let newest = pods(context)?.into_iter().next();
    newest.map(|pod| pod.id().clone()).ok_or_else(|| Report::new(ReportKind::NotFound(Thing::Pod), "no pods exist"))
}

/// The pod with this name, ID or unique prefix of an ID.
fn pod(context: &Context, name: &str) -> Result<Pod, Report> {
    pod::find(&context.store_to_read()?, name)
}

/// Whether there is a pod of this name or ID.
pub(crate) fn pod_exists(context: &Context, name: &str) -> Result<bool, Report> {
    match pod(context, name) {
        Ok(_) => Ok(true),
        Err(report) if report.kind == ReportKind::NotFound(Thing::Pod) => Ok(false),
        Err(report) => Err(report),
    }
}

/// The containers of the selected pods.
pub(crate) fn pod_members(context: &Context, selection: &PodSelection) -> Result<Vec<Container>, Report> {
    Ok(selection.find(&context.store_to_read()?)?.into_iter().flat_map(|pod| pod.members).collect())
}
