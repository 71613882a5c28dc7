//! What builds have fetched, so that the next one need not: `cache/http` and `cache/git`.
//!
//! ```text
//! cache/PART/HASH/   by the hash of a URL; its modification time is its last use; `lock` is held by who works in it
//! ```

use std::path::PathBuf;
use std::time::SystemTime;

use rustix::fs::CWD;

use super::steps::{listed, touch};
use super::{Hasher, Store, remove_tree};
use crate::sys::fs::{self, AtPath as _, PathError};
use crate::sys::lock::FileLock;

const PARTS: [&str; 2] = ["http", "git"];

impl Store {
    /// The directory of what has this name in a part of the cache, which is made if it is missing, and its lock. It is
    /// used now.
    pub(crate) fn fetched(&self, part: &str, name: &str) -> Result<(PathBuf, FileLock), PathError> {
        let directory = self.root.join("cache").join(part).join(Hasher::sha256(name.as_bytes()).hex());
        loop {
            fs::create_dir_all(&directory)?;
            let lock = match FileLock::exclusive(directory.join("lock")) {
                Err(error) if error.is_not_found() => continue,
                other => other?,
            };
            // Who has held it until now may have removed the directory.
            if fs::symlink_metadata(directory.join("lock")).is_ok() {
                touch(&directory).at("set the time of", &directory)?;
                return Ok((directory, lock));
            }
        }
    }

    /// Removes what builds have fetched and `is_pruned` says, by its last use. What a build works with stays.
    pub(crate) fn forget_fetched(&self, is_pruned: &dyn Fn(SystemTime) -> bool) -> Result<(), PathError> {
        for part in PARTS {
            for directory in listed(self.root.join("cache").join(part))? {
                let used = fs::symlink_metadata(&directory).ok().and_then(|found| found.modified().ok());
                if !used.is_some_and(is_pruned) {
                    continue;
                }
                if let Some(_lock) = FileLock::try_exclusive(directory.join("lock"))? {
                    remove_tree(CWD, &directory).at("remove", &directory)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_fetched_stays_while_it_is_used() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(&home.path().join("store")).expect("a new store");
        let (directory, lock) = store.fetched("http", "https://h/a").expect("made");
        fs::write(directory.join("content"), "x").expect("written");
        store.forget_fetched(&|_| true).expect("looked");
        assert!(directory.exists(), "a build works with it");
        drop(lock);
        store.forget_fetched(&|_| false).expect("looked");
        assert!(directory.exists(), "it is too young");
        store.forget_fetched(&|_| true).expect("removed");
        assert!(!directory.exists());
        assert_eq!(store.fetched("http", "https://h/a").expect("made anew").0, directory);
    }
}
