//! A pod that is started again while members of it run: its monitor was killed, and its process with it. The namespaces
//! live on in the members, and the pod gets them back.

use super::{Error, find};
use crate::monitor::{ContainerDir, pod_cgroup};
use crate::plan::ContainerConfig;
use crate::storage::Store;
use crate::types::{Joined, NamespaceKind, Network};

/// The configuration of the pod with the namespaces that its members have from it; `None` for a container, and for a
/// pod without members that run.
pub(super) fn namespaces(store: &Store, config: &ContainerConfig) -> Result<Option<ContainerConfig>, Error> {
    let Some(settings) = &config.sandbox else { return Ok(None) };
    let is_alive = |member: &super::Container| {
        let is_own = member.config.pod.as_ref().is_some_and(|pod| pod.id == config.id);
        is_own && member.state.init.as_ref().is_some_and(crate::sys::process_id::ProcessId::is_alive)
    };
    let members: Vec<ContainerConfig> =
        find::list(store)?.containers.into_iter().filter(is_alive).map(|member| member.config).collect();
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

/// The cgroup of the pod that its last monitor has recorded.
pub(super) fn cgroup(directory: &ContainerDir, config: &ContainerConfig) -> Option<String> {
    config.sandbox.as_ref()?;
    let path = directory.state().ok()?.cgroup?;
    pod_cgroup(&path, &config.id).map(str::to_owned)
}
