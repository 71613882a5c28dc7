//! The complete description of a container, saved in `config.json`: written once when the container is created, never
//! changed later.

mod files;
mod pod;
mod resources;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use oci_spec::runtime::LinuxSeccomp;
use serde::{Deserialize, Serialize};

pub(crate) use files::{ImageSource, Mount, MountKind, RootDirectory, VolumeSettings};
pub(crate) use pod::{ExitPolicy, InitContainer, Membership, PodSettings};
pub(crate) use resources::{Cgroup, CgroupMode, CgroupNamespace, DeviceValue, Limits, Rlimit, Throttle};

use super::{BaseHosts, Healthcheck, RestartPolicy, SecretUse, Service};
use crate::types::{
    Account, ContainerId, Digest, IdMaps, Joined, Link, Name, NamespaceKind, Network, PortMapping, Signal, host_path,
};

/// The seconds before SIGKILL if there is none: 136 years. Source: podman.
pub(crate) const NO_TIMEOUT: u32 = u32::MAX;

/// Everything that was resolved when the container was created. All fields are complete: nothing is
/// looked up again in the image, in `rc.toml` or in the environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContainerConfig {
    /// The id, from the kernel's random source.
    pub(crate) id: ContainerId,
    /// The name, typed or generated.
    pub(crate) name: Name,
    /// When it was created, RFC 3339 with nanoseconds, UTC.
    pub(crate) created: String,
    /// The image.
    pub(crate) image: ImageSource,
    /// The directory of the host that has its files, in place of an image.
    #[serde(default)]
    pub(crate) root_directory: Option<RootDirectory>,
    /// Entry point, then command: what is executed.
    pub(crate) argv: Vec<String>,
    /// How many of `argv` come from the entry point.
    pub(crate) entrypoint_len: usize,
    /// The environment, `NAME=value`, in order, names unique.
    pub(crate) env: Vec<String>,
    /// The working directory; created if missing.
    pub(crate) working_dir: String,
    /// `USER` as typed or from the image (`name`, `uid`, `user:group`); empty for root. Resolved in the root file
    /// system.
    pub(crate) user: String,
    /// Supplementary groups, by `--group-add`.
    pub(crate) groups: Vec<String>,
    /// The container's host name.
    pub(crate) hostname: String,
    /// Labels of the image and of the command line.
    pub(crate) labels: BTreeMap<String, String>,
    /// A terminal for the program (`-t`).
    pub(crate) tty: bool,
    /// Standard input stays open (`-i`).
    pub(crate) open_stdin: bool,
    /// Removed when it ends (`--rm`).
    pub(crate) auto_remove: bool,
    /// Runs rc's own init as PID 1 (`--init`).
    pub(crate) init: bool,
    /// The program of the host that is PID 1 instead of rc's own init.
    #[serde(default, with = "host_path::optional")]
    pub(crate) init_path: Option<PathBuf>,
    /// The program is systemd.
    #[serde(default)]
    pub(crate) is_systemd: bool,
    /// The kernel that the program sees, if it is not the host's.
    #[serde(default)]
    pub(crate) personality: Option<Personality>,
    /// Directories of the container that have rc's files, too (`--chrootdirs`).
    #[serde(default)]
    pub(crate) chroot_dirs: Vec<String>,
    /// The root file system is read-only.
    pub(crate) read_only: bool,
    /// Further mounts in the order they are made: tmpfs, binds, volumes.
    pub(crate) mounts: Vec<Mount>,
    /// Bytes of `/dev/shm`.
    pub(crate) shm_size: u64,
    /// Capabilities of the program, as `CAP_CHOWN`; bounding, effective and permitted set are these.
    pub(crate) capabilities: Vec<String>,
    /// `no_new_privs` for the program.
    pub(crate) no_new_privileges: bool,
    /// The system call filter.
    pub(crate) seccomp: Seccomp,
    /// The parts of `/proc` and `/sys` that it sees.
    #[serde(default)]
    pub(crate) system_paths: SystemPaths,
    /// The container has the host's names (`--uts host`).
    #[serde(default)]
    pub(crate) host_uts: bool,
    /// Its shared memory, semaphores and message queues.
    #[serde(default)]
    pub(crate) ipc: Ipc,
    /// Its other namespaces that are not its own.
    #[serde(default)]
    pub(crate) namespaces: Namespaces,
    /// Containers that are started before it.
    #[serde(default)]
    pub(crate) requires: Vec<ContainerId>,
    /// The pod that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pod: Option<Membership>,
    /// It is no container but a pod, and this is what a pod has beyond a container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sandbox: Option<PodSettings>,
    /// The IDs that it has.
    #[serde(default)]
    pub(crate) user_namespace: UserNamespace,
    /// Lines that `/etc/passwd` and `/etc/group` get.
    #[serde(default)]
    pub(crate) accounts: ContainerAccounts,
    /// Parameters of the kernel for its namespaces, by name.
    #[serde(default)]
    pub(crate) sysctls: BTreeMap<String, String>,
    /// The umask of the program.
    #[serde(default = "usual_umask")]
    pub(crate) umask: u32,
    /// How likely the kernel ends the program if memory runs out; absent: as likely as the caller.
    #[serde(default)]
    pub(crate) oom_score_adj: Option<i32>,
    /// Annotations, which only `inspect` and the runtime spec show.
    #[serde(default)]
    pub(crate) annotations: BTreeMap<String, String>,
    /// Devices of the host.
    #[serde(default)]
    pub(crate) devices: Vec<Device>,
    /// Links that devices need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) links: Vec<Link>,
    /// The container may do all that an ordinary user can allow.
    #[serde(default)]
    pub(crate) privileged: bool,
    /// Resource limits of the program's process; others are the caller's.
    pub(crate) rlimits: Vec<Rlimit>,
    /// The network.
    pub(crate) network: Network,
    /// Published ports, each complete.
    pub(crate) ports: Vec<PortMapping>,
    /// Every exposed port was to be published, for inspect.
    #[serde(default)]
    pub(crate) publish_all: bool,
    /// The streams of `--attach`, for inspect.
    #[serde(default)]
    pub(crate) attached: Option<Attached>,
    /// Name servers for `resolv.conf`; empty: the host's.
    pub(crate) dns: Vec<IpAddr>,
    /// The container has the image's `/etc/resolv.conf` (`--dns none`).
    #[serde(default)]
    pub(crate) image_resolver: bool,
    /// Search domains for `resolv.conf`; empty: the host's.
    pub(crate) dns_search: Vec<String>,
    /// Options for `resolv.conf`, as `ndots:2`; empty: the host's.
    pub(crate) dns_options: Vec<String>,
    /// Further lines of `/etc/hosts`: name and address.
    pub(crate) extra_hosts: Vec<(String, IpAddr)>,
    /// The container has the image's `/etc/hostname` (`--no-hostname`).
    #[serde(default)]
    pub(crate) image_hostname: bool,
    /// What `/etc/hosts` begins with, if not with the usual lines (`--hosts-file`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base_hosts: Option<BaseHosts>,
    /// The container has the image's `/etc/hosts` (`--no-hosts`).
    #[serde(default)]
    pub(crate) image_hosts: bool,
    /// Further names of the host in `/etc/hosts` (`host-gateway`).
    #[serde(default)]
    pub(crate) gateway_hosts: Vec<String>,
    /// Limits by cgroup.
    pub(crate) limits: Limits,
    /// The cgroup itself.
    #[serde(default)]
    pub(crate) cgroup: Cgroup,
    /// Seconds after which the program is killed; 0: never.
    #[serde(default)]
    pub(crate) timeout: u32,
    /// The host's file of its time zone, bound on `/etc/localtime`, and its name.
    #[serde(default)]
    pub(crate) timezone: Option<TimeZone>,
    /// The containers whose volumes it has, as typed, for inspect.
    #[serde(default)]
    pub(crate) volumes_from: Vec<String>,
    /// What `stop` sends.
    pub(crate) stop_signal: Signal,
    /// Seconds `stop` waits before SIGKILL; [`NO_TIMEOUT`]: as long as it takes.
    pub(crate) stop_timeout: u32,
    /// Where the output goes.
    pub(crate) log_driver: LogDriver,
    /// Bytes of one log file, after which the next is begun; at least 1.
    pub(crate) log_max_size: u64,
    /// Log files kept, the current one included; at least 1.
    pub(crate) log_max_files: u32,
    /// The name of the journal's entries, if it is not the container's.
    #[serde(default)]
    pub(crate) log_tag: Option<String>,
    /// Further fields of the journal's entries.
    #[serde(default)]
    pub(crate) log_labels: BTreeMap<String, String>,
    /// The log's file, if it is not in the container's directory.
    #[serde(default, with = "host_path::optional")]
    pub(crate) log_path: Option<PathBuf>,
    /// The secrets of the program.
    #[serde(default)]
    pub(crate) secrets: Vec<SecretUse>,
    /// What tells whether the container is healthy.
    #[serde(default)]
    pub(crate) healthcheck: Option<Healthcheck>,
    /// What `update` has made of it; not part of the record.
    #[serde(skip)]
    pub(crate) health_update: Option<UpdatedHealth>,
    /// What happens when the program ends by itself.
    pub(crate) restart: RestartPolicy,
    /// The key sequence that detaches from the terminal, as typed (`ctrl-p,ctrl-q`); empty turns it off.
    pub(crate) detach_keys: String,
    /// Where the id was written to (`--cidfile`), for inspect.
    #[serde(default, with = "host_path::optional")]
    pub(crate) cidfile: Option<PathBuf>,
    /// What a service manager learns.
    #[serde(default)]
    pub(crate) service: Service,
    /// The rc command line that made the container, for inspect; never shown with environment values.
    pub(crate) create_command: Vec<String>,
}

/// The umask of a program. Source: podman-run(1), `--umask`.
pub(super) const UMASK: u32 = 0o022;

fn usual_umask() -> u32 {
    UMASK
}

/// The kernel that a program sees. Source: personality(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Personality {
    /// The host's.
    Linux,
    /// One of a machine with 32 bits.
    Linux32,
}

/// The health check that a container has now, if it has any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UpdatedHealth {
    /// The check; none any more if absent.
    pub(crate) check: Option<Healthcheck>,
}

/// Shared memory, semaphores and message queues (`--ipc`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ipc {
    /// Its own.
    #[default]
    Private,
    /// Its own, without `/dev/shm`.
    None,
    /// The host's.
    Host,
}

/// Namespaces that a container shares; `host_uts`, `ipc`, `network` and `cgroup` say so of others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Namespaces {
    /// Its processes are the host's (`--pid host`).
    pub(crate) host_pid: bool,
    /// Those of others, except the network's.
    pub(crate) joined: BTreeMap<NamespaceKind, Joined>,
}

/// The user namespace of a container. It is beneath the user's root namespace in any case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct UserNamespace {
    /// As `inspect` shows it: empty for podman's default, `host`.
    pub(crate) mode: String,
    /// Which IDs of the root namespace its IDs are.
    pub(crate) maps: IdMaps,
    /// No other container with `auto` has any of these.
    pub(crate) is_auto: bool,
}

/// Lines that the container's files get at a start, unless one there has the ID.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ContainerAccounts {
    /// Of `/etc/passwd`.
    pub(crate) users: Vec<Account>,
    /// Of `/etc/group`.
    pub(crate) groups: Vec<Account>,
}

/// A time zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TimeZone {
    /// As typed: `Europe/Berlin`, or `local`.
    pub(crate) name: String,
    /// The host's file.
    #[serde(with = "host_path")]
    pub(crate) file: PathBuf,
}

/// A device of the host in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Device {
    /// Its path on the host.
    pub(crate) host: String,
    /// Its path in the container.
    pub(crate) container: String,
}

/// Streams of the program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Attached {
    /// Standard input.
    pub(crate) stdin: bool,
    /// Standard output.
    pub(crate) stdout: bool,
    /// Standard error.
    pub(crate) stderr: bool,
}

impl Attached {
    /// The numbers of the outputs that are not attached.
    pub(crate) fn muted(self) -> Vec<i32> {
        [(1, self.stdout), (2, self.stderr)].into_iter().filter(|(_, shown)| !shown).map(|(number, _)| number).collect()
    }
}

impl ContainerConfig {
    /// The images whose files it has: its own, and those of mounts.
    pub(crate) fn images(&self) -> impl Iterator<Item = &ImageSource> {
        let mounted = self.mounts.iter().filter_map(|mount| match &mount.kind {
            MountKind::Image { image } => Some(&**image),
            _ => None,
        });
        std::iter::once(&self.image).chain(mounted)
    }

    /// Whether it has the files of the image with this ID.
    pub(crate) fn uses_image(&self, id: &Digest) -> bool {
        self.images().any(|image| image.is(id))
    }

    /// The file of its log, for a container in `directory`.
    pub(crate) fn log(&self, directory: &Path) -> PathBuf {
        self.log_path.clone().unwrap_or_else(|| directory.join("log"))
    }

    /// The layers of these images.
    pub(crate) fn layers(&self) -> impl Iterator<Item = &Digest> {
        self.images().flat_map(|image| &image.layers)
    }
}

/// The system call filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Seccomp {
    /// rc's own.
    Default,
    /// None.
    Unconfined,
    /// One from a file.
    Profile {
        /// The path, as typed.
        path: String,
        /// Its rules for this container.
        rules: Box<LinuxSeccomp>,
    },
}

/// What changes the default paths of `/proc` and `/sys` that are hidden or read-only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SystemPaths {
    /// Further paths that are hidden.
    pub(crate) mask: Vec<String>,
    /// Patterns of default paths that are as the kernel has them; `ALL` is all of them.
    pub(crate) unmask: Vec<String>,
    /// Further options of the mount of `/proc`.
    pub(crate) proc_options: Vec<String>,
}

/// Where the program's output goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogDriver {
    /// A file of lines `RFC3339Nano stream F|P text`, in the container's directory.
    K8sFile,
    /// Nowhere.
    None,
    /// The system's journal.
    Journald,
    /// The caller's own descriptors.
    Passthrough,
    /// The same, terminals too.
    PassthroughTty,
}

impl LogDriver {
    /// The program has the caller's own descriptors.
    pub(crate) fn is_passthrough(self) -> bool {
        matches!(self, Self::Passthrough | Self::PassthroughTty)
    }

    /// The program's output can be read again later.
    pub(crate) fn keeps_output(self) -> bool {
        matches!(self, Self::K8sFile | Self::Journald)
    }
}
