//! The root filesystem: layers and a writable directory, joined by overlay.

use std::ffi::CString;
use std::fmt::Write as _;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::sched::CloneFlags;
use rustix::fs::{Mode, OFlags, XattrFlags, open, setxattr};
use rustix::mount::MountAttrFlags;

use super::mounts::bind;
use super::sync::Step as _;
use super::{Failure, root_directory};
use crate::sys::{fs, mount, namespace};
use crate::types::Layers;

/// Attributes of a file whose content is in a data-only layer. Source: kernel overlayfs.rst.
const METACOPY: &str = "user.overlay.metacopy";
const REDIRECT: &str = "user.overlay.redirect";

/// The source of a root filesystem.
#[derive(Debug)]
pub(crate) enum Rootfs {
    /// Kernel overlay, mounted by init itself.
    Overlay {
        /// Read-only layers, at least one.
        layers: Layers,
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
    /// A directory of the host, with what is mounted in it.
    Directory {
        /// Its path.
        path: PathBuf,
        /// The container's directory, with the empty mount point `merged`.
        directory: PathBuf,
    },
}

impl Rootfs {
    /// What the kernel makes of `layers` in the container's `directory`.
    pub(crate) fn of(layers: Layers, directory: PathBuf, volatile: bool) -> Self {
        match layers {
            Layers { is_root: true, mut lowers, .. } if lowers.len() == 1 => {
                Self::Directory { path: lowers.remove(0), directory }
            }
            layers => Self::Overlay { layers, directory, volatile },
        }
    }

    /// The container's directory.
    pub(super) fn directory(&self) -> &Path {
        let (Self::Overlay { directory, .. } | Self::Detached { directory, .. } | Self::Directory { directory, .. }) =
            self;
        directory
    }
}

/// Mounts it in this process' mount namespace, and returns a reference to its root.
///
/// The layers are opened here, not earlier: overlay rejects descriptors from another mount namespace (EINVAL). They are
/// named by the numbers of their descriptors ([`mount::overlay`]), so that as many fit into the one page that mount(2)
/// has for options as the kernel joins, whatever their paths; `lowerdir+` of fsconfig(2) needs Linux 6.5.
pub(super) fn mount(rootfs: &Rootfs) -> Result<OwnedFd, Failure> {
    match rootfs {
        Rootfs::Overlay { layers, directory, volatile } => overlay(layers, directory, *volatile),
        Rootfs::Detached { mount: tree, directory } => attach(tree, &directory.join("merged")),
        Rootfs::Directory { path, directory } => {
            let tree = bind::copy(reference(path)?.as_fd(), true).step_on("copy the mount of", path)?;
            mount::set_tree(tree.as_fd(), libc::MS_PRIVATE, MountAttrFlags::empty()).step_on("isolate", path)?;
            attach(&tree, &directory.join("merged"))
        }
    }
}

fn attach(tree: &OwnedFd, target: &Path) -> Result<OwnedFd, Failure> {
    let place = reference(target)?;
    mount::attach(tree.as_fd(), place.as_fd()).step_on("mount the root filesystem on", target)?;
    reference(target)
}

/// Mounts it as init does, in a mount namespace of its own, to find out whether that works on this host. For a forked
/// child that is root in the root namespace; nothing is left when the child has exited.
pub(crate) fn try_mount(rootfs: &Rootfs) -> Result<(), Failure> {
    namespace::unshare(CloneFlags::CLONE_NEWNS).step("create a mount namespace")?;
    mount::isolate_propagation().step("isolate mounts")?;
    mount(rootfs).map(drop)
}

/// Whether the kernel finds the content of files in a data-only layer for a user, which it does since Linux 6.16. Tries
/// it in the empty directory `scratch`. For a forked child that
/// is root in the root namespace.
pub(crate) fn finds_content(scratch: &Path) -> bool {
    let directories = ["lower", "data", "upper", "work", "merged"].map(|name| scratch.join(name));
    let tried = || -> Result<Vec<u8>, Failure> {
        for directory in &directories {
            fs::create_dir(directory).map_err(Failure::of)?;
        }
        let [lower, data, _, _, merged] = &directories;
        fs::write(data.join("content"), "x").map_err(Failure::of)?;
        let file = lower.join("file");
        fs::write(&file, "?").map_err(Failure::of)?;
        for (name, value) in [(METACOPY, &b""[..]), (REDIRECT, b"/content")] {
            setxattr(&file, name, value, XattrFlags::empty()).step_on("mark", &file)?;
        }
        let layers = Layers { lowers: vec![lower.clone()], data: vec![data.clone()], is_root: false };
        try_mount(&Rootfs::Overlay { layers, directory: scratch.to_owned(), volatile: false })?;
        fs::read_limited(merged.join("file"), 2).map_err(Failure::of)
    };
    tried().is_ok_and(|content| content == b"x")
}

/// Mounts layers (lowest first) read-only on `merged`, in a mount namespace of this process' own. For a forked child
/// that is root in the root namespace; the mount is gone when it has exited.
pub(crate) fn mount_layers(lowers: &[PathBuf], merged: &Path) -> Result<(), Failure> {
    namespace::unshare(CloneFlags::CLONE_NEWNS).step("create a mount namespace")?;
    mount::isolate_propagation().step("isolate mounts")?;
    join(merged, lower_option(&opened(lowers)?, &[])).map(drop)
}

/// Mounts the same files read-only in this process' mount namespace: the upper directory is just one more layer, so
/// that neither the work directory nor the marks of a volatile overlay are touched.
pub(super) fn view(layers: &Layers, directory: &Path) -> Result<OwnedFd, Failure> {
    let mut lowers = vec![reference(&directory.join("upper"))?];
    lowers.extend(opened(&layers.lowers)?);
    let data = contents(&layers.data)?;
    join(&directory.join("merged"), lower_option(&lowers, &data))
}

/// Mounts layers on `target`, read-only, lowest first; at least two.
pub(super) fn read_only(layers: &[PathBuf], target: &Path) -> Result<(), Failure> {
    join(target, lower_option(&opened(layers)?, &[])).map(drop)
}

fn overlay(layers: &Layers, directory: &Path, volatile: bool) -> Result<OwnedFd, Failure> {
    root_directory::adopt(&layers.lowers, &directory.join("upper"))?;
    let (lowers, data) = (opened(&layers.lowers)?, contents(&layers.data)?);
    let mut options = lower_option(&lowers, &data);
    let upper = reference(&directory.join("upper"))?;
    let work = reference(&directory.join("work"))?;
    write!(options, ",upperdir={},workdir={}", upper.as_raw_fd(), work.as_raw_fd()).unwrap_or_default();
    if volatile {
        options.push_str(",volatile");
    }
    join(&directory.join("merged"), options)
}

/// The data-only layers, topmost first.
fn contents(data: &[PathBuf]) -> Result<Vec<OwnedFd>, Failure> {
    data.iter().map(|path| reference(path)).collect()
}

/// The layers, topmost first.
fn opened(lowers: &[PathBuf]) -> Result<Vec<OwnedFd>, Failure> {
    lowers.iter().rev().map(|path| reference(path)).collect()
}

/// The topmost layer comes first; data-only layers come last, after two colons. Source: kernel overlayfs.rst.
pub(super) fn lower_option(layers: &[OwnedFd], data: &[OwnedFd]) -> String {
    let mut options = String::from("userxattr,lowerdir=");
    let separators = std::iter::once("").chain(std::iter::repeat(":"));
    for (layer, separator) in layers.iter().zip(separators).chain(data.iter().zip(std::iter::repeat("::"))) {
        write!(options, "{separator}{}", layer.as_raw_fd()).unwrap_or_default();
    }
    options
}

/// The kernel joins no more. Source: Linux, fs/overlayfs/params.h, `OVL_MAX_STACK`.
const MOST_LAYERS: usize = 500;

fn join(merged: &Path, options: String) -> Result<OwnedFd, Failure> {
    if options.bytes().filter(|byte| *byte == b':').count() >= MOST_LAYERS {
        let error = std::io::Error::other("the kernel joins no more than 500 layers");
        let failure = Failure::setup("mount an overlay on", merged, &error);
        return Err(failure.with_hint("make fewer of them: `rc build --squash`"));
    }
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

/// The directory at `path`.
pub(super) fn reference(path: &Path) -> Result<OwnedFd, Failure> {
    open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).step_on("open", path)
}
