//! oci-archive, and directories in OCI layout. Source: image-spec image-layout.md.

use serde::Deserialize;

use super::{Files, Loaded, Options};
use crate::image::{Config, Error};
use crate::registry::Platform;
use crate::registry::manifest::{Fault, Kind, Manifest};
use crate::storage::{Descriptor, REF_NAME, Store};
use crate::types::{ImageReference, json};

pub(super) const DOCUMENT: &str = "index.json";

/// The annotation of containerd and docker for the full name.
const CONTAINERD_NAME: &str = "io.containerd.image.name";

/// Marks attestations, which are not images.
const REFERENCE_TYPE: &str = "vnd.docker.reference.type";

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

pub(super) fn load(store: &Store, files: &Files, options: &Options) -> Result<Vec<Loaded>, Error> {
    let document = files.document(files.get(DOCUMENT, DOCUMENT)?, DOCUMENT)?;
    let damaged = |error: serde_json::Error| Error::Document { name: DOCUMENT.to_owned(), reason: error.to_string() };
    let index: Index = json::from_slice(&document).map_err(damaged)?;
    let mut wanted = Vec::new();
    // Entries with a platform and without a name are one image for several platforms; any other entry is an image of
    // its own.
    for entry in index.manifests.iter().filter(|entry| is_named(entry) || entry.platform.is_none()) {
        if options.only.as_deref().is_some_and(|only| !is_called(entry, only)) {
            continue;
        }
        if !entry.annotations.contains_key(REFERENCE_TYPE) {
            let name = if options.unnamed { None } else { name(entry)? };
            wanted.push((entry.digest.clone(), entry.size, entry.media_type.clone(), name));
        }
    }
    if let Some(only) = options.only.as_deref().filter(|_| wanted.is_empty()) {
        return Err(Error::NotInArchive { name: only.to_owned() });
    }
    if wanted.is_empty() {
        let refused = |source| Error::Refused { source: Box::new(source) };
        let Kind::Index(index) = Kind::parse(&document, "").map_err(refused)? else {
            return Err(refused(Fault::Neither));
        };
        let chosen = index.choose(&platform(options)).map_err(refused)?;
        wanted.push((chosen.digest.clone(), chosen.size, chosen.media_type.clone(), None));
    }
    let each = wanted.into_iter().map(|(digest, size, media_type, name)| {
        let descriptor = Descriptor::new(media_type, digest, size);
        load_one(store, files, &descriptor, name, options)
    });
    each.collect()
}

fn is_named(entry: &Descriptor) -> bool {
    entry.annotations.contains_key(REF_NAME) || entry.annotations.contains_key(CONTAINERD_NAME)
}

/// Whether an entry has this name, as it is or completed, or this digest.
fn is_called(entry: &Descriptor, name: &str) -> bool {
    entry.digest.to_string() == name
        || [REF_NAME, CONTAINERD_NAME].iter().any(|key| entry.annotations.get(*key).is_some_and(|known| known == name))
}

/// The name that an entry asks for. A name without a registry gets `localhost`, as in podman.
fn name(entry: &Descriptor) -> Result<Option<ImageReference>, Error> {
    if let Some(full) = entry.annotations.get(CONTAINERD_NAME) {
        return Ok(Some(full.parse()?));
    }
    let Some(text) = entry.annotations.get(REF_NAME) else { return Ok(None) };
    let is_short = ImageReference::is_short(text);
    Ok(Some(if is_short { format!("localhost/{text}").parse()? } else { text.parse()? }))
}

fn platform(options: &Options) -> Platform {
    options.platform.clone().unwrap_or_else(Platform::host)
}

pub(super) fn load_one(
    store: &Store,
    files: &Files,
    top: &Descriptor,
    name: Option<ImageReference>,
    options: &Options,
) -> Result<Loaded, Error> {
    let refused = |source| Error::Refused { source: Box::new(source) };
    let (descriptor, manifest) = find_manifest(files, top, options)?;
    let config_file = files.blob(&manifest.config.digest, manifest.config.size)?;
    let content = files.document(config_file, "configuration")?;
    let config: Config =
        json::from_slice(&content).map_err(|source| refused(Fault::Json { what: "configuration", source }))?;
    let diff_ids = &config.rootfs.diff_ids;
    if diff_ids.len() != manifest.layers.len() {
        return Err(refused(Fault::LayerCount { layers: manifest.layers.len(), diff_ids: diff_ids.len() }));
    }
    let mut skipped_devices = 0;
    for (layer, diff_id) in manifest.layers.iter().zip(diff_ids) {
        let file = files.blob(&layer.digest, layer.size)?;
        let info = files.intake.keep_layer(file, diff_id, &options.target)?;
        skipped_devices += info.map_or(0, |info| info.skipped.devices);
    }
    files.intake.keep(config_file)?;
    files.intake.keep(files.blob(&descriptor.digest, descriptor.size)?)?;
    let entry = Descriptor::new(manifest.media_type, descriptor.digest.clone(), descriptor.size);
    let index = Some(&top.digest).filter(|digest| **digest != entry.digest);
    match &name {
        Some(name) => store.tag(name, &entry, index)?,
        None => store.add_unnamed(&entry)?,
    }
    Ok(Loaded { id: manifest.config.digest, names: name.into_iter().collect(), skipped_devices })
}

/// Follows an entry of index.json to a manifest: the entry itself, or the one for this platform in an index.
fn find_manifest(files: &Files, top: &Descriptor, options: &Options) -> Result<(Descriptor, Manifest), Error> {
    let refused = |source| Error::Refused { source: Box::new(source) };
    let read = |descriptor: &Descriptor| -> Result<Kind, Error> {
        let content = files.document(files.blob(&descriptor.digest, descriptor.size)?, "manifest")?;
        Kind::parse(&content, &descriptor.media_type).map_err(refused)
    };
    match read(top)? {
        Kind::Manifest(manifest) => Ok((top.clone(), manifest)),
        Kind::Index(index) => {
            let chosen = index.choose(&platform(options)).map_err(refused)?;
            let chosen = Descriptor::new(chosen.media_type.clone(), chosen.digest.clone(), chosen.size);
            match read(&chosen)? {
                Kind::Manifest(manifest) => Ok((chosen, manifest)),
                Kind::Index(_) => Err(refused(Fault::Depth)),
            }
        }
    }
}
