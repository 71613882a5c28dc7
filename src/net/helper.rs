//! The program that does a driver's work, as a child of the monitor.

use std::ffi::CString;
use std::os::fd::OwnedFd;

use crate::sys::spawn::Helper;

/// A started helper, with the descriptors that control it.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) helper: Helper,
    /// Becomes readable when the interface is configured; at end of file if the helper gives up.
    pub(super) ready: OwnedFd,
    /// Stays open: the helper ends when it is closed.
    pub(super) _exit: Option<OwnedFd>,
}

/// An argument or a path for a helper.
pub(super) fn text(argument: impl Into<Vec<u8>>) -> CString {
    // Paths of existing files and numbers contain no NUL; a path with one would name no file.
    CString::new(argument).unwrap_or_default()
}
