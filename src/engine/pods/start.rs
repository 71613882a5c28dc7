//! Starting pods.

use super::super::context::Context;
use super::super::needed::{ALONE, ensure_runs, start_one};
use super::super::observer::Observer;
use super::select::{PodSelection, each};
use crate::container::{Container, Manager};
use crate::pod::Pod;
use crate::types::Report;

/// Starts pods with all of their members that do not run, in the order in which these were created.
pub(crate) fn start_pods(
    context: &Context,
    selection: &PodSelection,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    each(context.store()?, selection, observer, |pod, observer| start(context, pod, observer))
}

/// A member that cannot be started does not stop the others; the last failure is the pod's.
pub(super) fn start(context: &Context, pod: &Pod, observer: &mut dyn Observer) -> Result<(), Report> {
    if pod.settings.has_process {
        ensure_runs(context, &pod.sandbox.config.name, pod.id())?;
    }
    let mut failed: Option<Report> = None;
    for member in pod.members.iter().filter(|member| !member.is_running()) {
        let environment = context.environment(Manager::default())?;
        let started = Container::read(member.directory.clone())
            .map_err(Report::from)
            .and_then(|member| start_one(context, &environment, member, ALONE));
        if let Err(report) = started
            && let Some(earlier) = failed.replace(report)
        {
            observer.failed(earlier);
        }
    }
    failed.map_or(Ok(()), Err)
}
