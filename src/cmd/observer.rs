use std::ops::ControlFlow;

use crate::engine;
use crate::error::{Error, Exit};
use crate::image::progress::Progress;
use crate::types::{Report, ReportKind};
use crate::ui::{self, BrokenOutput};

/// Prints the progress of a command: the names of finished objects to standard output, the rest to standard error.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// Does not print the progress of a pull.
    is_quiet: bool,
    /// Standard output cannot be written to any more.
    broken: Option<BrokenOutput>,
    /// What has failed.
    failed: Vec<ReportKind>,
}

impl Screen {
    /// With `is_quiet` (`--quiet`), does not print the progress of a pull.
    pub(super) fn for_pull(is_quiet: bool) -> Self {
        Self { is_quiet, ..Self::default() }
    }

    /// Prints the result for one object, or its failure.
    pub(super) fn result(&mut self, result: Result<impl ToString, Report>) -> ControlFlow<()> {
        match result {
            Ok(value) => engine::Observer::done(self, &value.to_string()),
            Err(report) => {
                engine::Observer::failed(self, report);
                ControlFlow::Continue(())
            }
        }
    }

    /// How the command exits: with the code of its worst failure. All failures are printed already.
    pub(super) fn exit(self) -> Result<Exit, Error> {
        match self.broken {
            Some(broken) => Err(broken.into()),
            None if self.failed.is_empty() => Ok(Exit::SUCCESS),
            None => Err(Error::said(self.failed)),
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

    fn push_progress(&self) -> Box<dyn Progress> {
        ui::progress::for_push(self.is_quiet)
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
        self.failed.push(report.kind);
        let error = Error::from(report);
        if let Some(message) = &error.message {
            ui::error(message, error.hint.as_deref(), error.kind());
        }
    }
}
