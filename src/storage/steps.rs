//! The build cache: what each step of a build has made.
//!
//! ```text
//! cache/steps/AA/KEY   a record, JSON, by the digest of everything that the step depends on (`build::key`); AA are the
//!                      first two digits; its modification time is its last use
//! ```
//! A record is a promise that is checked when it is used: its layer must still be there. Records that cannot be read do
//! not exist.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
use serde::{Deserialize, Serialize};

use super::{Descriptor, Error, Store, stage};
use crate::sys::fs::{self, AtPath as _, Durability, PathError};
use crate::types::{Digest, json};

/// The maximum size of a record in bytes.
const LIMIT: u64 = 64 << 10;

/// What a step has made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepRecord {
    /// When, RFC 3339.
    pub(crate) created: String,
    /// Its layer, uncompressed; absent if it has changed no file.
    #[serde(default)]
    pub(crate) layer: Option<Descriptor>,
    /// The step, as a user reads it.
    #[serde(default)]
    pub(crate) shown: String,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub(crate) took: u64,
    /// What a user finds it by, beside the step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
}

/// A record of the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CachedStep {
    /// Its key.
    pub(crate) key: Digest,
    /// What the step has made.
    pub(crate) record: StepRecord,
    /// When a build has used it last.
    pub(crate) used: SystemTime,
}

/// The right to take a step, which only one process has.
#[derive(Debug)]
pub(crate) struct StepClaim {
    path: PathBuf,
    _lock: File,
    by: u32,
}

impl Drop for StepClaim {
    fn drop(&mut self) {
        // A forked child has a copy. What stays is swept.
        if self.by == std::process::id() {
            drop(fs::remove_file(&self.path));
        }
    }
}

impl Store {
    /// Waits until no other process takes the step with this key; `waits` is called with the lock that one has.
    pub(crate) fn claim_step(&self, key: &Digest, waits: &mut dyn FnMut(&Path)) -> Result<StepClaim, PathError> {
        let path = self.tmp().join(format!("step-{}", key.hex()));
        let lock = stage::claim_file_told(&path, &mut || waits(&path))?;
        Ok(StepClaim { _lock: lock, path, by: std::process::id() })
    }

    /// What the step with this key has made, if it was ever run; its last use is now.
    pub(crate) fn step(&self, key: &Digest) -> Option<StepRecord> {
        let path = self.step_path(key);
        let record = json::from_slice(&fs::read_record(&path, LIMIT).ok()?).ok()?;
        // If the time cannot be set, the record is removed earlier than it need be.
        touch(&path).unwrap_or_default();
        Some(record)
    }

    /// Records what a step has made. It need not survive a power cut: neither does its layer.
    pub(crate) fn record_step(&self, key: &Digest, record: &StepRecord) -> Result<(), Error> {
        let path = self.step_path(key);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let bytes = serde_json::to_vec(record)
            .map_err(|source| Error::Json { what: format!("`{}`", path.display()), source })?;
        Ok(fs::replace(path, &bytes, Durability::Volatile)?)
    }

    /// The bytes of the filesystem that the store is on.
    pub(crate) fn filesystem_size(&self) -> Result<u64, PathError> {
        let found = rustix::fs::statvfs(&self.root).at("look at the filesystem of", &self.root)?;
        Ok(found.f_blocks.saturating_mul(found.f_frsize))
    }

    /// The bytes of that filesystem that are free.
    pub(crate) fn filesystem_free(&self) -> Result<u64, PathError> {
        let found = rustix::fs::statvfs(&self.root).at("look at the filesystem of", &self.root)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// All records.
    pub(crate) fn steps(&self) -> Result<Vec<CachedStep>, PathError> {
        let mut all = Vec::new();
        for directory in listed(self.steps_path())? {
            for path in listed(directory)? {
                let key = path.file_name().and_then(|name| format!("sha256:{}", name.to_str()?).parse().ok());
                let record = fs::read_record(&path, LIMIT).ok().and_then(|bytes| json::from_slice(&bytes).ok());
                let used = fs::symlink_metadata(&path).ok().and_then(|found| found.modified().ok());
                if let (Some(key), Some(record), Some(used)) = (key, record, used) {
                    all.push(CachedStep { key, record, used });
                }
            }
        }
        Ok(all)
    }

    /// Forgets what a step has made; its layer is garbage then, unless an image or another step has it.
    pub(crate) fn forget_step(&self, key: &Digest) -> Result<(), PathError> {
        match fs::remove_file(self.step_path(key)) {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    fn steps_path(&self) -> PathBuf {
        self.root.join("cache").join("steps")
    }

    fn step_path(&self, key: &Digest) -> PathBuf {
        self.steps_path().join(&key.hex()[..2]).join(key.hex())
    }
}

/// Sets the modification time of a file to now.
pub(super) fn touch(path: &Path) -> rustix::io::Result<()> {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)
}

/// What is in a directory, which need not exist.
pub(super) fn listed(directory: PathBuf) -> Result<Vec<PathBuf>, PathError> {
    match fs::paths_in(directory) {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_found_by_its_key_until_it_is_forgotten() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(&home.path().join("store")).expect("a new store");
        let (key, other) = (Digest::sha256([1; 32]), Digest::sha256([2; 32]));
        let record = StepRecord {
            created: "2026-01-01T00:00:00Z".to_owned(),
            layer: Some(Descriptor::new("", Digest::sha256([3; 32]), 5)),
            shown: "RUN true".to_owned(),
            took: 7,
            labels: BTreeMap::from([("a".to_owned(), "b".to_owned())]),
        };
        assert!(store.step(&key).is_none() && store.steps().expect("lists").is_empty());
        store.record_step(&key, &record).expect("recorded");
        assert_eq!(store.step(&key), Some(record.clone()));
        assert_eq!(store.step(&other), None);
        let all = store.steps().expect("lists");
        assert_eq!(all.iter().map(|step| (&step.key, &step.record)).collect::<Vec<_>>(), [(&key, &record)]);
        fs::write(store.step_path(&key), "{").expect("damaged");
        assert!(store.step(&key).is_none() && store.steps().expect("lists").is_empty());
        store.forget_step(&key).expect("forgotten");
        store.forget_step(&key).expect("nothing to do");
        assert!(!store.step_path(&key).exists());
    }
}
