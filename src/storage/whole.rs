//! The store as a whole: what in its directory is rc's, and removing all of that.

use std::path::{Path, PathBuf};

use super::remove::remove_at;
use super::{Error, Store};
use crate::sys::fs;

/// The names in the store's directory. `version` is the mark of a store, and is removed last.
const OWN: [&str; 19] = [
    "cache",
    "containers",
    "empty",
    "images",
    "layers",
    "names",
    "networks",
    // The runtime directory of a user without `XDG_RUNTIME_DIR`.
    "run",
    "secrets",
    "tmp",
    "trash",
    "volumes",
    "events.log",
    "events.log.1",
    "ids.lock",
    "ingest.lock",
    "sweep.lock",
    "lock",
    "version",
];

impl Store {
    /// Opens the store at `root` to remove it; `None` if there is nothing. Fails if the directory lacks the marks of a
    /// store (`version`, `images/oci-layout`), or belongs to another user.
    pub(crate) fn open_marked(root: &Path) -> Result<Option<Self>, Error> {
        let store = Self { root: root.to_owned(), has_events: false };
        match store.check_owner() {
            Err(Error::Path(error)) if error.is_not_found() => return Ok(None),
            other => other?,
        }
        let no_store = || Error::NoStore { root: root.to_owned() };
        let version = fs::read_record(root.join("version"), 32).map_err(|_| no_store())?;
        store
            .check_version(&version)
            .map_err(|error| if let Error::BadVersion { .. } = error { no_store() } else { error })?;
        if store.has_layout() { Ok(Some(store)) } else { Err(no_store()) }
    }

    pub(super) fn has_layout(&self) -> bool {
        fs::symlink_metadata(self.images().join("oci-layout")).is_ok_and(|found| found.is_file())
    }

    /// The entries of the store's directory that are not rc's.
    pub(crate) fn foreign_entries(&self) -> Result<Vec<PathBuf>, Error> {
        Ok(fs::paths_in(&self.root)?.into_iter().filter(|path| !is_own(path)).collect())
    }

    /// Whether something in the directory shows that it was not made for a store: another's entries, or files in what
    /// would become rc's directories.
    pub(super) fn is_occupied(&self) -> Result<bool, Error> {
        if self.has_layout() {
            return Ok(false);
        }
        for path in fs::paths_in(&self.root)? {
            let is_of_a_store = is_own(&path) && (path.ends_with("images") || holds_nothing(&path)?);
            if !is_of_a_store {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes everything that is rc's, and the directory if nothing else is in it; returns what is left. If it is
    /// killed, the store can be removed again.
    ///
    /// Call it as root of the namespace whose IDs own the files, when no container exists.
    pub(crate) fn remove_everything(&self) -> Result<Vec<PathBuf>, Error> {
        let _lock = self.lock_exclusive()?;
        OWN.iter().try_for_each(|name| remove_at(&self.root.join(name)))?;
        let left = self.foreign_entries()?;
        if left.is_empty() {
            // It may be the current directory of another process, or a mount point.
            drop(fs::remove_dir(&self.root));
        }
        Ok(left)
    }
}

fn is_own(path: &Path) -> bool {
    path.file_name().is_some_and(|name| OWN.iter().any(|own| name == *own))
}

/// A lock of rc's is empty, and so is a new directory of the store.
fn holds_nothing(path: &Path) -> Result<bool, Error> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.is_not_found() => return Ok(true),
        other => other?,
    };
    Ok(if found.is_dir() { fs::paths_in(path)?.is_empty() } else { found.is_file() && found.len() == 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::tests::store;

    #[test]
    fn a_directory_with_another_s_files_becomes_no_store_and_is_not_removed() {
        for entry in ["notes", "tmp/notes", "volumes/data/file", "version.txt"] {
            let home = tempfile::tempdir().expect("a directory");
            let path = home.path().join(entry);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(&path, "mine").expect("written");
            assert!(matches!(Store::open(home.path()), Err(Error::Occupied { .. })), "{entry}");
            assert!(matches!(Store::open_marked(home.path()), Err(Error::NoStore { .. })), "{entry}");
            assert_eq!(fs::read(&path).expect("reads"), b"mine", "{entry}");
            assert_eq!(fs::paths_in(home.path()).expect("lists").len(), 1, "{entry}: nothing was made there");
        }
    }

    #[test]
    fn a_store_that_was_half_made_or_lost_its_version_is_completed() {
        let (_home, store) = store();
        fs::remove_file(store.root().join("version")).expect("removed");
        fs::write(store.tmp().join("left"), "").expect("written");
        Store::open(store.root()).expect("completed");
        let home = tempfile::tempdir().expect("a directory");
        fs::create_dir_all(home.path().join("images/blobs/sha256")).expect("made");
        fs::create_dir(home.path().join("layers")).expect("made");
        fs::write(home.path().join("lock"), "").expect("written");
        Store::open(home.path()).expect("completed");
    }

    #[test]
    fn a_store_is_removed_whole_and_what_is_not_rc_s_stays() {
        let (_home, store) = store();
        assert!(Store::open_marked(&store.root().join("none")).expect("looks").is_none());
        fs::write(store.tmp().join("left"), "").expect("written");
        let canary = store.root().join("canary");
        fs::write(&canary, "mine").expect("written");
        let marked = Store::open_marked(store.root()).expect("marked").expect("there");
        let left = vec![canary.clone()];
        assert_eq!(marked.remove_everything().expect("removed"), left);
        assert_eq!(fs::paths_in(store.root()).expect("lists"), left);
        assert!(matches!(Store::open_marked(store.root()), Err(Error::NoStore { .. })));
        fs::remove_file(canary).expect("removed");
        let store = Store::open(store.root()).expect("new");
        assert_eq!(store.remove_everything().expect("removed"), Vec::<PathBuf>::new());
        assert!(!store.root().exists());
    }
}
