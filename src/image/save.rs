//! Writes images to an archive, with their blobs as they are in the store, and checks them on the way.

use std::collections::BTreeSet;
use std::io::Write;

use serde_json::json;
use tar::{Builder, EntryType, Header};

use super::Error;
use super::local::{LocalImage, find};
use super::make::OCI_INDEX;
use crate::storage::{REF_NAME, Store};
use crate::types::{Digest, ImageReference};

/// The format of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The format of `docker load`: manifest.json, configurations and layers.
    DockerArchive,
    /// An OCI image layout in a tar archive.
    OciArchive,
}

/// Writes the images with these names or IDs to one archive. An image that was named by its ID has no name in the
/// archive.
///
/// Fails with `NotFound` before it has written anything, or with `Write` or `DamagedBlob` in the middle: the archive is
/// useless then.
pub(crate) fn save(store: &Store, names: &[impl AsRef<str>], format: Format, output: impl Write) -> Result<(), Error> {
    // No process can remove the images meanwhile.
    let _deferred = store.defer_collection()?;
    let mut images: Vec<(LocalImage, Vec<ImageReference>)> = Vec::new();
    for name in names {
        let image = find(store, name.as_ref())?;
        let reference = image.reference.clone().filter(|reference| reference.digest().is_none());
        match images.iter_mut().find(|(other, _)| other.manifest.digest == image.manifest.digest) {
            Some((_, references)) => references.extend(reference.filter(|new| !references.contains(new))),
            None => images.push((image, reference.into_iter().collect())),
        }
    }
    let mut archive = Archive { builder: Builder::new(output), store, written: BTreeSet::new() };
    match format {
        Format::DockerArchive => archive.docker(&images)?,
        Format::OciArchive => archive.oci(&images)?,
    }
    let written = |source| Error::Write { source };
    archive.builder.into_inner().map_err(written)?.flush().map_err(written)
}

struct Archive<'a, W: Write> {
    builder: Builder<W>,
    store: &'a Store,
    written: BTreeSet<String>,
}

impl<W: Write> Archive<'_, W> {
    fn docker(&mut self, images: &[(LocalImage, Vec<ImageReference>)]) -> Result<(), Error> {
        let mut document = Vec::new();
        for (image, names) in images {
            let mut layers = Vec::new();
            for layer in &image.layers {
                let name = format!("{}.tar", layer.blob.digest.hex());
                self.blob(&name, &layer.blob.digest)?;
                layers.push(name);
            }
            let config = format!("{}.json", image.id.hex());
            self.blob(&config, &image.id)?;
            let tags: Vec<_> = names.iter().map(ToString::to_string).collect();
            document.push(json!({ "Config": config, "RepoTags": tags, "Layers": layers }));
        }
        self.file("manifest.json", json!(document).to_string().as_bytes())
    }

    fn oci(&mut self, images: &[(LocalImage, Vec<ImageReference>)]) -> Result<(), Error> {
        // Without entries for them, skopeo creates directories for root, which only root can.
        for directory in ["blobs/", "blobs/sha256/"] {
            let mut header = header(directory, 0)?;
            header.set_entry_type(EntryType::Directory);
            header.set_mode(0o755);
            header.set_cksum();
            self.builder.append(&header, std::io::empty()).map_err(|source| Error::Write { source })?;
        }
        self.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        let mut manifests = Vec::new();
        for (image, names) in images {
            let layers = image.layers.iter().map(|layer| &layer.blob.digest);
            for digest in layers.chain([&image.id, &image.manifest.digest]) {
                self.blob(&format!("blobs/{}/{}", digest.algorithm().as_str(), digest.hex()), digest)?;
            }
            let mut entry = image.manifest.clone();
            if names.is_empty() {
                manifests.push(json!(entry));
            }
            for name in names {
                entry.annotations.insert(REF_NAME.to_owned(), name.to_string());
                manifests.push(json!(entry));
            }
        }
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests });
        self.file("index.json", index.to_string().as_bytes())
    }

    /// One blob, once.
    fn blob(&mut self, name: &str, digest: &Digest) -> Result<(), Error> {
        if !self.written.insert(name.to_owned()) {
            return Ok(());
        }
        let write_failed = |source| Error::Write { source };
        let blob = self.store.verified_blob(digest)?;
        let size = blob.size().map_err(write_failed)?;
        self.builder.append(&header(name, size)?, blob).map_err(|source| match source.downcast() {
            // The next pull downloads a blob that is missing, but not one that is damaged.
            Ok(damage) => match self.store.remove_damaged_blob(digest) {
                Ok(()) => Error::Storage(damage),
                Err(error) => error.into(),
            },
            Err(source) => write_failed(source),
        })
    }

    fn file(&mut self, name: &str, content: &[u8]) -> Result<(), Error> {
        let header = header(name, content.len() as u64)?;
        self.builder.append(&header, content).map_err(|source| Error::Write { source })
    }
}

/// The same archive for the same images: no time, no user.
fn header(name: &str, size: u64) -> Result<Header, Error> {
    let mut header = Header::new_ustar();
    header.set_path(name).map_err(|source| Error::Write { source })?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    Ok(header)
}
