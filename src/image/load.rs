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
use super::trust::Policy;
use crate::registry::Platform;
use crate::storage::{Descriptor, Store, Target};
use crate::sys::fs::{self, PathError};
use crate::types::{Digest, ImageReference};

/// The source of images.
pub(crate) enum Input {
    /// An archive, and its path if it has one.
    Archive(Box<dyn Read + Send>, Option<PathBuf>),
    /// A directory in OCI layout, or in that of skopeo's `dir:`.
    Directory(PathBuf),
}

impl Input {
    /// The archive in a file.
    pub(crate) fn file(path: &Path) -> Result<Self, PathError> {
        Ok(Self::Archive(Box::new(fs::open(path)?), Some(path.to_owned())))
    }

    /// Where it is, as a policy and messages call it: without links; a stream is its own name.
    fn place(&self) -> PathBuf {
        match self {
            Self::Archive(_, None) => PathBuf::from("the archive"),
            Self::Archive(_, Some(path)) | Self::Directory(path) => {
                path.canonicalize().unwrap_or_else(|_| path.clone())
            }
        }
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
    /// Which images may come in.
    pub(crate) policy: Policy,
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
    let place = input.place();
    let (mut files, oci) = match input {
        Input::Archive(reader, _) => (Files::from_archive(store, reader)?, "oci-archive"),
        Input::Directory(path) => (Files::from_directory(store, &path)?, "oci"),
    };
    // Today's docker saves both formats in one archive; its own document has the full names, and podman reads that too.
    let format = match files.dir_manifest()? {
        Some(manifest) => Format::Dir(Box::new(manifest)),
        None if files.has(docker::DOCUMENT) => Format::Docker,
        None if files.has(oci::DOCUMENT) => Format::Oci,
        None => return Err(Error::NoImage { is_filesystem: files.is_filesystem() }),
    };
    check(&files, &format, oci, &place, &options.policy)?;
    let loaded = match format {
        Format::Dir(manifest) => vec![oci::load_one(store, &files, &manifest, None, options)?],
        Format::Docker => docker::load(store, &files, options)?,
        Format::Oci => oci::load(store, &files, options)?,
    };
    ingest.finish()?;
    Ok(loaded)
}

/// What the files of an archive or a directory are.
enum Format {
    /// skopeo's `dir:`, with this manifest.
    Dir(Box<Descriptor>),
    /// docker's.
    Docker,
    /// An OCI layout.
    Oci,
}

/// Checks that the policy lets images of this format in from this place. What the files are decides, not what somebody
/// calls them. `oci` is podman's name of an OCI layout here.
fn check(files: &Files, format: &Format, oci: &str, place: &Path, policy: &Policy) -> Result<(), Error> {
    let transport = match format {
        Format::Dir(_) => "dir",
        Format::Docker => "docker-archive",
        Format::Oci => oci,
    };
    let demand = policy.demand_of_archive(transport, place)?;
    if !demand.needs_signatures() {
        return Ok(());
    }
    let ((document, signatures), at) = match format {
        Format::Dir(manifest) => (files.signed(manifest)?, "in the directory (`signature-1`)"),
        _ => ((Vec::new(), Vec::new()), "in an archive or a directory of this format"),
    };
    Ok(demand.check(&document, &signatures, at)?)
}

#[cfg(test)]
mod tests;
