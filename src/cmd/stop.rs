//! `rc stop`.

use super::Ctx;
use super::args::{FilterArgs, SelectionArgs, StopArgs};
use super::observer::Screen;
use crate::engine;
use crate::error::{Error, Exit};

/// Stop one or more containers
///
/// Sends the stop signal, and SIGKILL after the timeout.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: SelectionArgs,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    stop: StopArgs,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let mut screen = Screen::default();
    let selection = args.filter.narrow(args.selection.into());
    engine::stop(&ctx.engine, &selection, &args.stop.into(), &mut screen)?;
    screen.exit()
}
