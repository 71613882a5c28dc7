//! Pods: containers that share namespaces, and live and die together.
//!
//! A pod's record is that of a container that runs no program, its sandbox: `containers/ID/`, with a name, a lock, a
//! monitor and a process that keeps its namespaces. So networks, ports, addresses, names, limits and liveness of a pod
//! are those of a container. Its members are the containers whose records name it.

use crate::container::{self, Container, Listing};
use crate::monitor::{Status, pod_cgroup};
use crate::plan::PodSettings;
use crate::storage::Store;
use crate::types::{ContainerId, Report, ReportKind, Thing};

/// A pod with its members, as they are now.
#[derive(Debug)]
pub(crate) struct Pod {
    /// Its own record, and the process that keeps its namespaces.
    pub(crate) sandbox: Container,
    /// What a pod has beyond a container.
    pub(crate) settings: PodSettings,
    /// The containers in it, in the order in which they were created.
    pub(crate) members: Vec<Container>,
}

/// The status of a pod. Source: podman, `createPodStatusResults`; its own process counts as a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PodStatus {
    /// Nothing of it was started.
    Created,
    /// All of it runs.
    Running,
    /// Some of it runs.
    Degraded,
    /// All of it is frozen.
    Paused,
    /// Some of it has ended, and nothing runs.
    Stopped,
    /// All of it has ended.
    Exited,
}

impl PodStatus {
    /// Podman's word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Running => "Running",
            Self::Degraded => "Degraded",
            Self::Paused => "Paused",
            Self::Stopped => "Stopped",
            Self::Exited => "Exited",
        }
    }

    fn of(all: &[Status]) -> Self {
        let count = |wanted: &[Status]| all.iter().filter(|status| wanted.contains(status)).count();
        let running = count(&[Status::Running, Status::Stopping, Status::Orphaned, Status::Restarting]);
        let (paused, ended) = (count(&[Status::Paused]), count(&[Status::Exited, Status::Removing]));
        match all.len() {
            0 => Self::Created,
            whole if running == whole => Self::Running,
            _ if running > 0 => Self::Degraded,
            whole if paused == whole => Self::Paused,
            whole if ended == whole => Self::Exited,
            _ if ended > 0 => Self::Stopped,
            _ => Self::Created,
        }
    }
}

impl Pod {
    /// Its ID.
    pub(crate) fn id(&self) -> &ContainerId {
        &self.sandbox.config.id
    }

    /// The cgroup of its members, if it has one.
    pub(crate) fn cgroup(&self) -> &str {
        let of_process = self.sandbox.state.cgroup.as_deref();
        of_process.and_then(|path| pod_cgroup(path, self.id())).unwrap_or_default()
    }

    /// Its status now. An init container that has done its work does not count.
    pub(crate) fn status(&self) -> PodStatus {
        let own = self.settings.has_process.then_some(self.sandbox.status);
        let members = self.members.iter().filter(|member| !member.is_init() || member.is_running());
        let all: Vec<Status> = own.into_iter().chain(members.map(|member| member.status)).collect();
        PodStatus::of(&all)
    }
}

/// All pods, the newest first.
pub(crate) fn list(store: &Store) -> Result<Vec<Pod>, container::Error> {
    Ok(of(container::list(store)?))
}

/// The pods among all that the store has.
pub(crate) fn of(listing: Listing) -> Vec<Pod> {
    let mut members = listing.containers;
    let mut pods = Vec::new();
    for sandbox in listing.pods {
        let Some(settings) = sandbox.config.sandbox.clone() else { continue };
        let is_own = |member: &Container| member.config.pod.as_ref().is_some_and(|pod| pod.id == sandbox.config.id);
        let (mut own, others): (Vec<_>, Vec<_>) = members.into_iter().partition(is_own);
        own.reverse();
        members = others;
        pods.push(Pod { sandbox, settings, members: own });
    }
    pods
}

/// The pod with this name, ID or unambiguous beginning of an ID; a name takes precedence.
pub(crate) fn find(store: &Store, wanted: &str) -> Result<Pod, Report> {
    if wanted.is_empty() {
        // As podman: a variable of a script that is not set is no pod that does not exist.
        return Err(Report::new(ReportKind::Invalid, "the name or ID of a pod cannot be empty"));
    }
    let mut all = list(store)?;
    let named = all.iter().position(|pod| pod.sandbox.config.name.as_str() == wanted);
    let mut by_id = all.iter().enumerate().filter(|(_, pod)| pod.id().as_str().starts_with(wanted));
    let at = match (named, by_id.next(), by_id.next()) {
        (Some(at), ..) | (None, Some((at, _)), None) => at,
        (None, Some(_), Some(_)) => {
            let message = format!("`{}` matches several pod IDs", wanted.escape_debug());
            return Err(Report::new(ReportKind::Invalid, message));
        }
        (None, None, _) => return Err(missing(store, wanted)),
    };
    drop(by_id);
    Ok(all.swap_remove(at))
}

fn missing(store: &Store, wanted: &str) -> Report {
    let wanted = wanted.escape_debug();
    let report = Report::new(ReportKind::NotFound(Thing::Pod), format!("no such pod: {wanted}"));
    let is_container = container::find(store, &wanted.to_string()).is_ok();
    report.with_hint_of(is_container.then(|| format!("`{wanted}` is a container: `rc --help` lists its commands")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_as_its_containers_are() {
        use Status::{Created, Exited, Paused, Running, Starting};
        for (all, expected) in [
            (&[][..], PodStatus::Created),
            (&[Created, Created], PodStatus::Created),
            (&[Starting, Created], PodStatus::Created),
            (&[Running], PodStatus::Running),
            (&[Running, Running], PodStatus::Running),
            (&[Running, Exited], PodStatus::Degraded),
            (&[Running, Paused], PodStatus::Degraded),
            (&[Paused, Paused], PodStatus::Paused),
            (&[Exited, Exited], PodStatus::Exited),
            (&[Exited, Created], PodStatus::Stopped),
        ] {
            assert_eq!(PodStatus::of(all), expected, "{all:?}");
        }
    }
}
