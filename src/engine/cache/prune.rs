//! What is removed of the build cache, and its bound.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Cached, CachedThing, Wanted, build_cache, cache_bytes};
use crate::engine::context::Context;
use crate::engine::sweep::{detach, in_use, sweep_all};
use crate::image::local::Removal;
use crate::storage::Store;
use crate::sys::process::{CloneOptions, fork};
use crate::types::{Digest, Report};

/// The most bytes that the results of builds take which are in no image, unless the settings say otherwise.
const LARGEST: u64 = 20_000_000_000;

/// The most bytes of what steps were made from last, for the reasons of later builds.
const SLOTS: u64 = 64 << 20;

/// How long what was fetched by URL or from a repository, and what is known of a context, stays without being used.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// Which results of builds are pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cache {
    /// Those that are in no image.
    Unused,
    /// All of them. What is in an image stays there.
    All,
    /// Of those that are in no image the ones that were not used for the longest time, until the rest is within bounds.
    Beyond(Bounds),
}

/// How much the results of builds may take. Source: BuildKit, `calculateKeepBytes`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// So many bytes at most.
    pub(crate) most: Option<u64>,
    /// So many bytes of the filesystem are to be free.
    pub(crate) free: Option<u64>,
    /// So many bytes stay in any case.
    pub(crate) reserved: Option<u64>,
    /// What was fetched, or is known of a context, goes in any case if it was not used for so long.
    pub(crate) longest: Option<Duration>,
}

impl Bounds {
    /// How many of `total` bytes may stay, where `free` bytes of the filesystem are free.
    fn kept(self, total: u64, free: u64) -> u64 {
        let most = self.most.unwrap_or(u64::MAX);
        let excess = self.free.unwrap_or(0).saturating_sub(free);
        let room = if excess > 0 { total.saturating_sub(excess) } else { u64::MAX };
        let bounded = self.most.is_some() || self.free.is_some();
        let kept = if bounded { most.min(room) } else { 0 };
        kept.max(self.reserved.unwrap_or(0))
    }
}

/// Forgets what builds have kept, and removes layers that nothing needs any more. Returns what is gone.
pub(in crate::engine) fn prune(context: &Context, is_wanted: Wanted<'_>, which: Cache) -> Result<Vec<Cached>, Report> {
    let store = context.store()?;
    let all = build_cache(context)?;
    note_sizes(store, &all);
    let most = match which {
        Cache::Beyond(bounds) => bounds.kept(cache_bytes(&all).1, store.filesystem_free()?),
        Cache::Unused | Cache::All => 0,
    };
    let removal = Removal::begin(store)?;
    let mut layers: BTreeSet<Digest> = BTreeSet::new();
    let (mut kept, mut forgotten, mut keys) = (0, Vec::new(), Vec::new());
    for cached in all {
        let is_new = match &cached.thing {
            CachedThing::Step(_, record) => {
                record.layer.as_ref().is_some_and(|layer| layers.insert(layer.digest.clone()))
            }
            _ => true,
        };
        let is_pruned = match which {
            Cache::All => true,
            Cache::Unused => !cached.is_in_use,
            Cache::Beyond(bounds) => {
                kept += if is_new && !cached.is_in_use { cached.size } else { 0 };
                !cached.is_in_use && (kept > most || is_old(&cached, bounds.longest))
            }
        };
        if is_pruned && cached.matches(is_wanted) && forget(store, &cached.thing)? {
            keys.extend(match &cached.thing {
                CachedThing::Step(key, _) => Some(key.clone()),
                _ => None,
            });
            forgotten.push(cached);
        }
    }
    // Without it a later build does not say when.
    store.note_forgotten(&keys, !matches!(which, Cache::Beyond(_))).unwrap_or_default();
    if !forgotten.is_empty() {
        removal.collect(&in_use(store)?)?;
    }
    Ok(forgotten)
}

/// Whether it can be had again from where it came, and nobody has asked for it for so long.
fn is_old(cached: &Cached, longest: Option<Duration>) -> bool {
    let is_source = matches!(cached.thing, CachedThing::Fetched(_) | CachedThing::Memo(_));
    is_source && longest.is_some_and(|longest| cached.used.elapsed().is_ok_and(|age| age > longest))
}

/// Forgets one thing, unless a build uses it by now.
fn forget(store: &Store, thing: &CachedThing) -> Result<bool, Report> {
    Ok(match thing {
        CachedThing::Step(key, _) => store.forget_step(key).map(|()| true)?,
        CachedThing::Mount(mount) => store.empty_cache_mount(mount)?,
        CachedThing::Fetched(fetched) => store.forget_fetched(fetched)?,
        CachedThing::Memo(memo) => store.forget_context_memo(memo)?,
    })
}

/// Notes what caches of mounts take on the disk, so that only those that were used since are measured next time.
fn note_sizes(store: &Store, all: &[Cached]) {
    for cached in all {
        if let CachedThing::Mount(mount) = &cached.thing
            && mount.size.is_none()
            && !cached.is_in_use
        {
            // Without it the next one takes longer.
            store.note_cache_mount_size(mount, cached.size).unwrap_or_default();
        }
    }
}

/// Starts a process that keeps the cache within its bound. The command does not wait for it.
pub(in crate::engine) fn trim_soon(context: &Context) {
    // The next build tries again.
    drop(fork(&CloneOptions::default(), || i32::from(detach("rc: trim").is_err() || trim(context).is_err())));
}

/// Removes what is beyond the bound. Of several processes one does it, and one waits, which sees what all the others
/// have made.
fn trim(context: &Context) -> Result<(), Report> {
    let store = context.store()?;
    let Some(_trimming) = store.begin_trim()? else { return Ok(()) };
    // Others have work to do.
    rustix::process::nice(19).ok();
    store.trim_slots(SLOTS)?;
    store.trim_listings()?;
    let whole = store.filesystem_size()?;
    let usual = LARGEST.min(whole / 10);
    let most = context.settings.build.cache_size.value.0.unwrap_or(usual);
    let bounds = Bounds { most: Some(most), free: Some(whole / 20), reserved: None, longest: Some(LONGEST) };
    if !prune(context, &|_| true, Cache::Beyond(bounds))?.is_empty() {
        // What was removed is on the disk until then.
        sweep_all(context)?;
    }
    Ok(store.forget_copied()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_keep_what_buildkit_keeps() {
        let bounds = |most, free, reserved| Bounds { most, free, reserved, longest: None };
        for (bounds, expected) in [
            (bounds(None, None, None), 0),
            (bounds(Some(50), None, None), 50),
            (bounds(None, None, Some(30)), 30),
            (bounds(Some(50), None, Some(70)), 70),
            // 10 are free, and 40 are to be.
            (bounds(None, Some(40), None), 70),
            (bounds(Some(50), Some(40), None), 50),
            (bounds(Some(90), Some(40), Some(80)), 80),
            (bounds(None, Some(5), None), u64::MAX),
            (bounds(None, Some(500), None), 0),
        ] {
            assert_eq!(bounds.kept(100, 10), expected, "{bounds:?}");
        }
    }
}
