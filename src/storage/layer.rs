//! Layers: a blob is decompressed, hashed and unpacked as one stream, in `tmp/`, and named by its diff id when all of
//! it is right and on disk. Then it never changes.
//!
//! ```text
//! layers/MAP/sha256-HEX/fs       the files; whiteouts are 0:0 character devices, opaque directories have an attribute
//!                      /info     {"size": bytes of the uncompressed archive, "skipped": …}
//!                      /owners   where everything is stored as the user: UID:GID:PATH and a zero byte, for all but 0:0
//! ```

mod ahead;
mod attributes;
mod beneath;
mod content;
mod directories;
mod extract;
mod parents;
mod receive;
mod whiteout;

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use receive::Opened;

use super::compress::decompress;
use super::escape::Escaped;
use super::remove::remove_at;
use super::tar::{self, Reader};
use super::{Hasher, Store, stage};
use crate::sys::fs::{self, AtPath as _, PathError, plain};
use crate::types::{Algorithm, Digest, Report, ReportKind, json};

/// For whom layers are unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The directory below `layers/`: one for each id map (`userns::IdMap::key`).
    pub(crate) map: String,
    /// What happens to owners.
    pub(crate) ownership: Ownership,
}

/// What happens to the owners of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// Files get the container's ids as they are: this process is root of the user's namespace. Ids from 0 to one less
    /// than these are mapped.
    Mapped {
        /// User ids.
        users: u32,
        /// Group ids.
        groups: u32,
    },
    /// All files belong to the user; their owners are written to a table beside the layer.
    Single,
}

/// What of a layer was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Skipped {
    /// Character and block devices.
    pub(crate) devices: u64,
    /// Extended attributes that the file system does not take.
    pub(crate) attributes: u64,
}

/// What is known of an unpacked layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Info {
    /// Bytes of the uncompressed archive.
    pub(crate) size: u64,
    /// What was not kept.
    pub(crate) skipped: Skipped,
}

/// Why a layer could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The archive is damaged, cut off, or not one.
    #[error(transparent)]
    Archive(#[from] tar::Error),
    /// A file of the store failed.
    #[error(transparent)]
    Path(#[from] PathError),
    /// An entry could not be written.
    #[error("cannot {action} `{}` of the layer: {}", Escaped(.path), plain(.source))]
    Entry {
        /// What was tried.
        action: &'static str,
        /// The path in the layer.
        path: Vec<u8>,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A hard link leads nowhere.
    #[error("cannot link `{}` of the layer to `{}`: {}", Escaped(.path), Escaped(.target), plain(.source))]
    Link {
        /// The link.
        path: Vec<u8>,
        /// Where it leads.
        target: Vec<u8>,
        /// The kernel's answer.
        source: io::Error,
    },
    /// An owner is not in the id map.
    #[error(
        "`{}` of the layer belongs to {what} {id}, but only the ids 0 to {} are mapped",
        Escaped(.path), .count.saturating_sub(1)
    )]
    Id {
        /// The path as it stands in the archive.
        path: Vec<u8>,
        /// `user` or `group`.
        what: &'static str,
        /// The id.
        id: i64,
        /// How many ids are mapped.
        count: u32,
    },
    /// A name that begins with `.wh.` hides nothing that there could be.
    #[error("`{}` of the layer is not a whiteout of a name", Escaped(.path))]
    Whiteout {
        /// The path as it stands in the archive.
        path: Vec<u8>,
    },
    /// The root would become something else than a directory.
    #[error("`{}` of the layer is the root, but not a directory", Escaped(.path))]
    Root {
        /// The path as it stands in the archive.
        path: Vec<u8>,
    },
    /// The content is not what the image's configuration says.
    #[error("its content has diff id `{actual}`, expected `{expected}`")]
    DiffId {
        /// What the configuration says.
        expected: Digest,
        /// What was unpacked.
        actual: Digest,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Archive(error) => return error.into(),
            Error::Path(error) => return error.into(),
            Error::Entry { ref source, .. } | Error::Link { ref source, .. } => ReportKind::of_step(source),
            Error::Id { .. } => ReportKind::Unsupported,
            Error::Whiteout { .. } | Error::Root { .. } => ReportKind::Invalid,
            Error::DiffId { .. } => ReportKind::Damaged,
        };
        Self::new(kind, error.to_string()).with_hint_of(error.hint())
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Archive(error.into())
    }
}

impl Error {
    /// What the user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Id { id, count, .. } if *id >= i64::from(*count) && *id < i64::from(u32::MAX) => Some(format!(
                "give the user a range of more than {id} ids in `/etc/subuid` and `/etc/subgid`, then pull again"
            )),
            _ => None,
        }
    }
}

impl Store {
    /// The directory of a layer, whether it is there or not; its files are in `fs` below.
    pub(crate) fn layer_path(&self, map: &str, diff_id: &Digest) -> PathBuf {
        self.root.join("layers").join(map).join(directory_name(diff_id))
    }

    /// Whether a layer is there, unpacked for this map. Looks at what is written last (`info`).
    pub(crate) fn has_layer(&self, map: &str, diff_id: &Digest) -> Result<bool, PathError> {
        match fs::symlink_metadata(self.layer_path(map, diff_id).join("info")) {
            Ok(info) => Ok(info.is_file() && info.len() > 0),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What is known of an unpacked layer; `None` if it is not there.
    pub(crate) fn layer_info(&self, map: &str, diff_id: &Digest) -> Result<Option<Info>, super::Error> {
        let path = self.layer_path(map, diff_id).join("info");
        let bytes = match fs::read_record(&path, 4096) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let info = json::from_slice(&bytes);
        info.map(Some).map_err(|source| super::Error::Json { what: format!("`{}`", path.display()), source })
    }

    /// Starts to unpack the layer `diff_id`; `None` if it is there. Waits while another process unpacks the same one.
    pub(super) fn begin_layer(&self, target: &Target, diff_id: &Digest) -> Result<Option<LayerStage>, PathError> {
        let path = self.tmp().join(format!("layer-{}-{}", target.map, directory_name(diff_id)));
        loop {
            if self.has_layer(&target.map, diff_id)? {
                return Ok(None);
            }
            if let Some(lock) = stage::claim_directory(&path)? {
                let expected = Some(diff_id.clone());
                let stage =
                    LayerStage { store: self.clone(), target: target.clone(), path: path.clone(), lock, expected };
                // Somebody may have finished it between the look and the claim; the stage goes then.
                if self.has_layer(&target.map, diff_id)? {
                    return Ok(None);
                }
                return Ok(Some(stage));
            }
        }
    }

    /// Starts to unpack a layer whose diff id is not known yet.
    pub(super) fn new_layer(&self, target: &Target) -> Result<LayerStage, PathError> {
        let (path, lock) = stage::new_directory(&self.tmp(), "layer")?;
        Ok(LayerStage { store: self.clone(), target: target.clone(), path, lock, expected: None })
    }
}

pub(super) fn directory_name(diff_id: &Digest) -> String {
    format!("{}-{}", diff_id.algorithm().as_str(), diff_id.hex())
}

/// A layer that is being unpacked; dropped unfinished, it is gone.
pub(super) struct LayerStage {
    store: Store,
    target: Target,
    path: PathBuf,
    lock: File,
    expected: Option<Digest>,
}

impl LayerStage {
    /// Unpacks the blob that `blob` reads, to its very end, and checks the diff id. Nothing has a name yet.
    pub(super) fn unpack(self, blob: impl Read + Send) -> Result<UnpackedLayer, Error> {
        let decoder = decompress(blob)?;
        let fs_path = self.path.join("fs");
        fs::create_dir(&fs_path)?;
        let root = fs::open(&fs_path)?;
        let algorithm = self.expected.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
        let umask = umask()?;
        let ownership = self.target.ownership;
        let (kept, hash, size) = ahead::read_ahead(decoder, Hasher::new(algorithm), |chunks| {
            let mut archive = Reader::new(chunks);
            let kept = extract::Extractor::new(root.into(), ownership, umask).unpack(&mut archive)?;
            archive.finish()?;
            Ok::<_, Error>(kept)
        })?;
        let diff_id = hash.finish();
        if let Some(expected) = &self.expected
            && *expected != diff_id
        {
            return Err(Error::DiffId { expected: expected.clone(), actual: diff_id });
        }
        let (owners, skipped) = kept;
        if !owners.is_empty() {
            fs::write(self.path.join("owners"), owners.to_bytes())?;
        }
        let info = Info { size, skipped };
        let bytes = serde_json::to_vec(&info).map_err(io::Error::from)?;
        fs::write(self.path.join("info"), bytes)?;
        Ok(UnpackedLayer { stage: self, diff_id, info })
    }
}

impl Drop for LayerStage {
    fn drop(&mut self) {
        // Once named, this path is free, and may be another's stage by now. If it cannot be removed now, the sweeper
        // comes by later.
        if stage::is_same(&self.lock, &self.path).is_ok_and(|is_ours| is_ours) {
            drop(remove_at(&self.path));
        }
    }
}

/// A layer that is complete and right, and has no name yet.
pub(super) struct UnpackedLayer {
    stage: LayerStage,
    /// The digest of the uncompressed archive.
    pub(super) diff_id: Digest,
    pub(super) info: Info,
}

impl UnpackedLayer {
    /// Syncs the layer and names it; fine if another process was faster.
    pub(super) fn name(self) -> Result<(), PathError> {
        let stage = &self.stage;
        let target = stage.store.layer_path(&stage.target.map, &self.diff_id);
        let Some(directory) = target.parent() else { return Ok(()) };
        fs::create_dir_all(directory)?;
        rustix::fs::syncfs(&stage.lock).at("sync", &stage.path)?;
        match fs::rename(&stage.path, &target) {
            Ok(()) => fs::sync_dir(directory),
            // Somebody else has unpacked the same content under another name of its blob.
            Err(_) if stage.store.has_layer(&stage.target.map, &self.diff_id)? => Ok(()),
            Err(error) if error.source.kind() == io::ErrorKind::DirectoryNotEmpty => {
                // What is left of a damaged one.
                stage.store.throw_away(&target)?;
                fs::rename(&stage.path, &target)?;
                fs::sync_dir(directory)
            }
            Err(error) => Err(error),
        }
    }
}

/// An entry of the archive could not be written.
fn failed(action: &'static str, path: &[u8], source: impl Into<io::Error>) -> Error {
    Error::Entry { action, path: path.to_vec(), source: source.into() }
}

/// The file mode creation mask, without changing it: that would race with other threads.
fn umask() -> Result<u32, PathError> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    Ok(line.and_then(|text| u32::from_str_radix(text.trim(), 8).ok()).unwrap_or(0o777))
}

#[cfg(test)]
mod tests;
