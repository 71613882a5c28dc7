//! Mounts that join directories, apart from the root filesystem: `src/plan/spec/overlay.rs` has their options.

use std::ffi::CString;
use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid, chmod, chownat, fstat};
use rustix::io::Errno;

use super::bind;
use crate::runtime::rootfs::{lower_option, reference};
use crate::runtime::sync::Step as _;
use crate::runtime::{Failure, xattrs};
use crate::sys::root::open_in;
use crate::sys::{fs, mount};

/// Whether the mount joins directories.
pub(in crate::runtime) fn is_overlay(mount: &Mount) -> bool {
    mount.typ().as_deref() == Some("overlay")
}

/// The directories of an overlay.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parts {
    /// Topmost first.
    lowers: Vec<PathBuf>,
    data: Vec<PathBuf>,
    /// Where it is written, and the kernel's working directory.
    upper: Option<(PathBuf, PathBuf)>,
    /// The two are in this directory, and made anew.
    scratch: Option<PathBuf>,
}

/// The joined files, attached nowhere. They are mounted on `place` for a moment: the directory must be empty, and this
/// process must have a mount namespace of its own.
pub(in crate::runtime) fn tree(mount: &Mount, place: &Path) -> Result<OwnedFd, Failure> {
    let destination = mount.destination();
    let parts = Parts::read(mount.options().as_deref().unwrap_or_default());
    let open = |paths: &[PathBuf]| paths.iter().map(|path| reference(path)).collect::<Result<Vec<_>, _>>();
    let (lowers, data) = (open(&parts.lowers)?, open(&parts.data)?);
    let mut options = lower_option(&lowers, &data);
    let upper = match (&parts.scratch, &parts.upper) {
        (Some(scratch), _) => Some(make_scratch(scratch, lowers.first())?),
        (None, Some((upper, work))) => Some((reference(upper)?, reference(work)?)),
        (None, None) => None,
    };
    if let Some((upper, work)) = &upper {
        write!(options, ",upperdir={},workdir={}", upper.as_raw_fd(), work.as_raw_fd()).unwrap_or_default();
    }
    let c_string = |text: &[u8]| CString::new(text).map_err(io::Error::from).step_on("name the layers of", destination);
    let target = c_string(place.as_os_str().as_encoded_bytes())?;
    mount::overlay(&target, &c_string(options.as_bytes())?).map_err(|error| {
        Failure::setup("mount an overlay on", destination, &error).with_hint(
            "`rc doctor` tries what can join layers here; `upperdir` and `workdir` must be directories of one local \
             filesystem, and of no other mount",
        )
    })?;
    let joined = reference(place)?;
    let found = match bind::subpath(mount) {
        None => joined,
        Some(path) => open_in(joined.as_fd(), path, OFlags::PATH, Mode::empty())
            .step_on(&format!("find the path `{}` below the source of", path.escape_debug()), destination)?,
    };
    let copied = bind::copy(found.as_fd(), false).step_on("copy the overlay on", destination)?;
    mount::detach(place).step_on("unmount", place)?;
    Ok(copied)
}

impl Parts {
    fn read(options: &[String]) -> Self {
        let mut parts = Self::default();
        let (mut upper, mut work) = (None, None);
        for option in options {
            match option.split_once('=') {
                Some(("lowerdir", paths)) => (parts.lowers, parts.data) = split(paths),
                Some(("upperdir", path)) => upper = Some(PathBuf::from(path)),
                Some(("workdir", path)) => work = Some(PathBuf::from(path)),
                Some(("scratch", path)) => parts.scratch = Some(PathBuf::from(path)),
                _ => {}
            }
        }
        parts.upper = upper.zip(work);
        parts
    }
}

/// The paths between colons, and those after two; `\` makes the next character part of a path.
fn split(text: &str) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let (mut lists, mut path) = ((Vec::new(), Vec::new()), String::new());
    let (mut is_data, mut letters) = (false, text.chars().peekable());
    loop {
        match letters.next() {
            Some('\\') => path.extend(letters.next()),
            Some(letter) if letter != ':' => path.push(letter),
            end => {
                let list = if is_data { &mut lists.1 } else { &mut lists.0 };
                list.push(PathBuf::from(std::mem::take(&mut path)));
                if end.is_none() {
                    return lists;
                }
                is_data |= letters.next_if_eq(&':').is_some();
            }
        }
    }
}

/// Makes the directories of a writable layer, in place of those of an earlier start. The mount's root has the mode and
/// the owner of the topmost directory.
fn make_scratch(scratch: &Path, top: Option<&OwnedFd>) -> Result<(OwnedFd, OwnedFd), Failure> {
    match fs::remove_dir_all(scratch) {
        Err(error) if !error.is_not_found() => return Err(Failure::of(error)),
        _ => {}
    }
    let (upper, work) = (scratch.join("upper"), scratch.join("work"));
    fs::create_dir_all(&upper).and_then(|()| fs::create_dir_all(&work)).map_err(Failure::of)?;
    let (made, work) = (reference(&upper)?, reference(&work)?);
    if let Some(top) = top {
        let found = fstat(top).step_on("stat the source of", &upper)?;
        let (uid, gid) = (Uid::from_raw(found.st_uid), Gid::from_raw(found.st_gid));
        match chownat(&made, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH) {
            // With one ID, or without the owner's, everything belongs to the container's root.
            Ok(()) | Err(Errno::PERM | Errno::INVAL) => {}
            Err(error) => return Err(error).step_on("set the owner of", &upper),
        }
        chmod(&upper, Mode::from_raw_mode(found.st_mode & 0o7777)).step_on("set the mode of", &upper)?;
        copy_attributes(top, &upper)?;
    }
    Ok((made, work))
}

/// Extended attributes need descriptors that can be read; a directory that cannot keeps its own.
fn copy_attributes(top: &OwnedFd, upper: &Path) -> Result<(), Failure> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let from = rustix::fs::openat(top, ".", flags, Mode::empty());
    match (from, rustix::fs::open(upper, flags, Mode::empty())) {
        (Ok(from), Ok(to)) => xattrs::copy(&from, &to).step_on("set the extended attributes of", upper),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_at_colons_that_are_not_escaped() {
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        for (text, lowers, data) in [
            ("/a", &["/a"][..], &[][..]),
            ("/a:/b", &["/a", "/b"], &[]),
            (r"/a\:b:/c\\", &["/a:b", r"/c\"], &[]),
            ("/a:/b::/c::/d", &["/a", "/b"], &["/c", "/d"]),
        ] {
            assert_eq!(split(text), (paths(lowers), paths(data)), "{text}");
        }
        let options = ["ro", "lowerdir=/a", "upperdir=/u", "workdir=/w"].map(str::to_owned);
        let parts = Parts::read(&options);
        assert_eq!((parts.upper, parts.scratch), (Some(("/u".into(), "/w".into())), None));
        assert_eq!(Parts::read(&["scratch=/s".to_owned()]).scratch, Some("/s".into()));
    }
}
