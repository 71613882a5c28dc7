//! A build as lines, for logs. Source: BuildKit, `util/progress/progressui/printer.go`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::step::{Step, seconds, stamp};
use super::{Display, say};

/// How long a step has the screen while others have something to say.
const TURN: Duration = Duration::from_secs(1);

/// How many lines of a step wait for their turn; then it comes at once.
const WAITING: usize = 1000;

/// Lines. What a step says comes together as far as that does not take long.
#[derive(Default)]
pub(super) struct Plain {
    /// The step that was shown last.
    current: Option<Current>,
    /// What the others have to say.
    waiting: VecDeque<Waiting>,
}

struct Current {
    id: usize,
    since: Instant,
    is_over: bool,
}

struct Waiting {
    id: usize,
    title: String,
    lines: Vec<String>,
    is_over: bool,
}

impl Plain {
    /// Adds a line of a step.
    fn add(&mut self, step: &Step, line: String, is_over: bool) {
        let is_current = self.current.as_ref().is_some_and(|current| current.id == step.id);
        if is_current {
            say(&format!("{line}\n"));
        } else {
            let waiting = match self.waiting.iter_mut().find(|waiting| waiting.id == step.id) {
                Some(waiting) => waiting,
                None => {
                    let title = format!("#{} {}", step.id, step.title());
                    self.waiting.push_back(Waiting { id: step.id, title, lines: Vec::new(), is_over: false });
                    let last = self.waiting.len() - 1;
                    &mut self.waiting[last]
                }
            };
            waiting.lines.push(line);
            waiting.is_over = is_over;
        }
        if let Some(current) = self.current.as_mut().filter(|_| is_current && is_over) {
            current.is_over = true;
        }
        self.turn(false);
    }

    /// Gives the screen to those who wait, if the one that has it is over, or has had it long.
    fn turn(&mut self, at_once: bool) {
        loop {
            let has_many = self.waiting.iter().any(|waiting| waiting.lines.len() >= WAITING);
            let is_free = self
                .current
                .as_ref()
                .is_none_or(|current| current.is_over || at_once || has_many || current.since.elapsed() >= TURN);
            if !is_free {
                return;
            }
            let Some(next) = self.waiting.pop_front() else { return };
            let mut text = String::new();
            if let Some(current) = &self.current {
                text.push_str(&if current.is_over { "\n".to_owned() } else { format!("#{} ...\n\n", current.id) });
            }
            text.push_str(&next.title);
            text.push('\n');
            for line in &next.lines {
                text.push_str(line);
                text.push('\n');
            }
            say(&text);
            self.current = Some(Current { id: next.id, since: Instant::now(), is_over: next.is_over });
        }
    }
}

impl Display for Plain {
    fn begin(&mut self, step: &Step) {
        // Its title is shown with what it says first.
        if self.current.as_ref().is_none_or(|current| current.is_over) {
            let gap = if self.current.is_some() { "\n" } else { "" };
            say(&format!("{gap}#{} {}\n", step.id, step.title()));
            self.current = Some(Current { id: step.id, since: Instant::now(), is_over: false });
        }
    }

    fn note(&mut self, step: &Step, text: &str) {
        self.add(step, format!("#{} {text}", step.id), false);
    }

    fn line(&mut self, step: &Step, _is_error: bool, text: &str) {
        self.add(step, format!("#{} {} {text}", step.id, stamp(step.elapsed())), false);
    }

    fn end(&mut self, step: &Step, is_cached: bool) {
        let line = match is_cached {
            true => format!("#{} CACHED", step.id),
            false => format!("#{} DONE {}", step.id, seconds(step.elapsed())),
        };
        self.add(step, line, true);
    }

    fn fail(&mut self, step: &Step, message: Option<&str>) {
        let line = match message {
            Some(message) => format!("#{} ERROR: {message}", step.id),
            None => format!("#{} CANCELED", step.id),
        };
        self.add(step, line, true);
    }

    fn tick(&mut self) {
        self.turn(false);
    }

    fn finish(&mut self) {
        self.turn(true);
    }
}
