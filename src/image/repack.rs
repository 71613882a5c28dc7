//! An image whose layers are compressed otherwise, or whose manifest has another type, for an archive or a directory.

use std::io::{self, Read as _};

use super::Error;
use super::format::Format;
use super::local::LocalImage;
use super::push::document;
use super::push::packing::{self, Packing};
use crate::storage::{Compression, Descriptor, HEAD, MANIFEST_LIMIT, Naming, Store};
use crate::sys::fs;

/// Packs the layers of an image anew. What is new is in the store, and nothing names it: the caller collects no garbage
/// before it is written, and leaves a mark ([`Store::begin_ingest`]).
pub(crate) fn repack(
    store: &Store,
    mut image: LocalImage,
    packing: Packing,
    format: Option<Format>,
) -> Result<LocalImage, Error> {
    let scratch = store.scratch()?;
    let mut layers = Vec::new();
    for layer in &image.layers {
        let mut head = Vec::new();
        let blob = store.open_blob(&layer.blob.digest)?;
        blob.take(HEAD as u64).read_to_end(&mut head).map_err(|source| Error::Read { source })?;
        let found = Compression::of(&head);
        let Some((wanted, level)) = packing.for_layer(found, format) else {
            layers.push(Descriptor::new(found.layer_type(), layer.blob.digest.clone(), layer.blob.size));
            continue;
        };
        let path = scratch.path().join(layer.blob.digest.hex());
        let plain = store.verified_blob(&layer.blob.digest)?;
        let (digest, size) = packing::pack(plain, &path, wanted, level).map_err(|source| Error::Write { source })?;
        if let Some(mut writer) = store.begin_blob(&digest, size)? {
            writer.restart()?;
            io::copy(&mut fs::open(&path)?, &mut writer).map_err(|source| Error::Write { source })?;
            writer.finish(Naming::Unsynced)?;
        }
        fs::remove_file(&path)?;
        layers.push(Descriptor::new(wanted.layer_type(), digest, size));
    }
    let old = store.read_blob(&image.manifest.digest, MANIFEST_LIMIT)?;
    if let Some((bytes, media_type)) = document::manifest(&old, &image, &layers, format)? {
        let digest = store.put_blob(&bytes)?;
        image.manifest = Descriptor::new(media_type, digest, bytes.len() as u64);
        image.layers.iter_mut().zip(layers).for_each(|(layer, packed)| layer.blob = packed);
    }
    Ok(image)
}
