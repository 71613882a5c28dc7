//! The complete description of a container, saved in `config.json`: written once when the container is created, never
//! changed later.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use oci_spec::runtime::LinuxSeccomp;
use serde::{Deserialize, Serialize};

use super::{Healthcheck, RestartPolicy, SecretUse, Service};
use crate::types::{
    Account, ContainerId, Digest, IdMaps, Joined, Name, NamespaceKind, Network, PortMapping, Signal, host_path,
};

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
    /// Seconds `stop` waits before SIGKILL.
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

/// The image of a container. All is empty but the ports if it has none: its files are a directory of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImageSource {
    /// The image's id: the digest of its configuration.
    #[serde(default)]
    pub(crate) id: Option<Digest>,
    /// The digest of its manifest.
    #[serde(default)]
    pub(crate) manifest: Option<Digest>,
    /// The complete reference, for tables (`docker.io/library/busybox:latest`), or the id as typed.
    pub(crate) reference: String,
    /// The diff ids of its layers, lowest first.
    pub(crate) layers: Vec<Digest>,
    /// Ports that the image or the command line exposes, as `80/tcp`.
    pub(crate) exposed_ports: Vec<String>,
}

impl ImageSource {
    /// Its ID in hex, with all digits; empty if there is none.
    pub(crate) fn hex(&self) -> &str {
        self.id.as_ref().map_or("", Digest::hex)
    }

    /// The first digits of its ID; empty if there is none.
    pub(crate) fn short(&self) -> &str {
        self.id.as_ref().map_or("", Digest::short)
    }

    /// Whether it is the image with this ID.
    pub(crate) fn is(&self, id: &Digest) -> bool {
        self.id.as_ref() == Some(id)
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

    /// The file of its log, for a container in `directory`.
    pub(crate) fn log(&self, directory: &Path) -> PathBuf {
        self.log_path.clone().unwrap_or_else(|| directory.join("log"))
    }

    /// The layers of these images.
    pub(crate) fn layers(&self) -> impl Iterator<Item = &Digest> {
        self.images().flat_map(|image| &image.layers)
    }
}

/// A directory of the host as the root filesystem of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RootDirectory {
    /// Its path, absolute.
    #[serde(with = "host_path")]
    pub(crate) path: PathBuf,
    /// What the container writes goes to its own directory, on top of this one.
    pub(crate) is_overlaid: bool,
}

/// One further mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mount {
    /// What is mounted.
    pub(crate) kind: MountKind,
    /// The absolute path in the container.
    pub(crate) destination: String,
    /// Read-only.
    pub(crate) read_only: bool,
    /// Further options as typed (`rslave`, `exec`, `nocopy`) and checked, sizes in bytes.
    pub(crate) options: Vec<String>,
}

/// The kind of a mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "type")]
pub(crate) enum MountKind {
    /// A file or directory of the host, absolute.
    Bind {
        /// The path on the host.
        #[serde(with = "host_path")]
        source: PathBuf,
    },
    /// A named volume; created if missing.
    Volume {
        /// Its name; an anonymous volume has 64 hex digits.
        name: Name,
        /// Created for this container alone; `rm -v` and `--rm` remove it with the container.
        anonymous: bool,
        /// What it gets if it is created.
        #[serde(default, skip_serializing_if = "VolumeSettings::is_empty")]
        settings: VolumeSettings,
    },
    /// A tmpfs.
    Tmpfs,
    /// A ramfs.
    Ramfs,
    /// Terminals.
    Devpts,
    /// The files of an image.
    Image {
        /// The image.
        image: Box<ImageSource>,
    },
}

/// Labels and options of a volume that is created when it is mounted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct VolumeSettings {
    /// Labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// Options of the driver `local`.
    pub(crate) options: BTreeMap<String, String>,
}

impl VolumeSettings {
    fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.options.is_empty()
    }
}

/// Limits; absent ones are not set, and need no cgroup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Limits {
    /// Bytes of memory, `memory.max`.
    pub(crate) memory: Option<u64>,
    /// Bytes of memory and swap together; -1 is no limit, absent twice the memory.
    pub(crate) memory_swap: Option<i64>,
    /// Bytes of memory that are reclaimed last, `memory.low`.
    pub(crate) memory_reservation: Option<u64>,
    /// Thousandths of a CPU (1500 is one and a half), `cpu.max`. Excludes quota and period.
    pub(crate) milli_cpus: Option<u64>,
    /// The share of CPU time under contention, `cpu.weight`; the default is 1024.
    pub(crate) cpu_shares: Option<u64>,
    /// Microseconds of CPU time per period, `cpu.max`.
    pub(crate) cpu_quota: Option<u64>,
    /// Microseconds of a period, `cpu.max`.
    pub(crate) cpu_period: Option<u64>,
    /// CPUs, as `0-3,7`.
    pub(crate) cpuset_cpus: Option<String>,
    /// Memory nodes, as `0-1`.
    pub(crate) cpuset_mems: Option<String>,
    /// The share of disk time, 10 to 1000.
    pub(crate) blkio_weight: Option<u16>,
    /// Limits for single devices.
    pub(crate) devices: Vec<DeviceValue>,
    /// Processes and threads, `pids.max`, as requested; the default limit is not included.
    pub(crate) pids: Option<u64>,
    /// The limit of processes if none was requested: set if a cgroup is available; it is no error if none is.
    pub(crate) default_pids: Option<u64>,
}

/// A limit for one block device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeviceValue {
    /// What is limited.
    pub(crate) what: Throttle,
    /// The device as it was typed.
    pub(crate) path: String,
    /// Its major number when it was typed.
    pub(crate) major: u32,
    /// Its minor number.
    pub(crate) minor: u32,
    /// The weight, or the rate per second.
    pub(crate) value: u64,
}

impl DeviceValue {
    /// Whether both limit the same thing of the same device.
    pub(crate) fn is_same_limit(&self, other: &Self) -> bool {
        (self.what, self.major, self.minor) == (other.what, other.major, other.minor)
    }
}

/// What is limited of a block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Throttle {
    /// The share of its time, 10 to 1000.
    Weight,
    /// Bytes that are read.
    ReadBps,
    /// Bytes that are written.
    WriteBps,
    /// Reading operations.
    ReadIops,
    /// Writing operations.
    WriteIops,
}

/// The container's cgroup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Cgroup {
    /// Whether there is one, and where it may be created.
    pub(crate) mode: CgroupMode,
    /// What the program sees of it.
    pub(crate) namespace: CgroupNamespace,
    /// The slice (`NAME.slice`) or the cgroup (an absolute path) that it is created in; absent: the cgroup of rc itself
    /// decides.
    pub(crate) parent: Option<String>,
    /// Control files and what is written to them.
    pub(crate) conf: BTreeMap<String, String>,
}

/// Whether a container has a cgroup of its own (`--cgroups`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum CgroupMode {
    /// In place, else a scope of the service manager, else none.
    #[default]
    Enabled,
    /// None.
    Disabled,
    /// In place, or an error.
    Split,
    /// In place, else none: the monitor is not moved to a scope.
    NoConmon,
}

impl CgroupMode {
    /// The value of `--cgroups`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Split => "split",
            Self::NoConmon => "no-conmon",
        }
    }
}

/// What the program sees of the cgroups (`--cgroupns`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CgroupNamespace {
    /// Its own, as the root.
    #[default]
    Private,
    /// All of the host's, read-only.
    Host,
}

/// A resource limit of the program's process. Source: getrlimit(2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rlimit {
    /// The resource, as `RLIMIT_NOFILE`.
    pub(crate) name: String,
    /// The soft limit in the resource's own unit; `u64::MAX` is none.
    pub(crate) soft: u64,
    /// The hard limit; `u64::MAX` is none.
    pub(crate) hard: u64,
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
