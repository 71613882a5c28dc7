//! `rc untag`.

use super::Ctx;
use crate::engine;
use crate::error::{Error, Exit};
use crate::image;
use crate::image::local::{self, find};

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

/// Runs the command: the image stays, without a name if it loses its last.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let store = ctx.engine.store()?;
    let image = find(store, &args.image)?;
    if args.names.is_empty() {
        image.names.iter().try_for_each(|name| local::untag(store, &name.to_string()).map(drop))?;
    }
    for name in &args.names {
        if find(store, name)?.id != image.id {
            return Err(image::Error::NotFound { name: name.clone() }.into());
        }
        local::untag(store, name)?;
    }
    engine::sweep_soon(&ctx.engine);
    Ok(Exit::SUCCESS)
}
