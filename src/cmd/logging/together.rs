//! Several logs that are followed at once, each by a thread: none writes before another's line is complete.

use std::sync::{Arc, Mutex, PoisonError};

use crate::container::logs::{Entry, LogStream, Sink};

/// A line without an end is passed on when it has this many bytes.
const LONGEST: usize = 1 << 20;

/// A line, or as much of it as there is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    stream: LogStream,
    time: Vec<u8>,
    text: Vec<u8>,
}

/// Passes whole lines to a sink, in turns with others.
#[derive(Debug)]
pub(super) struct Together<S> {
    sink: S,
    turn: Arc<Mutex<()>>,
    /// Complete ones, which wait for their turn.
    lines: Vec<Line>,
    bytes: usize,
    /// One of each stream that has not ended.
    open: Vec<Line>,
}

impl<S: Sink> Together<S> {
    /// A sink before `sink`; all that share `turn` take turns.
    pub(super) fn new(sink: S, turn: Arc<Mutex<()>>) -> Self {
        Self { sink, turn, lines: Vec::new(), bytes: 0, open: Vec::new() }
    }

    /// The log has ended: lines without an end are passed on as they are.
    pub(super) fn finish(&mut self) -> Result<(), S::Error> {
        self.lines.append(&mut self.open);
        self.pass_on()
    }

    fn pass_on(&mut self) -> Result<(), S::Error> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        for line in self.lines.drain(..) {
            let Line { stream, time, text } = &line;
            self.sink.entry(Entry { stream: *stream, time, text, is_partial: false })?;
        }
        self.bytes = 0;
        self.sink.caught_up()?;
        drop(turn);
        Ok(())
    }
}

impl<S: Sink> Sink for Together<S> {
    type Error = S::Error;

    fn entry(&mut self, entry: Entry<'_>) -> Result<(), S::Error> {
        let begun = self.open.iter().position(|line| line.stream == entry.stream);
        let mut line = begun.map_or_else(
            || Line { stream: entry.stream, time: entry.time.to_vec(), text: Vec::new() },
            |at| self.open.swap_remove(at),
        );
        line.text.extend_from_slice(entry.text);
        if entry.is_partial && line.text.len() < LONGEST {
            self.open.push(line);
            return Ok(());
        }
        self.bytes += line.text.len();
        self.lines.push(line);
        if self.bytes < LONGEST { Ok(()) } else { self.pass_on() }
    }

    fn caught_up(&mut self) -> Result<(), S::Error> {
        if self.lines.is_empty() { Ok(()) } else { self.pass_on() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was passed on, with `!` for each flush.
    #[derive(Debug, Default)]
    struct Seen(String);

    impl Sink for Seen {
        type Error = std::convert::Infallible;

        fn entry(&mut self, entry: Entry<'_>) -> Result<(), Self::Error> {
            self.0.push_str(&String::from_utf8_lossy(entry.text));
            self.0.push(if entry.is_partial { '…' } else { '\n' });
            Ok(())
        }

        fn caught_up(&mut self) -> Result<(), Self::Error> {
            self.0.push('!');
            Ok(())
        }
    }

    #[test]
    fn lines_are_passed_on_when_they_are_complete() {
        let mut together = Together::new(Seen::default(), Arc::default());
        let mut add = |stream, text: &str, is_partial| {
            let entry = Entry { stream, time: b"t", text: text.as_bytes(), is_partial };
            together.entry(entry).and_then(|()| together.caught_up()).expect("no failure");
            std::mem::take(&mut together.sink.0)
        };
        assert_eq!(add(LogStream::Stdout, "a", true), "");
        assert_eq!(add(LogStream::Stderr, "x", false), "x\n!");
        assert_eq!(add(LogStream::Stdout, "b", false), "ab\n!");
        assert_eq!(add(LogStream::Stdout, "open", true), "");
        let long = "l".repeat(LONGEST);
        assert_eq!(add(LogStream::Stderr, &long, true), format!("{long}\n!"));
        together.finish().expect("no failure");
        assert_eq!(together.sink.0, "open\n!");
    }
}
