//! `rc pod restart`.

use crate::cmd::Ctx;
use crate::cmd::args::PodNameArgs;
use crate::cmd::observer::Screen;
use crate::engine;
use crate::error::{Error, Exit};

/// Restart one or more pods with their containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pods: PodNameArgs,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let mut screen = Screen::default();
    let restarted = engine::restart_pods(&ctx.engine, &args.pods.into(), &mut screen);
    engine::sweep_soon(&ctx.engine);
    restarted?;
    screen.exit()
}
