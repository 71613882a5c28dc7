//! The process of a pod, which keeps its namespaces.

use super::super::happened;
use crate::container::{self, Asked, Container};
use crate::monitor::Status;
use crate::storage::Store;
use crate::types::{Report, Signal};

/// Stops the process of a pod, with so many seconds before SIGKILL instead of its own. Returns whether it ran.
pub(in super::super) fn stop_process(store: &Store, pod: &Container, timeout: Option<u32>) -> Result<bool, Report> {
    if !pod.is_running() {
        return Ok(false);
    }
    container::stop(pod, None, timeout).finish(pod)?;
    happened::to_container(store, &pod.config, "stop");
    Ok(true)
}

/// Kills the process of a pod. Returns whether it ran.
pub(in super::super) fn kill_process(store: &Store, pod: &Container) -> Result<bool, Report> {
    if !pod.is_running() {
        return Ok(false);
    }
    container::stop(pod, Some(Signal::KILL), Some(0)).finish(pod)?;
    happened::to_container(store, &pod.config, "kill");
    Ok(true)
}

/// Freezes the process of a pod. Returns whether it ran.
pub(in super::super) fn pause_process(store: &Store, pod: &Container) -> Result<bool, Report> {
    switch_process(store, pod, (Status::Running, "pause"), container::pause)
}

/// Thaws the process of a pod. Returns whether it was frozen.
pub(in super::super) fn unpause_process(store: &Store, pod: &Container) -> Result<bool, Report> {
    switch_process(store, pod, (Status::Paused, "unpause"), container::unpause)
}

fn switch_process(
    store: &Store,
    pod: &Container,
    (from, action): (Status, &str),
    ask: impl FnOnce(&Container) -> Result<Asked, container::Error>,
) -> Result<bool, Report> {
    if pod.status != from {
        return Ok(false);
    }
    ask(pod)?.finish()?;
    happened::to_container(store, &pod.config, action);
    Ok(true)
}
