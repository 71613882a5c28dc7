//! Which layer the same COPY has made last, so that the next one links the files that have not changed.
//!
//! ```text
//! cache/copies/SLOT   a diff ID; the slot is the digest of the context's path, the sources and the destination
//! ```
//! It is a hint: whatever is wrong with it, files are copied.

use std::path::PathBuf;

use super::Store;
use crate::sys::fs::{self, Durability, PathError};
use crate::types::Digest;

/// The maximum size of a note in bytes.
const LIMIT: u64 = 256;

impl Store {
    /// The directory of the layer that was noted, if it is there, unpacked for this map.
    pub(crate) fn copied_layer(&self, slot: &Digest, map: &str) -> Option<PathBuf> {
        let diff_id = read(self.copies_path().join(slot.hex()))?;
        self.has_layer(map, &diff_id).ok()?.then(|| self.layer_path(map, &diff_id))
    }

    /// Notes a layer. A power cut may lose the note.
    pub(crate) fn note_copied(&self, slot: &Digest, diff_id: &Digest) -> Result<(), PathError> {
        let directory = self.copies_path();
        fs::create_dir_all(&directory)?;
        fs::replace(directory.join(slot.hex()), diff_id.to_string().as_bytes(), Durability::Volatile)
    }

    /// Removes notes of layers that are gone.
    pub(crate) fn forget_copied(&self) -> Result<(), PathError> {
        let notes = match fs::paths_in(self.copies_path()) {
            Err(error) if error.is_not_found() => return Ok(()),
            other => other?,
        };
        let maps = self.layer_maps()?;
        for note in notes {
            let is_there = read(note.clone())
                .is_some_and(|diff_id| maps.iter().any(|map| self.has_layer(map, &diff_id).unwrap_or(true)));
            if !is_there {
                match fs::remove_file(&note) {
                    // Another process has just removed it.
                    Err(error) if !error.is_not_found() => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn copies_path(&self) -> PathBuf {
        self.root.join("cache").join("copies")
    }
}

fn read(note: PathBuf) -> Option<Digest> {
    String::from_utf8(fs::read_record(note, LIMIT).ok()?).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::tests::archive::Archive;
    use crate::storage::tests::store;
    use crate::storage::{Ownership, Target};

    #[test]
    fn a_note_leads_to_a_layer_as_long_as_it_is_there() {
        let (_home, store) = store();
        let target = Target { map: "test".to_owned(), ownership: Ownership::Single };
        let archive = Archive::default().file("a", b"content").end();
        let (_, diff_id, _) = store.import_layer(archive.as_slice(), &target).expect("imports");
        let slot = Digest::sha256([1; 32]);
        assert_eq!(store.copied_layer(&slot, "test"), None);
        store.note_copied(&slot, &diff_id).expect("noted");
        assert_eq!(store.copied_layer(&slot, "test"), Some(store.layer_path("test", &diff_id)));
        assert_eq!(store.copied_layer(&slot, "other"), None);
        store.forget_copied().expect("nothing to do");
        assert!(store.copied_layer(&slot, "test").is_some());
        store.move_to_trash(&store.layer_path("test", &diff_id)).expect("moved");
        store.forget_copied().expect("forgotten");
        assert_eq!(fs::paths_in(store.copies_path()).expect("lists"), Vec::<PathBuf>::new());
        for content in ["", "sha256:00", "\0\0"] {
            fs::write(store.copies_path().join(slot.hex()), content).expect("written");
            assert_eq!(store.copied_layer(&slot, "test"), None, "{content:?}");
        }
    }
}
