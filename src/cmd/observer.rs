use std::ops::ControlFlow;

use crate::engine;
use crate::error::{Error, Exit};
use crate::image::progress::Progress;
use crate::types::Report;
use crate::ui::{self, BrokenOutput};

/// Shows on the screen how it goes: names of what was done on standard output, the rest on standard error.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// Nothing is said of a pull's progress.
    is_quiet: bool,
    /// Standard output takes no more.
    broken: Option<BrokenOutput>,
    /// The exit code of the last failure.
    failed: Option<u8>,
}

impl Screen {
    /// One that says nothing of a pull's progress if `is_quiet` (`--quiet`).
    pub(super) fn for_pull(is_quiet: bool) -> Self {
        Self { is_quiet, ..Self::default() }
    }

    /// How the command ends: as its last failure says, each of which was shown.
    pub(super) fn exit(self) -> Result<Exit, Error> {
        match (self.broken, self.failed) {
            (Some(broken), _) => Err(broken.into()),
            (None, Some(code)) => Err(Error::said(code)),
            (None, None) => Ok(Exit::SUCCESS),
        }
    }
}

impl engine::Observer for Screen {
    fn warning(&mut self, text: &str) {
        ui::warning(text);
    }

    fn pull_progress(&self) -> Box<dyn Progress> {
        ui::progress::for_pull(self.is_quiet)
    }

    fn done(&mut self, name: &str) -> ControlFlow<()> {
        let mut out = ui::out();
        match out.line(name).and_then(|()| out.finish()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(broken) => {
                self.broken = Some(broken);
                ControlFlow::Break(())
            }
        }
    }

    fn failed(&mut self, report: Report) {
        let error = Error::from(report);
        if let Some(message) = &error.message {
            ui::error(message, error.hint.as_deref());
        }
        self.failed = Some(error.code);
    }
}
