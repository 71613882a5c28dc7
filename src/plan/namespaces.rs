//! `--pid`, `--ipc`, `--uts`, `--cgroupns`, `--network` and `--userns`: which namespaces a container shares with the
//! host or with another container.
//!
//! With a namespace of another container comes its user namespace, unless `--userns` says otherwise:
//! all that belongs to a namespace, such as ports below 1024, is the affair of its user namespace. In podman all
//! containers share one by default.

use std::collections::{BTreeMap, BTreeSet};

use super::config::{Ipc, Namespaces};
use super::{CgroupNamespace, ContainerConfig, Error, Facts, Request};
use crate::types::{Invalid, Joined, NamespaceKind, Network};

/// The namespaces that are not the container's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shared {
    pub(super) host_uts: bool,
    pub(super) ipc: Ipc,
    pub(super) network: Network,
    pub(super) cgroup: CgroupNamespace,
    pub(super) namespaces: Namespaces,
}

/// What one option asks for.
enum Asked<'a> {
    Own,
    Host,
    Container(&'a str),
    Path(&'a str),
    Other(&'a str),
}

impl<'a> Asked<'a> {
    fn read(text: Option<&'a str>) -> Self {
        match text.map(|text| (text, text.split_once(':'))) {
            None | Some(("" | "private", _)) => Self::Own,
            Some(("host", _)) => Self::Host,
            Some((_, Some(("container", name)))) if !name.is_empty() => Self::Container(name),
            Some((_, Some(("ns", path)))) if path.starts_with('/') && !path.contains('\0') => Self::Path(path),
            Some((text, _)) => Self::Other(text),
        }
    }
}

/// The options, each with what it asks for.
fn options(request: &Request) -> [(NamespaceKind, &'static str, Option<&str>); 5] {
    [
        (NamespaceKind::User, "--userns", request.userns.as_deref()),
        (NamespaceKind::Pid, "--pid", request.pid.as_deref()),
        (NamespaceKind::Ipc, "--ipc", request.ipc.as_deref()),
        (NamespaceKind::Uts, "--uts", request.uts.as_deref()),
        (NamespaceKind::Cgroup, "--cgroupns", request.cgroupns.as_deref()),
    ]
}

/// The containers that the request names, and its pod.
pub(super) fn containers(request: &Request) -> BTreeSet<String> {
    let network = match &request.network {
        Some(Network::Container(name)) => Some(name.clone()),
        _ => None,
    };
    let named = options(request).into_iter().filter_map(|(_, _, text)| match Asked::read(text) {
        Asked::Container(name) => Some(name.to_owned()),
        _ => None,
    });
    let pod = request.pod.clone();
    named
        .chain(network)
        .chain(pod)
        .chain(request.requires.iter().flat_map(|names| names.split(',')).map(str::to_owned))
        .collect()
}

/// The container of this name or ID.
pub(super) fn container<'a>(facts: &'a Facts, option: &'static str, name: &str) -> Result<&'a ContainerConfig, Error> {
    match facts.found.containers.get(name) {
        None => Err(Error::NotLookedUp("a container")),
        Some(None) => Err(Error::option(option)(Invalid::new("container", name, "no such container"))),
        Some(Some(found)) => Ok(found),
    }
}

/// Reads all of the options.
pub(super) fn shared(
    request: &Request,
    facts: &Facts,
    network: Network,
    pod: Option<&ContainerConfig>,
) -> Result<Shared, Error> {
    let mut shared = Shared {
        host_uts: false,
        ipc: Ipc::Private,
        network,
        cgroup: CgroupNamespace::Private,
        namespaces: Namespaces::default(),
    };
    for (kind, option, text) in options(request) {
        let refused = |text: &str, reason: &str| Err(Error::option(option)(Invalid::new("namespace", text, reason)));
        match (kind, Asked::read(text)) {
            (NamespaceKind::User, Asked::Own | Asked::Host | Asked::Other(_)) | (_, Asked::Own) => {}
            (_, Asked::Host) => shared.take_host(kind),
            (_, Asked::Container(name)) => shared.join(kind, container(facts, option, name)?),
            (_, Asked::Path(path)) => drop(shared.namespaces.joined.insert(kind, Joined::Path(path.into()))),
            (NamespaceKind::Ipc, Asked::Other("shareable")) => {}
            (NamespaceKind::Ipc, Asked::Other("none")) => shared.ipc = Ipc::None,
            (NamespaceKind::Ipc, Asked::Other(text)) => {
                return refused(text, "must be private, shareable, none, host, container:NAME or ns:/PATH");
            }
            (_, Asked::Other(text)) => return refused(text, "must be private, host, container:NAME or ns:/PATH"),
        }
    }
    if let Network::Container(name) = shared.network.clone() {
        shared.join(NamespaceKind::Network, container(facts, "--network", &name)?);
    }
    if let Some(pod) = pod {
        shared.join_pod(request, pod);
    }
    shared.check(request)?;
    shared.join_user_namespace(request, facts)?;
    Ok(shared)
}

impl Shared {
    fn take_host(&mut self, kind: NamespaceKind) {
        match kind {
            NamespaceKind::Pid => self.namespaces.host_pid = true,
            NamespaceKind::Ipc => self.ipc = Ipc::Host,
            NamespaceKind::Uts => self.host_uts = true,
            NamespaceKind::Network => self.network = Network::Host,
            NamespaceKind::Cgroup => self.cgroup = CgroupNamespace::Host,
            NamespaceKind::User => {}
        }
    }

    /// Joins a namespace of `other`, which may be the host's.
    fn join(&mut self, kind: NamespaceKind, other: &ContainerConfig) {
        if other.has_host(kind) {
            self.take_host(kind);
        } else if kind == NamespaceKind::Network {
            self.network = Network::Container(other.id.to_string());
        } else {
            self.namespaces.joined.insert(kind, Joined::Container(other.id.clone()));
        }
    }

    /// Joins the namespaces that the request leaves to its pod.
    fn join_pod(&mut self, request: &Request, pod: &ContainerConfig) {
        let settings = pod.sandbox.iter();
        for kind in settings.flat_map(|settings| &settings.shared).filter(|kind| request.has_pods(**kind, pod)) {
            self.join(*kind, pod);
        }
        if pod.shares_any() {
            // All members have the same IDs, whatever else they share.
            self.join(NamespaceKind::User, pod);
        }
    }

    /// Whether the host name is that of `pod`.
    pub(super) fn has_names_of(&self, pod: &ContainerConfig) -> bool {
        self.namespaces.joined.get(&NamespaceKind::Uts) == Some(&Joined::Container(pod.id.clone()))
    }

    fn check(&self, request: &Request) -> Result<(), Error> {
        let has_own_name = !self.host_uts && !self.namespaces.joined.contains_key(&NamespaceKind::Uts);
        if request.hostname.is_some() && !has_own_name {
            let other = if self.host_uts { "--uts host" } else { "--uts container" };
            return Err(Error::Exclusive { options: ["--hostname", other] });
        }
        // Its ports are the other's, and so are `hosts` and `resolv.conf`. Source: docker, `validateNetMode`.
        let of_other = [
            ("--publish", request.publish.is_empty()),
            ("--publish-all", !request.publish_all),
            ("--add-host", request.add_hosts.is_empty()),
            ("--dns", request.dns.is_empty()),
            ("--dns-option", request.dns_options.is_empty()),
            ("--dns-search", request.dns_search.is_empty()),
        ];
        if let (Network::Container(_), Some((option, _))) =
            (&self.network, of_other.iter().find(|(_, is_unset)| !is_unset))
        {
            return Err(Error::Exclusive { options: [*option, "--network container"] });
        }
        Ok(())
    }

    /// The container whose user namespace the others belong to.
    fn join_user_namespace(&mut self, request: &Request, facts: &Facts) -> Result<(), Error> {
        if self.namespaces.joined.contains_key(&NamespaceKind::User) {
            return Ok(());
        }
        let of = |kind: &NamespaceKind| match self.namespaces.joined.get(kind) {
            Some(Joined::Container(id)) => Some(id.to_string()),
            _ => None,
        };
        let network = match &self.network {
            Network::Container(id) => Some(id.clone()),
            _ => None,
        };
        let pid = of(&NamespaceKind::Pid);
        let has_own = request.userns.as_deref().is_some_and(|mode| !matches!(mode, "" | "host"))
            || !request.uidmap.is_empty()
            || !request.gidmap.is_empty()
            || request.subuidname.is_some()
            || request.subgidname.is_some();
        if has_own {
            // Only the owner of a PID namespace can mount its /proc.
            return match pid {
                Some(_) => Err(Error::Exclusive { options: ["--pid container", "--userns"] }),
                None => Ok(()),
            };
        }
        let others = [NamespaceKind::Ipc, NamespaceKind::Uts, NamespaceKind::Cgroup];
        let id = pid.or(network).or_else(|| others.iter().find_map(of));
        let all = facts.found.containers.values().flatten();
        if let Some(other) = id.and_then(|id| all.into_iter().find(|other| other.id.as_str() == id)) {
            self.namespaces.joined.insert(NamespaceKind::User, Joined::Container(other.id.clone()));
        }
        Ok(())
    }

    /// The container whose user namespace is joined.
    pub(super) fn user_of<'a>(&self, facts: &'a Facts) -> Option<&'a ContainerConfig> {
        let Some(Joined::Container(id)) = self.namespaces.joined.get(&NamespaceKind::User) else { return None };
        facts.found.containers.values().flatten().map(|other| &**other).find(|other| other.id == *id)
    }
}

impl ContainerConfig {
    /// Whether this namespace is the host's.
    pub(crate) fn has_host(&self, kind: NamespaceKind) -> bool {
        match kind {
            NamespaceKind::User => false,
            NamespaceKind::Pid => self.namespaces.host_pid,
            NamespaceKind::Ipc => self.ipc == Ipc::Host,
            NamespaceKind::Uts => self.host_uts,
            NamespaceKind::Network => self.network == Network::Host,
            NamespaceKind::Cgroup => self.cgroup.namespace == CgroupNamespace::Host,
        }
    }

    /// The namespaces that are those of others, by kind.
    pub(crate) fn joined(&self) -> BTreeMap<NamespaceKind, Joined> {
        let mut joined = self.namespaces.joined.clone();
        let network = match &self.network {
            Network::Container(id) => id.parse().ok().map(Joined::Container),
            Network::Path(path) => Some(Joined::Path(path.clone())),
            _ => None,
        };
        joined.extend(network.map(|network| (NamespaceKind::Network, network)));
        joined
    }

    /// Whether others have this namespace, too.
    pub(crate) fn shares(&self, kind: NamespaceKind) -> bool {
        self.has_host(kind) || self.joined().contains_key(&kind)
    }

    /// Whether root of the container may do everything with this namespace: it is the container's own, or comes from
    /// the container that the user namespace comes from.
    pub(crate) fn owns(&self, kind: NamespaceKind) -> bool {
        let joined = self.joined();
        match joined.get(&kind) {
            None => !self.has_host(kind),
            Some(Joined::Path(_)) => false,
            other @ Some(Joined::Container(_)) => joined.get(&NamespaceKind::User) == other,
        }
    }

    /// How `inspect` shows a namespace: `private`, `host`, `container:ID` or `ns:PATH`.
    pub(crate) fn mode_of(&self, kind: NamespaceKind) -> String {
        match self.joined().get(&kind) {
            Some(joined) => joined.to_string(),
            None if self.has_host(kind) => "host".to_owned(),
            None => "private".to_owned(),
        }
    }

    /// The containers that must run when this one does, none twice: those whose namespaces it has, and `--requires`.
    pub(crate) fn dependencies(&self) -> Vec<crate::types::ContainerId> {
        let joined = self.joined();
        let of_namespaces = joined.values().filter_map(|joined| match joined {
            Joined::Container(id) => Some(id),
            Joined::Path(_) => None,
        });
        let mut all = Vec::new();
        for id in of_namespaces.chain(&self.requires) {
            if !all.contains(id) {
                all.push(id.clone());
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::facts;
    use super::*;

    fn of(request: &Request) -> Result<Shared, String> {
        let mut facts = facts();
        let other = ContainerConfig { host_uts: true, ..super::super::example() };
        facts.found.containers = [("web".to_owned(), Some(Box::new(other))), ("gone".to_owned(), None)].into();
        let network = request.network.clone().unwrap_or(Network::None);
        shared(request, &facts, network, None).map_err(|error| error.to_string())
    }

    fn request(pid: &str, ipc: &str, uts: &str) -> Request {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Request { pid: text(pid), ipc: text(ipc), uts: text(uts), ..Request::default() }
    }

    #[test]
    fn words_of_docker_and_podman() {
        let own = of(&Request::default()).unwrap();
        assert_eq!((own.host_uts, own.ipc, own.namespaces), (false, Ipc::Private, Namespaces::default()));
        let host = of(&request("host", "host", "host")).unwrap();
        assert!(host.host_uts && host.ipc == Ipc::Host && host.namespaces.host_pid);
        assert_eq!(of(&request("", "none", "")).unwrap().ipc, Ipc::None);
        assert_eq!(of(&request("private", "shareable", "private")).unwrap().ipc, Ipc::Private);
        let path = of(&request("", "", "ns:/proc/1/ns/uts")).unwrap();
        assert_eq!(path.namespaces.joined[&NamespaceKind::Uts], Joined::Path("/proc/1/ns/uts".into()));
        // That of `web` is its own.
        let joins = Request { network: Some(Network::Container("web".to_owned())), ..request("", "", "") };
        for (bad, reason) in [
            (request("x", "", ""), "`--pid`: namespace `x` must be private, host, container:NAME or ns:/PATH"),
            (request("", "", "ns:x"), "`--uts`: namespace `ns:x` must be"),
            (request("", "x", ""), "must be private, shareable, none"),
            (request("container:gone", "", ""), "no such container"),
            (Request { hostname: Some("x".to_owned()), ..request("", "", "host") }, "`--hostname` and `--uts host`"),
            (Request { dns: vec!["1.1.1.1".to_owned()], ..joins.clone() }, "`--dns` and `--network container`"),
            (Request { add_hosts: vec!["a:1.1.1.1".to_owned()], ..joins.clone() }, "`--add-host` and `--network"),
        ] {
            let error = of(&bad).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn who_joins_a_container_gets_its_user_namespace() {
        let id = super::super::example().id;
        let joined = of(&request("container:web", "", "container:web")).unwrap();
        // The other has the host's names.
        assert!(joined.host_uts);
        let expected = [NamespaceKind::User, NamespaceKind::Pid].map(|kind| (kind, Joined::Container(id.clone())));
        assert_eq!(joined.namespaces.joined, expected.into());
        let with_own = Request { userns: Some("keep-id".to_owned()), ..request("container:web", "", "") };
        assert_eq!(of(&with_own).unwrap_err(), "`--pid container` and `--userns` cannot be used together");
        let network = Request { network: Some(Network::Container("web".to_owned())), ..Request::default() };
        let joined = of(&network).unwrap();
        assert_eq!(joined.network, Network::Container(id.to_string()));
        assert_eq!(joined.namespaces.joined[&NamespaceKind::User], Joined::Container(id));
        let own = of(&Request { userns: Some("keep-id".to_owned()), ..network }).unwrap();
        assert!(own.namespaces.joined.is_empty());
    }
}
