//! `rc manifest remove`.

use super::show;
use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};

/// Remove an image from a list of images
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The list's name or ID
    #[arg(value_name = "LIST")]
    list: String,
    /// The image: the digest of its manifest, or its name or ID in the store
    #[arg(value_name = "IMAGE")]
    image: String,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let id = engine::remove_from_list(&ctx.engine, &args.list, &args.image)?;
    engine::sweep_soon(&ctx.engine);
    show(&id)
}
