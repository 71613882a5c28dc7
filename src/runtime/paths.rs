//! Paths that the program must not see, or must not write.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use oci_spec::runtime::Spec;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::mount::MountAttrFlags;

use super::Failure;
use super::outside::Outside;
use super::sync::Step as _;
use crate::sys::{mount, root};

/// Covers the spec's masked paths and makes its read-only paths read-only; skips those that do not exist.
///
/// It covers them with rc's own empty file and directory, never with a `/dev/null` that the container could have
/// replaced (CVE-2025-31133).
pub(super) fn mask(spec: &Spec, root: BorrowedFd<'_>, empty: &Path, outside: Option<&Outside>) -> Result<(), Failure> {
    let Some(linux) = spec.linux() else { return Ok(()) };
    for path in linux.readonly_paths().iter().flatten() {
        let Some(target) = find(root, path)? else { continue };
        let tree = mount::clone_tree(target.as_fd(), true).step_on("copy the mount of", path)?;
        mount::set_attributes(tree.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY, true).step_on("make read-only", path)?;
        mount::attach(tree.as_fd(), target.as_fd()).step_on("make read-only", path)?;
    }
    let [first_file, first_directory] = outside.map_or(Ok([None, None]), Outside::covers)?;
    let mut file = Cover { empty, name: "file", first: first_file, used: None };
    let mut directory = Cover { empty, name: "dir", first: first_directory, used: None };
    for path in linux.masked_paths().iter().flatten() {
        let Some(target) = find(root, path)? else { continue };
        let stat = rustix::fs::fstat(&target).step_on("stat", path)?;
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let cover = if is_directory { &mut directory } else { &mut file };
        let tree = cover.mount(path)?;
        mount::attach(tree.as_fd(), target.as_fd()).step_on("mask", path)?;
        cover.used = Some(tree);
    }
    Ok(())
}

/// What masks paths of one kind: rc's own empty file, or its empty directory.
struct Cover<'a> {
    empty: &'a Path,
    name: &'static str,
    /// A mount of it that is attached nowhere yet, if it was found beforehand.
    first: Option<OwnedFd>,
    /// The mount that masks the last path. Its copies are read-only, as it is.
    used: Option<OwnedFd>,
}

impl Cover<'_> {
    /// One more read-only mount of it, attached nowhere yet, for `path`.
    fn mount(&mut self, path: &str) -> Result<OwnedFd, Failure> {
        if let Some(used) = &self.used {
            return mount::clone_tree(used.as_fd(), false).step_on("copy the mount of", path);
        }
        let tree = match self.first.take() {
            Some(first) => first,
            None => {
                let own = self.empty.join(self.name);
                let own =
                    rustix::fs::open(&own, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).step_on("open", &own)?;
                mount::clone_tree(own.as_fd(), false).step_on("copy the mount of", path)?
            }
        };
        mount::set_attributes(tree.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY, false).step_on("mask", path)?;
        Ok(tree)
    }
}

/// Opens `path`; `None` if nothing is there, or if a directory on the way is closed even to this process: it has every
/// capability over the container's files, so the program, which has fewer, cannot get there either.
fn find(root: BorrowedFd<'_>, path: &str) -> Result<Option<OwnedFd>, Failure> {
    match root::find(root, path) {
        Ok(fd) => Ok(Some(fd)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR | libc::EACCES)) => Ok(None),
        Err(error) => Err(error).step_on("find", path),
    }
}
