//! Starting pods: first what keeps their namespaces, then the init containers, one after the other, then the others.

use std::time::Duration;

use super::super::context::Context;
use super::super::needed::{ALONE, ensure_runs, start_one};
use super::super::observer::Observer;
use super::select::{PodSelection, each, name};
use crate::container::{self, Condition, Container, Manager, Removal};
use crate::monitor::Status;
use crate::plan::InitContainer;
use crate::pod::Pod;
use crate::types::{Report, ReportKind};

/// Starts pods with all of their members that do not run, in the order in which these were created.
pub(crate) fn start_pods(
    context: &Context,
    selection: &PodSelection,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    each(context.store()?, selection, name, observer, |pod, observer| start(context, pod, observer).map(|()| true))
}

/// A member that cannot be started does not stop the others; the last failure is the pod's. If an init container fails,
/// no member is started.
pub(super) fn start(context: &Context, pod: &Pod, observer: &mut dyn Observer) -> Result<(), Report> {
    for member in init_containers(pod) {
        initialize(context, member)?;
    }
    start_members(context, pod, observer)
}

/// [`start`] without the init containers, which a restart does not run. Source: podman-create(1), `--init-ctr`.
pub(super) fn start_members(context: &Context, pod: &Pod, observer: &mut dyn Observer) -> Result<(), Report> {
    if pod.settings.has_process {
        ensure_runs(context, &Manager::default(), &pod.sandbox.config.name, pod.id())?;
    }
    let mut failed: Option<Report> = None;
    for member in pod.members.iter().filter(|member| member.can_start() && !member.is_init()) {
        if let Err(report) = start_member(context, member)
            && let Some(earlier) = failed.replace(report)
        {
            observer.failed(earlier);
        }
    }
    failed.map_or(Ok(()), Err)
}

fn init_containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    pod.members.iter().filter(|member| member.is_init())
}

fn start_member(context: &Context, member: &Container) -> Result<(), Report> {
    let environment = context.environment(Manager::default())?;
    start_one(context, &environment, member.again()?, ALONE).map(drop).map_err(|report| of_member(member, report))
}

/// The failure of a pod's start for one of a member: it says whose it is, and a program that cannot be run is not the
/// command's own.
fn of_member(member: &Container, report: Report) -> Report {
    let kind = if report.kind.shell_code().is_some() { ReportKind::Conflict } else { report.kind };
    let message = format!("cannot start container `{}`: {}", member.config.name, report.message);
    Report::new(kind, message).with_hint_of(report.hint)
}

/// Runs an init container to its end, after what it needs. Fails unless its exit code is 0. One that runs `once` is
/// removed.
fn initialize(context: &Context, member: &Container) -> Result<(), Report> {
    if member.can_start() {
        start_member(context, member)?;
    }
    let started = member.again()?;
    let end = [Condition::Status(Status::Exited)];
    let code = container::wait_for(started, &end, Duration::MAX).finish()?;
    let name = &member.config.name;
    if code != 0 {
        let report = Report::new(ReportKind::Conflict, format!("init container `{name}` exited with code {code}"));
        return Err(report.with_hint(format!("its output: `rc logs {name}`")));
    }
    if member.config.pod.as_ref().is_some_and(|pod| pod.init == Some(InitContainer::Once)) {
        let how = Removal { force: true, timeout: None, volumes: true };
        let ended = member.again()?;
        container::remove(context.store()?, ended, &how, &context.runtime_dir()?)?;
    }
    Ok(())
}
