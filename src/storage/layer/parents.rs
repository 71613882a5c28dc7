//! Directories of the layer that is being unpacked, by descriptor.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, chmodat, mkdirat, openat, readlinkat, statat};
use rustix::io::Errno;

use crate::sys::root::{find_literally, open_in, path_of};
use crate::sys::steering;

/// How many directories stay open: enough for the order in which archives name files, few enough for many layers at the
/// same time.
const KEPT: usize = 64;

/// How many dangling links may lead to a directory that must be created. Source: path_resolution(7).
const MOST_LINKS: u32 = 40;

/// How many components are walked to create a directory behind dangling links: more than any path has without them.
const MOST_WORDS: u32 = 4096;

/// The maximum length of a path below the root. Source: path_resolution(7), PATH_MAX, with its zero byte.
const LONGEST: usize = 4095;

/// A directory beneath the root.
#[derive(Debug)]
pub(super) struct Found {
    /// A reference to it.
    pub(super) fd: OwnedFd,
    /// Its path below the root, without links: the same for all names that lead to it.
    pub(super) path: Vec<u8>,
}

impl Found {
    /// The path of `name` in it.
    pub(super) fn path_of(&self, name: &[u8]) -> Vec<u8> {
        if self.path.is_empty() { name.to_vec() } else { [&self.path[..], b"/", name].concat() }
    }
}

/// Finds directories beneath the layer's root, resolving links as seen from there, and keeps the last ones open.
///
/// A directory that no path can name is refused. Entries below links can create directories of any depth, and each
/// lookup of one takes as many steps as it is deep.
#[derive(Debug)]
pub(super) struct Parents {
    root: Rc<Found>,
    open: HashMap<Vec<u8>, Rc<Found>>,
    last: Option<(Vec<u8>, Rc<Found>)>,
}

impl Parents {
    pub(super) fn new(root: OwnedFd) -> Self {
        Self { root: Rc::new(Found { fd: root, path: Vec::new() }), open: HashMap::new(), last: None }
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.fd.as_fd()
    }

    /// Forgets everything: a directory or a link was replaced, so paths may lead elsewhere now.
    pub(super) fn forget(&mut self) {
        self.open.clear();
        self.last = None;
    }

    /// The directory `path` (components and single slashes; empty is the root). Creates it and its missing parents with
    /// mode 0755; calls `made` for each one created.
    pub(super) fn directory(&mut self, path: &[u8], made: &mut impl FnMut(&[u8])) -> io::Result<Rc<Found>> {
        if path.is_empty() {
            return Ok(Rc::clone(&self.root));
        }
        if let Some((last, found)) = &self.last
            && last == path
        {
            return Ok(Rc::clone(found));
        }
        let found = match self.open.get(path) {
            Some(found) => Rc::clone(found),
            None => {
                let found = Rc::new(self.open_or_make(path, made)?);
                if self.open.len() >= KEPT {
                    self.open.clear();
                }
                if found.path != path {
                    self.open.insert(found.path.clone(), Rc::clone(&found));
                }
                self.open.insert(path.to_vec(), Rc::clone(&found));
                found
            }
        };
        self.last = Some((path.to_vec(), Rc::clone(&found)));
        Ok(found)
    }

    fn open_or_make(&self, path: &[u8], made: &mut impl FnMut(&[u8])) -> io::Result<Found> {
        match self.open_literally(path) {
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.make(path, made),
            other => return Ok(Found { fd: other?, path: path.to_vec() }),
        }
        match open_in(self.root(), OsStr::from_bytes(path), OFlags::PATH | OFlags::DIRECTORY, Mode::empty()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make(path, made),
            Ok(fd) => {
                // The kernel names no directory that is too deep for a path: then this is the error, ENAMETOOLONG.
                let (root, found) = (path_of(self.root())?, path_of(fd.as_fd())?);
                let below = found.strip_prefix(root).map_err(|_| Errno::XDEV)?;
                Ok(Found { path: below.as_os_str().as_bytes().to_vec(), fd })
            }
            Err(error) => Err(error),
        }
    }

    /// Walks down from the root, one component at a time, and creates what is missing, even behind a dangling link.
    fn make(&self, path: &[u8], made: &mut impl FnMut(&[u8])) -> io::Result<Found> {
        let mut left: VecDeque<Vec<u8>> = words(path).collect();
        let mut here = Found { fd: self.root().try_clone_to_owned()?, path: Vec::new() };
        let (mut links, mut walked) = (0, 0);
        while let Some(name) = left.pop_front() {
            walked += 1;
            if walked > MOST_WORDS {
                return Err(Errno::NAMETOOLONG.into());
            }
            if name == b".." {
                let above = split(&here.path).0.to_vec();
                here = Found { fd: self.open_literally(&above)?, path: above };
                continue;
            }
            let path = here.path_of(&name);
            if path.len() > LONGEST {
                return Err(Errno::NAMETOOLONG.into());
            }
            let found = open_directory_at(&here.fd, &name);
            let found = match found {
                Err(Errno::NOENT) => make_directory(&here.fd, &name, || made(&path)),
                other => other,
            };
            match found {
                Ok(fd) => here = Found { fd, path },
                Err(Errno::NOTDIR) => {
                    // A link, or a file, or one of our whiteouts.
                    let stat = statat(&here.fd, &*name, AtFlags::SYMLINK_NOFOLLOW)?;
                    if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
                        return Err(Errno::NOTDIR.into());
                    }
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Errno::LOOP.into());
                    }
                    let target = readlinkat(&here.fd, &*name, Vec::new())?;
                    let target = target.as_bytes();
                    if target.starts_with(b"/") {
                        here = Found { fd: self.root().try_clone_to_owned()?, path: Vec::new() };
                    }
                    let mut further: VecDeque<_> = words(target).collect();
                    further.append(&mut left);
                    left = further;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(here)
    }

    /// The directory `path` (clean), if no component of it is a link.
    fn open_literally(&self, path: &[u8]) -> io::Result<OwnedFd> {
        let found = find_literally(self.root(), OsStr::from_bytes(path))?;
        match FileType::from_raw_mode(rustix::fs::fstat(&found)?.st_mode) {
            FileType::Directory => Ok(found),
            _ => Err(Errno::NOTDIR.into()),
        }
    }
}

/// A reference to the directory of this name; a link is `ENOTDIR`. Source: open(2), `O_DIRECTORY` with `O_NOFOLLOW`.
fn open_directory_at(parent: &OwnedFd, name: &[u8]) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

/// Creates a directory that no entry describes. Sets its mode at once, so that it need not wait in memory for the end
/// of the layer.
fn make_directory(parent: &OwnedFd, name: &[u8], made: impl FnOnce()) -> rustix::io::Result<OwnedFd> {
    // No entry has such a name (`whiteout::place`), but a link that leads to one would create the directory all the
    // same.
    if steering::has_file(name) {
        return Err(Errno::INVAL);
    }
    mkdirat(parent, name, Mode::RWXU)?;
    // It was created a moment ago, in a directory that no other process can reach: it is not a link.
    chmodat(parent, name, Mode::from_raw_mode(0o755), AtFlags::empty())?;
    made();
    open_directory_at(parent, name)
}

/// The components of a path, without empty ones and `.`.
fn words(path: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    path.split(|byte| *byte == b'/').filter(|word| !word.is_empty() && *word != b".").map(<[u8]>::to_vec)
}

/// A name as a path below the root: no slash at either end, no `.`, no empty component; `..` goes up, at most to the
/// root.
pub(super) fn clean(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => {
                kept.pop();
            }
            name => kept.push(name),
        }
    }
    kept.join(&b'/')
}

/// The directory and the last component of a clean path.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memrchr(b'/', path) {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b"", path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cleaned_as_seen_from_the_root() {
        for (name, path) in [
            ("a/b", "a/b"),
            ("./a//b/", "a/b"),
            ("/a", "a"),
            ("../../a", "a"),
            ("a/../b", "b"),
            ("a/../../b/.", "b"),
            (".", ""),
            ("/", ""),
            ("", ""),
            ("...", "..."),
        ] {
            assert_eq!(clean(name.as_bytes()), path.as_bytes(), "{name}");
        }
    }
}
