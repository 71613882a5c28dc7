//! Loads images from an archive (docker-archive or oci-archive, compressed or not) or from a directory in OCI layout or
//! in that of skopeo's `dir:`.
//!
//! ```text
//! docker-archive   manifest.json: [{"Config": NAME, "RepoTags": […], "Layers": [NAME…]}], which may come last
//! oci-archive      oci-layout, index.json, blobs/ALGORITHM/HEX, in any order
//! dir              manifest.json: the image's manifest; version, HEX, signature-N (skopeo's `dir:`)
//! ```
//!
//! An archive may be a stream, so its files wait in the store's `tmp/` until rc has read the document that names them.
//! Names are keys of a table, never paths.

mod docker;
mod files;
mod oci;

use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use files::Files;

use super::Error;
use super::trust::Demand;
use crate::registry::Platform;
use crate::storage::{Store, Target};
use crate::sys::fs::{self, PathError};
use crate::types::{Digest, ImageReference};

/// The source of images.
pub(crate) enum Input {
    /// An archive.
    Archive(Box<dyn Read + Send>),
    /// A directory in OCI layout, or in that of skopeo's `dir:`.
    Directory(PathBuf),
}

impl Input {
    /// The archive in a file.
    pub(crate) fn file(path: &Path) -> Result<Self, PathError> {
        Ok(Self::Archive(Box::new(fs::open(path)?)))
    }
}

/// How images are loaded.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// The platform that an image must be for, if there is a choice; `None` is that of this host.
    pub(crate) platform: Option<Platform>,
    /// The image to load, by its name in the archive; `None` loads all.
    pub(crate) only: Option<String>,
    /// Images get no names: they are found by their IDs.
    pub(crate) unnamed: bool,
    /// What the policy demands of the images.
    pub(crate) demand: Demand,
    /// The ID map to unpack layers for.
    pub(crate) target: Target,
}

/// An image that was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Loaded {
    /// Its ID.
    pub(crate) id: Digest,
    /// The names that the archive has given it.
    pub(crate) names: Vec<ImageReference>,
    /// Devices in its layers, which an ordinary user cannot create: for a warning.
    pub(crate) skipped_devices: u64,
}

/// Loads all images of `input`, in its order. Everything in an image is checked before it gets a name; on failure, the
/// images before the damaged one stay.
///
/// This starts threads: do not call it in a process that will still fork.
pub(crate) fn load(store: &Store, input: Input, options: &Options) -> Result<Vec<Loaded>, Error> {
    let ingest = store.begin_ingest()?;
    let mut files = match input {
        Input::Archive(reader) => Files::from_archive(store, reader)?,
        Input::Directory(path) => Files::from_directory(store, &path)?,
    };
    // Today's docker saves both formats in one archive; its own document has the full names, and podman reads that too.
    let manifest = files.dir_manifest()?;
    if options.demand.needs_signatures() {
        let ((document, signatures), place) = match &manifest {
            Some(manifest) => (files.signed(manifest)?, "in the directory (`signature-1`)"),
            None => ((Vec::new(), Vec::new()), "in an archive or a directory of this format"),
        };
        options.demand.check(&document, &signatures, place)?;
    }
    let loaded = if let Some(manifest) = manifest {
        vec![oci::load_one(store, &files, &manifest, None, options)?]
    } else if files.has(docker::DOCUMENT) {
        docker::load(store, &files, options)?
    } else if files.has(oci::DOCUMENT) {
        oci::load(store, &files, options)?
    } else {
        return Err(Error::NoImage { is_filesystem: files.is_filesystem() });
    };
    ingest.finish()?;
    Ok(loaded)
}

#[cfg(test)]
mod tests;
