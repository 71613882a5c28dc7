//! Images in the store: finding them by name, digest or ID; listing, tagging, removing; preparing their layers.

mod remove;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub(crate) use remove::{InUse, Removal, Removed};

use super::{Config, Error, list};
use crate::plan::{ImageDefaults, ImageSource};
use crate::registry::manifest::{Fault, Kind};
use crate::registry::{LazyRegistries, Platform};
use crate::storage::{self, Descriptor, IndexEntry, MANIFEST_LIMIT, Store, Target};
use crate::types::{Digest, ImageReference, json};

/// An image of the store.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LocalImage {
    /// Its ID: the digest of its configuration.
    pub(crate) id: Digest,
    /// Its manifest.
    pub(crate) manifest: Descriptor,
    /// The name by which it was found, if any.
    pub(crate) reference: Option<ImageReference>,
    /// All its names.
    pub(crate) names: Vec<ImageReference>,
    /// All names that it has had, the latest first.
    pub(crate) history: Vec<String>,
    /// The digests of multi-platform indexes by which it was pulled.
    pub(crate) indexes: Vec<Digest>,
    /// The annotations of its manifest.
    pub(crate) annotations: BTreeMap<String, String>,
    /// Its configuration.
    pub(crate) config: Config,
    /// Its layers, lowest first.
    pub(crate) layers: Vec<Layer>,
}

/// A layer of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Media type, digest and bytes of the blob.
    pub(crate) blob: Descriptor,
    /// The digest of its content, uncompressed.
    pub(crate) diff_id: Digest,
}

/// Finds an image: by its name; by `NAME@DIGEST`; by its ID or a prefix of it. A name takes precedence over an ID. A
/// short name stands for what `registries` say; if they say nothing, it is completed as in docker, then looked up under
/// `localhost`, where podman puts images that were built locally.
///
/// Reads index.json, the manifest and the configuration, and checks the digests of the last two. Reads the
/// configuration of registries only if a short name could mean an image of the store that is neither under `docker.io`
/// nor under `localhost`.
pub(crate) fn find(store: &Store, registries: &LazyRegistries, name_or_id: &str) -> Result<LocalImage, Error> {
    match find_in(store, registries, &store.index()?, name_or_id) {
        Err(error @ Error::NotFound { .. }) => in_list(store, name_or_id).ok_or(error),
        other => other,
    }
}

/// The image for this host in the list of that name.
fn in_list(store: &Store, typed: &str) -> Option<LocalImage> {
    let members = list::find(store, typed).ok()?.document.manifests;
    let host = Platform::host();
    let rank = |member: &Descriptor| {
        let found = member.platform.as_ref()?;
        host.rank(&found.os, &found.architecture, found.variant.as_deref())
    };
    let best = members.iter().filter_map(|member| Some((rank(member)?, member))).min_by_key(|(rank, _)| *rank)?;
    of_manifest(store, best.1).ok()
}

/// Finds an image by its whole name or its ID.
pub(crate) fn find_whole(store: &Store, name_or_id: &str) -> Result<LocalImage, Error> {
    find(store, &LazyRegistries::default(), name_or_id)
}

/// The digits of an ID.
const WHOLE: usize = 64;

fn find_in(
    store: &Store,
    registries: &LazyRegistries,
    index: &[IndexEntry],
    name_or_id: &str,
) -> Result<LocalImage, Error> {
    if let Some((entry, reference)) = find_name(index, registries, name_or_id)? {
        return read(store, index, &entry.manifest, Some(reference));
    }
    let not_found = || Error::NotFound { name: name_or_id.to_owned() };
    let prefix = name_or_id.strip_prefix("sha256:").unwrap_or(name_or_id);
    let is_hex =
        !prefix.is_empty() && prefix.len() <= WHOLE && prefix.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !is_hex {
        return Err(not_found());
    }
    let mut found: Option<LocalImage> = None;
    for manifest in unique_manifests(index) {
        // An image that is damaged or was just removed does not match.
        let Ok(parsed) = read_manifest(store, manifest) else { continue };
        if !parsed.config.digest.hex().starts_with(prefix) {
            continue;
        }
        match &found {
            Some(other) if other.id != parsed.config.digest => {
                return Err(Error::Ambiguous { prefix: name_or_id.to_owned() });
            }
            Some(_) => {}
            None => found = Some(read(store, index, manifest, None)?),
        }
        if prefix.len() == WHOLE {
            // There is no other of this ID.
            break;
        }
    }
    found.ok_or_else(not_found)
}

/// The entry of index.json for a name, and the full name.
fn find_name<'a>(
    index: &'a [IndexEntry],
    registries: &LazyRegistries,
    typed: &str,
) -> Result<Option<(&'a IndexEntry, ImageReference)>, Error> {
    let Ok(whole) = typed.parse::<ImageReference>() else { return Ok(None) };
    if !ImageReference::is_short(typed) {
        return Ok(entry_of(index, whole));
    }
    let here = format!("localhost/{typed}").parse().ok();
    let usual = entry_of(index, whole.clone()).or_else(|| entry_of(index, here?));
    let last =
        |reference: &ImageReference| reference.repository().rsplit('/').next() == whole.repository().rsplit('/').next();
    let is_elsewhere = |reference: &ImageReference| {
        !matches!(reference.registry(), "docker.io" | "localhost") && (usual.is_none() || last(reference))
    };
    if !index.iter().any(|entry| entry.reference.as_ref().is_some_and(is_elsewhere)) {
        return Ok(usual);
    }
    Ok(registries.get()?.stored(typed)?.into_iter().find_map(|name| entry_of(index, name)))
}

/// The entry of index.json for a whole name, with that name.
fn entry_of(index: &[IndexEntry], wanted: ImageReference) -> Option<(&IndexEntry, ImageReference)> {
    let by_name = || index.iter().find(|entry| entry.reference.as_ref() == Some(&wanted));
    let by_digest = || {
        let digest = wanted.digest()?;
        index.iter().find(|entry| {
            let is_same_name = entry.reference.as_ref().is_some_and(|reference| reference.name() == wanted.name());
            is_same_name && (entry.manifest.digest == *digest || entry.index_digest().as_ref() == Some(digest))
        })
    };
    let entry = by_name().or_else(by_digest)?;
    Some((entry, wanted))
}

/// The image with this manifest, whether it has a name or not.
pub(crate) fn of_manifest(store: &Store, manifest: &Descriptor) -> Result<LocalImage, Error> {
    read(store, &store.index()?, manifest, None)
}

/// The image of the store whose manifest has this digest, as if it was found by `reference`.
pub(crate) fn find_manifest(
    store: &Store,
    digest: &Digest,
    reference: Option<ImageReference>,
) -> Result<LocalImage, Error> {
    let index = store.index()?;
    let found = unique_manifests(&index).find(|manifest| manifest.digest == *digest);
    read(store, &index, found.ok_or_else(|| Error::NotFound { name: digest.to_string() })?, reference)
}

/// The forms of an image, in the order of index.json: all with its ID, which have other manifests if the image was
/// pulled with layers that are packed otherwise. One that cannot be read is none.
pub(crate) fn forms(store: &Store, image: &LocalImage) -> Result<Vec<LocalImage>, Error> {
    Ok(forms_in(store, &store.index()?, image))
}

fn forms_in(store: &Store, index: &[IndexEntry], image: &LocalImage) -> Vec<LocalImage> {
    let has_id = |manifest: &&Descriptor| {
        manifest.digest == image.manifest.digest
            || read_manifest(store, manifest).is_ok_and(|parsed| parsed.config.digest == image.id)
    };
    unique_manifests(index).filter(has_id).filter_map(|manifest| read(store, index, manifest, None).ok()).collect()
}

/// Adds what another form of an image has been called, as far as no form before it had that name.
pub(crate) fn add_history(history: &mut Vec<String>, more: Vec<String>) {
    for name in more {
        if !history.contains(&name) {
            history.push(name);
        }
    }
}

/// All images, in the order of index.json, and the errors of those that could not be read. An image that is removed
/// meanwhile is in neither list.
pub(crate) fn list(store: &Store) -> Result<(Vec<LocalImage>, Vec<Error>), Error> {
    let index = store.index()?;
    let mut images = Vec::new();
    let mut damaged = Vec::new();
    for manifest in unique_manifests(&index) {
        match read(store, &index, manifest, None) {
            Ok(image) => images.push(image),
            Err(Error::Storage(storage::Error::NoBlob { .. })) if !is_indexed(store, &manifest.digest)? => {}
            Err(error) => damaged.push(error),
        }
    }
    Ok((images, damaged))
}

/// The digest of a manifest in index.json, and its image or the reason why that cannot be read.
pub(crate) type Indexed = (Digest, Result<LocalImage, Error>);

/// All images, also those that cannot be read.
pub(crate) fn listing(store: &Store) -> Result<Vec<Indexed>, Error> {
    let index = store.index()?;
    let read = |manifest: &Descriptor| (manifest.digest.clone(), read(store, &index, manifest, None));
    Ok(unique_manifests(&index).map(read).collect())
}

fn is_indexed(store: &Store, manifest: &Digest) -> Result<bool, Error> {
    Ok(store.index()?.iter().any(|entry| entry.manifest.digest == *manifest))
}

fn unique_manifests(index: &[IndexEntry]) -> impl Iterator<Item = &Descriptor> {
    let mut seen = std::collections::HashSet::new();
    index.iter().map(|entry| &entry.manifest).filter(move |manifest| seen.insert(&manifest.digest))
}

fn read_manifest(store: &Store, manifest: &Descriptor) -> Result<crate::registry::manifest::Manifest, Error> {
    let bytes = store.read_blob(&manifest.digest, MANIFEST_LIMIT)?;
    let damaged = |source| Error::Damaged { manifest: manifest.digest.clone(), source: Box::new(source) };
    match Kind::parse(&bytes, &manifest.media_type).map_err(damaged)? {
        Kind::Manifest(parsed) => Ok(parsed),
        Kind::Index(_) => Err(damaged(Fault::Neither)),
    }
}

fn read(
    store: &Store,
    index: &[IndexEntry],
    manifest: &Descriptor,
    reference: Option<ImageReference>,
) -> Result<LocalImage, Error> {
    let damaged = |source| Error::Damaged { manifest: manifest.digest.clone(), source: Box::new(source) };
    let parsed = read_manifest(store, manifest)?;
    let bytes = store.read_blob(&parsed.config.digest, MANIFEST_LIMIT)?;
    let config: Config =
        json::from_slice(&bytes).map_err(|source| damaged(Fault::Json { what: "configuration", source }))?;
    let diff_ids = &config.rootfs.diff_ids;
    if diff_ids.len() != parsed.layers.len() {
        return Err(damaged(Fault::LayerCount { layers: parsed.layers.len(), diff_ids: diff_ids.len() }));
    }
    let layers = parsed.layers.into_iter().zip(diff_ids).map(|(layer, diff_id)| Layer {
        blob: Descriptor::new(layer.media_type, layer.digest, layer.size),
        diff_id: diff_id.clone(),
    });
    let own = || index.iter().filter(|entry| entry.manifest.digest == manifest.digest);
    Ok(LocalImage {
        id: parsed.config.digest,
        manifest: Descriptor::new(parsed.media_type, manifest.digest.clone(), manifest.size),
        reference,
        names: own().filter_map(|entry| entry.reference.clone()).collect(),
        history: storage::history(own().map(|entry| &entry.manifest)),
        indexes: own().filter_map(IndexEntry::index_digest).collect(),
        annotations: parsed.annotations,
        layers: layers.collect(),
        config,
    })
}

impl LocalImage {
    /// The names by digest, as `inspect` and `images --digests` show them.
    pub(crate) fn digests(&self) -> Vec<String> {
        let mut digests = Vec::new();
        for name in &self.names {
            for digest in std::iter::once(&self.manifest.digest).chain(&self.indexes) {
                let text = format!("{}@{digest}", name.name());
                if !digests.contains(&text) {
                    digests.push(text);
                }
            }
        }
        digests
    }

    /// Checks that it is for a platform; `typed` is the name that the user gave.
    pub(crate) fn check_platform(&self, typed: &str, wanted: &Platform) -> Result<(), Error> {
        let Config { os, architecture, variant, .. } = &self.config;
        if wanted.rank(os, architecture, variant.as_deref()).is_some() {
            return Ok(());
        }
        let found = Platform::of(Some(os), Some(architecture), variant.as_deref()).to_string();
        Err(Error::Platform { name: typed.to_owned(), wanted: wanted.to_string(), found })
    }

    /// The size of its layers in bytes: uncompressed if they are unpacked for the map, else that of the blobs.
    pub(crate) fn size(&self, store: &Store, map: &str) -> Result<u64, Error> {
        self.layers.iter().try_fold(0_u64, |sum, layer| {
            let size = store.layer_info(map, &layer.diff_id)?.map_or(layer.blob.size, |info| info.size);
            Ok(sum.saturating_add(size))
        })
    }

    /// What a container's plan takes from the image; `typed` is the name that the user gave.
    pub(crate) fn defaults(&self, typed: &str) -> ImageDefaults {
        let settings = &self.config.config;
        ImageDefaults {
            source: ImageSource {
                id: Some(self.id.clone()),
                manifest: Some(self.manifest.digest.clone()),
                reference: self.reference.as_ref().map_or_else(|| typed.to_owned(), ToString::to_string),
                layers: self.layers.iter().map(|layer| layer.diff_id.clone()).collect(),
                exposed_ports: settings.exposed_ports.keys().cloned().collect(),
            },
            entrypoint: settings.entrypoint.clone(),
            command: settings.cmd.clone(),
            env: settings.env.clone(),
            user: settings.user.clone(),
            working_dir: settings.working_dir.clone(),
            volumes: settings.volumes.keys().cloned().collect(),
            labels: settings.labels.clone(),
            stop_signal: Some(settings.stop_signal.clone()).filter(|signal| !signal.is_empty()),
            healthcheck: settings.healthcheck.clone(),
        }
    }
}

/// The directories of the image's layers, lowest first, each unpacked for `target`. A missing one is unpacked again
/// from its blob, for which this process must be root in the root namespace (or store everything as the user).
pub(crate) fn ensure_layers(store: &Store, image: &LocalImage, target: &Target) -> Result<Vec<PathBuf>, Error> {
    let mut directories = Vec::with_capacity(image.layers.len());
    for layer in &image.layers {
        if !store.has_layer(&target.map, &layer.diff_id).map_err(storage::Error::from)? {
            store.unpack_blob(&layer.blob.digest, &layer.diff_id, target)?;
        }
        directories.push(store.layer_path(&target.map, &layer.diff_id).join("fs"));
    }
    Ok(directories)
}

/// The directories of the image's layers, as from `ensure_layers`, if all are already unpacked.
pub(crate) fn unpacked_layers(store: &Store, image: &LocalImage, map: &str) -> Result<Option<Vec<PathBuf>>, Error> {
    for layer in &image.layers {
        if !store.has_layer(map, &layer.diff_id).map_err(storage::Error::from)? {
            return Ok(None);
        }
    }
    Ok(Some(image.layers.iter().map(|layer| store.layer_path(map, &layer.diff_id).join("fs")).collect()))
}

/// Gives an image another name; an image that had the name loses it.
pub(crate) fn tag(store: &Store, image: &LocalImage, name: &ImageReference) -> Result<(), Error> {
    check_new_name(name)?;
    Ok(store.tag(name, &image.manifest, image.indexes.first())?)
}

/// Fails if no image can be given this name.
pub(crate) fn check_new_name(name: &ImageReference) -> Result<(), Error> {
    if name.tag().is_none() || name.digest().is_some() {
        let reason = "an image is named by a tag, not by a digest";
        return Err(crate::types::Invalid::new("image name", name.to_string(), reason).into());
    }
    Ok(())
}

/// Removes a name from an image, which stays. Fails with `NotFound` if no image has the name.
pub(crate) fn untag(store: &Store, registries: &LazyRegistries, name: &str) -> Result<ImageReference, Error> {
    let index = store.index()?;
    let not_found = || Error::NotFound { name: name.to_owned() };
    let (entry, _) = find_name(&index, registries, name)?.ok_or_else(not_found)?;
    let reference = entry.reference.clone().ok_or_else(not_found)?;
    if store.untag(&reference)? { Ok(reference) } else { Err(not_found()) }
}

#[cfg(test)]
mod tests;
