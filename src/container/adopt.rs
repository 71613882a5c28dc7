//! A pod that is started again while members of it run: its monitor was killed, and its process with it. The namespaces
//! live on in the members, and the pod gets them back.

use std::time::{Duration, Instant};

use super::client::request;
use super::{Container, Error, find};
use crate::monitor::protocol::Ask;
use crate::monitor::{ContainerDir, pod_cgroup};
use crate::plan::ContainerConfig;
use crate::storage::Store;
use crate::types::{ContainerId, Joined, NamespaceKind, Network};

/// How long the monitors of all members may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);

/// The configuration of the pod with the namespaces that its members have from it; `None` for a container, and for a
/// pod without members that run.
pub(super) fn namespaces(store: &Store, config: &ContainerConfig) -> Result<Option<ContainerConfig>, Error> {
    let Some(settings) = &config.sandbox else { return Ok(None) };
    let members: Vec<ContainerConfig> = members(store, &config.id)?.map(|member| member.config).collect();
    let of_pod = Joined::Container(config.id.clone());
    let mut adopting = config.clone();
    for kind in settings.shared.iter().copied().chain([NamespaceKind::User]) {
        let Some(member) = members.iter().find(|member| member.joined().get(&kind) == Some(&of_pod)) else { continue };
        if kind == NamespaceKind::Network {
            adopting.network = Network::Container(member.id.to_string());
        } else {
            adopting.namespaces.joined.insert(kind, Joined::Container(member.id.clone()));
        }
    }
    Ok((!members.is_empty()).then_some(adopting))
}

/// The members of a pod whose programs run.
fn members(store: &Store, pod: &ContainerId) -> Result<impl Iterator<Item = Container>, Error> {
    let is_alive = |member: &Container| {
        let is_own = member.config.pod.as_ref().is_some_and(|of| of.id == *pod);
        is_own && member.state.init.as_ref().is_some_and(crate::sys::process_id::ProcessId::is_alive)
    };
    Ok(find::list(store)?.containers.into_iter().filter(is_alive))
}

/// Tells the members of a pod that it runs again. Those that had not noticed an end, and those whose monitor was
/// killed, need not hear of it.
pub(super) fn tell_members(store: &Store, pod: &ContainerId) {
    let Ok(members) = members(store, pod) else { return };
    let asked: Vec<_> = members.filter_map(|member| request(&member, "join", &Ask::Rejoin).ok()).collect();
    // One that cannot answer now reads the request later.
    let deadline = Instant::now() + ANSWER_TIMEOUT;
    asked.iter().for_each(|asked| asked.wait_until(deadline));
}

/// The cgroup of the pod that its last monitor has recorded.
pub(super) fn cgroup(directory: &ContainerDir, config: &ContainerConfig) -> Option<String> {
    config.sandbox.as_ref()?;
    let path = directory.state().ok()?.cgroup?;
    pod_cgroup(&path, &config.id).map(str::to_owned)
}
