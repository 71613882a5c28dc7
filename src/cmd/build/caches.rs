//! `rc build`: caches that are shared with others.

use crate::build::cache::{self, CachePlace, CacheTo};

/// Options for caches that are shared with others.
#[derive(Debug, Default, clap::Args)]
pub(super) struct CacheArgs {
    /// Take steps from a cache: a repository, type=registry,ref=REPOSITORY or type=local,src=DIRECTORY
    #[arg(long = "cache-from", value_name = "CACHE", value_parser = cache::from)]
    pub(super) from: Vec<CachePlace>,
    /// Write steps to a cache: a repository, or type=local,dest=DIRECTORY; mode=max: all of them
    #[arg(long = "cache-to", value_name = "CACHE", value_parser = cache::to)]
    pub(super) to: Vec<CacheTo>,
}
