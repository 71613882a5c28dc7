//! `rc pod rm`.

use super::act;
use crate::cmd::Ctx;
use crate::cmd::args::{PodNameArgs, stop_timeout};
use crate::container::Removal;
use crate::engine::{self, PodSelection};
use crate::error::{Error, Exit};

/// Remove one or more pods with their containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pods: PodNameArgs,
    /// Stop running containers first, and ignore missing pods
    #[arg(short, long)]
    force: bool,
    /// Ignore missing pods
    #[arg(short, long)]
    ignore: bool,
    /// With --force, seconds between the stop signal and SIGKILL (default: 10; -1: no SIGKILL)
    #[arg(short, long, value_name = "SECONDS", value_parser = stop_timeout, allow_negative_numbers = true)]
    time: Option<u32>,
}

/// Runs the command: prints the IDs of the pods that are removed.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    if args.time.is_some() && !args.force {
        return Err(Error::new("--time needs --force"));
    }
    let pods = PodSelection { ignore: args.ignore || args.force, ..args.pods.into() };
    let how = Removal { force: args.force, timeout: args.time.or(Some(10)), volumes: true };
    act(ctx, pods, |context, pods, observer| engine::remove_pods(context, pods, &how, observer))
}
