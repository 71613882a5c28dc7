//! The directories of an overlay.

use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;

use crate::runtime;
use crate::sys::filesystem::spread_subdirectories;
use crate::sys::fs::{self, AtPath as _};
use crate::types::Report;

/// The parts of an overlay.
pub(super) fn make(directory: &Path) -> Result<(), Report> {
    fs::create_dir(directory)?;
    fs::create_dir(directory.join("upper"))?;
    finish(directory)
}

/// The same, for thousands of files: the upper directory is far on the disk from those whose files were just removed.
pub(super) fn make_far(directory: &Path) -> Result<(), Report> {
    fs::create_dir(directory)?;
    // The place depends on the name.
    let made = directory.join(format!("upper-{:016x}", RandomState::new().hash_one(0)));
    let spread = spread_subdirectories(fs::open_directory(directory)?.into());
    fs::create_dir(&made)?;
    drop(spread);
    fs::rename(&made, directory.join("upper"))?;
    finish(directory)
}

fn finish(directory: &Path) -> Result<(), Report> {
    for name in ["work", "merged"] {
        fs::create_dir(directory.join(name))?;
    }
    let (upper, fresh) = (directory.join("upper"), rustix::fs::Mode::from_raw_mode(runtime::FRESH));
    Ok(rustix::fs::chmod(&upper, fresh).at("mark as new", &upper)?)
}
