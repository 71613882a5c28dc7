//! Where the lines of logs go, and how they look.

use crate::container::logs::{Entry, LogStream, Sink};
use crate::ui::{self, BrokenOutput, Output};

/// What is before each line of one of several containers. Source of the colours: podman.
pub(super) fn prefix(name: &str, color: Option<usize>) -> String {
    const COLORS: [u8; 6] = [36, 33, 32, 35, 34, 31];
    match color {
        Some(index) => format!("\x1b[{}m{name}\x1b[0m ", COLORS[index % COLORS.len()]),
        None => format!("{name} "),
    }
}

/// What is shown with each line.
#[derive(Debug, Clone, Default)]
pub(super) struct Style {
    /// Whether the time comes first.
    pub(super) timestamps: bool,
    /// docker's extra attributes, of which rc has none: a blank.
    pub(super) details: bool,
    /// The container, with a blank; empty if there is one container.
    pub(super) prefix: String,
}

/// Copies each stream of the program to the same stream of rc, byte for byte.
pub(super) struct Screen {
    out: Output,
    /// `None` if both streams go to the same place: then one buffer keeps their order.
    err: Option<Output>,
    style: Style,
    /// Whether the last entry of standard output, and of standard error, ended in the middle of a line.
    is_open: [bool; 2],
}

impl Screen {
    /// Standard output and standard error.
    pub(super) fn new(style: Style) -> Self {
        let err = if ui::streams_are_one() { None } else { Some(ui::err()) };
        Self { out: ui::out(), err, style, is_open: [false; 2] }
    }
}

impl Sink for Screen {
    type Error = BrokenOutput;

    #[inline]
    fn entry(&mut self, entry: Entry<'_>) -> Result<(), BrokenOutput> {
        let (is_open, to) = match (entry.stream, &mut self.err) {
            (LogStream::Stdout, _) => (&mut self.is_open[0], &mut self.out),
            (LogStream::Stderr, Some(err)) => (&mut self.is_open[1], err),
            (LogStream::Stderr, None) => (&mut self.is_open[1], &mut self.out),
        };
        if !*is_open {
            if !self.style.prefix.is_empty() {
                to.raw(self.style.prefix.as_bytes())?;
            }
            if self.style.timestamps {
                to.raw(entry.time)?;
                to.raw(b" ")?;
            }
            if self.style.details {
                to.raw(b" ")?;
            }
        }
        *is_open = entry.is_partial;
        to.raw(entry.text)?;
        if entry.is_partial { Ok(()) } else { to.raw(b"\n") }
    }

    fn caught_up(&mut self) -> Result<(), BrokenOutput> {
        self.out.finish()?;
        self.err.as_mut().map_or(Ok(()), Output::finish)
    }
}
