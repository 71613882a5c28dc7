//! Named volumes.
//!
//! ```text
//! volumes/NAME/_data         the files
//!             /volume.json   its record, written once
//!             /used          exists once it was mounted: the image's files at that path are copied only before
//!             /lock          held while the image's files are copied
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use serde::{Deserialize, Serialize};

use super::{Error, Store, stage};
use crate::sys::fs::{self, AtPath as _, Durability, PathError};
use crate::sys::lock::FileLock;
use crate::types::{Name, json};

/// The record of a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    /// The name.
    pub(crate) name: Name,
    /// When it was created, RFC 3339, UTC.
    pub(crate) created: String,
    /// Labels.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    /// An anonymous volume of one container; removed with it (`--rm`, `rm -v`).
    #[serde(default)]
    pub(crate) is_anonymous: bool,
    /// What is mounted in place of its own directory: `type`, `device` and `o`, as they were asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) options: BTreeMap<String, String>,
}

/// A volume in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Volume {
    /// Its record.
    pub(crate) record: Record,
    directory: PathBuf,
}

impl Volume {
    /// The directory to mount.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("_data")
    }

    /// Waits for the volume's lock: held while the image's files are copied into it, until `mark_used` was called, and
    /// while it is removed. `None` if it was removed meanwhile.
    pub(crate) fn lock(&self) -> Result<Option<FileLock>, Error> {
        self.lock_by(FileLock::exclusive)
    }

    /// As [`Volume::lock`], shared: the volume exists until it is dropped.
    pub(crate) fn lock_shared(&self) -> Result<Option<FileLock>, Error> {
        self.lock_by(FileLock::shared)
    }

    fn lock_by(&self, take: impl Fn(PathBuf) -> Result<FileLock, PathError>) -> Result<Option<FileLock>, Error> {
        let path = self.directory.join("lock");
        loop {
            match take(path.clone()) {
                // What is left of a volume has no record.
                Ok(lock) if lock.is_of(&path) => {
                    return Ok(fs::symlink_metadata(self.directory.join("volume.json")).is_ok().then_some(lock));
                }
                // The volume was removed meanwhile: another one may have the name by now, without a lock yet.
                Ok(_) => {}
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether it was never mounted and has no files, so that the image's files must be copied. Call it with the lock
    /// held.
    pub(crate) fn is_fresh(&self) -> Result<bool, Error> {
        match fs::symlink_metadata(self.directory.join("used")) {
            Ok(_) => return Ok(false),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(fs::read_dir(self.data())?.next().is_none())
    }

    /// Records that it is mounted now.
    pub(crate) fn mark_used(&self) -> Result<(), Error> {
        let used = self.directory.join("used");
        if fs::symlink_metadata(&used).is_err() {
            fs::write(used, "")?;
        }
        Ok(())
    }
}

/// All volumes: the readable ones in the order of their names, and why the others cannot be read.
#[derive(Debug, Default)]
pub(crate) struct Volumes {
    /// The readable ones.
    pub(crate) volumes: Vec<Volume>,
    /// The others.
    pub(crate) damaged: Vec<(Name, Error)>,
}

impl Store {
    /// Lists all volumes. What has no possible name is none.
    pub(crate) fn list_volumes(&self) -> Result<Volumes, Error> {
        let mut found = Volumes::default();
        let entries = match fs::read_dir(self.volumes()) {
            Ok(entries) => entries,
            Err(error) if error.is_not_found() => return Ok(found),
            Err(error) => return Err(error.into()),
        };
        let mut names: Vec<Name> =
            entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        names.sort();
        for name in names {
            match self.volume(&name) {
                Ok(volume) => found.volumes.extend(volume),
                Err(error) => found.damaged.push((name, error)),
            }
        }
        Ok(found)
    }

    /// The volume of this name; `None` if there is none.
    ///
    /// Fails if it has no record: a new volume in its place would hide that there are files.
    pub(crate) fn volume(&self, name: &Name) -> Result<Option<Volume>, Error> {
        let directory = self.volumes().join(name.as_str());
        let path = directory.join("volume.json");
        let read = || fs::read_record(&path, 1 << 20);
        let bytes = match read() {
            Err(error) if error.is_not_found() => match fs::symlink_metadata(&directory) {
                // Another process may have created it just now, in one step.
                Ok(_) => read()?,
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(error.into()),
            },
            other => other?,
        };
        let record = json::from_slice(&bytes);
        let record = record.map_err(|source| Error::Json { what: format!("`{}`", path.display()), source })?;
        Ok(Some(Volume { record, directory }))
    }

    /// Creates a volume, or returns the existing one of that name. If several processes do so at once, one creates it.
    pub(crate) fn create_volume(&self, record: &Record) -> Result<Volume, Error> {
        loop {
            if let Some(volume) = self.volume(&record.name)? {
                return Ok(volume);
            }
            self.make_volume(record, |_| Ok::<(), Error>(()))?;
        }
    }

    /// Creates a volume whose directory `own` prepares; returns whether it is new. On failure nothing is left.
    pub(crate) fn make_volume<E: From<Error>>(
        &self,
        record: &Record,
        own: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<bool, E> {
        if self.volume(&record.name)?.is_some() {
            return Ok(false);
        }
        let (staged, _lock) = stage::new_directory(&self.tmp(), "volume").map_err(Error::from)?;
        let made = Self::fill_volume(record, &staged).map_err(E::from).and_then(|data| own(&data));
        let made = made.and_then(|()| self.place_volume(record, &staged).map_err(E::from));
        if !matches!(made, Ok(true)) {
            super::remove::remove_at(&staged).map_err(Error::from)?;
        }
        made
    }

    fn fill_volume(record: &Record, staged: &Path) -> Result<PathBuf, Error> {
        let bytes = serde_json::to_vec(record)
            .map_err(|source| Error::Json { what: "the record of a volume".to_owned(), source })?;
        fs::write(staged.join("volume.json"), bytes)?;
        let data = staged.join("_data");
        fs::create_dir(&data)?;
        // Every user in the container may read it, as with docker; the directory above keeps other users out.
        rustix::fs::chmod(&data, Mode::from_raw_mode(0o755)).at("set the mode of", &data)?;
        Ok(data)
    }

    /// Returns whether no other process was faster.
    fn place_volume(&self, record: &Record, staged: &Path) -> Result<bool, Error> {
        match fs::rename(staged, self.volumes().join(record.name.as_str())) {
            Ok(()) => {
                fs::sync_dir(self.volumes())?;
                Ok(true)
            }
            Err(error) => {
                let is_there = matches!(error.source.raw_os_error(), Some(libc::EEXIST | libc::ENOTEMPTY));
                if is_there && self.volume(&record.name)?.is_some() { Ok(false) } else { Err(error.into()) }
            }
        }
    }

    /// Writes a new record for a volume whose record is lost. Its labels are lost as well; its files stay as they are.
    pub(crate) fn replace_record(&self, record: &Record) -> Result<(), Error> {
        let path = self.volumes().join(record.name.as_str()).join("volume.json");
        let bytes = serde_json::to_vec(record)
            .map_err(|source| Error::Json { what: "the record of a volume".to_owned(), source })?;
        Ok(fs::replace(path, &bytes, Durability::Synced)?)
    }

    /// Removes a volume; returns whether it existed. The caller must know that no container uses it. Its files are
    /// moved to the trash (see `sweep`).
    pub(crate) fn remove_volume(&self, name: &Name) -> Result<bool, PathError> {
        match self.move_to_trash(&self.volumes().join(name.as_str())) {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::tests::store;

    fn record(name: &str) -> Record {
        Record {
            name: name.parse().expect("a name"),
            created: "2026-01-01T00:00:00Z".to_owned(),
            labels: BTreeMap::new(),
            is_anonymous: false,
            options: BTreeMap::new(),
        }
    }

    #[test]
    fn who_has_waited_for_a_lock_has_that_of_the_volume_of_now() {
        let (_home, store) = store();
        let volume = store.create_volume(&record("data")).expect("made");
        let held = volume.lock().expect("locked").expect("there");
        let path = volume.directory.join("lock");
        let inode = std::os::unix::fs::MetadataExt::ino(&fs::symlink_metadata(&path).expect("there"));
        std::thread::scope(|scope| {
            let second = scope.spawn(|| volume.lock().expect("locked").expect("there"));
            let waits = |line: &str| line.contains("-> FLOCK") && line.contains(&format!(":{inode} "));
            while !fs::read_to_string("/proc/locks").expect("locks").lines().any(waits) {
                std::thread::yield_now();
            }
            assert!(store.remove_volume(&volume.record.name).expect("removed"));
            store.create_volume(&record("data")).expect("made again, without a lock");
            drop(held);
            assert!(second.join().expect("a lock").is_of(&path));
        });
    }

    #[test]
    fn a_volume_is_made_once_and_is_fresh_until_used() {
        let (_home, store) = store();
        let name: Name = "data".parse().expect("a name");
        assert_eq!(store.volume(&name).expect("looks"), None);
        let made: Vec<_> = std::thread::scope(|scope| {
            let makers: Vec<_> =
                (0..4).map(|_| scope.spawn(|| store.create_volume(&record("data")).expect("made"))).collect();
            makers.into_iter().map(|maker| maker.join().expect("no panic")).collect()
        });
        assert!(made.iter().all(|volume| *volume == made[0]));
        let volume = store.volume(&name).expect("looks").expect("there");
        assert!(volume.is_fresh().expect("looks"));
        fs::write(volume.data().join("file"), "x").expect("written");
        assert!(!volume.is_fresh().expect("looks"));
        fs::remove_file(volume.data().join("file")).expect("removed");
        volume.mark_used().expect("marked");
        assert!(!volume.is_fresh().expect("looks"));
        let another = record("another");
        store.create_volume(&another).expect("made");
        let another = another.name;
        assert!(store.volume(&another).expect("looks").is_some());
        assert!(store.remove_volume(&name).expect("removed"));
        assert!(!store.remove_volume(&name).expect("not there"));
        assert_eq!(store.sweep().expect("sweeps"), 0);
        assert_eq!(
            fs::read_dir(store.tmp()).expect("lists").count() + fs::read_dir(store.trash()).expect("lists").count(),
            0
        );
    }
}
