//! `inspect` of a container: podman's names, nesting and types (5.x), as far as rc has the thing they name. What rc does not
//! have is there with the value that podman shows when it is not used, since tools read it without asking.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{NEVER, command, host_ip};
use crate::monitor::{State, Status};
use crate::plan::{ContainerConfig, DEFAULT_CAPABILITIES, LogDriver, Mount, MountKind, RestartPolicy, Seccomp};
use crate::types::{Name, PortMapping};
use crate::ui::human;

/// Where a container's things lie.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The container's own folder: `config.json`, `log`, `upper`.
    pub folder: &'a Path,
    /// The folder of the volumes.
    pub volumes: &'a Path,
}

impl Place<'_> {
    /// What is mounted of a volume.
    fn volume(&self, name: &Name) -> PathBuf {
        self.volumes.join(name.as_str()).join("_data")
    }
}

/// The object of one container.
pub fn container(config: &ContainerConfig, state: &State, status: Status, place: Place<'_>) -> Value {
    let log = place.folder.join("log");
    json!({
        "Id": config.id,
        "Created": config.created,
        "Path": config.argv.first().map_or("", String::as_str),
        "Args": config.argv.get(1..).unwrap_or_default(),
        "State": process(config, state, status),
        "Image": config.image.id.hex(),
        "ImageDigest": config.image.manifest,
        "ImageName": config.image.reference,
        "Rootfs": "",
        "Pod": "",
        "ResolvConfPath": place.folder.join("resolv.conf"),
        "HostnamePath": place.folder.join("hostname"),
        "HostsPath": place.folder.join("hosts"),
        "LogPath": if config.log_driver == LogDriver::K8sFile { json!(log) } else { json!("") },
        "StaticDir": place.folder,
        "OCIRuntime": "rc",
        "Name": config.name,
        "RestartCount": state.restart_count,
        "Driver": "overlay",
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "EffectiveCaps": config.capabilities,
        "BoundingCaps": config.capabilities,
        "ExecIDs": [],
        "GraphDriver": { "Name": "overlay", "Data": {
            "UpperDir": place.folder.join("upper"),
            "WorkDir": place.folder.join("work"),
        } },
        "Mounts": config.mounts.iter().filter_map(|mount| mount_object(mount, place)).collect::<Vec<_>>(),
        "Dependencies": [],
        "NetworkSettings": network(config, state, status),
        "Namespace": "",
        "IsInfra": false,
        "IsService": false,
        "Config": settings(config),
        "HostConfig": host(config, &log, place),
    })
}

fn is_alive(status: Status) -> bool {
    matches!(status, Status::Running | Status::Paused | Status::Stopping | Status::Orphaned)
}

fn process(config: &ContainerConfig, state: &State, status: Status) -> Value {
    let exit = state.exit.as_ref().filter(|_| status == Status::Exited);
    let no_record = if status == Status::Exited { 255 } else { 0 };
    json!({
        "OciVersion": "1.2.0",
        "Status": status.as_str(),
        "Running": matches!(status, Status::Running | Status::Stopping | Status::Orphaned),
        "Paused": status == Status::Paused,
        "Restarting": false,
        "OOMKilled": exit.is_some_and(|exit| exit.oom_killed),
        "Dead": false,
        "Pid": state.init.as_ref().filter(|_| is_alive(status)).map_or(0, |init| init.pid),
        "ExitCode": exit.map_or(no_record, |exit| exit.code),
        "Error": exit.map_or("", |exit| exit.error.as_str()),
        "StartedAt": state.started_at.as_deref().unwrap_or(NEVER),
        "FinishedAt": exit.map(|exit| exit.at.as_str()).filter(|at| !at.is_empty()).unwrap_or(NEVER),
        // Null and not absent, so that `{{if .State.Health}}` is no error.
        "Health": null,
        "CgroupPath": state.cgroup.as_ref().map_or_else(String::new, |path| format!("/{}", path.trim_start_matches('/'))),
        "CheckpointedAt": NEVER,
        "RestoredAt": NEVER,
        "StoppedByUser": status == Status::Stopping,
        "AutoRemove": config.auto_remove,
    })
}

fn mount_object(mount: &Mount, place: Place<'_>) -> Option<Value> {
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    match &mount.kind {
        MountKind::Bind { source } => {
            put("Type", json!("bind"));
            put("Source", json!(source));
        }
        MountKind::Volume { name, .. } => {
            put("Type", json!("volume"));
            put("Name", json!(name));
            put("Source", json!(place.volume(name)));
        }
        // podman lists them under HostConfig.Tmpfs alone.
        _ => return None,
    }
    put("Destination", json!(mount.destination));
    put("Driver", json!(if matches!(mount.kind, MountKind::Volume { .. }) { "local" } else { "" }));
    put("Mode", json!(""));
    put("Options", json!(mount.options));
    put("RW", json!(!mount.read_only));
    put("Propagation", json!(propagation(mount)));
    Some(Value::Object(object))
}

fn propagation(mount: &Mount) -> &str {
    let is_propagation = |option: &&String| {
        matches!(option.as_str(), "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave" | "unbindable")
    };
    mount.options.iter().find(is_propagation).map_or("rprivate", String::as_str)
}

fn network(config: &ContainerConfig, state: &State, status: Status) -> Value {
    let address = state.ip_address.as_deref().filter(|_| is_alive(status)).unwrap_or("");
    let ports = if is_alive(status) && !state.ports.is_empty() { &state.ports } else { &config.ports };
    let mut all = bindings(ports);
    for exposed in &config.image.exposed_ports {
        all.entry(exposed).or_insert(Value::Null);
    }
    let mode = config.network.as_str();
    json!({
        "EndpointID": "",
        "Gateway": "",
        "IPAddress": address,
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "MacAddress": "",
        "Bridge": "",
        "SandboxID": "",
        "HairpinMode": false,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "Ports": all,
        "SandboxKey": "",
        "Networks": { mode: {
            "EndpointID": "",
            "Gateway": "",
            "IPAddress": address,
            "IPPrefixLen": 0,
            "IPv6Gateway": "",
            "GlobalIPv6Address": "",
            "GlobalIPv6PrefixLen": 0,
            "MacAddress": "",
            "NetworkID": mode,
            "DriverOpts": null,
            "IPAMConfig": null,
            "Links": null,
            "Aliases": [],
        } },
    })
}

/// Container ports as `80/tcp`, each with the host ports that lead to it.
fn bindings(ports: &[PortMapping]) -> Map<String, Value> {
    let mut all = Map::new();
    for port in ports {
        let binding = json!({ "HostIp": host_ip(port), "HostPort": port.host_port.to_string() });
        let name = format!("{}/{}", port.container_port, port.protocol);
        if let Value::Array(list) = all.entry(name).or_insert_with(|| json!([])) {
            list.push(binding);
        }
    }
    all
}

fn settings(config: &ContainerConfig) -> Value {
    json!({
        "Hostname": config.hostname,
        "Domainname": "",
        "User": config.user,
        "AttachStdin": false,
        "AttachStdout": false,
        "AttachStderr": false,
        "Tty": config.tty,
        "OpenStdin": config.open_stdin,
        "StdinOnce": false,
        "Env": config.env,
        "Cmd": command(config),
        "Image": config.image.reference,
        "Volumes": null,
        "WorkingDir": config.working_dir,
        "Entrypoint": config.argv.get(..config.entrypoint_len).unwrap_or_default(),
        "ExposedPorts": config.image.exposed_ports.iter().map(|port| (port.clone(), json!({}))).collect::<Map<_, _>>(),
        "OnBuild": null,
        "Labels": config.labels,
        "Annotations": {},
        "StopSignal": config.stop_signal,
        "CreateCommand": config.create_command,
        "Umask": "0022",
        "Timeout": 0,
        "StopTimeout": config.stop_timeout,
        "Passwd": true,
        "sdNotifyMode": "container",
    })
}

/// `HostConfig`, in podman's order: first what rc sets, then the limits.
fn host(config: &ContainerConfig, log: &Path, place: Place<'_>) -> Value {
    let kept = config.log_driver == LogDriver::K8sFile;
    let mut host = json!({
        "Binds": config.mounts.iter().filter_map(|mount| bind(mount, place)).collect::<Vec<_>>(),
        "CgroupManager": "cgroupfs",
        "CgroupMode": "private",
        "ContainerIDFile": config.cidfile.as_deref().unwrap_or(Path::new("")),
        "LogConfig": {
            "Type": config.log_driver,
            "Config": null,
            "Path": if kept { json!(log) } else { json!("") },
            "Tag": "",
            "Size": human::size(config.log_max_size).replace(' ', ""),
        },
        "NetworkMode": config.network.as_str(),
        "PortBindings": bindings(&config.ports),
        "RestartPolicy": { "Name": restart(config.restart), "MaximumRetryCount": 0 },
        "AutoRemove": config.auto_remove,
        "Annotations": {},
        "VolumeDriver": "",
        "VolumesFrom": null,
        "CapAdd": added(config),
        "CapDrop": dropped(config),
        "Dns": config.dns,
        "DnsOptions": config.dns_options,
        "DnsSearch": config.dns_search,
        "ExtraHosts": config.extra_hosts.iter().map(|(name, ip)| format!("{name}:{ip}")).collect::<Vec<_>>(),
        "GroupAdd": config.groups,
        "IpcMode": "private",
        "Cgroup": "",
        "Cgroups": "default",
        "Links": null,
        "OomScoreAdj": 0,
        "PidMode": "private",
        "Privileged": false,
        "PublishAllPorts": false,
        "ReadonlyRootfs": config.read_only,
        "SecurityOpt": security(config),
        "Tmpfs": config.mounts.iter().filter(|mount| mount.kind == MountKind::Tmpfs)
            .map(|mount| (mount.destination.clone(), json!(mount.options.join(",")))).collect::<Map<_, _>>(),
        "UTSMode": "private",
        "UsernsMode": "",
        "ShmSize": config.shm_size,
        "Runtime": "rc",
        "ConsoleSize": [0, 0],
        "Isolation": "",
        "Init": config.init,
    });
    if let (Value::Object(host), Value::Object(limits)) = (&mut host, limits(config)) {
        host.extend(limits);
    }
    host
}

fn limits(config: &ContainerConfig) -> Value {
    let nano_cpus = config.limits.milli_cpus.unwrap_or(0).saturating_mul(1_000_000);
    json!({
        "CpuShares": 0,
        "Memory": config.limits.memory.unwrap_or(0),
        "NanoCpus": nano_cpus,
        "CgroupParent": "",
        "BlkioWeight": 0,
        "BlkioWeightDevice": null,
        "BlkioDeviceReadBps": null,
        "BlkioDeviceWriteBps": null,
        "BlkioDeviceReadIOps": null,
        "BlkioDeviceWriteIOps": null,
        "CpuPeriod": if nano_cpus > 0 { 100_000 } else { 0 },
        "CpuQuota": nano_cpus / 10_000,
        "CpuRealtimePeriod": 0,
        "CpuRealtimeRuntime": 0,
        "CpusetCpus": "",
        "CpusetMems": "",
        "Devices": [],
        "DiskQuota": 0,
        "KernelMemory": 0,
        "MemoryReservation": 0,
        "MemorySwap": 0,
        "MemorySwappiness": 0,
        "OomKillDisable": false,
        "PidsLimit": config.limits.pids.or(config.limits.default_pids).unwrap_or(0),
        "Ulimits": config.rlimits.iter().map(|limit| json!({
            "Name": limit.name,
            "Soft": resource(limit.soft),
            "Hard": resource(limit.hard),
        })).collect::<Vec<_>>(),
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0,
        "CgroupConf": null,
    })
}

/// `SOURCE:DESTINATION:OPTIONS`, as `-v` would take it.
fn bind(mount: &Mount, place: Place<'_>) -> Option<String> {
    let source = match &mount.kind {
        MountKind::Bind { source } => source.display().to_string(),
        MountKind::Volume { name, anonymous: false } => name.to_string(),
        MountKind::Volume { name, anonymous: true } => place.volume(name).display().to_string(),
        _ => return None,
    };
    let mut options = vec![if mount.read_only { "ro" } else { "rw" }, propagation(mount)];
    options.extend(mount.options.iter().map(String::as_str).filter(|option| *option != propagation(mount)));
    Some(format!("{source}:{}:{}", mount.destination, options.join(",")))
}

/// A resource limit; podman's -1 is none.
fn resource(limit: u64) -> Value {
    if limit == u64::MAX { json!(-1) } else { json!(limit) }
}

fn security(config: &ContainerConfig) -> Vec<&'static str> {
    let mut options = Vec::new();
    if config.no_new_privileges {
        options.push("no-new-privileges");
    }
    if config.seccomp == Seccomp::Unconfined {
        options.push("seccomp=unconfined");
    }
    options
}

fn restart(policy: RestartPolicy) -> &'static str {
    match policy {
        RestartPolicy::No => "no",
    }
}

fn added(config: &ContainerConfig) -> Vec<&str> {
    config.capabilities.iter().map(String::as_str).filter(|name| !DEFAULT_CAPABILITIES.contains(name)).collect()
}

fn dropped(config: &ContainerConfig) -> Vec<&'static str> {
    DEFAULT_CAPABILITIES.into_iter().filter(|name| !config.capabilities.iter().any(|has| has == name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::view::sample;

    fn names(value: &Value) -> Vec<&str> {
        value.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    fn inspected(status: Status) -> Value {
        let (config, state) = sample();
        let place = Place { folder: Path::new("/rc/containers/5eac"), volumes: Path::new("/rc/volumes") };
        container(&config, &state, status, place)
    }

    /// Read off podman 4.3 and 5.8; a name that is missing here breaks somebody's script.
    #[test]
    fn the_names_of_podman_are_there() {
        let object = inspected(Status::Running);
        let expected = [
            (
                &object,
                "Id Created Path Args State Image ImageDigest ImageName Rootfs Pod ResolvConfPath HostnamePath HostsPath \
                 StaticDir OCIRuntime Name RestartCount Driver MountLabel ProcessLabel AppArmorProfile EffectiveCaps \
                 BoundingCaps ExecIDs GraphDriver Mounts Dependencies NetworkSettings Namespace IsInfra IsService Config \
                 HostConfig",
            ),
            (
                &object["State"],
                "OciVersion Status Running Paused Restarting OOMKilled Dead Pid ExitCode Error StartedAt FinishedAt Health \
                 CheckpointedAt RestoredAt",
            ),
            (
                &object["NetworkSettings"],
                "EndpointID Gateway IPAddress IPPrefixLen IPv6Gateway GlobalIPv6Address GlobalIPv6PrefixLen MacAddress \
                 Bridge SandboxID HairpinMode LinkLocalIPv6Address LinkLocalIPv6PrefixLen Ports SandboxKey Networks",
            ),
            (
                &object["Config"],
                "Hostname Domainname User AttachStdin AttachStdout AttachStderr Tty OpenStdin StdinOnce Env Cmd Image \
                 Volumes WorkingDir Entrypoint OnBuild Labels Annotations StopSignal CreateCommand Umask Timeout \
                 StopTimeout Passwd sdNotifyMode",
            ),
            (
                &object["HostConfig"],
                "Binds CgroupManager CgroupMode ContainerIDFile LogConfig NetworkMode PortBindings RestartPolicy \
                 AutoRemove VolumeDriver VolumesFrom CapAdd CapDrop Dns DnsOptions DnsSearch ExtraHosts GroupAdd IpcMode \
                 Cgroup Cgroups Links OomScoreAdj PidMode Privileged PublishAllPorts ReadonlyRootfs SecurityOpt Tmpfs \
                 UTSMode UsernsMode ShmSize Runtime ConsoleSize Isolation CpuShares Memory NanoCpus CgroupParent \
                 BlkioWeight BlkioWeightDevice BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps \
                 BlkioDeviceWriteIOps CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime CpusetCpus CpusetMems \
                 Devices DiskQuota KernelMemory MemoryReservation MemorySwap MemorySwappiness OomKillDisable PidsLimit \
                 Ulimits CpuCount CpuPercent IOMaximumIOps IOMaximumBandwidth CgroupConf",
            ),
            (&object["Mounts"][0], "Type Source Destination Driver Mode Options RW Propagation"),
            (&object["Mounts"][1], "Type Name Source Destination Driver Mode Options RW Propagation"),
        ];
        for (part, expected) in expected {
            let found = names(part);
            let missing: Vec<&str> = expected.split(' ').filter(|name| !found.contains(name)).collect();
            assert_eq!(missing, Vec::<&str>::new());
        }
    }

    #[test]
    fn the_values_of_a_running_container() {
        let object = inspected(Status::Running);
        for (path, expected) in [
            ("/Path", json!("/entry")),
            ("/Args/0", json!("sh")),
            ("/State/Status", json!("running")),
            ("/State/Running", json!(true)),
            ("/State/Pid", json!(4242)),
            ("/State/FinishedAt", json!("0001-01-01T00:00:00Z")),
            ("/Image", json!("a1".repeat(32))),
            ("/Config/Entrypoint", json!(["/entry"])),
            ("/Config/Cmd/0", json!("sh")),
            ("/Config/StopSignal", json!("SIGTERM")),
            ("/Mounts/0/RW", json!(false)),
            ("/Mounts/1/Source", json!("/rc/volumes/vv/_data")),
            ("/NetworkSettings/Ports/80~1tcp", json!([{ "HostIp": "0.0.0.0", "HostPort": "8080" }])),
            ("/NetworkSettings/Ports/443~1tcp", json!(null)),
            ("/NetworkSettings/Networks/slirp4netns/IPAddress", json!("10.0.2.100")),
            ("/HostConfig/Binds", json!(["/srv/d:/data:ro,rprivate", "vv:/vol:rw,rprivate,U"])),
            ("/HostConfig/Tmpfs", json!({ "/tmp2": "size=64m" })),
            ("/HostConfig/Memory", json!(67_108_864)),
            ("/HostConfig/NanoCpus", json!(1_500_000_000)),
            ("/HostConfig/CpuQuota", json!(150_000)),
            ("/HostConfig/CapAdd", json!(["CAP_NET_RAW"])),
            ("/HostConfig/ReadonlyRootfs", json!(true)),
            ("/HostConfig/ExtraHosts", json!(["db:10.0.0.7"])),
            ("/HostConfig/LogConfig/Type", json!("k8s-file")),
            ("/HostConfig/LogConfig/Path", json!("/rc/containers/5eac/log")),
        ] {
            assert_eq!(object.pointer(path), Some(&expected), "{path}");
        }
    }

    #[test]
    fn the_dead_have_no_pid_and_no_address() {
        let object = inspected(Status::Exited);
        assert_eq!(object["State"]["Pid"], 0);
        assert_eq!(object["State"]["ExitCode"], 255, "without a record: switched off under it");
        assert_eq!(object["NetworkSettings"]["IPAddress"], "");
        assert_eq!(object["HostConfig"]["PortBindings"]["80/tcp"][0]["HostPort"], "8080");
    }
}
