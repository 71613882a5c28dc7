use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Error, HealthRequest};
use crate::types::{Network, Protocol};

/// A requested container: one field for each option, in the option's own grammar, absent if the option was not given.
///
/// Any front end may fill it in: the command line, a unit, an HTTP API. It holds no default: those are the image's, the
/// settings' and rc's, joined in `resolve`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct Request {
    /// The image, as typed: a reference or an id.
    pub(crate) image: String,
    /// `--rootfs`: `image` is a directory of the host that has the files, `PATH[:O]`.
    pub(crate) rootfs: bool,
    /// The command and its arguments; empty: the image's.
    pub(crate) command: Vec<String>,
    /// `--entrypoint`: a program, a JSON array, or empty for none.
    pub(crate) entrypoint: Option<String>,
    /// `--name`.
    pub(crate) name: Option<String>,
    /// `--replace`: a container of that name is removed first.
    pub(crate) replace: bool,
    /// `--detach`, and `create`: no command waits for the program's output.
    pub(crate) detach: bool,
    /// `--sig-proxy`: signals to the waiting command are passed to the program; true by default.
    pub(crate) sig_proxy: Option<bool>,
    /// `--preserve-fds`, `--preserve-fd`: the caller's descriptors that the program gets.
    pub(crate) descriptors: Vec<DescriptorRequest>,
    /// `--interactive`.
    pub(crate) interactive: bool,
    /// `--tty`.
    pub(crate) tty: bool,
    /// `--rm`.
    pub(crate) auto_remove: bool,
    /// `--init`; absent: what the settings say, false by default.
    pub(crate) init: Option<bool>,
    /// `--init-path`: the program of the host for `--init`.
    pub(crate) init_path: Option<PathBuf>,
    /// `--systemd`: `true`, `always` or `false`.
    pub(crate) systemd: Option<String>,
    /// `--personality`: `LINUX` or `LINUX32`.
    pub(crate) personality: Option<String>,
    /// `--chrootdirs`: absolute paths, several to a word with commas.
    pub(crate) chroot_dirs: Vec<String>,
    /// `--attach`: the streams that a waiting command passes on, in any case; empty: all.
    pub(crate) attach: Vec<String>,
    /// `--detach-keys`.
    pub(crate) detach_keys: Option<String>,
    /// `--cgroups`: `enabled`, `disabled`, `no-conmon` or `split`.
    pub(crate) cgroups: Option<String>,
    /// `--cgroupns`: `private`, `host`, `container:NAME` or `ns:PATH`.
    pub(crate) cgroupns: Option<String>,
    /// `--cgroup-parent`: a slice, or the absolute path of a cgroup.
    pub(crate) cgroup_parent: Option<String>,
    /// `--cgroup-conf`: `FILE=VALUE`.
    pub(crate) cgroup_conf: Vec<String>,
    /// `--cidfile`.
    pub(crate) cidfile: Option<PathBuf>,
    /// `--env`: `NAME=value`, `NAME` or `NAME*`.
    pub(crate) env: Vec<String>,
    /// `--env-file`, read.
    pub(crate) env_files: Vec<TextFile>,
    /// The environment that `--env NAME` and the proxies are taken from; absent: the caller's own.
    pub(crate) environment: Option<BTreeMap<String, String>>,
    /// `--http-proxy`: the caller's proxy variables are passed on; true by default.
    pub(crate) http_proxy: Option<bool>,
    /// `--env-host`: the caller's variables are passed on, all of them.
    pub(crate) env_host: bool,
    /// `--env-merge`: `NAME=WORD` with `$NAME` in it.
    pub(crate) env_merge: Vec<String>,
    /// `--unsetenv`: variables of rc and of the image that the program does not get.
    pub(crate) unset_env: Vec<String>,
    /// `--unsetenv-all`: it gets none of them.
    pub(crate) unset_env_all: bool,
    /// `--user`.
    pub(crate) user: Option<String>,
    /// `--group-add`.
    pub(crate) groups: Vec<String>,
    /// `--workdir`.
    pub(crate) working_dir: Option<String>,
    /// `--label`: `NAME=value` or `NAME`.
    pub(crate) labels: Vec<String>,
    /// `--label-file`, read.
    pub(crate) label_files: Vec<TextFile>,
    /// `--hostname`.
    pub(crate) hostname: Option<String>,
    /// `--add-host`: `NAME:ADDRESS`.
    pub(crate) add_hosts: Vec<String>,
    /// `--no-hostname`: the container has the image's `/etc/hostname`.
    pub(crate) no_hostname: bool,
    /// `--hosts-file`: a path, `image` or `none`.
    pub(crate) hosts_file: Option<String>,
    /// `--no-hosts`: the container has the image's `/etc/hosts`.
    pub(crate) no_hosts: bool,
    /// `--dns`.
    pub(crate) dns: Vec<String>,
    /// `--dns-search`.
    pub(crate) dns_search: Vec<String>,
    /// `--dns-option`.
    pub(crate) dns_options: Vec<String>,
    /// `--network`, typed.
    pub(crate) network: Option<Network>,
    /// `--ip`.
    pub(crate) ip: Option<String>,
    /// `--ip6`.
    pub(crate) ip6: Option<String>,
    /// `--mac-address`.
    pub(crate) mac_address: Option<String>,
    /// `--network-alias`: names in all of the container's networks.
    pub(crate) network_aliases: Vec<String>,
    /// `--link`: names by which this container alone finds others, `CONTAINER[:ALIAS]`.
    pub(crate) links: Vec<String>,
    /// `--publish`.
    pub(crate) publish: Vec<PortRequest>,
    /// `--publish-all`: every port that the image or `--expose` names, on any port of the host.
    pub(crate) publish_all: bool,
    /// `--expose`: `PORT[-PORT][/PROTOCOL]`.
    pub(crate) expose: Vec<String>,
    /// `--volume`, then `--tmpfs`, then `--mount`.
    pub(crate) mounts: Vec<MountRequest>,
    /// `--volumes-from`: `CONTAINER[:OPTIONS]`.
    pub(crate) volumes_from: Vec<String>,
    /// `--image-volume`: `bind`, `anonymous`, `tmpfs` or `ignore`.
    pub(crate) image_volume: Option<String>,
    /// `--read-only`.
    pub(crate) read_only: bool,
    /// `--read-only-tmpfs`: with `--read-only`, `/run`, `/tmp` and `/var/tmp` stay writable; true by default.
    pub(crate) read_only_tmpfs: Option<bool>,
    /// `--shm-size`.
    pub(crate) shm_size: Option<String>,
    /// `--privileged`: all that an ordinary user has to give.
    pub(crate) privileged: bool,
    /// `--device`: `HOST[:CONTAINER][:PERMISSIONS]`.
    pub(crate) devices: Vec<String>,
    /// `--gpus`: `all`, or names or numbers.
    pub(crate) gpus: Option<String>,
    /// `--sysctl`: `NAME=VALUE`.
    pub(crate) sysctls: Vec<String>,
    /// `--umask`, octal.
    pub(crate) umask: Option<String>,
    /// `--oom-score-adj`.
    pub(crate) oom_score_adj: Option<i32>,
    /// `--annotation`: `NAME=VALUE`.
    pub(crate) annotations: Vec<String>,
    /// `--pid`: `private`, `host`, `container:NAME` or `ns:PATH`.
    pub(crate) pid: Option<String>,
    /// `--pod`: the pod that it is in, by name or ID; `new:NAME` only where a front end creates it first.
    pub(crate) pod: Option<String>,
    /// `--init-ctr`: it runs before the others of its pod: `always` or `once`.
    pub(crate) init_ctr: Option<String>,
    /// `--requires`: containers that are started before this one; several to a word with commas.
    pub(crate) requires: Vec<String>,
    /// `--uts`: `private`, `host`, `container:NAME` or `ns:PATH`.
    pub(crate) uts: Option<String>,
    /// `--ipc`: `private`, `shareable`, `none`, `host`, `container:NAME` or `ns:PATH`.
    pub(crate) ipc: Option<String>,
    /// `--userns`: `host`, `keep-id[:…]`, `nomap`, `auto[:…]`, `private`, `container:NAME` or `ns:PATH`.
    pub(crate) userns: Option<String>,
    /// `--uidmap`: `[FLAGS]CONTAINER:FROM[:AMOUNT]`.
    pub(crate) uidmap: Vec<String>,
    /// `--gidmap`.
    pub(crate) gidmap: Vec<String>,
    /// `--subuidname`.
    pub(crate) subuidname: Option<String>,
    /// `--subgidname`.
    pub(crate) subgidname: Option<String>,
    /// `--passwd`: `/etc/passwd` and `/etc/group` get lines for the user; true by default.
    pub(crate) passwd: Option<bool>,
    /// `--passwd-entry`: the line of the program's user.
    pub(crate) passwd_entry: Option<String>,
    /// `--group-entry`: the line of its group.
    pub(crate) group_entry: Option<String>,
    /// `--hostuser`: users of the host that the container knows.
    pub(crate) host_users: Vec<String>,
    /// `--cap-add`.
    pub(crate) cap_add: Vec<String>,
    /// `--cap-drop`.
    pub(crate) cap_drop: Vec<String>,
    /// `--security-opt`.
    pub(crate) security_opts: Vec<String>,
    /// The files of `--security-opt seccomp=FILE`, read.
    pub(crate) seccomp_profiles: Vec<TextFile>,
    /// The cgroup limits.
    pub(crate) limits: LimitRequest,
    /// `--ulimit`.
    pub(crate) ulimits: Vec<String>,
    /// `--secret`: `NAME[,type=mount|env,target=…]`.
    pub(crate) secrets: Vec<String>,
    /// The health check.
    pub(crate) health: HealthRequest,
    /// `--restart`.
    pub(crate) restart: Option<String>,
    /// `--timeout`, seconds.
    pub(crate) timeout: Option<u32>,
    /// `--tz`: a time zone, or `local`.
    pub(crate) tz: Option<String>,
    /// `--device-cgroup-rule`.
    pub(crate) device_cgroup_rules: Vec<String>,
    /// `--runtime`.
    pub(crate) runtime: Option<String>,
    /// `--stop-signal`.
    pub(crate) stop_signal: Option<String>,
    /// `--stop-timeout`, seconds.
    pub(crate) stop_timeout: Option<u32>,
    /// Where the output goes.
    pub(crate) log: LogRequest,
    /// The options for a service manager.
    pub(crate) service: ServiceRequest,
    /// `--pull`.
    pub(crate) pull: Option<PullPolicy>,
    /// `--platform`.
    pub(crate) platform: Option<String>,
    /// `--tls-verify`.
    pub(crate) tls_verify: Option<bool>,
    /// How the image's registry is reached.
    pub(crate) registry: RegistryRequest,
    /// The command line of the request, without values of the environment; empty if there was none.
    pub(crate) create_command: Vec<String>,
}

impl Request {
    /// Fails if a container or a pod (`thing`) is to be replaced that the request does not name. Source: podman,
    /// `replaceContainer`.
    pub(crate) fn check_replaced(&self, thing: &'static str) -> Result<(), Error> {
        if self.replace && self.name.is_none() { Err(Error::NamelessReplace { thing }) } else { Ok(()) }
    }

    /// The request in which an empty text counts as not given, as in docker and podman: scripts write `--user "$user"`.
    /// `--entrypoint ''` and `--detach-keys ''` have a meaning of their own.
    pub(crate) fn without_empty_texts(mut self) -> Self {
        let texts = [
            &mut self.name,
            &mut self.user,
            &mut self.working_dir,
            &mut self.hostname,
            &mut self.hosts_file,
            &mut self.ip,
            &mut self.ip6,
            &mut self.mac_address,
            &mut self.cgroups,
            &mut self.cgroupns,
            &mut self.cgroup_parent,
            &mut self.restart,
            &mut self.stop_signal,
            &mut self.log.driver,
            &mut self.service.sdnotify,
            &mut self.platform,
            &mut self.shm_size,
            &mut self.umask,
            &mut self.systemd,
            &mut self.personality,
            &mut self.uts,
            &mut self.image_volume,
            &mut self.gpus,
            &mut self.tz,
            &mut self.ipc,
            &mut self.pid,
            &mut self.userns,
            &mut self.subuidname,
            &mut self.subgidname,
            &mut self.passwd_entry,
            &mut self.group_entry,
            &mut self.init_ctr,
            &mut self.limits.memory,
            &mut self.limits.memory_swap,
            &mut self.limits.memory_reservation,
            &mut self.limits.cpus,
            &mut self.limits.cpuset_cpus,
            &mut self.limits.cpuset_mems,
        ];
        for text in texts {
            text.take_if(|text| text.is_empty());
        }
        for path in [
            &mut self.cidfile,
            &mut self.init_path,
            &mut self.service.pidfile,
            &mut self.service.conmon_pidfile,
            &mut self.registry.authfile,
        ] {
            path.take_if(|path| path.as_os_str().is_empty());
        }
        self.health.without_empty_texts();
        self.dns_search.retain(|domain| !domain.is_empty());
        self
    }
}

/// A descriptor of the caller that the program gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DescriptorRequest {
    /// The number that the program sees, above 2.
    pub(crate) number: i32,
    /// The caller's number; absent: the same.
    #[serde(default)]
    pub(crate) from: Option<i32>,
}

/// The requested cgroup limits, as typed, for `run`, `create` and `update`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct LimitRequest {
    /// `--memory`.
    pub(crate) memory: Option<String>,
    /// `--memory-swap`: memory and swap together; -1 is no limit.
    pub(crate) memory_swap: Option<String>,
    /// `--memory-reservation`.
    pub(crate) memory_reservation: Option<String>,
    /// `--cpus`.
    pub(crate) cpus: Option<String>,
    /// `--cpu-shares`.
    pub(crate) cpu_shares: Option<u64>,
    /// `--cpu-quota`, microseconds.
    pub(crate) cpu_quota: Option<i64>,
    /// `--cpu-period`, microseconds.
    pub(crate) cpu_period: Option<u64>,
    /// `--cpuset-cpus`.
    pub(crate) cpuset_cpus: Option<String>,
    /// `--cpuset-mems`.
    pub(crate) cpuset_mems: Option<String>,
    /// `--blkio-weight`.
    pub(crate) blkio_weight: Option<u16>,
    /// `--blkio-weight-device`: `DEVICE:WEIGHT`.
    pub(crate) blkio_weight_devices: Vec<String>,
    /// `--device-read-bps`: `DEVICE:RATE`.
    pub(crate) device_read_bps: Vec<String>,
    /// `--device-write-bps`.
    pub(crate) device_write_bps: Vec<String>,
    /// `--device-read-iops`.
    pub(crate) device_read_iops: Vec<String>,
    /// `--device-write-iops`.
    pub(crate) device_write_iops: Vec<String>,
    /// `--pids-limit`; 0 and -1 are no limit.
    pub(crate) pids_limit: Option<i64>,
}

/// A file that an option named, read by the front end: `resolve` opens nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TextFile {
    /// The path, as typed, for errors.
    pub(crate) path: String,
    /// The content.
    pub(crate) text: String,
}

/// One requested mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct MountRequest {
    /// What is mounted.
    pub(crate) kind: MountRequestKind,
    /// For a bind mount the path on the host, which may be relative to the caller's directory, or the pattern of such
    /// paths; for a volume or an image its name, absent if the volume is anonymous; absent for a tmpfs.
    #[serde(default)]
    pub(crate) source: Option<String>,
    /// The absolute path in the container. For a pattern the directory of all, or empty: each where the host has it.
    pub(crate) destination: String,
    /// The options of `--volume`, or of `--tmpfs`.
    #[serde(default)]
    pub(crate) options: Vec<String>,
}

/// What is mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MountRequestKind {
    /// A file or directory of the host.
    Bind,
    /// A volume.
    Volume,
    /// A tmpfs.
    Tmpfs,
    /// A ramfs.
    Ramfs,
    /// Terminals.
    Devpts,
    /// The files of an image.
    Image,
    /// Each file or directory of the host that a pattern matches.
    Glob,
}

impl MountRequestKind {
    /// The word of `--mount type=`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Volume => "volume",
            Self::Tmpfs => "tmpfs",
            Self::Ramfs => "ramfs",
            Self::Devpts => "devpts",
            Self::Image => "image",
            Self::Glob => "glob",
        }
    }
}

/// Ports to publish: one, or a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PortRequest {
    /// The address of the host; absent: the one in the settings.
    #[serde(default)]
    pub(crate) host_ip: Option<IpAddr>,
    /// The first port of the host; absent: any that is free, for each.
    #[serde(default)]
    pub(crate) host_port: Option<u16>,
    /// For one port of the container: the last port of the host among which a free one is taken.
    #[serde(default)]
    pub(crate) host_last: Option<u16>,
    /// The first port of the container.
    pub(crate) container_port: u16,
    /// How many ports.
    #[serde(default = "one")]
    pub(crate) count: u16,
    /// TCP by default.
    #[serde(default = "tcp")]
    pub(crate) protocol: Protocol,
}

fn one() -> u16 {
    1
}

fn tcp() -> Protocol {
    Protocol::Tcp
}

/// `--log-driver` and `--log-opt`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct LogRequest {
    /// `--log-driver`.
    pub(crate) driver: Option<String>,
    /// `--log-opt`: `NAME=value`.
    pub(crate) options: Vec<String>,
}

/// How the registry of an image is reached. Nothing of it is kept with the container.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct RegistryRequest {
    /// `--authfile`.
    pub(crate) authfile: Option<PathBuf>,
    /// `--cert-dir`.
    pub(crate) cert_dir: Option<PathBuf>,
    /// `--creds`: `USER:PASSWORD`.
    pub(crate) credentials: Option<String>,
    /// `--retry`.
    pub(crate) retries: Option<u32>,
    /// `--retry-delay`, milliseconds.
    pub(crate) retry_delay_ms: Option<u64>,
}

impl fmt::Debug for RegistryRequest {
    /// Omits the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { authfile, cert_dir, credentials: _, retries, retry_delay_ms } = self;
        f.debug_struct("RegistryRequest")
            .field("authfile", authfile)
            .field("cert_dir", cert_dir)
            .field("retries", retries)
            .field("retry_delay_ms", retry_delay_ms)
            .finish_non_exhaustive()
    }
}

/// The options for a service manager.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct ServiceRequest {
    /// `--sdnotify`.
    pub(crate) sdnotify: Option<String>,
    /// `--pidfile`.
    pub(crate) pidfile: Option<PathBuf>,
    /// `--conmon-pidfile`.
    pub(crate) conmon_pidfile: Option<PathBuf>,
}

/// When an image is fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PullPolicy {
    /// Always; the local image serves if the registry has the same.
    Always,
    /// If there is no local image.
    #[default]
    Missing,
    /// Never.
    Never,
    /// If the registry has another one; a registry that does not answer is no error when there is a local image.
    Newer,
}
