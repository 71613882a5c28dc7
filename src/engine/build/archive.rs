//! ADD of an archive: what is in it is copied, not the file. rc's own reader unpacks it; no program of the image or of
//! the host is run for it (safety.md, T14).

use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use super::Scene;
use crate::build::copy::Tree;
use crate::storage::tar::Reader;
use crate::storage::unpack::{self, Owners, Unpack};
use crate::storage::{Ownership, decompress};
use crate::sys::fs::AtPath as _;
use crate::sys::root::{make_directories, open_in};
use crate::types::Report;

/// The size of buffers, in bytes.
const BUFFER: usize = 256 << 10;

/// Where a tar archive says that it is one. Source: tar(5).
const MAGIC: std::ops::Range<usize> = 257..262;

/// Opens a source, if it is an archive.
pub(super) fn open(from: BorrowedFd<'_>, tree: &Tree) -> Result<Option<File>, Report> {
    if tree.is_directory() || tree.items.is_empty() {
        return Ok(None);
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut file = File::from(open_in(from, &tree.path, flags, Mode::empty()).at("open", &tree.path)?);
    let is_archive = is_archive(&mut file).at("read", &tree.path)?;
    Ok(is_archive.then_some(file))
}

/// Unpacks an archive into the directory `base` of `root`. Owners are those in the archive, unless there is an `owner`.
pub(super) fn unpack(
    scene: &Scene<'_>,
    file: File,
    root: BorrowedFd<'_>,
    base: &Path,
    owner: Option<(u32, u32)>,
) -> Result<(), Report> {
    let made = make_directories(root, base, &|_, _| Ok::<_, std::io::Error>(()));
    drop(made.at("create", base)?);
    let owners = match (owner, scene.target.ownership) {
        (_, Ownership::Single) => Owners::One(0, 0),
        (Some((uid, gid)), _) => Owners::One(uid, gid),
        (None, Ownership::Mapped { users, groups }) => Owners::Archive(users, groups),
    };
    let how = Unpack {
        base: base.strip_prefix("/").unwrap_or(Path::new("")),
        rename: None,
        top: None,
        owners,
        overwrite: true,
    };
    let input = decompress(file).map_err(|error| unpack::Error::Archive(error.into()))?;
    let mut archive = Reader::new(BufReader::with_capacity(BUFFER, input));
    unpack::unpack(root, &mut archive, &how)?;
    archive.finish().map_err(unpack::Error::Archive)?;
    Ok(())
}

/// Whether a file is a tar archive, compressed or not. It is read from its beginning afterwards.
fn is_archive(file: &mut File) -> std::io::Result<bool> {
    let mut beginning = Vec::new();
    // What is no archive may still begin as compressed data does.
    let is_read = decompress(file.try_clone()?)
        .and_then(|inner| inner.take(MAGIC.end as u64).read_to_end(&mut beginning))
        .is_ok();
    file.seek(SeekFrom::Start(0))?;
    Ok(is_read && beginning.get(MAGIC).is_some_and(|magic| magic == b"ustar"))
}
