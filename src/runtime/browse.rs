//! Files for the user to look at, in this process' own mount namespace (`rc mount`).

use std::path::{Path, PathBuf};

use super::{Failure, rootfs};

/// Mounts layers read-only on `target`, lowest first. The empty directory goes on top, since overlay wants two.
///
/// The process must be root in the root namespace, and in a mount namespace of it.
pub(crate) fn browse(layers: &[PathBuf], empty: &Path, target: &Path) -> Result<(), Failure> {
    let mut all = layers.to_vec();
    all.push(empty.to_owned());
    rootfs::read_only(&all, target)
}
