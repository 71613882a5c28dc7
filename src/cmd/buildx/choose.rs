//! `rc buildx use`.

use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};

/// Make a name of the builder the one in use
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also in other contexts (accepted for compatibility: there is one)
    #[arg(long)]
    default: bool,
    /// Also in other contexts (accepted for compatibility: there is one)
    #[arg(long)]
    global: bool,
    /// The name
    #[arg(value_name = "NAME")]
    name: String,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    engine::use_builder(&ctx.engine, &args.name)?;
    Ok(Exit::SUCCESS)
}
