//! The root filesystem of a container that does not run, for rc's own work on its files.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::CloneFlags;
use oci_spec::runtime::{Mount, Spec};
use rustix::mount::MountAttrFlags;

use super::places::Places;
use super::sync::Step as _;
use super::{Failure, Rootfs, mounts, rootfs};
use crate::sys::{mount, namespace};

/// How a root is mounted.
#[derive(Debug, Default)]
pub(crate) struct Apart {
    /// Binds in it.
    pub(crate) binds: Vec<Mount>,
    /// Those that are filled from the image, by destination.
    pub(crate) copy_up: Vec<PathBuf>,
    /// Whether the root itself can only be read.
    pub(crate) read_only: bool,
}

/// Mounts a root as init does, in a mount namespace of this process' own, and returns a reference to it. For a forked
/// child that is root in the root namespace; the mounts are gone when it has exited.
pub(crate) fn mount_apart(root: &Rootfs, apart: Apart) -> Result<OwnedFd, Failure> {
    namespace::unshare(CloneFlags::CLONE_NEWNS).step("create a mount namespace")?;
    mount::isolate_propagation().step("isolate mounts")?;
    let root = rootfs::mount(root)?;
    let places = Places::new(root.as_fd())?;
    let mut spec = Spec::default();
    spec.set_mounts(Some(apart.binds));
    // Attached to the root now, so that their descriptors are not needed.
    drop(mounts::all(&spec, &places, &apart.copy_up, &mounts::From::default())?);
    if apart.read_only {
        let read_only = MountAttrFlags::MOUNT_ATTR_RDONLY;
        mount::set_attributes(root.as_fd(), read_only, false).step("make the root filesystem read-only")?;
    }
    Ok(root)
}

/// Mounts layers, lowest first, to be read, in a mount namespace of this process' own, and returns a reference to their
/// root; `directory` has an empty `upper`, and `merged` as the mount point. As [`mount_apart`] otherwise.
pub(crate) fn view_apart(lowers: &[PathBuf], directory: &Path) -> Result<OwnedFd, Failure> {
    namespace::unshare(CloneFlags::CLONE_NEWNS).step("create a mount namespace")?;
    mount::isolate_propagation().step("isolate mounts")?;
    rootfs::view(&lowers.to_vec().into(), directory)
}
