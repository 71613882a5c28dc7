//! Where files are copied to.

use std::ffi::OsStr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, unlinkat};

use super::listing::Item;
use super::onto::look;
use super::{Error, failed};

/// Where files are copied to, and what they become there.
pub(crate) struct Destination<'a> {
    /// The path, absolute.
    pub(crate) path: &'a Path,
    /// It is a directory even if it does not exist: its path ends in `/`.
    pub(crate) is_directory: bool,
    /// Everything belongs to this user and group; otherwise what is new belongs to root, and files keep their owners.
    pub(crate) owner: Option<(u32, u32)>,
    /// What becomes of the permissions of a file, or of a directory (`true`); directories that the copy makes above the
    /// files get 0755.
    pub(crate) mode: &'a (dyn Fn(u32, bool) -> u32 + Sync),
}

impl Destination<'_> {
    /// Whom an item belongs to there.
    pub(super) fn owner_of(&self, item: &Item) -> (u32, u32) {
        self.owner.unwrap_or((item.uid, item.gid))
    }
}

/// Removes what the same copy has put at `name` before.
pub(super) fn replace(directory: &OwnedFd, name: &OsStr, shown: &[u8]) -> Result<(), Error> {
    match look(Some(directory.as_fd()), name).map_err(failed("look at", shown))? {
        None => Ok(()),
        Some(FileType::Directory) => Err(Error::IsDirectory(shown.to_vec())),
        Some(_) => unlinkat(directory, name, AtFlags::empty()).map_err(failed("replace", shown)),
    }
}
