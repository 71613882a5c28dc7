//! Removes what nothing uses: `container prune`, `image prune`, `system prune`.

use std::collections::BTreeSet;

use super::cache::{self, Cache, Cached};
use super::context::Context;
use super::disk::{mounted, volumes};
use super::happened;
use super::measure::measure;
use super::networks;
use super::pods;
use super::sweep::{in_use, sweep_all};
use crate::container::{self, Container, Removal as ContainerRemoval};
use crate::image;
use crate::image::local::{self, LocalImage, Removal};
use crate::monitor::Status;
use crate::plan::ContainerConfig;
use crate::storage::events::EventKind;
use crate::sys::fs;
use crate::types::{Digest, Name, NetworkRecord, Report, ReportKind};
use crate::view::filter::{CacheFacts, CacheFilter, PruneFilter};

/// Which images are pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Images {
    /// Those without a name.
    Dangling,
    /// Those without a container.
    Unused,
}

/// Which volumes that no container mounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Volumes {
    /// All.
    All,
    /// Those that were created for a container, without a name.
    Anonymous,
}

/// What to prune.
#[derive(Debug, Default)]
pub(crate) struct Prune {
    /// Containers that do not run.
    pub(crate) containers: bool,
    /// Pods that have ended, with their containers.
    pub(crate) pods: bool,
    /// Networks that no container is to be in.
    pub(crate) networks: bool,
    /// Images.
    pub(crate) images: Option<Images>,
    /// Volumes that no container mounts.
    pub(crate) volumes: Option<Volumes>,
    /// The build cache.
    pub(crate) cache: Option<Cache>,
    /// `KEY=VALUE`: only what matches of the build cache.
    pub(crate) cache_filters: Vec<String>,
    /// `KEY=VALUE`: only those that match.
    pub(crate) filters: Vec<String>,
}

/// What was removed.
#[derive(Debug, Default)]
pub(crate) struct Pruned {
    /// The IDs of pods.
    pub(crate) pods: Vec<String>,
    /// The IDs of containers.
    pub(crate) containers: Vec<String>,
    /// The names of networks.
    pub(crate) networks: Vec<Name>,
    /// The IDs of images.
    pub(crate) images: Vec<Digest>,
    /// The names of volumes.
    pub(crate) volumes: Vec<Name>,
    /// What builds have kept.
    pub(crate) cache: Vec<Cached>,
    /// The bytes that the filesystem got back.
    pub(crate) reclaimed: u64,
    /// Why something was not removed.
    pub(crate) failures: Vec<Report>,
}

/// Removes what nothing uses; one failure does not stop the rest. What is started or named meanwhile stays.
pub(crate) fn prune(context: &Context, request: &Prune) -> Result<Pruned, Report> {
    let filter = PruneFilter::parse(&request.filters, context.clock())?;
    let cache_filter = CacheFilter::parse(&request.cache_filters, context.clock())?;
    let mut pruned = Pruned::default();
    if request.pods {
        let (pods, failures) = pods::remove_ended(context, |config| matches(&filter, config))?;
        pruned.pods = pods;
        pruned.failures = failures;
    }
    if request.containers {
        prune_containers(context, &filter, &mut pruned)?;
        happened::to_unused(context.store()?, EventKind::Container, pruned.reclaimed);
    }
    if request.networks {
        prune_networks(context, &filter, &mut pruned)?;
    }
    let mut of_volumes = 0;
    if let Some(which) = request.volumes {
        let before = in_trash(context)?;
        prune_volumes(context, &filter, which, &mut pruned)?;
        of_volumes = in_trash(context)?.saturating_sub(before);
        happened::to_unused(context.store()?, EventKind::Volume, of_volumes);
    }
    if let Some(images) = request.images {
        prune_images(context, &filter, images, &mut pruned)?;
    }
    // Last: an image that is gone needs its layers no more.
    if let Some(which) = request.cache {
        let is_wanted = |facts: &CacheFacts<'_>| {
            let used = facts.used.to_string();
            filter.matches(facts.labels, Some(&used)) && cache_filter.matches(facts)
        };
        pruned.cache = cache::prune(context, &is_wanted, which)?;
    }
    let waiting = in_trash(context)?;
    pruned.reclaimed += waiting;
    if request.images.is_some() {
        happened::to_unused(context.store()?, EventKind::Image, waiting.saturating_sub(of_volumes));
    }
    sweep_all(context)?;
    Ok(pruned)
}

/// The bytes of volumes, layers and blobs that wait to be removed.
fn in_trash(context: &Context) -> Result<u64, Report> {
    let waiting = fs::paths_in(context.store()?.trash())?.into_iter().collect();
    Ok(measure(context, waiting)?.values().sum())
}

fn matches(filter: &PruneFilter, config: &ContainerConfig) -> bool {
    filter.matches(&config.labels, Some(&config.created))
}

fn prune_containers(context: &Context, filter: &PruneFilter, pruned: &mut Pruned) -> Result<(), Report> {
    let store = context.store()?;
    let has_ended = |container: &Container| matches!(container.status, Status::Created | Status::Exited);
    let all = container::list(store)?.containers.into_iter();
    let ended: Vec<Container> = all.filter(|it| has_ended(it) && matches(filter, &it.config)).collect();
    let sizes = measure(context, ended.iter().map(|it| it.directory.path().to_owned()).collect())?;
    let how = ContainerRemoval { force: false, timeout: None, volumes: false };
    for container in ended {
        let (id, path) = (container.config.id.to_string(), container.directory.path().to_owned());
        match container::remove(store, container, &how, &context.runtime_dir()?) {
            Ok(()) => {
                pruned.reclaimed += sizes.get(&path).copied().unwrap_or(0);
                pruned.containers.push(id);
            }
            // It was started just now, or something is done with it.
            Err(container::Error::State { .. } | container::Error::Busy { .. }) => {}
            Err(error) => pruned.failures.push(error.into()),
        }
    }
    Ok(())
}

fn prune_networks(context: &Context, filter: &PruneFilter, pruned: &mut Pruned) -> Result<(), Report> {
    let store = context.store()?;
    if let Some((id, _)) = container::list(store)?.broken.first() {
        let message = format!("networks stay: container `{}` is damaged and may use any of them", id.short());
        pruned.failures.push(Report::new(ReportKind::Damaged, message).with_hint("remove it: `rc rm --force`"));
        return Ok(());
    }
    let matches = |record: &NetworkRecord| filter.matches(&record.labels, Some(&record.created));
    pruned.networks = networks::remove_unused(store, matches)?;
    Ok(())
}

fn prune_volumes(context: &Context, filter: &PruneFilter, which: Volumes, pruned: &mut Pruned) -> Result<(), Report> {
    let store = context.store()?;
    // A start holds it, shared, from before it creates volumes until the record of its container names them.
    let _lock = store.lock_exclusive()?;
    let listing = container::list(store)?;
    if let Some((id, _)) = listing.broken.first() {
        let message = format!("volumes stay: container `{}` is damaged and may mount any of them", id.short());
        pruned.failures.push(Report::new(ReportKind::Damaged, message).with_hint("remove it: `rc rm --force`"));
        return Ok(());
    }
    let used: BTreeSet<&Name> = listing.containers.iter().flat_map(mounted).collect();
    for name in volumes(store)?.iter().filter(|name| !used.contains(name)) {
        match store.volume(name) {
            Ok(Some(volume)) if which == Volumes::Anonymous && !volume.record.is_anonymous => {}
            Ok(Some(volume)) if filter.matches(&volume.record.labels, Some(&volume.record.created)) => {
                store.remove_volume(name)?;
                happened::to_volume(store, "remove", name.as_str());
                pruned.volumes.push(name.clone());
            }
            Ok(_) => {}
            Err(error) => pruned.failures.push(error.into()),
        }
    }
    Ok(())
}

fn prune_images(context: &Context, filter: &PruneFilter, which: Images, pruned: &mut Pruned) -> Result<(), Report> {
    let store = context.store()?;
    let removal = Removal::begin(store)?;
    let used = in_use(store)?;
    let found = local::list(store)?.0;
    // Several forms of one image are removed together, or not at all.
    let named: BTreeSet<&Digest> =
        found.iter().filter(|image| !image.names.is_empty()).map(|image| &image.id).collect();
    let is_wanted = |image: &&LocalImage| {
        (which == Images::Unused || !named.contains(&image.id))
            && filter.matches(&image.config.config.labels, image.config.created.as_deref())
    };
    let ids: BTreeSet<&Digest> = found.iter().filter(is_wanted).map(|image| &image.id).collect();
    for id in ids {
        match removal.remove(&context.registries, &id.to_string(), &used, true) {
            Ok(removed) => {
                removed.deleted.iter().for_each(|id| happened::to_image(store, "remove", id.hex(), ""));
                pruned.images.extend(removed.deleted);
            }
            Err(image::Error::InUse { .. } | image::Error::NotFound { .. }) => {}
            Err(error) => pruned.failures.push(error.into()),
        }
    }
    if !pruned.images.is_empty() {
        removal.collect(&used)?;
    }
    Ok(())
}
