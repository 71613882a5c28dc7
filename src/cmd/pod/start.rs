//! `rc pod start`.

use super::act;
use crate::cmd::Ctx;
use crate::cmd::args::PodNameArgs;
use crate::engine;
use crate::error::{Error, Exit};

/// Start one or more pods with their containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pods: PodNameArgs,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let done = act(ctx, args.pods, engine::start_pods);
    engine::sweep_soon(&ctx.engine);
    done
}
