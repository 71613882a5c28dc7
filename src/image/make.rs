//! Writing the documents of an image that rc creates.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Config, Error};
use crate::storage::{self, Descriptor, Store};

/// Source: image-spec media-types.md.
pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

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
    annotated_manifest(store, config, layers, &BTreeMap::new())
}

/// As [`manifest`], with annotations.
pub(super) fn annotated_manifest(
    store: &Store,
    config: &Descriptor,
    layers: &[Descriptor],
    annotations: &BTreeMap<String, String>,
) -> Result<Descriptor, Error> {
    let document = Document { schema_version: 2, media_type: OCI_MANIFEST, config, layers, annotations };
    write(store, OCI_MANIFEST, "a manifest", &document)
}

/// Writes a configuration.
pub(super) fn config(store: &Store, config: &Config) -> Result<Descriptor, Error> {
    write(store, OCI_CONFIG, "a configuration", config)
}

fn write(store: &Store, media_type: &str, what: &str, document: &impl Serialize) -> Result<Descriptor, Error> {
    let json = |source| Error::Storage(storage::Error::Json { what: what.to_owned(), source });
    let bytes = serde_json::to_vec(document).map_err(json)?;
    Ok(Descriptor::new(media_type, store.put_blob(&bytes)?, bytes.len() as u64))
}
