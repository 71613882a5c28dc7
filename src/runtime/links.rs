//! Symbolic links in the container's root, which devices need.

use std::os::fd::AsFd as _;
use std::path::Path;

use rustix::fs::{AtFlags, symlinkat, unlinkat};
use rustix::io::Errno;

use super::Failure;
use super::places::Places;
use super::sync::Step as _;
use crate::types::Link;

/// Makes links. One that is there is replaced; anything else stays, because it is the image's.
pub(super) fn make(links: &[Link], places: &Places<'_>) -> Result<(), Failure> {
    for link in links {
        let path = Path::new(&link.path);
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { continue };
        let directory = places.make_directories(above, "create the directory of the link")?;
        places.check(directory.as_fd(), above, "create a link in")?;
        let make = || symlinkat(&link.target, &directory, name);
        let made = match make() {
            Err(Errno::EXIST) if is_link(&directory, name) => {
                unlinkat(&directory, name, AtFlags::empty()).step_on("replace the link", path)?;
                make()
            }
            other => other,
        };
        match made {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).step_on("create the link", path),
        }
    }
    Ok(())
}

fn is_link(directory: &std::os::fd::OwnedFd, name: &std::ffi::OsStr) -> bool {
    rustix::fs::readlinkat(directory, name, Vec::new()).is_ok()
}
