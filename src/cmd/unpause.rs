//! `rc unpause`.

use super::Ctx;
use super::containers::each;
use super::pause::Chosen;
use crate::container;
use crate::error::{Error, Exit};
use crate::monitor::Status;

/// Unpause the processes in one or more containers
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    chosen: Chosen,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let selection = args.chosen.selection();
    each(&ctx.engine.store_to_read()?, &selection, |container| {
        if selection.is_of_many() && container.status != Status::Paused {
            return Ok(false);
        }
        container::unpause(container)?;
        Ok(true)
    })
}
