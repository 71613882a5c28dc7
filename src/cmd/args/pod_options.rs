use std::path::PathBuf;

use super::process::read_all;
use super::{LabelArgs, LimitArgs};
use crate::plan::{self, MountRequest, PodRequest, Request, ServiceRequest};
use crate::types::Report;

/// The options of a pod, and of a copy of one.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct PodOptionArgs {
    /// Slice or cgroup in which the cgroup of the pod is made
    #[arg(long, value_name = "PATH")]
    cgroup_parent: Option<String>,
    /// Add a host device to all containers: HOST[:CONTAINER]
    #[arg(long, value_name = "DEVICE")]
    device: Vec<String>,
    /// GID map of the pod: CONTAINER:FROM[:AMOUNT]
    #[arg(long, value_name = "MAP")]
    gidmap: Vec<String>,
    /// GPUs of all containers: all, or names or numbers with commas
    #[arg(long, value_name = "GPUS")]
    gpus: Option<String>,
    /// Write the process ID of the pod's monitor to the file
    #[arg(long, value_name = "FILE")]
    infra_conmon_pidfile: Option<PathBuf>,
    /// Another name of the pod in its networks and in /etc/hosts
    #[arg(long, value_name = "NAME")]
    infra_name: Option<String>,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    limits: LimitArgs,
    /// Assign a name to the pod
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    /// PID namespace of the pod, if it is shared: private, host or ns:PATH
    #[arg(long, value_name = "MODE")]
    pid: Option<String>,
    /// Restart policy of containers that have none: no, always, on-failure[:RETRIES] or unless-stopped
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    /// Security options of all containers: no-new-privileges[=BOOL], seccomp=..., mask=..., and the others of run
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
    /// Size of /dev/shm
    #[arg(long, value_name = "SIZE")]
    shm_size: Option<String>,
    /// Name of range listed in /etc/subgid for the pod
    #[arg(long, value_name = "NAME")]
    subgidname: Option<String>,
    /// Name of range listed in /etc/subuid for the pod
    #[arg(long, value_name = "NAME")]
    subuidname: Option<String>,
    /// Set a kernel parameter
    #[arg(long, value_name = "NAME=VALUE")]
    sysctl: Vec<String>,
    /// UID map of the pod: CONTAINER:FROM[:AMOUNT]
    #[arg(long, value_name = "MAP")]
    uidmap: Vec<String>,
    /// User namespace of the pod: host, keep-id[:OPTIONS], nomap, auto[:OPTIONS] or private
    #[arg(long, value_name = "MODE")]
    userns: Option<String>,
    /// UTS namespace of the pod: private, host or ns:PATH
    #[arg(long, value_name = "MODE")]
    uts: Option<String>,
    /// Mount a volume or a path of the host into all containers: SOURCE:DESTINATION[:OPTIONS]
    #[arg(short, long, value_name = "VOLUME")]
    volume: Vec<String>,
    /// Mount the volumes of a container into all containers: CONTAINER[:OPTIONS]
    #[arg(long, value_name = "CONTAINER")]
    volumes_from: Vec<String>,
}

impl PodOptionArgs {
    /// The request, which the command may complete. Fails if a file cannot be read, or a volume is not in its grammar.
    pub(crate) fn into_request(self, create_command: Vec<String>) -> Result<PodRequest, Report> {
        let profiles = self.security_opt.iter().filter_map(|option| plan::seccomp_file(option)).map(PathBuf::from);
        let mut container = Request {
            create_command,
            name: self.name,
            cgroup_parent: self.cgroup_parent,
            devices: self.device,
            gidmap: self.gidmap,
            gpus: self.gpus,
            limits: self.limits.into_request(),
            mounts: self.volume.iter().map(|text| MountRequest::from_volume(text)).collect::<Result<_, _>>()?,
            pid: self.pid,
            restart: self.restart,
            seccomp_profiles: read_all(&profiles.collect::<Vec<_>>())?,
            security_opts: self.security_opt,
            service: ServiceRequest { conmon_pidfile: self.infra_conmon_pidfile, ..ServiceRequest::default() },
            shm_size: self.shm_size,
            subgidname: self.subgidname,
            subuidname: self.subuidname,
            sysctls: self.sysctl,
            uidmap: self.uidmap,
            userns: self.userns,
            uts: self.uts,
            volumes_from: self.volumes_from,
            ..Request::default()
        };
        self.labels.fill(&mut container)?;
        Ok(PodRequest { infra_name: self.infra_name, container, ..PodRequest::default() })
    }
}
