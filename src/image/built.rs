//! Stores an image that was built: its configuration and manifest, over layers that are there already.

use std::collections::BTreeMap;

use super::format::Format;
use super::make::{typed_config, typed_manifest};
use super::{Config, Error};
use crate::storage::{Descriptor, Store};
use crate::types::{Digest, ImageReference};

/// An image that was built.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    /// Its configuration, with the diff IDs of its layers.
    pub(crate) config: Config,
    /// Its layers, lowest first.
    pub(crate) layers: Vec<Descriptor>,
    /// Its names; none: it can be found by its ID.
    pub(crate) names: Vec<ImageReference>,
    /// Annotations of its manifest.
    pub(crate) annotations: BTreeMap<String, String>,
    /// The type of its manifest.
    pub(crate) format: Format,
}

/// Stores an image whose layers are in the store, and returns its ID and the digest of its manifest. The caller keeps
/// them from being collected ([`Store::begin_ingest`]).
pub(crate) fn store(store: &Store, built: &Built) -> Result<(Digest, Digest), Error> {
    let config = typed_config(store, &built.config, built.format)?;
    let manifest = typed_manifest(store, &config, &built.layers, &built.annotations, built.format)?;
    for name in &built.names {
        store.tag(name, &manifest, None)?;
    }
    if built.names.is_empty() {
        store.add_unnamed(&manifest)?;
    }
    Ok((config.digest, manifest.digest))
}
