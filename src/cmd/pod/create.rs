//! `rc pod create`.

use std::path::PathBuf;

use crate::cmd::Ctx;
use crate::cmd::args::{LabelArgs, PodNetworkArgs};
use crate::engine;
use crate::error::{Error, Exit};
use crate::plan::{PodRequest, Request};
use crate::ui;

/// Create a pod, to which containers are added with --pod
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the pod does when its last container exits: continue or stop (default: continue)
    #[arg(long, value_name = "POLICY")]
    exit_policy: Option<String>,
    /// A process keeps the namespaces of the pod while no container runs (default: true, unless nothing is shared)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    infra: Option<bool>,
    #[command(flatten)]
    labels: LabelArgs,
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
    /// Kernel namespaces that containers share: a list of cgroup, ipc, net, pid and uts, or none; +LIST adds to the
    /// default (default: ipc,net,uts)
    #[arg(long, value_name = "LIST")]
    share: Option<String>,
    /// Size of /dev/shm
    #[arg(long, value_name = "SIZE")]
    shm_size: Option<String>,
    /// Set a kernel parameter
    #[arg(long, value_name = "NAME=VALUE")]
    sysctl: Vec<String>,
    /// User namespace of the pod: host, keep-id[:OPTIONS], nomap, auto[:OPTIONS] or private
    #[arg(long, value_name = "MODE")]
    userns: Option<String>,
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
