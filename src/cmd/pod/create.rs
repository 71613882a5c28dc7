//! `rc pod create`.

use std::path::PathBuf;

use crate::cmd::Ctx;
use crate::cmd::args::{NetworkArgs, PodOptionArgs};
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
    network: NetworkArgs,
    #[command(flatten)]
    options: PodOptionArgs,
    /// Write the pod ID to the file
    #[arg(long, value_name = "FILE")]
    pod_id_file: Option<PathBuf>,
    /// If a pod with the same name exists, replace it
    #[arg(long)]
    replace: bool,
    /// Namespaces that containers share: cgroup, ipc, net, pid, uts, or none; +LIST adds (default: ipc,net,uts)
    #[arg(long, value_name = "LIST")]
    share: Option<String>,
    /// The cgroups of containers are in that of the pod, with its limits (default: true)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    share_parent: Option<bool>,
    /// The pod's name
    #[arg(value_name = "NAME", conflicts_with = "name")]
    typed_name: Option<String>,
}

/// Runs the command: prints the ID.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let request = args.options.into_request(ctx.typed.clone())?;
    let mut container = Request {
        name: request.container.name.or(args.typed_name),
        replace: args.replace,
        cidfile: args.pod_id_file,
        ..request.container
    };
    args.network.fill(&mut container)?;
    let (share, share_parent) = (args.share, args.share_parent);
    let (infra, exit_policy) = (args.infra, args.exit_policy);
    let request = PodRequest { share, share_parent, infra, exit_policy, container, ..request };
    let id = engine::create_pod(&ctx.engine, ctx.caller()?, &request)?;
    let mut out = ui::out();
    out.line(id)?;
    out.finish()?;
    Ok(Exit::SUCCESS)
}
