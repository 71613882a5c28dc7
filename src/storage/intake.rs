//! Files that arrive in any order, of which only the last describes the others (an archive of images): rc hashes them
//! and holds them here until it knows what they are, and then makes them blobs.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use super::layer::{Info, Naming, Target};
use super::remove::remove_at;
use super::{Error, Hasher, Store, stage};
use crate::sys::fs::{self, AtPath as _};
use crate::types::{Algorithm, Digest};

/// A private directory in `tmp/`; dropping it removes it with everything that is still in it.
#[derive(Debug)]
pub(crate) struct Intake {
    store: Store,
    directory: PathBuf,
    _lock: File,
    count: u64,
}

/// A file in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    path: PathBuf,
    /// The digest of its content.
    pub(crate) digest: Digest,
    /// Bytes.
    pub(crate) size: u64,
}

impl Store {
    /// Creates a directory for incoming files.
    pub(crate) fn new_intake(&self) -> Result<Intake, Error> {
        let (directory, lock) = stage::new_directory(&self.tmp(), "intake")?;
        Ok(Intake { store: self.clone(), directory, _lock: lock, count: 0 })
    }
}

impl Intake {
    /// Starts the next file.
    pub(crate) fn begin(&mut self, algorithm: Algorithm) -> Result<Incoming, Error> {
        let path = self.directory.join(self.count.to_string());
        self.count += 1;
        let file = fs::create_new(&path)?;
        Ok(Incoming { file, path, hash: Hasher::new(algorithm), size: 0 })
    }

    /// Opens a file.
    pub(crate) fn open(&self, file: &Waiting) -> Result<File, Error> {
        match fs::open_record(&file.path) {
            // It is already a blob: an image may have the same layer twice.
            Err(error) if error.is_not_found() => self.store.open_blob(&file.digest),
            other => Ok(other?),
        }
    }

    /// Unpacks a file as the layer `diff_id`, and makes it a blob; leaves an existing layer or blob as it is.
    pub(crate) fn keep_layer(&self, file: &Waiting, diff_id: &Digest, target: &Target) -> Result<Option<Info>, Error> {
        let mut info = None;
        if let Some(stage) = self.store.begin_layer(target, diff_id)? {
            let bad = |source| Error::Layer { diff_id: diff_id.clone(), source };
            let layer = stage.unpack(self.open(file)?).map_err(bad)?;
            info = Some(layer.info);
            layer.name(Naming::Synced)?;
        }
        self.keep(file)?;
        Ok(info)
    }

    /// Makes a file a blob, in place of one that may be damaged. May be called twice.
    pub(crate) fn keep(&self, file: &Waiting) -> Result<(), Error> {
        let waits = match fs::open_record(&file.path) {
            Ok(waits) => waits,
            Err(error) if error.is_not_found() && self.store.has_blob(&file.digest, file.size)? => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        waits.sync_data().at("sync", &file.path)?;
        let target = self.store.blob_path(&file.digest);
        if let Some(directory) = target.parent() {
            fs::create_dir_all(directory)?;
            fs::rename(&file.path, &target)?;
            fs::sync_dir(directory)?;
        }
        Ok(())
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        // If it cannot be removed now, the sweeper removes it later.
        drop(remove_at(&self.directory));
    }
}

/// A file that is arriving.
#[derive(Debug)]
pub(crate) struct Incoming {
    file: File,
    path: PathBuf,
    hash: Hasher,
    size: u64,
}

impl Incoming {
    /// The file is complete.
    pub(crate) fn finish(self) -> Waiting {
        Waiting { path: self.path, digest: self.hash.finish(), size: self.size }
    }
}

impl Write for Incoming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.size += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
