//! `rc pod unpause`.

use super::act;
use crate::cmd::Ctx;
use crate::cmd::args::PodNameArgs;
use crate::engine;
use crate::error::{Error, Exit};

/// Unpause the processes in one or more pods
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pods: PodNameArgs,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    act(ctx, args.pods, engine::unpause_pods)
}
