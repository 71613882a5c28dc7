//! What builds have fetched, so that the next one need not: `cache/http` and `cache/git`.
//!
//! ```text
//! cache/PART/HASH/   by the hash of a URL; its modification time is its last use
//!   url              the URL, as it is shown
//!   lock             held by who works in it
//! ```

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::steps::{listed, touch};
use super::{Hasher, Store};
use crate::sys::fs::{self, AtPath as _, PathError};
use crate::sys::lock::FileLock;

/// The most bytes of a URL.
const LIMIT: u64 = 64 << 10;

/// From where something was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FetchedPart {
    /// A file by URL.
    Http,
    /// Commits of a repository.
    Git,
}

impl FetchedPart {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Git => "git",
        }
    }
}

/// What was fetched from one URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fetched {
    path: PathBuf,
    /// From where.
    pub(crate) part: FetchedPart,
    /// The URL, as it is shown.
    pub(crate) url: String,
    /// When a build has used it last.
    pub(crate) used: SystemTime,
}

impl Fetched {
    /// The hash of the URL.
    pub(crate) fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Its directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Store {
    /// The directory of what comes from this URL, which is made if it is missing, and its lock. It is used now. `shown`
    /// is the URL without what is secret in it.
    pub(crate) fn fetched(&self, part: FetchedPart, url: &str, shown: &str) -> Result<(PathBuf, FileLock), PathError> {
        let directory = self.fetched_path(part).join(Hasher::sha256(url.as_bytes()).hex());
        loop {
            fs::create_dir_all(&directory)?;
            let lock = match FileLock::exclusive(directory.join("lock")) {
                Err(error) if error.is_not_found() => continue,
                other => other?,
            };
            // Who has held it until now may have removed the directory, and another build may have made it anew.
            if lock.is_of(&directory.join("lock")) {
                if fs::symlink_metadata(directory.join("url")).is_err() {
                    fs::write(directory.join("url"), shown)?;
                }
                touch(&directory).at("set the time of", &directory)?;
                return Ok((directory, lock));
            }
        }
    }

    /// Everything that builds have fetched.
    pub(crate) fn all_fetched(&self) -> Result<Vec<Fetched>, PathError> {
        let mut all = Vec::new();
        for part in [FetchedPart::Http, FetchedPart::Git] {
            for path in listed(self.fetched_path(part))? {
                let used = fs::symlink_metadata(&path).ok().and_then(|found| found.modified().ok());
                let url = fs::read_record(path.join("url"), LIMIT).unwrap_or_default();
                let url = String::from_utf8_lossy(&url).into_owned();
                all.extend(used.map(|used| Fetched { path, part, url, used }));
            }
        }
        Ok(all)
    }

    /// Whether a build works with it now.
    pub(crate) fn is_fetched_used(&self, fetched: &Fetched) -> Result<bool, PathError> {
        Ok(FileLock::try_exclusive(fetched.path.join("lock"))?.is_none())
    }

    /// Forgets what was fetched, unless a build works with it; returns whether it did. It waits in the trash.
    pub(crate) fn forget_fetched(&self, fetched: &Fetched) -> Result<bool, PathError> {
        let lock = match FileLock::try_exclusive(fetched.path.join("lock")) {
            Err(error) if error.is_not_found() => return Ok(false),
            other => other?,
        };
        let Some(_lock) = lock else { return Ok(false) };
        match self.move_to_trash(&fetched.path) {
            Err(error) if error.is_not_found() => Ok(false),
            other => other.map(|()| true),
        }
    }

    fn fetched_path(&self, part: FetchedPart) -> PathBuf {
        self.root.join("cache").join(part.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_fetched_stays_while_it_is_used() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(&home.path().join("store")).expect("a new store");
        assert_eq!(store.all_fetched().expect("lists"), []);
        let fetched = || store.fetched(FetchedPart::Http, "https://me:pw@h/a", "https://h/a").expect("made");
        let (directory, lock) = fetched();
        fs::write(directory.join("content"), "x").expect("written");
        let all = store.all_fetched().expect("lists");
        assert_eq!((all.len(), all[0].part, all[0].url.as_str()), (1, FetchedPart::Http, "https://h/a"));
        assert!(store.is_fetched_used(&all[0]).expect("looked"));
        assert!(!store.forget_fetched(&all[0]).expect("looked"), "a build works with it");
        assert!(directory.exists());
        drop(lock);
        assert!(!store.is_fetched_used(&all[0]).expect("looked"));
        assert!(store.forget_fetched(&all[0]).expect("forgotten"));
        assert!(!directory.exists());
        assert!(!store.forget_fetched(&all[0]).expect("nothing to do"));
        assert_eq!(fetched().0, directory, "made anew");
    }

    #[test]
    fn no_two_work_in_a_directory_that_was_removed_and_made_anew() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(&home.path().join("store")).expect("a new store");
        let fetched = || store.fetched(FetchedPart::Git, "https://h/a", "https://h/a").expect("made");
        let (directory, first) = fetched();
        let lock = directory.join("lock");
        let inode = std::os::unix::fs::MetadataExt::ino(&fs::symlink_metadata(&lock).expect("there"));
        std::thread::scope(|scope| {
            let second = scope.spawn(|| fetched().1);
            let waits = |line: &str| line.contains("-> FLOCK") && line.contains(&format!(":{inode} "));
            while !fs::read_to_string("/proc/locks").expect("locks").lines().any(waits) {
                std::thread::yield_now();
            }
            store.move_to_trash(&directory).expect("moved");
            let (_, third) = fetched();
            drop(first);
            drop(third);
            assert!(second.join().expect("a lock").is_of(&lock), "it waits for the third");
        });
    }
}
