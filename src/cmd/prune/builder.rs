//! `rc builder prune`.

use crate::cmd::Ctx;
use crate::cmd::builder::{blocks, row};
use crate::engine::{CacheBounds, Prune, PrunedCache};
use crate::error::{Error, Exit};
use crate::types::parse_size;
use crate::view::CacheRow;
use crate::view::human::exact_size;

/// Remove what builds have kept for later builds
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Remove everything, not only what is in no image
    #[arg(short, long)]
    all: bool,
    /// Remove only what matches: KEY=VALUE
    #[arg(long = "filter", value_name = "FILTER")]
    filters: Vec<String>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    force: bool,
    /// Keep what was used last, up to this size
    #[arg(long, value_name = "SIZE", conflicts_with = "all", value_parser = size)]
    max_used_space: Option<u64>,
    /// Remove what was not used for the longest time until so much of the filesystem is free
    #[arg(long, value_name = "SIZE", conflicts_with = "all", value_parser = size)]
    min_free_space: Option<u64>,
    /// Keep this much in any case
    #[arg(long, visible_alias = "keep-storage", value_name = "SIZE", conflicts_with = "all", value_parser = size)]
    reserved_space: Option<u64>,
    /// Print all that is known of what is removed, instead of its ID
    #[arg(long)]
    verbose: bool,
}

fn size(text: &str) -> Result<u64, String> {
    parse_size(text).map_err(|error| error.to_string())
}

/// Runs the command: it prints the IDs of what it has removed, or all that is known of it.
pub(crate) fn run(ctx: &Ctx, args: Args) -> Result<Exit, Error> {
    let bounds = CacheBounds {
        most: args.max_used_space,
        free: args.min_free_space,
        reserved: args.reserved_space,
        longest: None,
    };
    let (cache, which) = match (args.all, bounds == CacheBounds::default()) {
        (true, _) => (PrunedCache::All, "all build cache"),
        (false, true) => (PrunedCache::Unused, "all build cache that is in no image"),
        (false, false) => (PrunedCache::Beyond(bounds), "build cache that was not used for the longest time"),
    };
    let request = Prune { cache: Some(cache), cache_filters: args.filters, ..Prune::default() };
    let warning = [format!("WARNING! This will remove {which}.")];
    super::run(ctx, &request, (!args.force).then_some(&warning), |pruned| {
        if !args.verbose {
            return pruned.cache.iter().map(|cached| cached.id().to_owned()).collect();
        }
        let rows: Vec<CacheRow> = pruned.cache.iter().map(|cached| row(ctx, cached, true)).collect();
        let total = exact_size(rows.iter().map(|row| row.size).sum());
        let mut lines = blocks(&rows);
        lines.push(format!("{:<14}{total}", "Total:"));
        lines
    })
}
