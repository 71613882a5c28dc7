//! `rc build --logfile`: what is shown goes to a file.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use crate::sys::fs::{AtPath as _, PathError};
use crate::sys::replacement::Output;

/// Standard error is a file until this is dropped.
#[derive(Debug)]
pub(super) struct Logged {
    own: OwnedFd,
}

impl Logged {
    /// Makes it so. A file of that name, or a link, is replaced by a new file.
    pub(super) fn to(path: &Path) -> Result<Self, PathError> {
        let own = std::io::stderr().as_fd().try_clone_to_owned().at("duplicate", "standard error")?;
        let file = Output::open(path, 0o666)?.put()?;
        rustix::stdio::dup2_stderr(&file).at("redirect", "standard error")?;
        Ok(Self { own })
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        // Without it, messages go on into the file.
        rustix::stdio::dup2_stderr(&self.own).unwrap_or_default();
    }
}
