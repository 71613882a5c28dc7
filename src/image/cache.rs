//! Caches of builds outside the store: in a directory, or in a repository of a registry.
//!
//! ```text
//! manifest ─┬─ configuration   which steps there are (`build::cache_config`)
//!           └─ layers          compressed with gzip
//! ```
//! What comes from there is foreign: documents are small and have their digests, and a layer is what its diff ID says
//! before anything has a name (safety.md I1–I8; build.md B17).

mod inline;
mod place;

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

pub(crate) use self::inline::{FIELD as INLINE_FIELD, field as inline_field, steps_here};
pub(crate) use self::place::Place;
use super::format::OCI_MANIFEST;
use super::push::packing;
use crate::build::cache_config::{self, CACHE_CONFIG, CachedStep};
use crate::registry::Platform;
use crate::registry::manifest::Descriptor as Reference;
use crate::storage::{BlobWriter, Compression, Descriptor, Naming, Store, decompress};
use crate::sys::fs::{self, AtPath as _};
use crate::types::{Digest, Report, ReportKind, json};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    schema_version: u32,
    media_type: &'a str,
    config: &'a Descriptor,
    layers: &'a [Descriptor],
}

/// As much of a manifest as is read.
#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    config: Option<Reference>,
}

/// Writes these steps to a place, and returns the digest of the manifest. `scratch` is a directory that this makes.
///
/// On failure a part of the layers is there, without a name.
pub(crate) fn export(
    store: &Store,
    mut steps: Vec<CachedStep>,
    place: &Place,
    scratch: &Path,
) -> Result<Digest, Report> {
    fs::create_dir(scratch)?;
    let mut packed: BTreeMap<Digest, Descriptor> = BTreeMap::new();
    for step in &mut steps {
        let Some(layer) = &step.record.layer else { continue };
        let blob = match packed.get(&layer.digest) {
            Some(known) => known.clone(),
            None => {
                let path = scratch.join(layer.digest.hex());
                let plain = store.verified_blob(&layer.digest).map_err(Report::from)?;
                let (digest, size) = packing::pack(plain, &path, Compression::Gzip, None).at("write", &path)?;
                let blob = Descriptor::new(Compression::Gzip.layer_type(), digest, size);
                place.put(&blob, &path)?;
                fs::remove_file(&path)?;
                packed.insert(layer.digest.clone(), blob.clone());
                blob
            }
        };
        step.blob = Some(blob);
    }
    let internal =
        |error: serde_json::Error| Report::new(ReportKind::Internal, format!("cannot write a cache: {error}"));
    let (config, layers) = cache_config::write(&steps).map_err(internal)?;
    let config = place.put_document(CACHE_CONFIG, &config, &scratch.join("config"))?;
    let manifest = Manifest { schema_version: 2, media_type: OCI_MANIFEST, config: &config, layers: &layers };
    place.name(OCI_MANIFEST, serde_json::to_vec(&manifest).map_err(internal)?)
}

/// Reads which steps a place has: a cache, or an image with one for `platform`.
pub(crate) fn steps(place: &Place, platform: &Platform) -> Result<Vec<CachedStep>, Report> {
    let refuse = |reason: String| Report::new(ReportKind::Invalid, format!("the cache `{place}`: {reason}"));
    let document = place.manifest()?;
    let found: Found = json::from_slice(&document).map_err(|error| refuse(error.to_string()))?;
    let steps = match found.config.filter(|config| config.media_type == CACHE_CONFIG) {
        Some(config) => cache_config::read(&place.document(&config)?),
        None => inline::steps(place, &document, platform),
    };
    steps.map_err(refuse)
}

/// Brings the layer of a step into the store, as a blob without compression, and checks its digest. `scratch` is the
/// path of a file that this makes and removes.
pub(crate) fn fetch(store: &Store, place: &Place, step: &CachedStep, scratch: &Path) -> Result<(), Report> {
    let (Some(layer), Some(blob)) = (&step.record.layer, &step.blob) else { return Ok(()) };
    let Some(mut writer) = store.begin_blob(&layer.digest, layer.size).map_err(Report::from)? else { return Ok(()) };
    writer.restart().map_err(Report::from)?;
    let received = receive(place, blob, scratch, layer.size, &mut writer);
    drop(fs::remove_file(scratch));
    let failed = |cause: String| format!("cannot take layer {} from `{place}`: {cause}", blob.digest);
    match received {
        Ok(()) => writer.finish(Naming::Unsynced).map(drop).map_err(|error| {
            let message = failed(error.to_string());
            Report::from(error).with_message(message)
        }),
        Err(error) => {
            writer.discard().map_err(Report::from)?;
            Err(Report::new(ReportKind::of_step(&error), failed(fs::plain(&error))))
        }
    }
}

/// Decompresses a blob into `writer`, which takes no more than `size` bytes.
fn receive(place: &Place, blob: &Descriptor, scratch: &Path, size: u64, writer: &mut BlobWriter) -> io::Result<()> {
    let plain = decompress(place.open(blob, scratch)?)?;
    io::copy(&mut plain.take(size.saturating_add(1)), writer).map(drop)
}
