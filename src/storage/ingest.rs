//! Blobs and layers that come in before an image names them, and marks by which garbage is found without searching.
//!
//! ```text
//! tmp/garbage-PID-N    an empty file, locked by its maker like everything in tmp/. It is removed when all that came in
//!                      has a name, or when the garbage was collected. One that nobody locks says that there may be
//!                      blobs and layers that nothing refers to.
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};

use super::{Error, Store, stage};
use crate::sys::fs;
use crate::sys::lock::FileLock;

/// What the names of marks begin with.
const KIND: &str = "garbage";

/// Held while blobs and layers come in that no image names yet: nothing is collected meanwhile.
///
/// Without [`Ingest::finish`], after a failure or a kill, its mark stays. A pull that comes next reuses what has come
/// in; any other command that sweeps collects it.
#[derive(Debug)]
pub(crate) struct Ingest {
    lock: FileLock,
    /// `None` if a dead process has left one: it stays until a collection, which waits for our lock.
    mark: Option<GarbageMark>,
}

impl Ingest {
    /// All that came in has a name.
    pub(crate) fn finish(self) -> Result<(), Error> {
        // Before the lock goes: a collector that gets it removes all marks.
        if let Some(mark) = &self.mark {
            fs::remove_file(&mark.path)?;
        }
        drop(self.lock);
        Ok(())
    }
}

/// Says that there may be garbage, even if this process is killed before it has collected it.
#[derive(Debug)]
pub(crate) struct GarbageMark {
    path: PathBuf,
    /// Locked.
    _file: File,
}

impl Store {
    /// Announces that blobs and layers come in which no image names yet; held until the image is tagged. Does not wait
    /// for other pulls.
    pub(crate) fn begin_ingest(&self) -> Result<Ingest, Error> {
        // The lock comes first, so that nobody takes the mark for one of the dead.
        let lock = self.defer_collection()?;
        // One mark is enough, however often the same pull is killed.
        let mark = if self.has_garbage()? { None } else { Some(self.mark_garbage()?) };
        Ok(Ingest { lock, mark })
    }

    /// Keeps garbage from being collected while this is held; does not wait for others that do so.
    pub(crate) fn defer_collection(&self) -> Result<FileLock, Error> {
        Ok(FileLock::shared(self.root.join("ingest.lock"))?)
    }

    /// Makes a mark before an image loses its last name; [`Store::collect`] removes it.
    pub(crate) fn mark_garbage(&self) -> Result<GarbageMark, Error> {
        let (path, file) = stage::new_file(&self.tmp(), KIND)?;
        Ok(GarbageMark { path, _file: file })
    }

    /// Whether a dead process has left a mark.
    pub(crate) fn has_garbage(&self) -> Result<bool, Error> {
        for path in fs::paths_in(self.tmp())? {
            if is_mark(&path) && stage::is_abandoned(&path)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes all marks, after the collection that they ask for. The caller holds `ingest.lock` and the store's lock,
    /// both exclusive, so that nobody else is using one.
    pub(super) fn clear_marks(&self) -> Result<(), Error> {
        for path in fs::paths_in(self.tmp())?.into_iter().filter(|path| is_mark(path)) {
            match fs::remove_file(path) {
                Err(error) if !error.is_not_found() => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whether the entry of `tmp/` is a mark, which goes only when the garbage does.
pub(super) fn is_mark(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.strip_prefix(KIND).is_some_and(|rest| rest.starts_with('-')))
}
