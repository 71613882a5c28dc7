//! Writes the entries of an archive into a directory that others may change meanwhile: a running container's root, a
//! volume, a directory of the user's. Each name is resolved beneath a root, and the last component is never followed
//! (safety.md, V1 and V3). `layer` has its own reader: nobody else reaches a layer that is being unpacked.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chownat, fchmod, fchown, fsetxattr,
    ftruncate, futimens, linkat, mkdirat, mknodat, openat, seek, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::escape::Escaped;
use super::remove_tree;
use super::tar::{self, Entry, Kind, Reader};
use crate::sys::fs::plain;
use crate::sys::root::{make_directories, open_in};
use crate::sys::steering;
use crate::types::{Report, ReportKind};

/// Who gets the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owners {
    /// The user that this process runs as.
    Me,
    /// This user and group.
    One(u32, u32),
    /// Those in the archive; IDs from 0 to one less than these are mapped.
    Archive(u32, u32),
}

/// How an archive is unpacked.
#[derive(Debug)]
pub(crate) struct Unpack<'a> {
    /// The directory below the root that the names of the archive start from.
    pub(crate) base: &'a Path,
    /// The first component of every name is replaced: by another, or by nothing.
    pub(crate) rename: Option<(&'a [u8], &'a [u8])>,
    /// What the first component itself must be: the place for it was chosen for that.
    pub(crate) top: Option<Top>,
    /// Who gets the files.
    pub(crate) owners: Owners,
    /// Whether a directory may replace a file, and a file a directory.
    pub(crate) overwrite: bool,
}

/// What the first component of an archive's names is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Top {
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// Neither.
    Other,
}

/// Why an archive could not be unpacked. What was unpacked before stays.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The archive is damaged, truncated, or not an archive.
    #[error(transparent)]
    Archive(#[from] tar::Error),
    /// An entry could not be written.
    #[error("cannot {action} `{}`: {}", Escaped(.path), plain(.source))]
    Entry {
        /// What was tried.
        action: &'static str,
        /// The path in the archive.
        path: Vec<u8>,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A directory would be replaced by something else.
    #[error("cannot overwrite directory `{}` with a file", Escaped(.0))]
    OverDirectory(Vec<u8>),
    /// The first component is not what it must be.
    #[error("`{}` was exchanged for something else while it was copied", Escaped(.0))]
    Exchanged(Vec<u8>),
    /// Something else would be replaced by a directory.
    #[error("cannot overwrite `{}`, which is not a directory, with a directory", Escaped(.0))]
    OverFile(Vec<u8>),
    /// An owner is not in the ID map.
    #[error("`{}` belongs to {id}, but only the IDs 0 to {} are mapped", Escaped(.path), .count.saturating_sub(1))]
    Id {
        /// The path as in the archive.
        path: Vec<u8>,
        /// The ID.
        id: i64,
        /// How many IDs are mapped.
        count: u32,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Entry { source, .. } => ReportKind::of_file(source),
            Error::OverDirectory(_) | Error::OverFile(_) | Error::Exchanged(_) => ReportKind::Conflict,
            Error::Id { .. } => ReportKind::Unsupported,
            Error::Archive(_) => ReportKind::Damaged,
        };
        let hint = matches!(error, Error::OverDirectory(_) | Error::OverFile(_)).then(|| "use --overwrite".to_owned());
        let message = error.to_string();
        match error {
            Error::Archive(error) => error.into(),
            _ => Self::new(kind, message).with_hint_of(hint),
        }
    }
}

/// The maximum size of the extended attributes of all directories, which stay in memory until the end.
const XATTR_LIMIT: usize = 8 << 20;

/// Unpacks an archive below `root`. Device files are skipped; returns how many.
pub(crate) fn unpack<R: io::BufRead>(
    root: BorrowedFd<'_>,
    archive: &mut Reader<R>,
    how: &Unpack<'_>,
) -> Result<u64, Error> {
    // Modes are those of the archive.
    rustix::process::umask(Mode::empty());
    let mut unpacker = Unpacker { root, how, directories: BTreeMap::new(), xattrs: 0, skipped: 0, last: None };
    while let Some(entry) = archive.next_entry()? {
        unpacker.add(entry, archive)?;
    }
    // Deepest first: a change in a directory changes its time.
    for (path, entry) in unpacker.directories.iter().rev() {
        unpacker.finish_directory(path, entry)?;
    }
    Ok(unpacker.skipped)
}

struct Unpacker<'a> {
    root: BorrowedFd<'a>,
    how: &'a Unpack<'a>,
    /// Directories, with the attributes that they get at the end, of the last entry of each.
    directories: BTreeMap<PathBuf, Entry>,
    /// Bytes of their extended attributes so far.
    xattrs: usize,
    skipped: u64,
    /// The last directory that was looked up.
    last: Option<(PathBuf, OwnedFd)>,
}

fn failed(action: &'static str, entry: &Entry) -> impl FnOnce(Errno) -> Error {
    move |source| Error::Entry { action, path: entry.path.clone(), source: source.into() }
}

impl Unpacker<'_> {
    fn add<R: io::BufRead>(&mut self, mut entry: Entry, archive: &mut Reader<R>) -> Result<(), Error> {
        let Some(path) = self.place(&entry.path) else {
            return Err(failed("unpack", &entry)(Errno::INVAL));
        };
        let kind = match entry.kind {
            Kind::Directory => Top::Directory,
            Kind::Symlink => Top::Link,
            _ => Top::Other,
        };
        if self.how.top.is_some_and(|top| top != kind) && self.is_top(&entry.path) {
            return Err(Error::Exchanged(entry.path));
        }
        if !path.as_os_str().is_empty() {
            // Messages name the file as it is here.
            entry.path = path.as_os_str().as_bytes().to_vec();
        }
        if matches!(entry.kind, Kind::CharDevice | Kind::BlockDevice) {
            self.skipped += 1;
            return Ok(());
        }
        self.owner(&entry)?;
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
            // The directory that the archive is unpacked into.
            return match entry.kind {
                Kind::Directory => Ok(()),
                _ => Err(Error::OverDirectory(entry.path)),
            };
        };
        let (above, name) = (above.to_owned(), name.to_owned());
        let parent = self.directory(&above, &entry)?;
        match entry.kind {
            Kind::Directory => {
                self.make_directory(&parent, &name, &entry)?;
                self.later(path, entry)?;
            }
            Kind::File => self.file(&parent, &name, &entry, archive)?,
            Kind::Symlink => {
                let target = OsStr::from_bytes(&entry.link);
                self.make(&parent, &name, &entry, || symlinkat(target, &parent, &name))?;
                self.finish(&parent, &name, &entry)?;
            }
            Kind::HardLink => self.hard_link(&parent, &name, &entry)?,
            Kind::Fifo => {
                let mode = Mode::from_raw_mode(entry.mode & 0o7777);
                self.make(&parent, &name, &entry, || mknodat(&parent, &name, FileType::Fifo, mode, 0))?;
                self.finish(&parent, &name, &entry)?;
            }
            Kind::CharDevice | Kind::BlockDevice => {}
        }
        self.last = Some((above, parent));
        Ok(())
    }

    /// Keeps the attributes of a directory until everything in it is there.
    fn later(&mut self, path: PathBuf, mut entry: Entry) -> Result<(), Error> {
        entry.xattrs.retain(|(name, _)| self.keeps(name));
        self.xattrs += entry.xattrs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
        if self.xattrs > XATTR_LIMIT {
            return Err(failed("keep the extended attributes of", &entry)(Errno::TOOBIG));
        }
        self.directories.insert(path, entry);
        Ok(())
    }

    /// Whether an entry is the first component of every name itself.
    fn is_top(&self, name: &[u8]) -> bool {
        let words = name.split(|byte| *byte == b'/').filter(|word| !matches!(*word, b"" | b".")).count();
        let is_dot = self.how.rename.is_some_and(|(from, _)| from == b".");
        words == usize::from(!is_dot)
    }

    /// The path below the root; `None` if the name does not begin as it must.
    fn place(&self, name: &[u8]) -> Option<PathBuf> {
        let mut words: Vec<&[u8]> = Vec::new();
        for word in name.split(|byte| *byte == b'/') {
            match word {
                b"" | b"." => {}
                b".." => drop(words.pop()),
                word => words.push(word),
            }
        }
        if let Some((from, to)) = self.how.rename {
            if from != b"." {
                (*words.first()? == from).then_some(())?;
                words.remove(0);
            }
            if !to.is_empty() {
                words.insert(0, to);
            }
        }
        // Without a word it is the base itself, which has no name here.
        if words.is_empty() {
            return Some(PathBuf::new());
        }
        Some(self.how.base.join(OsStr::from_bytes(&words.join(&b'/'))))
    }

    fn directory(&mut self, path: &Path, entry: &Entry) -> Result<OwnedFd, Error> {
        if let Some((last, fd)) = self.last.take()
            && last == path
        {
            return Ok(fd);
        }
        let may_make = |_: BorrowedFd<'_>, _: &Path| Ok::<(), io::Error>(());
        make_directories(self.root, path, &may_make).map_err(|source| Error::Entry {
            action: "create the directory of",
            path: entry.path.clone(),
            source,
        })
    }

    /// Makes room for a new file, if that is allowed.
    fn clear(&mut self, parent: &OwnedFd, name: &OsStr, entry: &Entry) -> Result<(), Error> {
        let stat = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            other => other.map_err(failed("look at", entry))?,
        };
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        match (is_directory, entry.kind == Kind::Directory) {
            (true, true) => Ok(()),
            (true, false) if !self.how.overwrite => Err(Error::OverDirectory(entry.path.clone())),
            (false, true) if !self.how.overwrite => Err(Error::OverFile(entry.path.clone())),
            (true, false) => {
                self.last = None;
                let removed = remove_tree(parent, name);
                removed.map_err(|source| Error::Entry { action: "replace", path: entry.path.clone(), source })
            }
            (false, _) => match unlinkat(parent, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => Ok(()),
                Err(error) => Err(failed("replace", entry)(error)),
            },
        }
    }

    /// Creates a file; what has its name is removed first.
    fn make<T>(
        &mut self,
        parent: &OwnedFd,
        name: &OsStr,
        entry: &Entry,
        make: impl Fn() -> rustix::io::Result<T>,
    ) -> Result<T, Error> {
        match make() {
            Err(Errno::EXIST) => {
                self.clear(parent, name, entry)?;
                make().map_err(failed("create", entry))
            }
            other => other.map_err(failed("create", entry)),
        }
    }

    fn make_directory(&mut self, parent: &OwnedFd, name: &OsStr, entry: &Entry) -> Result<(), Error> {
        match mkdirat(parent, name, Mode::RWXU) {
            Err(Errno::EXIST) => {
                self.clear(parent, name, entry)?;
                match mkdirat(parent, name, Mode::RWXU) {
                    Ok(()) | Err(Errno::EXIST) => Ok(()),
                    Err(error) => Err(failed("create", entry)(error)),
                }
            }
            other => other.map_err(failed("create", entry)),
        }
    }

    fn file<R: io::BufRead>(
        &mut self,
        parent: &OwnedFd,
        name: &OsStr,
        entry: &Entry,
        archive: &mut Reader<R>,
    ) -> Result<(), Error> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = self.make(parent, name, entry, || openat(parent, name, flags, Mode::RUSR | Mode::WUSR))?;
        match &entry.pieces {
            None => copy(&file, u64::MAX, archive, entry)?,
            Some(pieces) => {
                for piece in pieces {
                    seek(&file, rustix::fs::SeekFrom::Start(piece.offset)).map_err(failed("seek in", entry))?;
                    copy(&file, piece.length, archive, entry)?;
                }
                ftruncate(&file, entry.size).map_err(failed("set the size of", entry))?;
            }
        }
        self.attributes(&file, entry)
    }

    /// Owner, extended attributes, mode (after the owner, whose change drops setuid), times.
    fn attributes(&self, file: &OwnedFd, entry: &Entry) -> Result<(), Error> {
        if let Some((uid, gid)) = self.owner(entry)? {
            fchown(file, Some(uid), Some(gid)).map_err(failed("set the owner of", entry))?;
        }
        for (name, value) in entry.xattrs.iter().filter(|(name, _)| self.keeps(name)) {
            match fsetxattr(file, OsStr::from_bytes(name), value, XattrFlags::empty()) {
                Ok(()) | Err(Errno::NOTSUP | Errno::PERM) => {}
                Err(error) => return Err(failed("set an attribute of", entry)(error)),
            }
        }
        // A container's setuid file must not become one of the user's.
        let bits = if self.how.owners == Owners::Me { 0o1777 } else { 0o7777 };
        fchmod(file, Mode::from_raw_mode(entry.mode & bits)).map_err(failed("set the mode of", entry))?;
        futimens(file, &times(entry)).map_err(failed("set the times of", entry))
    }

    /// On the user's own files only the user's own attributes.
    fn keeps(&self, name: &[u8]) -> bool {
        match name {
            b"security.capability" | b"system.posix_acl_access" | b"system.posix_acl_default" => {
                self.how.owners != Owners::Me
            }
            name => name.starts_with(b"user.") && !steering::has_attribute(name),
        }
    }

    /// Owner and times of a file that cannot be opened.
    fn finish(&self, parent: &OwnedFd, name: &OsStr, entry: &Entry) -> Result<(), Error> {
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        if let Some((uid, gid)) = self.owner(entry)? {
            chownat(parent, name, Some(uid), Some(gid), nofollow).map_err(failed("set the owner of", entry))?;
        }
        utimensat(parent, name, &times(entry), nofollow).map_err(failed("set the times of", entry))
    }

    fn finish_directory(&self, path: &Path, entry: &Entry) -> Result<(), Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        match open_in(self.root, path, flags, Mode::empty()) {
            Ok(directory) => self.attributes(&directory, entry),
            // A later entry, or another process, has replaced it.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP)) => Ok(()),
            Err(source) => Err(Error::Entry { action: "open", path: entry.path.clone(), source }),
        }
    }

    fn hard_link(&mut self, parent: &OwnedFd, name: &OsStr, entry: &Entry) -> Result<(), Error> {
        let missing = || failed("find the target of the link", entry)(Errno::NOENT);
        let target = self.place(&entry.link).ok_or_else(missing)?;
        let (Some(above), Some(target)) = (target.parent(), target.file_name()) else { return Err(missing()) };
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let from = open_in(self.root, above, flags, Mode::empty()).map_err(|_| missing())?;
        let old = statat(&from, target, AtFlags::SYMLINK_NOFOLLOW).map_err(|_| missing())?;
        if statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|there| (there.st_dev, there.st_ino) == (old.st_dev, old.st_ino))
        {
            return Ok(());
        }
        self.make(parent, name, entry, || linkat(&from, target, parent, name, AtFlags::empty()))
    }

    /// The owner that a file gets; `None` if it keeps this process'.
    fn owner(&self, entry: &Entry) -> Result<Option<(Uid, Gid)>, Error> {
        let (uid, gid) = match self.how.owners {
            Owners::Me => return Ok(None),
            Owners::One(uid, gid) => (uid, gid),
            Owners::Archive(users, groups) => {
                let check = |id: i64, count: u32| match u32::try_from(id) {
                    Ok(inside) if inside < count => Ok(inside),
                    _ => Err(Error::Id { path: entry.path.clone(), id, count }),
                };
                (check(entry.uid, users)?, check(entry.gid, groups)?)
            }
        };
        Ok(Some((Uid::from_raw(uid), Gid::from_raw(gid))))
    }
}

fn copy<R: io::BufRead>(file: &OwnedFd, mut limit: u64, archive: &mut Reader<R>, entry: &Entry) -> Result<(), Error> {
    loop {
        let chunk = archive.data(limit)?;
        if chunk.is_empty() {
            return Ok(());
        }
        let count = rustix::io::retry_on_intr(|| rustix::io::write(file, chunk)).map_err(failed("write", entry))?;
        archive.consume(count);
        limit -= count as u64;
    }
}

fn times(entry: &Entry) -> Timestamps {
    let time = Timespec { tv_sec: entry.mtime.seconds, tv_nsec: entry.mtime.nanoseconds.into() };
    Timestamps { last_access: time, last_modification: time }
}

#[cfg(test)]
mod tests;
