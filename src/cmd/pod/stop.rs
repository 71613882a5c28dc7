//! `rc pod stop`.

use super::act;
use crate::cmd::Ctx;
use crate::cmd::args::{PodNameArgs, stop_timeout};
use crate::engine::{self, PodSelection, Stop};
use crate::error::{Error, Exit};

/// Stop one or more pods with their containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pods: PodNameArgs,
    /// Ignore missing pods
    #[arg(short, long)]
    ignore: bool,
    /// Seconds to wait before SIGKILL (default: each container's own); 0 kills at once, -1 never
    #[arg(short, long, visible_alias = "timeout")]
    #[arg(value_name = "SECONDS", value_parser = stop_timeout, allow_negative_numbers = true)]
    time: Option<u32>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let pods = PodSelection { ignore: args.ignore, ..args.pods.into() };
    let how = Stop { signal: None, timeout: args.time };
    act(ctx, pods, |context, pods, observer| engine::stop_pods(context, pods, &how, observer))
}
