//! The directory of a container in `tmp/`, before the container has its place. A lock tells sweepers that a process
//! works on it.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::io::Errno;

use super::Error;
use crate::monitor::ContainerDir;
use crate::sys::fs;

/// The mode of the directory of a `--rm` container. The sticky bit changes nothing, since one user owns the store; by
/// it a sweeper sees with one stat(2) which containers may be left over. Linux honours it in mkdir(2).
pub(super) const STICKY: u32 = 0o1700;

/// Creates the directory and locks it, so that sweepers leave it alone.
pub(super) fn claim(directory: &ContainerDir, is_sticky: bool) -> Result<OwnedFd, Error> {
    loop {
        fs::create_dir_with(directory.path(), if is_sticky { STICKY } else { 0o700 })?;
        let step = Error::step("claim the container's directory");
        let opened =
            open(directory.path()).and_then(|guard| flock(&guard, FlockOperation::LockExclusive).map(|()| guard));
        match opened {
            // A sweeper may have removed it between the two calls: then we hold a directory without a name.
            Ok(guard) if rustix::fs::fstat(&guard).is_ok_and(|stat| stat.st_nlink > 0) => return Ok(guard),
            Ok(_) | Err(Errno::NOENT) => {}
            Err(error) => return Err(step(error.into())),
        }
    }
}

/// Whether a process holds the lock on a half-made directory, or may hold it: one that cannot be opened is not known to
/// be abandoned.
pub(super) fn is_at_work(directory: &Path) -> bool {
    match open(directory) {
        Ok(guard) => flock(&guard, FlockOperation::NonBlockingLockShared).is_err(),
        Err(error) => !matches!(error, Errno::NOENT | Errno::NOTDIR | Errno::LOOP),
    }
}

/// Locks a directory in `tmp/` that no process works on, until the result is dropped. `None` if one does, and if it
/// cannot be opened.
pub(super) fn take_abandoned(directory: &Path) -> Option<OwnedFd> {
    let guard = open(directory).ok()?;
    flock(&guard, FlockOperation::NonBlockingLockShared).ok()?;
    Some(guard)
}

/// Removes a half-made directory at once: all files in it belong to this user.
pub(super) fn discard(directory: &ContainerDir) {
    drop(fs::remove_dir_all(directory.path()));
}

/// Fails for anything but a directory, and does not wait for a FIFO.
fn open(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_works_on_is_not_taken_and_neither_is_what_is_no_directory() {
        let home = tempfile::tempdir().expect("a directory");
        let directory = ContainerDir::new(home.path().join("a"));
        let held = claim(&directory, false).expect("claimed");
        assert!(is_at_work(directory.path()) && take_abandoned(directory.path()).is_none());
        drop(held);
        let taken = take_abandoned(directory.path()).expect("it is free");
        // Several sweepers may look at the same time.
        assert!(!is_at_work(directory.path()) && take_abandoned(directory.path()).is_some());
        drop(taken);
        fs::write(home.path().join("file"), "").expect("written");
        fs::symlink(directory.path(), home.path().join("link")).expect("linked");
        for other in ["file", "link", "gone"] {
            let other = home.path().join(other);
            assert!(!is_at_work(&other) && take_abandoned(&other).is_none(), "{}", other.display());
        }
    }
}
