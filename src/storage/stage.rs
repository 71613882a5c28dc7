//! Half-made files and directories in `tmp/`. Its maker holds a flock on it, so that a free lock means a dead maker,
//! and who wants the same thing waits on the lock and then finds it finished, or takes over.

use std::fs::{File, FileType, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::remove::remove_at;
use super::unique::unique;
use crate::sys::fs::{self, AtPath as _, PathError};

/// Opens or makes the file `path` and waits until no living process works on it.
pub(super) fn claim_file(path: &Path) -> Result<File, PathError> {
    loop {
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).clone();
        let file = fs::open_record_with(path, &options)?;
        lock(&file, FlockOperation::LockExclusive).at("lock", path)?;
        // Between open and flock its maker may have finished (renamed it) or a sweeper removed it: then we hold
        // something else than what `path` names.
        if is_same(&file, path)? {
            return Ok(file);
        }
    }
}

/// Makes a new file in `tmp` with a name of its own, locked.
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

/// Makes the directory `path` and locks it. `None` if it was there: then its maker has finished or died meanwhile, and
/// what it left was removed, so that the caller looks again.
pub(super) fn claim_directory(path: &Path) -> Result<Option<File>, PathError> {
    let is_new = match fs::create_dir(path) {
        Ok(()) => true,
        Err(error) if error.source.kind() == io::ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error),
    };
    let directory = match fs::open_directory(path) {
        Ok(directory) => directory,
        Err(error) if error.is_not_found() => return Ok(None),
        // Nobody makes anything else of this name.
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

/// Makes a new directory in `tmp` with a name of its own, locked.
pub(super) fn new_directory(tmp: &Path, kind: &str) -> Result<(PathBuf, File), PathError> {
    loop {
        let path = tmp.join(unique(kind));
        if let Some(directory) = claim_directory(&path)? {
            return Ok((path, directory));
        }
    }
}

/// Whether the entry `path` of `tmp/` or `trash/` is there and no living process has it locked.
///
/// Tries a shared lock: two processes that ask at the same time do not take each other for the maker.
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
        // Root of the user's namespace can open it.
        Err(error) if error.is_foreign() => return Ok(true),
        Err(error) => return Err(error),
    };
    match lock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => is_same(&file, path),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error).at("lock", path),
    }
}

/// Opens an entry of `tmp/` or `trash/` to lock it; `None` for what nobody locks. Exchanged meanwhile for something
/// else, it is an error, and nothing is waited for.
pub(super) fn open_entry(path: &Path, kind: FileType) -> Result<Option<File>, PathError> {
    match (kind.is_file(), kind.is_dir()) {
        (true, _) => fs::open_record(path).map(Some),
        (_, true) => fs::open_directory(path).map(Some),
        _ => Ok(None),
    }
}

/// Whether `path` still names this open file.
pub(super) fn is_same(file: &File, path: &Path) -> Result<bool, PathError> {
    let held = file.metadata().at("look at", path)?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok(named.ino() == held.ino() && named.dev() == held.dev()),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

/// flock(2), again after signals.
pub(super) fn lock(file: &File, operation: FlockOperation) -> rustix::io::Result<()> {
    rustix::io::retry_on_intr(|| flock(file, operation))
}
