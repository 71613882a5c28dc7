//! The runtime spec of a container: the seam below which only the spec and [`extras`] count.

mod mounts;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use oci_spec::runtime::{
    Capabilities, Linux, LinuxCapabilities, LinuxDevice, LinuxDeviceType, LinuxIdMapping, LinuxIdMappingBuilder,
    LinuxNamespace, LinuxNamespaceType, LinuxPersonality, LinuxPersonalityDomain, LinuxSeccomp, PosixRlimit,
    PosixRlimitBuilder, Process, Root, Spec, User,
};

use super::first_process::INIT_PLACE;
use super::user::KEEP_GROUPS;
use super::{ContainerConfig, Error, Handed, Personality, Rlimit, Seccomp};
use crate::types::{ContainerId, Extras, IdRange, Joined, Layers, NamespaceKind};

/// The version of the runtime spec.
const OCI_VERSION: &str = "1.2.0";

/// The devices of `/dev` with their numbers; the runtime binds the host's, since an unprivileged user cannot create
/// device nodes. Source: runtime-spec config-linux.md "Default Devices"; `ptmx`, `console` and the links are the
/// runtime's.
const DEVICES: [(&str, i64, i64); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/random", 1, 8),
    ("/dev/urandom", 1, 9),
    ("/dev/tty", 5, 0),
];

/// Facts about the host at a container's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostFacts {
    /// The container's root file system, where it is mounted.
    pub(crate) rootfs: PathBuf,
    /// The container's directory, which holds `resolv.conf`, `hosts`, `hostname` and an empty `containerenv`.
    pub(crate) container_dir: PathBuf,
    /// The directory of the container whose network this one has, with the `resolv.conf` and `hosts` of both.
    pub(crate) network_dir: Option<PathBuf>,
    /// The directory of the volumes: each has its content in `NAME/_data`.
    pub(crate) volumes_dir: PathBuf,
    /// The layers of mounted images, by their destinations.
    pub(crate) images: BTreeMap<String, Layers>,
    /// An empty directory.
    pub(crate) empty_dir: PathBuf,
    /// Where the host has cgroup v2 mounted, for a container that sees all of it.
    pub(crate) cgroups: Option<PathBuf>,
    /// How many CPUs the host has: their throttling counters are masked.
    pub(crate) cpus: u32,
    /// What a service manager passes to the program at this start.
    pub(crate) handed: Handed,
}

/// What the runtime needs beyond the spec of a saved container.
pub(crate) fn extras(config: &ContainerConfig) -> Extras {
    Extras {
        groups: config.groups.iter().filter(|group| *group != KEEP_GROUPS).cloned().collect(),
        keep_groups: config.groups.iter().any(|group| group == KEEP_GROUPS),
        init: config.init && config.init_path.is_none(),
        rests: config.sandbox.is_some(),
        default_filter: config.seccomp == Seccomp::Default,
        default_pids: config.limits.default_pids,
        user_namespaces: config.privileged,
        joined: joined(config),
        users: config.accounts.users.clone(),
        group_lines: config.accounts.groups.clone(),
        // A pod's are for its members, as its mounts and devices are.
        links: if config.sandbox.is_some() { Vec::new() } else { config.links.clone() },
    }
}

/// The spec of a saved container on this host; [`extras`] has what the spec cannot express. Fails with `Damaged` if the
/// configuration holds what `resolve` never writes.
pub(crate) fn spec(config: &ContainerConfig, host: &HostFacts) -> Result<Spec, Error> {
    let mut root = Root::default();
    root.set_path(host.rootfs.clone()).set_readonly(Some(config.read_only));
    let mut process = process(config)?;
    if config.init_path.is_some() {
        // catatonit, tini and dumb-init take it.
        let before = [INIT_PLACE, "--"].map(str::to_owned);
        process.set_args(Some(before.into_iter().chain(config.argv.clone()).collect()));
    }
    if let Some(env) = process.env_mut() {
        // An explicit `-e` wins.
        let told = host.handed.environment(config.init);
        let name = |line: &str| line.split_once('=').map(|(name, _)| format!("{name}=")).unwrap_or_default();
        let missing: Vec<_> =
            told.into_iter().filter(|line| !env.iter().any(|asked| asked.starts_with(&name(line)))).collect();
        env.extend(missing);
    }
    let mut spec = Spec::default();
    spec.set_version(OCI_VERSION.to_owned())
        .set_root(Some(root))
        .set_process(Some(process))
        .set_hostname(Some(config.hostname.clone()))
        .set_mounts(Some(mounts::mounts(config, host)))
        .set_annotations(annotations(config))
        .set_linux(Some(linux(config, host)));
    Ok(spec)
}

/// The program's process.
pub(super) fn process(config: &ContainerConfig) -> Result<Process, Error> {
    let damaged = |reason: String| Error::Damaged { container: config.name.clone(), reason };
    let mut user = User::default();
    user.set_username(Some(config.user.clone())).set_umask(Some(config.umask));
    let mut process = Process::default();
    process
        .set_terminal(Some(config.tty))
        .set_user(user)
        .set_args(Some(config.argv.clone()))
        .set_env(Some(config.env.clone()))
        .set_cwd(PathBuf::from(&config.working_dir))
        .set_capabilities(Some(capabilities(config).map_err(damaged)?))
        .set_rlimits(Some(rlimits(&config.rlimits).map_err(damaged)?))
        .set_oom_score_adj(config.oom_score_adj)
        .set_no_new_privileges(Some(config.no_new_privileges));
    Ok(process)
}

/// Inheritable and ambient sets are always empty: an unprivileged program would gain capabilities from them by execve
/// (CVE-2022-24769).
fn capabilities(config: &ContainerConfig) -> Result<LinuxCapabilities, String> {
    let known = config
        .capabilities
        .iter()
        .map(|name| {
            let bare = name.strip_prefix("CAP_").unwrap_or(name);
            bare.parse().map_err(|_| format!("no such capability `{}`", name.escape_debug()))
        })
        .collect::<Result<Capabilities, _>>()?;
    let mut sets = LinuxCapabilities::default();
    sets.set_bounding(Some(known.clone()))
        .set_effective(Some(known.clone()))
        .set_permitted(Some(known))
        .set_inheritable(Some(Capabilities::new()))
        .set_ambient(Some(Capabilities::new()));
    Ok(sets)
}

/// The limits of getrlimit(2), as the spec has them.
pub(super) fn rlimits(limits: &[Rlimit]) -> Result<Vec<PosixRlimit>, String> {
    limits
        .iter()
        .map(|limit| {
            let resource = limit.name.parse().map_err(|_| format!("no such limit `{}`", limit.name.escape_debug()))?;
            PosixRlimitBuilder::default()
                .typ::<oci_spec::runtime::PosixRlimitType>(resource)
                .soft(limit.soft)
                .hard(limit.hard)
                .build()
                .map_err(|error| error.to_string())
        })
        .collect()
}

fn linux(config: &ContainerConfig, host: &HostFacts) -> Linux {
    let own_network = !config.shares(NamespaceKind::Network);
    let mut linux = Linux::default();
    linux
        .set_namespaces(Some(namespaces(config)))
        .set_devices(Some(devices()))
        .set_masked_paths(Some(config.system_paths.masked(host.cpus)))
        .set_readonly_paths(Some(config.system_paths.read_only()))
        .set_rootfs_propagation(Some("private".to_owned()))
        .set_resources(config.resources())
        .set_seccomp(seccomp(config))
        .set_personality(config.personality.map(personality))
        .set_uid_mappings(mappings(&config.user_namespace.maps.uids))
        .set_gid_mappings(mappings(&config.user_namespace.maps.gids))
        .set_sysctl(Some(sysctls(config, own_network)).filter(|all| !all.is_empty()));
    linux
}

/// A map whose `host_id`s are those of the user's root namespace; none if the container has them as they are.
fn mappings(ranges: &[IdRange]) -> Option<Vec<LinuxIdMapping>> {
    let one = |range: &IdRange| {
        let mapping = LinuxIdMappingBuilder::default().container_id(range.inside).host_id(range.outside);
        mapping.size(range.count).build().ok()
    };
    Some(ranges.iter().filter_map(one).collect()).filter(|all: &Vec<_>| !all.is_empty())
}

fn annotations(config: &ContainerConfig) -> Option<HashMap<String, String>> {
    Some(config.annotations.clone().into_iter().collect()).filter(|all: &HashMap<_, _>| !all.is_empty())
}

fn personality(personality: Personality) -> LinuxPersonality {
    let domain = match personality {
        Personality::Linux => LinuxPersonalityDomain::PerLinux,
        Personality::Linux32 => LinuxPersonalityDomain::PerLinux32,
    };
    let mut asked = LinuxPersonality::default();
    asked.set_domain(domain);
    asked
}

/// The system call filter, unless it is rc's own, which is compiled in.
fn seccomp(config: &ContainerConfig) -> Option<LinuxSeccomp> {
    match &config.seccomp {
        Seccomp::Profile { rules, .. } => Some(LinuxSeccomp::clone(rules)),
        Seccomp::Default | Seccomp::Unconfined => None,
    }
}

/// The namespaces that are not the host's: new ones, those at a path, and those of other containers ([`joined`]).
fn namespaces(config: &ContainerConfig) -> Vec<LinuxNamespace> {
    let joined = config.joined();
    let shared = KINDS.into_iter().filter(|(kind, _)| !config.has_host(*kind)).map(|(kind, typ)| {
        let path = match joined.get(&kind) {
            Some(Joined::Path(path)) => Some(path.clone()),
            _ => None,
        };
        (typ, path)
    });
    let namespace = |(typ, path)| {
        let mut namespace = LinuxNamespace::default();
        namespace.set_typ(typ).set_path(path);
        namespace
    };
    shared.chain([(LinuxNamespaceType::Mount, None)]).map(namespace).collect()
}

/// The namespaces that are those of other containers.
fn joined(config: &ContainerConfig) -> Vec<(NamespaceKind, ContainerId)> {
    let of_container = |(kind, joined)| match joined {
        Joined::Container(id) => Some((kind, id)),
        Joined::Path(_) => None,
    };
    config.joined().into_iter().filter_map(of_container).collect()
}

/// The kinds of namespaces that can be shared.
const KINDS: [(NamespaceKind, LinuxNamespaceType); 6] = [
    (NamespaceKind::User, LinuxNamespaceType::User),
    (NamespaceKind::Pid, LinuxNamespaceType::Pid),
    (NamespaceKind::Ipc, LinuxNamespaceType::Ipc),
    (NamespaceKind::Uts, LinuxNamespaceType::Uts),
    (NamespaceKind::Cgroup, LinuxNamespaceType::Cgroup),
    (NamespaceKind::Network, LinuxNamespaceType::Network),
];

fn devices() -> Vec<LinuxDevice> {
    DEVICES
        .iter()
        .map(|&(path, major, minor)| {
            let mut device = LinuxDevice::default();
            device
                .set_path(PathBuf::from(path))
                .set_typ(LinuxDeviceType::C)
                .set_major(major)
                .set_minor(minor)
                .set_file_mode(Some(0o666));
            device
        })
        .collect()
}

/// `ping` works for root without a raw socket. Source: podman's `default_sysctls`, containers.conf(5); icmp(7).
fn sysctls(config: &ContainerConfig, own_network: bool) -> HashMap<String, String> {
    let usual = own_network.then(|| ("net.ipv4.ping_group_range".to_owned(), "0 0".to_owned()));
    usual.into_iter().chain(config.sysctls.clone()).collect()
}

#[cfg(test)]
mod tests;
