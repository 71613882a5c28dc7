//! Blobs and layers that are added before an image names them, and marks by which rc finds garbage without searching.
//!
//! ```text
//! tmp/garbage-PID-N    an empty file, locked by its creator like everything in tmp/. It is removed when everything
//!                      that was added has a name, or when the garbage was collected. If no process has it locked,
//!                      there may be blobs and layers that nothing refers to.
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};

use super::{Error, Store, stage};
use crate::sys::fs;
use crate::sys::lock::FileLock;

/// The prefix of the names of marks.
const KIND: &str = "garbage";

/// Held while blobs and layers are added that no image names yet: no garbage is collected meanwhile.
///
/// Without [`Ingest::finish`], after a failure or a kill, its mark stays. The next pull reuses what was added; any
/// other command that sweeps collects it.
#[derive(Debug)]
pub(crate) struct Ingest {
    lock: FileLock,
    /// `None` if a dead process has left one: it stays until a collection, which waits for our lock.
    mark: Option<GarbageMark>,
}

impl Ingest {
    /// Everything that was added has a name.
    pub(crate) fn finish(self) -> Result<(), Error> {
        // Before the lock is released: a collector that gets it removes all marks.
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
    /// Announces that blobs and layers are added that no image names yet; held until the image is tagged. Does not wait
    /// for other pulls.
    pub(crate) fn begin_ingest(&self) -> Result<Ingest, Error> {
        // The lock comes first, so that no process takes the mark for one of a dead process.
        let lock = self.defer_collection()?;
        // One mark is enough, however often the same pull is killed.
        let mark = if self.has_garbage()? { None } else { Some(self.mark_garbage()?) };
        Ok(Ingest { lock, mark })
    }

    /// Prevents the collection of garbage while this is held; does not wait for other holders.
    pub(crate) fn defer_collection(&self) -> Result<FileLock, Error> {
        Ok(FileLock::shared(self.root.join("ingest.lock"))?)
    }

    /// Creates a mark before an image loses its last name; [`Store::collect`] removes it.
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

    /// Removes all marks, after the collection that they asked for. The caller holds `ingest.lock` and the store's
    /// lock, both exclusive, so that no process uses a mark.
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

/// Whether the entry of `tmp/` is a mark, which is removed only with the garbage.
pub(super) fn is_mark(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.strip_prefix(KIND).is_some_and(|rest| rest.starts_with('-')))
}
