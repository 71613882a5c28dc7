//! Signals, freezing and restarts of pods: of their members, all at the same time, and of what keeps their namespaces.

use super::super::context::Context;
use super::super::control::Stop;
use super::super::happened;
use super::super::observer::Observer;
use super::process::kill_process;
use super::select::{PodSelection, each, id};
use super::start::start_members;
use super::stop::stop;
use crate::container::{self, Asked, Container};
use crate::monitor::Status;
use crate::pod::{self, PodStatus};
use crate::types::{Report, Signal};

/// Sends a signal to the programs of all members that run. SIGKILL ends the pod with them.
pub(crate) fn kill_pods(
    context: &Context,
    selection: &PodSelection,
    signal: Signal,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    let store = &context.store_to_read()?;
    each(store, selection, id, observer, |pod, observer| {
        let running = pod.members.iter().filter(|member| member.takes_signals());
        at_once(running, observer, |member| container::signal(member, signal))?;
        let has_ended = signal == Signal::KILL && kill_process(store, &pod.sandbox)?;
        if !has_ended {
            happened::to_container(store, &pod.sandbox.config, "kill");
        }
        Ok(true)
    })
}

/// Freezes all processes of pods. What is frozen stays so.
pub(crate) fn pause_pods(
    context: &Context,
    selection: &PodSelection,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    switch(context, selection, observer, (Status::Running, "pause"), container::pause)
}

/// Thaws all processes of pods. A pod in which nothing is frozen is left alone, and the observer does not hear of it.
/// Source: podman, `PodUnpause`.
pub(crate) fn unpause_pods(
    context: &Context,
    selection: &PodSelection,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    switch(context, selection, observer, (Status::Paused, "unpause"), container::unpause)
}

/// Asks for `action` of the pod's own process and of the members that have the status `from`.
fn switch(
    context: &Context,
    selection: &PodSelection,
    observer: &mut dyn Observer,
    (from, action): (Status, &str),
    ask: impl Fn(&Container) -> Result<Asked, container::Error>,
) -> Result<(), Report> {
    let store = &context.store_to_read()?;
    each(store, selection, id, observer, |pod, observer| {
        let has_some = matches!(pod.status(), PodStatus::Paused | PodStatus::Degraded);
        if from == Status::Paused && !has_some {
            return Ok(false);
        }
        let all = std::iter::once(&pod.sandbox).chain(&pod.members);
        at_once(all.filter(|container| container.status == from), observer, &ask)?;
        happened::to_container(store, &pod.sandbox.config, action);
        Ok(true)
    })
}

/// Stops pods, and starts them with all of their members but the init containers.
pub(crate) fn restart_pods(
    context: &Context,
    selection: &PodSelection,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    let store = context.store()?;
    each(store, selection, id, observer, |pod, observer| {
        stop(store, pod, &Stop::default(), observer)?;
        start_members(context, &pod::find(store, pod.id().as_str())?, observer).map(|()| true)
    })
}

/// Asks something of containers, all at the same time. The last failure is the pod's, the observer gets the others.
fn at_once<'a>(
    containers: impl Iterator<Item = &'a Container>,
    observer: &mut dyn Observer,
    ask: impl Fn(&Container) -> Result<Asked, container::Error>,
) -> Result<(), Report> {
    let asked: Vec<_> = containers.map(ask).collect();
    let mut failed: Option<Report> = None;
    for asked in asked {
        if let Err(error) = asked.and_then(Asked::finish)
            && let Some(earlier) = failed.replace(error.into())
        {
            observer.failed(earlier);
        }
    }
    failed.map_or(Ok(()), Err)
}
