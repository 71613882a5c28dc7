//! The attributes of a container's root directory: overlay shows those of the writable layer, so that gets the image's.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, OFlags, Timespec, Timestamps, Uid, chmod, chown, futimens, open};
use rustix::io::Errno;

use super::sync::Step as _;
use super::{Failure, xattrs};
use crate::sys::fs;

/// The mode of a writable layer that was never mounted. No program gives it to its root directory.
pub(crate) const FRESH: u32 = 0o1700;

/// Mode and owner without an entry for the root directory in any layer.
const USUAL: u32 = 0o755;

/// The topmost layer that has an entry for its root directory, with its attributes.
fn described(lowers: &[PathBuf]) -> Option<(&PathBuf, std::fs::Metadata)> {
    lowers.iter().rev().find_map(|layer| {
        let found = fs::metadata(layer).ok()?;
        // Layers that an older rc has unpacked do not have the mark.
        let is_marked = || fs::symlink_metadata(layer.with_file_name("root")).is_ok();
        (found.mode() & 0o7777 != USUAL || is_marked()).then_some((layer, found))
    })
}

/// Whether a writable layer has another mode or owner of its root directory than the layers below it.
pub(crate) fn describes_root(lowers: &[PathBuf], upper: &Path) -> Result<bool, Failure> {
    let own = fs::metadata(upper).map_err(Failure::of)?;
    if own.mode() & 0o7777 == FRESH {
        // It was never mounted.
        return Ok(false);
    }
    let below = described(lowers).map_or((USUAL, 0, 0), |(_, it)| (it.mode() & 0o7777, it.uid(), it.gid()));
    Ok((own.mode() & 0o7777, own.uid(), own.gid()) != below)
}

/// Sets mode, owner, time and extended attributes of a fresh writable layer: those of the topmost layer that has an
/// entry for its root directory. Later it belongs to the container. This process must be root in the root namespace, or
/// own everything.
pub(crate) fn adopt(lowers: &[PathBuf], upper: &Path) -> Result<(), Failure> {
    let own = fs::metadata(upper).map_err(Failure::of)?;
    if own.mode() & 0o7777 != FRESH {
        return Ok(());
    }
    let topmost = lowers.last().and_then(|layer| fs::metadata(layer).ok()).map(|found| (found.uid(), found.gid()));
    let described = described(lowers);
    let mode = described.as_ref().map_or(USUAL, |(_, found)| found.mode() & 0o7777);
    // Without a description it belongs to root, who is not the user if the container has ID maps of its own.
    let owner = described.as_ref().map(|(_, found)| (found.uid(), found.gid())).or(topmost);
    if let Some((uid, gid)) = owner.filter(|owner| *owner != (own.uid(), own.gid())) {
        chown(upper, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))).step_on("set the owner of", upper)?;
    }
    if let Some((layer, found)) = described {
        copy_rest(layer, (found.mtime(), found.mtime_nsec()), upper)?;
    }
    // Last, since it removes the mark; chown(2) removes bits of the mode.
    chmod(upper, Mode::from_raw_mode(mode)).step_on("set the mode of", upper)
}

/// Copies the extended attributes and the time.
fn copy_rest(layer: &Path, (seconds, nanoseconds): (i64, i64), upper: &Path) -> Result<(), Failure> {
    let directory = |path: &Path| open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty());
    let to = directory(upper).step_on("open", upper)?;
    match directory(layer) {
        Ok(from) => xattrs::copy(&from, &to).step_on("set the extended attributes of", upper)?,
        // With one ID, a layer whose root has no mode bits is closed to its owner, too.
        Err(Errno::ACCESS) => {}
        Err(error) => return Err(error).step_on("open", layer),
    }
    let time = Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    futimens(&to, &Timestamps { last_access: time, last_modification: time }).step_on("set the time of", upper)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_topmost_layer_with_an_entry_decides_once() {
        let root = tempfile::tempdir().expect("a directory");
        let make = |name: &str, mode: u32, mark: bool| {
            let layer = root.path().join(name).join("fs");
            fs::create_dir_all(&layer).expect("a layer");
            chmod(&layer, Mode::from_raw_mode(mode)).expect("a mode");
            if mark {
                fs::write(layer.with_file_name("root"), "").expect("a mark");
            }
            layer
        };
        let (plain, closed) = (make("plain", 0o755, false), make("closed", 0o555, true));
        let (open, old) = (make("open", 0o755, true), make("old", 0o1777, false));
        for (lowers, expected) in [
            (vec![&plain], 0o755),
            (vec![&closed], 0o555),
            (vec![&closed, &plain], 0o555),
            (vec![&closed, &open, &plain], 0o755),
            (vec![&closed, &old], 0o1777),
        ] {
            let lowers: Vec<PathBuf> = lowers.into_iter().cloned().collect();
            let upper = make("upper", FRESH, false);
            let mode = || fs::metadata(&upper).expect("it is there").mode() & 0o7777;
            adopt(&lowers, &upper).expect("adopted");
            assert_eq!(mode(), expected, "{lowers:?}");
            // What the container's programs set stays.
            chmod(&upper, Mode::from_raw_mode(0o700)).expect("a mode");
            adopt(&lowers, &upper).expect("nothing to do");
            assert_eq!(mode(), 0o700);
        }
    }
}
