use std::sync::LazyLock;

use super::*;
use crate::plan::Sdnotify;
use crate::view::sample;

fn names(value: &Value) -> Vec<&str> {
    value.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default()
}

/// What the container has below its own files.
static BELOW: LazyLock<[PathBuf; 2]> = LazyLock::new(|| ["/l/1/fs", "/l/2/fs"].map(PathBuf::from));

fn place() -> Place<'static> {
    Place { directory: Path::new("/rc/containers/5eac"), volumes: Path::new("/rc/volumes"), below: &*BELOW }
}

fn inspected(status: Status) -> Value {
    let (config, state) = sample();
    let place = place();
    container(&config, &state, status, place)
}

/// The names of podman 4.3 and 5.8, and of docker 28; without one of them a user's script may fail.
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
             Bridge SandboxID HairpinMode LinkLocalIPv6Address LinkLocalIPv6PrefixLen Ports SandboxKey Networks \
             SecondaryIPAddresses SecondaryIPv6Addresses",
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
             Ulimits CpuCount CpuPercent IOMaximumIOps IOMaximumBandwidth CgroupConf CgroupnsMode \
             DeviceCgroupRules DeviceRequests MaskedPaths ReadonlyPaths Sysctls",
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
        // Those of the image, and the published ones.
        ("/Config/ExposedPorts", json!({ "80/tcp": {}, "443/tcp": {}, "53/udp": {} })),
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

#[test]
fn who_tells_the_service_manager_is_what_was_asked_for() {
    let (mut config, state) = sample();
    let place = place();
    for (mode, word) in [(Sdnotify::Container, "container"), (Sdnotify::Conmon, "conmon"), (Sdnotify::Ignore, "ignore")]
    {
        config.service.sdnotify = mode;
        assert_eq!(container(&config, &state, Status::Running, place)["Config"]["sdNotifyMode"], word);
    }
}

/// Fields that rc never fills, since what they are about does not exist in rc; tools expect the fields all the same. A
/// bind mount has no driver, a port that is exposed has no value, and one that is not published no binding.
const NEVER_FILLED: &str = "\
    AppArmorProfile Config.Domainname Config.ExposedPorts.443/tcp Config.ExposedPorts.53/udp \
    Config.ExposedPorts.80/tcp Config.OnBuild Config.StdinOnce Config.Volumes ExecIDs \
    HostConfig.Cgroup HostConfig.ConsoleSize HostConfig.CpuCount HostConfig.CpuPercent HostConfig.CpuRealtimePeriod \
    HostConfig.CpuRealtimeRuntime HostConfig.DeviceCgroupRules HostConfig.DeviceRequests HostConfig.DiskQuota \
    HostConfig.IOMaximumBandwidth HostConfig.IOMaximumIOps HostConfig.Isolation HostConfig.KernelMemory \
    HostConfig.Links HostConfig.LogConfig.Config HostConfig.MemorySwappiness HostConfig.OomKillDisable \
    HostConfig.VolumeDriver IsInfra IsService MountLabel Mounts.Driver \
    Mounts.Mode Namespace NetworkSettings.Bridge NetworkSettings.EndpointID NetworkSettings.HairpinMode \
    NetworkSettings.LinkLocalIPv6Address NetworkSettings.LinkLocalIPv6PrefixLen \
    NetworkSettings.Networks.slirp4netns.Aliases NetworkSettings.Networks.slirp4netns.DNSNames \
    NetworkSettings.Networks.slirp4netns.DriverOpts NetworkSettings.Networks.slirp4netns.EndpointID \
    NetworkSettings.Networks.slirp4netns.IPAMConfig NetworkSettings.Networks.slirp4netns.Links \
    NetworkSettings.Ports.443/tcp NetworkSettings.SandboxID \
    NetworkSettings.SecondaryIPAddresses NetworkSettings.SecondaryIPv6Addresses Pod ProcessLabel Rootfs \
    State.CheckpointedAt State.Dead State.Health State.RestoredAt";

/// The paths of all values that are empty: null, "", 0, false, [] or {}.
fn empty_paths(value: &Value, path: &str, found: &mut Vec<String>) {
    let is_empty = match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(value) => value.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty() || text == NEVER,
        Value::Array(items) => {
            items.iter().for_each(|item| empty_paths(item, path, found));
            items.is_empty()
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| empty_paths(value, &format!("{path}{name}."), found));
            fields.is_empty()
        }
    };
    if is_empty {
        found.push(path.trim_end_matches('.').to_owned());
    }
}

#[test]
fn every_field_is_filled_in_some_container_or_is_about_what_rc_does_not_have() {
    let (mut config, mut state) = sample();
    let place = place();
    config.groups = vec!["33".to_owned()];
    config.tty = true;
    config.auto_remove = true;
    config.init = true;
    config.no_new_privileges = true;
    config.rlimits = vec![crate::plan::Rlimit { name: "RLIMIT_NOFILE".to_owned(), soft: 1, hard: 2 }];
    config.dns = vec!["1.1.1.1".parse().expect("an address")];
    config.base_hosts = Some(crate::plan::BaseHosts::Image);
    config.dns_search = vec!["example".to_owned()];
    config.dns_options = vec!["ndots:1".to_owned()];
    config.log_tag = Some("tag".to_owned());
    config.cidfile = Some("/cid".into());
    config.annotations = [("a".to_owned(), "b".to_owned())].into();
    config.attached = Some(crate::plan::Attached { stdin: true, stdout: true, stderr: true });
    config.oom_score_adj = Some(7);
    config.privileged = true;
    config.publish_all = true;
    config.sysctls = [("net.a".to_owned(), "1".to_owned())].into();
    config.devices = vec![crate::plan::Device { host: "/dev/a".to_owned(), container: "/dev/b".to_owned() }];
    let range = crate::types::IdRange { inside: 0, outside: 1, count: 5 };
    config.user_namespace.mode = "private".to_owned();
    config.user_namespace.maps = crate::types::IdMaps { uids: vec![range], gids: vec![range] };
    config.timeout = 7;
    config.timezone = serde_json::from_value(json!({ "name": "local", "file": "/etc/localtime" })).expect("a zone");
    config.volumes_from = vec!["web".to_owned()];
    config.requires = vec![config.id.clone()];
    config.restart = crate::plan::RestartPolicy::OnFailure { retries: Some(3) };
    config.service.pidfile = Some("/pid".into());
    config.service.conmon_pidfile = Some("/conmon".into());
    config.cgroup.parent = Some("/parent".to_owned());
    config.cgroup.conf = [("memory.high".to_owned(), "9".to_owned())].into();
    let device = |what: &str| json!({ "what": what, "path": "/d", "major": 8, "minor": 0, "value": 9 });
    let devices = ["weight", "read-bps", "write-bps", "read-iops", "write-iops"].map(device);
    config.limits = serde_json::from_value(json!({
        "memory": 64, "memorySwap": 128, "memoryReservation": 32, "milliCpus": 1500, "cpuShares": 512,
        "cpusetCpus": "0-1", "cpusetMems": "0", "blkioWeight": 20, "pids": 7, "devices": devices,
    }))
    .expect("limits");
    state.restart_count = 2;
    state.network = serde_json::from_value(json!({ "network": { "format": 1, "endpoints": [{
        "addresses": ["10.0.2.100/24", "fd00::100/64"],
        "gateways": ["10.0.2.2", "fd00::2"],
        "mac": "02:00:00:00:00:01",
        "ports": [],
    }] } }))
    .expect("a network");
    let mut ended = state.clone();
    ended.exit = Some(crate::monitor::ExitRecord {
        code: 3,
        at: "2026-01-01T00:00:05Z".to_owned(),
        oom_killed: true,
        error: "it failed".to_owned(),
        stopped_by_user: true,
        restarts: false,
    });
    let mut shown = vec![
        container(&config, &state, Status::Running, place),
        container(&config, &state, Status::Paused, place),
        container(&config, &ended, Status::Exited, place),
        container(&config, &ended, Status::Restarting, place),
    ];
    config.read_only = false;
    config.mounts.iter_mut().for_each(|mount| mount.read_only = false);
    config.mounts[0].options = vec!["nosuid".to_owned()];
    config.cgroup.mode = crate::plan::CgroupMode::Split;
    shown.push(container(&config, &state, Status::Running, place));
    let empty = shown.iter().map(|object| {
        let mut found = Vec::new();
        empty_paths(object, "", &mut found);
        found.into_iter().collect::<std::collections::BTreeSet<_>>()
    });
    let always = empty.reduce(|some, others| &some & &others).unwrap_or_default();
    let listed: std::collections::BTreeSet<String> = NEVER_FILLED.split_whitespace().map(str::to_owned).collect();
    assert_eq!(always, listed);
}
