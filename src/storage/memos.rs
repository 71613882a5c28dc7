//! The memos of contexts: what stat(2) has said of their files, and their digests (`build::copy::memo`).
//!
//! ```text
//! cache/memo/HASH   by the hash of the context's path; its modification time is its last use
//! ```

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::steps::{listed, touch};
use super::{Hasher, Store};
use crate::sys::fs::{self, PathError};

/// The memo of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ContextMemo {
    path: PathBuf,
    /// When a build has used it last.
    pub(crate) used: SystemTime,
    /// Its bytes.
    pub(crate) size: u64,
}

impl ContextMemo {
    /// The hash of the context's path.
    pub(crate) fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }
}

impl Store {
    /// The path of a context's memo, which need not exist. It is used now.
    pub(crate) fn context_memo(&self, context: &Path) -> PathBuf {
        let path = self.memos_path().join(Hasher::sha256(context.as_os_str().as_bytes()).hex());
        // If the time cannot be set, it is removed earlier than it need be.
        touch(&path).unwrap_or_default();
        path
    }

    /// All memos.
    pub(crate) fn context_memos(&self) -> Result<Vec<ContextMemo>, PathError> {
        let memo = |path: PathBuf| {
            let found = fs::symlink_metadata(&path).ok()?;
            Some(ContextMemo { used: found.modified().ok()?, size: found.len(), path })
        };
        Ok(listed(self.memos_path())?.into_iter().filter_map(memo).collect())
    }

    /// Removes a memo: the files of its context are read again. Returns whether it was there.
    pub(crate) fn forget_context_memo(&self, memo: &ContextMemo) -> Result<bool, PathError> {
        match self.move_to_trash(&memo.path) {
            Err(error) if error.is_not_found() => Ok(false),
            other => other.map(|()| true),
        }
    }

    fn memos_path(&self) -> PathBuf {
        self.root.join("cache").join("memo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memo_is_listed_until_it_is_forgotten() {
        let home = tempfile::tempdir().expect("a directory");
        let store = Store::open(&home.path().join("store")).expect("a new store");
        assert_eq!(store.context_memos().expect("lists"), []);
        let path = store.context_memo(Path::new("/srv/context"));
        fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        fs::write(&path, "12345").expect("written");
        let old = fs::open_with(&path, std::fs::OpenOptions::new().write(true)).expect("opens");
        old.set_modified(SystemTime::UNIX_EPOCH).expect("set");
        let all = store.context_memos().expect("lists");
        assert_eq!((all.len(), all[0].used, all[0].size, all[0].name().len()), (1, SystemTime::UNIX_EPOCH, 5, 64));
        assert_eq!(store.context_memo(Path::new("/srv/context")), path);
        assert!(store.context_memos().expect("lists")[0].used > SystemTime::UNIX_EPOCH, "it was used");
        assert!(store.forget_context_memo(&all[0]).expect("forgotten"));
        assert!(!store.forget_context_memo(&all[0]).expect("nothing to do"));
        assert_eq!(store.context_memos().expect("lists"), []);
    }
}
