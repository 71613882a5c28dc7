//! openat2 with `RESOLVE_IN_ROOT`, one component at a time, for hosts on which that call is not available.
//!
//! Every component is opened relative to its parent's descriptor and never followed; a link is read and its components
//! are walked in turn. `..` returns to a descriptor that was passed on the way, never through the kernel's `..`, so
//! that a directory that is moved meanwhile cannot lead outside.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, fstat, openat, readlinkat};
use rustix::io::Errno;

/// Source: path_resolution(7).
const MOST_LINKS: u32 = 40;

/// openat2 with `RESOLVE_NO_SYMLINKS` in addition: any link on the way is `ELOOP`.
pub(super) fn find_literally(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    let mut found = root.try_clone_to_owned()?;
    for word in words(path.as_os_str().as_bytes()) {
        if word == ".." {
            return Err(Errno::LOOP.into());
        }
        found = openat(&found, &word, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        if FileType::from_raw_mode(fstat(&found)?.st_mode) == FileType::Symlink {
            return Err(Errno::LOOP.into());
        }
    }
    Ok(found)
}

pub(super) fn open_in(root: BorrowedFd<'_>, path: &Path, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let mut left: VecDeque<OsString> = words(path.as_os_str().as_bytes());
    let mut passed: Vec<OwnedFd> = Vec::new();
    let mut links = 0;
    while let Some(word) = left.pop_front() {
        if word == ".." {
            passed.pop();
            continue;
        }
        let parent = passed.last().map_or(root, std::os::fd::AsFd::as_fd);
        let reference = openat(parent, &word, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
        let is_last = left.is_empty();
        let reference = match reference {
            // It will be created here; whatever appears there meanwhile is not followed, not even a link.
            Err(Errno::NOENT) if is_last && flags.contains(OFlags::CREATE) => {
                return Ok(openat(parent, &word, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode)?);
            }
            other => other?,
        };
        let kind = FileType::from_raw_mode(fstat(&reference)?.st_mode);
        if kind == FileType::Symlink && !(is_last && flags.contains(OFlags::NOFOLLOW)) {
            links += 1;
            if links > MOST_LINKS {
                return Err(Errno::LOOP.into());
            }
            let target = readlinkat(&reference, "", Vec::new())?;
            let target = target.as_bytes();
            if target.starts_with(b"/") {
                passed.clear();
            }
            let mut further = words(target);
            further.append(&mut left);
            left = further;
            continue;
        }
        if is_last {
            return Ok(openat(parent, &word, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode)?);
        }
        if kind != FileType::Directory {
            return Err(Errno::NOTDIR.into());
        }
        passed.push(reference);
    }
    let directory = passed.last().map_or(root, std::os::fd::AsFd::as_fd);
    Ok(openat(directory, ".", flags | OFlags::CLOEXEC, mode)?)
}

/// The components of a path, without empty ones and `.`.
pub(crate) fn words(path: &[u8]) -> VecDeque<OsString> {
    let words = path.split(|byte| *byte == b'/').filter(|word| !word.is_empty() && *word != b".");
    words.map(|word| OsStr::from_bytes(word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{fs, root};

    #[test]
    fn it_finds_what_openat2_finds() {
        let home = tempfile::tempdir().expect("a temporary directory");
        let inside = home.path().join("root");
        fs::create_dir_all(inside.join("a/b")).expect("made");
        fs::write(inside.join("a/b/file"), "in").expect("written");
        fs::write(inside.join("file"), "top").expect("written");
        fs::write(home.path().join("file"), "outside").expect("written");
        for (link, target) in [
            ("abs", "/a/b"),
            ("rel", "a/../a/b/file"),
            ("out", "../../../file"),
            ("a/up", ".."),
            ("circle", "circle"),
            ("dangling", "nothing"),
            ("chain", "abs/../up/abs"),
        ] {
            fs::symlink(target, inside.join(link)).expect("linked");
        }
        let top = fs::open(&inside).expect("opens");
        let looked_at = |found: io::Result<OwnedFd>| {
            found.and_then(|fd| Ok(fstat(fd)?)).map(|stat| stat.st_ino).map_err(|error| error.raw_os_error())
        };
        for path in [
            "a/b/file",
            "abs/file",
            "rel",
            "out",
            "../../file",
            "a/up/file",
            "circle",
            "dangling",
            "chain/file",
            "file/x",
            "nothing/x",
            "/a//./b/..",
            "..",
            "abs/../../..",
            "a/b/file/..",
        ] {
            for flags in
                [OFlags::PATH, OFlags::RDONLY, OFlags::PATH | OFlags::NOFOLLOW, OFlags::RDONLY | OFlags::DIRECTORY]
            {
                let ours = open_in(std::os::fd::AsFd::as_fd(&top), Path::new(path), flags, Mode::empty());
                let kernels = root::open_in(&top, path, flags, Mode::empty());
                assert_eq!(looked_at(ours), looked_at(kernels), "{path} {flags:?}");
            }
        }
    }
}
