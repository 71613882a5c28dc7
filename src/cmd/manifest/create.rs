//! `rc manifest create`.

use super::{adding, annotations, show};
use crate::cmd::Ctx;
use crate::cmd::args::RegistryArgs;
use crate::engine::{self, Marks};
use crate::error::{Error, Exit};

/// Create a list of images for several platforms
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    registry: RegistryArgs,
    /// Add all images of a list that is named, not only that for this host
    #[arg(long)]
    all: bool,
    /// Add to a list that exists
    #[arg(short, long)]
    amend: bool,
    /// Set an annotation of the list: NAME=VALUE
    #[arg(long, value_name = "NAME=VALUE")]
    annotation: Vec<String>,
    /// As --tls-verify=false
    #[arg(long)]
    insecure: bool,
    /// The list's name
    #[arg(value_name = "LIST")]
    list: String,
    /// Images to add: of the store, else of a registry
    #[arg(value_name = "IMAGE")]
    images: Vec<String>,
}

/// Runs the command.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let mut how = adding(&args.registry, None, args.all, Marks::default())?;
    if args.insecure {
        how.connection.tls_verify = Some(false);
    }
    let annotations = annotations(&args.annotation)?;
    let id = engine::create_list(&ctx.engine, &args.list, &args.images, args.amend, &how, &annotations)?;
    engine::sweep_soon(&ctx.engine);
    show(&id)
}
