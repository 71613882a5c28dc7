//! `rc volume reload`.

use crate::cmd::Ctx;
use crate::error::{Error, Exit};
use crate::ui;

/// Reload all volumes from volume plugins (there is nothing to do: rc has none)
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the command.
pub(crate) fn run(_: &Ctx, _: &Args) -> Result<Exit, Error> {
    ui::note("nothing to do: rc has no volume plugins, and its volumes are the directories themselves");
    Ok(Exit::SUCCESS)
}
