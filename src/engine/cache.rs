//! The build cache: what it has.

mod prune;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;

use super::context::Context;
use super::measure::measure;
use crate::image::local;
use crate::storage::{CacheMount, ContextMemo, Fetched, FetchedPart, StepRecord};
use crate::types::{Digest, Report};
use crate::view::filter::CacheFacts;

pub(crate) use prune::{Bounds, Cache};
pub(super) use prune::{prune, trim_soon};

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
    /// What comes from a URL.
    Fetched(Fetched),
    /// What is known of the files of a context.
    Memo(ContextMemo),
}

impl Cached {
    /// The digits that it is known by.
    pub(crate) fn id(&self) -> &str {
        match &self.thing {
            CachedThing::Step(key, _) => key.hex(),
            CachedThing::Mount(mount) => mount.name(),
            CachedThing::Fetched(fetched) => fetched.name(),
            CachedThing::Memo(memo) => memo.name(),
        }
    }

    /// The type, in BuildKit's words.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.thing {
            CachedThing::Step(..) => "regular",
            CachedThing::Mount(_) => "exec.cachemount",
            CachedThing::Fetched(Fetched { part: FetchedPart::Http, .. }) => "source.http",
            CachedThing::Fetched(Fetched { part: FetchedPart::Git, .. }) => "source.git",
            CachedThing::Memo(_) => "source.local",
        }
    }

    /// The step, or what is mounted, as a user reads it.
    pub(crate) fn description(&self) -> String {
        match &self.thing {
            CachedThing::Step(_, record) => record.shown.clone(),
            CachedThing::Mount(mount) => format!("cached mount {}", mount.id),
            CachedThing::Fetched(Fetched { part: FetchedPart::Http, url, .. }) => format!("http url {url}"),
            CachedThing::Fetched(Fetched { part: FetchedPart::Git, url, .. }) => format!("git source {url}"),
            CachedThing::Memo(_) => "local source for context".to_owned(),
        }
    }

    /// What a user has labelled it with.
    pub(crate) fn labels(&self) -> &BTreeMap<String, String> {
        const NONE: &BTreeMap<String, String> = &BTreeMap::new();
        match &self.thing {
            CachedThing::Step(_, record) => &record.labels,
            _ => NONE,
        }
    }

    /// When it was made, if that is known.
    pub(crate) fn created(&self) -> Option<&str> {
        match &self.thing {
            CachedThing::Step(_, record) => Some(&record.created),
            _ => None,
        }
    }

    fn matches(&self, is_wanted: Wanted<'_>) -> bool {
        is_wanted(&CacheFacts {
            id: self.id(),
            kind: self.kind(),
            description: &self.description(),
            in_use: self.is_in_use,
            used: Timestamp::try_from(self.used).unwrap_or(Timestamp::MAX),
            labels: self.labels(),
        })
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
    let (mounts, fetched) = (store.cache_mounts()?, store.all_fetched()?);
    let unknown = mounts.iter().filter(|mount| mount.size.is_none()).map(CacheMount::data);
    let sizes = measure(context, unknown.chain(fetched.iter().map(|it| it.path().to_owned())).collect())?;
    let size = |path: &Path| sizes.get(path).copied().unwrap_or(0);
    for mount in mounts {
        // In a store that is only read no lock can be tried.
        let is_in_use = store.is_cache_mount_used(&mount).unwrap_or(false);
        let (size, used) = (mount.size.unwrap_or_else(|| size(&mount.data())), mount.used);
        all.push(Cached { thing: CachedThing::Mount(mount), used, is_in_use, size });
    }
    for fetched in fetched {
        let is_in_use = store.is_fetched_used(&fetched).unwrap_or(false);
        let (size, used) = (size(fetched.path()), fetched.used);
        all.push(Cached { thing: CachedThing::Fetched(fetched), used, is_in_use, size });
    }
    for memo in store.context_memos()? {
        let (size, used) = (memo.size, memo.used);
        all.push(Cached { thing: CachedThing::Memo(memo), used, is_in_use: false, size });
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
            _ => true,
        };
        let size = if is_new { cached.size } else { 0 };
        total += size;
        reclaimable += if cached.is_in_use { 0 } else { size };
    }
    (total, reclaimable)
}
