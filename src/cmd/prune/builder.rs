//! `rc builder prune`.

use crate::cmd::Ctx;
use crate::cmd::args::PruneArgs;
use crate::engine::{Prune, PrunedCache};
use crate::error::{Error, Exit};
use crate::types::parse_size;

/// Remove what builds have kept for later builds
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove everything, not only what is in no image
    #[arg(short, long)]
    all: bool,
    /// Keep what was used last, up to this size
    #[arg(long, visible_aliases = ["keep-storage", "reserved-space"], value_name = "SIZE", conflicts_with = "all")]
    #[arg(value_parser = size)]
    max_used_space: Option<u64>,
    #[command(flatten)]
    shared: PruneArgs,
}

fn size(text: &str) -> Result<u64, String> {
    parse_size(text).map_err(|error| error.to_string())
}

/// Runs the command: it prints the keys of what it has removed.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let (cache, which) = match (args.all, args.max_used_space) {
        (true, _) => (PrunedCache::All, "all build cache"),
        (false, Some(most)) => (PrunedCache::Beyond(most), "build cache that was not used for the longest time"),
        (false, None) => (PrunedCache::Unused, "all build cache that is in no image"),
    };
    let request = Prune { cache: Some(cache), filters: args.shared.filters, ..Prune::default() };
    let warning = [format!("WARNING! This will remove {which}.")];
    super::run(ctx, &request, (!args.shared.force).then_some(&warning), |pruned| {
        pruned.cache.iter().map(|key| key.hex().to_owned()).collect()
    })
}
