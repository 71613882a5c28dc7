//! `HostConfig`: what the container can use of the host.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::limits::limits;
use super::network::bindings;
use super::{Place, object, propagation, shown};
use crate::monitor::State;
use crate::plan::{BaseHosts, CgroupMode, ContainerConfig, Ipc, LogDriver, Mount, MountKind, Seccomp, SystemPaths};
use crate::types::{Endpoint, IdRange, NamespaceKind, Network, capability};
use crate::view::human;

/// `HostConfig`, in podman's order: first what rc sets, then the limits.
pub(super) fn host(config: &ContainerConfig, state: &State, log: &Path, place: Place<'_>) -> Value {
    let kept = config.log_driver == LogDriver::K8sFile;
    let mut host = object(json!({
        "Binds": config.mounts.iter().filter_map(|mount| bind(mount, place)).collect::<Vec<_>>(),
        "CgroupManager": cgroup_manager(state),
        "CgroupMode": config.mode_of(NamespaceKind::Cgroup),
        "ContainerIDFile": config.cidfile.as_deref().map(shown).unwrap_or_default(),
        "LogConfig": {
            "Type": config.log_driver,
            "Config": null,
            "Path": if kept { shown(log) } else { String::new() },
            "Tag": config.log_tag.as_deref().unwrap_or_default(),
            "Size": human::size(config.log_max_size).replace(' ', ""),
        },
        "NetworkMode": network_mode(config),
        "PortBindings": bindings(&config.ports),
        "RestartPolicy": { "Name": config.restart.as_str(), "MaximumRetryCount": config.restart.retries() },
        "AutoRemove": config.auto_remove,
        "Annotations": config.annotations,
        "VolumeDriver": "",
        "VolumesFrom": Some(&config.volumes_from).filter(|all| !all.is_empty()),
        "CapAdd": added(config),
        "CapDrop": dropped(config),
        "Dns": config.dns,
        "DnsOptions": config.dns_options,
        "DnsSearch": config.dns_search,
        "ExtraHosts": extra_hosts(config),
        "HostsFile": config.base_hosts.as_ref().map(BaseHosts::shown).unwrap_or_default(),
        "GroupAdd": config.groups,
        "IpcMode": if config.ipc == Ipc::None { "none".to_owned() } else { config.mode_of(NamespaceKind::Ipc) },
        "Cgroup": "",
        "Cgroups": match config.cgroup.mode {
            CgroupMode::Enabled => "default",
            other => other.as_str(),
        },
        "Links": super::network::all_links(config),
        "OomScoreAdj": config.oom_score_adj.unwrap_or_default(),
        "PidMode": config.mode_of(NamespaceKind::Pid),
        "Privileged": config.privileged,
        "PublishAllPorts": config.publish_all,
        "ReadonlyRootfs": config.read_only,
        "SecurityOpt": security(config),
        "Tmpfs": config.mounts.iter().filter(|mount| mount.kind == MountKind::Tmpfs)
            .map(|mount| (mount.destination.clone(), json!(mount.options.join(",")))).collect::<Map<_, _>>(),
        "UTSMode": config.mode_of(NamespaceKind::Uts),
        "UsernsMode": config.user_namespace.mode,
        "IDMappings": id_mappings(config),
        "ShmSize": config.shm_size,
        "Runtime": "rc",
        "ConsoleSize": [0, 0],
        "Isolation": "",
        "Init": config.init,
    }));
    host.extend(object(limits(config)));
    // docker's alone.
    host.extend(object(json!({
        "CgroupnsMode": config.mode_of(NamespaceKind::Cgroup),
        "DeviceCgroupRules": null,
        "DeviceRequests": null,
        "MaskedPaths": config.system_paths.masked(0),
        "ReadonlyPaths": config.system_paths.read_only(),
        "Sysctls": config.sysctls,
    })));
    Value::Object(host)
}

/// Source: podman, `InspectContainerHostConfig.NetworkMode`: networks with names are all `bridge`, and so is a place
/// for them.
fn network_mode(config: &ContainerConfig) -> String {
    match &config.network {
        Network::Own { endpoints } if endpoints.first().is_none_or(Endpoint::is_bridge) => "bridge".to_owned(),
        network => network.names().join(","),
    }
}

/// Who created the container's cgroup: the service manager, as a scope, or rc.
fn cgroup_manager(state: &State) -> &'static str {
    let is_scope = |name: &str| name.starts_with("rc-") && name.ends_with(".scope");
    let has_scope = state.cgroup.as_deref().is_some_and(|path| path.split('/').any(is_scope));
    if has_scope { "systemd" } else { "cgroupfs" }
}

/// `SOURCE:DESTINATION:OPTIONS`, the form of `-v`.
fn bind(mount: &Mount, place: Place<'_>) -> Option<String> {
    let source = match &mount.kind {
        MountKind::Bind { source } => source.display().to_string(),
        MountKind::Volume { name, anonymous: false, .. } => name.to_string(),
        MountKind::Volume { name, anonymous: true, .. } => place.volume(name).display().to_string(),
        _ => return None,
    };
    let mut options = vec![if mount.read_only { "ro" } else { "rw" }, propagation(mount)];
    options.extend(mount.options.iter().map(String::as_str).filter(|option| *option != propagation(mount)));
    Some(format!("{source}:{}:{}", mount.destination, options.join(",")))
}

/// The maps of a container that has its own, each line as `CONTAINER:ROOT NAMESPACE:COUNT`; empty otherwise. Source:
/// podman, `InspectIDMappings`.
fn id_mappings(config: &ContainerConfig) -> Value {
    let maps = &config.user_namespace.maps;
    if maps.is_identity() {
        return Value::Null;
    }
    let lines = |ranges: &[IdRange]| {
        let line = |range: &IdRange| format!("{}:{}:{}", range.inside, range.outside, range.count);
        ranges.iter().map(line).collect::<Vec<_>>()
    };
    json!({ "UidMap": lines(&maps.uids), "GidMap": lines(&maps.gids) })
}

fn security(config: &ContainerConfig) -> Vec<String> {
    let mut options = Vec::new();
    if config.no_new_privileges {
        options.push("no-new-privileges".to_owned());
    }
    match &config.seccomp {
        Seccomp::Default => {}
        Seccomp::Unconfined => options.push("seccomp=unconfined".to_owned()),
        Seccomp::Profile { path, .. } => options.push(format!("seccomp={path}")),
    }
    let SystemPaths { mask, unmask, proc_options } = &config.system_paths;
    for (name, values, separator) in [("mask", mask, ":"), ("unmask", unmask, ":"), ("proc-opts", proc_options, ",")] {
        if !values.is_empty() {
            options.push(format!("{name}={}", values.join(separator)));
        }
    }
    options
}

fn extra_hosts(config: &ContainerConfig) -> Vec<String> {
    let known = config.extra_hosts.iter().map(|(name, ip)| format!("{name}:{ip}"));
    known.chain(config.gateway_hosts.iter().map(|name| format!("{name}:host-gateway"))).collect()
}

fn added(config: &ContainerConfig) -> Vec<&str> {
    config.capabilities.iter().map(String::as_str).filter(|name| !capability::DEFAULT.contains(name)).collect()
}

fn dropped(config: &ContainerConfig) -> Vec<&'static str> {
    capability::DEFAULT.into_iter().filter(|name| !config.capabilities.iter().any(|has| has == name)).collect()
}
