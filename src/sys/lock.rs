//! Two kinds of lock: whole-file locks that belong to a descriptor ([`FileLock`]), and the process lock by which a
//! container's monitor shows that it is alive ([`ProcessLock`]).

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};
use rustix::fs::{FlockOperation, flock};

use super::fs::{AtPath as _, PathError, open_record, open_record_with};
use super::{failpoint, process};

/// A lock on a file by flock(2), released when dropped or when the process dies. Forked children share it.
#[derive(Debug)]
pub(crate) struct FileLock {
    file: File,
}

impl FileLock {
    /// Waits for a shared lock on `path`, which is created (0600, empty) if missing.
    pub(crate) fn shared(path: impl AsRef<Path>) -> Result<Self, PathError> {
        Self::take(path.as_ref(), FlockOperation::LockShared).map(|(lock, _)| lock)
    }

    /// Waits for the exclusive lock on `path`, which is created (0600, empty) if missing.
    pub(crate) fn exclusive(path: impl AsRef<Path>) -> Result<Self, PathError> {
        Self::take(path.as_ref(), FlockOperation::LockExclusive).map(|(lock, _)| lock)
    }

    /// Takes the exclusive lock if it is free; otherwise `None`.
    pub(crate) fn try_exclusive(path: impl AsRef<Path>) -> Result<Option<Self>, PathError> {
        let (lock, held) = Self::take(path.as_ref(), FlockOperation::NonBlockingLockExclusive)?;
        Ok(held.then_some(lock))
    }

    /// Waits for the exclusive lock on an existing directory, which leaves no file behind.
    pub(crate) fn of_directory(path: &Path) -> Result<Self, PathError> {
        let file = super::fs::open(path)?;
        rustix::io::retry_on_intr(|| flock(&file, FlockOperation::LockExclusive)).at("lock", path)?;
        Ok(Self { file })
    }

    /// Whether the locked file is the one at `path`: while this process waited, its last holder may have removed it.
    pub(crate) fn is_of(&self, path: &Path) -> bool {
        let (own, there) = (self.file.metadata(), super::fs::symlink_metadata(path));
        own.ok().zip(there.ok()).is_some_and(|(own, there)| (own.dev(), own.ino()) == (there.dev(), there.ino()))
    }

    /// Releases the lock for all holders: forked children have copies of the descriptor, and would keep the lock.
    pub(crate) fn release(self) {
        // Unlocking a locked file cannot fail.
        flock(&self.file, FlockOperation::Unlock).ok();
    }

    /// Keeps the lock as long as this process lives, and the programs that it executes.
    pub(crate) fn keep(self) -> std::io::Result<()> {
        process::keep_open(self.file.into())
    }

    fn take(path: &Path, operation: FlockOperation) -> Result<(Self, bool), PathError> {
        failpoint::point().at("lock", path)?;
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).clone();
        let file = open_record_with(path, &options)?;
        loop {
            match flock(&file, operation) {
                Ok(()) => return Ok((Self { file }, true)),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok((Self { file }, false)),
                Err(error) => return Err(error).at("lock", path),
            }
        }
    }
}

/// The process that holds a lock by flock(2) on `path`, as far as the kernel tells: a hint, for messages.
/// Source: proc_locks(5).
pub(crate) fn flock_holder(path: &Path) -> Option<i32> {
    let inode = super::fs::symlink_metadata(path).ok()?.ino();
    let text = super::fs::read_limited("/proc/locks", 4 << 20).ok()?;
    holder_in(&String::from_utf8_lossy(&text), inode)
}

/// Devices are left out: some filesystems have others in stat(2).
fn holder_in(locks: &str, inode: u64) -> Option<i32> {
    let end = format!(":{inode}");
    let holder = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        // Who waits has an arrow before it.
        let is_flock = words.next() == Some("FLOCK");
        let pid = words.nth(2)?.parse().ok()?;
        (is_flock && words.next()?.ends_with(&end)).then_some(pid)
    };
    locks.lines().find_map(holder)
}

/// A process lock by `fcntl(F_SETLK)` on a whole file: it belongs to this process alone, forked children do not inherit
/// it, and the kernel releases it however the process dies. Closing *any* descriptor of the file in this process
/// releases it (fcntl_locking(2)), so the file is opened once.
#[derive(Debug)]
pub(crate) struct ProcessLock {
    /// Open while the lock is held.
    _file: File,
}

impl ProcessLock {
    /// Takes the lock on the existing file `path`; `Err(holder's pid)` inside if another process has it.
    pub(crate) fn acquire(path: impl AsRef<Path>) -> Result<Result<Self, i32>, PathError> {
        let path = path.as_ref();
        let file = open_record_with(path, OpenOptions::new().read(true).write(true))?;
        loop {
            match fcntl(&file, FcntlArg::F_SETLK(&whole_file())) {
                Ok(_) => return Ok(Ok(Self { _file: file })),
                Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EACCES) => {
                    // The holder may end between the two calls; then this tries again.
                    if let Some(pid) = query(&file, path)? {
                        return Ok(Err(pid));
                    }
                }
                Err(error) => return Err(error).at("lock", path),
            }
        }
    }

    /// The pid that holds the lock on `path`, without taking the lock; `None` if it is free. The holder must not call
    /// this.
    ///
    /// Opens the file for reading: F_SETLK needs a descriptor open for writing, F_GETLK does not (fs/locks.c,
    /// `fcntl_getlk`), so this works in a read-only home.
    pub(crate) fn holder(path: impl AsRef<Path>) -> Result<Option<i32>, PathError> {
        let path = path.as_ref();
        query(&open_record(path)?, path)
    }

    /// The pid that holds the lock on an open file. The holder must not call this.
    pub(crate) fn holder_of(file: &File) -> Option<i32> {
        query(file, Path::new("lock")).ok().flatten()
    }

    /// Whether a process holds the lock on an open file. The holder must not call this.
    pub(crate) fn is_held(file: &File) -> bool {
        Self::holder_of(file).is_some()
    }
}

fn query(file: &File, path: &Path) -> Result<Option<i32>, PathError> {
    let mut lock = whole_file();
    fcntl(file, FcntlArg::F_GETLK(&mut lock)).at("query the lock of", path)?;
    Ok((i32::from(lock.l_type) != libc::F_UNLCK).then_some(lock.l_pid))
}

fn whole_file() -> libc::flock {
    libc::flock {
        #[expect(clippy::cast_possible_truncation, reason = "F_WRLCK is 1 and SEEK_SET is 0; the struct has shorts")]
        l_type: libc::F_WRLCK as i16,
        #[expect(clippy::cast_possible_truncation, reason = "see above")]
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}
