//! What a copy has written, beside the layer, so that the next copy links what has not changed. Layers never change,
//! and an overlay writes to none of them.
//!
//! ```text
//! copied    records one after the other: 32 bytes of SHA-256; 2 bytes, little-endian, the length of the path; the path
//!           from the root of the layer
//! ```
//! Files with extended attributes are not here.

use std::collections::HashMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, linkat, open, statat};

use super::attributes::Times;
use super::listing::{Item, ItemKind};
use crate::storage::{COPIED, may_be_linked};
use crate::sys::fs;
use crate::sys::root::find_literally;

/// The maximum size of a table in bytes: that of some 500 000 files.
const LIMIT: u64 = 64 << 20;

/// The bytes of a record before its path.
const FIXED: usize = 32 + 2;

/// A table of what was written.
#[derive(Debug, Default)]
pub(crate) struct Copied(Vec<u8>);

impl Copied {
    /// Adds a file at a path from the root of the layer.
    pub(super) fn add(&mut self, path: &Path, item: &Item) {
        let ItemKind::File { digest, .. } = &item.kind else { return };
        let path = path.as_os_str().as_bytes();
        if let (Some(digest), Ok(length), true) =
            (digest.sha256_bytes(), u16::try_from(path.len()), item.attributes.is_empty())
        {
            self.0.extend_from_slice(&digest);
            self.0.extend_from_slice(&length.to_le_bytes());
            self.0.extend_from_slice(path);
        }
    }

    /// Writes the table to a new file.
    pub(crate) fn write(&self, path: &Path) -> Result<(), fs::PathError> {
        fs::write(path, &self.0)
    }
}

/// A layer that an earlier copy has made.
#[derive(Debug)]
pub(crate) struct Former {
    files: OwnedFd,
    known: HashMap<Vec<u8>, [u8; 32]>,
}

/// What a file must be like.
pub(super) struct Wanted<'a> {
    pub(super) item: &'a Item,
    pub(super) owner: (u32, u32),
    pub(super) mode: u32,
}

impl Former {
    /// The layer in this directory of the store, with its table; `None` if it has none.
    pub(crate) fn open(layer: &Path) -> Option<Self> {
        let known = parse(&fs::read_record(layer.join(COPIED), LIMIT).ok()?)?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Some(Self { files: open(layer.join("fs"), flags, Mode::empty()).ok()?, known })
    }

    /// A directory of it.
    pub(super) fn directory(&self, path: &Path) -> Option<OwnedFd> {
        find_literally(self.files.as_fd(), path).ok()
    }

    /// Links the file at `path` of this layer, which is in `directory`, into the directory `to`, if it is as wanted.
    /// Returns whether it did: where the filesystem refuses, and where links disturb, the file is copied.
    pub(super) fn link(&self, directory: &OwnedFd, path: &Path, wanted: &Wanted<'_>, to: &OwnedFd) -> bool {
        let ItemKind::File { size, digest } = &wanted.item.kind else { return false };
        let bytes = path.as_os_str().as_bytes();
        let known = self.known.get(bytes.strip_prefix(b"/").unwrap_or(bytes));
        let (Some(name), true) = (path.file_name(), known.is_some() && known == digest.sha256_bytes().as_ref()) else {
            return false;
        };
        if !wanted.item.attributes.is_empty() || !may_be_linked(path) {
            return false;
        }
        let is_same = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|stat| {
            FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
                && stat.st_mode & 0o7777 == wanted.mode
                && (stat.st_uid, stat.st_gid) == wanted.owner
                && u64::try_from(stat.st_size) == Ok(*size)
                && Times::of(&stat) == wanted.item.time()
        });
        is_same && linkat(directory, name, to, name, AtFlags::empty()).is_ok()
    }
}

fn parse(mut bytes: &[u8]) -> Option<HashMap<Vec<u8>, [u8; 32]>> {
    let mut known = HashMap::with_capacity(bytes.len() / (FIXED + 32));
    while !bytes.is_empty() {
        let digest: [u8; 32] = bytes.get(..32)?.try_into().ok()?;
        let length = usize::from(u16::from_le_bytes(bytes.get(32..FIXED)?.try_into().ok()?));
        known.insert(bytes.get(FIXED..FIXED + length)?.to_vec(), digest);
        bytes = &bytes[FIXED + length..];
    }
    Some(known)
}
