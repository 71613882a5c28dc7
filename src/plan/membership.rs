//! `--pod`: what a container has from its pod, and what it must leave to it.

use super::{
    ContainerConfig, Device, Error, Facts, InitContainer, Membership, Mount, PodSettings, Request, RestartPolicy, env,
};
use crate::types::{Invalid, Link, NamespaceKind};

/// The option of a container that runs before the others of its pod.
const INIT: &str = "--init-ctr";

/// The pod that the request names. Fails if there is none, or if the request sets what belongs to the pod.
pub(super) fn pod_of<'a>(request: &Request, facts: &'a Facts) -> Result<Option<&'a ContainerConfig>, Error> {
    let Some(name) = &request.pod else {
        let refused =
            |word| Error::option(INIT)(Invalid::new("kind", word, "needs `--pod POD`: it runs before others"));
        return request.init_ctr.as_deref().map_or(Ok(None), |word| Err(refused(word)));
    };
    match facts.found.containers.get(name) {
        None => Err(Error::NotLookedUp("a pod")),
        Some(Some(pod)) if pod.sandbox.is_some() => check(request, pod).map(|()| Some(&**pod)),
        Some(_) => Err(Error::NoPod { name: name.clone() }),
    }
}

/// Fails with podman's words. Source: podman's `SpecGenerator.Validate`.
fn check(request: &Request, pod: &ContainerConfig) -> Result<(), Error> {
    let has_ids = request.userns.is_some()
        || !request.uidmap.is_empty()
        || !request.gidmap.is_empty()
        || request.subuidname.is_some()
        || request.subgidname.is_some();
    if has_ids && pod.shares_any() {
        return Err(Error::Exclusive { options: ["--userns", "--pod"] });
    }
    let network = "network cannot be configured when it is shared with a pod";
    let of_network = [
        ("--ip", request.ip.is_some(), "networks must be defined when the pod is created"),
        ("--ip6", request.ip6.is_some(), "networks must be defined when the pod is created"),
        ("--mac-address", request.mac_address.is_some(), "networks must be defined when the pod is created"),
        ("--link", !request.links.is_empty(), "networks must be defined when the pod is created"),
        ("--network-alias", !request.network_aliases.is_empty(), "networks must be defined when the pod is created"),
        (
            "--publish",
            !request.publish.is_empty(),
            "published or exposed ports must be defined when the pod is created",
        ),
        ("--publish-all", request.publish_all, "published or exposed ports must be defined when the pod is created"),
        ("--add-host", !request.add_hosts.is_empty(), "extra host entries must be specified on the pod"),
        ("--hosts-file", request.hosts_file.is_some(), "the hosts file must be specified on the pod"),
        ("--dns", !request.dns.is_empty(), "name servers must be specified on the pod"),
        ("--dns-option", !request.dns_options.is_empty(), "name servers must be specified on the pod"),
        ("--dns-search", !request.dns_search.is_empty(), "name servers must be specified on the pod"),
    ];
    let refused = of_network.into_iter().find(|(_, is_set, _)| *is_set);
    if let Some((option, _, reason)) = refused
        && request.has_pods(NamespaceKind::Network, pod)
    {
        return Err(Error::OfPod { option, reason: format!("{reason}: {network}") });
    }
    if request.hostname.is_some() && request.has_pods(NamespaceKind::Uts, pod) {
        let reason = "cannot set hostname when joining the pod UTS namespace".to_owned();
        return Err(Error::OfPod { option: "--hostname", reason });
    }
    Ok(())
}

/// The request with the security options of its pod, which its own follow: the last one on a subject counts.
pub(super) fn with_options_of(pod: &PodSettings, request: &Request) -> Request {
    Request {
        security_opts: [&pod.security_opts[..], &request.security_opts].concat(),
        seccomp_profiles: [&pod.seccomp_profiles[..], &request.seccomp_profiles].concat(),
        ..request.clone()
    }
}

/// The container with what it has from its pod.
pub(super) fn complete(
    mut config: ContainerConfig,
    request: &Request,
    pod: &ContainerConfig,
) -> Result<ContainerConfig, Error> {
    inherit(pod, &mut config);
    if pod.shares_any() && request.passwd != Some(false) {
        config.accounts.users.extend(pod.accounts.users.iter().cloned());
        config.accounts.groups.extend(pod.accounts.groups.iter().cloned());
    }
    let is_elsewhere = pod.sandbox.as_ref().is_some_and(|pod| pod.has_members_elsewhere);
    Ok(ContainerConfig {
        pod: Some(Membership { id: pod.id.clone(), name: pod.name.clone(), init: init(request)?, is_elsewhere }),
        restart: request.restart_in(pod).unwrap_or(config.restart),
        image_hosts: config.image_hosts || pod.image_hosts,
        image_hostname: config.image_hostname || pod.image_hostname,
        image_resolver: config.image_resolver || pod.image_resolver,
        ..config
    })
}

/// Reads `--init-ctr`. What runs before the others must end, and its end is awaited.
fn init(request: &Request) -> Result<Option<InitContainer>, Error> {
    let Some(word) = request.init_ctr.as_deref() else { return Ok(None) };
    let restarts = request.restart.as_deref().is_some_and(|policy| policy != "no");
    if let Some((option, _)) = [("--restart", restarts), ("--rm", request.auto_remove)].iter().find(|(_, is)| *is) {
        return Err(Error::Exclusive { options: [INIT, option] });
    }
    match word {
        "always" => Ok(Some(InitContainer::Always)),
        "once" => Ok(Some(InitContainer::Once)),
        _ => Err(Error::option(INIT)(Invalid::new("kind", word, "must be always or once"))),
    }
}

/// Adds the mounts and devices of the pod, with what these need, unless the container has something else in their
/// places.
pub(super) fn inherit(pod: &ContainerConfig, config: &mut ContainerConfig) {
    let is_free = |of_pod: &&Mount| config.mounts.iter().all(|own| own.destination != of_pod.destination);
    let mounts: Vec<Mount> = pod.mounts.iter().filter(is_free).cloned().collect();
    config.mounts.extend(mounts);
    let is_free = |of_pod: &&Device| config.devices.iter().all(|own| own.container != of_pod.container);
    let devices: Vec<Device> = pod.devices.iter().filter(is_free).cloned().collect();
    config.devices.extend(devices);
    let is_free = |of_pod: &&Link| config.links.iter().all(|own| own.path != of_pod.path);
    let links: Vec<Link> = pod.links.iter().filter(is_free).cloned().collect();
    config.links.extend(links);
    let variables = pod.sandbox.iter().flat_map(|pod| pod.device_env.iter().cloned());
    config.env = env::with(std::mem::take(&mut config.env), variables.collect());
}

impl Request {
    /// Whether it leaves a namespace to the pod. A member that names a network of its own is not in the pod's.
    pub(super) fn has_pods(&self, kind: NamespaceKind, pod: &ContainerConfig) -> bool {
        let is_left = match kind {
            NamespaceKind::User => self.userns.is_none(),
            NamespaceKind::Pid => self.pid.is_none(),
            NamespaceKind::Ipc => self.ipc.is_none(),
            NamespaceKind::Uts => self.uts.is_none(),
            NamespaceKind::Cgroup => self.cgroupns.is_none(),
            NamespaceKind::Network => self.network.is_none(),
        };
        is_left && pod.sandbox.as_ref().is_some_and(|settings| settings.shared.contains(&kind))
    }

    /// The restart policy of a container in this pod.
    fn restart_in(&self, pod: &ContainerConfig) -> Option<RestartPolicy> {
        let inherited = pod.sandbox.as_ref().map(|settings| settings.restart);
        inherited.filter(|_| self.restart.is_none() && !self.auto_remove && self.init_ctr.is_none())
    }
}

impl ContainerConfig {
    /// Whether members of this pod have any of its namespaces.
    pub(super) fn shares_any(&self) -> bool {
        self.sandbox.as_ref().is_some_and(|settings| !settings.shared.is_empty())
    }
}
