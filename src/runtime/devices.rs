//! `/dev`: bind mounts of the host's harmless devices, and the links that programs expect.

use std::os::fd::AsFd as _;
use std::path::Path;

use oci_spec::runtime::Spec;
use rustix::fs::{Mode, OFlags};

use super::Failure;
use super::places::Places;
use super::sync::Step as _;
use crate::sys::{mount, root};

/// The links of runtime-spec config-linux.md, "Dev symbolic links".
const LINKS: [(&str, &str); 5] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
];

/// Creates the spec's devices and the links. A device node cannot be created in a user namespace (mknod(2), EPERM), so
/// the host's node is bind-mounted.
pub(super) fn make(spec: &Spec, places: &Places<'_>) -> Result<(), Failure> {
    for device in spec.linux().iter().flat_map(|linux| linux.devices().iter().flatten()) {
        let path = device.path();
        let host = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).step_on("open", path)?;
        let tree = mount::clone_tree(host.as_fd(), false).step_on("copy the mount of", path)?;
        let target = places.file(path)?;
        mount::attach(tree.as_fd(), target.as_fd()).step_on("mount", path)?;
    }
    let directory = root::find(places.root(), "/dev").step_on("open", "/dev")?;
    places.check(directory.as_fd(), Path::new("/dev"), "create links in")?;
    for (name, target) in LINKS {
        match rustix::fs::symlinkat(target, &directory, name) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error).step_on("create the link", name),
        }
    }
    Ok(())
}
