//! `rc init`.

use super::Ctx;
use super::args::LatestArgs;
use super::observer::Screen;
use crate::engine::{self, Selection};
use crate::error::{Error, Exit};

/// Prepare containers for their start, without running their programs
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Initialize all containers for which that was not done, and that do not run
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    latest: LatestArgs,
    /// Names, IDs or unique prefixes of IDs
    #[arg(value_name = "CONTAINER")]
    containers: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let (all, latest, names) = (args.all, args.latest.latest, args.containers);
    let mut screen = Screen::default();
    engine::init(&ctx.engine, &Selection { all, latest, names, ..Selection::default() }, &mut screen)?;
    engine::sweep_soon(&ctx.engine);
    screen.exit()
}
