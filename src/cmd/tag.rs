//! `rc tag`.

use super::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::types::ImageReference;

/// Add an additional name to a local image
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image's name or ID
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,
    /// The names to add
    #[arg(required = true, value_name = "TARGET_NAME")]
    pub(crate) names: Vec<String>,
}

/// Runs the command: the image gets all the names, or none if one cannot be added.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let names = args.names.iter().map(|name| name.parse()).collect::<Result<Vec<ImageReference>, _>>()?;
    engine::tag(&ctx.engine, &args.image, &names)?;
    Ok(Exit::SUCCESS)
}
