//! `rc restart`.

use super::Ctx;
use super::args::{FilterArgs, NameArgs, StopArgs};
use super::observer::Screen;
use super::outcome::exit_of;
use crate::console::Console;
use crate::engine::{self, Selection};
use crate::error::{Error, Exit};

/// Restart one or more containers
///
/// Stops and starts running containers, and starts the others.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Restart all containers, running or not
    #[arg(short, long)]
    all: bool,
    /// Restart only running containers
    #[arg(long)]
    running: bool,
    #[command(flatten)]
    names: NameArgs,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    stop: StopArgs,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let mut selection = Selection { all: args.all, ..args.filter.narrow(args.names.into()) };
    // `--running` alone is for all running containers.
    selection.all |= args.running && !selection.is_of_named();
    let how = args.stop.into();
    let mut screen = Screen::default();
    let front_end = Console::Apart.front_end(false);
    let restarted =
        engine::restart(&ctx.engine, ctx.manager.take(), &selection, args.running, &how, front_end, &mut screen);
    engine::sweep_soon(&ctx.engine);
    let started = restarted?;
    screen.exit()?;
    // As the main process of a unit, this command exits with the program's code.
    exit_of(Console::Apart.follow(started)?)
}
