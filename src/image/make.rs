//! Writing the documents of an image that rc creates.

use std::collections::BTreeMap;

use serde::Serialize;

use super::format::Format;
use super::{Config, Error};
use crate::storage::{self, Descriptor, Store};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    schema_version: u32,
    media_type: &'a str,
    config: &'a Descriptor,
    layers: &'a [Descriptor],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: &'a BTreeMap<String, String>,
}

/// Writes the manifest of an image whose configuration and layers are in the store.
pub(super) fn manifest(store: &Store, config: &Descriptor, layers: &[Descriptor]) -> Result<Descriptor, Error> {
    typed_manifest(store, config, layers, &BTreeMap::new(), Format::Oci)
}

/// As [`manifest`], in this format, with annotations; docker's has none.
pub(super) fn typed_manifest(
    store: &Store,
    config: &Descriptor,
    layers: &[Descriptor],
    annotations: &BTreeMap<String, String>,
    format: Format,
) -> Result<Descriptor, Error> {
    let typed = |layer: &Descriptor| Descriptor { media_type: format.layer(&layer.media_type), ..layer.clone() };
    let layers: Vec<Descriptor> = layers.iter().map(typed).collect();
    let none = BTreeMap::new();
    let annotations = if format == Format::Docker { &none } else { annotations };
    let media_type = format.manifest();
    let document = Document { schema_version: 2, media_type, config, layers: &layers, annotations };
    write(store, media_type, "a manifest", &document)
}

/// Writes a configuration.
pub(super) fn config(store: &Store, config: &Config) -> Result<Descriptor, Error> {
    typed_config(store, config, Format::Oci)
}

/// As [`config`], for a manifest in this format.
pub(super) fn typed_config(store: &Store, config: &Config, format: Format) -> Result<Descriptor, Error> {
    write(store, format.config(), "a configuration", config)
}

fn write(store: &Store, media_type: &str, what: &str, document: &impl Serialize) -> Result<Descriptor, Error> {
    let json = |source| Error::Storage(storage::Error::Json { what: what.to_owned(), source });
    let bytes = serde_json::to_vec(document).map_err(json)?;
    Ok(Descriptor::new(media_type, store.put_blob(&bytes)?, bytes.len() as u64))
}
