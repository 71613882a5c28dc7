//! The host's symbolic links, which the container gets as links (crun's `copy-symlink`).

use std::path::Path;

use oci_spec::runtime::Mount;
use rustix::fs::{readlinkat, symlinkat};
use rustix::io::Errno;

use crate::runtime::Failure;
use crate::runtime::places::Places;
use crate::runtime::sync::Step as _;
use crate::sys::fs;
use crate::types::ReportKind;

/// Whether the mount's source is copied if it is a link.
pub(super) fn is_copied(mount: &Mount) -> bool {
    mount.options().iter().flatten().any(|option| option == "copy-symlink")
}

/// Makes a link like the source at the mount's destination. Returns false if the source is no link.
///
/// Fails if something else is there.
pub(super) fn copy(mount: &Mount, places: &Places<'_>) -> Result<bool, Failure> {
    let destination = mount.destination();
    let Some(target) = mount.source().as_ref().and_then(|source| fs::read_link(source).ok()) else { return Ok(false) };
    let (Some(parent), Some(name)) = (destination.parent(), destination.file_name()) else { return Ok(false) };
    let parent = places.make_directories(parent, "create the directory of the link")?;
    places.check(std::os::fd::AsFd::as_fd(&parent), parent_of(destination), "create a link in")?;
    match symlinkat(&target, &parent, name) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) if is_like(&parent, name, &target) => Ok(true),
        Err(Errno::EXIST) => {
            let shown = destination.display().to_string();
            let message = format!("cannot copy a link to `{}`: something is there", shown.escape_debug());
            Err(Failure::reason(ReportKind::Invalid, message))
        }
        Err(error) => Err(error).step_on("create the link", destination),
    }
}

fn parent_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn is_like(parent: &std::os::fd::OwnedFd, name: &std::ffi::OsStr, target: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    readlinkat(parent, name, Vec::new()).is_ok_and(|found| found.as_bytes() == target.as_os_str().as_bytes())
}
