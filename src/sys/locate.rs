//! Where a path leads in a root: its directory and its last component.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, fstat, readlinkat, statat};
use rustix::io::Errno;

use super::root::open_in;

/// As many links are followed as by the kernel. Source: path_resolution(7).
const LINKS: u32 = 40;

/// A place in a root, where something may be or not.
#[derive(Debug)]
pub(crate) struct Located {
    /// A reference to the directory.
    pub(crate) parent: OwnedFd,
    /// A path of the directory, from the root.
    pub(crate) directory: PathBuf,
    /// The name in it; `.` for the directory itself.
    pub(crate) name: OsString,
    /// What is there.
    pub(crate) stat: Option<Stat>,
}

impl Located {
    /// Whether a directory is there.
    pub(crate) fn is_directory(&self) -> bool {
        self.stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }

    /// Whether a link is there.
    pub(crate) fn is_link(&self) -> bool {
        self.stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
    }

    /// Its path, from the root.
    pub(crate) fn path(&self) -> PathBuf {
        if self.name == "." { self.directory.clone() } else { self.directory.join(&self.name) }
    }
}

/// Finds the place of `path` beneath `root`; with `follow`, a link at its end is followed, even to nothing. What the
/// answer says may change at once: use the descriptor, and follow nothing.
///
/// Fails if the directory does not exist.
pub(crate) fn locate(root: BorrowedFd<'_>, path: &Path, follow: bool) -> io::Result<Located> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Some((above, name)) = split(&path) else {
            let parent = open_in(root, &path, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
            let stat = Some(fstat(&parent)?);
            return Ok(Located { parent, directory: path, name: OsString::from("."), stat });
        };
        let parent = open_in(root, &above, OFlags::PATH | OFlags::DIRECTORY, Mode::empty())?;
        let stat = match statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Some(stat),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(error.into()),
        };
        let located = Located { parent, directory: above, name, stat };
        if !follow || !located.is_link() {
            return Ok(located);
        }
        let target = readlinkat(&located.parent, &located.name, Vec::new())?;
        // An absolute target replaces the path: it is resolved beneath the root again.
        path = located.directory.join(OsStr::from_bytes(target.as_bytes()));
    }
    Err(Errno::LOOP.into())
}

/// The directory and the last component; `None` if the path ends in `..`, or is the root.
fn split(path: &Path) -> Option<(PathBuf, OsString)> {
    let bytes = path.as_os_str().as_bytes();
    let mut end = bytes.len();
    loop {
        while end > 0 && bytes[end - 1] == b'/' {
            end -= 1;
        }
        let start = bytes[..end].iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        match &bytes[start..end] {
            b"" | b".." => return None,
            b"." => end = start,
            name => {
                let above = if start == 0 { Path::new(".") } else { Path::new(OsStr::from_bytes(&bytes[..start])) };
                return Some((above.to_owned(), OsStr::from_bytes(name).to_owned()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;
    use crate::sys::fs;

    #[test]
    fn a_path_leads_to_a_name_in_a_directory_of_the_root() {
        let home = tempfile::tempdir().expect("a directory");
        let inside = home.path().join("root");
        fs::create_dir_all(inside.join("a/b")).expect("made");
        fs::write(inside.join("a/b/file"), "x").expect("written");
        for (link, target) in [("abs", "/a/b/file"), ("up", "../../a"), ("gone", "a/new"), ("dir", "a/b"), ("me", "me")]
        {
            fs::symlink(target, inside.join(link)).expect("linked");
        }
        let root = fs::open_directory(&inside).expect("opens");
        let place = |path: &str, follow| {
            let found = locate(root.as_fd(), Path::new(path), follow).map_err(|error| error.raw_os_error());
            found.map(|found| (found.path().display().to_string(), found.stat.is_some(), found.is_directory()))
        };
        let is = |path: &str, exists, is_directory| Ok((path.to_owned(), exists, is_directory));
        for (path, follow, expected) in [
            ("/a/b/file", false, is("/a/b/file", true, false)),
            ("a/b/", false, is("a/b", true, true)),
            ("/a/b/.", false, is("/a/b", true, true)),
            ("/", false, is("/", true, true)),
            ("/a/..", false, is("/a/..", true, true)),
            ("/../../a", false, is("/../../a", true, true)),
            ("/abs", false, is("/abs", true, false)),
            ("/abs", true, is("/a/b/file", true, false)),
            ("/up", true, is("/../../a", true, true)),
            ("/gone", true, is("/a/new", false, false)),
            ("/dir/file", false, is("/dir/file", true, false)),
            ("/a/none", false, is("/a/none", false, false)),
            ("/none/x", false, Err(Some(libc::ENOENT))),
            ("/abs/x", false, Err(Some(libc::ENOTDIR))),
            ("/me", true, Err(Some(libc::ELOOP))),
        ] {
            assert_eq!(place(path, follow), expected, "{path} {follow}");
        }
    }
}
