use crate::image::progress::{Progress, Silent};

/// Follows a use case that takes long. Each method does nothing unless a front end has something to do.
pub(crate) trait Observer {
    /// Something is not quite as it was asked for, and the work goes on.
    fn warning(&mut self, _text: &str) {}

    /// Follows a pull. Called in the process that pulls, which may start threads.
    fn pull_progress(&self) -> Box<dyn Progress> {
        Box::new(Silent)
    }
}
