//! A build on a terminal, as buildx shows it: at most ten frames a second, each in one write.
//!
//! ```text
//! [+] Building 2.1s (3/8)
//!  => CACHED [build 1/5] WORKDIR /x                                  0.0s
//!  => [build 2/5] RUN make                                           1.9s
//!  => => not cached: RUN make → RUN make all
//!  => => # cc -c x.c
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::Display;
use super::step::{Step, seconds};
use crate::ui::escape;
use crate::ui::output::err;

/// The time between frames.
const FRAME: Duration = Duration::from_millis(100);

/// How many of its last lines a running step shows.
const SHOWN: usize = 6;

/// The size of a terminal that does not tell.
const USUAL: (usize, usize) = (24, 80);

/// Escape sequences: dim, and as usual.
const DIM: &str = "\x1b[2m";
const USUAL_TEXT: &str = "\x1b[0m";

/// A frame that is drawn over the last one.
pub(super) struct Terminal {
    began: Instant,
    /// The last frame: when it was drawn, and how many lines it has.
    drawn: Option<Instant>,
    height: usize,
    /// How many steps each stage has.
    of: BTreeMap<usize, usize>,
    /// Steps, by their numbers.
    entries: BTreeMap<usize, Entry>,
    is_over: bool,
}

/// A step as it is shown.
struct Entry {
    title: String,
    began: Instant,
    /// How long it took, if it has ended, and the word for how.
    ended: Option<(Duration, &'static str)>,
    notes: Vec<String>,
    lines: Vec<String>,
}

impl Terminal {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            drawn: None,
            height: 0,
            of: BTreeMap::new(),
            entries: BTreeMap::new(),
            is_over: false,
        }
    }

    /// Draws a frame, unless the last one is new.
    fn draw(&mut self) {
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < FRAME) {
            return;
        }
        self.drawn = Some(Instant::now());
        let size = rustix::termios::tcgetwinsize(rustix::stdio::stderr()).ok();
        let size = size.map(|size| (usize::from(size.ws_row), usize::from(size.ws_col)));
        let (rows, columns) = size.filter(|(rows, columns)| *rows > 2 && *columns > 20).unwrap_or(USUAL);
        let rows = if self.is_over { usize::MAX } else { rows - 1 };
        let frame = self.frame(rows, columns);
        let mut text = String::new();
        if self.height > 0 {
            // Up to the first line of the last frame, and clear what is below.
            write!(text, "\x1b[{}A\r\x1b[J", self.height).unwrap_or_default();
        }
        for line in &frame {
            text.push_str(line);
            text.push('\n');
        }
        self.height = frame.len();
        let mut err = err();
        // A broken standard error does not stop the build.
        err.raw(text.as_bytes()).and_then(|()| err.finish()).unwrap_or_default();
    }

    /// The lines of a frame, at most `rows`: of what is over the oldest is left out first.
    fn frame(&self, rows: usize, columns: usize) -> Vec<String> {
        let over = self.entries.values().filter(|entry| entry.ended.is_some()).count();
        let all = self.of.values().sum::<usize>().max(self.entries.len());
        let mark = if self.is_over { " FINISHED" } else { "" };
        let header = format!("[+] Building {} ({over}/{all}){mark}", seconds(self.began.elapsed()));
        let (mut done, mut running) = (Vec::new(), Vec::new());
        for entry in self.entries.values() {
            entry.add_to(if entry.ended.is_some() { &mut done } else { &mut running }, columns);
        }
        running.truncate(rows.saturating_sub(1));
        let room = rows.saturating_sub(1 + running.len());
        let first = done.len().saturating_sub(room);
        let mut lines = vec![cut(&header, columns)];
        lines.extend(done.into_iter().skip(first));
        lines.extend(running);
        lines
    }

    fn entry(&mut self, step: &Step) -> Option<&mut Entry> {
        self.entries.get_mut(&step.id)
    }

    fn end_with(&mut self, step: &Step, word: &'static str) {
        let took = step.elapsed();
        if let Some(entry) = self.entry(step) {
            entry.ended = Some((took, word));
            entry.lines.clear();
        }
        self.draw();
    }
}

impl Entry {
    fn add_to(&self, lines: &mut Vec<String>, columns: usize) {
        let (took, word) = self.ended.unwrap_or((self.began.elapsed(), ""));
        let time = seconds(took);
        let title = cut(&format!(" => {word}{}", self.title), columns.saturating_sub(time.len() + 1));
        let gap = columns.saturating_sub(title.chars().count() + time.len());
        lines.push(format!("{title}{}{time}", " ".repeat(gap)));
        let dim = |text: &str| format!("{DIM}{}{USUAL_TEXT}", cut(text, columns));
        lines.extend(self.notes.iter().map(|note| dim(&format!(" => => {note}"))));
        lines.extend(self.lines.iter().map(|line| dim(&format!(" => => # {line}"))));
    }
}

/// The beginning of a harmless line, as wide as a terminal. Characters of double width make it wrap at worst.
fn cut(text: &str, columns: usize) -> String {
    escape::line(text).chars().take(columns).collect()
}

impl Display for Terminal {
    fn begin(&mut self, step: &Step) {
        self.of.insert(step.stage, step.of);
        let entry = Entry {
            title: step.title().to_owned(),
            began: Instant::now(),
            ended: None,
            notes: Vec::new(),
            lines: Vec::new(),
        };
        self.entries.insert(step.id, entry);
        self.draw();
    }

    fn note(&mut self, step: &Step, text: &str) {
        if let Some(entry) = self.entry(step) {
            entry.notes.push(text.to_owned());
        }
        self.draw();
    }

    fn line(&mut self, step: &Step, _is_error: bool, text: &str) {
        if let Some(entry) = self.entry(step) {
            if entry.lines.len() == SHOWN {
                entry.lines.remove(0);
            }
            entry.lines.push(text.to_owned());
        }
        self.draw();
    }

    fn end(&mut self, step: &Step, is_cached: bool) {
        self.end_with(step, if is_cached { "CACHED " } else { "" });
    }

    fn fail(&mut self, step: &Step, message: Option<&str>) {
        self.end_with(step, if message.is_some() { "ERROR " } else { "CANCELED " });
    }

    fn tick(&mut self) {
        self.draw();
    }

    fn finish(&mut self) {
        self.is_over = true;
        self.drawn = None;
        self.draw();
    }
}

#[cfg(test)]
mod tests {
    use super::super::step::StepLabel;
    use super::*;

    fn step(id: usize, text: &str) -> Step {
        Step::new(id, 0, StepLabel { stage: "build", number: id, of: 40, text })
    }

    #[test]
    fn a_frame_has_what_runs_and_fits_the_terminal() {
        let mut terminal = Terminal::new();
        // Nothing is drawn here.
        terminal.drawn = Some(Instant::now() + Duration::from_secs(1000));
        for id in 1..=30 {
            let step = step(id, "COPY a \x1b[2J b");
            terminal.begin(&step);
            terminal.end(&step, true);
        }
        let make = step(31, &"RUN make ".repeat(30));
        terminal.begin(&make);
        terminal.note(&make, "not cached: first build here");
        for number in 0..10 {
            terminal.line(&make, false, &format!("line {number}"));
        }
        let frame = terminal.frame(20, 60);
        assert_eq!(frame.len(), 20);
        assert!(frame[0].starts_with("[+] Building 0.0s (30/40)"), "{frame:?}");
        assert!(frame[1].starts_with(" => CACHED [build 20/40] COPY a \\x1b[2J b"), "{frame:?}");
        assert!(frame[12].starts_with(" => [build 31/40] RUN make") && frame[12].ends_with(" 0.0s"), "{frame:?}");
        assert_eq!(frame[13], format!("{DIM} => => not cached: first build here{USUAL_TEXT}"));
        assert_eq!(frame[19], format!("{DIM} => => # line 9{USUAL_TEXT}"));
        assert!(frame[1..13].iter().all(|line| line.chars().count() == 60), "{frame:?}");
        terminal.end(&make, false);
        terminal.is_over = true;
        let last = terminal.frame(usize::MAX, 60);
        assert_eq!(last.len(), 1 + 31 + 1);
        assert!(last[0].ends_with("(31/40) FINISHED"), "{last:?}");
    }
}
