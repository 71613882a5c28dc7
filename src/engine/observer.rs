use std::ops::ControlFlow;

use crate::image::progress::{Progress, Silent};
use crate::types::Report;

/// Follows a use case that takes long, or works on several things. Each method does nothing unless a front end has
/// something to do.
pub(crate) trait Observer {
    /// Something is not quite as it was asked for, and the work goes on.
    fn warning(&mut self, _text: &str) {}

    /// Follows a pull. Called in the process that pulls, which may start threads.
    fn pull_progress(&self) -> Box<dyn Progress> {
        Box::new(Silent)
    }

    /// What was asked for was done to one thing, called as it was named. A break ends the work before the next one.
    fn done(&mut self, _name: &str) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// It could not be done to one thing; the others have their turn.
    fn failed(&mut self, _report: Report) {}
}

impl dyn Observer + '_ {
    /// Tells what became of one thing: nothing was to be done to it if the result is `false`.
    pub(super) fn item(&mut self, name: &str, result: Result<bool, Report>) -> ControlFlow<()> {
        match result {
            Ok(true) => self.done(name),
            Ok(false) => ControlFlow::Continue(()),
            Err(report) => {
                self.failed(report);
                ControlFlow::Continue(())
            }
        }
    }
}
