//! `rc system migrate`.

use crate::cmd::Ctx;
use crate::error::{Error, Exit};
use crate::ui;

/// Migrate containers to this version, for which there is nothing to do
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the command.
#[expect(clippy::unnecessary_wraps, reason = "a command")]
pub(crate) fn run(_ctx: &Ctx, _args: &Args) -> Result<Exit, Error> {
    ui::note("nothing to do: rc reads the containers of all earlier versions as they are");
    Ok(Exit::SUCCESS)
}
