//! Options for every RUN of a build.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use crate::cmd::args::{LimitArgs, read_all};
use crate::error::Error;
use crate::plan::{self, MountRequest, Request};
use crate::sys::fs::AtPath as _;

/// What every step gets.
#[derive(Debug, Default, clap::Args)]
pub(super) struct StepArgs {
    /// Add Linux capabilities to every step
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',')]
    cap_add: Vec<String>,
    /// Drop Linux capabilities of every step
    #[arg(long, value_name = "CAPABILITY", value_delimiter = ',')]
    cap_drop: Vec<String>,
    /// Set the cgroup namespace of every step: private, host or the path of one
    #[arg(long, value_name = "NAMESPACE")]
    cgroupns: Option<String>,
    /// Run every step in a cgroup below this one
    #[arg(long, value_name = "PATH")]
    cgroup_parent: Option<String>,
    /// Give every step a device of the host: HOST[:CONTAINER][:PERMISSIONS], or a CDI name
    #[arg(long = "device", value_name = "DEVICE")]
    devices: Vec<String>,
    /// Set name servers of every step
    #[arg(long, value_name = "ADDRESS")]
    dns: Vec<String>,
    /// Set options of resolv.conf of every step
    #[arg(long = "dns-option", value_name = "OPTION", visible_alias = "dns-opt")]
    dns_options: Vec<String>,
    /// Set search domains of every step
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    /// Add groups to the program of every step, by name or number
    #[arg(long = "group-add", value_name = "GROUP")]
    groups: Vec<String>,
    /// Give every step the proxies of the environment (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    http_proxy: Option<bool>,
    /// Set the IPC namespace of every step: private, host or the path of one
    #[arg(long, value_name = "NAMESPACE")]
    ipc: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
    /// Let every step have the image's /etc/hostname
    #[arg(long)]
    no_hostname: bool,
    /// Let every step have the image's /etc/hosts
    #[arg(long)]
    no_hosts: bool,
    /// Set the PID namespace of every step: private, host or the path of one
    #[arg(long, value_name = "NAMESPACE")]
    pid: Option<String>,
    /// Security options of every step, as of `rc run`
    #[arg(long = "security-opt", value_name = "OPTION")]
    security_opts: Vec<String>,
    /// Set the size of /dev/shm in every step (format: NUMBER[UNIT], where UNIT = b, k, m or g)
    #[arg(long, value_name = "SIZE")]
    shm_size: Option<String>,
    /// Let steps read standard input, one after the other
    #[arg(long)]
    pub(super) stdin: bool,
    /// Set ulimits of every step: NAME=SOFT[:HARD]
    #[arg(long = "ulimit", value_name = "LIMIT")]
    ulimits: Vec<String>,
    /// Set the UTS namespace of every step: private, host or the path of one
    #[arg(long, value_name = "NAMESPACE")]
    uts: Option<String>,
    /// Bind mount into every step: SOURCE:DIR[:OPTIONS]
    #[arg(short = 'v', long = "volume", value_name = "VOLUME")]
    volumes: Vec<String>,
}

impl StepArgs {
    /// Whether steps get the proxies of the environment; `usual` is what the settings say.
    pub(super) fn passes_proxies(&self, usual: bool) -> bool {
        self.http_proxy.unwrap_or(usual)
    }

    /// What steps read, if that was asked for.
    pub(super) fn input(&self) -> Result<Option<File>, Error> {
        let copy = || std::io::stdin().as_fd().try_clone_to_owned().at("duplicate", "standard input");
        Ok(self.stdin.then(copy).transpose()?.map(File::from))
    }

    /// What is asked for every step. Fails if a volume is not in the grammar of `--volume`.
    pub(super) fn request(self) -> Result<Request, Error> {
        let volumes = self.volumes.iter().map(|text| MountRequest::from_volume(text));
        let mounts: Vec<MountRequest> = volumes.collect::<Result<_, plan::Error>>()?;
        if let Some(mount) = mounts.iter().find(|mount| !mount.source.as_ref().is_some_and(|it| it.contains('/'))) {
            let error =
                Error::new(format!("`--volume` of a build needs a directory of the host: `{}`", mount.destination));
            return Err(error.with_hint("for what outlives a build: RUN --mount=type=cache"));
        }
        let profiles = self.security_opts.iter().filter_map(|option| plan::seccomp_file(option)).map(PathBuf::from);
        Ok(Request {
            seccomp_profiles: read_all(&profiles.collect::<Vec<_>>())?,
            security_opts: self.security_opts,
            cgroup_parent: self.cgroup_parent,
            cgroupns: namespace("--cgroupns", self.cgroupns)?,
            ipc: namespace("--ipc", self.ipc)?,
            pid: namespace("--pid", self.pid)?,
            uts: namespace("--uts", self.uts)?,
            devices: self.devices,
            groups: self.groups,
            no_hostname: self.no_hostname,
            no_hosts: self.no_hosts,
            cap_add: self.cap_add,
            cap_drop: self.cap_drop,
            dns: self.dns,
            dns_options: self.dns_options,
            dns_search: self.dns_search,
            limits: self.limits.into_request(),
            shm_size: self.shm_size,
            ulimits: self.ulimits,
            mounts,
            ..Request::default()
        })
    }
}

/// A namespace in the words of `rc run`; `None` is one of the step's own. Source: podman-build(1), `--ipc`.
fn namespace(option: &str, typed: Option<String>) -> Result<Option<String>, Error> {
    match typed.as_deref() {
        None | Some("" | "container" | "private") => Ok(None),
        Some("host") => Ok(typed),
        Some(path) if path.starts_with('/') => Ok(Some(format!("ns:{path}"))),
        Some(other) => {
            let other = other.escape_debug();
            Err(Error::new(format!("`{option} {other}`: must be private, host or the path of a namespace")))
        }
    }
}
