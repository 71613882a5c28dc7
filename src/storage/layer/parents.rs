//! Folders of the layer that is being unpacked, by descriptor.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::rc::Rc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, mkdirat, readlinkat, statat};
use rustix::io::Errno;

use crate::sys::root::open_in;
use crate::sys::steering;

/// How many folders stay open: enough for the neighbourhood in which archives come, few enough for many layers side by side.
const KEPT: usize = 64;

/// How many dangling links may lead to a folder that is to be made. Source: path_resolution(7).
const MOST_LINKS: u32 = 40;

/// Finds folders beneath the layer's root, links resolved as seen from there, and keeps the last ones open.
#[derive(Debug)]
pub(super) struct Parents {
    root: Rc<OwnedFd>,
    open: HashMap<Vec<u8>, Rc<OwnedFd>>,
    last: Option<(Vec<u8>, Rc<OwnedFd>)>,
}

impl Parents {
    pub(super) fn new(root: OwnedFd) -> Self {
        Self { root: Rc::new(root), open: HashMap::new(), last: None }
    }

    pub(super) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Forgets everything: a folder or a link was replaced, so that paths may lead elsewhere now.
    pub(super) fn forget(&mut self) {
        self.open.clear();
        self.last = None;
    }

    /// The folder `path` (components and single slashes; empty is the root), made with all missing above it if it is not
    /// there; `made` hears of each that was.
    pub(super) fn folder(&mut self, path: &[u8], made: &mut impl FnMut(&[u8])) -> io::Result<Rc<OwnedFd>> {
        if path.is_empty() {
            return Ok(Rc::clone(&self.root));
        }
        if let Some((last, fd)) = &self.last
            && last == path
        {
            return Ok(Rc::clone(fd));
        }
        let fd = match self.open.get(path) {
            Some(fd) => Rc::clone(fd),
            None => {
                let fd = Rc::new(self.open_or_make(path, made, 0)?);
                if self.open.len() >= KEPT {
                    self.open.clear();
                }
                self.open.insert(path.to_vec(), Rc::clone(&fd));
                fd
            }
        };
        self.last = Some((path.to_vec(), Rc::clone(&fd)));
        Ok(fd)
    }

    fn open_or_make(&mut self, path: &[u8], made: &mut impl FnMut(&[u8]), links: u32) -> io::Result<OwnedFd> {
        match self.open_folder(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        if links > MOST_LINKS {
            return Err(Errno::LOOP.into());
        }
        let (parent, name) = split(path);
        // No entry has such a name (`whiteout::place`); a link that leads to one would give it to a folder all the
        // same.
        if steering::has_file(name) {
            return Err(Errno::INVAL.into());
        }
        let parent_fd = if parent.is_empty() {
            self.root.as_fd().try_clone_to_owned()?
        } else {
            self.open_or_make(parent, made, links)?
        };
        match mkdirat(&parent_fd, name, Mode::RWXU) {
            Ok(()) => made(path),
            Err(Errno::EXIST) => {
                // It exists and yet does not: a link that leads to nothing, or one of our whiteouts.
                let stat = statat(&parent_fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
                if FileType::from_raw_mode(stat.st_mode) != FileType::Symlink {
                    return Err(Errno::NOTDIR.into());
                }
                let target = readlinkat(&parent_fd, name, Vec::new())?;
                let target = target.as_bytes();
                let target = if target.starts_with(b"/") { target.to_vec() } else { [parent, b"/", target].concat() };
                drop(self.open_or_make(&clean(&target), made, links + 1)?);
            }
            Err(error) => return Err(error.into()),
        }
        self.open_folder(path)
    }

    fn open_folder(&self, path: &[u8]) -> io::Result<OwnedFd> {
        if path.is_empty() {
            return self.root.as_fd().try_clone_to_owned();
        }
        open_in(&self.root, std::ffi::OsStr::from_bytes(path), OFlags::PATH | OFlags::DIRECTORY, Mode::empty())
    }
}

/// A name as a path below the root: no slash at either end, no `.`, no empty component; `..` goes up as far as the root.
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

/// The folder and the last component of a clean path.
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
