//! Shows a pull or a push on standard error: bars on a terminal that can move its cursor, one line for each step
//! elsewhere, and only warnings with `-q`.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::output::{Stream, is_screen};
use super::report::{note, warning};
use crate::image::progress::{Outcome, Progress};
use crate::types::{Digest, ImageReference};
use crate::view::human;

/// The kind of progress that fits standard error; none if `quiet`.
pub(crate) fn for_pull(quiet: bool) -> Box<dyn Progress> {
    shown(quiet, "Trying to pull")
}

/// The same for a push.
pub(crate) fn for_push(quiet: bool) -> Box<dyn Progress> {
    shown(quiet, "Pushing to")
}

fn shown(quiet: bool, verb: &'static str) -> Box<dyn Progress> {
    if quiet {
        Box::new(Quiet)
    } else if is_screen(Stream::Err) {
        Box::new(Bars { verb, ..Bars::default() })
    } else {
        Box::new(Lines { verb, print: note })
    }
}

/// Says only what a user must know: that the registry keeps rc waiting.
struct Quiet;

impl Progress for Quiet {
    fn start(&self, _: &ImageReference) {}

    fn begin(&self, _: &Digest, _: u64) {}

    fn advance(&self, _: &Digest, _: u64) {}

    fn finish(&self, _: &Digest, _: Outcome) {}

    fn waits(&self, text: &str) {
        warning(text);
    }
}

/// A line for the image, and one for each finished layer, so that the log of a build stays short.
struct Lines<F> {
    verb: &'static str,
    print: F,
}

impl<F: Fn(String) + Send + Sync> Progress for Lines<F> {
    fn start(&self, reference: &ImageReference) {
        (self.print)(format!("{} {reference}...", self.verb));
    }

    fn begin(&self, _: &Digest, _: u64) {}

    fn advance(&self, _: &Digest, _: u64) {}

    fn finish(&self, layer: &Digest, outcome: Outcome) {
        (self.print)(format!("Copying blob {} {}", layer.short(), word(outcome)));
    }

    fn waits(&self, text: &str) {
        warning(text);
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Fetched => "done",
        Outcome::Present => "skipped: already exists",
    }
}

/// A bar for each layer. If the pull fails, this is dropped and unfinished bars disappear.
#[derive(Default)]
struct Bars {
    verb: &'static str,
    all: MultiProgress,
    layers: RwLock<HashMap<Digest, ProgressBar>>,
}

impl Bars {
    fn bar(&self, layer: &Digest) -> Option<ProgressBar> {
        self.layers.read().unwrap_or_else(PoisonError::into_inner).get(layer).cloned()
    }

    fn bar_or_new(&self, layer: &Digest, size: u64) -> ProgressBar {
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        let bar = layers.entry(layer.clone()).or_insert_with(|| {
            let bar = self.all.add(ProgressBar::new(size));
            bar.set_prefix(format!("Copying blob {}", layer.short()));
            bar
        });
        bar.clone()
    }
}

/// The style of a template, which is always one of ours; if indicatif ever rejects it, its default style.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

impl Progress for Bars {
    fn start(&self, reference: &ImageReference) {
        // A terminal that hangs up does not stop the pull.
        self.all.println(format!("{} {reference}...", self.verb)).unwrap_or_default();
    }

    fn begin(&self, layer: &Digest, size: u64) {
        let bar = self.bar_or_new(layer, size);
        bar.set_length(size);
        bar.set_position(0);
        bar.set_style(style("{prefix} [{wide_bar}] {decimal_bytes} / {decimal_total_bytes} {eta:>4}"));
    }

    fn advance(&self, layer: &Digest, bytes: u64) {
        if let Some(bar) = self.bar(layer) {
            bar.inc(bytes);
        }
    }

    fn finish(&self, layer: &Digest, outcome: Outcome) {
        let bar = self.bar_or_new(layer, 0);
        bar.set_style(style("{prefix} {msg}"));
        let size = bar.length().filter(|size| *size > 0).map(|size| format!(" {}", human::size(size)));
        bar.finish_with_message(format!("{}{}", word(outcome), size.unwrap_or_default()));
    }

    fn waits(&self, text: &str) {
        self.all.suspend(|| warning(text));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn without_a_terminal_each_step_is_a_line() -> anyhow::Result<()> {
        let seen = Mutex::new(Vec::new());
        let print = |line| seen.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        let lines = Lines { verb: "Trying to pull", print };
        let layer = |byte| Digest::sha256([byte; 32]);
        lines.start(&"busybox".parse()?);
        lines.begin(&layer(1), 10);
        lines.advance(&layer(1), 10);
        lines.finish(&layer(1), Outcome::Fetched);
        lines.finish(&layer(2), Outcome::Present);
        assert_eq!(
            *seen.lock().unwrap_or_else(PoisonError::into_inner),
            [
                "Trying to pull docker.io/library/busybox:latest...",
                "Copying blob 010101010101 done",
                "Copying blob 020202020202 skipped: already exists"
            ]
        );
        Ok(())
    }

    #[test]
    fn bars_take_what_comes_in_any_order_from_any_thread() {
        let bars =
            Bars { all: MultiProgress::with_draw_target(indicatif::ProgressDrawTarget::hidden()), ..Bars::default() };
        let layer = |byte| Digest::sha256([byte; 32]);
        bars.advance(&layer(9), 1);
        std::thread::scope(|scope| {
            for byte in 0..4 {
                let bars = &bars;
                scope.spawn(move || {
                    bars.begin(&layer(byte), 100);
                    bars.advance(&layer(byte), 60);
                    bars.advance(&layer(byte), 40);
                    bars.finish(&layer(byte), Outcome::Fetched);
                });
            }
        });
        bars.finish(&layer(5), Outcome::Present);
        let finished = (0..6).filter_map(|byte| bars.bar(&layer(byte))).filter(ProgressBar::is_finished).count();
        assert_eq!(finished, 5);
    }
}
