//! Writes the entries of one layer into a directory, only through descriptors. A name leads to a parent directory that
//! is resolved beneath the layer's root (links included), and to a last component that is never followed: so an entry
//! can reach nothing outside, and replaces what exists instead of writing through it.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::rc::Rc;

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Uid, XattrFlags, chownat, fchmod, fchown, fsetxattr, linkat, mkdirat,
    mknodat, openat, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::attributes::{self, OwnerTable, Xattr};
use super::content::write_content;
use super::directories::{Attributes, Directories};
use super::parents::{Found, Parents, clean, split};
use super::whiteout::{OPAQUE, Place, is_whiteout, place};
use super::{Error, Ownership, Skipped, failed};
use crate::storage::remove::remove_tree;
use crate::storage::tar::{Entry, Kind, Reader, Time};

pub(super) struct Extractor {
    parents: Parents,
    directories: Directories,
    owners: OwnerTable,
    ownership: Ownership,
    /// New files already belong to 0:0.
    makes_root: bool,
    /// Mode bits that a new file does not get.
    umask: u32,
    skipped: Skipped,
    describes_root: bool,
}

/// What is known about a layer when all its entries are written.
pub(super) struct Extracted {
    pub(super) owners: OwnerTable,
    pub(super) skipped: Skipped,
    /// An entry describes the root directory (`./`).
    pub(super) describes_root: bool,
}

impl Extractor {
    /// Unpacks into the directory `root`, which is empty and has mode 0700.
    pub(super) fn new(root: OwnedFd, ownership: Ownership, umask: u32) -> Self {
        use rustix::process::{getegid, geteuid};
        Self {
            parents: Parents::new(root),
            directories: Directories::default(),
            owners: OwnerTable::default(),
            ownership,
            makes_root: geteuid().is_root() && getegid().is_root(),
            umask,
            skipped: Skipped::default(),
            describes_root: false,
        }
    }

    /// Writes all entries, then the attributes of directories.
    pub(super) fn unpack<R: io::BufRead>(mut self, archive: &mut Reader<R>) -> Result<Extracted, Error> {
        self.unpack_entries(archive)?;
        let directories = std::mem::take(&mut self.directories);
        for (path, attributes) in directories.deepest_first() {
            self.finish_directory(&path, &attributes)?;
        }
        Ok(Extracted { owners: self.owners, skipped: self.skipped, describes_root: self.describes_root })
    }

    pub(super) fn unpack_entries<R: io::BufRead>(&mut self, archive: &mut Reader<R>) -> Result<(), Error> {
        while let Some(entry) = archive.next_entry()? {
            self.add(entry, archive)?;
        }
        Ok(())
    }

    /// How many directories are in memory, waiting for their attributes.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.directories.len()
    }

    fn add<R: io::BufRead>(&mut self, mut entry: Entry, archive: &mut Reader<R>) -> Result<(), Error> {
        let mut path = clean(&entry.path);
        match place(&path).ok_or_else(|| Error::Whiteout { path: entry.path.clone() })? {
            Place::Ignored => return Ok(()),
            Place::Root if entry.kind != Kind::Directory => return Err(Error::Root { path: entry.path }),
            Place::Root => self.describes_root = true,
            Place::Opaque(directory) => return self.make_opaque(directory),
            Place::Whiteout(parent, name) => return self.whiteout(parent, name, &path),
            Place::Name => {}
        }
        if matches!(entry.kind, Kind::CharDevice | Kind::BlockDevice) {
            // An ordinary user cannot create them; rc provides /dev.
            self.skipped.devices += 1;
            return Ok(());
        }
        let owner = attributes::owner(&entry, self.ownership).map_err(|bad| Error::Id {
            path: entry.path.clone(),
            what: bad.what,
            id: bad.id,
            count: bad.count,
        })?;
        let xattrs = attributes::xattrs(&mut entry, self.ownership);
        if !path.is_empty() {
            // One path for each file, whichever links the entry's path goes through: rc records what it knows under
            // that path.
            let (parent, name) = split(&path);
            path = self.parent(parent)?.path_of(name);
        }
        match entry.kind {
            Kind::File => self.file(&path, &entry, owner, &xattrs, archive),
            Kind::Directory => self.directory(&path, &entry, owner, xattrs),
            Kind::HardLink => self.hard_link(&path, &entry),
            Kind::Symlink => self.symlink(&path, &entry, owner),
            Kind::Fifo => self.fifo(&path, &entry, owner),
            Kind::CharDevice | Kind::BlockDevice => Ok(()),
        }
    }

    fn parent(&mut self, directory: &[u8]) -> Result<Rc<Found>, Error> {
        let found = self.parents.directory(directory, &mut |_| ());
        found.map_err(|source| failed("open directory", directory, source))
    }

    fn file<R: io::BufRead>(
        &mut self,
        path: &[u8],
        entry: &Entry,
        owner: (u32, u32),
        xattrs: &[Xattr],
        archive: &mut Reader<R>,
    ) -> Result<(), Error> {
        let (parent, name) = split(path);
        let parent = self.parent(parent)?;
        // Setting attributes needs write permission, which the final mode may not give.
        let first_mode = if xattrs.is_empty() { entry.mode & 0o777 } else { 0o600 };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = self.make(path, &parent.fd, name, "create", |parent, name| {
            openat(parent, name, flags, Mode::from_raw_mode(first_mode))
        })?;
        write_content(&file, entry, archive, path)?;
        self.own(path, owner, |uid, gid| fchown(&file, Some(uid), Some(gid)))?;
        self.set_xattrs(file.as_fd(), xattrs, path)?;
        if entry.mode & (self.umask | 0o7000) != 0 || !xattrs.is_empty() {
            fchmod(&file, Mode::from_raw_mode(entry.mode)).map_err(|e| failed("set the mode of", path, e))?;
        }
        rustix::fs::futimens(&file, &times(entry.mtime)).map_err(|e| failed("set the times of", path, e))
    }

    fn directory(&mut self, path: &[u8], entry: &Entry, owner: (u32, u32), xattrs: Vec<Xattr>) -> Result<(), Error> {
        if !path.is_empty() {
            let (parent, name) = split(path);
            let parent = self.parent(parent)?;
            let name = OsStr::from_bytes(name);
            match mkdirat(&parent.fd, name, Mode::RWXU) {
                Ok(()) => {}
                Err(Errno::EXIST) => self.directory_over(path, &parent.fd, name)?,
                Err(error) => return Err(failed("create directory", path, error)),
            }
        }
        if self.ownership == Ownership::Single {
            self.owners.insert(path, owner);
        }
        match self.directories.set(path, Attributes { mode: entry.mode, owner, mtime: Some(entry.mtime), xattrs }) {
            true => Ok(()),
            false => Err(failed("keep the extended attributes of", path, Errno::TOOBIG)),
        }
    }

    /// A directory where something exists: an existing directory stays, a whiteout becomes "opaque", anything else is
    /// removed.
    fn directory_over(&mut self, path: &[u8], parent: &OwnedFd, name: &OsStr) -> Result<(), Error> {
        let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| failed("stat", path, e))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => return Ok(()),
            kind => self.remove(path, parent, name, kind)?,
        }
        mkdirat(parent, name, Mode::RWXU).map_err(|e| failed("create directory", path, e))?;
        if is_whiteout(&stat) { self.make_opaque(path) } else { Ok(()) }
    }

    fn hard_link(&mut self, path: &[u8], entry: &Entry) -> Result<(), Error> {
        let target = clean(&entry.link);
        let link_failed =
            |source: io::Error| Error::Link { path: entry.path.clone(), target: entry.link.clone(), source };
        if target.is_empty() {
            return Err(link_failed(Errno::PERM.into()));
        }
        let (target_parent, target_name) = split(&target);
        let mut missing = false;
        let found = self.parents.directory(target_parent, &mut |_| missing = true);
        if missing {
            return Err(link_failed(Errno::NOENT.into()));
        }
        let found = found.map_err(link_failed)?;
        let target_name = OsStr::from_bytes(target_name);
        let stat = statat(&found.fd, target_name, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| link_failed(e.into()))?;
        if is_whiteout(&stat) {
            return Err(link_failed(Errno::NOENT.into()));
        }
        let (parent, name) = split(path);
        let parent = self.parent(parent)?;
        if let Ok(there) = statat(&parent.fd, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW) {
            if (there.st_dev, there.st_ino) == (stat.st_dev, stat.st_ino) {
                return Ok(());
            }
            self.remove(path, &parent.fd, OsStr::from_bytes(name), FileType::from_raw_mode(there.st_mode))?;
        }
        linkat(&found.fd, target_name, &parent.fd, OsStr::from_bytes(name), AtFlags::empty())
            .map_err(|e| link_failed(e.into()))?;
        self.owners.link(&found.path_of(target_name.as_bytes()), path);
        Ok(())
    }

    fn symlink(&mut self, path: &[u8], entry: &Entry, owner: (u32, u32)) -> Result<(), Error> {
        let (parent, name) = split(path);
        let parent = self.parent(parent)?;
        self.make(path, &parent.fd, name, "create link", |parent, name| {
            symlinkat(OsStr::from_bytes(&entry.link), parent, name)
        })?;
        self.finish_by_name(path, &parent.fd, name, entry, owner)
    }

    fn fifo(&mut self, path: &[u8], entry: &Entry, owner: (u32, u32)) -> Result<(), Error> {
        let (parent, name) = split(path);
        let parent = self.parent(parent)?;
        let mode = Mode::from_raw_mode(entry.mode & 0o777);
        self.make(path, &parent.fd, name, "create pipe", |parent, name| {
            mknodat(parent, name, FileType::Fifo, mode, 0)
        })?;
        if entry.mode & self.umask != 0 {
            // It was created a moment ago, in a directory that no other process can reach: it is not a link.
            rustix::fs::chmodat(&parent.fd, OsStr::from_bytes(name), mode, AtFlags::empty())
                .map_err(|e| failed("set the mode of", path, e))?;
        }
        self.finish_by_name(path, &parent.fd, name, entry, owner)
    }

    /// Owner and times of a file that cannot be opened.
    fn finish_by_name(
        &mut self,
        path: &[u8],
        parent: &OwnedFd,
        name: &[u8],
        entry: &Entry,
        owner: (u32, u32),
    ) -> Result<(), Error> {
        let name = OsStr::from_bytes(name);
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        self.own(path, owner, |uid, gid| chownat(parent, name, Some(uid), Some(gid), nofollow))?;
        utimensat(parent, name, &times(entry.mtime), nofollow).map_err(|e| failed("set the times of", path, e))
    }

    /// Creates a file with a new name; an existing file of that name is removed.
    fn make<T>(
        &mut self,
        path: &[u8],
        parent: &OwnedFd,
        name: &[u8],
        action: &'static str,
        make: impl Fn(BorrowedFd<'_>, &OsStr) -> rustix::io::Result<T>,
    ) -> Result<T, Error> {
        let name = OsStr::from_bytes(name);
        match make(parent.as_fd(), name) {
            Err(Errno::EXIST) => {
                let stat = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| failed("stat", path, e))?;
                self.remove(path, parent, name, FileType::from_raw_mode(stat.st_mode))?;
                make(parent.as_fd(), name).map_err(|e| failed(action, path, e))
            }
            other => other.map_err(|e| failed(action, path, e)),
        }
    }

    fn remove(&mut self, path: &[u8], parent: &OwnedFd, name: &OsStr, kind: FileType) -> Result<(), Error> {
        if kind == FileType::Directory {
            remove_tree(parent, name).map_err(|e| failed("replace", path, e))?;
            self.directories.remove_tree(path);
            self.owners.remove_tree(path);
            self.parents.forget();
        } else {
            unlinkat(parent, name, AtFlags::empty()).map_err(|e| failed("replace", path, e))?;
            if kind == FileType::Symlink {
                self.parents.forget();
            }
        }
        Ok(())
    }

    /// Gives a new file its owner, or records the owner.
    fn own(
        &mut self,
        path: &[u8],
        owner: (u32, u32),
        chown: impl Fn(Uid, Gid) -> rustix::io::Result<()>,
    ) -> Result<(), Error> {
        if self.ownership == Ownership::Single {
            self.owners.insert(path, owner);
            return Ok(());
        }
        if owner == (0, 0) && self.makes_root {
            return Ok(());
        }
        chown(Uid::from_raw(owner.0), Gid::from_raw(owner.1)).map_err(|e| failed("set the owner of", path, e))
    }

    fn set_xattrs(&mut self, file: BorrowedFd<'_>, xattrs: &[Xattr], path: &[u8]) -> Result<(), Error> {
        for xattr in xattrs {
            match fsetxattr(file, xattr.name.as_slice(), &xattr.value, XattrFlags::empty()) {
                Ok(()) => {}
                Err(Errno::OPNOTSUPP) => self.skipped.attributes += 1,
                Err(error) => return Err(failed("set an extended attribute of", path, error)),
            }
        }
        Ok(())
    }

    /// Hides the directory's contents in lower layers. Its position among the entries does not matter: this layer's own
    /// files are in another directory.
    fn make_opaque(&mut self, directory: &[u8]) -> Result<(), Error> {
        if directory.is_empty() {
            // The root of a mount is always merged; no layer can hide all lower ones.
            return Ok(());
        }
        let reference = self.parent(directory)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = openat(&reference.fd, ".", flags, Mode::empty());
        let opened = opened.map_err(|e| failed("open directory", directory, e))?;
        fsetxattr(&opened, OPAQUE, b"y", XattrFlags::empty()).map_err(|e| failed("mark as opaque", directory, e))
    }

    /// Hides one name of lower layers. A file of this layer with that name stays, before or after.
    fn whiteout(&mut self, parent: &[u8], name: &[u8], path: &[u8]) -> Result<(), Error> {
        let directory = parent;
        let parent = self.parent(directory)?;
        let name = OsStr::from_bytes(name);
        match mknodat(&parent.fd, name, FileType::CharacterDevice, Mode::empty(), 0) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) => {
                let stat = statat(&parent.fd, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| failed("stat", path, e))?;
                if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
                    return Ok(());
                }
                let hidden = if directory.is_empty() {
                    name.as_bytes().to_vec()
                } else {
                    [directory, b"/", name.as_bytes()].concat()
                };
                self.make_opaque(&hidden)
            }
            Err(error) => Err(failed("hide", path, error)),
        }
    }

    fn finish_directory(&mut self, path: &[u8], attributes: &Attributes) -> Result<(), Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        let directory =
            match crate::sys::root::open_in(self.parents.root(), OsStr::from_bytes(path), flags, Mode::empty()) {
                Ok(directory) => directory,
                // It was also known by another path, through a link, and was replaced by that path.
                Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::ELOOP)) => {
                    return Ok(());
                }
                Err(source) => return Err(failed("open directory", path, source)),
            };
        self.own(path, attributes.owner, |uid, gid| fchown(&directory, Some(uid), Some(gid)))?;
        self.set_xattrs(directory.as_fd(), &attributes.xattrs, path)?;
        fchmod(&directory, Mode::from_raw_mode(attributes.mode)).map_err(|e| failed("set the mode of", path, e))?;
        match attributes.mtime {
            Some(mtime) => {
                rustix::fs::futimens(&directory, &times(mtime)).map_err(|e| failed("set the times of", path, e))
            }
            None => Ok(()),
        }
    }
}

fn times(mtime: Time) -> rustix::fs::Timestamps {
    let time = rustix::fs::Timespec { tv_sec: mtime.seconds, tv_nsec: mtime.nanoseconds.into() };
    rustix::fs::Timestamps { last_access: time, last_modification: time }
}
