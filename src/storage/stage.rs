//! Unfinished files and directories in `tmp/`. The creator holds a flock on its file, so a free lock means that the
//! creator is dead. A process that wants the same file waits for the lock, and then finds it finished or continues it.

use std::fs::{File, FileType, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::remove::remove_at;
use super::unique::unique;
use crate::sys::fs::{self, AtPath as _, PathError};

/// Opens or creates the file `path` and waits until no other process works on it.
pub(super) fn claim_file(path: &Path) -> Result<File, PathError> {
    claim_file_told(path, &mut || {})
}

/// As [`claim_file`]; `waits` is called if another process has it.
pub(super) fn claim_file_told(path: &Path, waits: &mut dyn FnMut()) -> Result<File, PathError> {
    loop {
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).clone();
        let file = fs::open_record_with(path, &options)?;
        match lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => {
                waits();
                lock(&file, FlockOperation::LockExclusive).at("lock", path)?;
            }
            other => other.at("lock", path)?,
        }
        // Between open and flock, the creator may have finished it (renamed it) or a sweeper removed it: then our file
        // is not the one that `path` names.
        if is_same(&file, path)? {
            return Ok(file);
        }
    }
}

/// Creates a new file in `tmp` with a unique name, locked.
pub(super) fn new_file(tmp: &Path, kind: &str) -> Result<(PathBuf, File), PathError> {
    loop {
        let path = tmp.join(unique(kind));
        let opened = fs::open_with(&path, OpenOptions::new().read(true).write(true).create_new(true).mode(0o600));
        match opened {
            Ok(file) => {
                lock(&file, FlockOperation::LockExclusive).at("lock", &path)?;
                if is_same(&file, &path)? {
                    return Ok((path, file));
                }
            }
            // The number of a dead process, or of one in another pid namespace.
            Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Creates the directory `path` and locks it. `None` if it existed: then its creator has finished or died meanwhile,
/// its remains were removed, and the caller checks again.
pub(super) fn claim_directory(path: &Path) -> Result<Option<File>, PathError> {
    let is_new = match fs::create_dir(path) {
        Ok(()) => true,
        Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error),
    };
    let directory = match fs::open_directory(path) {
        Ok(directory) => directory,
        Err(error) if error.is_not_found() => return Ok(None),
        // No rc creates anything else with this name.
        Err(error) if error.source.kind() == io::ErrorKind::NotADirectory => {
            remove_at(path)?;
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    lock(&directory, FlockOperation::LockExclusive).at("lock", path)?;
    match is_same(&directory, path)? {
        true if is_new => Ok(Some(directory)),
        true => {
            remove_at(path)?;
            Ok(None)
        }
        false => Ok(None),
    }
}

/// Creates a new directory in `tmp` with a unique name, locked.
pub(super) fn new_directory(tmp: &Path, kind: &str) -> Result<(PathBuf, File), PathError> {
    loop {
        let path = tmp.join(unique(kind));
        if let Some(directory) = claim_directory(&path)? {
            return Ok((path, directory));
        }
    }
}

/// Whether the entry `path` of `tmp/` or `trash/` exists and no living process has it locked.
///
/// Tries a shared lock, so that two processes that check at the same time do not take each other for the creator.
pub(super) fn is_abandoned(path: &Path) -> Result<bool, PathError> {
    let kind = match fs::symlink_metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if error.is_not_found() => return Ok(false),
        Err(error) => return Err(error),
    };
    let file = match open_entry(path, kind) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(true),
        Err(error) if error.is_not_found() => return Ok(false),
        // Root in the root namespace can open it.
        Err(error) if error.is_foreign() => return Ok(true),
        Err(error) => return Err(error),
    };
    match lock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => is_same(&file, path),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error).at("lock", path),
    }
}

/// Opens an entry of `tmp/` or `trash/` to lock it; `None` for a type of file that rc never locks. If it is replaced
/// meanwhile by something else, that is an error; this never blocks.
pub(super) fn open_entry(path: &Path, kind: FileType) -> Result<Option<File>, PathError> {
    match (kind.is_file(), kind.is_dir()) {
        (true, _) => fs::open_record(path).map(Some),
        (_, true) => fs::open_directory(path).map(Some),
        _ => Ok(None),
    }
}

/// Whether `path` still names this open file.
pub(super) fn is_same(file: &File, path: &Path) -> Result<bool, PathError> {
    let held = file.metadata().at("stat", path)?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok(named.ino() == held.ino() && named.dev() == held.dev()),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

/// flock(2), repeated after signals.
pub(super) fn lock(file: &File, operation: FlockOperation) -> rustix::io::Result<()> {
    rustix::io::retry_on_intr(|| flock(file, operation))
}
