//! The root filesystem: layers and a writable directory, joined by overlay.

use std::ffi::CString;
use std::fmt::Write as _;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::CloneFlags;
use rustix::fs::{Mode, OFlags, open};

use super::sync::Step as _;
use super::{Failure, root_directory};
use crate::sys::{mount, namespace};

/// The source of a root filesystem.
#[derive(Debug)]
pub(crate) enum Rootfs {
    /// Kernel overlay, mounted by init itself.
    Overlay {
        /// Read-only layers, lowest first; at least one.
        lowers: Vec<PathBuf>,
        /// The container's directory, with `upper`, `work` and the empty mount point `merged`.
        directory: PathBuf,
        /// Lost on a power cut and never synced: for containers that are removed when they exit.
        volatile: bool,
    },
    /// A root filesystem that is already mounted, as a detached mount (fuse-overlayfs).
    Detached {
        /// The mount.
        mount: OwnedFd,
        /// The empty directory to attach it to.
        directory: PathBuf,
    },
}

/// Mounts it in this process' mount namespace, and returns a reference to its root.
///
/// The layers are opened here, not earlier: overlay rejects descriptors from another mount namespace (EINVAL). They are
/// named by `/proc/self/fd/N`, so that 128 of them fit into the one page that mount(2) has for options, whatever their
/// paths; `lowerdir+` of fsconfig(2) needs Linux 6.5.
pub(super) fn mount(rootfs: &Rootfs) -> Result<OwnedFd, Failure> {
    match rootfs {
        Rootfs::Overlay { lowers, directory, volatile } => overlay(lowers, directory, *volatile),
        Rootfs::Detached { mount: tree, directory } => {
            use std::os::fd::AsFd as _;
            let target = directory.join("merged");
            let place = reference(&target)?;
            mount::attach(tree.as_fd(), place.as_fd()).step_on("mount the root filesystem on", &target)?;
            reference(&target)
        }
    }
}

/// Mounts it as init does, in a mount namespace of its own, to find out whether that works on this host. For a forked
/// child that is root in the root namespace; nothing is left when the child has exited.
pub(crate) fn try_mount(rootfs: &Rootfs) -> Result<(), Failure> {
    namespace::unshare(CloneFlags::CLONE_NEWNS).step("create a mount namespace")?;
    mount::isolate_propagation().step("isolate mounts")?;
    mount(rootfs).map(drop)
}

/// Mounts the same files read-only in this process' mount namespace: the upper directory is just one more layer, so
/// that neither the work directory nor the marks of a volatile overlay are touched.
pub(super) fn view(lowers: &[PathBuf], directory: &Path) -> Result<OwnedFd, Failure> {
    let mut layers = vec![reference(&directory.join("upper"))?];
    layers.extend(opened(lowers)?);
    join(&directory.join("merged"), lower_option(&layers))
}

fn overlay(lowers: &[PathBuf], directory: &Path, volatile: bool) -> Result<OwnedFd, Failure> {
    root_directory::adopt(lowers, &directory.join("upper"))?;
    let layers = opened(lowers)?;
    let mut options = lower_option(&layers);
    let upper = reference(&directory.join("upper"))?;
    let work = reference(&directory.join("work"))?;
    write!(options, ",upperdir=/proc/self/fd/{},workdir=/proc/self/fd/{}", upper.as_raw_fd(), work.as_raw_fd())
        .unwrap_or_default();
    if volatile {
        options.push_str(",volatile");
    }
    join(&directory.join("merged"), options)
}

/// The layers, topmost first.
fn opened(lowers: &[PathBuf]) -> Result<Vec<OwnedFd>, Failure> {
    lowers.iter().rev().map(|path| reference(path)).collect()
}

fn lower_option(layers: &[OwnedFd]) -> String {
    let mut options = String::from("userxattr,lowerdir=");
    for (index, layer) in layers.iter().enumerate() {
        let separator = if index == 0 { "" } else { ":" };
        write!(options, "{separator}/proc/self/fd/{}", layer.as_raw_fd()).unwrap_or_default();
    }
    options
}

fn join(merged: &Path, options: String) -> Result<OwnedFd, Failure> {
    let target =
        CString::new(merged.as_os_str().as_encoded_bytes()).map_err(std::io::Error::from).step("name a path")?;
    let options = CString::new(options).map_err(std::io::Error::from).step("name the layers")?;
    mount::overlay(&target, &options).map_err(|error| Failure {
        is_overlay_refused: true,
        ..Failure::setup("mount an overlay on", merged, &error)
            .with_hint("`rc doctor` tries what can join layers here, and says what is missing")
    })?;
    reference(merged)
}

fn reference(path: &Path) -> Result<OwnedFd, Failure> {
    open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).step_on("open", path)
}
