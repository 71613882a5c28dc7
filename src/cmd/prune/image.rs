//! `rc image prune`.

use crate::cmd::Ctx;
use crate::cmd::args::PruneArgs;
use crate::engine::{Prune, PrunedImages};
use crate::error::{Error, Exit};

/// Remove images that nothing uses
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove all images without a container, not only those without a name
    #[arg(short, long)]
    all: bool,
    /// Remove the cache of builds as well (accepted for compatibility: rc keeps none)
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
    let request = Prune { images: Some(images), filters: args.shared.filters, ..Prune::default() };
    let warning = [format!("WARNING! This command removes all {which}.")];
    super::run(ctx, &request, (!args.shared.force).then_some(&warning), super::ids)
}
