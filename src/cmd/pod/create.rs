//! `rc pod create`.

use std::path::PathBuf;

use crate::cmd::Ctx;
use crate::cmd::args::{LabelArgs, LimitArgs, PodNetworkArgs};
use crate::engine;
use crate::error::{Error, Exit};
use crate::plan::{MountRequest, PodRequest, Request};
use crate::ui;

/// Create a pod, to which containers are added with --pod
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Slice or cgroup in which the cgroup of the pod is made
    #[arg(long, value_name = "PATH")]
    cgroup_parent: Option<String>,
    /// Add a host device to all containers: HOST[:CONTAINER]
    #[arg(long, value_name = "DEVICE")]
    device: Vec<String>,
    /// What the pod does when its last container exits: continue or stop (default: continue)
    #[arg(long, value_name = "POLICY")]
    exit_policy: Option<String>,
    /// A process keeps the namespaces of the pod while no container runs (default: true, unless nothing is shared)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    infra: Option<bool>,
    /// GID map of the pod: CONTAINER:FROM[:AMOUNT]
    #[arg(long, value_name = "MAP")]
    gidmap: Vec<String>,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    limits: LimitArgs,
    /// Assign a name to the pod
    #[arg(short, long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    network: PodNetworkArgs,
    /// PID namespace of the pod, if it is shared: private, host or ns:PATH
    #[arg(long, value_name = "MODE")]
    pid: Option<String>,
    /// Write the pod ID to the file
    #[arg(long, value_name = "FILE")]
    pod_id_file: Option<PathBuf>,
    /// If a pod with the same name exists, replace it
    #[arg(long)]
    replace: bool,
    /// Restart policy of containers that have none: no, always, on-failure[:RETRIES] or unless-stopped
    #[arg(long, value_name = "POLICY")]
    restart: Option<String>,
    /// Namespaces that containers share: cgroup, ipc, net, pid, uts, or none; +LIST adds (default: ipc,net,uts)
    #[arg(long, value_name = "LIST")]
    share: Option<String>,
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
    /// The pod's name
    #[arg(value_name = "NAME", conflicts_with = "name")]
    typed_name: Option<String>,
}

/// Runs the command: prints the ID.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let mut container = Request {
        name: args.name.or(args.typed_name),
        replace: args.replace,
        cidfile: args.pod_id_file,
        create_command: ctx.typed.clone(),
        cgroup_parent: args.cgroup_parent,
        devices: args.device,
        gidmap: args.gidmap,
        limits: args.limits.into_request(),
        mounts: args.volume.iter().map(|text| MountRequest::from_volume(text)).collect::<Result<_, _>>()?,
        subgidname: args.subgidname,
        subuidname: args.subuidname,
        uidmap: args.uidmap,
        uts: args.uts,
        pid: args.pid,
        restart: args.restart,
        shm_size: args.shm_size,
        sysctls: args.sysctl,
        userns: args.userns,
        ..Request::default()
    };
    args.labels.fill(&mut container)?;
    args.network.fill(&mut container)?;
    let request = PodRequest { share: args.share, infra: args.infra, exit_policy: args.exit_policy, container };
    let id = engine::create_pod(&ctx.engine, ctx.caller()?, &request)?;
    let mut out = ui::out();
    out.line(id)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
