//! Stopping pods.

use super::super::context::Context;
use super::super::control::Stop;
use super::super::observer::Observer;
use super::process::stop_process;
use super::select::{PodSelection, each, name};
use crate::container;
use crate::pod::Pod;
use crate::storage::Store;
use crate::types::Report;

/// Stops pods: their members, all at the same time, then what keeps their namespaces.
pub(crate) fn stop_pods(
    context: &Context,
    selection: &PodSelection,
    how: &Stop,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    let store = &context.store_to_read()?;
    each(store, selection, name, observer, |pod, observer| stop(store, pod, how, observer).map(|()| true))
}

/// A member that cannot be stopped does not keep the others from it, but the pod's namespaces stay; the last failure is
/// the pod's.
pub(super) fn stop(store: &Store, pod: &Pod, how: &Stop, observer: &mut dyn Observer) -> Result<(), Report> {
    let running = pod.members.iter().filter(|member| member.is_running());
    let stopping: Vec<_> = running.map(|member| (member, container::stop(member, how.signal, how.timeout))).collect();
    let mut failed: Option<Report> = None;
    for (member, stopping) in stopping {
        if let Err(error) = stopping.finish(member)
            && let Some(earlier) = failed.replace(error.into())
        {
            observer.failed(earlier);
        }
    }
    if let Some(report) = failed {
        return Err(report);
    }
    stop_process(store, &pod.sandbox, how.timeout).map(drop)
}
