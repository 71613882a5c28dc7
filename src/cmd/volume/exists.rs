//! `rc volume exists`.

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};

/// Check if a volume exists: the exit code is 0 if it does, 1 if not
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The volume's name
    #[arg(value_name = "VOLUME")]
    name: String,
}

/// Runs the command. It prints nothing.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let exists = engine::volume_exists(&ctx.engine, &args.name)?;
    Ok(if exists { Exit::SUCCESS } else { Exit(1) })
}
