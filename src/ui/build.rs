//! Shows a build on standard error: a line that moves on a terminal that can move its cursor, and lines as BuildKit's
//! `--progress plain` elsewhere. The output of programs is escaped: a Dockerfile is foreign text.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::escape;
use super::output::{Stream, err, is_screen};

/// How many of the last lines of a step that fails are shown again.
const TAIL: usize = 30;

/// How many bytes of a line are kept: a program may write a gigabyte without a newline.
const LONGEST: usize = 4 << 10;

/// How a build is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Style {
    /// By a line that moves if standard error is a terminal, else by plain lines.
    #[default]
    Auto,
    /// By a line that moves.
    Terminal,
    /// By plain lines.
    Plain,
    /// Not at all, except the last lines of a step that fails.
    Quiet,
}

/// The display of a build.
pub(crate) struct BuildScreen {
    style: Style,
    /// How many steps have begun.
    count: usize,
    /// The step of each stage.
    steps: BTreeMap<usize, Shown>,
    bars: MultiProgress,
}

/// A step.
struct Shown {
    number: usize,
    began: Instant,
    title: String,
    /// A line of the program's that is not complete, for each stream.
    partial: [Vec<u8>; 2],
    tail: VecDeque<String>,
    bar: Option<ProgressBar>,
}

impl BuildScreen {
    /// A display in this style.
    pub(crate) fn new(style: Style) -> Self {
        let style = match style {
            Style::Auto if is_screen(Stream::Err) => Style::Terminal,
            Style::Auto => Style::Plain,
            other => other,
        };
        Self { style, count: 0, steps: BTreeMap::new(), bars: MultiProgress::new() }
    }

    /// A step of the stage `index` begins.
    pub(crate) fn begin(&mut self, index: usize, stage: &str, number: usize, of: usize, text: &str) {
        self.count += 1;
        let title = format!("[{stage} {number}/{of}] {}", text.lines().next().unwrap_or_default());
        let (partial, tail) = ([Vec::new(), Vec::new()], VecDeque::new());
        let mut shown = Shown { number: self.count, began: Instant::now(), title, partial, tail, bar: None };
        match self.style {
            Style::Plain => say(&format!("#{} {}", shown.number, shown.title)),
            Style::Terminal => {
                let bar = self.bars.add(ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template(" => {prefix} {elapsed:>4}\n    {wide_msg:.dim}") {
                    bar.set_style(style);
                }
                bar.set_prefix(escape::line(&shown.title).into_owned());
                bar.tick();
                shown.bar = Some(bar);
            }
            _ => {}
        }
        self.steps.insert(index, shown);
    }

    /// The program of a step has written bytes, to standard error if `is_error`.
    pub(crate) fn output(&mut self, index: usize, is_error: bool, bytes: &[u8]) {
        let Some(shown) = self.steps.get_mut(&index) else { return };
        let mut partial = std::mem::take(&mut shown.partial[usize::from(is_error)]);
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            keep(&mut partial, &rest[..end]);
            shown.line(&partial, self.style);
            partial.clear();
            rest = &rest[end + 1..];
        }
        keep(&mut partial, rest);
        shown.partial[usize::from(is_error)] = partial;
    }

    /// The step of a stage has ended well: its result was `cached`, or it was done.
    pub(crate) fn end(&mut self, index: usize, cached: bool) {
        let Some(mut shown) = self.steps.remove(&index) else { return };
        shown.flush(self.style);
        let took = seconds(shown.began.elapsed());
        match self.style {
            Style::Plain if cached => say(&format!("#{} CACHED\n", shown.number)),
            Style::Plain => say(&format!("#{} DONE {took}s\n", shown.number)),
            Style::Terminal => {
                shown.clear();
                let mark = if cached { "CACHED " } else { "" };
                let line = format!(" => {mark}{} {took}s", shown.title);
                // A broken standard error does not stop the build.
                self.bars.println(escape::line(&line)).unwrap_or_default();
            }
            _ => {}
        }
    }

    /// The build has failed, at one of the steps that have begun: shows the last lines of each where they were not
    /// shown.
    pub(crate) fn fail(&mut self) {
        for (_, mut shown) in std::mem::take(&mut self.steps) {
            shown.flush(self.style);
            shown.clear();
            if self.style == Style::Plain {
                say(&format!("#{} ERROR\n", shown.number));
            } else {
                say(&format!(" > {}:", shown.title));
                shown.tail.iter().for_each(|line| say(line));
            }
        }
    }
}

impl Shown {
    fn line(&mut self, bytes: &[u8], style: Style) {
        let text = String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes)).into_owned();
        let shown = format!("{} {text}", seconds(self.began.elapsed()));
        match (&self.bar, style) {
            (_, Style::Plain) => say(&format!("#{} {shown}", self.number)),
            (Some(bar), _) => bar.set_message(escape::line(&text).into_owned()),
            _ => {}
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail.push_back(shown);
    }

    /// What the program has written after its last newline.
    fn flush(&mut self, style: Style) {
        for partial in std::mem::take(&mut self.partial) {
            if !partial.is_empty() {
                self.line(&partial, style);
            }
        }
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// A broken standard error does not stop the build.
fn say(text: &str) {
    let mut err = err();
    let said = text.lines().try_for_each(|line| err.line(line)).and_then(|()| match text.ends_with('\n') {
        true => err.raw(b"\n"),
        false => Ok(()),
    });
    said.and_then(|()| err.finish()).unwrap_or_default();
}

impl Drop for BuildScreen {
    fn drop(&mut self) {
        self.steps.values_mut().for_each(Shown::clear);
    }
}

/// Adds to a line, as far as it is kept.
fn keep(line: &mut Vec<u8>, bytes: &[u8]) {
    let room = LONGEST.saturating_sub(line.len());
    line.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

fn seconds(time: Duration) -> String {
    format!("{}.{}", time.as_secs(), time.subsec_millis() / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_and_the_last_ones_are_kept() {
        let mut screen = BuildScreen::new(Style::Quiet);
        screen.begin(3, "0", 1, 2, "RUN x");
        screen.output(3, false, b"one\ntw");
        screen.output(3, true, b"other\r\n");
        screen.output(3, false, b"o\n");
        let kept = |screen: &BuildScreen| -> Vec<String> {
            let lines = screen.steps[&3].tail.iter();
            lines.filter_map(|line| Some(line.split_once(' ')?.1.to_owned())).collect()
        };
        assert_eq!(kept(&screen), ["one", "other", "two"]);
        for number in 0..40 {
            screen.output(3, false, format!("line {number}\n").as_bytes());
        }
        screen.output(3, false, &vec![b'x'; 1 << 20]);
        screen.steps.get_mut(&3).expect("a step").flush(Style::Quiet);
        let lines = kept(&screen);
        assert_eq!((lines.len(), lines[0].as_str(), lines[28].as_str()), (TAIL, "line 11", "line 39"));
        assert_eq!(lines[29].len(), LONGEST);
        // A stage that has no step has no output.
        screen.output(4, false, b"x\n");
        screen.end(3, false);
        assert!(screen.steps.is_empty());
    }
}
