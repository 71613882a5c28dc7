//! `rc build --logfile`: what is shown goes to a file.

use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

use crate::sys::fs::{AtPath as _, PathError};

/// Standard error is a file until this is dropped.
#[derive(Debug)]
pub(super) struct Logged {
    own: OwnedFd,
}

impl Logged {
    /// Makes it so; what is in the file goes.
    pub(super) fn to(path: &Path) -> Result<Self, PathError> {
        let own = std::io::stderr().as_fd().try_clone_to_owned().at("duplicate", "standard error")?;
        let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::TRUNC | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::from_raw_mode(0o666)).at("create", path)?;
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
