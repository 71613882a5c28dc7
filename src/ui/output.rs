//! The two standard streams: rc buffers them itself and writes with write(2), without the line buffering and the panics
//! of `println!`.

use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use super::escape;
use crate::sys::fs::plain;
use crate::types::{Report, ReportKind};

/// Size of the buffer in bytes; longer writes bypass it.
const BUFFER: usize = 64 * 1024;

/// Standard output or standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Descriptor 1: results.
    Out,
    /// Descriptor 2: errors, warnings, progress.
    Err,
}

impl Stream {
    fn descriptor(self) -> BorrowedFd<'static> {
        match self {
            Self::Out => rustix::stdio::stdout(),
            Self::Err => rustix::stdio::stderr(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Out => "standard output",
            Self::Err => "standard error",
        }
    }
}

/// A write to a standard stream failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to {}: {}", .stream.name(), plain(.source))]
pub(crate) struct BrokenOutput {
    /// The stream.
    pub(crate) stream: Stream,
    /// The kernel's answer.
    #[source]
    pub(crate) source: io::Error,
}

impl From<BrokenOutput> for Report {
    fn from(error: BrokenOutput) -> Self {
        // If the reader has enough (`rc ps | head -1`), rc exits as if SIGPIPE had killed it.
        let kind = if error.is_broken_pipe() {
            ReportKind::Interrupted(libc::SIGPIPE)
        } else {
            ReportKind::of_step(&error.source)
        };
        Self::new(kind, error.to_string())
    }
}

impl BrokenOutput {
    /// Whether the reader has closed its end (`rc ps | head -1`). That is no message; the exit code is 128 + SIGPIPE,
    /// what a shell reports for a program that SIGPIPE killed.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.source.kind() == io::ErrorKind::BrokenPipe
    }
}

/// A buffered stream. [`Output::finish`] flushes it; so does drop, but there errors are lost.
#[derive(Debug)]
pub(crate) struct Output {
    stream: Stream,
    buffer: Vec<u8>,
}

/// Standard output.
pub(crate) fn out() -> Output {
    Output { stream: Stream::Out, buffer: Vec::new() }
}

/// Standard error.
pub(crate) fn err() -> Output {
    Output { stream: Stream::Err, buffer: Vec::new() }
}

/// Whether `stream` is a terminal.
pub(crate) fn is_terminal(stream: Stream) -> bool {
    rustix::termios::isatty(stream.descriptor())
}

/// Whether `stream` is a terminal that can move its cursor, for bars and for output that is replaced.
pub(crate) fn is_screen(stream: Stream) -> bool {
    is_terminal(stream) && can_move(std::env::var_os("TERM").as_deref())
}

/// Whether a terminal of this type can move its cursor: not a `dumb` one, as in Emacs and in CI, nor an unknown one.
fn can_move(term: Option<&OsStr>) -> bool {
    term.is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Whether standard output and standard error go to the same terminal, file or pipe, so that their order is visible.
pub(crate) fn streams_are_one() -> bool {
    let identity = |stream: Stream| rustix::fs::fstat(stream.descriptor()).ok().map(|stat| (stat.st_dev, stat.st_ino));
    identity(Stream::Out).is_some() && identity(Stream::Out) == identity(Stream::Err)
}

impl Output {
    /// Writes one line of human output, escaped by [`escape::line`], and a newline.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<(), BrokenOutput> {
        let line = line.to_string();
        self.raw(escape::line(&line).as_bytes())?;
        self.raw(b"\n")
    }

    /// Writes bytes unchanged: a container's output, or escaped text.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), BrokenOutput> {
        self.write_all(bytes).map_err(|source| BrokenOutput { stream: self.stream, source })
    }

    /// Flushes the buffer. Later output is possible.
    pub(crate) fn finish(&mut self) -> Result<(), BrokenOutput> {
        self.flush().map_err(|source| BrokenOutput { stream: self.stream, source })
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.buffer.len() + bytes.len() > BUFFER {
            self.flush()?;
        }
        if bytes.len() >= BUFFER {
            return write_some(self.stream.descriptor(), bytes);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut written = 0;
        let result = loop {
            if written == self.buffer.len() {
                break Ok(());
            }
            match write_some(self.stream.descriptor(), &self.buffer[written..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) => break Err(error),
            }
        };
        self.buffer.drain(..written);
        result
    }
}

/// Writes as much as there is room for, and waits until there is some.
fn write_some(descriptor: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match rustix::io::write(descriptor, bytes) {
            Err(rustix::io::Errno::INTR) => {}
            // Some process may have made the terminal or pipe non-blocking for all: wait, so that no output is lost.
            Err(rustix::io::Errno::AGAIN) => wait_writable(descriptor)?,
            other => return Ok(other?),
        }
    }
}

fn wait_writable(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    match poll(&mut [PollFd::from_borrowed_fd(descriptor, PollFlags::OUT)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // A caller that needs the error calls `finish` before.
        self.flush().unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dumb_terminal_gets_lines_and_not_bars() {
        for (term, expected) in
            [(Some("xterm-256color"), true), (Some("dumb"), false), (Some(""), false), (None, false)]
        {
            assert_eq!(can_move(term.map(OsStr::new)), expected, "{term:?}");
        }
    }
}
