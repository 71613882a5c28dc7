//! The directories of an overlay.

use std::path::Path;

use crate::runtime;
use crate::sys::fs::{self, AtPath as _};
use crate::types::Report;

/// The parts of an overlay.
pub(super) fn make(directory: &Path) -> Result<(), Report> {
    fs::create_dir(directory)?;
    for name in ["upper", "work", "merged"] {
        fs::create_dir(directory.join(name))?;
    }
    let (upper, fresh) = (directory.join("upper"), rustix::fs::Mode::from_raw_mode(runtime::FRESH));
    Ok(rustix::fs::chmod(&upper, fresh).at("mark as new", &upper)?)
}
