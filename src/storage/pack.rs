//! Writes a tree of files as an archive, only through descriptors: a link that another process puts in the place of a
//! directory or file meanwhile is not followed (safety.md, V1 and V4).

mod entry;

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Statx, StatxFlags, fgetxattr, flistxattr, flistxattr_query, openat,
    readlinkat, statx, unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use self::entry::{Header, write_end, write_entry, write_padding};
use super::escape::Escaped;
use super::tar::Kind;
use crate::sys::fs::plain;
use crate::sys::steering;
use crate::types::{Report, ReportKind};

/// What is written of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contents {
    /// All files. With `stay`, only those on the filesystem's mount that the tree begins on.
    Files {
        /// Whether other mounts are left out.
        stay: bool,
    },
    /// A writable layer as a layer of an image: what hides files of lower layers becomes an entry.
    Layer {
        /// Whether the root directory itself has an entry.
        root: bool,
    },
    /// The same of a directory that becomes the unpacked layer itself, so that it has what the archive has: sockets are
    /// removed, and a name that hides another one in an archive is an error.
    Kept {
        /// Whether the root directory itself has an entry.
        root: bool,
    },
}

/// Whose the files are in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Their owners, as this process sees them.
    Own,
    /// Root.
    Root,
}

/// How a tree is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pack<'a> {
    /// The name of the tree in the archive; `.` for its contents alone, and nothing for names without a beginning.
    pub(crate) name: &'a [u8],
    /// What is written.
    pub(crate) contents: Contents,
    /// Whose the files are.
    pub(crate) owner: Owner,
}

/// What could not be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    /// Devices and sockets, which no archive brings back for an ordinary user.
    pub(crate) special: u64,
}

/// Why an archive is incomplete.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file could not be read.
    #[error("cannot {action} `{}`: {}", Escaped(.path), plain(.source))]
    Entry {
        /// What was tried.
        action: &'static str,
        /// The path in the archive.
        path: Vec<u8>,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Its name means something else in a layer. Source: image-spec layer.md, "Whiteouts".
    #[error("`{}` cannot be in a layer: there a name that begins with `.wh.` removes another file", Escaped(.0))]
    Hides(Vec<u8>),
    /// The archive could not be written.
    #[error("cannot write the archive: {}", plain(.0))]
    Write(io::Error),
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Entry { source, .. } => ReportKind::of_file(source),
            Error::Hides(_) => ReportKind::Unsupported,
            Error::Write(source) if source.kind() == io::ErrorKind::BrokenPipe => {
                ReportKind::Interrupted(libc::SIGPIPE)
            }
            Error::Write(source) => ReportKind::of_step(source),
        };
        Self::new(kind, error.to_string())
    }
}

/// How many levels of directories are written: each takes a descriptor and stack.
const DEEPEST: u32 = 2048;

/// How much of a file is read at a time, in bytes.
const CHUNK: usize = 128 << 10;

/// The longest file of the kernel's that is read: its size is not known before.
const LONGEST_OF_KERNEL: u64 = 16 << 20;

/// The maximum size of an extended attribute, and of all names of a file. Source: xattr(7), "Limits".
const LONGEST: usize = 64 << 10;

/// Writes the file or directory `name` of `parent`, and everything beneath it, as a whole archive. A link is written as
/// a link. Names come in order, so that the same tree gives the same archive.
///
/// A file that changes meanwhile has in the archive the size that it had when it was opened; files of `/proc` and
/// `/sys`, of which stat(2) says another size, have all that is read of them. If it fails, no reader takes the archive
/// for a whole one.
pub(crate) fn pack(parent: BorrowedFd<'_>, name: &OsStr, how: &Pack<'_>, out: impl Write) -> Result<LeftOut, Error> {
    crate::sys::limits::set("RLIMIT_NOFILE", u64::MAX, u64::MAX).ok();
    let mut packer =
        Packer { out, how, links: HashMap::new(), left_out: LeftOut::default(), buffer: Vec::new(), mount: None };
    let name = CString::new(name.as_bytes()).map_err(|_| failed("name", how.name)(Errno::INVAL.into()))?;
    if let Err(error) = packer.one(parent, &name, how.name.to_vec(), DEEPEST) {
        // An archive may end between two entries: nobody must take this one for complete.
        drop(packer.out.write_all(&[0xff; 512]).and_then(|()| packer.out.flush()));
        return Err(error);
    }
    write_end(&mut packer.out).map_err(Error::Write)?;
    packer.out.flush().map_err(Error::Write)?;
    Ok(packer.left_out)
}

struct Packer<'a, W> {
    out: W,
    how: &'a Pack<'a>,
    /// The first path of each file with several names.
    links: HashMap<(u32, u32, u64), Vec<u8>>,
    left_out: LeftOut,
    /// Where files are read into.
    buffer: Vec<u8>,
    /// The mount that the tree begins on.
    mount: Option<u64>,
}

fn failed(action: &'static str, path: &[u8]) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Entry { action, path: path.to_vec(), source }
}

impl<W: Write> Packer<'_, W> {
    fn one(&mut self, parent: BorrowedFd<'_>, name: &CStr, path: Vec<u8>, levels: u32) -> Result<(), Error> {
        let flags = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
        let stat = match statx(parent, name, AtFlags::SYMLINK_NOFOLLOW, flags) {
            Ok(stat) => stat,
            // Another process has removed it, unless it is what was asked for.
            Err(Errno::NOENT) if levels < DEEPEST => return Ok(()),
            Err(error) => return Err(failed("read", &path)(error.into())),
        };
        let mount = *self.mount.get_or_insert(stat.stx_mnt_id);
        match FileType::from_raw_mode(stat.stx_mode.into()) {
            FileType::Directory => {
                // The directory is where something is mounted; what is in it belongs to the mount.
                let is_elsewhere = self.how.contents == (Contents::Files { stay: true }) && stat.stx_mnt_id != mount;
                self.directory(parent, name, &path, &stat, if is_elsewhere { None } else { Some(levels) })
            }
            // What is mounted here belongs to the mount.
            FileType::RegularFile
                if self.how.contents == (Contents::Files { stay: true }) && stat.stx_mnt_id != mount =>
            {
                Ok(())
            }
            FileType::RegularFile => self.file(parent, name, path, &stat),
            FileType::Symlink => {
                let link = match readlinkat(parent, name, Vec::new()) {
                    Err(Errno::NOENT | Errno::INVAL) => return Ok(()),
                    other => other.map_err(|error| failed("read", &path)(error.into()))?,
                };
                self.entry(Kind::Symlink, &path, link.as_bytes(), &stat, 0, Vec::new())
            }
            FileType::Fifo => self.entry(Kind::Fifo, &path, b"", &stat, 0, Vec::new()),
            FileType::CharacterDevice if self.is_whiteout(&stat) => {
                let at = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
                let hidden = [&path[..at], steering::WHITEOUT.as_bytes(), &path[at..]].concat();
                self.marker(&hidden)
            }
            _ => {
                self.left_out.special += 1;
                if self.is_kept() {
                    unlinkat(parent, name, AtFlags::empty())
                        .map_err(|error| failed("remove the socket or device", &path)(error.into()))?;
                }
                Ok(())
            }
        }
    }

    fn is_layer(&self) -> bool {
        matches!(self.how.contents, Contents::Layer { .. } | Contents::Kept { .. })
    }

    fn is_kept(&self) -> bool {
        matches!(self.how.contents, Contents::Kept { .. })
    }

    fn is_whiteout(&self, stat: &Statx) -> bool {
        self.is_layer() && (stat.stx_rdev_major, stat.stx_rdev_minor) == (0, 0)
    }

    fn directory(
        &mut self,
        parent: BorrowedFd<'_>,
        name: &CStr,
        path: &[u8],
        stat: &Statx,
        levels: Option<u32>,
    ) -> Result<(), Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = match openat(parent, name, flags, Mode::empty()) {
            // It was replaced meanwhile.
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if levels != Some(DEEPEST) => return Ok(()),
            other => other.map_err(|error| failed("open", path)(error.into()))?,
        };
        let attributes = attributes(&directory).map_err(failed("read the attributes of", path))?;
        let is_opaque = self.is_layer() && is_opaque(&directory);
        // Without a name it is described only in a layer, as its root.
        let is_described = matches!(self.how.contents, Contents::Layer { root: true } | Contents::Kept { root: true });
        let shown: &[u8] = if path.is_empty() && is_described { b"." } else { path };
        if !shown.is_empty() {
            self.entry(Kind::Directory, &[shown, b"/"].concat(), b"", stat, 0, attributes)?;
        }
        let Some(levels) = levels else { return Ok(()) };
        let deeper = levels.checked_sub(1).ok_or_else(|| failed("open", path)(Errno::NAMETOOLONG.into()))?;
        if is_opaque {
            self.marker(&below(path, b".wh..wh..opq"))?;
        }
        for name in names(&directory).map_err(failed("read", path))? {
            if self.is_kept() && name.to_bytes().starts_with(steering::WHITEOUT.as_bytes()) {
                return Err(Error::Hides(below(path, name.to_bytes())));
            }
            self.one(directory.as_fd(), &name, below(path, name.to_bytes()), deeper)?;
        }
        Ok(())
    }

    fn file(&mut self, parent: BorrowedFd<'_>, name: &CStr, path: Vec<u8>, stat: &Statx) -> Result<(), Error> {
        let key = (stat.stx_dev_major, stat.stx_dev_minor, stat.stx_ino);
        if stat.stx_nlink > 1
            && let Some(first) = self.links.get(&key)
        {
            let first = first.clone();
            return self.entry(Kind::HardLink, &path, &first, stat, 0, Vec::new());
        }
        // Not blocked by a FIFO that takes the file's place now.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match openat(parent, name, flags, Mode::empty()) {
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(()),
            other => other.map_err(|error| failed("open", &path)(error.into()))?,
        };
        let attributes = attributes(&file).map_err(failed("read the attributes of", &path))?;
        let opened = rustix::fs::fstat(&file).map_err(|error| failed("read", &path)(error.into()))?;
        if FileType::from_raw_mode(opened.st_mode) != FileType::RegularFile {
            return Ok(());
        }
        let size = u64::try_from(opened.st_size).unwrap_or(0);
        if !self.is_layer() && is_of_kernel(&file) {
            let content = self.made_when_read(file, &path)?;
            let size = content.len() as u64;
            self.entry(Kind::File, &path, b"", stat, size, attributes)?;
            self.out.write_all(&content).and_then(|()| write_padding(&mut self.out, size)).map_err(Error::Write)?;
            return Ok(());
        }
        self.entry(Kind::File, &path, b"", stat, size, attributes)?;
        self.data(file, size, &path)?;
        if stat.stx_nlink > 1 {
            self.links.insert(key, path);
        }
        Ok(())
    }

    /// The content of a file that the kernel makes when it is read. Some of them nobody may read, and some never end:
    /// within a tree these are empty, as they look.
    fn made_when_read(&self, file: OwnedFd, path: &[u8]) -> Result<Vec<u8>, Error> {
        let mut content = Vec::new();
        let read = match File::from(file).take(LONGEST_OF_KERNEL + 1).read_to_end(&mut content) {
            Ok(_) if content.len() as u64 > LONGEST_OF_KERNEL => Err(Errno::FBIG.into()),
            other => other,
        };
        match read {
            Ok(_) => Ok(content),
            Err(error) if path == self.how.name => Err(failed("read", path)(error)),
            Err(_) => Ok(Vec::new()),
        }
    }

    fn data(&mut self, file: OwnedFd, size: u64, path: &[u8]) -> Result<(), Error> {
        let mut source = File::from(file).take(size);
        let buffer = &mut self.buffer;
        buffer.resize(CHUNK, 0);
        let mut written = 0;
        while written < size {
            let count = match source.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other.map_err(failed("read", path))?,
            };
            if count == 0 {
                break;
            }
            self.out.write_all(&buffer[..count]).map_err(Error::Write)?;
            written += count as u64;
        }
        // A file that became shorter meanwhile: the size is already in the archive.
        io::copy(&mut io::repeat(0).take(size - written), &mut self.out).map_err(Error::Write)?;
        write_padding(&mut self.out, size).map_err(Error::Write)
    }

    /// An empty file of root's, whose name says what it hides.
    fn marker(&mut self, path: &[u8]) -> Result<(), Error> {
        let (kind, xattrs) = (Kind::File, Vec::new());
        let header = Header { kind, path, link: b"", mode: 0o600, uid: 0, gid: 0, seconds: 0, size: 0, xattrs };
        write_entry(&mut self.out, &header).map_err(Error::Write)
    }

    fn entry(
        &mut self,
        kind: Kind,
        path: &[u8],
        link: &[u8],
        stat: &Statx,
        size: u64,
        xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    ) -> Result<(), Error> {
        let (uid, gid) = match self.how.owner {
            Owner::Own => (stat.stx_uid, stat.stx_gid),
            Owner::Root => (0, 0),
        };
        let header = Header {
            kind,
            path,
            link,
            mode: u32::from(stat.stx_mode) & 0o7777,
            uid,
            gid,
            seconds: stat.stx_mtime.tv_sec,
            size,
            xattrs,
        };
        write_entry(&mut self.out, &header).map_err(Error::Write)
    }
}

/// Whether a file is one of the filesystems in which a size says nothing.
fn is_of_kernel(file: &OwnedFd) -> bool {
    let kind = rustix::fs::fstatfs(file).map(|found| found.f_type);
    kind.is_ok_and(|kind| [libc::PROC_SUPER_MAGIC, libc::SYSFS_MAGIC, libc::CGROUP2_SUPER_MAGIC].contains(&kind))
}

/// The path of `name` in a directory.
fn below(path: &[u8], name: &[u8]) -> Vec<u8> {
    if path.is_empty() { name.to_vec() } else { [path, b"/", name].concat() }
}

/// The names in a directory, in order.
pub(super) fn names(directory: &OwnedFd) -> io::Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = match entry {
            // Another process has removed the directory while we list it (getdents(2)).
            Err(Errno::NOENT) => break,
            other => other?,
        };
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Extended attributes, each with its name and its value.
pub(crate) type Attributes = Vec<(Vec<u8>, Vec<u8>)>;

/// The extended attributes that an image may have.
pub(crate) fn attributes(file: &OwnedFd) -> io::Result<Attributes> {
    // Most files have none.
    match flistxattr_query(file) {
        Ok(0) | Err(Errno::NOTSUP) => return Ok(Vec::new()),
        Ok(_) => {}
        Err(error) => return Err(error.into()),
    }
    let mut list = vec![0; LONGEST];
    let length = flistxattr(file, &mut list[..])?;
    let is_kept = |name: &[u8]| match name {
        b"security.capability" | b"system.posix_acl_access" | b"system.posix_acl_default" => true,
        name => name.starts_with(b"user.") && !steering::has_attribute(name),
    };
    let mut kept = Vec::new();
    for name in list[..length].split(|byte| *byte == 0).filter(|name| is_kept(name)) {
        let mut value = vec![0; LONGEST];
        match fgetxattr(file, name, &mut value[..]) {
            Ok(length) => {
                value.truncate(length);
                kept.push((name.to_vec(), value));
            }
            Err(Errno::NODATA) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(kept)
}

/// Whether a directory of a writable layer hides that of lower layers, with either driver.
pub(super) fn is_opaque(directory: &OwnedFd) -> bool {
    let is_set = |name: &str| {
        let mut value = [0; 8];
        fgetxattr(directory, name, &mut value[..]).is_ok_and(|length| value[..length] == *b"y")
    };
    ["user.overlay.opaque", "trusted.overlay.opaque", "user.fuseoverlayfs.opaque"].into_iter().any(is_set)
}

#[cfg(test)]
mod tests;
