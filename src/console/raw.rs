//! Our own terminal in raw mode.

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::sys::process;

/// Our own terminal in raw mode. Dropping this restores it.
pub(super) struct Raw(Termios);

impl Raw {
    /// Makes it raw; `None` if our standard input is not a terminal.
    pub(super) fn begin() -> Option<Self> {
        let stdin = process::standard(0)?;
        let before = tcgetattr(stdin).ok()?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin, OptionalActions::Now, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Some(stdin) = process::standard(0) {
            // If it fails, the terminal was closed.
            tcsetattr(stdin, OptionalActions::Now, &self.0).ok();
        }
    }
}
