//! `rc pod exists`.

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};

/// Check if a pod exists: the exit code is 0 if it does, 1 if not
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The pod's name or ID
    #[arg(value_name = "POD")]
    name: String,
}

/// Runs the command. It prints nothing.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let exists = engine::pod_exists(&ctx.engine, &args.name)?;
    Ok(if exists { Exit::SUCCESS } else { Exit(1) })
}
