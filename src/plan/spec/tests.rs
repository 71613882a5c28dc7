use super::super::tests::{facts, identity, image};
use super::super::{LimitRequest, MountRequest, Request, resolve};
use super::*;

fn host() -> HostFacts {
    HostFacts {
        network_dir: None,
        rootfs: PathBuf::from("/c/root"),
        container_dir: PathBuf::from("/c"),
        volumes_dir: PathBuf::from("/v"),
        images: BTreeMap::new(),
        empty_dir: PathBuf::from("/e"),
        cgroups: Some(PathBuf::from("/sys/fs/cgroup")),
        cpus: 2,
        handed: Handed::default(),
    }
}

fn of(request: &Request) -> Spec {
    let config = resolve(request, &image(), &facts(), identity()).unwrap();
    spec(&config, &host()).unwrap()
}

/// Each mount as `TYPE SOURCE DESTINATION OPTIONS`.
fn mounts(spec: &Spec) -> Vec<String> {
    let show = |mount: &oci_spec::runtime::Mount| {
        let source = mount.source().as_ref().map_or(String::new(), |path| path.display().to_string());
        let options = mount.options().as_ref().map_or(String::new(), |options| options.join(","));
        let kind = mount.typ().clone().unwrap_or_default();
        format!("{kind} {source} {} {options}", mount.destination().display())
    };
    spec.mounts().as_ref().map_or(Vec::new(), |mounts| mounts.iter().map(show).collect())
}

#[test]
fn the_mounts_of_a_plain_container() {
    let expected = [
        "proc proc /proc nosuid,nodev,noexec",
        "tmpfs tmpfs /dev nosuid,strictatime,mode=755,size=65536k",
        "devpts devpts /dev/pts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5",
        "mqueue mqueue /dev/mqueue nosuid,nodev,noexec",
        "tmpfs tmpfs /dev/shm nosuid,nodev,noexec,mode=1777,size=67108864",
        "sysfs sysfs /sys nosuid,nodev,noexec,ro",
        "cgroup cgroup /sys/fs/cgroup nosuid,nodev,noexec,relatime,ro",
        "bind /c/resolv.conf /etc/resolv.conf bind,rprivate,nosuid,nodev,noexec,rw",
        "bind /c/hosts /etc/hosts bind,rprivate,nosuid,nodev,noexec,rw",
        "bind /c/hostname /etc/hostname bind,rprivate,nosuid,nodev,noexec,rw",
        "bind /c/containerenv /run/.containerenv bind,rprivate,nosuid,nodev,noexec,ro",
    ];
    assert_eq!(mounts(&of(&Request::default())), expected);
}

#[test]
fn asked_mounts_come_between_and_replace_default_ones_in_place() {
    let request = Request {
        mounts: vec![
            MountRequest::from_volume("/srv:/data:ro,rslave,exec").unwrap(),
            MountRequest::from_volume("db:/db:suid,dev,noexec").unwrap(),
            MountRequest::from_volume("/h:/etc/hosts").unwrap(),
            MountRequest::from_tmpfs("/dev/shm:size=1m,exec"),
        ],
        ..Request::default()
    };
    let mounts = mounts(&of(&request));
    assert_eq!(mounts[4], "tmpfs tmpfs /dev/shm size=1048576,nosuid,nodev,rw");
    assert_eq!(
        mounts[7..],
        [
            "bind /srv /data rbind,rslave,ro,nosuid,nodev",
            "bind /v/db/_data /db bind,rprivate,rw,noexec",
            "bind /h /etc/hosts rbind,rprivate,rw,nosuid,nodev",
            "bind /c/resolv.conf /etc/resolv.conf bind,rprivate,nosuid,nodev,noexec,rw",
            "bind /c/hostname /etc/hostname bind,rprivate,nosuid,nodev,noexec,rw",
            "bind /c/containerenv /run/.containerenv bind,rprivate,nosuid,nodev,noexec,ro",
        ]
    );
}

#[test]
fn the_hosts_network_is_kept_and_its_sysfs_bound() {
    let spec = of(&Request { network: Some(crate::types::Network::Host), ..Request::default() });
    assert_eq!(mounts(&spec)[5], "bind /sys /sys rbind,rprivate,nosuid,nodev,noexec,ro");
    let linux = spec.linux().as_ref().unwrap();
    let kinds: Vec<_> = linux.namespaces().as_ref().unwrap().iter().map(LinuxNamespace::typ).collect();
    assert_eq!(kinds.len(), 6);
    assert!(!kinds.contains(&LinuxNamespaceType::Network));
    assert_eq!(linux.sysctl(), &None);
}

#[test]
fn capabilities_are_in_three_sets_and_never_inherited() {
    let spec = of(&Request { cap_add: vec!["ALL".into()], ..Request::default() });
    let process = spec.process().as_ref().unwrap();
    let sets = process.capabilities().as_ref().unwrap();
    for set in [sets.bounding(), sets.effective(), sets.permitted()] {
        assert_eq!(set.as_ref().map(Capabilities::len), Some(41));
    }
    for set in [sets.inheritable(), sets.ambient()] {
        assert_eq!(set.as_ref().map(Capabilities::len), Some(0));
    }
}

#[test]
fn limits_appear_only_when_asked_for() {
    assert_eq!(of(&Request::default()).linux().as_ref().unwrap().resources(), &None);
    let request = Request {
        limits: LimitRequest {
            memory: Some("64m".into()),
            cpus: Some("1.5".into()),
            pids_limit: Some(7),
            ..LimitRequest::default()
        },
        ulimits: vec!["nofile=10:20".into()],
        ..Request::default()
    };
    let spec = of(&request);
    let resources = spec.linux().as_ref().unwrap().resources().as_ref().unwrap();
    let (memory, cpu, pids) =
        (resources.memory().unwrap(), resources.cpu().as_ref().unwrap(), resources.pids().unwrap());
    assert_eq!((memory.limit(), memory.swap()), (Some(67_108_864), Some(134_217_728)));
    assert_eq!((cpu.quota(), cpu.period()), (Some(150_000), Some(100_000)));
    assert_eq!(pids.limit(), 7);
    let rlimit = spec.process().as_ref().unwrap().rlimits().as_ref().unwrap()[0];
    assert_eq!((rlimit.soft(), rlimit.hard()), (10, 20));
}

#[test]
fn what_tells_of_the_host_is_masked() {
    let spec = of(&Request::default());
    let linux = spec.linux().as_ref().unwrap();
    let masked = linux.masked_paths().as_ref().unwrap();
    for path in ["/proc/kcore", "/proc/keys", "/sys/firmware", "/sys/devices/system/cpu/cpu1/thermal_throttle"] {
        assert!(masked.iter().any(|masked| masked == path), "{path}");
    }
    let read_only = linux.readonly_paths().as_ref().unwrap();
    assert_eq!(read_only, &["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]);
}

#[test]
fn a_damaged_configuration_is_told() {
    let mut config = resolve(&Request::default(), &image(), &facts(), identity()).unwrap();
    config.capabilities.push("CAP_\u{1b}".to_owned());
    assert_eq!(
        spec(&config, &host()).map_err(|error| error.to_string()).map(|_| ()),
        Err("the saved configuration of container `box` is damaged: no such capability `CAP_\\u{1b}`".to_owned())
    );
}

#[test]
fn a_manager_s_socket_is_mounted_and_named() {
    let asked = Request { env: vec!["LISTEN_PID=7".into()], ..Request::default() };
    let config = resolve(&asked, &image(), &facts(), identity()).unwrap();
    let handed = Handed { notify_socket: true, listen_fds: 1, ..Handed::default() };
    let spec = spec(&config, &HostFacts { handed, ..host() }).unwrap();
    let env = spec.process().as_ref().unwrap().env().clone().unwrap();
    assert_eq!(env[3..], ["LISTEN_PID=7", "NOTIFY_SOCKET=/run/notify/notify.sock", "LISTEN_FDS=1"]);
    let expected = "bind /c/notify.sock /run/notify/notify.sock bind,rprivate,nosuid,nodev,noexec,ro";
    assert_eq!(mounts(&spec).last().map(String::as_str), Some(expected));
}
