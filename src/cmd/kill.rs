//! `rc kill`.

use super::Ctx;
use super::args::{LatestArgs, SelectionArgs};
use super::observer::Screen;
use crate::engine::{self, Selection};
use crate::error::{Error, Exit};
use crate::types::Signal;

/// Kill one or more running containers with a signal
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    latest: LatestArgs,
    #[command(flatten)]
    selection: SelectionArgs,
    /// Signal to send
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL")]
    signal: Signal,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let mut screen = Screen::default();
    let selection = Selection { latest: args.latest.latest, ..args.selection.into() };
    engine::kill(&ctx.engine, &selection, args.signal, &mut screen)?;
    screen.exit()
}
