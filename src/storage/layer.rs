//! Layers: a blob is decompressed, hashed and unpacked as one stream, in `tmp/`, and named by its diff ID when
//! everything is right. Then it never changes.
//!
//! ```text
//! layers/MAP/sha256-HEX/fs       the files; whiteouts are 0:0 character devices, opaque directories have an attribute
//!                      /info     {"size": bytes of the uncompressed archive, "skipped": …}: everything is on disk
//!                      /unsynced the same until then, with the boot in which that was, see `record`
//!                      /root     empty: an entry describes the root directory, whose attributes `fs` has
//!                      /copied   the files that a step of a build has copied from its context, see `build::copy`
//!                      /owners   if everything is stored as the user: UID:GID:PATH and a zero byte, for all but 0:0
//! ```

mod ahead;
mod attributes;
mod beneath;
mod content;
mod directories;
mod extract;
mod keep;
mod look;
pub(crate) mod mapped;
mod owners;
mod parents;
mod receive;
mod record;
mod whiteout;

use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub(crate) use keep::{COPIED, Form};
pub(crate) use look::read_in_layers;
pub(crate) use receive::Opened;
pub(crate) use record::{Naming, has_record};
pub(super) use whiteout::{OPAQUE, is_whiteout};

use super::compress::decompress;
use super::escape::Escaped;
use super::remove::remove_at;
use super::tar::{self, Reader};
use super::{Hasher, Store, stage};
use crate::sys::filesystem;
use crate::sys::fs::{self, AtPath as _, PathError, plain};
use crate::types::{Algorithm, Digest, Report, ReportKind};

/// The ID map that layers are unpacked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The directory below `layers/`: one for each ID map (`userns::IdMap::key`).
    pub(crate) map: String,
    /// What happens to owners.
    pub(crate) ownership: Ownership,
}

/// What happens to the owners of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ownership {
    /// Files get the container's IDs as they are: this process is root in the root namespace. IDs from 0 to one less
    /// than these are mapped.
    Mapped {
        /// User IDs.
        users: u32,
        /// Group IDs.
        groups: u32,
    },
    /// All files belong to the user; their owners are written to a table beside the layer.
    Single,
}

/// The parts of a layer that could not be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Skipped {
    /// Character and block devices.
    pub(crate) devices: u64,
    /// Extended attributes that the filesystem does not support.
    pub(crate) attributes: u64,
}

/// What rc knows about an unpacked layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Info {
    /// Bytes of the uncompressed archive.
    pub(crate) size: u64,
    /// The parts that were skipped.
    pub(crate) skipped: Skipped,
}

/// Why a layer could not be unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The archive is damaged, truncated, or not an archive.
    #[error(transparent)]
    Archive(#[from] tar::Error),
    /// An operation on a file of the store failed.
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
    /// The target of a hard link does not exist.
    #[error("cannot link `{}` of the layer to `{}`: {}", Escaped(.path), Escaped(.target), plain(.source))]
    Link {
        /// The link.
        path: Vec<u8>,
        /// Its target.
        target: Vec<u8>,
        /// The kernel's answer.
        source: io::Error,
    },
    /// An owner is not in the ID map.
    #[error(
        "`{}` of the layer belongs to {what} {id}, but only the IDs 0 to {} are mapped",
        Escaped(.path), .count.saturating_sub(1)
    )]
    Id {
        /// The path as in the archive.
        path: Vec<u8>,
        /// `user` or `group`.
        what: &'static str,
        /// The ID.
        id: i64,
        /// How many IDs are mapped.
        count: u32,
    },
    /// An owner has no ID in the container's user namespace.
    #[error("`{}` of the image belongs to {what} {id}, who is not in the container's user namespace", Escaped(.path))]
    Unmapped {
        /// The path in the layer.
        path: Vec<u8>,
        /// `user` or `group`.
        what: &'static str,
        /// The ID.
        id: u32,
    },
    /// A name with the prefix `.wh.` that is not a whiteout of a possible name.
    #[error("`{}` of the layer is not a whiteout of a name", Escaped(.path))]
    Whiteout {
        /// The path as in the archive.
        path: Vec<u8>,
    },
    /// An entry would replace the root by something that is not a directory.
    #[error("`{}` of the layer is the root, but not a directory", Escaped(.path))]
    Root {
        /// The path as in the archive.
        path: Vec<u8>,
    },
    /// The content does not match the image's configuration.
    #[error("its content has diff ID `{actual}`, expected `{expected}`")]
    DiffId {
        /// The diff ID in the configuration.
        expected: Digest,
        /// The diff ID of the unpacked content.
        actual: Digest,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Archive(error) => return error.into(),
            Error::Path(error) => return error.into(),
            Error::Entry { ref source, .. } | Error::Link { ref source, .. } => ReportKind::of_step(source),
            Error::Id { .. } | Error::Unmapped { .. } => ReportKind::Unsupported,
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
    /// How the user can fix it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Id { id, count, .. } if *id >= i64::from(*count) && *id < i64::from(u32::MAX) => Some(format!(
                "give the user a range of more than {id} IDs in `/etc/subuid` and `/etc/subgid`, then pull again"
            )),
            Self::Unmapped { id, .. } => Some(format!(
                "map it as well: `--userns auto:size={}`, or use `--userns keep-id`",
                id.saturating_add(1)
            )),
            _ => None,
        }
    }
}

impl Store {
    /// The directory of a layer, whether it exists or not; its files are in `fs` below.
    pub(crate) fn layer_path(&self, map: &str, diff_id: &Digest) -> PathBuf {
        self.root.join("layers").join(map).join(directory_name(diff_id))
    }

    /// The ID maps for which layers are unpacked.
    pub(crate) fn layer_maps(&self) -> Result<Vec<String>, PathError> {
        let maps = fs::paths_in(self.root.join("layers"))?;
        Ok(maps.iter().filter_map(|map| Some(map.file_name()?.to_str()?.to_owned())).collect())
    }

    /// Starts to unpack the layer `diff_id`; `None` if it exists. Waits while another process unpacks the same one.
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
                // Another process may have finished it before we got the lock; the stage is dropped then.
                if self.has_layer(&target.map, diff_id)? {
                    return Ok(None);
                }
                return Ok(Some(stage));
            }
        }
    }

    /// Starts to unpack a layer whose diff ID is not known yet.
    pub(super) fn new_layer(&self, target: &Target) -> Result<LayerStage, PathError> {
        let (path, lock) = stage::new_directory(&self.tmp(), "layer")?;
        Ok(LayerStage { store: self.clone(), target: target.clone(), path, lock, expected: None })
    }
}

pub(super) fn directory_name(diff_id: &Digest) -> String {
    format!("{}-{}", diff_id.algorithm().as_str(), diff_id.hex())
}

/// A layer that is being unpacked; dropped unfinished, it is removed.
pub(super) struct LayerStage {
    store: Store,
    target: Target,
    path: PathBuf,
    lock: File,
    expected: Option<Digest>,
}

impl LayerStage {
    /// Unpacks the blob that `blob` reads, to its very end, and checks the diff ID. Nothing has a name yet.
    pub(super) fn unpack(self, blob: impl Read + Send) -> Result<UnpackedLayer, Error> {
        let decoder = decompress(blob)?;
        let root = fs::open(self.make_root()?)?;
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
        if !kept.owners.is_empty() {
            fs::write(self.path.join("owners"), kept.owners.to_bytes())?;
        }
        if kept.describes_root {
            fs::write(self.path.join("root"), "")?;
        }
        let info = Info { size, skipped: kept.skipped };
        record::write(&self.lock, info).at("write the record of", &self.path)?;
        Ok(UnpackedLayer { stage: self, diff_id, info })
    }

    /// Creates the directory of the files, far on the disk from those of other layers: for minutes ext4 steps over each
    /// inode that was deleted nearby (fs/ext4/ialloc.c, `recently_deleted`). The place depends on the name at its
    /// creation, so that a layer which is pulled again after `rmi` needs another name than before.
    fn make_root(&self) -> Result<PathBuf, PathError> {
        let (path, made) =
            (self.path.join("fs"), self.path.join(format!("fs-{:016x}", RandomState::new().hash_one(0))));
        let spread = filesystem::spread_subdirectories(self.lock.try_clone().at("open", &self.path)?.into());
        fs::create_dir(&made)?;
        drop(spread);
        fs::rename(&made, &path)?;
        Ok(path)
    }
}

impl Drop for LayerStage {
    fn drop(&mut self) {
        // Once the layer is named, this path is free, and may already be another process' stage. If it cannot be
        // removed now, the sweeper removes it later.
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
    /// Names the layer; succeeds if another process was faster. With [`Naming::Synced`] it is on disk then.
    pub(super) fn name(self, naming: Naming) -> Result<(), PathError> {
        let stage = &self.stage;
        let target = stage.store.layer_path(&stage.target.map, &self.diff_id);
        let Some(directory) = target.parent() else { return Ok(()) };
        fs::create_dir_all(directory)?;
        if naming == Naming::Synced {
            rustix::fs::syncfs(&stage.lock).at("sync", &stage.path)?;
            record::mark_synced(&stage.lock).at("write the record of", &stage.path)?;
            rustix::fs::fsync(&stage.lock).at("sync", &stage.path)?;
        }
        match fs::rename(&stage.path, &target) {
            Ok(()) => {}
            // Another process has unpacked the same content from another blob.
            Err(_) if stage.store.has_layer(&stage.target.map, &self.diff_id)? => return Ok(()),
            Err(error) if error.source.kind() == io::ErrorKind::DirectoryNotEmpty => {
                // The rest of a damaged layer.
                stage.store.move_to_trash(&target)?;
                fs::rename(&stage.path, &target)?;
            }
            Err(error) => return Err(error),
        }
        if naming == Naming::Synced { fs::sync_dir(directory) } else { Ok(()) }
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
