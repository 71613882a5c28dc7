//! The record of a layer, and whether the layer is on disk.
//!
//! A pull does not wait for the disk: a layer gets its name while the kernel still writes its files. Until they are on
//! disk, its record is called `unsynced` and has the ID of this boot; afterwards `info`. An `unsynced` record of
//! another boot says that the power may have failed before that: such a layer does not count, and is unpacked again.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, fsync, openat, renameat, syncfs};
use serde::{Deserialize, Serialize};

use super::Info;
use crate::storage::{Error, Store, stage};
use crate::sys::fs::{self, AtPath as _, PathError};
use crate::sys::process;
use crate::types::{Digest, json};

/// The record of a layer that is on disk.
pub(super) const INFO: &str = "info";

/// The record of a layer that the kernel may still be writing.
const UNSYNCED: &str = "unsynced";

/// The maximum size of a record in bytes.
const LIMIT: u64 = 4096;

/// How many layers are marked at once: each has a descriptor open.
const AT_ONCE: usize = 128;

#[derive(Serialize, Deserialize)]
struct Unsynced {
    #[serde(flatten)]
    info: Info,
    /// The boot in which the layer was unpacked.
    boot: String,
}

/// When a layer or a blob gets its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Naming {
    /// When it is on disk: what cannot be fetched again.
    Synced,
    /// At once; `Store::sync_layers` follows. A power cut before that loses it, and the next use notices.
    Unsynced,
}

impl Store {
    /// Whether a layer exists, unpacked for this map. Checks the record, which is written last.
    ///
    /// Takes one stat if the layer is on disk.
    pub(crate) fn has_layer(&self, map: &str, diff_id: &Digest) -> Result<bool, PathError> {
        has_record(&self.layer_path(map, diff_id))
    }

    /// What rc knows about an unpacked layer; `None` if it does not exist.
    pub(crate) fn layer_info(&self, map: &str, diff_id: &Digest) -> Result<Option<Info>, Error> {
        let directory = self.layer_path(map, diff_id);
        let path = directory.join(INFO);
        match fs::read_record(&path, LIMIT) {
            Ok(bytes) => {
                let info = json::from_slice(&bytes);
                info.map(Some).map_err(|source| Error::Json { what: format!("`{}`", path.display()), source })
            }
            Err(error) if error.is_not_found() => match fs::read_record(directory.join(UNSYNCED), LIMIT) {
                Ok(bytes) => Ok(of_this_boot(&bytes)),
                Err(error) if error.is_not_found() => Ok(None),
                Err(error) => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until all layers and blobs of the store are on disk, and marks the layers that were not.
    ///
    /// Takes long if much was written. If it is killed, the layers stay as they are, until it is called again.
    pub(crate) fn sync_layers(&self) -> Result<(), Error> {
        loop {
            let layers = self.unsynced_layers()?;
            if layers.is_empty() {
                return Ok(());
            }
            self.write_back()?;
            for (path, layer) in &layers {
                mark_in_place(path, layer)?;
            }
        }
    }

    /// Waits until the store's filesystem has written everything so far.
    pub(crate) fn write_back(&self) -> Result<(), PathError> {
        syncfs(fs::open_directory(self.root())?).at("sync", self.root())
    }

    /// Some of the layers of this boot that are not known to be on disk.
    fn unsynced_layers(&self) -> Result<Vec<(PathBuf, File)>, Error> {
        let boot = process::boot_id()?;
        let mut found = Vec::new();
        for map in fs::paths_in(self.root().join("layers"))? {
            for layer in fs::paths_in(&map)? {
                let record = fs::read_record(layer.join(UNSYNCED), LIMIT);
                if found.len() < AT_ONCE
                    && record.is_ok_and(|bytes| of_boot(&bytes, &boot).is_some())
                    && let Ok(file) = fs::open_directory(&layer)
                {
                    found.push((layer, file));
                }
            }
        }
        Ok(found)
    }
}

/// Whether the directory has the record of a whole layer.
pub(crate) fn has_record(layer: &Path) -> Result<bool, PathError> {
    match fs::symlink_metadata(layer.join(INFO)) {
        Ok(info) => Ok(info.is_file() && info.len() > 0),
        Err(error) if error.is_not_found() => match fs::read_record(layer.join(UNSYNCED), LIMIT) {
            Ok(bytes) => Ok(of_this_boot(&bytes).is_some()),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// Writes the record of a layer, the last of its files. Until [`mark_synced`] it says that the layer is not on disk.
pub(super) fn write(directory: impl AsFd, info: Info) -> std::io::Result<()> {
    use std::io::Write as _;
    let boot = process::boot_id().map_err(|error| error.source)?;
    let bytes = serde_json::to_vec(&Unsynced { info, boot })?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = openat(directory, UNSYNCED, flags, Mode::RUSR | Mode::WUSR)?;
    File::from(file).write_all(&bytes)
}

/// Says that everything in the layer is on disk.
pub(super) fn mark_synced(directory: impl AsFd) -> std::io::Result<()> {
    Ok(renameat(&directory, UNSYNCED, &directory, INFO)?)
}

/// Says that a layer that was open before the sync is on disk; one that has its name now may not be.
fn mark_in_place(path: &Path, layer: &File) -> Result<(), PathError> {
    // What is being removed is locked, and must not get new names meanwhile.
    stage::lock(layer, FlockOperation::LockExclusive).at("lock", path)?;
    let marked = if stage::is_same(layer, path)? { renameat(layer, UNSYNCED, layer, INFO) } else { Ok(()) };
    stage::lock(layer, FlockOperation::Unlock).at("unlock", path)?;
    match marked {
        // Another process was faster.
        Ok(()) | Err(rustix::io::Errno::NOENT) => fsync(layer).at("sync", path),
        Err(error) => Err(PathError::new("mark", path, error)),
    }
}

/// The record, if the layer was unpacked in this boot: no power cut has touched it.
fn of_this_boot(bytes: &[u8]) -> Option<Info> {
    of_boot(bytes, &process::boot_id().ok()?)
}

fn of_boot(bytes: &[u8], boot: &str) -> Option<Info> {
    // A power cut may have left anything in the file.
    let record: Unsynced = json::from_slice(bytes).ok()?;
    (record.boot == boot).then_some(record.info)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::tests::archive::Archive;
    use crate::storage::tests::store;
    use crate::storage::{Hasher, Ownership, Target};

    /// A store with one layer that was received a moment ago.
    fn received() -> (tempfile::TempDir, Store, Target, Digest, crate::storage::Descriptor) {
        let (home, store) = store();
        let archive = Archive::default().file("a", b"content").end();
        let diff_id = Hasher::sha256(&archive);
        let blob = crate::storage::Descriptor::new("", diff_id.clone(), archive.len() as u64);
        let target = Target { map: "test".to_owned(), ownership: Ownership::Single };
        let receive = store.receive_layer(&blob, &diff_id, &target, |offset| {
            Ok::<_, Error>(super::super::Opened { reader: archive.as_slice(), offset })
        });
        receive.expect("receives");
        (home, store, target, diff_id, blob)
    }

    fn forge(store: &Store, diff_id: &Digest, content: &str) {
        fs::write(store.layer_path("test", diff_id).join(UNSYNCED), content).expect("written");
    }

    #[test]
    fn a_layer_that_a_power_cut_may_have_touched_is_unpacked_again_from_its_blob() {
        let (_home, store, target, diff_id, blob) = received();
        assert!(store.has_layer("test", &diff_id).expect("looks"), "this boot has not ended");
        assert!(store.layer_info("test", &diff_id).expect("reads").is_some());
        let file = store.layer_path("test", &diff_id).join("fs/a");
        let other =
            r#"{"size":1,"skipped":{"devices":0,"attributes":0},"boot":"11111111-2222-3333-4444-555555555555"}"#;
        for content in [other, "", "\0\0\0\0", "{\"size\":1", "{}"] {
            forge(&store, &diff_id, content);
            fs::write(&file, "").expect("lost");
            assert!(!store.has_layer("test", &diff_id).expect("looks"), "{content}");
            assert_eq!(store.layer_info("test", &diff_id).expect("reads"), None, "{content}");
            store.sync_layers().expect("syncs");
            assert!(!store.has_layer("test", &diff_id).expect("looks"), "{content}: no later sync makes it right");
            assert!(store.unpack_blob(&blob.digest, &diff_id, &target).expect("unpacks").is_some(), "{content}");
            assert!(store.has_layer("test", &diff_id).expect("looks"), "{content}");
            assert_eq!(fs::read(&file).expect("reads"), b"content", "{content}");
        }
        assert_eq!(fs::read_dir(store.tmp()).expect("lists").count(), 0);
    }

    #[test]
    fn a_synced_layer_survives_every_boot() {
        let (_home, store, target, diff_id, blob) = received();
        let layer = store.layer_path("test", &diff_id);
        assert!(layer.join(UNSYNCED).exists() && !layer.join(INFO).exists());
        let before = store.layer_info("test", &diff_id).expect("reads");
        store.sync_layers().expect("syncs");
        assert!(!layer.join(UNSYNCED).exists() && layer.join(INFO).exists());
        assert_eq!(store.layer_info("test", &diff_id).expect("reads"), before);
        store.sync_layers().expect("nothing to do");
        // Whatever an older record says.
        let text = fs::read_to_string(layer.join(INFO)).expect("reads");
        fs::write(layer.join(INFO), text.replace(&process::boot_id().expect("an ID"), "another")).expect("written");
        assert!(store.has_layer("test", &diff_id).expect("looks"));
        assert_eq!(store.layer_info("test", &diff_id).expect("reads"), before);
        assert!(store.unpack_blob(&blob.digest, &diff_id, &target).expect("looks").is_none());
    }

    #[test]
    fn what_cannot_be_fetched_again_is_on_disk_when_it_has_its_name() {
        let (_home, store) = store();
        let target = Target { map: "test".to_owned(), ownership: Ownership::Single };
        let archive = Archive::default().file("a", b"content").end();
        let (_, diff_id, _) = store.import_layer(archive.as_slice(), &target).expect("imports");
        assert!(store.layer_path("test", &diff_id).join(INFO).exists());
        assert!(!store.layer_path("test", &diff_id).join(UNSYNCED).exists());
    }

    #[test]
    fn a_layer_that_took_the_place_of_a_synced_one_is_not_taken_for_it() {
        let (_home, store, target, diff_id, blob) = received();
        let listed = store.unsynced_layers().expect("lists");
        store.move_to_trash(&store.layer_path("test", &diff_id)).expect("moves");
        store.unpack_blob(&blob.digest, &diff_id, &target).expect("unpacks");
        for (path, layer) in listed {
            mark_in_place(&path, &layer).expect("it has gone");
        }
        assert!(store.layer_path("test", &diff_id).join(UNSYNCED).exists());
    }
}
