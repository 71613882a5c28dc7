//! Empty files and directories that all containers share, in the store's `empty/`.
//!
//! ```text
//! file  dir/                                       what masks paths in a container in which the user has no ID
//! points/  dev/ proc/ sys/                         the lowest layer of every container: the mount points that nearly
//!          etc/{hosts,hostname,resolv.conf}        every image lacks, so that a start need not make them, nor a
//!          run/.containerenv                       removal remove them; what the image has in their place hides them
//! ```

use std::path::{Path, PathBuf};

use super::Error;
use crate::storage::Store;
use crate::sys::fs::{self, AtPath as _};

const DIRECTORIES: [&str; 6] = ["points", "points/dev", "points/proc", "points/sys", "points/etc", "points/run"];
const FILES: [&str; 4] =
    ["points/etc/hosts", "points/etc/hostname", "points/etc/resolv.conf", "points/run/.containerenv"];

/// The directory, which is filled if it is not. Several processes may do so at once, and one that is killed leaves the
/// rest to the next: the last file tells that all are there.
pub(super) fn directory(store: &Store) -> Result<PathBuf, Error> {
    let directory = store.root().join("empty");
    if fs::symlink_metadata(directory.join(FILES[FILES.len() - 1])).is_err() {
        fs::create_dir_all(directory.join("dir"))?;
        fs::write(directory.join("file"), "")?;
        for name in DIRECTORIES {
            let path = directory.join(name);
            fs::create_dir_all(&path)?;
            // Unlike everything else in the store, containers see it.
            set_mode(&path, 0o755)?;
        }
        for name in FILES {
            let path = directory.join(name);
            fs::write(&path, "")?;
            set_mode(&path, 0o644)?;
        }
    }
    Ok(directory)
}

/// The lowest layer of every container.
pub(crate) fn mount_points(store: &Store) -> Result<PathBuf, Error> {
    Ok(directory(store)?.join("points"))
}

fn set_mode(path: &Path, mode: u32) -> Result<(), fs::PathError> {
    rustix::fs::chmod(path, rustix::fs::Mode::from_raw_mode(mode)).at("set the mode of", path)
}
