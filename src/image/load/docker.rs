//! docker-archive. Source: docker's image specification v1.2, `manifest.json`.

use serde::Deserialize;

use super::{Files, Loaded, Options};
use crate::image::format::OCI_CONFIG;
use crate::image::make::manifest;
use crate::image::{Config, Error};
use crate::registry::manifest::Fault;
use crate::storage::{Compression, Descriptor, Store};
use crate::types::{ImageReference, json};

pub(super) const DOCUMENT: &str = "manifest.json";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

pub(super) fn load(store: &Store, files: &Files, options: &Options) -> Result<Vec<Loaded>, Error> {
    let document = files.document(files.get(DOCUMENT, DOCUMENT)?, DOCUMENT)?;
    let damaged = |error: serde_json::Error| Error::Document { name: DOCUMENT.to_owned(), reason: error.to_string() };
    let items: Vec<Item> = json::from_slice(&document).map_err(damaged)?;
    let Some(only) = &options.only else {
        return items.iter().map(|item| load_one(store, files, item, options)).collect();
    };
    let wanted: ImageReference = only.parse()?;
    let is_wanted = |tag: &String| tag.parse::<ImageReference>().is_ok_and(|tag| tag == wanted);
    let item = items.iter().find(|item| item.repo_tags.iter().flatten().any(is_wanted));
    let item = item.ok_or_else(|| Error::NotInArchive { name: only.clone() })?;
    Ok(vec![load_one(store, files, item, options)?])
}

fn load_one(store: &Store, files: &Files, item: &Item, options: &Options) -> Result<Loaded, Error> {
    // Checks everything in the archive before it does anything.
    let tags = item.repo_tags.iter().flatten();
    let names = tags.map(|tag| Ok(tag.parse::<ImageReference>()?)).collect::<Result<Vec<_>, Error>>()?;
    let config_file = files.get(&item.config, DOCUMENT)?;
    let content = files.document(config_file, &item.config)?;
    let config: Config = json::from_slice(&content)
        .map_err(|error| Error::Document { name: item.config.clone(), reason: error.to_string() })?;
    let layers = item.layers.as_deref().unwrap_or_default();
    if layers.len() != config.rootfs.diff_ids.len() {
        let source = Fault::LayerCount { layers: layers.len(), diff_ids: config.rootfs.diff_ids.len() };
        return Err(Error::Refused { source: Box::new(source) });
    }
    let mut skipped_devices = 0;
    let mut blobs = Vec::with_capacity(layers.len());
    for (name, diff_id) in layers.iter().zip(&config.rootfs.diff_ids) {
        let file = files.get(name, DOCUMENT)?;
        let media_type = Compression::of(&files.head(file)?).layer_type();
        let info = files.intake.keep_layer(file, diff_id, &options.target)?;
        skipped_devices += info.map_or(0, |info| info.skipped.devices);
        blobs.push(Descriptor::new(media_type, file.digest.clone(), file.size));
    }
    files.intake.keep(config_file)?;
    let config = Descriptor::new(OCI_CONFIG, config_file.digest.clone(), config_file.size);
    let manifest = manifest(store, &config, &blobs)?;
    for name in &names {
        store.tag(name, &manifest, None)?;
    }
    if names.is_empty() {
        store.add_unnamed(&manifest)?;
    }
    Ok(Loaded { id: config.digest, names, skipped_devices })
}
