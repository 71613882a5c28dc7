//! `rc untag`.

use super::Ctx;
use crate::engine;
use crate::error::{Error, Exit};

/// Remove one or more names from a local image
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The image's name or ID
    #[arg(value_name = "IMAGE")]
    pub(crate) image: String,
    /// The names to remove (default: all names of the image)
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
}

/// Runs the command: the image stays, even without a name.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    engine::untag(&ctx.engine, &args.image, &args.names)?;
    Ok(Exit::SUCCESS)
}
