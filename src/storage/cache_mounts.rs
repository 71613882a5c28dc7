//! What `RUN --mount=type=cache` keeps from one build to the next.
//!
//! ```text
//! cache/mounts/MAP/HASH[.N]/   the hash is that of the ID; N if each step has its own
//!   data/                      what is mounted
//!   id                         the ID, as the Dockerfile has it
//!   lock                       held by steps that use it: shared, or exclusive; its modification time is the last use
//!   size                       what data/ took on the disk, JSON; it counts until the next use
//! ```

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::steps::{listed, touch};
use super::{Hasher, Store};
use crate::sys::fs::{self, Durability, PathError};
use crate::sys::lock::FileLock;
use crate::types::json;

/// The most bytes of an ID.
const LIMIT: u64 = 4 << 10;

/// A cache of mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CacheMount {
    /// Its directory.
    path: PathBuf,
    /// Its ID, as the Dockerfile has it.
    pub(crate) id: String,
    /// When a step has used it last.
    pub(crate) used: SystemTime,
    /// The bytes that it takes on the disk, if it was measured after its last use.
    pub(crate) size: Option<u64>,
}

/// What a cache took on the disk.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    bytes: u64,
    /// The last use before that, in nanoseconds since 1970.
    used: u128,
}

fn nanoseconds(time: SystemTime) -> u128 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos())
}

impl CacheMount {
    /// The hash of the ID, and the number if each step has its own.
    pub(crate) fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// What is mounted.
    pub(crate) fn data(&self) -> PathBuf {
        self.path.join("data")
    }
}

impl Store {
    /// The directory of the cache with this ID, for one map; the `number` is 0 unless each step has its own.
    pub(crate) fn cache_mount(&self, map: &str, id: &str, number: u32) -> PathBuf {
        let name = Hasher::sha256(id.as_bytes());
        let all = self.cache_mounts_path().join(map);
        match number {
            0 => all.join(name.hex()),
            number => all.join(format!("{}.{number}", name.hex())),
        }
    }

    /// Notes that a step uses the cache in this directory, whose lock it holds.
    pub(crate) fn use_cache_mount(&self, directory: &Path, id: &str) -> Result<(), PathError> {
        let path = directory.join("id");
        if fs::symlink_metadata(&path).is_err() {
            fs::write(&path, id)?;
        }
        // If the time cannot be set, it is removed earlier than it need be.
        touch(&directory.join("lock")).unwrap_or_default();
        Ok(())
    }

    /// All caches that have something, for every map.
    pub(crate) fn cache_mounts(&self) -> Result<Vec<CacheMount>, PathError> {
        let mut all = Vec::new();
        for map in listed(self.cache_mounts_path())? {
            for path in listed(map)? {
                let used = fs::symlink_metadata(path.join("lock")).ok().and_then(|found| found.modified().ok());
                let id = fs::read_record(path.join("id"), LIMIT).unwrap_or_default();
                let id = String::from_utf8_lossy(&id).into_owned();
                let measured = fs::read_record(path.join("size"), LIMIT).unwrap_or_default();
                let measured = json::from_slice::<Measured>(&measured).ok();
                if let Some(used) = used.filter(|_| fs::symlink_metadata(path.join("data")).is_ok()) {
                    let size = measured.filter(|it| it.used == nanoseconds(used)).map(|it| it.bytes);
                    all.push(CacheMount { path, id, used, size });
                }
            }
        }
        Ok(all)
    }

    /// Notes what a cache takes on the disk. No step has used it while it was measured: then its last use is another
    /// one by now.
    pub(crate) fn note_cache_mount_size(&self, mount: &CacheMount, bytes: u64) -> Result<(), PathError> {
        let measured = Measured { bytes, used: nanoseconds(mount.used) };
        let measured = serde_json::to_vec(&measured).unwrap_or_default();
        fs::replace(mount.path.join("size"), &measured, Durability::Volatile)
    }

    /// Whether a step uses a cache now.
    pub(crate) fn is_cache_mount_used(&self, mount: &CacheMount) -> Result<bool, PathError> {
        Ok(FileLock::try_exclusive(mount.path.join("lock"))?.is_none())
    }

    /// Empties a cache, unless a step uses it; returns whether it did. What was in it waits in the trash.
    pub(crate) fn empty_cache_mount(&self, mount: &CacheMount) -> Result<bool, PathError> {
        let Some(_lock) = FileLock::try_exclusive(mount.path.join("lock"))? else { return Ok(false) };
        match self.move_to_trash(&mount.data()) {
            Err(error) if error.is_not_found() => Ok(false),
            other => other.map(|()| true),
        }
    }

    fn cache_mounts_path(&self) -> PathBuf {
        self.root.join("cache").join("mounts")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_emptied_unless_it_is_used() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(&home.path().join("store")).expect("a new store");
        assert!(store.cache_mounts().expect("lists").is_empty());
        let path = store.cache_mount("m", "../../npm", 0);
        assert_eq!(path.parent(), Some(store.cache_mounts_path().join("m").as_path()), "an ID is no path");
        fs::create_dir_all(path.join("data")).expect("made");
        let lock = FileLock::shared(path.join("lock")).expect("locked");
        store.use_cache_mount(&path, "../../npm").expect("noted");
        let found = store.cache_mounts().expect("lists");
        assert_eq!((found.len(), found[0].id.as_str(), found[0].name().len()), (1, "../../npm", 64));
        // A size counts until the next use.
        let size = || store.cache_mounts().expect("lists")[0].size;
        assert_eq!(size(), None);
        store.note_cache_mount_size(&found[0], 5).expect("noted");
        assert_eq!(size(), Some(5));
        let used = fs::open_with(path.join("lock"), std::fs::OpenOptions::new().write(true)).expect("opens");
        used.set_modified(SystemTime::UNIX_EPOCH).expect("set");
        assert_eq!(size(), None);
        assert!(store.is_cache_mount_used(&found[0]).expect("looked"));
        assert!(!store.empty_cache_mount(&found[0]).expect("looked"));
        lock.release();
        assert!(store.empty_cache_mount(&found[0]).expect("emptied"));
        assert!(store.cache_mounts().expect("lists").is_empty());
        assert!(!store.empty_cache_mount(&found[0]).expect("nothing to do"));
        assert!(store.cache_mount("m", "a", 2).display().to_string().ends_with(".2"));
    }
}
