use crate::engine;
use crate::image::progress::Progress;
use crate::ui;

/// Shows on the screen how it goes.
#[derive(Debug, Default)]
pub(super) struct Screen {
    /// Nothing is said of a pull's progress (`--quiet`).
    pub(super) is_quiet: bool,
}

impl engine::Observer for Screen {
    fn warning(&mut self, text: &str) {
        ui::warning(text);
    }

    fn pull_progress(&self) -> Box<dyn Progress> {
        ui::progress::for_pull(self.is_quiet)
    }
}
