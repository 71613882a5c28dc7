//! `rc manifest annotate`.

use super::{MarkArgs, show};
use crate::cmd::Ctx;
use crate::engine;
use crate::error::{Error, Exit};

/// Change what a list of images says about an image
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    marks: MarkArgs,
    /// The list's name or ID
    #[arg(value_name = "LIST")]
    list: String,
    /// The image: the digest of its manifest, or its name or ID in the store
    #[arg(value_name = "IMAGE")]
    image: String,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let id = engine::annotate_list(&ctx.engine, &args.list, &args.image, &args.marks.marks()?)?;
    engine::sweep_soon(&ctx.engine);
    show(&id)
}
