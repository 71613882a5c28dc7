//! Removing trees by descriptor: follows no link, and touches nothing outside the tree, whatever another process does
//! to it meanwhile.
//!
//! ```text
//! tasks, the last one first        done by one thread, and by more of them if there is much to do
//!   a directory                    what it lists: files are unlinked, directories and many files become tasks
//!   files of a directory           are unlinked
//! the last task of a directory     removes it, and so on upwards
//! ```
//! A filesystem that discards freed blocks at once (ext4, `discard`) waits for the disk at nearly every file; several
//! threads wait side by side.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, fchmod, fstat, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::unique::unique;
use crate::sys::fs::{self, AtPath as _, PathError};
use crate::sys::threads::side_by_side;

/// How many threads remove a large tree.
const THREADS: usize = 8;

/// So many tasks make a tree large.
const MANY: usize = 8;

/// How many levels of directories are open at once, by each thread; deeper ones are first moved up, so that a tree of
/// any depth needs few descriptors.
const DEPTH: usize = 24;

/// How many directories of a directory become tasks at once: a directory of any size needs little memory.
const WIDTH: usize = 1024;

/// How many files are unlinked in one task.
const FILES: usize = 32;

/// How many bytes of a directory are listed at once.
const LISTING: usize = 8 << 10;

/// Removes `name` in the directory `parent`, and everything beneath it. Succeeds if it does not exist, or if another
/// process removes it at the same time. This process has one thread meanwhile.
///
/// Directories that the caller owns but may not search or write get mode 0700 first. Fails, after removing part of the
/// tree, if a file in it belongs to another user: call it as root of the namespace whose IDs own the files.
pub(crate) fn remove_tree(parent: impl AsFd, name: impl AsRef<OsStr>) -> io::Result<()> {
    remove(parent.as_fd(), name.as_ref(), 1)
}

/// Removes a tree by its path in the store.
pub(super) fn remove_at(path: &Path) -> Result<(), PathError> {
    remove_path(path, 1)
}

/// [`remove_at`] with several threads if the tree is large. They have ended when this returns.
pub(super) fn remove_large(path: &Path) -> Result<(), PathError> {
    remove_path(path, THREADS)
}

fn remove_path(path: &Path, threads: usize) -> Result<(), PathError> {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    match fs::open(directory) {
        Ok(directory) => remove(directory.as_fd(), name, threads).at("remove", path),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

fn remove(top: BorrowedFd<'_>, name: &OsStr, threads: usize) -> io::Result<()> {
    let removal = Removal { top, threads, state: Mutex::default(), changed: Condvar::new() };
    removal.entry(None, name, None, &mut removal.state().tasks)?;
    if threads > 1 {
        removal.work(MANY);
    }
    if removal.state().tasks.len() < MANY {
        removal.work(usize::MAX);
    } else {
        side_by_side(threads, || removal.work(usize::MAX));
    }
    removal.state.into_inner().unwrap_or_else(PoisonError::into_inner).failure.map_or(Ok(()), Err)
}

/// A directory that is being emptied.
#[derive(Debug)]
struct Directory {
    fd: OwnedFd,
    name: OsString,
    /// The directory that it is in; `None` if that is the one that has the tree.
    above: Option<Arc<Directory>>,
    depth: usize,
    /// How many tasks it has, with its listing.
    tasks: AtomicUsize,
    /// Whether it was not listed to its end.
    is_cut: AtomicBool,
}

#[derive(Debug)]
enum Task {
    /// Lists and empties the directory.
    Directory { above: Option<Arc<Directory>>, name: OsString },
    /// Lists the rest of the directory.
    Rest(Arc<Directory>),
    /// Unlinks these files of the directory.
    Files(Arc<Directory>, Vec<OsString>),
}

#[derive(Debug, Default)]
struct State {
    tasks: Vec<Task>,
    /// How many threads do a task.
    working: usize,
    failure: Option<io::Error>,
}

struct Removal<'a> {
    top: BorrowedFd<'a>,
    threads: usize,
    state: Mutex<State>,
    changed: Condvar,
}

impl Removal<'_> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does tasks until none is left, one has failed, or there are `many`.
    fn work(&self, many: usize) {
        let mut state = self.state();
        loop {
            if state.failure.is_some() || state.tasks.len() >= many {
                return;
            }
            let Some(task) = state.tasks.pop() else {
                if state.working == 0 {
                    return;
                }
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            state.working += 1;
            drop(state);
            let mut more = Vec::new();
            let done = self.task(task, &mut more);
            state = self.state();
            state.working -= 1;
            state.tasks.append(&mut more);
            if let Err(error) = done {
                state.failure.get_or_insert(error);
            }
            self.changed.notify_all();
        }
    }

    fn task(&self, task: Task, more: &mut Vec<Task>) -> io::Result<()> {
        match task {
            Task::Directory { above, name } => {
                let opened = open_directory(self.parent(above.as_deref()), &name);
                let fd = match opened {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return self.leave(above, more),
                    other => other?,
                };
                let depth = above.as_ref().map_or(0, |above| above.depth + 1);
                let (tasks, is_cut) = (AtomicUsize::new(1), AtomicBool::new(false));
                let directory = Arc::new(Directory { fd, name, above, depth, tasks, is_cut });
                self.list(&directory, more)
            }
            Task::Rest(directory) => {
                rustix::fs::seek(&directory.fd, rustix::fs::SeekFrom::Start(0))?;
                self.list(&directory, more)
            }
            Task::Files(directory, names) => {
                for name in names {
                    self.entry(Some(&directory), &name, None, more)?;
                }
                self.leave(Some(directory), more)
            }
        }
    }

    fn parent<'a>(&'a self, directory: Option<&'a Directory>) -> BorrowedFd<'a> {
        directory.map_or(self.top, |directory| directory.fd.as_fd())
    }

    /// Removes what the directory lists.
    fn list(&self, directory: &Arc<Directory>, more: &mut Vec<Task>) -> io::Result<()> {
        let mut buffer = Vec::with_capacity(LISTING);
        let mut entries = RawDir::new(&directory.fd, buffer.spare_capacity_mut());
        let mut files = Vec::new();
        while let Some(entry) = entries.next() {
            let entry = match entry {
                // Another process has removed the directory while we list it (getdents(2)).
                Err(Errno::NOENT) => break,
                other => other?,
            };
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            let kind = Some(entry.file_type()).filter(|kind| *kind != FileType::Unknown);
            if name == "." || name == ".." {
                continue;
            }
            if self.threads == 1 || kind == Some(FileType::Directory) {
                self.entry(Some(directory), name, kind, more)?;
            } else {
                files.push(name.to_owned());
            }
            if files.len() == FILES {
                directory.tasks.fetch_add(1, Ordering::Relaxed);
                more.push(Task::Files(Arc::clone(directory), std::mem::take(&mut files)));
            }
            if more.len() >= WIDTH {
                directory.is_cut.store(true, Ordering::Relaxed);
                break;
            }
        }
        for name in files {
            self.entry(Some(directory), &name, None, more)?;
        }
        self.leave(Some(Arc::clone(directory)), more)
    }

    /// Removes an entry of the directory: at once, or by a task if it is a directory with entries of its own.
    fn entry(
        &self,
        directory: Option<&Arc<Directory>>,
        name: &OsStr,
        kind: Option<FileType>,
        more: &mut Vec<Task>,
    ) -> io::Result<()> {
        let parent = self.parent(directory.map(Arc::as_ref));
        let flags = if kind == Some(FileType::Directory) { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        match unlinkat(parent, name, flags) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            // A directory, with entries.
            Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        match directory {
            Some(directory) if directory.depth + 1 >= DEPTH => self.move_up(parent, name, more),
            _ => {
                let above = directory.map(Arc::clone);
                if let Some(above) = &above {
                    above.tasks.fetch_add(1, Ordering::Relaxed);
                }
                more.push(Task::Directory { above, name: name.to_owned() });
                Ok(())
            }
        }
    }

    /// A task of the directory has ended: the last one removes it, and ends that of the directory above.
    fn leave(&self, directory: Option<Arc<Directory>>, more: &mut Vec<Task>) -> io::Result<()> {
        let mut left = directory;
        while let Some(directory) = left.take() {
            // What other threads have removed is gone before this one removes the directory.
            if directory.tasks.fetch_sub(1, Ordering::AcqRel) > 1 {
                return Ok(());
            }
            if directory.is_cut.swap(false, Ordering::Relaxed) {
                directory.tasks.store(1, Ordering::Relaxed);
                more.push(Task::Rest(directory));
                return Ok(());
            }
            match unlinkat(self.parent(directory.above.as_deref()), &directory.name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
            left.clone_from(&directory.above);
        }
        Ok(())
    }

    fn move_up(&self, parent: BorrowedFd<'_>, name: &OsStr, more: &mut Vec<Task>) -> io::Result<()> {
        loop {
            // rename would replace an empty directory of that name while another thread removes it.
            let target = OsString::from(unique(".deep"));
            match renameat(parent, name, self.top, &target) {
                Ok(()) => {
                    more.push(Task::Directory { above: None, name: target });
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
    fn a_large_tree_goes_with_every_thread_and_what_is_beside_it_stays() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let tree = home.path().join("tree");
        // More files than a task has, more directories than are listed at once, more levels than are open at once.
        for directory in 0..4 {
            let path = tree.join(format!("files/{directory}"));
            fs::create_dir_all(&path).expect("made");
            (0..FILES * 3 + 1).for_each(|file| fs::write(path.join(file.to_string()), "x").expect("written"));
        }
        for directory in 0..WIDTH + 10 {
            let path = tree.join(format!("wide/{directory}"));
            fs::create_dir_all(&path).expect("made");
            fs::write(path.join("file"), "x").expect("written");
        }
        for branch in 0..4 {
            let path = tree.join(format!("deep/{branch}"));
            fs::create_dir_all((0..DEPTH * 3).fold(path, |path, _| path.join("d"))).expect("made");
        }
        fs::write(home.path().join("beside"), "x").expect("written");
        remove_large(&tree).expect("removes");
        let left: Vec<_> = fs::read_dir(home.path()).expect("lists").flatten().map(|it| it.file_name()).collect();
        assert_eq!(left, ["beside"]);
        remove_large(&tree).expect("nothing to do");
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
