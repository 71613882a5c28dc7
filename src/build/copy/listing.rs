//! The files that a source names, with all that a copy and the cache need of them.

use std::cell::{Cell, RefCell};
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, readlinkat, statat};
use rustix::io::Errno;
use serde::Serialize;

use super::attributes::Times;
use super::memo::Memo;
use super::parallel::{GROUP, each};
use super::pattern::{is_pattern, matches};
use super::{Error, failed};
use crate::storage::Hasher;
use crate::storage::pack::{Attributes, attributes};
use crate::sys::locate::{Located, locate};
use crate::sys::root::{open_in, path_of};
use crate::types::{Algorithm, Digest};

/// What an ignore file leaves out.
pub(crate) trait Ignore {
    /// The line, from 1, that leaves out the file or directory at this path, from the root of the context.
    fn ignored_by(&self, path: &[u8]) -> Option<usize>;
    /// Whether everything beneath an ignored directory is left out, too: no later pattern takes anything in again.
    fn is_ignored_whole(&self, directory: &[u8]) -> bool;
}

/// A source: a file, or a directory with everything in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    /// Where it is, from the root of its side.
    pub(crate) path: PathBuf,
    /// Its name in a directory that it is copied to.
    pub(crate) name: Vec<u8>,
    /// First itself, with an empty path; a directory before what is in it, names in order.
    pub(crate) items: Vec<Item>,
    /// It has sockets or devices, which are not among the items.
    pub(crate) has_more: bool,
}

/// A file of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its path in the source.
    pub(crate) path: Vec<u8>,
    /// What it is.
    pub(crate) kind: ItemKind,
    /// Its permissions.
    pub(crate) mode: u32,
    /// Its owner, as this process sees it.
    pub(crate) uid: u32,
    /// Its group.
    pub(crate) gid: u32,
    /// The extended attributes that an image may have: names and values.
    pub(crate) attributes: Attributes,
    /// Its modification time, seconds and nanoseconds: no part of what the cache compares.
    pub(crate) modified: (i64, i64),
}

impl Item {
    pub(super) fn time(&self) -> Times {
        Times(self.modified.0, self.modified.1)
    }
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum ItemKind {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// The digest of its content.
        digest: Digest,
    },
    /// A symbolic link.
    Link {
        /// Where it leads.
        target: Vec<u8>,
    },
    /// A FIFO.
    Fifo,
}

impl Tree {
    /// Whether it is a directory.
    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.items.first().map(|item| &item.kind), Some(ItemKind::Directory))
    }

    /// Leaves out what patterns name: paths in a directory, or the name of a file. A directory that is left out stays
    /// if something in it does.
    pub(crate) fn leave_out(&mut self, patterns: &dyn Ignore) {
        if !self.is_directory() {
            if patterns.ignored_by(&self.name).is_some() {
                self.items.clear();
            }
            return;
        }
        let mut kept: Vec<Item> = Vec::new();
        // From the end: what is in a directory comes after it.
        for item in self.items.drain(..).rev() {
            let is_kept = item.path.is_empty() || patterns.ignored_by(&item.path).is_none();
            // What is in it follows it at once.
            let holds_one = || {
                let inside = [&item.path[..], b"/"].concat();
                item.kind == ItemKind::Directory && kept.last().is_some_and(|next| next.path.starts_with(&inside))
            };
            if is_kept || holds_one() {
                kept.push(item);
            }
        }
        kept.reverse();
        self.items = kept;
    }

    /// Makes the directories above it a part of its name: from `/./` on, if its path has that.
    pub(crate) fn name_whole(&mut self) {
        self.name = self.path.as_os_str().as_bytes().to_vec();
    }
}

/// How many levels of directories are copied.
const DEEPEST: u32 = 1024;

/// Finds what `sources` name beneath `root`, in their order. `/` at the beginning means nothing, and `..` does not lead
/// out. A link that a source names is followed; links in a directory stay links. A pattern may match nothing. What the
/// memo knows is not read.
pub(crate) fn find(
    root: BorrowedFd<'_>,
    sources: &[Vec<u8>],
    ignore: Option<&dyn Ignore>,
    memo: Option<&RefCell<Memo>>,
) -> Result<Vec<Tree>, Error> {
    let lister = Lister { root, ignore, memo, unread: RefCell::default(), has_more: Cell::default() };
    let mut trees = Vec::new();
    for source in sources {
        let components = cleaned(source);
        if components.iter().any(|component| is_pattern(component)) {
            lister.matching(Path::new(""), &components, &mut trees)?;
        } else {
            let path: PathBuf = components.iter().map(|component| OsStr::from_bytes(component)).collect();
            trees.push(lister.tree(&path, source)?);
        }
    }
    Ok(trees)
}

/// The components of a path, without `.`, and with `..` taken away.
fn cleaned(path: &[u8]) -> Vec<&[u8]> {
    let mut components: Vec<&[u8]> = Vec::new();
    for component in path.split(|byte| *byte == b'/') {
        match component {
            b"" | b"." => {}
            b".." => drop(components.pop()),
            name => components.push(name),
        }
    }
    components
}

struct Lister<'a> {
    root: BorrowedFd<'a>,
    ignore: Option<&'a dyn Ignore>,
    memo: Option<&'a RefCell<Memo>>,
    /// The numbers of the items that are still to be hashed, with what they were like.
    unread: RefCell<Vec<(usize, Stat)>>,
    /// Something was found that is no item.
    has_more: Cell<bool>,
}

impl Lister<'_> {
    fn ignored_by(&self, path: &Path) -> Option<usize> {
        let bytes = path.as_os_str().as_bytes();
        self.ignore.filter(|_| !bytes.is_empty())?.ignored_by(bytes)
    }

    /// The files whose paths match a pattern.
    fn matching(&self, base: &Path, components: &[&[u8]], trees: &mut Vec<Tree>) -> Result<(), Error> {
        let Some((first, rest)) = components.split_first() else {
            match self.tree(base, base.as_os_str().as_bytes()) {
                // A pattern may match nothing.
                Err(Error::Missing { .. }) => {}
                found => trees.push(found?),
            }
            return Ok(());
        };
        if !is_pattern(first) {
            return self.matching(&base.join(OsStr::from_bytes(first)), rest, trees);
        }
        let path = base.as_os_str().as_bytes();
        let directory = match self.directory(base) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(()),
            other => other.map_err(failed("open", path))?,
        };
        for name in names(&directory).map_err(failed("read", path))? {
            if matches(first, name.to_bytes()) {
                self.matching(&base.join(OsStr::from_bytes(name.to_bytes())), rest, trees)?;
            }
        }
        Ok(())
    }

    fn directory(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        open_in(self.root, path, flags, Mode::empty())
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }

    fn tree(&self, path: &Path, source: &[u8]) -> Result<Tree, Error> {
        let missing = |ignored_by| Error::Missing { path: source.to_vec(), ignored_by };
        let located = match locate(self.root, path, true) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {
                return Err(missing(None));
            }
            other => other.map_err(failed("find", source))?,
        };
        let Some(stat) = located.stat else { return Err(missing(None)) };
        let real = self.real(&located).map_err(failed("find", source))?;
        let real = real.as_path();
        let mut items = Vec::new();
        // By its real path: a link is no way around the ignore file.
        self.list(&located.parent, &located.name, real, b"", &stat, DEEPEST, &mut items)?;
        self.read(&located.path(), real, &mut items)?;
        let ignored_by = self.ignored_by(path).or_else(|| self.ignored_by(real));
        if ignored_by.is_some() && (items.len() < 2 || !located.is_directory()) {
            return Err(missing(ignored_by));
        }
        let name = path.file_name().map(|name| name.as_bytes().to_vec()).unwrap_or_default();
        Ok(Tree { path: real.to_owned(), name, items, has_more: self.has_more.take() })
    }

    /// The path of what was found, from the root. Where something is ignored, it has no link in it.
    fn real(&self, located: &Located) -> std::io::Result<PathBuf> {
        if self.ignore.is_none() {
            let path = located.path();
            return Ok(path.strip_prefix(".").unwrap_or(&path).to_owned());
        }
        let (root, parent) = (path_of(self.root)?, path_of(located.parent.as_fd())?);
        let above = parent.strip_prefix(&root).unwrap_or(Path::new(""));
        Ok(if located.name == "." { above.to_owned() } else { above.join(&located.name) })
    }

    /// Adds the file `name` of `parent`, which is at `whole` from the root and at `path` in the source.
    #[expect(clippy::too_many_arguments, reason = "one place in a tree, seen from both of its roots")]
    fn list(
        &self,
        parent: &OwnedFd,
        name: &OsStr,
        whole: &Path,
        path: &[u8],
        stat: &Stat,
        levels: u32,
        items: &mut Vec<Item>,
    ) -> Result<(), Error> {
        let shown = whole.as_os_str().as_bytes();
        let mut own = Attributes::new();
        let mut directory = None;
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let opened = openat(parent, name, flags, Mode::empty()).map_err(failed("open", shown))?;
                own = attributes(&opened).map_err(failed("read the attributes of", shown))?;
                directory = Some(opened);
                ItemKind::Directory
            }
            FileType::RegularFile => {
                let known = self.memo.and_then(|memo| memo.borrow().get(shown, stat));
                let size = u64::try_from(stat.st_size).unwrap_or(0);
                let digest = known.unwrap_or_else(|| {
                    self.unread.borrow_mut().push((items.len(), *stat));
                    Digest::sha256([0; 32])
                });
                ItemKind::File { size, digest }
            }
            FileType::Symlink => {
                let target = readlinkat(parent, name, Vec::new()).map_err(failed("read", shown))?;
                ItemKind::Link { target: target.into_bytes() }
            }
            FileType::Fifo => ItemKind::Fifo,
            // Sockets and devices: no layer of an ordinary user has them.
            _ => {
                self.has_more.set(true);
                return Ok(());
            }
        };
        let modified = (stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0));
        let mode = stat.st_mode & 0o7777;
        let (uid, gid) = (stat.st_uid, stat.st_gid);
        items.push(Item { path: path.to_vec(), kind, mode, uid, gid, attributes: own, modified });
        match directory {
            Some(directory) => self.list_directory(&directory, whole, path, levels, items),
            None => Ok(()),
        }
    }

    /// Hashes the files that the memo does not know. They are those of `source`, which is at `real` from the root.
    fn read(&self, real: &Path, source: &Path, items: &mut [Item]) -> Result<(), Error> {
        let unread = self.unread.take();
        let groups: Vec<&[(usize, Stat)]> = unread.chunks(GROUP).collect();
        let (root, listed) = (self.root, &*items);
        let group = |number: usize, buffer: &mut Vec<u8>| {
            let one = |(index, stat): &(usize, Stat)| {
                let path = below(real, &listed[*index]);
                let hashed = hash(root, &path, buffer).map_err(failed("read", path.as_os_str().as_bytes()))?;
                Ok((*index, *stat, hashed))
            };
            groups[number].iter().map(one).collect::<Result<Vec<_>, Error>>()
        };
        for (index, stat, (size, digest, attributes)) in
            each(groups.len(), || vec![0; BUFFER], group)?.into_iter().flatten()
        {
            let item = &mut items[index];
            if let Some(memo) = self.memo.filter(|_| attributes.is_empty()) {
                memo.borrow_mut().put(below(source, item).as_os_str().as_bytes(), &stat, &digest);
            }
            (item.kind, item.attributes) = (ItemKind::File { size, digest }, attributes);
        }
        Ok(())
    }

    fn list_directory(
        &self,
        directory: &OwnedFd,
        whole: &Path,
        path: &[u8],
        levels: u32,
        items: &mut Vec<Item>,
    ) -> Result<(), Error> {
        let shown = whole.as_os_str().as_bytes();
        let levels = levels.checked_sub(1).ok_or_else(|| failed("open", shown)(Errno::NAMETOOLONG))?;
        for name in names(directory).map_err(failed("read", shown))? {
            let name = OsStr::from_bytes(name.to_bytes());
            let inner = whole.join(name);
            let below = if path.is_empty() { name.as_bytes().to_vec() } else { [path, b"/", name.as_bytes()].concat() };
            let stat = match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                // Another process has just removed it.
                Err(Errno::NOENT) => continue,
                other => other.map_err(failed("read", inner.as_os_str().as_bytes()))?,
            };
            if self.ignored_by(&inner).is_none() {
                self.list(directory, name, &inner, &below, &stat, levels, items)?;
                continue;
            }
            let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
            let is_whole = |ignore: &dyn Ignore| ignore.is_ignored_whole(inner.as_os_str().as_bytes());
            if is_directory && !self.ignore.is_none_or(is_whole) {
                // It is there only if something in it is.
                let before = items.len();
                self.list(directory, name, &inner, &below, &stat, levels, items)?;
                if items.len() == before + 1 {
                    items.truncate(before);
                }
            }
        }
        Ok(())
    }
}

/// The names in a directory, in order.
fn names(directory: &OwnedFd) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// The path of an item of a source.
fn below(source: &Path, item: &Item) -> PathBuf {
    if item.path.is_empty() { source.to_owned() } else { source.join(OsStr::from_bytes(&item.path)) }
}

/// How much of a file is read at a time, in bytes.
const BUFFER: usize = 64 << 10;

/// The size, the digest and the attributes of a regular file. Does not wait for a FIFO that has taken its place.
fn hash(root: BorrowedFd<'_>, path: &Path, buffer: &mut [u8]) -> Result<(u64, Digest, Attributes), std::io::Error> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = open_in(root, path, flags, Mode::empty())?;
    let found = attributes(&opened)?;
    let mut file = File::from(opened);
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut size = 0;
    loop {
        match file.read(buffer) {
            Ok(0) => return Ok((size, hasher.finish(), found)),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                size += count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::fs;

    /// Leaves out what is beneath `skip`, except what ends in `.keep`.
    struct Skip;

    impl Ignore for Skip {
        fn ignored_by(&self, path: &[u8]) -> Option<usize> {
            ((path == b"skip" || path.starts_with(b"skip/")) && !path.ends_with(b".keep")).then_some(1)
        }

        fn is_ignored_whole(&self, directory: &[u8]) -> bool {
            directory.ends_with(b"/deep")
        }
    }

    fn context() -> tempfile::TempDir {
        let home = tempfile::tempdir().expect("a directory");
        let context = home.path().join("context");
        for directory in ["src/a", "skip/deep", "skip/other"] {
            fs::create_dir_all(context.join(directory)).expect("made");
        }
        for file in ["src/one.js", "src/two.js", "src/a/three", "skip/x", "skip/y.keep", "skip/deep/z.keep"] {
            fs::write(context.join(file), file).expect("written");
        }
        fs::write(home.path().join("secret"), "of the host").expect("written");
        fs::symlink("src/one.js", context.join("link")).expect("linked");
        fs::symlink("../../secret", context.join("out")).expect("linked");
        fs::symlink("/secret", context.join("src/inner")).expect("linked");
        home
    }

    fn found(home: &Path, sources: &[&str]) -> Result<Vec<String>, String> {
        let root = fs::open_directory(home.join("context")).expect("opens");
        let sources: Vec<Vec<u8>> = sources.iter().map(|source| source.as_bytes().to_vec()).collect();
        let trees = find(root.as_fd(), &sources, Some(&Skip), None).map_err(|error| error.to_string())?;
        let shown = |tree: &Tree| {
            let items: Vec<_> =
                tree.items.iter().map(|item| String::from_utf8_lossy(&item.path).into_owned()).collect();
            format!("{}: {}", String::from_utf8_lossy(&tree.name), items[1..].join(" "))
        };
        Ok(trees.iter().map(shown).collect())
    }

    #[test]
    fn sources_name_files_directories_and_patterns() {
        let home = context();
        let found = |sources: &[&str]| found(home.path(), sources);
        for (sources, expected) in [
            (&["src/one.js"][..], &["one.js: "][..]),
            (&["/src/../src/./one.js"], &["one.js: "]),
            (&["src/*.js"], &["one.js: ", "two.js: "]),
            (&["s*/t*", "link"], &["two.js: ", "link: "]),
            (&["src"], &["src: a a/three inner one.js two.js"]),
            (&["nothing*"], &[]),
            (&["skip"], &["skip: y.keep"]),
        ] {
            assert_eq!(found(sources).expect("found"), expected, "{sources:?}");
        }
        assert_eq!(
            found(&["."]).expect("found")[0],
            ": link out skip skip/y.keep src src/a src/a/three \
             src/inner src/one.js src/two.js"
        );
        assert_eq!(found(&["gone"]).expect_err("missing"), "`gone` is not there");
        assert_eq!(found(&["skip/x"]).expect_err("ignored"), "`skip/x` is not there");
    }

    #[test]
    fn no_source_leads_out_of_its_root() {
        let home = context();
        for source in ["out", "../secret", "../../secret", "/../secret"] {
            assert!(found(home.path(), &[source]).is_err(), "{source}");
        }
        let root = fs::open_directory(home.path().join("context")).expect("opens");
        let trees = find(root.as_fd(), &[b"src/inner".to_vec()], None, None);
        assert!(matches!(trees, Err(Error::Missing { .. })), "the link leads to nothing in the context");
    }

    #[test]
    fn times_are_not_compared_and_contents_are() {
        let home = context();
        let root = fs::open_directory(home.path().join("context")).expect("opens");
        let listed = || {
            let trees = find(root.as_fd(), &[b"src".to_vec()], None, None).expect("found");
            let mut bytes = Vec::new();
            super::super::compared(&trees, &mut bytes);
            bytes
        };
        let before = listed();
        fs::write(home.path().join("context/src/one.js"), "src/one.js").expect("written");
        assert_eq!(listed(), before);
        fs::write(home.path().join("context/src/one.js"), "src/one.jz").expect("written");
        assert_ne!(listed(), before);
    }
}
