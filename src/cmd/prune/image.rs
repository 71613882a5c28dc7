//! `rc image prune`.

use crate::cmd::Ctx;
use crate::cmd::args::PruneArgs;
use crate::engine::{Prune, PrunedCache, PrunedImages};
use crate::error::{Error, Exit};

/// Remove images that nothing uses
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove all images without a container, not only those without a name
    #[arg(short, long)]
    all: bool,
    /// Remove the cache of builds as well: what is in no image
    #[arg(long)]
    build_cache: bool,
    /// Remove what other programs use as well (accepted for compatibility: rc's store is its own)
    #[arg(long)]
    external: bool,
    #[command(flatten)]
    shared: PruneArgs,
}

/// Runs the command: it prints the IDs of the images that it has removed.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let (images, which) = if args.all {
        (PrunedImages::Unused, "images without at least one container associated with them")
    } else {
        (PrunedImages::Dangling, "dangling images")
    };
    let cache = args.build_cache.then_some(PrunedCache::Unused);
    let request = Prune { images: Some(images), cache, filters: args.shared.filters, ..Prune::default() };
    let cache = if args.build_cache { ", and all build cache that is in no image" } else { "" };
    let warning = [format!("WARNING! This command removes all {which}{cache}.")];
    super::run(ctx, &request, (!args.shared.force).then_some(&warning), super::ids)
}
