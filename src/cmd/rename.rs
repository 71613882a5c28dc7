//! `rc rename`.

use super::Ctx;
use crate::engine;
use crate::error::{Error, Exit};

/// Rename a container
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Its name, ID or unique prefix of an ID
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// The new name
    #[arg(value_name = "NAME")]
    name: String,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    engine::rename(&ctx.engine, &args.container, &args.name)?;
    Ok(Exit::SUCCESS)
}
