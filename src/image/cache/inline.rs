//! The cache in an image: its configuration says which steps have made its layers (`--cache-to type=inline`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::Place;
use crate::build::cache_config::{self, CachedStep};
use crate::registry::Platform;
use crate::registry::manifest::Kind;
use crate::storage::Descriptor;
use crate::types::{Digest, Report, json};

/// The field of the configuration. Source: BuildKit, `exporter/containerimage/image`.
pub(crate) const FIELD: &str = "moby.buildkit.cache.v0";

/// As much of a configuration as is read.
#[derive(Deserialize)]
struct Configuration {
    rootfs: RootFs,
    /// What Go writes for bytes: base64.
    #[serde(default, rename = "moby.buildkit.cache.v0")]
    cache: Option<String>,
}

#[derive(Deserialize)]
struct RootFs {
    #[serde(default)]
    diff_ids: Vec<Digest>,
}

/// The value of [`FIELD`] for these records.
pub(crate) fn field(records: &[u8]) -> String {
    STANDARD.encode(records)
}

/// Reads which steps have made the layers of an image of the store, whose configuration this is; `None` if it does not
/// say. Fails with a sentence.
pub(crate) fn steps_here(configuration: &[u8]) -> Result<Option<Vec<CachedStep>>, String> {
    let Configuration { rootfs, cache } = json::from_slice(configuration).map_err(|error| error.to_string())?;
    let Some(cache) = cache else { return Ok(None) };
    let records = STANDARD.decode(cache).map_err(|error| error.to_string())?;
    // The store knows layers by their diff IDs.
    let layer = |diff_id: Digest| (Descriptor::new("", diff_id.clone(), 0), diff_id);
    cache_config::read_inline(&records, &rootfs.diff_ids.into_iter().map(layer).collect::<Vec<_>>()).map(Some)
}

/// Reads which steps have made the layers of the image with this manifest; of an index, of the image for `platform`.
/// Fails with a sentence.
pub(super) fn steps(place: &Place, document: &[u8], platform: &Platform) -> Result<Vec<CachedStep>, String> {
    let sentence = |report: Report| report.message;
    let mut kind = Kind::parse(document, "").map_err(|fault| fault.to_string())?;
    if let Kind::Index(index) = &kind {
        let chosen = index.choose(platform).map_err(|fault| fault.to_string())?;
        let inner = place.manifest_of(chosen).map_err(sentence)?;
        kind = Kind::parse(&inner, "").map_err(|fault| fault.to_string())?;
    }
    let Kind::Manifest(manifest) = kind else { return Err("it is an index in an index".to_owned()) };
    let bytes = place.document(&manifest.config).map_err(sentence)?;
    let Configuration { rootfs, cache } = json::from_slice(&bytes).map_err(|error| error.to_string())?;
    let Some(cache) = cache else {
        return Err("it is an image without a cache: build it with --cache-to type=inline".to_owned());
    };
    if manifest.layers.len() != rootfs.diff_ids.len() {
        return Err("its manifest and its configuration have different numbers of layers".to_owned());
    }
    let records = STANDARD.decode(cache).map_err(|error| error.to_string())?;
    let layers = manifest.layers.into_iter().zip(rootfs.diff_ids).map(|(layer, diff_id)| {
        let blob = Descriptor::new(layer.media_type, layer.digest, layer.size);
        (blob, diff_id)
    });
    cache_config::read_inline(&records, &layers.collect::<Vec<_>>())
}
