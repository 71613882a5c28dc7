//! `rc buildx stop`.

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};

/// Stop the builder: nothing of it runs between builds
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its names
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// Runs the command: the names must be the builder's.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    for name in &args.names {
        engine::builder(&ctx.engine, Some(name))?;
    }
    Ok(Exit::SUCCESS)
}
