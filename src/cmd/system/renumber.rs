//! `rc system renumber`.

use crate::cmd::Ctx;
use crate::error::{Error, Exit};
use crate::ui;

/// Migrate lock numbers, which rc does not have
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the command.
#[expect(clippy::unnecessary_wraps, reason = "a command")]
pub(crate) fn run(_ctx: &Ctx, _args: &Args) -> Result<Exit, Error> {
    ui::note("nothing to do: each lock is a file, and ends with the process that holds it");
    Ok(Exit::SUCCESS)
}
