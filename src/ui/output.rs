//! The two standard streams: buffered by us, written by write(2), without the line buffering and the panics of
//! `println!`.

use std::fmt::Display;
use std::io::{self, Write};
use std::os::fd::BorrowedFd;

use super::escape;
use crate::sys::fs::plain;
use crate::types::{Report, ReportKind};

/// Bytes that are kept back before they are written; longer writes pass straight through.
const BUFFER: usize = 64 * 1024;

/// Standard output or standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Descriptor 1: what was asked for.
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

/// What was to be printed could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to {}: {}", .stream.name(), plain(.source))]
pub(crate) struct BrokenOutput {
    /// Where it should have gone.
    pub(crate) stream: Stream,
    /// The kernel's answer.
    #[source]
    pub(crate) source: io::Error,
}

impl From<BrokenOutput> for Report {
    fn from(error: BrokenOutput) -> Self {
        // A reader that has enough (`rc ps | head -1`) ends us as SIGPIPE would.
        let kind = if error.is_broken_pipe() {
            ReportKind::Interrupted(libc::SIGPIPE)
        } else {
            ReportKind::of_step(&error.source)
        };
        Self::new(kind, error.to_string())
    }
}

impl BrokenOutput {
    /// The reader went away (`rc ps | head -1`): nothing to tell anybody; the exit code is 128 + SIGPIPE, what the
    /// shell reports of a program that died of it.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        self.source.kind() == io::ErrorKind::BrokenPipe
    }
}

/// A buffered stream. What is not flushed by [`Output::finish`] is written on drop, where errors are lost.
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

/// Whether `stream` shows what is written to a person.
pub(crate) fn is_terminal(stream: Stream) -> bool {
    rustix::termios::isatty(stream.descriptor())
}

/// Whether standard output and standard error lead to the same terminal, file or pipe, so that the order between them
/// can be seen.
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

    /// Writes bytes as they are: those of a container, or text that was escaped before.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), BrokenOutput> {
        self.write_all(bytes).map_err(|source| BrokenOutput { stream: self.stream, source })
    }

    /// Writes what is still buffered; later output goes on as before.
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
            return Ok(rustix::io::retry_on_intr(|| rustix::io::write(self.stream.descriptor(), bytes))?);
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
            match rustix::io::write(self.stream.descriptor(), &self.buffer[written..]) {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(rustix::io::Errno::INTR) => {}
                // A caller may have made the terminal non-blocking for all its holders: wait, do not lose output.
                Err(rustix::io::Errno::AGAIN) => {
                    if let Err(error) = wait_writable(self.stream.descriptor()) {
                        break Err(error);
                    }
                }
                Err(error) => break Err(error.into()),
            }
        };
        self.buffer.drain(..written);
        result
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
        // A caller that needs the error has called `finish` before.
        self.flush().unwrap_or_default();
    }
}
