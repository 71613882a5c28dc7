//! The mounts of a spec in their order: the kernel's file systems, the requested mounts, rc's own files.

mod overlay;

use std::path::PathBuf;

use oci_spec::runtime::Mount as SpecMount;

use super::super::first_process::INIT_PLACE;
use super::super::local_volume::KEEPS_OWNER;
use super::super::service::{NOTIFY_FILE, NOTIFY_PLACE};
use super::super::{CgroupNamespace, ContainerConfig, Ipc, Mount, MountKind};
use super::HostFacts;
use crate::types::{Joined, NamespaceKind};

/// Propagations of mount(2); a requested one replaces `rprivate`.
const PROPAGATIONS: [&str; 8] =
    ["private", "rprivate", "slave", "rslave", "shared", "rshared", "unbindable", "runbindable"];

/// rc's own files: the name in the container's directory, and the path in the container. Each start writes them anew.
const FILES: [(&str, &str); 4] = [
    ("resolv.conf", "/etc/resolv.conf"),
    ("hosts", "/etc/hosts"),
    ("hostname", "/etc/hostname"),
    // podman's marker, by which programs detect a container.
    ("containerenv", "/run/.containerenv"),
];

/// The time zone of programs. Source: localtime(5).
const LOCALTIME: &str = "/etc/localtime";

/// The number of the first mount of IPC among the kernel's: after those of `/dev`.
const IPC_PLACE: usize = 3;

/// All mounts of the container. A requested mount replaces a default one at the same path.
pub(super) fn mounts(config: &ContainerConfig, host: &HostFacts) -> Vec<SpecMount> {
    let mut mounts = kernel_mounts(config, host);
    if config.sandbox.is_some() {
        // The rest of what a pod has is for its members, and there is no place for it in the root of a pod.
        return mounts;
    }
    for (number, asked) in config.mounts.iter().enumerate() {
        let Some(mount) = asked_mount(asked, host, number) else { continue };
        match mounts.iter_mut().find(|default| default.destination() == mount.destination()) {
            Some(default) => *default = mount,
            None => mounts.push(mount),
        }
    }
    for device in &config.devices {
        // Not `nodev`. The node's own permissions hold: an ordinary user can take nothing more from it.
        let options = ["rbind", "rprivate", "nosuid", "noexec", "rw"].map(str::to_owned).to_vec();
        mounts.push(mount(&device.container, "bind", PathBuf::from(&device.host), options));
    }
    for (name, destination) in FILES {
        let is_left_to_image = match name {
            "resolv.conf" => config.image_resolver,
            "hosts" => config.image_hosts,
            "hostname" => config.image_hostname,
            _ => false,
        };
        if !is_left_to_image && !config.mounts.iter().any(|asked| asked.destination == destination) {
            let access = if config.read_only || name == "containerenv" { "ro" } else { "rw" };
            let options = ["bind", "rprivate", "nosuid", "nodev", "noexec", access];
            let shared = host.network_dir.as_ref().filter(|_| matches!(name, "resolv.conf" | "hosts"));
            let source = shared.unwrap_or(&host.container_dir).join(name);
            let options = options.map(str::to_owned).to_vec();
            for directory in &config.chroot_dirs {
                mounts.push(mount(&format!("{directory}{destination}"), "bind", source.clone(), options.clone()));
            }
            mounts.push(mount(destination, "bind", source, options));
        }
    }
    if let Some(program) = &config.init_path {
        let options = ["bind", "rprivate", "nosuid", "nodev", "ro"].map(str::to_owned).to_vec();
        mounts.push(mount(INIT_PLACE, "bind", program.clone(), options));
    }
    if let Some(zone) = &config.timezone
        && !config.mounts.iter().any(|asked| asked.destination == LOCALTIME)
    {
        let options = ["bind", "rprivate", "nosuid", "nodev", "noexec", "ro"].map(str::to_owned).to_vec();
        mounts.push(mount(LOCALTIME, "bind", zone.file.clone(), options));
    }
    if host.handed.notify_socket {
        let options = ["bind", "rprivate", "nosuid", "nodev", "noexec", "ro"].map(str::to_owned).to_vec();
        mounts.push(mount(NOTIFY_PLACE, "bind", host.container_dir.join(NOTIFY_FILE), options));
    }
    mounts
}

/// Source: runtime-spec config-linux.md "Default Filesystems"; the options are runc's and podman's.
fn kernel_mounts(config: &ContainerConfig, host: &HostFacts) -> Vec<SpecMount> {
    let words = |words: &str| words.split(',').map(str::to_owned).collect::<Vec<_>>();
    let kernel = |destination, kind: &str, options: &str| mount(destination, kind, PathBuf::from(kind), words(options));
    let shm = format!("nosuid,nodev,noexec,mode=1777,size={}", config.shm_size);
    let access = if config.privileged { "rw" } else { "ro" };
    let cgroup_access = if config.is_systemd { "rw" } else { access };
    let bound =
        |place: &str| mount(place, "bind", PathBuf::from(place), words("rbind,rprivate,nosuid,nodev,noexec,rw"));
    let mut proc = vec!["nosuid", "nodev", "noexec"];
    proc.extend(config.system_paths.proc_options.iter().map(String::as_str));
    let mut mounts = vec![
        if config.has_host(NamespaceKind::Pid) {
            // Only the owner of a PID namespace can mount its /proc.
            mount("/proc", "bind", PathBuf::from("/proc"), words("rbind,rprivate,nosuid,nodev,noexec,rw"))
        } else {
            kernel("/proc", "proc", &proc.join(","))
        },
        kernel("/dev", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
        kernel("/dev/pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"),
        if !config.owns(NamespaceKind::Network) {
            // A sysfs can be mounted only by the owner of the network namespace it shows; the host's is bound instead.
            mount("/sys", "bind", PathBuf::from("/sys"), words("rbind,rprivate,nosuid,nodev,noexec,ro"))
        } else {
            kernel("/sys", "sysfs", &format!("nosuid,nodev,noexec,{access}"))
        },
    ];
    // Only the owner of an IPC namespace can mount its queues; programs reach the host's without a mount.
    let queues = config.owns(NamespaceKind::Ipc).then(|| kernel("/dev/mqueue", "mqueue", "nosuid,nodev,noexec"));
    let joined = config.joined();
    let memory = match config.ipc {
        // The other's own, which the runtime finds there.
        Ipc::Private if matches!(joined.get(&NamespaceKind::Ipc), Some(Joined::Container(_))) => {
            Some(bound("/dev/shm"))
        }
        Ipc::Private => Some(kernel("/dev/shm", "tmpfs", &shm)),
        Ipc::Host => Some(bound("/dev/shm")),
        Ipc::None => None,
    };
    mounts.splice(IPC_PLACE..IPC_PLACE, queues.into_iter().chain(memory));
    match (config.cgroup.namespace, &host.cgroups) {
        (CgroupNamespace::Private, _) if config.owns(NamespaceKind::Cgroup) => {
            mounts.push(kernel("/sys/fs/cgroup", "cgroup", &format!("nosuid,nodev,noexec,relatime,{cgroup_access}")));
        }
        // Only the owner of a cgroup namespace can mount what it shows; the host's is bound instead.
        (_, Some(source)) => {
            mounts.push(mount("/sys/fs/cgroup", "bind", source.clone(), words("bind,rprivate,nosuid,nodev,noexec,ro")));
        }
        (_, None) => {}
    }
    mounts
}

/// A requested mount, the one of this number; `None` if the layers of its image are not known: work on the files of a
/// container that does not run does without them.
fn asked_mount(asked: &Mount, host: &HostFacts, number: usize) -> Option<SpecMount> {
    let access = if asked.read_only { "ro" } else { "rw" }.to_owned();
    let has = |option: &str| asked.options.iter().any(|asked| asked == option);
    let filesystem = |kind: &str| {
        let kept = asked.options.iter().filter(|option| !undoes_a_default(option)).cloned();
        mount(&asked.destination, kind, PathBuf::from(kind), kept.chain([access.clone()]).collect())
    };
    let (source, kind) = match &asked.kind {
        MountKind::Tmpfs => return Some(filesystem("tmpfs")),
        MountKind::Ramfs => return Some(filesystem("ramfs")),
        MountKind::Devpts => return Some(filesystem("devpts")),
        MountKind::Image { .. } => {
            let layers = host.images.get(&asked.destination)?;
            return Some(overlay::image(asked, layers, host, number));
        }
        MountKind::Bind { source } => (source.clone(), if has("bind") { "bind" } else { "rbind" }),
        MountKind::Volume { name, .. } => (host.volumes_dir.join(name.as_str()).join("_data"), "bind"),
    };
    if has("O") {
        return Some(overlay::over(asked, &source, host, number));
    }
    let propagation = asked.options.iter().find(|option| PROPAGATIONS.contains(&option.as_str()));
    let mut options = vec![kind.to_owned(), propagation.map_or("rprivate", String::as_str).to_owned(), access];
    options.extend(restrictions(asked));
    // crun's word.
    options.extend(has("no-dereference").then(|| "copy-symlink".to_owned()));
    options.extend(own_words(asked));
    Some(mount(&asked.destination, "bind", source, options))
}

/// What programs cannot do with files that a mount shows.
fn restrictions(asked: &Mount) -> impl Iterator<Item = String> {
    let has = |option: &str| asked.options.iter().any(|asked| asked == option);
    let defaults = [("nosuid", "suid"), ("nodev", "dev")].map(|(off, on)| (!has(on)).then(|| off.to_owned()));
    defaults.into_iter().chain([has("noexec").then(|| "noexec".to_owned())]).flatten()
}

/// Options that are rc's own words, as `tmpcopyup` is runc's.
fn own_words(asked: &Mount) -> impl Iterator<Item = String> + use<'_> {
    let is_own = |option: &&String| matches!(option.as_str(), "U" | KEEPS_OWNER) || option.starts_with("subpath=");
    asked.options.iter().filter(is_own).cloned()
}

/// Options that only remove a default; they have no flag of their own.
fn undoes_a_default(option: &str) -> bool {
    matches!(option, "exec" | "dev" | "suid")
}

fn mount(destination: &str, kind: &str, source: PathBuf, options: Vec<String>) -> SpecMount {
    let mut mount = SpecMount::default();
    mount
        .set_destination(PathBuf::from(destination))
        .set_typ(Some(kind.to_owned()))
        .set_source(Some(source))
        .set_options(Some(options));
    mount
}
