//! A step that is shown: its title, its clock, and the last lines of its program.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How many of the last lines are kept.
const TAIL: usize = 30;

/// How many bytes of the last lines are kept.
const TAIL_BYTES: usize = 64 << 10;

/// How many bytes of a line are kept: a program may write a gigabyte without a newline.
const LONGEST: usize = 4 << 10;

/// What a step is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StepLabel<'a> {
    /// The stage.
    pub(crate) stage: &'a str,
    /// The number of the step in it, from 1.
    pub(crate) number: usize,
    /// How many steps it has.
    pub(crate) of: usize,
    /// The instruction.
    pub(crate) text: &'a str,
}

impl StepLabel<'_> {
    fn title(&self) -> String {
        format!("[{} {}/{}] {}", self.stage, self.number, self.of, self.text.lines().next().unwrap_or_default())
    }
}

/// A step.
pub(super) struct Step {
    /// Its number among all steps that have begun, from 1.
    pub(super) id: usize,
    /// Its stage.
    pub(super) stage: usize,
    /// How many steps the stage has.
    pub(super) of: usize,
    title: String,
    began: Instant,
    /// A line of the program's that is not complete, for each stream.
    partial: [Vec<u8>; 2],
    tail: VecDeque<String>,
    tail_bytes: usize,
}

impl Step {
    pub(super) fn new(id: usize, stage: usize, label: StepLabel<'_>) -> Self {
        Self {
            id,
            stage,
            of: label.of,
            title: label.title(),
            began: Instant::now(),
            partial: [Vec::new(), Vec::new()],
            tail: VecDeque::new(),
            tail_bytes: 0,
        }
    }

    /// `[stage 1/2] RUN make`.
    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// Whether it has this label.
    pub(super) fn is(&self, label: &StepLabel<'_>) -> bool {
        self.title == label.title()
    }

    /// How long it has run.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether its program has written anything.
    pub(super) fn has_lines(&self) -> bool {
        !self.tail.is_empty()
    }

    /// The last lines, each with its time.
    pub(super) fn tail(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.tail.iter().map(String::as_str)
    }

    /// Takes bytes of the program, and returns the lines that are complete.
    pub(super) fn lines(&mut self, is_error: bool, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        let mut partial = std::mem::take(&mut self.partial[usize::from(is_error)]);
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            keep(&mut partial, &rest[..end]);
            found.push(self.note(&partial));
            partial.clear();
            rest = &rest[end + 1..];
        }
        keep(&mut partial, rest);
        self.partial[usize::from(is_error)] = partial;
        found
    }

    /// What the program has written after its last newline, and whether to standard error.
    pub(super) fn rest(&mut self) -> Vec<(bool, String)> {
        let partial = std::mem::take(&mut self.partial);
        let lines = [false, true].into_iter().zip(partial).filter(|(_, line)| !line.is_empty());
        lines.map(|(is_error, line)| (is_error, self.note(&line))).collect()
    }

    /// Adds a line to the last ones. Returns its text.
    fn note(&mut self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes)).into_owned();
        let line = format!("{} {text}", stamp(self.elapsed()));
        self.tail_bytes += line.len();
        self.tail.push_back(line);
        while self.tail.len() > TAIL || self.tail_bytes > TAIL_BYTES {
            self.tail_bytes -= self.tail.pop_front().map_or(0, |line| line.len());
        }
        text
    }
}

/// Adds to a line, as far as it is kept.
fn keep(line: &mut Vec<u8>, bytes: &[u8]) {
    let room = LONGEST.saturating_sub(line.len());
    line.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

/// The time of a line, in seconds: five characters, as in buildx.
pub(super) fn stamp(time: Duration) -> String {
    let decimals = match time.as_secs() {
        0..10 => 3,
        10..100 => 2,
        100..1000 => 1,
        _ => 0,
    };
    format!("{:.decimals$}", time.as_secs_f64())
}

/// How long something took: `1.2s`.
pub(super) fn seconds(time: Duration) -> String {
    format!("{}.{}s", time.as_secs(), time.subsec_millis() / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_and_the_last_ones_are_kept() {
        let mut step = Step::new(1, 3, StepLabel { stage: "build", number: 1, of: 2, text: "RUN x\nmore" });
        assert_eq!(step.title(), "[build 1/2] RUN x");
        assert_eq!(step.lines(false, b"one\ntw"), ["one"]);
        assert_eq!(step.lines(true, b"other\r\n"), ["other"]);
        assert_eq!(step.lines(false, b"o\n"), ["two"]);
        let kept = |step: &Step| -> Vec<String> {
            step.tail().filter_map(|line| Some(line.split_once(' ')?.1.to_owned())).collect()
        };
        assert_eq!(kept(&step), ["one", "other", "two"]);
        for number in 0..40 {
            step.lines(false, format!("line {number}\n").as_bytes());
        }
        assert!(step.lines(false, &vec![b'x'; 1 << 20]).is_empty());
        assert_eq!(
            step.rest().iter().map(|(is_error, line)| (*is_error, line.len())).collect::<Vec<_>>(),
            [(false, LONGEST)]
        );
        let lines = kept(&step);
        assert_eq!((lines.len(), lines[0].as_str(), lines[28].as_str()), (TAIL, "line 11", "line 39"));
        for _ in 0..TAIL {
            step.lines(false, &[&vec![b'y'; LONGEST][..], b"\n"].concat());
        }
        assert!(step.tail().map(str::len).sum::<usize>() <= TAIL_BYTES);
    }

    #[test]
    fn times_have_five_characters() {
        for (milliseconds, expected) in
            [(0, "0.000"), (284, "0.284"), (12_345, "12.35"), (123_456, "123.5"), (1_234_567, "1235")]
        {
            assert_eq!(stamp(Duration::from_millis(milliseconds)), expected);
        }
        assert_eq!(seconds(Duration::from_millis(1290)), "1.2s");
    }
}
