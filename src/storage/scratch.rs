//! A directory of the store for experiments.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::remove::remove_at;
use super::{Error, Store, stage};

/// A directory in `tmp/`. Dropping it removes it; if the process is killed, it is swept, since its lock is free then.
#[derive(Debug)]
pub(crate) struct Scratch {
    path: PathBuf,
    _lock: File,
    by: u32,
}

impl Store {
    /// Creates a directory that no other process uses, on the filesystem of layers and containers.
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
        // A forked child has a copy that it does not own. What cannot be removed now, the sweeper removes.
        if self.by == std::process::id() {
            drop(remove_at(&self.path));
        }
    }
}
