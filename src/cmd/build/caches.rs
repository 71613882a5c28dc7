//! `rc build`: caches that are shared with others.

use std::time::Duration;

use jiff::Timestamp;

use crate::build::cache::{self, CachePlace, CacheTo};
use crate::types::parse_duration;

/// Options for caches that are shared with others.
#[derive(Debug, Default, clap::Args)]
pub(super) struct CacheArgs {
    /// Take steps from a cache: an image, a repository, type=registry,ref=REPOSITORY or type=local,src=DIRECTORY
    #[arg(long = "cache-from", value_name = "CACHE", value_parser = cache::from)]
    pub(super) from: Vec<CachePlace>,
    /// Write steps to a cache: a repository, type=local,dest=DIRECTORY, or type=inline; mode=max: all of them
    #[arg(long = "cache-to", value_name = "CACHE", value_parser = cache::to)]
    pub(super) to: Vec<CacheTo>,
    /// Take no step from the cache that was taken longer ago: a duration, such as 24h
    #[arg(long = "cache-ttl", value_name = "DURATION", value_parser = duration)]
    ttl: Option<Duration>,
}

impl CacheArgs {
    /// The time before which no step counts, in seconds since the epoch.
    pub(super) fn oldest(&self) -> Option<i64> {
        let ttl = i64::try_from(self.ttl?.as_secs()).unwrap_or(i64::MAX);
        // None at all is older than that: as `--no-cache`.
        let future = i64::from(ttl == 0);
        Some(Timestamp::now().as_second().saturating_sub(ttl).saturating_add(future))
    }
}

/// A duration of Go.
fn duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    parse_duration(text).ok_or_else(|| "must be a number with a unit, such as 24h or 90m".to_owned())
}
