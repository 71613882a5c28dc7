//! What may be wrong in the store's own directories, and how each fault is repaired.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::layer::{directory_name, has_record};
use super::{Error, Reachable, Store, index};
use crate::sys::fs::{self, Durability};
use crate::types::{Algorithm, ContainerId, Digest, Name};

/// How a fault is repaired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Repair {
    /// Remove what dead processes have left.
    Sweep,
    /// Remove blobs and layers that nothing refers to.
    Collect,
    /// Remove a blob that has changed.
    Blob(Digest),
    /// Remove the image with this manifest.
    Image(Digest),
    /// Remove a container.
    Container(ContainerId),
    /// Write the record of a volume again.
    Volume(Name),
    /// Move it to the trash.
    Trash(PathBuf),
    /// Forget all images.
    Index,
}

/// An entry of the store's directories that is not as it must be.
#[derive(Debug)]
pub(crate) struct Odd {
    /// The entry.
    pub(crate) path: PathBuf,
    /// What is wrong with it, after the path.
    pub(crate) what: &'static str,
    /// Whether it may be somebody's data.
    pub(crate) is_foreign: bool,
}

impl Store {
    /// The name of a layer's directory.
    pub(crate) fn layer_name(diff_id: &Digest) -> String {
        directory_name(diff_id)
    }

    /// All blobs, with their sizes; entries among them that are no blobs are added to `odd`.
    pub(crate) fn blobs(&self, odd: &mut Vec<Odd>) -> Result<Vec<(Digest, u64)>, Error> {
        let mut found = Vec::new();
        for directory in fs::paths_in(self.images().join("blobs"))? {
            if !fs::symlink_metadata(&directory)?.is_dir() {
                odd.push(Odd { path: directory, what: "is not a directory of blobs", is_foreign: true });
                continue;
            }
            for path in fs::paths_in(&directory)? {
                let digest = digest_of(&directory, &path);
                match (digest, fs::symlink_metadata(&path)) {
                    (Some(digest), Ok(file)) if file.is_file() => found.push((digest, file.len())),
                    // It was removed meanwhile.
                    (_, Err(_)) => {}
                    (Some(_), Ok(_)) => odd.push(Odd { path, what: "is not a file", is_foreign: false }),
                    (None, Ok(_)) => odd.push(Odd { path, what: "is not a blob", is_foreign: true }),
                }
            }
        }
        Ok(found)
    }

    /// The diff IDs of all whole layers, for any ID map; what is half made or unknown is added to `odd`.
    pub(crate) fn layers(&self, odd: &mut Vec<Odd>) -> Result<Vec<(Digest, PathBuf)>, Error> {
        let mut found = Vec::new();
        for map in fs::paths_in(self.root().join("layers"))? {
            if !fs::symlink_metadata(&map)?.is_dir() {
                odd.push(Odd { path: map, what: "is not a directory of layers", is_foreign: true });
                continue;
            }
            for path in fs::paths_in(&map)? {
                let name = path.file_name().and_then(|name| name.to_str());
                let digest = name.and_then(|name| name.replacen('-', ":", 1).parse::<Digest>().ok());
                let is_whole = || has_record(&path).unwrap_or(false) && path.join("fs").is_dir();
                match digest.filter(|digest| name == Some(&directory_name(digest))) {
                    None => odd.push(Odd { path, what: "is not a layer", is_foreign: true }),
                    Some(digest) if is_whole() => found.push((digest, path)),
                    Some(_) if fs::symlink_metadata(&path).is_err() => {}
                    Some(_) => odd.push(Odd { path, what: "is an incomplete layer", is_foreign: false }),
                }
            }
        }
        Ok(found)
    }

    /// The blobs and layers, older than `age`, that nothing refers to.
    pub(crate) fn unreferenced(&self, kept: &Reachable, age: Duration) -> Result<Vec<PathBuf>, Error> {
        let mut odd = Vec::new();
        let blobs = self.blobs(&mut odd)?.into_iter().filter(|(digest, _)| !kept.blobs.contains(digest));
        let layers = self.layers(&mut odd)?.into_iter().filter(|(digest, _)| !kept.layers.contains(digest));
        let paths = blobs.map(|(digest, _)| self.blob_path(&digest)).chain(layers.map(|(_, path)| path));
        Ok(paths.filter(|path| is_older(path, age)).collect())
    }

    /// Replaces a damaged index.json by one without images. The caller holds the store's lock.
    pub(crate) fn empty_index(&self) -> Result<(), Error> {
        Ok(fs::replace(self.index_path(), index::EMPTY, Durability::Synced)?)
    }
}

fn digest_of(directory: &Path, path: &Path) -> Option<Digest> {
    let algorithm = match directory.file_name()?.to_str()? {
        "sha256" => Algorithm::Sha256,
        "sha512" => Algorithm::Sha512,
        _ => return None,
    };
    format!("{}:{}", algorithm.as_str(), path.file_name()?.to_str()?).parse().ok()
}

fn is_older(path: &Path, age: Duration) -> bool {
    let changed = fs::symlink_metadata(path).and_then(|found| fs::AtPath::at(found.modified(), "stat", path));
    changed.is_ok_and(|at| SystemTime::now().duration_since(at).is_ok_and(|passed| passed >= age))
}
