//! `rc manifest add`.

use super::{MarkArgs, adding, show};
use crate::cmd::Ctx;
use crate::cmd::args::{RegistryArgs, Secret};
use crate::engine;
use crate::error::{Error, Exit};

/// Add an image to a list of images
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Add all images of a list that is named, not only that for this host
    #[arg(long)]
    all: bool,
    /// Credentials to use for accessing the registry: USER:PASSWORD
    #[arg(long, value_name = "CREDENTIALS")]
    creds: Option<Secret>,
    #[command(flatten)]
    marks: MarkArgs,
    /// The list's name or ID
    #[arg(value_name = "LIST")]
    list: String,
    /// The image: of the store, else of a registry; with docker:// before it, of a registry
    #[arg(value_name = "IMAGE")]
    image: String,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let how = adding(&args.registry, args.creds.as_ref(), args.all, args.marks.marks()?)?;
    let id = engine::add_to_list(&ctx.engine, &args.list, &args.image, &how)?;
    engine::sweep_soon(&ctx.engine);
    show(&id)
}
