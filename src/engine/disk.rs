//! What the store takes on the disk, and of what: `system df`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::cache::{Cached, build_cache};
use super::context::Context;
use super::measure::measure;
use crate::container::{self, Container};
use crate::image::local::{self, LocalImage};
use crate::plan::MountKind;
use crate::storage::Store;
use crate::sys::fs;
use crate::types::{Digest, Name, Report};

/// The bytes on the disk of all images, containers and volumes.
#[derive(Debug)]
pub(crate) struct DiskUsage {
    /// Images; those of one ID, which were pulled in several forms, are one.
    pub(crate) images: Vec<ImageUsage>,
    /// Blobs and unpacked layers of all images, each once.
    pub(crate) image_bytes: u64,
    /// Those of them that no container needs.
    pub(crate) unused_image_bytes: u64,
    /// Containers, newest first.
    pub(crate) containers: Vec<ContainerUsage>,
    /// Volumes, by name.
    pub(crate) volumes: Vec<VolumeUsage>,
    /// What builds have kept, that used last first.
    pub(crate) cache: Vec<Cached>,
    /// A failure for each image or container that could not be read.
    pub(crate) damaged: Vec<Report>,
}

/// What an image takes.
#[derive(Debug)]
pub(crate) struct ImageUsage {
    /// The image, with the names of all its forms.
    pub(crate) image: LocalImage,
    /// Bytes.
    pub(crate) size: u64,
    /// Those of them that other images use as well.
    pub(crate) shared: u64,
    /// How many containers use it.
    pub(crate) containers: usize,
    parts: BTreeSet<PathBuf>,
}

/// What a container takes.
#[derive(Debug)]
pub(crate) struct ContainerUsage {
    /// The container.
    pub(crate) container: Container,
    /// Bytes of its directory: what it has written, its log and its records.
    pub(crate) size: u64,
    /// How many volumes it mounts.
    pub(crate) volumes: usize,
}

/// What a volume takes.
#[derive(Debug)]
pub(crate) struct VolumeUsage {
    /// Its name.
    pub(crate) name: Name,
    /// How many containers mount it.
    pub(crate) links: usize,
    /// Bytes.
    pub(crate) size: u64,
}

/// Measures everything. Reads the names of all files of the store.
pub(crate) fn disk_usage(context: &Context) -> Result<DiskUsage, Report> {
    let store = context.store_to_read()?;
    let listing = container::list(&store)?;
    let (found, unreadable) = local::list(&store)?;
    let mut images = parts(&store, found)?;
    let names = volumes(&store)?;
    let directory = |container: &Container| container.directory.path().to_owned();
    let mut paths: BTreeSet<PathBuf> = images.iter().flat_map(|image| image.parts.iter().cloned()).collect();
    paths.extend(listing.containers.iter().map(directory));
    paths.extend(names.iter().map(|name| store.volumes().join(name.as_str())));
    let sizes = measure(context, paths)?;
    let size = |path: &PathBuf| sizes.get(path).copied().unwrap_or(0);

    let mut users: BTreeMap<&PathBuf, usize> = BTreeMap::new();
    images.iter().flat_map(|image| &image.parts).for_each(|part| *users.entry(part).or_default() += 1);
    let image_bytes = users.keys().map(|part| size(part)).sum();
    let shared: Vec<u64> = images
        .iter()
        .map(|image| image.parts.iter().filter(|part| users.get(part).is_some_and(|count| *count > 1)).map(size).sum())
        .collect();
    let used = listing.containers.iter().flat_map(|it| it.config.images());
    let needed: BTreeSet<&Digest> = used.filter_map(|image| image.id.as_ref()).collect();
    let kept: BTreeSet<&PathBuf> =
        images.iter().filter(|image| needed.contains(&image.image.id)).flat_map(|image| &image.parts).collect();
    let unused_image_bytes = users.keys().filter(|part| !kept.contains(**part)).map(|part| size(part)).sum();
    for (image, shared) in images.iter_mut().zip(shared) {
        image.size = image.parts.iter().map(size).sum();
        image.shared = shared;
        image.containers = listing.containers.iter().filter(|it| it.config.uses_image(&image.image.id)).count();
    }
    let links = |name: &Name| listing.containers.iter().filter(|it| mounted(it).contains(name)).count();
    let volumes = names
        .iter()
        .map(|name| VolumeUsage {
            name: name.clone(),
            links: links(name),
            size: size(&store.volumes().join(name.as_str())),
        })
        .collect();
    let damaged = unreadable.into_iter().map(Report::from);
    let damaged = damaged.chain(listing.broken.into_iter().map(|(_, error)| error.into())).collect();
    let containers = listing
        .containers
        .into_iter()
        .map(|container| ContainerUsage {
            size: size(&directory(&container)),
            volumes: mounted(&container).len(),
            container,
        })
        .collect();
    let cache = build_cache(context)?;
    Ok(DiskUsage { images, image_bytes, unused_image_bytes, containers, volumes, cache, damaged })
}

/// The volumes that a container mounts.
pub(super) fn mounted(container: &Container) -> BTreeSet<&Name> {
    let mounts = container.config.mounts.iter();
    mounts
        .filter_map(|mount| match &mount.kind {
            MountKind::Volume { name, .. } => Some(name),
            _ => None,
        })
        .collect()
}

/// The names of all volumes.
pub(super) fn volumes(store: &Store) -> Result<Vec<Name>, Report> {
    let paths = fs::paths_in(store.volumes())?;
    let mut names: Vec<Name> = paths.iter().filter_map(|path| path.file_name()?.to_str()?.parse().ok()).collect();
    names.sort();
    Ok(names)
}

/// The images with the files and directories of each.
fn parts(store: &Store, found: Vec<LocalImage>) -> Result<Vec<ImageUsage>, Report> {
    let maps = store.layer_maps()?;
    let mut images: Vec<ImageUsage> = Vec::with_capacity(found.len());
    for image in found {
        let mut parts = BTreeSet::from([store.blob_path(&image.manifest.digest), store.blob_path(&image.id)]);
        for layer in &image.layers {
            parts.insert(store.blob_path(&layer.blob.digest));
            parts.extend(maps.iter().map(|map| store.layer_path(map, &layer.diff_id)));
        }
        match images.iter_mut().find(|same| same.image.id == image.id) {
            Some(same) => {
                same.image.names.extend(image.names);
                same.parts.extend(parts);
            }
            None => images.push(ImageUsage { image, size: 0, shared: 0, containers: 0, parts }),
        }
    }
    Ok(images)
}
