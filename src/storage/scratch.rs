//! A directory of the store for trying things out in.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::remove::remove_at;
use super::{Error, Store, stage};

/// A directory in `tmp/`. Dropped, it is gone; what a killed process leaves is swept, since the lock is free then.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    _lock: File,
    by: u32,
}

impl Store {
    /// Makes a directory that no other process works in, on the file system of layers and containers.
    pub(crate) fn scratch(&self) -> Result<Scratch, Error> {
        let (path, lock) = stage::new_directory(&self.tmp(), "scratch")?;
        Ok(Scratch { path, _lock: lock, by: std::process::id() })
    }
}

impl Scratch {
    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A forked child has a copy that is not its own. What cannot be removed now, the sweeper removes.
        if self.by == std::process::id() {
            drop(remove_at(&self.path));
        }
    }
}
