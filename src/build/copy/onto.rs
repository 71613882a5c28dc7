//! Where a copy writes: the directory of the new layer itself, and not an overlay of it, through which the kernel takes
//! several times as long for each file. What is below is looked at in a view that nobody writes to.
//!
//! A directory of the layer joins one of the same name below it, because nothing in the layer hides anything: it never
//! has a whiteout. So it is repeated with the attributes that it has below, before something is put into it.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Uid, fchmod, fchown, fstat, mkdirat, openat, readlinkat, statat,
};
use rustix::io::Errno;
use rustix::process::{getegid, geteuid};

use super::attributes::{Times, has_default_acl, set_attributes};
use crate::storage::pack::attributes;
use crate::sys::root::words;

/// As many links are followed as by the kernel. Source: path_resolution(7).
const LINKS: u32 = 40;

/// Where a copy writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Onto<'a> {
    /// The directory of the new layer, which nobody else writes to.
    pub(crate) layer: BorrowedFd<'a>,
    /// What is below; `None` if `layer` shows that itself, as an overlay does.
    pub(crate) below: Option<BorrowedFd<'a>>,
}

/// A directory of the new layer.
#[derive(Debug)]
pub(super) struct Directory {
    /// Its path from the root, with no link in it; the root's is empty.
    pub(super) path: PathBuf,
    pub(super) layer: OwnedFd,
    /// The directory that it joins.
    pub(super) below: Option<OwnedFd>,
    /// What is created in it belongs to root and has the permissions that were asked for.
    pub(super) is_plain: bool,
}

/// Directories that are repeated only because something deeper is written, with the times that they get again in the
/// end: nothing that is in them has changed.
#[derive(Debug, Default)]
pub(super) struct Passed(pub(super) Vec<(PathBuf, Times)>);

impl Passed {
    /// Something new is put into a directory: it has a new time, as with any other.
    pub(super) fn change(&mut self, directory: &Path) {
        self.0.retain(|(path, _)| path != directory);
    }
}

/// A directory on the way, or the name of one that is missing on both sides.
struct Level {
    name: OsString,
    layer: Option<OwnedFd>,
    below: Option<OwnedFd>,
}

impl Onto<'_> {
    /// Whether a directory is at `path`.
    pub(super) fn is_directory(&self, path: &Path) -> bool {
        let is_there = |level: &Level| level.layer.is_some() || level.below.is_some();
        self.walk(path).is_ok_and(|levels| levels.last().is_none_or(is_there))
    }

    /// The directory at `path`, and those above it: in the layer, made if they are missing. Links are followed, and
    /// lead to nothing outside. What is new belongs to `owner`, or root. Directories that are repeated are `passed`.
    pub(super) fn make(&self, path: &Path, owner: Option<(u32, u32)>, passed: &mut Passed) -> Result<Directory, Errno> {
        let mut at = self.root()?;
        for Level { name, layer, below } in self.walk(path)? {
            let path = at.path.join(&name);
            at = match (layer, below) {
                (Some(layer), below) => Directory { is_plain: is_plain(&layer)?, path, layer, below },
                (None, Some(below)) => {
                    let (layer, time) = repeat(&at.layer, &name, &below)?;
                    passed.0.push((path.clone(), time));
                    Directory { is_plain: is_plain(&layer)?, path, layer, below: Some(below) }
                }
                (None, None) => {
                    passed.change(&at.path);
                    mkdirat(&at.layer, &name, Mode::from_raw_mode(0o755))?;
                    let layer = open(&at.layer, &name)?;
                    if let Some((uid, gid)) = owner.filter(|owner| *owner != (0, 0)) {
                        fchown(&layer, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
                    }
                    Directory { is_plain: is_plain(&layer)?, path, layer, below: None }
                }
            };
        }
        Ok(at)
    }

    fn root(&self) -> Result<Directory, Errno> {
        let layer = open(self.layer, OsStr::new("."))?;
        let below = self.below.map(|below| open(below, OsStr::new("."))).transpose()?;
        Ok(Directory { path: PathBuf::new(), is_plain: is_plain(&layer)?, layer, below })
    }

    /// The directories that `path` leads through. Nothing is followed by the kernel.
    fn walk(&self, path: &Path) -> Result<Vec<Level>, Errno> {
        let mut left: VecDeque<OsString> = words(path.as_os_str().as_bytes());
        let mut levels: Vec<Level> = Vec::new();
        let mut links = 0;
        while let Some(name) = left.pop_front() {
            if name == ".." {
                levels.pop();
                continue;
            }
            let (layer, below) = match levels.last() {
                Some(level) => (level.layer.as_ref().map(OwnedFd::as_fd), level.below.as_ref().map(OwnedFd::as_fd)),
                None => (Some(self.layer), self.below),
            };
            let (upper, lower) = (look(layer, &name)?, look(below, &name)?);
            match (upper, lower) {
                (Some(FileType::Symlink), _) | (None, Some(FileType::Symlink)) => {
                    links += 1;
                    let side = if upper.is_some() { layer } else { below };
                    let side = side.filter(|_| links <= LINKS).ok_or(Errno::LOOP)?;
                    let target = readlinkat(side, &name, Vec::new())?;
                    if target.as_bytes().starts_with(b"/") {
                        levels.clear();
                    }
                    let mut further = words(target.as_bytes());
                    further.append(&mut left);
                    left = further;
                }
                (Some(FileType::Directory), lower) => {
                    let layer = layer.map(|layer| open(layer, &name)).transpose()?;
                    let below = below.filter(|_| lower == Some(FileType::Directory));
                    levels.push(Level { layer, below: below.map(|below| open(below, &name)).transpose()?, name });
                }
                (None, Some(FileType::Directory)) => {
                    levels.push(Level { layer: None, below: below.map(|below| open(below, &name)).transpose()?, name });
                }
                (None, None) => levels.push(Level { layer: None, below: None, name }),
                _ => return Err(Errno::NOTDIR),
            }
        }
        Ok(levels)
    }
}

impl Directory {
    /// What is below at `name`.
    pub(super) fn look_below(&self, name: &OsStr) -> Result<Option<FileType>, Errno> {
        look(self.below.as_ref().map(OwnedFd::as_fd), name)
    }

    /// The directory `name` in it, which may be there. Its attributes are the caller's to set. `None` if something else
    /// is there.
    pub(super) fn enter(&self, name: &OsStr, passed: &mut Passed) -> Result<Option<Self>, Errno> {
        let below = match self.look_below(name)? {
            Some(FileType::Directory) => self.below.as_ref().map(|below| open(below, name)).transpose()?,
            Some(_) => return Ok(None),
            None => None,
        };
        match mkdirat(&self.layer, name, Mode::RWXU) {
            Ok(()) if below.is_some() => {}
            Ok(()) => passed.change(&self.path),
            Err(Errno::EXIST) if look(Some(self.layer.as_fd()), name)? == Some(FileType::Directory) => {}
            Err(Errno::EXIST) => return Ok(None),
            Err(error) => return Err(error),
        }
        Ok(Some(Self { path: self.path.join(name), layer: open(&self.layer, name)?, below, is_plain: false }))
    }
}

/// What `name` is; `None` if it is not there.
pub(super) fn look(directory: Option<BorrowedFd<'_>>, name: &OsStr) -> Result<Option<FileType>, Errno> {
    let Some(directory) = directory else { return Ok(None) };
    match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

fn open(parent: impl std::os::fd::AsFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

/// Whether what this process creates in a directory belongs to root and has the permissions that were asked for: the
/// directory gives it no group and no access list.
pub(super) fn is_plain(directory: &OwnedFd) -> Result<bool, Errno> {
    let stat = fstat(directory)?;
    let is_root = geteuid().is_root() && getegid().is_root();
    Ok(is_root && stat.st_gid == 0 && stat.st_mode & libc::S_ISGID == 0 && !has_default_acl(directory))
}

/// Makes the directory `name` with the attributes of the one below; returns it, and the time of that one.
fn repeat(parent: &OwnedFd, name: &OsStr, below: &OwnedFd) -> Result<(OwnedFd, Times), Errno> {
    mkdirat(parent, name, Mode::RWXU)?;
    let made = open(parent, name)?;
    let stat = fstat(below)?;
    fchown(&made, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))?;
    let own = attributes(below).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    set_attributes(&made, &own)?;
    fchmod(&made, Mode::from_raw_mode(stat.st_mode & 0o7777))?;
    Ok((made, Times::of(&stat)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::sys::fs;

    #[test]
    fn a_path_leads_through_both_sides_and_never_out() {
        let home = tempfile::tempdir().expect("a directory");
        let path = |name: &str| home.path().join(name);
        for directory in ["below/usr/lib", "below/etc", "layer/app", "outside"] {
            fs::create_dir_all(path(directory)).expect("made");
        }
        fs::write(path("below/file"), "x").expect("written");
        for (link, target) in [
            ("below/lib", "usr/lib"),
            ("below/up", "../../outside"),
            ("below/away", "/opt/new"),
            ("below/circle", "circle"),
            ("layer/app/back", "../etc"),
        ] {
            fs::symlink(target, path(link)).expect("linked");
        }
        let (layer, below) = (fs::open_directory(path("layer")), fs::open_directory(path("below")));
        let (layer, below) = (layer.expect("opens"), below.expect("opens"));
        let onto = Onto { layer: layer.as_fd(), below: Some(below.as_fd()) };
        let made = |to: &str| onto.make(Path::new(to), None, &mut Passed::default()).map(|made| made.path);
        for (to, expected) in [
            ("/", Ok("")),
            ("/lib", Ok("usr/lib")),
            ("/lib/../x", Ok("usr/x")),
            ("/up/x", Ok("outside/x")),
            ("/away", Ok("opt/new")),
            ("/app/back/y", Ok("etc/y")),
            ("/../../etc", Ok("etc")),
            ("/circle", Err(Errno::LOOP)),
            ("/file/x", Err(Errno::NOTDIR)),
        ] {
            assert_eq!(made(to), expected.map(PathBuf::from), "{to}");
        }
        assert!(onto.is_directory(Path::new("/away")) && !onto.is_directory(Path::new("/file")));
        assert!(!onto.is_directory(Path::new("/nowhere")));
        assert_eq!(fs::read_dir(path("outside")).expect("lists").count(), 0);
        assert!(!path("below/opt").exists() && path("layer/opt/new").exists());
    }

    #[test]
    fn what_is_passed_is_repeated_with_the_attributes_that_it_has_below() {
        let home = tempfile::tempdir().expect("a directory");
        let path = |name: &str| home.path().join(name);
        fs::create_dir_all(path("below/a/b")).expect("made");
        fs::create_dir_all(path("layer")).expect("made");
        rustix::fs::chmod(path("below/a"), Mode::from_raw_mode(0o1711)).expect("a mode");
        let (layer, below) = (fs::open_directory(path("layer")), fs::open_directory(path("below")));
        let (layer, below) = (layer.expect("opens"), below.expect("opens"));
        let onto = Onto { layer: layer.as_fd(), below: Some(below.as_fd()) };
        let mut passed = Passed::default();
        onto.make(Path::new("/a/b/c"), None, &mut passed).expect("made");
        let kept: Vec<_> = passed.0.iter().map(|(path, _)| path.as_path()).collect();
        assert_eq!(kept, [Path::new("a")], "what something new is put into has a new time");
        assert_eq!(fs::metadata(path("layer/a")).expect("there").mode() & 0o7777, 0o1711);
        assert_eq!(fs::metadata(path("layer/a/b/c")).expect("there").mode() & 0o7777, 0o755);
    }
}
