//! Writes what a source names onto the files of a stage, into the directory of a new layer. First directories, links
//! and FIFOs, in order; then the content of files, on as many threads as there are CPUs; last the times of directories.
//! Source: BuildKit's COPY, whose `fsutil` decides what replaces what.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, futimens, mknodat, openat, symlinkat};
use rustix::io::Errno;

use super::attributes::{Times, finish_by_name, set_all};
use super::contents::{Contents, File};
use super::copied::{Copied, Former};
use super::destination::{Destination, replace};
use super::listing::{Item, ItemKind, Tree};
use super::onto::{Directory, Onto, Passed, is_plain};
use super::{Error, failed};
use crate::sys::root::find_literally;

/// Writes files. On failure a part is there.
pub(crate) struct Writer<'a> {
    onto: Onto<'a>,
    /// A layer that has some of the files.
    former: Option<&'a Former>,
    /// What was written.
    copied: Copied,
    passed: Passed,
    /// The times of directories that are copied: a change in a directory changes its own.
    times: Vec<(PathBuf, Times)>,
}

/// A directory of a source that is being written.
struct Open<'t> {
    /// Its path in the source.
    path: &'t [u8],
    directory: Directory,
    files: Vec<File<'t>>,
}

impl<'a> Writer<'a> {
    /// Writes to a layer. Files that the `former` layer has, with the same content and attributes, are linked.
    pub(crate) fn new(onto: Onto<'a>, former: Option<&'a Former>) -> Self {
        // Modes are those of the files.
        rustix::process::umask(Mode::empty());
        Self { onto, former, copied: Copied::default(), passed: Passed::default(), times: Vec::new() }
    }

    /// Copies `trees`, which are beneath `sources`. Fails if a file is another than it was when it was listed.
    pub(crate) fn write(&mut self, sources: BorrowedFd<'_>, trees: &[Tree], to: &Destination<'_>) -> Result<(), Error> {
        let mut contents = Contents::new(sources, self.onto.layer, self.former, to);
        let mut names = HashSet::new();
        for tree in trees {
            // Of several sources with one name the last one stays.
            let is_whole = tree.is_directory();
            if (is_whole && !contents.is_empty()) || !(is_whole || names.insert(&tree.name)) {
                contents.write(&mut self.copied)?;
            }
            if is_whole {
                self.directory(tree, to, &mut contents)?;
                contents.write(&mut self.copied)?;
            } else {
                self.file(tree, to, &mut contents)?;
            }
        }
        contents.write(&mut self.copied)
    }

    /// Sets the times of directories; nothing is written afterwards. Returns what was written.
    pub(crate) fn finish(self) -> Result<Copied, Error> {
        for (path, time) in self.passed.0.iter().chain(&self.times) {
            let set = || {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let directory = find_literally(self.onto.layer, path)?;
                Ok::<_, io::Error>(futimens(openat(directory, ".", flags, Mode::empty())?, &time.stamps())?)
            };
            set().map_err(failed("set the time of", path.as_os_str().as_bytes()))?;
        }
        Ok(self.copied)
    }

    /// The contents of a directory, into the destination.
    fn directory<'t>(
        &mut self,
        tree: &'t Tree,
        to: &'t Destination<'_>,
        contents: &mut Contents<'t>,
    ) -> Result<(), Error> {
        let base = Open { path: b"", directory: self.make(to.path, to)?, files: Vec::new() };
        // The directory that an item is in, and those above it.
        let mut open = vec![base];
        let leave = |left: Open<'t>, contents: &mut Contents<'t>| {
            contents.add(&tree.path.join(OsStr::from_bytes(left.path)), &left.directory, &left.files);
        };
        for item in tree.items.iter().skip(1) {
            let (above, name) = split(&item.path);
            while let Some(left) = open.pop_if(|inner| inner.path != above) {
                leave(left, contents);
            }
            let whole = to.path.join(OsStr::from_bytes(&item.path));
            let shown = whole.as_os_str().as_bytes();
            let Some(inner) = open.last_mut() else { return Err(failed("find", shown)(Errno::NOENT)) };
            match &item.kind {
                ItemKind::Directory => {
                    let directory = self.subdirectory(&inner.directory, name, item, to, shown)?;
                    open.push(Open { path: &item.path, directory, files: Vec::new() });
                }
                _ => self.item(&mut inner.files, &inner.directory, File { from: name, name, item }, to, shown)?,
            }
        }
        open.into_iter().rev().for_each(|left| leave(left, contents));
        Ok(())
    }

    /// One file, to the destination or into it.
    fn file<'t>(&mut self, tree: &'t Tree, to: &'t Destination<'_>, contents: &mut Contents<'t>) -> Result<(), Error> {
        let Some(item) = tree.items.first() else { return Ok(()) };
        let is_directory = to.is_directory || to.path.parent().is_none() || self.onto.is_directory(to.path);
        let path = if is_directory { to.path.join(OsStr::from_bytes(&tree.name)) } else { to.path.to_owned() };
        let name = Path::new(if is_directory { OsStr::from_bytes(&tree.name) } else { to.path.as_os_str() });
        let name = name.file_name().unwrap_or_default();
        let parent = self.make(path.parent().unwrap_or(Path::new("/")), to)?;
        let from = tree.path.file_name().unwrap_or_default();
        let mut files = Vec::new();
        self.item(&mut files, &parent, File { from, name, item }, to, path.as_os_str().as_bytes())?;
        contents.add(tree.path.parent().unwrap_or(Path::new("")), &parent, &files);
        Ok(())
    }

    /// The directory at `path` of the root, and those above it, made if they are missing.
    fn make(&mut self, path: &Path, to: &Destination<'_>) -> Result<Directory, Error> {
        let shown = path.as_os_str().as_bytes();
        self.onto.make(path, to.owner, &mut self.passed).map_err(|error| match error {
            Errno::NOTDIR => Error::NoDirectory(shown.to_vec()),
            error => failed("create", shown)(error),
        })
    }

    fn subdirectory(
        &mut self,
        parent: &Directory,
        name: &OsStr,
        item: &Item,
        to: &Destination<'_>,
        shown: &[u8],
    ) -> Result<Directory, Error> {
        let entered = parent.enter(name, &mut self.passed).map_err(failed("create", shown))?;
        let mut made = entered.ok_or_else(|| Error::NoDirectory(shown.to_vec()))?;
        let mode = (to.mode)(item.mode, true);
        let set = || {
            set_all(&made.layer, to.owner_of(item), &item.attributes, mode)?;
            is_plain(&made.layer)
        };
        made.is_plain = set().map_err(failed("set the attributes of", shown))?;
        self.times.push((made.path.clone(), item.time()));
        Ok(made)
    }

    /// Anything but a directory: the content of files comes later.
    fn item<'t>(
        &mut self,
        files: &mut Vec<File<'t>>,
        parent: &Directory,
        file: File<'t>,
        to: &Destination<'_>,
        shown: &[u8],
    ) -> Result<(), Error> {
        if parent.look_below(file.name).map_err(failed("look at", shown))? == Some(FileType::Directory) {
            return Err(Error::IsDirectory(shown.to_vec()));
        }
        self.passed.change(&parent.path);
        let File { name, item, .. } = file;
        match &item.kind {
            ItemKind::File { .. } => {
                files.push(file);
                return Ok(());
            }
            ItemKind::Directory => return Ok(()),
            ItemKind::Link { target } => {
                replace(&parent.layer, name, shown)?;
                symlinkat(&target[..], &parent.layer, name).map_err(failed("create", shown))?;
            }
            ItemKind::Fifo => {
                replace(&parent.layer, name, shown)?;
                let mode = Mode::from_raw_mode((to.mode)(item.mode, false));
                mknodat(&parent.layer, name, FileType::Fifo, mode, 0).map_err(failed("create", shown))?;
            }
        }
        finish_by_name(&parent.layer, name, to.owner_of(item), item.time())
            .map_err(failed("set the attributes of", shown))
    }
}

/// The directory and the name of a path in a source.
fn split(path: &[u8]) -> (&[u8], &OsStr) {
    let slash = path.iter().rposition(|byte| *byte == b'/');
    let (above, name) = slash.map_or((&path[..0], path), |slash| (&path[..slash], &path[slash + 1..]));
    (above, OsStr::from_bytes(name))
}

#[cfg(test)]
mod tests;
