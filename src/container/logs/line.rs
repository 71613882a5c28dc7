//! One line of a log.

use jiff::Timestamp;

/// The stream that a program wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogStream {
    /// Descriptor 1, or the terminal.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

/// One line of a log file. Source: the kubelet's CRI log format, which conmon calls `k8s-file`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry<'a> {
    /// When it was written: RFC 3339 with nanoseconds, as in the file.
    pub(crate) time: &'a [u8],
    /// The stream that the program wrote it to.
    pub(crate) stream: LogStream,
    /// The program's line continues in the stream's next entry: `text` is not followed by a newline.
    pub(crate) is_partial: bool,
    /// The program's bytes, without a newline.
    pub(crate) text: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Reads a line without its newline; `None` if it is damaged.
    pub(crate) fn parse(line: &'a [u8]) -> Option<Self> {
        let (time, rest) = line.split_at_checked(memchr::memchr(b' ', line)?)?;
        let (stream, rest) = if let Some(rest) = rest.strip_prefix(b" stdout ") {
            (LogStream::Stdout, rest)
        } else {
            (LogStream::Stderr, rest.strip_prefix(b" stderr ")?)
        };
        let (is_partial, text) = match rest {
            [b'F', b' ', text @ ..] => (false, text),
            [b'P', b' ', text @ ..] => (true, text),
            _ => return None,
        };
        Some(Self { time, stream, is_partial, text })
    }

    /// When it was written; `None` if the time is damaged.
    pub(crate) fn timestamp(&self) -> Option<Timestamp> {
        std::str::from_utf8(self.time).ok()?.parse().ok()
    }
}
