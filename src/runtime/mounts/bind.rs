//! The host's files that a mount shows.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use oci_spec::runtime::Mount;
use rustix::fs::{Mode, OFlags};

use super::missing;
use crate::runtime::Failure;
use crate::runtime::sync::Step as _;
use crate::sys::root::open_in;
use crate::sys::{fs, mount};
use crate::types::ReportKind;

/// Whether the mount shows files of the host.
pub(in crate::runtime) fn is_bind(mount: &Mount) -> bool {
    matches!(mount.typ().as_deref().unwrap_or("none"), "bind" | "none")
}

/// Whether it shows the mounts below as well.
pub(in crate::runtime) fn is_recursive(mount: &Mount) -> bool {
    mount.options().iter().flatten().any(|option| option == "rbind")
}

/// The path below the source that the mount shows, if it is not all of it.
pub(in crate::runtime) fn subpath(mount: &Mount) -> Option<&str> {
    mount.options().iter().flatten().find_map(|option| option.strip_prefix("subpath="))
}

/// A copy of the mount at the host's `source`, or at a path below it, attached nowhere. What is below may be a
/// container's own, and lead anywhere: no path leaves the source.
pub(in crate::runtime) fn copy_of(
    source: &Path,
    destination: &Path,
    recursive: bool,
    subpath: Option<&str>,
) -> Result<OwnedFd, Failure> {
    let action = format!("bind `{}` on", source.display().to_string().escape_debug());
    let found = rustix::fs::open(source, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(|error| {
        let mut failure = Failure::setup(&action, destination, &error.into());
        failure.report.kind = ReportKind::of_file(&error.into());
        if error != rustix::io::Errno::NOENT {
            return failure;
        }
        let link = fs::read_link(source).ok();
        match missing::hint(source, destination, link.as_deref()) {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    })?;
    let found = match subpath {
        Some(path) => open_in(found.as_fd(), path, OFlags::PATH, Mode::empty())
            .step_on(&format!("find the path `{}` below the source of", path.escape_debug()), destination)?,
        None => found,
    };
    copy(found.as_fd(), recursive).step_on(&action, destination)
}

/// A copy of the mount at `found`, attached nowhere. A mount that hides files may only be copied together with the
/// mounts that hide them (mount_namespaces(7)).
pub(in crate::runtime) fn copy(found: BorrowedFd<'_>, recursive: bool) -> io::Result<OwnedFd> {
    match mount::clone_tree(found, recursive) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) && !recursive => mount::clone_tree(found, true),
        other => other,
    }
}
