//! Paths inside a root that others control: every component is resolved beneath the root's descriptor, symlinks
//! included, so that no path can lead outside (safety.md, rule 2).

mod walk;

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

pub(crate) use walk::words;

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat, openat2, readlinkat};

const RESOLVE: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

/// Opens `path` as seen from inside `root`: absolute links and `..` stay below it. Always adds `O_CLOEXEC` to `flags`.
///
/// Source: openat2(2), `RESOLVE_IN_ROOT`. Repeats the call after `EAGAIN` (a rename raced with `..`).
pub(crate) fn open_in(root: impl AsFd, path: impl AsRef<Path>, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let path = path.as_ref();
    // An empty path, or one that consists of slashes, is the root itself.
    let relative = path.as_os_str().as_bytes().iter().all(|b| *b == b'/');
    let path = if relative { Path::new(".") } else { path };
    for _ in 0..128 {
        match openat2(&root, path, flags | OFlags::CLOEXEC, mode, RESOLVE) {
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            // Old seccomp filters do not know openat2 (systemd's RestrictSUIDSGID, safety.md rule 3).
            Err(rustix::io::Errno::NOSYS) => return walk::open_in(root.as_fd(), path, flags, mode),
            other => return Ok(other?),
        }
    }
    Err(io::Error::from_raw_os_error(libc::EAGAIN))
}

/// A reference (`O_PATH`) to `path` in the root.
pub(crate) fn find(root: impl AsFd, path: impl AsRef<Path>) -> io::Result<OwnedFd> {
    open_in(root, path, OFlags::PATH, Mode::empty())
}

/// A reference to `path` in the root, if no component of it is a symlink; else `ELOOP`.
///
/// Source: openat2(2), `RESOLVE_NO_SYMLINKS`.
pub(crate) fn find_literally(root: BorrowedFd<'_>, path: impl AsRef<Path>) -> io::Result<OwnedFd> {
    let path = path.as_ref().strip_prefix("/").unwrap_or(path.as_ref());
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    for _ in 0..128 {
        match openat2(root, path, flags, Mode::empty(), RESOLVE | ResolveFlags::NO_SYMLINKS) {
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::NOSYS) => return walk::find_literally(root, path),
            other => return Ok(other?),
        }
    }
    Err(io::Error::from_raw_os_error(libc::EAGAIN))
}

/// Decides whether something may be created in a directory with this path; an error stops the creation.
pub(crate) type MayMake<'a, E> = &'a dyn Fn(BorrowedFd<'_>, &Path) -> Result<(), E>;

/// A reference to the directory `path`; creates missing directories with mode 0755, if `may_make` agrees. A link that
/// leads nowhere is followed: what is missing is created where it leads to, beneath the root.
pub(crate) fn make_directories<E: From<io::Error>>(
    root: BorrowedFd<'_>,
    path: impl AsRef<Path>,
    may_make: MayMake<'_, E>,
) -> Result<OwnedFd, E> {
    make(root, path.as_ref(), Kind::Directory, may_make, LINKS)
}

/// A reference to the file `path`; creates it empty (0644) if it is missing, and missing directories, if `may_make`
/// agrees. A link that leads nowhere is followed, as by [`make_directories`].
pub(crate) fn make_file<E: From<io::Error>>(
    root: BorrowedFd<'_>,
    path: impl AsRef<Path>,
    may_make: MayMake<'_, E>,
) -> Result<OwnedFd, E> {
    make(root, path.as_ref(), Kind::File, may_make, LINKS)
}

/// As many links are followed as by the kernel. Source: path_resolution(7).
const LINKS: u32 = 40;

#[derive(Clone, Copy)]
enum Kind {
    Directory,
    File,
}

impl Kind {
    fn find(self, root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
        let flags = match self {
            Self::Directory => OFlags::PATH | OFlags::DIRECTORY,
            Self::File => OFlags::PATH,
        };
        open_in(root, path, flags, Mode::empty())
    }

    /// Creates `name`, which may exist already.
    fn create(self, parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
        let created = match self {
            Self::Directory => mkdirat(parent, name, Mode::from_raw_mode(0o755)),
            Self::File => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                openat(parent, name, flags, Mode::from_raw_mode(0o644)).map(drop)
            }
        };
        match created {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn make<E: From<io::Error>>(
    root: BorrowedFd<'_>,
    path: &Path,
    kind: Kind,
    may_make: MayMake<'_, E>,
    links: u32,
) -> Result<OwnedFd, E> {
    match kind.find(root, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return Ok(other?),
    }
    let (above, name) = split(path)?;
    let parent = make(root, above, Kind::Directory, may_make, links)?;
    may_make(parent.as_fd(), above)?;
    kind.create(&parent, name)?;
    // Resolved from the root again: another process may just have put a link there.
    match kind.find(root, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && links > 0 => {
            // A link that leads nowhere. `above` may end in a link, too, which the kernel resolves before any `..`.
            let Ok(target) = readlinkat(&parent, name, Vec::new()) else { return Err(error.into()) };
            let target = above.join(OsStr::from_bytes(target.as_bytes()));
            // What is created is judged by the link's name: no link may lead to a place that is only allowed by name.
            make(root, &target, kind, &|parent, _| may_make(parent, path), links - 1)
        }
        other => Ok(other?),
    }
}

fn split(path: &Path) -> io::Result<(&Path, &OsStr)> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok((parent, name)),
        _ => Err(io::Error::from_raw_os_error(libc::ENOENT)),
    }
}

/// The current path of an open file, as the kernel sees it, from this process' root.
pub(crate) fn path_of(fd: BorrowedFd<'_>) -> io::Result<std::path::PathBuf> {
    use std::os::fd::AsRawFd as _;
    let path = rustix::fs::readlink(format!("/proc/self/fd/{}", fd.as_raw_fd()), Vec::new())?;
    Ok(OsStr::from_bytes(path.as_bytes()).into())
}
