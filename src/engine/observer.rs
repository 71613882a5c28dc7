use std::ops::ControlFlow;

use crate::image::progress::{Progress, Silent};
use crate::types::Report;

/// Follows a use case that takes long or acts on several objects. By default each method does nothing.
pub(crate) trait Observer {
    /// A part of the request has no effect; the use case continues.
    fn warning(&mut self, _text: &str) {}

    /// Follows a pull. rc calls this in the process that pulls, which may start threads.
    fn pull_progress(&self) -> Box<dyn Progress> {
        Box::new(Silent)
    }

    /// Follows a push, as [`Observer::pull_progress`] a pull.
    fn push_progress(&self) -> Box<dyn Progress> {
        Box::new(Silent)
    }

    /// An object is done; `name` is as the request has it. A break ends the use case: it does not wait for the objects
    /// on which work has begun, and begins with no other.
    fn done(&mut self, _name: &str) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// An object failed; the use case continues with the others.
    fn failed(&mut self, _report: Report) {}
}

impl dyn Observer + '_ {
    /// Reports the result for one object; `false` means that there was nothing to do.
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
