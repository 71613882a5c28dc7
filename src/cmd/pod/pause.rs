//! `rc pod pause`.

use super::act;
use crate::cmd::Ctx;
use crate::cmd::args::PodNameArgs;
use crate::engine;
use crate::error::{Error, Exit};

/// Pause all the processes in one or more pods
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pods: PodNameArgs,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    act(ctx, args.pods, engine::pause_pods)
}
