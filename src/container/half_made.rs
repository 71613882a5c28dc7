//! The directory of a container in `tmp/`, before the container has its place. A lock tells sweepers that a process
//! works on it.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};

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
            Ok(_) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(step(error.into())),
        }
    }
}

/// Whether a process holds the lock on a half-made directory.
pub(super) fn is_at_work(directory: &Path) -> bool {
    let Ok(guard) = open(directory) else { return false };
    flock(&guard, FlockOperation::NonBlockingLockShared).is_err()
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
