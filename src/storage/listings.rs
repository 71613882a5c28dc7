//! What copies have found in layers, which never change: the digest of all that the cache compares of it, so that a
//! build in which nothing has changed reads no file of a stage or an image.
//!
//! ```text
//! cache/listed/HASH   by the digest of layers and sources; its modification time is its last use
//! ```
//! It saves time alone: what cannot be read or written does not exist.

use std::path::PathBuf;

use super::Store;
use super::slots::trim;
use super::steps::touch;
use crate::sys::fs::{self, Durability, PathError};
use crate::types::Digest;

/// The most bytes of what a copy has found.
const LIMIT: u64 = 4 << 10;

/// The most bytes of all of them.
const MOST: u64 = 1 << 20;

impl Store {
    /// What was found.
    pub(crate) fn listing(&self, name: &Digest) -> Option<Vec<u8>> {
        let path = self.listings_path().join(name.hex());
        let bytes = fs::read_record(&path, LIMIT).ok()?;
        touch(&path).unwrap_or_default();
        Some(bytes)
    }

    /// Notes what was found.
    pub(crate) fn note_listing(&self, name: &Digest, bytes: &[u8]) -> Result<(), PathError> {
        let directory = self.listings_path();
        fs::create_dir_all(&directory)?;
        fs::replace(directory.join(name.hex()), bytes, Durability::Volatile)
    }

    /// Removes what was not used for the longest time.
    pub(crate) fn trim_listings(&self) -> Result<(), PathError> {
        trim(self.listings_path(), MOST)
    }

    fn listings_path(&self) -> PathBuf {
        self.root.join("cache").join("listed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_found_and_nothing_else() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(&home.path().join("store")).expect("a new store");
        let (name, other) = (Digest::sha256([1; 32]), Digest::sha256([2; 32]));
        assert_eq!(store.listing(&name), None);
        store.note_listing(&name, b"{}").expect("noted");
        assert_eq!((store.listing(&name), store.listing(&other)), (Some(b"{}".to_vec()), None));
        store.trim_listings().expect("trimmed");
        assert_eq!(store.listing(&name), Some(b"{}".to_vec()), "there is room for it");
    }
}
