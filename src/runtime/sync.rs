//! The messages between the monitor and the processes that start a program.
//!
//! ```text
//! stage → monitor   'P' + pidfd of init                   (or 'E')
//! stage → init      'M'      the maps are written         (init waits for it first)
//! joiner → child    'G'      the monitor knows it         (exec; the child waits for it first)
//! init  → monitor   'K' + its mount namespace             (if Launch::keeps_mounts)
//! init  → monitor   'T' + controlling side of the pty     (with a terminal only)
//! init  → monitor   'R'      ready for the network        (if Launch::wait_for_network)
//! monitor → init    'N'      the network is up
//! any   → monitor   'E' + Failure as JSON                 then the sender exits
//! fuse's stage → monitor   'P' + pidfd of fuse-overlayfs, 'F' + the detached mount   (or 'E')
//! stub  → monitor   4 bytes: errno of the last execve     then it exits with 127 or 126
//! end of file: the program runs
//! ```

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::sys::fs::plain;
use crate::sys::socket;
use crate::types::{Report, ReportKind, json};

/// A failed step of the start, in the form in which the process where it happened sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{report}")]
pub(crate) struct Failure {
    /// What went wrong.
    pub(crate) report: Report,
    /// The kernel or the filesystem refuses overlay, so that another driver may work.
    pub(crate) is_overlay_refused: bool,
}

impl From<Failure> for Report {
    fn from(failure: Failure) -> Self {
        failure.report
    }
}

/// The sentence, cut if an argument in it is too long: it must fit into a message, and on a screen.
pub(super) fn cut(sentence: String) -> String {
    const LONGEST: usize = 1000;
    match sentence.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &sentence[..end]),
        None => sentence,
    }
}

impl Failure {
    /// The error of an inner layer.
    pub(super) fn of(error: impl Into<Report>) -> Self {
        let mut report = error.into();
        report.message = cut(report.message);
        report.hint = report.hint.map(cut);
        Self { report, is_overlay_refused: false }
    }

    /// A setup step failed on `subject`.
    pub(super) fn setup(action: &str, subject: impl AsRef<std::path::Path>, error: &io::Error) -> Self {
        let subject = subject.as_ref().display().to_string();
        let (action, subject) = (cut(action.to_owned()), cut(subject.escape_debug().to_string()));
        Self::reason(ReportKind::of_step(error), format!("cannot {action} `{subject}`: {}", plain(error)))
    }

    /// A setup step without a subject failed.
    pub(super) fn step(action: &str, error: &io::Error) -> Self {
        Self::reason(ReportKind::of_step(error), format!("cannot {action}: {}", plain(error)))
    }

    /// A setup step failed for a reason that is not an errno.
    pub(super) fn reason(kind: ReportKind, message: impl Into<String>) -> Self {
        Self { report: Report::new(kind, message), is_overlay_refused: false }
    }

    /// A part of the start did something unexpected.
    pub(super) fn internal(message: &str) -> Self {
        Self::reason(ReportKind::Internal, message)
    }

    /// Adds how to fix it.
    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.report.hint = Some(cut(hint.into()));
        self
    }

    /// The program cannot be executed.
    pub(super) fn program(program: &str, errno: i32) -> Self {
        let error = io::Error::from_raw_os_error(errno);
        let kind = kind_of_program(errno).unwrap_or(ReportKind::ProgramNotExecutable);
        let program = cut(program.escape_debug().to_string());
        Self::reason(kind, format!("cannot run `{program}`: {}", plain(&error)))
    }

    /// The program cannot start in its working directory. A directory that is missing or closed counts as a program
    /// that is: docker and podman exit with 127 and 126, and toolbox relies on that.
    pub(super) fn working_directory(path: &std::path::Path, errno: Errno) -> Self {
        let failure = Self::setup("change to the working directory", path, &errno.into());
        let kind = kind_of_program(errno.raw_os_error()).unwrap_or(failure.report.kind);
        Self { report: Report { kind, ..failure.report }, ..failure }
    }
}

/// What an errno says about the program, or the directory that it starts in.
fn kind_of_program(errno: i32) -> Option<ReportKind> {
    match errno {
        libc::ENOENT | libc::ENOTDIR => Some(ReportKind::ProgramNotFound),
        libc::EACCES | libc::EPERM => Some(ReportKind::ProgramNotExecutable),
        _ => None,
    }
}

/// Adds a step to an I/O error on its way to a [`Failure`].
pub(super) trait Step<T> {
    /// Names the step and its subject.
    fn step_on(self, action: &str, subject: impl AsRef<std::path::Path>) -> Result<T, Failure>;
    /// Names the step.
    fn step(self, action: &str) -> Result<T, Failure>;
}

impl<T, E: Into<io::Error>> Step<T> for Result<T, E> {
    fn step_on(self, action: &str, subject: impl AsRef<std::path::Path>) -> Result<T, Failure> {
        self.map_err(|error| Failure::setup(action, subject, &error.into()))
    }

    fn step(self, action: &str) -> Result<T, Failure> {
        self.map_err(|error| Failure::step(action, &error.into()))
    }
}

/// The messages that the monitor receives while a program starts.
#[derive(Debug)]
pub(crate) enum Progress {
    /// A process was created: its pidfd.
    Process(OwnedFd),
    /// The mount namespace of init.
    Mounts(OwnedFd),
    /// The controlling side of the program's terminal.
    Terminal(OwnedFd),
    /// A root filesystem, mounted and detached.
    Root(OwnedFd),
    /// Init waits for [`Progress::NetworkUp`].
    NetworkWanted,
    /// The network is up, or the maps are written: the receiver continues.
    NetworkUp,
    /// The start failed.
    Failed(Failure),
    /// The last execve failed with this errno.
    Refused(i32),
    /// The program runs (or the sender died: then its pidfd is readable).
    Closed,
}

/// Sends one message. [`Progress::Refused`] and [`Progress::Closed`] are not sent: the stub and the kernel do that.
pub(super) fn send(to: BorrowedFd<'_>, message: &Progress) -> io::Result<()> {
    match message {
        Progress::Process(fd) => socket::send(to, b"P", &[fd.as_fd()]),
        Progress::Mounts(fd) => socket::send(to, b"K", &[fd.as_fd()]),
        Progress::Terminal(fd) => socket::send(to, b"T", &[fd.as_fd()]),
        Progress::Root(fd) => socket::send(to, b"F", &[fd.as_fd()]),
        Progress::NetworkWanted => socket::send(to, b"R", &[]),
        Progress::NetworkUp => socket::send(to, b"N", &[]),
        Progress::Failed(failure) => {
            let mut bytes = vec![b'E'];
            bytes.extend(serde_json::to_vec(failure)?);
            socket::send(to, &bytes, &[])
        }
        Progress::Refused(_) | Progress::Closed => Ok(()),
    }
}

/// Receives one message; [`Progress::Closed`] if the sender has closed its end.
pub(super) fn receive(from: BorrowedFd<'_>) -> io::Result<Progress> {
    let Some(mut received) = socket::receive(from, 16384)? else { return Ok(Progress::Closed) };
    let malformed = || io::Error::from_raw_os_error(libc::EBADMSG);
    match (received.bytes.as_slice(), received.descriptors.pop()) {
        (b"P", Some(fd)) => Ok(Progress::Process(fd)),
        (b"K", Some(fd)) => Ok(Progress::Mounts(fd)),
        (b"T", Some(fd)) => Ok(Progress::Terminal(fd)),
        (b"F", Some(fd)) => Ok(Progress::Root(fd)),
        (b"R", None) => Ok(Progress::NetworkWanted),
        (b"N", None) => Ok(Progress::NetworkUp),
        ([b'E', json @ ..], None) => json::from_slice(json).map(Progress::Failed).map_err(|_| malformed()),
        (&[a, b, c, d], None) => Ok(Progress::Refused(i32::from_ne_bytes([a, b, c, d]))),
        _ => Err(malformed()),
    }
}
