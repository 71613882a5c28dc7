//! Removal: what dead processes have left, the trash, and blobs and layers that nothing refers to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::FlockOperation;

use super::ingest::is_mark;
use super::layer::directory_name;
use super::layer::mapped::chain;
use super::remove::remove_large;
use super::unique::unique;
use super::{Error, Store, stage};
use crate::sys::fs::{self, AtPath as _, PathError};
use crate::sys::lock::FileLock;
use crate::types::Digest;

/// What a collection of garbage must keep.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reachable {
    /// Manifests, configurations, layers.
    pub(crate) blobs: BTreeSet<Digest>,
    /// Diff IDs, and digests of all diff IDs of an image.
    pub(crate) layers: BTreeSet<Digest>,
}

impl Reachable {
    /// Keeps the layers of an image, and what was made of all of them.
    pub(crate) fn add_layers(&mut self, diff_ids: &[Digest]) {
        self.layers.insert(chain(diff_ids));
        self.layers.extend(diff_ids.iter().cloned());
    }
}

/// How long to wait after a background sweep that could not finish.
const PAUSE: Duration = Duration::from_secs(60);

/// A background sweep.
#[derive(Debug)]
pub(crate) struct Sweeping {
    path: PathBuf,
    _lock: FileLock,
}

impl Sweeping {
    /// Records whether everything was removed. If that cannot be recorded, the next command tries again.
    pub(crate) fn finish(self, is_done: bool) {
        let was_done = fs::symlink_metadata(&self.path).is_ok_and(|found| found.len() == 0);
        if !is_done || !was_done {
            drop(fs::write(&self.path, if is_done { "" } else { "not all\n" }));
        }
    }
}

impl Store {
    /// Removes what dead processes have left in `tmp/`, and empties `trash/`. What a living process works on is locked
    /// and stays.
    ///
    /// Returns how many entries could not be removed because their files belong to other IDs: call it again as root of
    /// the user's namespace. The creator of an entry of `tmp/` must hold a flock on it (a file or a directory) until it
    /// is renamed.
    ///
    /// Marks of garbage stay until the garbage is collected.
    pub(crate) fn sweep(&self) -> Result<usize, Error> {
        Ok(sweep_directory(&self.tmp())? + sweep_directory(&self.trash())?)
    }

    /// Whether dead processes have left something in `tmp/` or `trash/`.
    ///
    /// Both are usually empty: this takes eight system calls, and four for each entry that a living process works on.
    pub(crate) fn has_leftovers(&self) -> Result<bool, Error> {
        for directory in [self.tmp(), self.trash()] {
            for path in fs::paths_in(&directory)? {
                if stage::is_abandoned(&path)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Makes this process the background sweeper; `None` if there is one.
    pub(crate) fn begin_sweep(&self) -> Result<Option<Sweeping>, Error> {
        let path = self.sweep_lock();
        Ok(FileLock::try_exclusive(&path)?.map(|lock| Sweeping { path, _lock: lock }))
    }

    /// Makes this process the one that keeps the build cache within its bound, when the one before it is done; `None`
    /// if another waits for that, and has looked at nothing yet.
    pub(crate) fn begin_trim(&self) -> Result<Option<FileLock>, Error> {
        let cache = self.root.join("cache");
        fs::create_dir_all(&cache)?;
        let Some(_next) = FileLock::try_exclusive(cache.join("trim-next.lock"))? else { return Ok(None) };
        Ok(Some(FileLock::exclusive(cache.join("trim.lock"))?))
    }

    /// Whether a background sweep has failed less than a minute ago: the next one would fail as well.
    pub(crate) fn has_failed_to_sweep(&self) -> bool {
        let Ok(found) = fs::symlink_metadata(self.sweep_lock()) else { return false };
        found.len() > 0 && found.modified().is_ok_and(|at| at.elapsed().is_ok_and(|age| age < PAUSE))
    }

    fn sweep_lock(&self) -> PathBuf {
        self.root.join("sweep.lock")
    }

    /// Moves a directory or file of the store to the trash, in one step: it has no name any more. `sweep` removes it.
    pub(crate) fn move_to_trash(&self, path: &Path) -> Result<(), PathError> {
        let Some(name) = path.file_name() else { return Ok(()) };
        loop {
            let mut target = unique("trash").into_bytes();
            target.push(b'-');
            target.extend_from_slice(std::os::unix::ffi::OsStrExt::as_bytes(name));
            target.truncate(200);
            let target = self.trash().join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&target));
            if fs::symlink_metadata(&target).is_err() {
                return fs::rename(path, target);
            }
        }
    }

    /// Moves blobs and layers to the trash, except `kept`, and removes the marks of garbage. The caller holds the
    /// store's lock (`lock_exclusive`), so that no name can be added meanwhile.
    ///
    /// Does nothing and returns `false` while something is being added that has no name yet: the next collection finds
    /// it.
    pub(crate) fn collect(&self, kept: &Reachable, _lock: &FileLock) -> Result<bool, Error> {
        let Some(_ingest) = FileLock::try_exclusive(self.root.join("ingest.lock"))? else { return Ok(false) };
        let blobs: BTreeSet<_> = kept.blobs.iter().map(|digest| self.blob_path(digest)).collect();
        for algorithm in fs::paths_in(self.images().join("blobs"))? {
            for blob in fs::paths_in(&algorithm)? {
                // Unlinking a large file takes a while, and other processes wait for the lock.
                if !blobs.contains(&blob) && self.move_to_trash(&blob).is_err() {
                    // A full disk may have no room for the new name in the trash.
                    fs::remove_file(&blob)?;
                }
            }
        }
        let layers: BTreeSet<_> = kept.layers.iter().map(directory_name).collect();
        for map in fs::paths_in(self.root.join("layers"))? {
            for layer in fs::paths_in(&map)? {
                if !layer.file_name().and_then(|name| name.to_str()).is_some_and(|name| layers.contains(name)) {
                    self.move_to_trash(&layer)?;
                }
            }
        }
        self.clear_marks()?;
        Ok(true)
    }
}

fn sweep_directory(directory: &Path) -> Result<usize, PathError> {
    let mut left = 0;
    for path in fs::paths_in(directory)?.into_iter().filter(|path| !is_mark(path)) {
        match sweep_one(&path) {
            Ok(()) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) if error.is_foreign() => left += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(left)
}

fn sweep_one(path: &Path) -> Result<(), PathError> {
    let Some(file) = stage::open_entry(path, fs::symlink_metadata(path)?.file_type())? else {
        return remove_large(path);
    };
    match stage::lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(rustix::io::Errno::WOULDBLOCK) => return Ok(()),
        other => other.at("lock", path)?,
    }
    // It may have been finished and renamed since we read its name; the name is then free, or used by another process.
    if stage::is_same(&file, path)? { remove_large(path) } else { Ok(()) }
}
