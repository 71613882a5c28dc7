//! The build cache: what it has, what is removed of it, and its bound.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::context::Context;
use super::measure::measure;
use super::sweep::{detach, in_use};
use crate::image::local::{self, Removal};
use crate::storage::{CacheMount, StepRecord};
use crate::sys::process::{CloneOptions, fork};
use crate::types::{Digest, Report};
use crate::view::filter::CacheFacts;

/// The most bytes that the results of builds take which are in no image, unless the settings say otherwise.
const LARGEST: u64 = 20_000_000_000;

/// The most bytes of what steps were made from last, for the reasons of later builds.
const SLOTS: u64 = 64 << 20;

/// How long what was fetched by URL or from a repository stays without being used.
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

/// What builds have kept.
#[derive(Debug)]
pub(crate) struct Cached {
    /// What it is.
    pub(crate) thing: CachedThing,
    /// When a build has used it last.
    pub(crate) used: SystemTime,
    /// An image has its layer, or a step uses it.
    pub(crate) is_in_use: bool,
    /// The bytes of its layer, as an archive, or of what is mounted.
    pub(crate) size: u64,
}

/// What a cache has.
#[derive(Debug)]
pub(crate) enum CachedThing {
    /// What a step has made: its key, and the record.
    Step(Digest, Box<StepRecord>),
    /// What is mounted for steps.
    Mount(CacheMount),
}

impl Cached {
    /// The digits that it is known by.
    pub(crate) fn id(&self) -> &str {
        match &self.thing {
            CachedThing::Step(key, _) => key.hex(),
            CachedThing::Mount(mount) => mount.name(),
        }
    }

    /// The type, in BuildKit's words.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.thing {
            CachedThing::Step(..) => "regular",
            CachedThing::Mount(_) => "exec.cachemount",
        }
    }

    /// The step, or what is mounted, as a user reads it.
    pub(crate) fn description(&self) -> String {
        match &self.thing {
            CachedThing::Step(_, record) => record.shown.clone(),
            CachedThing::Mount(mount) => format!("cached mount {}", mount.id),
        }
    }

    fn matches(&self, is_wanted: Wanted<'_>) -> bool {
        let description = self.description();
        let used = Timestamp::try_from(self.used).unwrap_or(Timestamp::MAX);
        let facts =
            CacheFacts { id: self.id(), kind: self.kind(), description: &description, in_use: self.is_in_use, used };
        is_wanted(&facts)
    }
}

/// Says what is to be pruned.
type Wanted<'a> = &'a dyn Fn(&CacheFacts<'_>) -> bool;

/// What builds have kept, that used last first.
pub(crate) fn build_cache(context: &Context) -> Result<Vec<Cached>, Report> {
    let store = context.store_to_read()?;
    let in_images: BTreeSet<Digest> =
        local::list(&store)?.0.into_iter().flat_map(|image| image.config.rootfs.diff_ids).collect();
    let mut all: Vec<Cached> = store
        .steps()?
        .into_iter()
        .map(|found| Cached {
            is_in_use: found.record.layer.as_ref().is_some_and(|layer| in_images.contains(&layer.digest)),
            size: found.record.layer.as_ref().map_or(0, |layer| layer.size),
            thing: CachedThing::Step(found.key, Box::new(found.record)),
            used: found.used,
        })
        .collect();
    let mounts = store.cache_mounts()?;
    let sizes: BTreeMap<PathBuf, u64> = measure(context, mounts.iter().map(CacheMount::data).collect())?;
    for mount in mounts {
        all.push(Cached {
            // In a store that is only read no lock can be tried.
            is_in_use: store.is_cache_mount_used(&mount).unwrap_or(false),
            size: sizes.get(&mount.data()).copied().unwrap_or(0),
            used: mount.used,
            thing: CachedThing::Mount(mount),
        });
    }
    all.sort_by(|a, b| (b.used, b.id()).cmp(&(a.used, a.id())));
    Ok(all)
}

/// The bytes of all of this, and those of what is not in use; a layer that several have counts once.
pub(crate) fn cache_bytes(all: &[Cached]) -> (u64, u64) {
    let mut layers: BTreeSet<&Digest> = BTreeSet::new();
    let (mut total, mut reclaimable) = (0, 0);
    for cached in all {
        let is_new = match &cached.thing {
            CachedThing::Step(_, record) => record.layer.as_ref().is_some_and(|layer| layers.insert(&layer.digest)),
            CachedThing::Mount(_) => true,
        };
        let size = if is_new { cached.size } else { 0 };
        total += size;
        reclaimable += if cached.is_in_use { 0 } else { size };
    }
    (total, reclaimable)
}

/// Forgets what builds have kept, and removes layers that nothing needs any more. Returns the IDs.
pub(super) fn prune(context: &Context, is_wanted: Wanted<'_>, which: Cache) -> Result<Vec<String>, Report> {
    let store = context.store()?;
    let all = build_cache(context)?;
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
            CachedThing::Mount(_) => true,
        };
        let is_pruned = match which {
            Cache::All => true,
            Cache::Unused => !cached.is_in_use,
            Cache::Beyond(_) => {
                kept += if is_new && !cached.is_in_use { cached.size } else { 0 };
                !cached.is_in_use && kept > most
            }
        };
        if !is_pruned || !cached.matches(is_wanted) {
            continue;
        }
        let is_gone = match &cached.thing {
            CachedThing::Step(key, _) => {
                keys.push(key.clone());
                store.forget_step(key).map(|()| true)?
            }
            CachedThing::Mount(mount) => store.empty_cache_mount(mount)?,
        };
        forgotten.extend(is_gone.then(|| cached.id().to_owned()));
    }
    // Without it a later build does not say when.
    store.note_forgotten(&keys, !matches!(which, Cache::Beyond(_))).unwrap_or_default();
    let is_pruned = |used: SystemTime| {
        let age = used.elapsed().unwrap_or_default();
        let used = Timestamp::try_from(used).unwrap_or(Timestamp::MAX);
        let facts = CacheFacts { id: "", kind: "source.http", description: "", in_use: false, used };
        (!matches!(which, Cache::Beyond(_)) || age > LONGEST) && is_wanted(&facts)
    };
    store.forget_fetched(&is_pruned)?;
    if !forgotten.is_empty() {
        removal.collect(&in_use(store)?)?;
    }
    Ok(forgotten)
}

/// Starts a process that keeps the cache within its bound. The command does not wait for it.
pub(super) fn trim_soon(context: &Context) {
    let trim = || -> Result<(), Report> {
        let store = context.store()?;
        store.trim_slots(SLOTS)?;
        let whole = store.filesystem_size()?;
        let usual = LARGEST.min(whole / 10);
        let most = context.settings.build.cache_size.value.0.unwrap_or(usual);
        let bounds = Bounds { most: Some(most), free: Some(whole / 20), reserved: None };
        prune(context, &|_| true, Cache::Beyond(bounds))?;
        Ok(store.forget_copied()?)
    };
    // The next build tries again.
    drop(fork(&CloneOptions::default(), || i32::from(detach("rc: trim").is_err() || trim().is_err())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_keep_what_buildkit_keeps() {
        let bounds = |most, free, reserved| Bounds { most, free, reserved };
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
