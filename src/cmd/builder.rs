//! `rc builder …`.

pub(crate) mod du;

use super::Ctx;
use crate::engine::Cached;
use crate::view::CacheRow;

/// The row of something that builds have kept.
pub(super) fn row(ctx: &Ctx, cached: &Cached, no_trunc: bool) -> CacheRow {
    let now = ctx.engine.clock().now;
    CacheRow {
        id: cached.id().to_owned(),
        kind: cached.kind(),
        shown: cached.description(),
        size: cached.size,
        is_in_use: cached.is_in_use,
        used: jiff::Timestamp::try_from(cached.used).unwrap_or(now),
        created: cached.created().map(str::to_owned),
        labels: cached.labels().clone(),
        now,
        no_trunc,
    }
}

/// All that is known of each, and an empty line after it.
pub(super) fn blocks(rows: &[CacheRow]) -> Vec<String> {
    rows.iter().flat_map(|row| row.lines().into_iter().chain([String::new()])).collect()
}
