//! Removing trees by descriptor: follows no link, and touches nothing outside the tree, whatever another process does
//! to it meanwhile.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, fchmod, fstat, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::unique::unique;
use crate::sys::fs::{self, AtPath as _, PathError};

/// How many levels of directories are open at once; deeper ones are first moved up, so that a tree of any depth needs
/// few descriptors.
const DEPTH: usize = 32;

/// How many bytes of a directory are listed at once; each open level has its own.
const LISTING: usize = 8 << 10;

/// Removes `name` in the directory `parent`, and everything beneath it. Succeeds if it does not exist, or if another
/// process removes it at the same time.
///
/// Directories that the caller owns but may not search or write get mode 0700 first. Fails, after removing part of the
/// tree, if a file in it belongs to another user: call it as root of the namespace whose IDs own the files.
pub(crate) fn remove_tree(parent: impl AsFd, name: impl AsRef<OsStr>) -> io::Result<()> {
    let mut removal = Removal { top: parent.as_fd(), moved: Vec::new() };
    let mut next = Some(name.as_ref().to_owned());
    while let Some(name) = next {
        removal.remove(removal.top, &name, None, 0)?;
        next = removal.moved.pop();
    }
    Ok(())
}

/// Removes a tree by its path in the store.
pub(super) fn remove_at(path: &Path) -> Result<(), PathError> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    match fs::open(directory) {
        Ok(directory) => remove_tree(directory, name).at("remove", path),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

struct Removal<'a> {
    top: BorrowedFd<'a>,
    /// Directories that were moved to `top` because they were too deep.
    moved: Vec<OsString>,
}

impl Removal<'_> {
    fn remove(&mut self, parent: BorrowedFd<'_>, name: &OsStr, kind: Option<FileType>, depth: usize) -> io::Result<()> {
        let flags = if kind == Some(FileType::Directory) { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        match unlinkat(parent, name, flags) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            // A directory, with entries.
            Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let directory = match open_directory(parent, name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        if depth == DEPTH {
            return self.move_up(parent, name);
        }
        let mut buffer = Vec::with_capacity(LISTING);
        let mut entries = RawDir::new(&directory, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = match entry {
                // Another process has removed the directory while we list it (getdents(2)).
                Err(Errno::NOENT) => break,
                other => other?,
            };
            let child = OsStr::from_bytes(entry.file_name().to_bytes());
            if child != "." && child != ".." {
                let kind = Some(entry.file_type()).filter(|kind| *kind != FileType::Unknown);
                self.remove(directory.as_fd(), child, kind, depth + 1)?;
            }
        }
        match unlinkat(parent, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn move_up(&mut self, parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
        loop {
            // rename would replace an empty directory of that name while another thread removes it.
            let target = OsString::from(unique(".deep"));
            match renameat(parent, name, self.top, &target) {
                Ok(()) => {
                    self.moved.push(target);
                    return Ok(());
                }
                Err(Errno::NOENT) => return Ok(()),
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Opens a directory to list and to empty it.
fn open_directory(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = match openat(parent, name, flags | OFlags::RDONLY, Mode::empty()) {
        Err(Errno::ACCESS) => {
            // Not readable: an O_PATH reference needs no permission, and allows changing the mode without following a
            // link.
            use std::os::fd::AsRawFd as _;
            let reference = openat(parent, name, flags | OFlags::PATH, Mode::empty())?;
            rustix::fs::chmod(format!("/proc/self/fd/{}", reference.as_raw_fd()), Mode::RWXU)?;
            openat(&reference, ".", flags | OFlags::RDONLY, Mode::empty())?
        }
        other => other?,
    };
    let stat = fstat(&directory)?;
    if stat.st_mode & 0o700 != 0o700 && stat.st_uid == rustix::process::geteuid().as_raw() {
        fchmod(&directory, Mode::RWXU)?;
    }
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn several_that_remove_one_tree_leave_nothing_of_it() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let top = rustix::fs::open(home.path(), OFlags::PATH, Mode::empty()).expect("opens");
        let remove_all = || {
            // As sweepers do: also removes what others have moved up.
            while let Some(entry) = fs::read_dir(home.path()).expect("lists").next() {
                remove_tree(&top, entry.expect("an entry").file_name()).expect("removes");
            }
        };
        for _ in 0..4 {
            for branch in 0..8 {
                let path = home.path().join(format!("tree/{branch}"));
                fs::create_dir_all((0..150).fold(path, |path, _| path.join("d"))).expect("made");
            }
            std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(remove_all))));
            assert_eq!(fs::read_dir(home.path()).expect("lists").count(), 0);
        }
    }

    #[test]
    fn a_deep_unreadable_tree_goes_and_what_links_name_stays() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let canary = home.path().join("canary");
        fs::create_dir_all(canary.join("inner")).expect("made");
        let tree = home.path().join("tree");
        let deep = (0..200).fold(tree.clone(), |path, _| path.join("d"));
        fs::create_dir_all(&deep).expect("made");
        fs::write(deep.join("file"), "x").expect("written");
        fs::symlink(&canary, tree.join("link")).expect("linked");
        let closed = tree.join("closed");
        fs::create_dir_all(closed.join("inner")).expect("made");
        std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).expect("closed");
        remove_tree(rustix::fs::open(home.path(), OFlags::PATH, Mode::empty()).expect("opens"), "tree")
            .expect("removes");
        assert!(!tree.exists());
        assert!(canary.join("inner").exists());
        assert_eq!(fs::read_dir(home.path()).expect("lists").count(), 1);
    }
}
