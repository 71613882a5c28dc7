//! Removing pods.

use std::path::PathBuf;

use super::super::context::Context;
use super::super::observer::Observer;
use super::super::select::id_in;
use super::super::sweep::sweep_all;
use super::select::PodSelection;
use crate::container::{self, Container, Removal};
use crate::monitor::Status;
use crate::plan::ContainerConfig;
use crate::pod::{self, Pod, PodStatus};
use crate::storage::Store;
use crate::sys::fs;
use crate::types::{ContainerId, Report, ReportKind};

/// Removes pods with their members, the files that had their IDs, and everything that killed processes left in the
/// store. The observer gets the IDs.
///
/// Without `force` a pod stays if a member runs.
pub(crate) fn remove_pods(
    context: &Context,
    selection: &PodSelection,
    how: &Removal,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    let store = context.store()?;
    for pod in selection.find(store)? {
        let id = pod.id().to_string();
        let removed = remove(context, store, pod, how).and_then(|()| forget(&selection.files, &id));
        if observer.item(&id, removed.map(|()| true)).is_break() {
            break;
        }
    }
    sweep_all(context)
}

/// Removes those of the files that have the ID of a pod that was removed. Source: podman, `pod rm`.
fn forget(files: &[PathBuf], id: &str) -> Result<(), Report> {
    for file in files.iter().filter(|file| id_in(file).is_ok_and(|found| found == id)) {
        fs::remove_file(file)?;
    }
    Ok(())
}

/// Removes pods that have ended, with their members. Returns their IDs, and the failures.
pub(crate) fn prune_pods(context: &Context) -> Result<(Vec<String>, Vec<Report>), Report> {
    let pruned = remove_ended(context, |_| true)?;
    sweep_all(context)?;
    Ok(pruned)
}

/// Removes the pods that have ended and whose record `is_wanted`.
pub(in crate::engine) fn remove_ended(
    context: &Context,
    is_wanted: impl Fn(&ContainerConfig) -> bool,
) -> Result<(Vec<String>, Vec<Report>), Report> {
    let store = context.store()?;
    let (mut removed, mut failures) = (Vec::new(), Vec::new());
    for pod in pod::list(store)? {
        let id = pod.id().to_string();
        if !matches!(pod.status(), PodStatus::Stopped | PodStatus::Exited) || !is_wanted(&pod.sandbox.config) {
            continue;
        }
        // What was started just now stays.
        match remove(context, store, pod, &Removal { force: false, timeout: None, volumes: true }) {
            Ok(()) => removed.push(id),
            Err(report) => failures.push(report),
        }
    }
    Ok((removed, failures))
}

/// Removes a pod with its members.
pub(in crate::engine) fn remove_with_members(
    context: &Context,
    store: &Store,
    sandbox: &Container,
    how: &Removal,
) -> Result<(), Report> {
    remove(context, store, pod::find(store, sandbox.config.id.as_str())?, how)
}

fn remove(context: &Context, store: &Store, pod: Pod, how: &Removal) -> Result<(), Report> {
    // No program of an initialized member runs yet.
    let runs = |member: &&Container| member.is_running() && member.status != Status::Initialized;
    let running: Vec<&str> = pod.members.iter().filter(runs).map(|it| it.config.name.as_str()).collect();
    if !running.is_empty() && !how.force {
        return Err(in_use(pod.id(), pod.sandbox.config.name.as_str(), &running));
    }
    let runtime = context.runtime_dir()?;
    let begun: Vec<_> =
        pod.members.into_iter().map(|member| container::begin_removal(member, how)).collect::<Result<_, _>>()?;
    // All are removed that can be.
    let done: Vec<_> = begun.into_iter().map(|removing| removing.finish(store, &runtime)).collect();
    done.into_iter().collect::<Result<(), _>>()?;
    let how = Removal { force: true, timeout: None, volumes: true };
    Ok(container::remove(store, pod.sandbox, &how, &runtime)?)
}

/// Podman's words.
fn in_use(id: &ContainerId, name: &str, running: &[&str]) -> Report {
    let names = running.join(", ");
    let message = format!(
        "not all containers could be removed from pod {id}: running or paused containers cannot be removed without \
         force: {names}"
    );
    Report::new(ReportKind::Conflict, message)
        .with_hint(format!("stop it first with `rc pod stop {name}`, or use `rc pod rm -f {name}`"))
}
