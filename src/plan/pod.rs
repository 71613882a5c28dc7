//! Pods: what one is. `membership` has what its members have from it.
//!
//! A pod is planned as a container that runs no program: with namespaces, a network and names, and without files or
//! privileges of its own. Its members join its namespaces as containers join those of others (`namespaces`).

use std::collections::BTreeSet;

use super::{
    BaseHosts, ContainerConfig, Error, ExitPolicy, Facts, Identity, ImageDefaults, Limits, PodSettings, Request,
    RestartPolicy, cdi, names, resolve, security,
};
use crate::types::{Invalid, NamespaceKind, Network};

/// The namespaces that members have from their pod unless `--share` says otherwise. Source: podman-pod-create(1).
const SHARED: [NamespaceKind; 3] = [NamespaceKind::Ipc, NamespaceKind::Network, NamespaceKind::Uts];

const HOSTS_FILE: &str = "--hosts-file";

/// What a pod's process is called where an argument is shown.
const ARGUMENT: &str = "pod";

/// A requested pod.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PodRequest {
    /// `--share`: kinds of namespaces, with commas; with `+` before them besides the usual ones.
    pub(crate) share: Option<String>,
    /// `--infra`: a process keeps the namespaces; true unless nothing is shared.
    pub(crate) infra: Option<bool>,
    /// `--exit-policy`: `continue` or `stop`.
    pub(crate) exit_policy: Option<String>,
    /// `--infra-name`.
    pub(crate) infra_name: Option<String>,
    /// `--share-parent`: the cgroups of members are in that of the pod; true by default.
    pub(crate) share_parent: Option<bool>,
    /// What a pod has in common with containers: its name, labels, network, names, IDs, limits; and the restart policy
    /// and the security options of its members.
    pub(crate) container: Request,
}

/// Joins the request and the facts to the complete description of a pod. Fails with the first value that is wrong.
pub(crate) fn pod(request: &PodRequest, facts: &Facts, identity: Identity) -> Result<ContainerConfig, Error> {
    let settings =
        PodSettings { device_env: cdi::added(&request.container, &facts.found.described)?.env, ..settings(request)? };
    let asked = &request.container;
    // For errors: those of a member count.
    security::security(asked, facts, &[])?;
    if let Some(option) = of_process(asked).filter(|_| !settings.has_process) {
        return Err(Error::Exclusive { options: [option, "--infra=false"] });
    }
    let closed = match &asked.network {
        Some(Network::None) => Some("--network none"),
        Some(Network::Host) => Some("--network host"),
        _ => None,
    };
    if let Some(network) = closed.filter(|_| !asked.publish.is_empty()) {
        return Err(Error::Exclusive { options: ["--publish", network] });
    }
    if asked.hosts_file.as_deref() == Some("image") {
        let reason = "a pod has no image: name a file, or none";
        return Err(Error::option(HOSTS_FILE)(Invalid::new("hosts file", "image", reason)));
    }
    let has_own_name = asked.uts.as_deref().is_none_or(|mode| mode == "private");
    let name = Some(identity.name.to_string()).filter(|name| has_own_name && names::check_hostname(name).is_ok());
    let plain = Request {
        command: vec![ARGUMENT.to_owned()],
        hostname: asked.hostname.clone().or(name),
        restart: None,
        cap_drop: vec!["ALL".to_owned()],
        security_opts: vec!["no-new-privileges".to_owned()],
        seccomp_profiles: Vec::new(),
        systemd: Some("false".to_owned()),
        http_proxy: Some(false),
        read_only: true,
        read_only_tmpfs: Some(false),
        detach: true,
        ..asked.clone()
    };
    let plain = Request { log: super::LogRequest { driver: Some("none".to_owned()), ..plain.log.clone() }, ..plain };
    let config = resolve(&plain, &ImageDefaults::none(), facts, identity)?;
    // The default limit of processes is one of each member.
    let limits = Limits { default_pids: None, ..config.limits };
    let base_hosts = config.base_hosts.filter(|base| *base != BaseHosts::Image);
    Ok(ContainerConfig { sandbox: Some(settings), limits, base_hosts, ..config })
}

/// An option that says something of the network or the files of the pod's process, and nothing without one. Source:
/// podman, `PodSpecGenerator.Validate`.
fn of_process(asked: &Request) -> Option<&'static str> {
    let options = [
        ("--publish", !asked.publish.is_empty()),
        ("--network", asked.network.is_some()),
        (HOSTS_FILE, asked.hosts_file.is_some()),
        ("--no-hosts", asked.no_hosts),
        ("--add-host", !asked.add_hosts.is_empty()),
        ("--dns", !asked.dns.is_empty()),
        ("--dns-option", !asked.dns_options.is_empty()),
        ("--dns-search", !asked.dns_search.is_empty()),
        ("--ip", asked.ip.is_some()),
        ("--ip6", asked.ip6.is_some()),
        ("--mac-address", asked.mac_address.is_some()),
        ("--network-alias", !asked.network_aliases.is_empty()),
    ];
    options.into_iter().find_map(|(option, is_asked)| is_asked.then_some(option))
}

fn settings(request: &PodRequest) -> Result<PodSettings, Error> {
    let shared = shared(request.share.as_deref())?;
    let has_process = request.infra.unwrap_or(!shared.is_empty());
    let shared = match (has_process, &request.share) {
        // Without a process nothing has the namespaces.
        (false, None) => BTreeSet::new(),
        (false, Some(_)) if !shared.is_empty() => {
            return Err(Error::Exclusive { options: ["--share", "--infra=false"] });
        }
        _ => shared,
    };
    let exit_policy = match request.exit_policy.as_deref() {
        None | Some("continue") => ExitPolicy::Continue,
        Some("stop") => ExitPolicy::Stop,
        Some(text) => {
            let invalid = Invalid::new("exit policy", text, "must be continue or stop");
            return Err(Error::option("--exit-policy")(invalid));
        }
    };
    let restart = request.container.restart.as_deref().map_or(Ok(RestartPolicy::No), str::parse);
    let infra_name = request.infra_name.as_deref().filter(|name| !name.is_empty()).map(str::parse).transpose();
    Ok(PodSettings {
        shared,
        has_process,
        exit_policy,
        restart: restart.map_err(Error::option("--restart"))?,
        security_opts: request.container.security_opts.clone(),
        seccomp_profiles: request.container.seccomp_profiles.clone(),
        infra_name: infra_name.map_err(Error::option("--infra-name"))?,
        device_env: Vec::new(),
        has_members_elsewhere: request.share_parent == Some(false),
    })
}

/// Reads `--share`.
fn shared(text: Option<&str>) -> Result<BTreeSet<NamespaceKind>, Error> {
    let Some(text) = text else { return Ok(SHARED.into()) };
    let (mut shared, words) = match text.strip_prefix('+') {
        Some(more) => (BTreeSet::from(SHARED), more),
        None => (BTreeSet::new(), text),
    };
    for word in words.split(',').map(str::trim) {
        shared.insert(match word {
            "" | "none" => continue,
            "cgroup" => NamespaceKind::Cgroup,
            "ipc" => NamespaceKind::Ipc,
            "net" => NamespaceKind::Network,
            "pid" => NamespaceKind::Pid,
            "uts" => NamespaceKind::Uts,
            _ => {
                let reason = "must be cgroup, ipc, net, pid, uts or none";
                return Err(Error::option("--share")(Invalid::new("namespace", word, reason)));
            }
        });
    }
    Ok(shared)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{facts, identity};
    use super::super::{Membership, PortRequest};
    use super::*;
    use crate::types::{ContainerId, Joined};

    fn planned(request: &PodRequest) -> Result<ContainerConfig, String> {
        pod(request, &facts(), identity()).map_err(|error| error.to_string())
    }

    fn shares(text: &str) -> Result<Vec<NamespaceKind>, String> {
        let request = PodRequest { share: Some(text.to_owned()), ..PodRequest::default() };
        Ok(planned(&request)?.sandbox.expect("a pod").shared.into_iter().collect())
    }

    fn member(request: Request, pod: ContainerConfig) -> Result<ContainerConfig, String> {
        let mut facts = facts();
        facts.found.containers = [("p".to_owned(), Some(Box::new(pod))), ("gone".to_owned(), None)].into();
        let request = Request { pod: request.pod.or(Some("p".to_owned())), ..request };
        let identity = Identity { id: ContainerId::from_bytes([9; 32]), ..identity() };
        resolve(&request, &super::super::tests::image(), &facts, identity).map_err(|error| error.to_string())
    }

    #[test]
    fn words_of_share() {
        use NamespaceKind::{Cgroup, Ipc, Network, Pid, Uts};
        assert_eq!(shares("+pid"), Ok(vec![Pid, Ipc, Uts, Network]));
        assert_eq!(shares("pid,cgroup"), Ok(vec![Pid, Cgroup]));
        assert_eq!((shares(""), shares("none")), (Ok(vec![]), Ok(vec![])));
        assert!(shares("mnt").unwrap_err().contains("namespace `mnt` must be cgroup, ipc, net, pid, uts or none"));
        let bare = planned(&PodRequest { share: Some(String::new()), ..PodRequest::default() }).unwrap();
        assert!(!bare.sandbox.unwrap().has_process);
        let none = planned(&PodRequest { infra: Some(false), ..PodRequest::default() }).unwrap().sandbox.unwrap();
        assert!(!none.has_process && none.shared.is_empty());
        let both = PodRequest { infra: Some(false), share: Some("net".to_owned()), ..PodRequest::default() };
        assert_eq!(planned(&both).unwrap_err(), "`--share` and `--infra=false` cannot be used together");
    }

    #[test]
    fn a_member_has_the_namespaces_and_the_name_of_its_pod() {
        let request = PodRequest {
            container: Request { hostname: Some("h".to_owned()), ..Request::default() },
            ..PodRequest::default()
        };
        let pod = planned(&request).unwrap();
        assert!(pod.capabilities.is_empty() && pod.no_new_privileges && pod.read_only);
        let found = member(Request::default(), pod.clone()).unwrap();
        let of_pod = Joined::Container(pod.id.clone());
        for kind in [NamespaceKind::User, NamespaceKind::Ipc, NamespaceKind::Uts, NamespaceKind::Network] {
            assert_eq!(found.joined().get(&kind), Some(&of_pod), "{kind:?}");
        }
        let membership = Membership { id: pod.id.clone(), name: pod.name.clone(), init: None, is_elsewhere: false };
        assert_eq!((found.joined().len(), found.hostname.as_str(), found.pod), (4, "h", Some(membership)));
        let own = Request { network: Some(Network::None), uts: Some("private".to_owned()), ..Request::default() };
        let found = member(Request { hostname: Some("own".to_owned()), ..own }, pod).unwrap();
        assert_eq!((found.network, found.hostname.as_str()), (Network::None, "own"));
    }

    #[test]
    fn what_belongs_to_the_pod_is_refused_of_a_member() {
        let words = |text: &str| vec![text.to_owned()];
        let text = |text: &str| Some(text.to_owned());
        let pod = || planned(&PodRequest::default()).unwrap();
        for (request, reason) in [
            (
                Request { publish: vec![PortRequest::from_publish("80:80").unwrap()], ..Request::default() },
                "`--publish`: published or exposed ports must be defined when the pod is created: network cannot be \
                 configured when it is shared with a pod",
            ),
            (
                Request { ip: text("10.0.0.1"), ..Request::default() },
                "networks must be defined when the pod is created",
            ),
            (Request { add_hosts: words("a:1.2.3.4"), ..Request::default() }, "extra host entries must be specified"),
            (Request { dns: words("1.1.1.1"), ..Request::default() }, "name servers must be specified on the pod"),
            (Request { hostname: text("x"), ..Request::default() }, "cannot set hostname when joining the pod UTS"),
            (
                Request { userns: text("keep-id"), ..Request::default() },
                "`--userns` and `--pod` cannot be used together",
            ),
            (Request { pod: text("gone"), ..Request::default() }, "no such pod: gone"),
        ] {
            let error = member(request, pod()).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        let all = Request { restart: text("always"), ..Request::default() };
        let pod = planned(&PodRequest { container: all, ..PodRequest::default() }).unwrap();
        assert_eq!(pod.restart, RestartPolicy::No);
        assert_eq!(member(Request::default(), pod.clone()).unwrap().restart, RestartPolicy::Always);
        assert_eq!(
            member(Request { restart: text("no"), ..Request::default() }, pod).unwrap().restart,
            RestartPolicy::No
        );
    }
}
