//! Mounts by descriptor: created detached, then attached to a pinned place, so that no path is looked up twice.
#![expect(unsafe_code, reason = "mount_setattr(2) and pivot_root(2) by descriptor have no safe wrapper")]

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

use super::failpoint;

/// One parameter of a new filesystem: a flag, or a key with its value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Parameter<'a> {
    /// A flag, such as `newinstance`.
    Flag(&'a str),
    /// A key and its value, such as `mode` and `755`; the value has at most 255 bytes.
    Value(&'a str, &'a str),
}

/// Creates a new filesystem of `kind`, not attached yet. Source: fsopen(2), fsconfig(2), fsmount(2).
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn new_filesystem(
    kind: &str,
    parameters: &[Parameter<'_>],
    attributes: MountAttrFlags,
) -> io::Result<OwnedFd> {
    failpoint::point()?;
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for parameter in parameters {
        match parameter {
            Parameter::Flag(name) => fsconfig_set_flag(context.as_fd(), *name)?,
            Parameter::Value(name, value) => fsconfig_set_string(context.as_fd(), *name, *value)?,
        }
    }
    fsconfig_create(context.as_fd())?;
    Ok(fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
}

/// A detached copy of the mount at `path`, a descriptor; includes the mounts below it if `recursive`. Source:
/// open_tree(2).
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn clone_tree(path: BorrowedFd<'_>, recursive: bool) -> io::Result<OwnedFd> {
    failpoint::point()?;
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    Ok(open_tree(path, c"", flags)?)
}

/// Attaches a detached mount to the file or directory that `target` refers to. Source: move_mount(2).
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> io::Result<()> {
    failpoint::point()?;
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(move_mount(mount, c"", target, c"", flags)?)
}

/// The kernel's `struct mount_attr`.
#[repr(C)]
#[derive(Default)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// Sets attributes of the mount that `mount` refers to, and of those below it if `recursive`. Source: mount_setattr(2).
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn set_attributes(mount: BorrowedFd<'_>, set: MountAttrFlags, recursive: bool) -> io::Result<()> {
    failpoint::point()?;
    setattr(mount, &MountAttr { attr_set: u64::from(set.bits()), ..MountAttr::default() }, recursive)
}

/// Sets how mount events of the tree at `mount` propagate (`MS_PRIVATE`, `MS_SLAVE`, …), and further attributes of all
/// its mounts. Source: mount_setattr(2), "propagation".
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn set_tree(mount: BorrowedFd<'_>, propagation: u64, set: MountAttrFlags) -> io::Result<()> {
    failpoint::point()?;
    setattr(mount, &MountAttr { attr_set: u64::from(set.bits()), propagation, ..MountAttr::default() }, true)
}

fn setattr(mount: BorrowedFd<'_>, attr: &MountAttr, recursive: bool) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty C string, `attr` a valid struct of the size that is given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            flags,
            std::ptr::from_ref(attr),
            size_of::<MountAttr>(),
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Makes the whole tree of this mount namespace a slave of the original one: no mount event leaves this namespace.
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn isolate_propagation() -> io::Result<()> {
    failpoint::point()?;
    use rustix::mount::{MountPropagationFlags, mount_change};
    Ok(mount_change(c"/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?)
}

/// Detaches what is mounted on `target`; programs that use it keep it.
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn detach(target: &Path) -> io::Result<()> {
    failpoint::point()?;
    Ok(rustix::mount::unmount(target, rustix::mount::UnmountFlags::DETACH | rustix::mount::UnmountFlags::NOFOLLOW)?)
}

/// mount(2) of an overlay: the only mount with more options than fsconfig(2) accepts in one string. They have one page,
/// so that directories are named by the numbers of their descriptors alone, seen from the directory of those.
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn overlay(target: &CStr, options: &CStr) -> io::Result<()> {
    failpoint::point()?;
    use rustix::fs::{Mode, OFlags, open};
    use rustix::mount::{MountFlags, mount};
    let before = open(c".", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::process::chdir(c"/proc/self/fd")?;
    let mounted = mount(c"overlay", target, c"overlay", MountFlags::empty(), Some(options));
    rustix::process::fchdir(before)?;
    Ok(mounted?)
}

/// Makes the directory `root` the root of this mount namespace, and detaches the old root. The working directory is the
/// new root afterwards. Source: pivot_root(2), "pivot_root(".", ".")".
#[cfg_attr(debug_assertions, track_caller)]
pub(crate) fn pivot(root: BorrowedFd<'_>) -> io::Result<()> {
    failpoint::point()?;
    rustix::process::fchdir(root)?;
    // SAFETY: both arguments are valid C strings.
    if unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    rustix::mount::unmount(c".", rustix::mount::UnmountFlags::DETACH)?;
    rustix::process::chdir(c"/")?;
    Ok(())
}
