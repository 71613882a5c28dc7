//! Our own terminal in raw mode.

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::sys::process;

/// Our own terminal in raw mode; dropped, it is as it was.
pub(super) struct Raw(Termios);

impl Raw {
    /// Makes it raw; `None` if our standard input is no terminal.
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
            // A terminal that has gone needs nothing back.
            tcsetattr(stdin, OptionalActions::Now, &self.0).ok();
        }
    }
}
