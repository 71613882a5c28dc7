use super::*;
use crate::plan::Sdnotify;
use crate::view::sample;

fn names(value: &Value) -> Vec<&str> {
    value.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default()
}

fn inspected(status: Status) -> Value {
    let (config, state) = sample();
    let place = Place { directory: Path::new("/rc/containers/5eac"), volumes: Path::new("/rc/volumes") };
    container(&config, &state, status, place)
}

/// The names of podman 4.3 and 5.8; without one of them a user's script may fail.
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

#[test]
fn who_tells_the_service_manager_is_what_was_asked_for() {
    let (mut config, state) = sample();
    let place = Place { directory: Path::new("/rc/containers/5eac"), volumes: Path::new("/rc/volumes") };
    for (mode, word) in [(Sdnotify::Container, "container"), (Sdnotify::Conmon, "conmon"), (Sdnotify::Ignore, "ignore")]
    {
        config.service.sdnotify = mode;
        assert_eq!(container(&config, &state, Status::Running, place)["Config"]["sdNotifyMode"], word);
    }
}
