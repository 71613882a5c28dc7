//! `rc unpause`.

use super::Ctx;
use super::args::PauseArgs;
use super::observer::Screen;
use crate::engine;
use crate::error::{Error, Exit};

/// Unpause the processes in one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: PauseArgs,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let mut screen = Screen::default();
    engine::unpause(&ctx.engine, &args.selection.into(), &mut screen)?;
    screen.exit()
}
