//! Shows a build on standard error. What programs and Dockerfiles say is foreign text, and escaped.
//!
//! ```text
//! screen ─┬─ terminal   buildx's display: a header, the steps with their times, the last lines of what runs
//!         ├─ plain      buildx's lines: `#N [stage n/m] …`, `#N 0.123 line`, `#N CACHED`, `#N DONE 1.2s`
//!         ├─ raw        BuildKit's status, a JSON object a line, which buildx's tools read
//!         └─ quiet      nothing, except the last lines of a step that fails
//! ```

mod plain;
mod raw;
mod step;
mod terminal;

use std::collections::BTreeMap;

use self::plain::Plain;
use self::raw::Raw;
use self::step::Step;
pub(crate) use self::step::StepLabel;
use self::terminal::Terminal;
use super::output::{Stream, err, is_screen};

/// How a build is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Style {
    /// By a display that moves if standard error is a terminal, else by plain lines.
    #[default]
    Auto,
    /// By a display that moves.
    Terminal,
    /// By plain lines.
    Plain,
    /// As JSON.
    Raw,
    /// Not at all, except the last lines of a step that fails.
    Quiet,
}

impl Style {
    /// What fits standard error, in place of [`Style::Auto`].
    pub(crate) fn settled(self) -> Self {
        match self {
            Self::Auto if is_screen(Stream::Err) => Self::Terminal,
            Self::Auto => Self::Plain,
            other => other,
        }
    }
}

/// What one style makes of the steps.
trait Display {
    /// A step begins.
    fn begin(&mut self, _step: &Step) {}
    /// Something about it, such as why it is not in the cache.
    fn note(&mut self, _step: &Step, _text: &str) {}
    /// Its program has written a line.
    fn line(&mut self, _step: &Step, _is_error: bool, _text: &str) {}
    /// It has ended well.
    fn end(&mut self, _step: &Step, _is_cached: bool) {}
    /// It has failed, if there is a `message`, or was given up since another has.
    fn fail(&mut self, _step: &Step, _message: Option<&str>) {}
    /// A moment has passed.
    fn tick(&mut self) {}
    /// Nothing follows.
    fn finish(&mut self) {}
}

/// Shows nothing.
struct Quiet;

impl Display for Quiet {}

/// The display of a build.
pub(crate) struct BuildScreen {
    style: Style,
    display: Box<dyn Display>,
    /// How many steps have begun.
    count: usize,
    /// The step of each stage.
    steps: BTreeMap<usize, Step>,
}

impl BuildScreen {
    /// A display in this style.
    pub(crate) fn new(style: Style) -> Self {
        let style = style.settled();
        let display: Box<dyn Display> = match style {
            Style::Terminal => Box::new(Terminal::new()),
            Style::Raw => Box::new(Raw::new()),
            Style::Plain | Style::Auto => Box::new(Plain::default()),
            Style::Quiet => Box::new(Quiet),
        };
        Self { style, display, count: 0, steps: BTreeMap::new() }
    }

    /// A step of the stage `index` begins.
    pub(crate) fn begin(&mut self, index: usize, label: StepLabel<'_>) {
        self.count += 1;
        let step = Step::new(self.count, index, label);
        self.display.begin(&step);
        self.steps.insert(index, step);
    }

    /// Something about the step of a stage.
    pub(crate) fn note(&mut self, index: usize, text: &str) {
        if let Some(step) = self.steps.get(&index) {
            self.display.note(step, text);
        }
    }

    /// The program of a step has written bytes, to standard error if `is_error`.
    pub(crate) fn output(&mut self, index: usize, is_error: bool, bytes: &[u8]) {
        let Some(step) = self.steps.get_mut(&index) else { return };
        for line in step.lines(is_error, bytes) {
            self.display.line(step, is_error, &line);
        }
    }

    /// The step of a stage has ended well: its result was `cached`, or it was done.
    pub(crate) fn end(&mut self, index: usize, cached: bool) {
        let Some(mut step) = self.steps.remove(&index) else { return };
        self.flush(&mut step);
        self.display.end(&step, cached);
    }

    /// A moment has passed.
    pub(crate) fn tick(&mut self) {
        self.display.tick();
    }

    /// The build has failed: shows the last lines of the step that has, or of all that have begun if it is not known.
    pub(crate) fn fail(&mut self, failed: Option<StepLabel<'_>>, message: &str) {
        let mut shown = Vec::new();
        for (_, mut step) in std::mem::take(&mut self.steps) {
            self.flush(&mut step);
            let has_failed = failed.as_ref().is_none_or(|label| step.is(label));
            self.display.fail(&step, has_failed.then_some(message));
            if has_failed {
                shown.push(step);
            }
        }
        self.display.finish();
        if self.style == Style::Raw {
            return;
        }
        for step in shown.iter().filter(|step| step.has_lines()) {
            say(&format!(" > {}:\n", step.title()));
            step.tail().for_each(|line| say(&format!("{line}\n")));
        }
    }

    /// The build has ended well.
    pub(crate) fn finish(&mut self) {
        self.display.finish();
    }

    fn flush(&mut self, step: &mut Step) {
        for (is_error, line) in step.rest() {
            self.display.line(step, is_error, &line);
        }
    }
}

/// Writes lines of text, in one write. A broken standard error does not stop the build.
fn say(text: &str) {
    let mut err = err();
    let said = text.lines().try_for_each(|line| err.line(line));
    said.and_then(|()| err.finish()).unwrap_or_default();
}
