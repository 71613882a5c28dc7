//! Slots of the build cache: what each place of a Dockerfile was built from last. A step that misses is compared with
//! what its slot says, for the reason.
//!
//! ```text
//! cache/slots/NAME   a line of JSON (the head), then the inputs of the step; replaced as a whole
//! ```
//! Only reasons depend on a slot: one that cannot be read or written does not exist.

use std::io::Read as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Store;
use super::steps::listed;
use super::unique::unique;
use crate::sys::fs::{self, PathError};
use crate::types::{Digest, json};

/// The most bytes of a head.
const HEAD: u64 = 4 << 10;

/// The most bytes of a slot: the inputs of some hundred thousand files.
const LIMIT: u64 = 64 << 20;

/// What a slot says first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SlotHead {
    /// The key of the step.
    pub(crate) key: Digest,
    /// The digest of the layers below it.
    pub(crate) below: Digest,
    /// How long the step took, in milliseconds.
    pub(crate) took: u64,
}

impl Store {
    /// What the slot says first.
    pub(crate) fn slot_head(&self, name: &Digest) -> Option<SlotHead> {
        let mut bytes = Vec::new();
        fs::open_record(self.slot_path(name)).ok()?.take(HEAD).read_to_end(&mut bytes).ok()?;
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        json::from_slice(&bytes[..end]).ok()
    }

    /// What the slot says: its head, and the inputs.
    pub(crate) fn slot(&self, name: &Digest) -> Option<(SlotHead, Vec<u8>)> {
        let bytes = fs::read_record(self.slot_path(name), LIMIT).ok()?;
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        Some((json::from_slice(&bytes[..end]).ok()?, bytes[end + 1..].to_vec()))
    }

    /// Replaces what the slot says. Inputs that are too many are not kept.
    pub(crate) fn record_slot(&self, name: &Digest, head: &SlotHead, inputs: &[u8]) -> Result<(), PathError> {
        let mut bytes = serde_json::to_vec(head).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend_from_slice(inputs);
        let path = self.slot_path(name);
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LIMIT {
            return match fs::remove_file(&path) {
                Err(error) if !error.is_not_found() => Err(error),
                _ => Ok(()),
            };
        }
        fs::create_dir_all(self.slots_path())?;
        // Several builds may do this at once. What a killed one leaves is swept.
        let aside = self.tmp().join(unique("slot"));
        fs::write(&aside, &bytes)?;
        fs::rename(&aside, path)
    }

    /// Removes the slots that were written first until the others take `most` bytes.
    pub(crate) fn trim_slots(&self, most: u64) -> Result<(), PathError> {
        trim(self.slots_path(), most)
    }

    fn slots_path(&self) -> PathBuf {
        self.root.join("cache").join("slots")
    }

    fn slot_path(&self, name: &Digest) -> PathBuf {
        self.slots_path().join(name.hex())
    }
}

/// Removes the files in a directory, which need not exist, that were written first until the others take `most` bytes.
pub(super) fn trim(directory: PathBuf, most: u64) -> Result<(), PathError> {
    let mut all: Vec<_> = listed(directory)?
        .into_iter()
        .filter_map(|path| {
            let found = fs::symlink_metadata(&path).ok()?;
            Some((found.modified().ok()?, found.len(), path))
        })
        .collect();
    all.sort();
    let mut kept = 0;
    for (_, size, path) in all.into_iter().rev() {
        kept += size;
        if kept > most {
            match fs::remove_file(path) {
                // A build has just removed it.
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_says_what_was_written_last_and_the_oldest_are_trimmed() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(&home.path().join("store")).expect("a new store");
        let name = |number: u8| Digest::sha256([number; 32]);
        let head = |took| SlotHead { key: name(7), below: name(8), took };
        assert!(store.slot_head(&name(1)).is_none() && store.slot(&name(1)).is_none());
        store.record_slot(&name(1), &head(1), b"{}").expect("written");
        store.record_slot(&name(1), &head(2), b"{\"a\":\n1}").expect("written");
        assert_eq!(store.slot_head(&name(1)), Some(head(2)));
        assert_eq!(store.slot(&name(1)), Some((head(2), b"{\"a\":\n1}".to_vec())));
        store.record_slot(&name(2), &head(3), &[b'x'; 1000]).expect("written");
        store.trim_slots(10_000).expect("trimmed");
        assert!(store.slot_head(&name(1)).is_some());
        // With its head the second one takes some 1170 bytes.
        store.trim_slots(1300).expect("trimmed");
        assert_eq!((store.slot_head(&name(1)), store.slot_head(&name(2))), (None, Some(head(3))));
        fs::write(store.slot_path(&name(2)), "damaged").expect("written");
        assert!(store.slot_head(&name(2)).is_none() && store.slot(&name(2)).is_none());
    }
}
