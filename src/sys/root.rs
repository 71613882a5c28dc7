//! Paths inside a root that others control: every component is resolved beneath the root's descriptor, symlinks
//! included, so that no path can lead outside (safety.md, rule 2).

mod walk;

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, mkdirat, openat, openat2};

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

/// A reference to the directory `path`; creates missing directories with mode 0755, if `may_make` agrees.
pub(crate) fn make_directories<E: From<io::Error>>(
    root: BorrowedFd<'_>,
    path: impl AsRef<Path>,
    may_make: MayMake<'_, E>,
) -> Result<OwnedFd, E> {
    let path = path.as_ref();
    match open_in(root, path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return Ok(other?),
    }
    let (above, name) = split(path)?;
    let parent = make_directories(root, above, may_make)?;
    may_make(parent.as_fd(), above)?;
    match mkdirat(&parent, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(io::Error::from(error).into()),
    }
    // Resolved from the root again: another process may just have put a link there.
    Ok(open_in(root, path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?)
}

/// A reference to the file `path`; creates it empty (0644) if it is missing, and missing directories, if `may_make`
/// agrees.
pub(crate) fn make_file<E: From<io::Error>>(
    root: BorrowedFd<'_>,
    path: impl AsRef<Path>,
    may_make: MayMake<'_, E>,
) -> Result<OwnedFd, E> {
    let path = path.as_ref();
    match find(root, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return Ok(other?),
    }
    let (above, name) = split(path)?;
    let parent = make_directories(root, above, may_make)?;
    may_make(parent.as_fd(), above)?;
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(&parent, name, flags, Mode::from_raw_mode(0o644)) {
        Ok(_) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(io::Error::from(error).into()),
    }
    Ok(find(root, path)?)
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
