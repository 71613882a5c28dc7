//! Writes what a source names beneath the root of a stage: an overlay whose upper directory becomes the layer.
//! Source: BuildKit's COPY, whose `fsutil` decides what replaces what.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, chownat, fchmod, fchown, fsetxattr,
    futimens, mkdirat, mknodat, openat, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::listing::{Item, ItemKind, Tree};
use super::{Error, failed};
use crate::sys::root::{find, make_directories, open_in};

/// Where files are copied to, and what they become there.
pub(crate) struct Destination<'a> {
    /// The root of the stage.
    pub(crate) root: BorrowedFd<'a>,
    /// The path in it, absolute.
    pub(crate) path: &'a Path,
    /// It is a directory even if it does not exist: its path ends in `/`.
    pub(crate) is_directory: bool,
    /// Everything belongs to this user and group; otherwise what is new belongs to root, and files keep their owners.
    pub(crate) owner: Option<(u32, u32)>,
    /// What becomes of the permissions of a file, or of a directory (`true`); directories that the copy makes above the
    /// files get 0755.
    pub(crate) mode: &'a dyn Fn(u32, bool) -> u32,
}

/// Copies `trees`, which are beneath `sources`, to `destination`. Fails if a file is another than it was when it was
/// listed. On failure a part is there.
pub(crate) fn write(sources: BorrowedFd<'_>, trees: &[Tree], destination: &Destination<'_>) -> Result<(), Error> {
    // Modes are those of the files.
    rustix::process::umask(Mode::empty());
    let writer = Writer { sources, destination };
    for tree in trees {
        if tree.is_directory() {
            writer.directory(tree)?;
        } else {
            writer.file(tree)?;
        }
    }
    Ok(())
}

struct Writer<'a> {
    sources: BorrowedFd<'a>,
    destination: &'a Destination<'a>,
}

/// Where an item is written: a directory, and a name in it.
struct Place<'a> {
    parent: &'a OwnedFd,
    name: &'a OsStr,
    /// The path, for messages.
    shown: &'a [u8],
}

impl Writer<'_> {
    /// The contents of a directory, into the destination.
    fn directory(&self, tree: &Tree) -> Result<(), Error> {
        let base = self.make(self.destination.path)?;
        let path = self.destination.path.as_os_str().as_bytes();
        let mut finished: Vec<(OwnedFd, &Item)> = Vec::new();
        for item in tree.items.iter().skip(1) {
            let relative = Path::new(OsStr::from_bytes(&item.path));
            let shown = [path.strip_suffix(b"/").unwrap_or(path), b"/", &item.path].concat();
            let above = relative.parent().unwrap_or(Path::new(""));
            let parent = beneath(&base, above).map_err(failed("open", &shown))?;
            let name = relative.file_name().unwrap_or_default();
            let place = Place { parent: &parent, name, shown: &shown };
            let source = tree.path.join(relative);
            if let Some(directory) = self.item(&source, item, &place)? {
                finished.push((directory, item));
            }
        }
        // Deepest first: a change in a directory changes its time.
        for (directory, item) in finished.iter().rev() {
            futimens(directory, &times(item)).map_err(failed("set the time of", &item.path))?;
        }
        Ok(())
    }

    /// One file, to the destination or into it.
    fn file(&self, tree: &Tree) -> Result<(), Error> {
        let Some(item) = tree.items.first() else { return Ok(()) };
        let to = self.destination.path;
        let is_directory = self.destination.is_directory || to.parent().is_none() || self.is_directory(to);
        let path = if is_directory { to.join(OsStr::from_bytes(&tree.name)) } else { to.to_owned() };
        let parent = self.make(path.parent().unwrap_or(Path::new("/")))?;
        let shown = path.as_os_str().as_bytes();
        let place = Place { parent: &parent, name: path.file_name().unwrap_or_default(), shown };
        self.item(&tree.path, item, &place).map(drop)
    }

    fn is_directory(&self, path: &Path) -> bool {
        open_in(self.destination.root, path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).is_ok()
    }

    /// The directory at `path` of the root, and those above it, made if they are missing.
    fn make(&self, path: &Path) -> Result<OwnedFd, Error> {
        let shown = path.as_os_str().as_bytes();
        let Some((uid, gid)) = self.destination.owner.filter(|_| find(self.destination.root, path).is_err()) else {
            return made(make_directories(self.destination.root, path, &|_, _| Ok::<_, io::Error>(())), shown);
        };
        // Only what is new gets the owner.
        let mut at = PathBuf::new();
        let mut directory = made(find(self.destination.root, "/"), shown)?;
        for component in path.components() {
            at.push(component);
            let is_new = find(self.destination.root, &at).is_err();
            directory = made(make_directories(self.destination.root, &at, &|_, _| Ok::<_, io::Error>(())), shown)?;
            if is_new {
                chownat(&directory, "", Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)), AtFlags::EMPTY_PATH)
                    .map_err(failed("set the owner of", shown))?;
            }
        }
        Ok(directory)
    }

    /// Writes an item. Returns a directory, whose time is set when everything in it is there.
    fn item(&self, source: &Path, item: &Item, place: &Place<'_>) -> Result<Option<OwnedFd>, Error> {
        let there = match statat(place.parent, place.name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Some(FileType::from_raw_mode(stat.st_mode)),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(failed("look at", place.shown)(error)),
        };
        if item.kind == ItemKind::Directory {
            return self.subdirectory(item, place, there).map(Some);
        }
        match there {
            Some(FileType::Directory) => return Err(Error::IsDirectory(place.shown.to_vec())),
            Some(_) => {
                unlinkat(place.parent, place.name, AtFlags::empty()).map_err(failed("replace", place.shown))?;
            }
            None => {}
        }
        match &item.kind {
            ItemKind::File { .. } => self.regular(source, item, place)?,
            ItemKind::Link { target } => {
                symlinkat(&target[..], place.parent, place.name).map_err(failed("create", place.shown))?;
                self.finish_by_name(item, place)?;
            }
            ItemKind::Fifo => {
                let mode = Mode::from_raw_mode((self.destination.mode)(item.mode, false));
                mknodat(place.parent, place.name, FileType::Fifo, mode, 0).map_err(failed("create", place.shown))?;
                self.finish_by_name(item, place)?;
            }
            ItemKind::Directory => {}
        }
        Ok(None)
    }

    fn subdirectory(&self, item: &Item, place: &Place<'_>, there: Option<FileType>) -> Result<OwnedFd, Error> {
        match there {
            None => mkdirat(place.parent, place.name, Mode::RWXU).map_err(failed("create", place.shown))?,
            Some(FileType::Directory) => {}
            Some(_) => return Err(Error::NoDirectory(place.shown.to_vec())),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = openat(place.parent, place.name, flags, Mode::empty()).map_err(failed("open", place.shown))?;
        self.attributes(&directory, item, true).map_err(failed("set the attributes of", place.shown))?;
        Ok(directory)
    }

    fn regular(&self, source: &Path, item: &Item, place: &Place<'_>) -> Result<(), Error> {
        let ItemKind::File { size, .. } = &item.kind else { return Ok(()) };
        let from = source.as_os_str().as_bytes();
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let mut opened = File::from(open_in(self.sources, source, flags, Mode::empty()).map_err(failed("open", from))?);
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let written =
            openat(place.parent, place.name, flags, Mode::RUSR | Mode::WUSR).map_err(failed("create", place.shown))?;
        let mut written = File::from(written);
        // With copy_file_range(2) where the filesystem has it.
        let copied = io::copy(&mut opened.by_ref().take(*size), &mut written).map_err(failed("write", place.shown))?;
        let stat = rustix::fs::fstat(&opened).map_err(failed("read", from))?;
        let modified = (stat.st_mtime, i64::try_from(stat.st_mtime_nsec).unwrap_or(0));
        if copied != *size || u64::try_from(stat.st_size) != Ok(*size) || modified != item.modified {
            return Err(Error::Changed(from.to_vec()));
        }
        let written = OwnedFd::from(written);
        self.attributes(&written, item, false).map_err(failed("set the attributes of", place.shown))?;
        futimens(&written, &times(item)).map_err(failed("set the time of", place.shown))
    }

    /// Owner, extended attributes, permissions: in this order, since a new owner clears some of the others.
    fn attributes(&self, file: &OwnedFd, item: &Item, is_directory: bool) -> Result<(), Errno> {
        let (uid, gid) = self.owner(item);
        fchown(file, Some(uid), Some(gid))?;
        for (name, value) in &item.attributes {
            match fsetxattr(file, &name[..], value, XattrFlags::empty()) {
                Ok(()) | Err(Errno::NOTSUP | Errno::PERM) => {}
                Err(error) => return Err(error),
            }
        }
        fchmod(file, Mode::from_raw_mode((self.destination.mode)(item.mode, is_directory)))
    }

    fn owner(&self, item: &Item) -> (Uid, Gid) {
        let (uid, gid) = self.destination.owner.unwrap_or((item.uid, item.gid));
        (Uid::from_raw(uid), Gid::from_raw(gid))
    }

    /// Owner and time of what has no descriptor to set them by.
    fn finish_by_name(&self, item: &Item, place: &Place<'_>) -> Result<(), Error> {
        let (uid, gid) = self.owner(item);
        chownat(place.parent, place.name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(failed("set the owner of", place.shown))?;
        utimensat(place.parent, place.name, &times(item), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(failed("set the time of", place.shown))
    }
}

fn made(made: io::Result<OwnedFd>, shown: &[u8]) -> Result<OwnedFd, Error> {
    made.map_err(|error| match error.raw_os_error() {
        Some(libc::ENOTDIR) => Error::NoDirectory(shown.to_vec()),
        _ => failed("create", shown)(error),
    })
}

/// The directory at `path` below `base`, which the copy itself has made: no link is followed.
fn beneath(base: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    crate::sys::root::find_literally(base.as_fd(), path)
}

fn times(item: &Item) -> Timestamps {
    let (seconds, nanoseconds) = item.modified;
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    Timestamps { last_access: time, last_modification: time }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::super::listing;
    use super::*;
    use crate::sys::fs;

    struct Scene {
        home: tempfile::TempDir,
    }

    impl Scene {
        fn new() -> Self {
            let home = tempfile::tempdir().expect("a directory");
            for directory in ["context/src/sub", "root/app/sub", "root/usr/lib"] {
                fs::create_dir_all(home.path().join(directory)).expect("made");
            }
            for file in ["context/src/a", "context/src/sub/b", "context/c", "root/app/old", "root/app/a"] {
                fs::write(home.path().join(file), file).expect("written");
            }
            fs::symlink("usr/lib", home.path().join("root/lib")).expect("linked");
            fs::symlink("/outside", home.path().join("root/away")).expect("linked");
            fs::symlink("a", home.path().join("context/src/link")).expect("linked");
            Self { home }
        }

        fn copy(&self, sources: &[&str], to: &str) -> Result<(), String> {
            let open = |name: &str| fs::open_directory(self.home.path().join(name)).expect("opens");
            let (context, root) = (open("context"), open("root"));
            let sources: Vec<Vec<u8>> = sources.iter().map(|source| source.as_bytes().to_vec()).collect();
            let trees = listing::find(context.as_fd(), &sources, None, None).map_err(|error| error.to_string())?;
            let me = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
            let destination = Destination {
                root: root.as_fd(),
                path: Path::new(to),
                is_directory: to.ends_with('/'),
                owner: Some(me),
                mode: &|mode, _| mode,
            };
            write(context.as_fd(), &trees, &destination).map_err(|error| error.to_string())
        }

        fn read(&self, path: &str) -> String {
            fs::read_to_string(self.home.path().join("root").join(path)).expect("reads")
        }
    }

    #[test]
    fn files_go_where_buildkit_puts_them() {
        let scene = Scene::new();
        scene.copy(&["src"], "/app").expect("copied");
        assert_eq!(scene.read("app/a"), "context/src/a", "replaced");
        assert_eq!(scene.read("app/sub/b"), "context/src/sub/b");
        assert_eq!(scene.read("app/old"), "root/app/old", "what is not copied stays");
        let link = fs::read_link(scene.home.path().join("root/app/link")).expect("a link");
        assert_eq!(link, Path::new("a"));
        scene.copy(&["c"], "/app").expect("copied");
        assert_eq!(scene.read("app/c"), "context/c", "into a directory that exists");
        scene.copy(&["c"], "/new/dir/").expect("copied");
        assert_eq!(scene.read("new/dir/c"), "context/c");
        scene.copy(&["c"], "/new/file").expect("copied");
        assert_eq!(scene.read("new/file"), "context/c");
        scene.copy(&["c", "src/a"], "/two/").expect("copied");
        assert_eq!((scene.read("two/c"), scene.read("two/a")), ("context/c".to_owned(), "context/src/a".to_owned()));
        scene.copy(&["c"], "/lib/").expect("through the image's link");
        assert_eq!(scene.read("usr/lib/c"), "context/c");
    }

    #[test]
    fn what_cannot_be_replaced_is_named() {
        let scene = Scene::new();
        fs::create_dir_all(scene.home.path().join("root/app/link")).expect("made");
        assert_eq!(
            scene.copy(&["src"], "/app").expect_err("refused"),
            "cannot copy a file to `/app/link`, which is a directory"
        );
        fs::create_dir_all(scene.home.path().join("context/over/lib")).expect("made");
        assert_eq!(
            scene.copy(&["over"], "/").expect_err("refused"),
            "cannot copy a directory to `/lib`, which is not a directory"
        );
        assert!(scene.copy(&["src"], "/app/old").is_err());
    }

    #[test]
    fn no_link_of_the_image_leads_out_of_its_root() {
        let scene = Scene::new();
        scene.copy(&["c"], "/away/").expect("beneath the root");
        assert_eq!(scene.read("outside/c"), "context/c");
        assert!(!Path::new("/outside").exists());
    }

    #[test]
    fn times_are_kept_and_a_file_that_changes_meanwhile_is_named() {
        let scene = Scene::new();
        let from = scene.home.path().join("context/c");
        let time = Timespec { tv_sec: 1000, tv_nsec: 7 };
        let set = |time| {
            let times = Timestamps { last_access: time, last_modification: time };
            futimens(fs::open(&from).expect("opens"), &times).expect("set");
        };
        set(time);
        scene.copy(&["c"], "/c").expect("copied");
        assert_eq!(fs::metadata(scene.home.path().join("root/c")).expect("there").mtime(), 1000);
        let open = |name: &str| fs::open_directory(scene.home.path().join(name)).expect("opens");
        let (context, root) = (open("context"), open("root"));
        let trees = listing::find(context.as_fd(), &[b"c".to_vec()], None, None).expect("found");
        set(Timespec { tv_sec: 2000, tv_nsec: 0 });
        let me = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let destination = Destination {
            root: root.as_fd(),
            path: Path::new("/c"),
            is_directory: false,
            owner: Some(me),
            mode: &|mode, _| mode,
        };
        let refused = write(context.as_fd(), &trees, &destination).expect_err("refused");
        assert_eq!(refused.to_string(), "`c` was changed while it was copied");
    }
}
