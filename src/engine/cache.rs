//! The build cache: what it has, what is removed of it, and its bound.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use super::context::Context;
use super::sweep::{detach, in_use};
use crate::image::local::{self, Removal};
use crate::storage::{StepRecord, Store};
use crate::sys::process::{CloneOptions, fork};
use crate::types::{Digest, Report};
use crate::view::filter::PruneFilter;

/// The most bytes that the results of builds take which are in no image.
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
    /// Of those that are in no image the ones that were not used for the longest time, until the rest takes so many
    /// bytes at most.
    Beyond(u64),
}

/// What a step of a build has made.
#[derive(Debug)]
pub(crate) struct CachedStep {
    /// Its key.
    pub(crate) key: Digest,
    /// What it has made.
    pub(crate) record: StepRecord,
    /// When a build has used it last.
    pub(crate) used: SystemTime,
    /// Its layer is in an image, and stays there.
    pub(crate) is_in_image: bool,
}

impl CachedStep {
    /// The bytes of its layer, as an archive.
    pub(crate) fn size(&self) -> u64 {
        self.record.layer.as_ref().map_or(0, |layer| layer.size)
    }
}

/// All results of builds, those used last first.
pub(crate) fn build_cache(context: &Context) -> Result<Vec<CachedStep>, Report> {
    steps(context.store()?)
}

pub(super) fn steps(store: &Store) -> Result<Vec<CachedStep>, Report> {
    let in_images: BTreeSet<Digest> =
        local::list(store)?.0.into_iter().flat_map(|image| image.config.rootfs.diff_ids).collect();
    let cached = |found: crate::storage::CachedStep| CachedStep {
        is_in_image: found.record.layer.as_ref().is_some_and(|layer| in_images.contains(&layer.digest)),
        key: found.key,
        record: found.record,
        used: found.used,
    };
    let mut steps: Vec<CachedStep> = store.steps()?.into_iter().map(cached).collect();
    steps.sort_by(|a, b| (b.used, &b.key).cmp(&(a.used, &a.key)));
    Ok(steps)
}

/// Forgets results of builds, and removes layers that nothing needs any more. Returns the keys.
pub(super) fn prune(store: &Store, filter: &PruneFilter, which: Cache) -> Result<Vec<Digest>, Report> {
    let removal = Removal::begin(store)?;
    let mut layers: BTreeSet<Digest> = BTreeSet::new();
    let (mut kept, mut forgotten) = (0, Vec::new());
    for step in steps(store)? {
        let is_pruned = match which {
            Cache::All => true,
            Cache::Unused => !step.is_in_image,
            Cache::Beyond(most) => {
                let layer = step.record.layer.as_ref().filter(|_| !step.is_in_image);
                kept += layer.filter(|layer| layers.insert(layer.digest.clone())).map_or(0, |layer| layer.size);
                !step.is_in_image && kept > most
            }
        };
        let used = Timestamp::try_from(step.used).map(|used| used.to_string()).ok();
        if is_pruned && filter.matches(&BTreeMap::new(), used.as_deref()) {
            store.forget_step(&step.key)?;
            forgotten.push(step.key);
        }
    }
    let is_pruned = |used: SystemTime| {
        let age = used.elapsed().unwrap_or_default();
        let shown = Timestamp::try_from(used).map(|used| used.to_string()).ok();
        (!matches!(which, Cache::Beyond(_)) || age > LONGEST) && filter.matches(&BTreeMap::new(), shown.as_deref())
    };
    store.forget_fetched(&is_pruned)?;
    if !forgotten.is_empty() {
        removal.collect(&in_use(store)?)?;
    }
    Ok(forgotten)
}

/// Starts a process that keeps the cache within its bound. The command does not wait for it.
pub(super) fn trim_soon(store: &Store) {
    let trim = || -> Result<(), Report> {
        store.trim_slots(SLOTS)?;
        let most = store.filesystem_size()? / 10;
        prune(store, &PruneFilter::default(), Cache::Beyond(most.min(LARGEST)))?;
        Ok(store.forget_copied()?)
    };
    // The next build tries again.
    drop(fork(&CloneOptions::default(), || i32::from(detach("rc: trim").is_err() || trim().is_err())));
}
