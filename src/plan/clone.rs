//! `pod clone`: a copy of a pod and of its members, from their records.
//!
//! A copy is the original under another ID and name, less what only one can have: PID files, files with IDs and logs
//! outside of the store, anonymous volumes. What the options of `pod clone` say replaces what the original has, or is
//! added where there can be several.

use std::collections::BTreeMap;

use super::membership::inherit;
use super::security::Security;
use super::{
    ContainerConfig, Error, Facts, Identity, LimitChanges, Membership, Mount, MountKind, PodRequest, PodSettings,
    Request, Service, UserNamespace, env, first_process, security,
};
use crate::types::{ContainerId, Joined, Name, NamespaceKind, Network};

impl ContainerConfig {
    /// The request for a copy of this pod, with the IDs that it must have for itself, if the original has such.
    pub(crate) fn to_clone(&self, mut request: PodRequest) -> PodRequest {
        let asked = &mut request.container;
        if self.user_namespace.is_auto && !asks_for_ids(asked) {
            let size: u32 = self.user_namespace.maps.uids.iter().map(|range| range.count).sum();
            asked.userns = Some(format!("auto:size={size}"));
        }
        request
    }
}

fn asks_for_ids(request: &Request) -> bool {
    request.userns.is_some()
        || request.subuidname.is_some()
        || request.subgidname.is_some()
        || !request.uidmap.is_empty()
        || !request.gidmap.is_empty()
}

/// A copy of a pod. `fresh` is the pod that the request alone would be, and `volumes` has the names of its anonymous
/// volumes by those of the original's.
pub(crate) fn pod_clone(
    original: &ContainerConfig,
    fresh: ContainerConfig,
    request: &PodRequest,
    facts: &Facts,
    volumes: &BTreeMap<Name, Name>,
) -> Result<ContainerConfig, Error> {
    let asked = &request.container;
    let changes = LimitChanges::read(&asked.limits, &facts.found.block_devices)?;
    let has_own_name = asked.hostname.is_some() || original.hostname == original.name.as_str();
    let mut config = copy(original, &fresh, volumes);
    config.hostname = if has_own_name { fresh.hostname } else { original.hostname.clone() };
    config.limits = original.limits.changed_by(&changes)?;
    config.labels.extend(fresh.labels);
    config.sysctls.extend(fresh.sysctls);
    config.cgroup.parent = fresh.cgroup.parent.or(config.cgroup.parent);
    config.shm_size = if asked.shm_size.is_some() { fresh.shm_size } else { original.shm_size };
    config.service = fresh.service;
    config.create_command = fresh.create_command;
    config.mounts.retain(|old| fresh.mounts.iter().all(|new| new.destination != old.destination));
    config.mounts.extend(fresh.mounts);
    config.devices.retain(|old| fresh.devices.iter().all(|new| new.container != old.container));
    config.devices.extend(fresh.devices);
    config.links.retain(|old| fresh.links.iter().all(|new| new.path != old.path));
    config.links.extend(fresh.links);
    config.volumes_from.extend(fresh.volumes_from);
    if asked.pid.is_some() {
        config.namespaces.host_pid = fresh.namespaces.host_pid;
        replace(&mut config.namespaces.joined, &fresh.namespaces.joined, NamespaceKind::Pid);
    }
    if asked.uts.is_some() {
        config.host_uts = fresh.host_uts;
        replace(&mut config.namespaces.joined, &fresh.namespaces.joined, NamespaceKind::Uts);
    }
    if asks_for_ids(asked) {
        config.user_namespace = fresh.user_namespace;
        replace(&mut config.namespaces.joined, &fresh.namespaces.joined, NamespaceKind::User);
    }
    if let (Some(settings), Some(new)) = (&mut config.sandbox, fresh.sandbox) {
        change(settings, new, asked);
    }
    Ok(config)
}

fn change(settings: &mut PodSettings, new: PodSettings, asked: &Request) {
    if asked.restart.is_some() {
        settings.restart = new.restart;
    }
    settings.security_opts.extend(new.security_opts);
    settings.seccomp_profiles.extend(new.seccomp_profiles);
    settings.device_env = env::with(new.device_env, std::mem::take(&mut settings.device_env));
    // Two pods in one network would have it.
    settings.infra_name = new.infra_name;
}

fn replace(joined: &mut BTreeMap<NamespaceKind, Joined>, new: &BTreeMap<NamespaceKind, Joined>, kind: NamespaceKind) {
    joined.remove(&kind);
    joined.extend(new.get(&kind).map(|new| (kind, new.clone())));
}

/// What the copy of a member is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemberClone<'a> {
    /// The pod that the original is in.
    pub(crate) old_pod: &'a ContainerConfig,
    /// The copy of that pod.
    pub(crate) pod: &'a ContainerConfig,
    /// The IDs of the copies, the pod's too, by those of the originals.
    pub(crate) ids: &'a BTreeMap<ContainerId, ContainerId>,
    /// The names of anonymous volumes by those of the originals.
    pub(crate) volumes: &'a BTreeMap<Name, Name>,
    /// The request for the pod's copy.
    pub(crate) request: &'a PodRequest,
}

/// A copy of a member of a pod. Fails if the original has IDs that no other may have.
pub(crate) fn member_clone(
    original: &ContainerConfig,
    identity: Identity,
    of: &MemberClone<'_>,
    facts: &Facts,
) -> Result<ContainerConfig, Error> {
    if original.user_namespace.is_auto {
        let reason = format!("container `{}` has IDs of its own, by `--userns auto`", original.name);
        return Err(Error::OfPod { option: "pod clone", reason });
    }
    let new = ContainerConfig { id: identity.id, name: identity.name, created: identity.created, ..original.clone() };
    let mut config = copy(original, &new, of.volumes);
    let new_id = |id: &ContainerId| of.ids.get(id).unwrap_or(id).clone();
    for joined in config.namespaces.joined.values_mut() {
        if let Joined::Container(id) = joined {
            *id = new_id(id);
        }
    }
    if let Network::Container(text) = &mut config.network
        && let Ok(id) = text.parse::<ContainerId>()
    {
        *text = new_id(&id).to_string();
    }
    config.requires = config.requires.iter().map(new_id).collect();
    if let Some(joined) = config.namespaces.joined.get(&NamespaceKind::User) {
        let is_pods = *joined == Joined::Container(of.pod.id.clone());
        let maps = if is_pods { of.pod.user_namespace.maps.clone() } else { config.user_namespace.maps };
        config.user_namespace = UserNamespace { mode: joined.to_string(), maps, is_auto: false };
    }
    let membership = original.pod.as_ref();
    config.pod = membership.map(|old| Membership { id: of.pod.id.clone(), name: of.pod.name.clone(), ..old.clone() });
    let is_new = |mount: &&Mount| !of.old_pod.mounts.iter().any(|old| old.destination == mount.destination);
    let more = ContainerConfig { mounts: of.pod.mounts.iter().filter(is_new).cloned().collect(), ..of.pod.clone() };
    inherit(&more, &mut config);
    rename(&mut config, original, of);
    secured(config, of.request, facts)
}

/// Gives it the host name that it has now, also where the program looks for it.
fn rename(config: &mut ContainerConfig, original: &ContainerConfig, of: &MemberClone<'_>) {
    let has_pods = config.namespaces.joined.get(&NamespaceKind::Uts) == Some(&Joined::Container(of.pod.id.clone()));
    if has_pods {
        config.hostname.clone_from(&of.pod.hostname);
    } else if original.hostname == original.id.short() {
        config.hostname = config.id.short().to_owned();
    }
    let old = format!("HOSTNAME={}", original.hostname);
    let uuids = [&original.id, &config.id].map(|id| first_process::variable_for_systemd(original.is_systemd, id));
    for variable in &mut config.env {
        if *variable == old {
            *variable = format!("HOSTNAME={}", config.hostname);
        } else if let [Some(old), Some(new)] = &uuids
            && variable == old
        {
            variable.clone_from(new);
        }
    }
}

/// The container with the security options of a request over its own.
fn secured(config: ContainerConfig, request: &PodRequest, facts: &Facts) -> Result<ContainerConfig, Error> {
    let ContainerConfig { no_new_privileges, seccomp, system_paths, .. } = config.clone();
    let own = Security { no_new_privileges, seccomp, system_paths };
    let security = security::changed(own, &request.container, facts, &config.capabilities)?;
    let Security { no_new_privileges, seccomp, system_paths } = security;
    Ok(ContainerConfig { no_new_privileges, seccomp, system_paths, ..config })
}

/// The original under the identity of another.
fn copy(original: &ContainerConfig, new: &ContainerConfig, volumes: &BTreeMap<Name, Name>) -> ContainerConfig {
    let mut mounts = original.mounts.clone();
    for mount in &mut mounts {
        if let MountKind::Volume { name, anonymous: true, .. } = &mut mount.kind
            && let Some(new) = volumes.get(name)
        {
            name.clone_from(new);
        }
    }
    ContainerConfig {
        id: new.id.clone(),
        name: new.name.clone(),
        created: new.created.clone(),
        mounts,
        cidfile: None,
        log_path: None,
        service: Service { pidfile: None, conmon_pidfile: None, ..original.service.clone() },
        health_update: None,
        ..original.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{facts, identity};
    use super::super::{MountRequest, RestartPolicy, pod, resolve};
    use super::*;

    fn id(byte: u8) -> ContainerId {
        ContainerId::from_bytes([byte; 32])
    }

    fn named(name: &str, byte: u8) -> Identity {
        Identity { id: id(byte), name: name.parse().unwrap(), ..identity() }
    }

    fn planned(container: Request, who: Identity) -> (PodRequest, ContainerConfig) {
        let request = PodRequest { container, ..PodRequest::default() };
        let config = pod(&request, &facts(), who).unwrap();
        (request, config)
    }

    #[test]
    fn a_copy_is_the_original_with_other_names_and_with_what_was_asked_for() {
        let labelled = |label: &str| Request { labels: vec![label.to_owned()], ..Request::default() };
        let restart = Some("always".to_owned());
        let volume = vec![MountRequest::from_volume("/data").unwrap()];
        let mut facts_of_pod = facts();
        facts_of_pod.found.volume_names = vec!["a".repeat(64).parse().unwrap()];
        let first =
            PodRequest { container: Request { restart, mounts: volume, ..labelled("a=1") }, ..PodRequest::default() };
        let old = pod(&first, &facts_of_pod, named("p", 1)).unwrap();
        let mut known = facts();
        known.found.containers = [("p".to_owned(), Some(Box::new(old.clone())))].into();
        let member = Request { pod: Some("p".to_owned()), ..Request::default() };
        let member = resolve(&member, &super::super::tests::image(), &known, named("one", 2)).unwrap();

        let opts = vec!["no-new-privileges".to_owned()];
        let asked = Request { security_opts: opts, mounts: vec![MountRequest::from_tmpfs("/t")], ..labelled("b=2") };
        let (request, fresh) = planned(asked, named("p-clone", 3));
        let volumes: BTreeMap<Name, Name> =
            [("a".repeat(64), "b".repeat(64))].map(|(old, new)| (old.parse().unwrap(), new.parse().unwrap())).into();
        let new = pod_clone(&old, fresh, &request, &facts(), &volumes).unwrap();
        assert_eq!((new.id.clone(), new.hostname.as_str(), new.labels.len()), (id(3), "p-clone", 2));
        assert_eq!(new.sandbox.as_ref().map(|pod| pod.restart), Some(RestartPolicy::Always));

        let ids: BTreeMap<ContainerId, ContainerId> = [(id(1), id(3)), (id(2), id(4))].into();
        let of = MemberClone { old_pod: &old, pod: &new, ids: &ids, volumes: &volumes, request: &request };
        let copied = member_clone(&member, named("one-clone", 4), &of, &facts()).unwrap();
        assert_eq!(
            (copied.network.clone(), copied.hostname.as_str()),
            (Network::Container(id(3).to_string()), "p-clone")
        );
        assert!(copied.namespaces.joined.values().all(|joined| *joined == Joined::Container(id(3))));
        assert!(copied.env.contains(&"HOSTNAME=p-clone".to_owned()) && copied.no_new_privileges);
        let mounted: Vec<&str> = copied.mounts.iter().map(|mount| mount.destination.as_str()).collect();
        assert_eq!(mounted, ["/data", "/t"]);
        let is_new =
            |kind: &MountKind| matches!(kind, MountKind::Volume { name, .. } if name.as_str().starts_with('b'));
        assert!(is_new(&copied.mounts[0].kind) && copied.pod.is_some_and(|pod| pod.id == id(3)));
    }
}
