//! The answer of a command, and a test's assertions about it. An assertion names the whole answer.

use std::fmt;
use std::time::Duration;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// The answer of a command that has exited.
#[must_use = "a result that nobody looks at proves nothing"]
#[derive(Clone)]
pub(crate) struct Output {
    /// The command line, for messages.
    pub command: String,
    /// How it ended.
    pub exit: Exit,
    /// Every byte of standard output.
    pub stdout: Vec<u8>,
    /// Every byte of standard error.
    pub stderr: Vec<u8>,
    /// The time from its start to its end.
    pub elapsed: Duration,
}

impl Output {
    /// Asserts the whole answer.
    #[track_caller]
    pub(crate) fn is(self, code: i32, stdout: impl AsRef<[u8]>, stderr: impl AsRef<[u8]>) {
        let same = self.exit == Exit::Code(code) && self.stdout == stdout.as_ref() && self.stderr == stderr.as_ref();
        assert!(
            same,
            "{self}expected code {code}\n--- stdout\n{}\n--- stderr\n{}\n---",
            String::from_utf8_lossy(stdout.as_ref()),
            String::from_utf8_lossy(stderr.as_ref()),
        );
    }

    /// Asserts code 0, exactly this output, and an empty standard error.
    #[track_caller]
    pub(crate) fn prints(self, stdout: impl AsRef<[u8]>) {
        self.is(0, stdout, "");
    }

    /// Asserts code 0 and no output of any kind.
    #[track_caller]
    pub(crate) fn says_nothing(self) {
        self.is(0, "", "");
    }

    /// Asserts a failure: the code, no output, and exactly this on standard error.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, stderr: impl AsRef<[u8]>) {
        self.is(code, "", stderr);
    }

    /// Asserts code 0 and an empty standard error; returns standard output without its last newline.
    #[track_caller]
    pub(crate) fn text(self) -> String {
        assert!(self.exit == Exit::Code(0) && self.stderr.is_empty(), "{self}expected code 0 and a silent stderr");
        let text = String::from_utf8(self.stdout).expect("standard output is text");
        text.strip_suffix('\n').map(str::to_owned).unwrap_or(text)
    }

    /// Asserts code 0, an empty standard error and JSON on standard output.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        let command = self.command.clone();
        let text = self.text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("`{command}` did not print JSON ({error}):\n{text}"))
    }

    /// Asserts code 0, whatever it printed: for steps that a test needs but does not test.
    #[track_caller]
    pub(crate) fn succeeds(self) {
        assert!(self.exit == Exit::Code(0), "{self}expected code 0");
    }

    /// Asserts only the code, for a test that checks the output itself.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert!(self.exit == Exit::Code(code), "{self}expected code {code}");
        self
    }

    /// Asserts that it took no longer than `limit`.
    #[track_caller]
    pub(crate) fn within(self, limit: Duration) -> Self {
        assert!(self.elapsed <= limit, "{self}took {:?}, more than {limit:?}", self.elapsed);
        self
    }

    /// Standard output as text.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

impl fmt::Display for Output {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// The maximum that a message shows of one stream, in bytes.
        const LIMIT: usize = 8192;
        let shown = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(LIMIT)]).into_owned();
        writeln!(out, "`{}` ended with {:?} after {:?}", self.command, self.exit, self.elapsed)?;
        writeln!(out, "--- stdout\n{}\n--- stderr\n{}\n---", shown(&self.stdout), shown(&self.stderr))
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}
