//! The files of an image for containers with maps of their own (`--userns keep-id`): all in one layer, with other
//! owners.
//!
//! ```text
//! layers/MAP/ALG-HEX/fs/a         the layers as unpacked
//! layers/MAP@MAPS/CHAIN/fs/a      owner, mode, times and attributes; the content is in the first, which overlay gets
//!                                 as data-only layers, the topmost first: `user.overlay.redirect` is `/a`
//! layers/MAP@MAPS+copy/CHAIN/…    the same with copies, where the kernel does not follow such files for a user
//! ```
//! CHAIN is the digest of all diff IDs. It is one layer, because for a user the kernel follows a file from the lowest
//! layer alone. The topmost layer that has a regular file `/a` is the one that the image shows: whatever hides it there
//! would hide those below as well.
//!
//! Nothing is read from files with content, so that 29 000 of them take less than a second. Directories are made by
//! several threads: each one makes everything in a directory, and leaves the directories in it to all.
//! Source: kernel overlayfs.rst, "Data-only lower layers" and "User xattr" (Linux 6.16).

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, PoisonError};

use rustix::fs::{
    AtFlags, Dir, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, XattrFlags, chownat, fchmod, fchown,
    fsetxattr, ftruncate, futimens, linkat, mkdirat, mknodat, openat, readlinkat, statat, symlinkat, utimensat,
};
use rustix::io::Errno;

use super::owners::{self, Owners};
use super::{Error, Info, LayerStage, Ownership, Target, UnpackedLayer, failed, record};
use crate::storage::{Error as StoreError, Hasher, Store};
use crate::sys::fs::{self, AtPath as _};
use crate::types::{Digest, IdMaps};

/// The longest name of a directory of layers that is spelled out.
const LONGEST_NAME: usize = 200;

/// How many threads make directories: more wait for the journal of the filesystem.
const THREADS: usize = 4;

/// Says that the content of a file is elsewhere. Source: kernel overlayfs.rst, "Metadata only copy up".
const METACOPY: &str = "user.overlay.metacopy";
const REDIRECT: &str = "user.overlay.redirect";

/// Where the files of a layer for other maps have their content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// In the layer that they are made of.
    Referred,
    /// In themselves: a copy, which shares its blocks where the filesystem can.
    Copied,
}

/// The directory name, below `layers/`, of layers for `maps` that are made of those for the map `base`.
pub(crate) fn key(base: &str, maps: &IdMaps, content: Content) -> String {
    let end = if content == Content::Copied { "+copy" } else { "" };
    let name = format!("{base}@{}{end}", maps.key());
    if name.len() <= LONGEST_NAME { name } else { format!("{}{end}", Hasher::sha256(name.as_bytes()).hex()) }
}

/// The digest that stands for an image's layers, which it names from the lowest on.
pub(crate) fn chain<'a>(diff_ids: impl IntoIterator<Item = &'a Digest>) -> Digest {
    let text = diff_ids.into_iter().map(|diff_id| format!("{diff_id}\n")).collect::<String>();
    Hasher::sha256(text.as_bytes())
}

/// An image that is mounted.
#[derive(Debug)]
pub(crate) struct Whole<'a> {
    /// Where it is mounted.
    pub(crate) tree: &'a Path,
    /// The directories of its layers, lowest first.
    pub(crate) layers: &'a [PathBuf],
}

impl Whole<'_> {
    /// The topmost layer that describes the root directory.
    fn described(&self) -> Option<&PathBuf> {
        self.layers.iter().rev().find(|layer| fs::symlink_metadata(layer.with_file_name("root")).is_ok())
    }
}

impl Store {
    /// Makes the layer `chain` of the directories in `map`, unless it exists: the files of `tree`, where the image is
    /// mounted, for `maps`. `layers` are those of the image, lowest first. This process is root in the root namespace.
    ///
    /// Fails with `Unmapped` if a file belongs to an ID that the maps do not have; nothing is left then.
    pub(crate) fn map_layer(
        &self,
        map: String,
        chain: &Digest,
        image: &Whole<'_>,
        maps: &IdMaps,
        content: Content,
    ) -> Result<(), StoreError> {
        let ownership = Ownership::Mapped { users: u32::MAX, groups: u32::MAX };
        let target = Target { map, ownership };
        let Some(stage) = self.begin_layer(&target, chain)? else { return Ok(()) };
        let filled = stage.fill(image, Owners::new(maps), content, chain);
        let layer = filled.map_err(|source| StoreError::Layer { diff_id: chain.clone(), source })?;
        Ok(layer.name(record::Naming::Unsynced)?)
    }
}

impl LayerStage {
    fn fill(
        self,
        image: &Whole<'_>,
        owners: Owners<'_>,
        content: Content,
        chain: &Digest,
    ) -> Result<UnpackedLayer, Error> {
        let to = self.make_root()?;
        // Modes are those of the layer.
        rustix::process::umask(Mode::empty());
        let work = Work {
            source: image.tree.to_owned(),
            from: fs::open_directory(image.tree)?.into(),
            to: fs::open_directory(&to)?.into(),
            owners,
            root: image.described().or(image.layers.last()).map_or(image.tree, PathBuf::as_path).to_owned(),
            content,
            links: Mutex::default(),
            queue: Mutex::new(Queue { waiting: vec![PathBuf::new()], working: 0, failure: None }),
            changed: Condvar::new(),
        };
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(THREADS);
        std::thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(|| work.run())));
            work.run();
        });
        if let Some(failure) = work.queue.into_inner().unwrap_or_else(PoisonError::into_inner).failure {
            return Err(failure);
        }
        if image.described().is_some() {
            fs::write(self.path.join("root"), "")?;
        }
        let info = Info::default();
        record::write(&self.lock, info).at("write the record of", &self.path)?;
        Ok(UnpackedLayer { stage: self, diff_id: chain.clone(), info })
    }
}

/// The directories that are still to be made.
struct Queue {
    /// Their paths; each exists and is empty.
    waiting: Vec<PathBuf>,
    /// How many threads make one.
    working: usize,
    failure: Option<Error>,
}

struct Work<'a> {
    source: PathBuf,
    from: OwnedFd,
    to: OwnedFd,
    owners: Owners<'a>,
    /// The layer whose root directory the image shows.
    root: PathBuf,
    content: Content,
    /// The first name of each file that has several.
    links: Mutex<HashMap<u64, PathBuf>>,
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Work<'_> {
    /// Makes directories until none is left, or one fails.
    fn run(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if queue.failure.is_some() {
                return;
            }
            let Some(path) = queue.waiting.pop() else {
                if queue.working == 0 {
                    return;
                }
                queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            queue.working += 1;
            drop(queue);
            let made = self.directory(&path);
            queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.working -= 1;
            match made {
                Ok(beneath) => queue.waiting.extend(beneath),
                Err(error) => queue.failure = Some(error),
            }
            self.changed.notify_all();
        }
    }

    /// Makes everything in a directory, and sets its own attributes. Returns the directories in it.
    fn directory(&self, path: &Path) -> Result<Vec<PathBuf>, Error> {
        let bytes = path.as_os_str().as_bytes();
        let open = |root: &OwnedFd| {
            let name = if bytes.is_empty() { Path::new(".") } else { path };
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            openat(root, name, flags, Mode::empty()).map_err(|e| failed("open directory", bytes, e))
        };
        let (from, to) = (open(&self.from)?, open(&self.to)?);
        let mut beneath = Vec::new();
        for entry in Dir::read_from(&from).map_err(|e| failed("read directory", bytes, e))? {
            let entry = entry.map_err(|e| failed("read directory", bytes, e))?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let place = Place { from: &from, to: &to, name, path: path.join(name) };
            let stat = statat(&from, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| place.failed("stat", e))?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                mkdirat(&to, name, Mode::RWXU).map_err(|e| place.failed("create directory", e))?;
                beneath.push(place.path);
            } else {
                self.file(&place, &stat)?;
            }
        }
        let stat = if bytes.is_empty() { rustix::fs::stat(&self.root) } else { rustix::fs::fstat(&from) };
        let stat = stat.map_err(|e| failed("stat", bytes, e))?;
        let place = Place { from: &from, to: &to, name: OsStr::new("."), path: path.to_owned() };
        self.finish(&place, &to, &stat)?;
        Ok(beneath)
    }

    fn file(&self, place: &Place<'_>, stat: &Stat) -> Result<(), Error> {
        let kind = FileType::from_raw_mode(stat.st_mode);
        if stat.st_nlink < 2 {
            return self.make(place, stat, kind);
        }
        // Held until the first name exists.
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = links.get(&stat.st_ino) {
            let linked = linkat(&self.to, first, place.to, place.name, AtFlags::empty());
            return linked.map_err(|e| place.failed("create hard link", e));
        }
        self.make(place, stat, kind)?;
        links.insert(stat.st_ino, place.path.clone());
        Ok(())
    }

    fn make(&self, place: &Place<'_>, stat: &Stat, kind: FileType) -> Result<(), Error> {
        match kind {
            FileType::RegularFile => {
                let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
                let file = openat(place.to, place.name, flags, Mode::RUSR | Mode::WUSR)
                    .map_err(|e| place.failed("create file", e))?;
                if stat.st_size > 0 {
                    self.content(place, &file, stat).map_err(|e| place.failed("write", e))?;
                }
                self.finish(place, &file, stat)
            }
            FileType::Symlink => {
                let target = readlinkat(place.from, place.name, Vec::new());
                let made = target.and_then(|target| symlinkat(&target, place.to, place.name));
                made.map_err(|e| place.failed("create link", e))?;
                self.finish_by_name(place, stat)
            }
            FileType::Fifo => {
                let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
                mknodat(place.to, place.name, kind, mode, 0).map_err(|e| place.failed("create", e))?;
                self.finish_by_name(place, stat)
            }
            // No layer has other files.
            _ => Ok(()),
        }
    }

    /// Refers to the content of a file, or copies it. A path that is too long for an attribute is no reason to fail.
    fn content(&self, place: &Place<'_>, file: &OwnedFd, stat: &Stat) -> io::Result<()> {
        if self.content == Content::Referred {
            ftruncate(file, stat.st_size.cast_unsigned())?;
            let redirect = [b"/", place.path.as_os_str().as_bytes()].concat();
            let refers = fsetxattr(file, REDIRECT, &redirect, XattrFlags::empty())
                .and_then(|()| fsetxattr(file, METACOPY, b"", XattrFlags::empty()));
            match refers {
                Ok(()) => return Ok(()),
                Err(Errno::NOSPC | Errno::TOOBIG | Errno::RANGE) => {
                    ftruncate(file, 0)?;
                    rustix::fs::fremovexattr(file, REDIRECT).ok();
                }
                Err(error) => return Err(error.into()),
            }
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let source = openat(place.from, place.name, flags, Mode::empty())?;
        if rustix::fs::ioctl_ficlone(file, &source).is_ok() {
            return Ok(());
        }
        io::copy(&mut std::fs::File::from(source), &mut std::fs::File::from(file.try_clone()?)).map(drop)
    }

    /// Owner, mode, attributes and times; chown(2) clears bits of the mode, and capabilities.
    fn finish(&self, place: &Place<'_>, to: &OwnedFd, stat: &Stat) -> Result<(), Error> {
        let (uid, gid) = self.owner(place, stat)?;
        fchown(to, Some(uid), Some(gid)).map_err(|e| place.failed("set the owner of", e))?;
        let mode = Mode::from_raw_mode(stat.st_mode & 0o7777);
        fchmod(to, mode).map_err(|e| place.failed("set the mode of", e))?;
        let is_root = place.path.as_os_str().is_empty();
        let source = if is_root { self.root.clone() } else { self.source.join(&place.path) };
        owners::copy_attributes(&source, to.as_fd(), &self.owners)
            .map_err(|e| place.failed("copy the attributes of", e))?;
        futimens(to, &times(stat)).map_err(|e| place.failed("set the times of", e))
    }

    fn finish_by_name(&self, place: &Place<'_>, stat: &Stat) -> Result<(), Error> {
        let (uid, gid) = self.owner(place, stat)?;
        let nofollow = AtFlags::SYMLINK_NOFOLLOW;
        chownat(place.to, place.name, Some(uid), Some(gid), nofollow)
            .map_err(|e| place.failed("set the owner of", e))?;
        utimensat(place.to, place.name, &times(stat), nofollow).map_err(|e| place.failed("set the times of", e))
    }

    fn owner(&self, place: &Place<'_>, stat: &Stat) -> Result<(Uid, Gid), Error> {
        let unmapped = |what, id| Error::Unmapped { path: place.path.as_os_str().as_bytes().to_vec(), what, id };
        let uid = self.owners.uid(stat.st_uid).ok_or_else(|| unmapped("user", stat.st_uid))?;
        let gid = self.owners.gid(stat.st_gid).ok_or_else(|| unmapped("group", stat.st_gid))?;
        Ok((Uid::from_raw(uid), Gid::from_raw(gid)))
    }
}

/// A name in a directory, here and there.
struct Place<'a> {
    from: &'a OwnedFd,
    to: &'a OwnedFd,
    name: &'a OsStr,
    path: PathBuf,
}

impl Place<'_> {
    fn failed(&self, action: &'static str, source: impl Into<io::Error>) -> Error {
        failed(action, self.path.as_os_str().as_bytes(), source)
    }
}

fn times(stat: &Stat) -> Timestamps {
    let time = Timespec { tv_sec: stat.st_mtime, tv_nsec: i64::try_from(stat.st_mtime_nsec).unwrap_or_default() };
    Timestamps { last_access: time, last_modification: time }
}
