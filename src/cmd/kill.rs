//! `rc kill`.

use super::Ctx;
use super::containers::{Selection, each};
use crate::container;
use crate::error::{Error, Exit};
use crate::types::Signal;

/// Kill one or more running containers with a signal
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Signal to send
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL")]
    signal: Signal,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let store = ctx.engine.store_to_read()?;
    each(&store, &args.selection, |container| {
        if args.selection.all && !container.is_running() {
            return Ok(false);
        }
        container::signal(container, args.signal)?;
        Ok(true)
    })
}
