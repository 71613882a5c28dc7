//! Brings in images from an archive (docker-archive or oci-archive, compressed or not) or from a directory in OCI
//! layout.
//!
//! ```text
//! docker-archive   manifest.json: [{"Config": NAME, "RepoTags": […], "Layers": [NAME…]}], which may come last
//! oci-archive      oci-layout, index.json, blobs/ALGORITHM/HEX, in any order
//! ```
//!
//! An archive may come as a stream, so its files wait in the store's `tmp/` until the document that names them is
//! there. Names are keys of a table, never paths.

mod docker;
mod files;
mod oci;

use std::io::Read;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use files::Files;

use super::Error;
use crate::registry::Platform;
use crate::storage::{Store, Target};
use crate::types::{Digest, ImageReference};

/// Where images come from.
pub(crate) enum Input {
    /// An archive.
    Archive(Box<dyn Read + Send>),
    /// A directory in OCI layout.
    Directory(PathBuf),
}

/// How images are loaded.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// What an image has to run on, where there is a choice; `None` is this machine.
    pub(crate) platform: Option<Platform>,
    /// For whom layers are unpacked.
    pub(crate) target: Target,
}

/// An image that was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Loaded {
    /// Its id.
    pub(crate) id: Digest,
    /// The names that it has now by the archive.
    pub(crate) names: Vec<ImageReference>,
    /// Devices in its layers, which an ordinary user cannot make: for a warning.
    pub(crate) skipped_devices: u64,
}

/// Loads all images of `input`, in its order. Everything that an image is made of is checked before it gets a name; on
/// failure, images before the damaged one stay.
///
/// Threads start here: not in a process that will still fork.
pub(crate) fn load(store: &Store, input: Input, options: &Options) -> Result<Vec<Loaded>, Error> {
    let ingest = store.begin_ingest()?;
    let files = match input {
        Input::Archive(reader) => Files::from_archive(store, reader)?,
        Input::Directory(path) => Files::from_directory(store, &path)?,
    };
    // What docker saves today is both; then its own document has the full names, as podman reads it too.
    let loaded = if files.has(docker::DOCUMENT) {
        docker::load(store, &files, options)?
    } else if files.has(oci::DOCUMENT) {
        oci::load(store, &files, options)?
    } else {
        return Err(Error::NoImage);
    };
    ingest.finish()?;
    Ok(loaded)
}

#[cfg(test)]
mod tests;
