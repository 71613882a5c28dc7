//! Paths that the program must not see, or must not write.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use oci_spec::runtime::Spec;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::mount::MountAttrFlags;

use super::outside::Outside;
use super::sync::Step as _;
use super::{Failure, Launch};
use crate::sys::{mount, root};

/// Covers the spec's masked paths and makes its read-only paths read-only; skips those that do not exist.
///
/// It covers them with an empty file and an empty directory of rc's own, never with a `/dev/null` that the container
/// could have replaced (CVE-2025-31133).
pub(super) fn mask(spec: &Spec, root: BorrowedFd<'_>, covers: Covers) -> Result<(), Failure> {
    let Some(linux) = spec.linux() else { return Ok(()) };
    for path in linux.readonly_paths().iter().flatten() {
        let Some(target) = find(root, path)? else { continue };
        let tree = mount::clone_tree(target.as_fd(), true).step_on("copy the mount of", path)?;
        mount::set_attributes(tree.as_fd(), MountAttrFlags::MOUNT_ATTR_RDONLY, true).step_on("make read-only", path)?;
        mount::attach(tree.as_fd(), target.as_fd()).step_on("make read-only", path)?;
    }
    let Covers { mut file, mut directory } = covers;
    for path in linux.masked_paths().iter().flatten() {
        let Some(target) = find(root, path)? else { continue };
        let stat = rustix::fs::fstat(&target).step_on("stat", path)?;
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let cover = if is_directory { &mut directory } else { &mut file };
        let tree = cover.mount(path)?;
        mount::attach(tree.as_fd(), target.as_fd()).step_on("mask", path)?;
        *cover = Cover::Used(tree);
    }
    Ok(())
}

/// What masks paths: an empty file and an empty directory of this container alone. A program with CAP_SYS_ADMIN can
/// make a mount writable again, and what it writes there must be nothing that other containers see.
pub(super) struct Covers {
    file: Cover,
    directory: Cover,
}

impl Covers {
    /// Finds both in the container's directory, before the root filesystem covers the second: its mount point.
    pub(super) fn find(launch: &Launch<'_>, outside: &Outside) -> Result<Self, Failure> {
        if let Some([file, directory]) = outside.covers()? {
            return Ok(Self { file: Cover::Copied(file), directory: Cover::Copied(directory) });
        }
        let own = |name: &str| {
            let own = launch.rootfs.directory().join(name);
            let own = rustix::fs::open(&own, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
                .step_on("open", &own)?;
            Ok::<_, Failure>(Cover::Own(own))
        };
        Ok(Self { file: own("containerenv")?, directory: own("merged")? })
    }
}

/// What masks paths of one kind.
enum Cover {
    /// It has masked nothing yet.
    Own(OwnedFd),
    /// The same, as a mount that is attached nowhere yet.
    Copied(OwnedFd),
    /// The mount that masks the last path. Its copies are read-only, as it is.
    Used(OwnedFd),
}

impl Cover {
    /// One more read-only mount of it, attached nowhere yet, for `path`.
    fn mount(&self, path: &str) -> Result<OwnedFd, Failure> {
        let copy = |of: &OwnedFd| mount::clone_tree(of.as_fd(), false).step_on("copy the mount of", path);
        let tree = match self {
            Self::Used(used) => return copy(used),
            Self::Own(own) => copy(own)?,
            Self::Copied(tree) => rustix::io::fcntl_dupfd_cloexec(tree, 3).step("copy a descriptor")?,
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
