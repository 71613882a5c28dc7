//! `rc stop`.

use super::Ctx;
use super::args::SelectionArgs;
use super::observer::Screen;
use crate::engine::{self, Selection, Stop};
use crate::error::{Error, Exit};
use crate::types::Signal;

/// Stop one or more containers
///
/// Sends the stop signal, and SIGKILL after the timeout.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Act only on containers that match: KEY=VALUE
    #[arg(short, long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Act on the latest created container
    #[arg(short, long)]
    latest: bool,
    /// Signal to send (default: the container's own)
    #[arg(short, long, value_name = "SIGNAL")]
    signal: Option<Signal>,
    /// Seconds to wait before SIGKILL (default: the container's own); 0 kills at once
    #[arg(short, long, value_name = "SECONDS", visible_alias = "timeout")]
    time: Option<u32>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let mut screen = Screen::default();
    let selection = Selection { filters: args.filters, latest: args.latest, ..args.selection.into() };
    let how = Stop { signal: args.signal, timeout: args.time };
    engine::stop(&ctx.engine, &selection, &how, &mut screen)?;
    screen.exit()
}
