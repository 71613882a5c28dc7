//! Asks the user at the terminal, for what is no argument: names and passwords.

use std::os::fd::AsFd;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::sys::process;
use crate::types::{Report, ReportKind};

/// Whether what is typed is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Echo {
    /// It is.
    Shown,
    /// It is not: a secret.
    Hidden,
}

/// Whether standard input is a terminal, so that somebody can answer.
pub(crate) fn can_ask() -> bool {
    process::standard(0).is_some_and(rustix::termios::isatty)
}

/// Asks by `question`, and reads a line from standard input, without its end; `None` at the end of the input. Of a
/// hidden answer nothing is shown, not even what is typed at once: the question comes after the echo has ended.
///
/// If it is hidden, the terminal is as before when this returns, also after Ctrl-C, which is `Interrupted`.
pub(crate) fn read_line(echo: Echo, question: impl FnOnce() -> Result<(), Report>) -> Result<Option<String>, Report> {
    let stdin = process::standard(0)
        .ok_or_else(|| Report::new(ReportKind::Invalid, "cannot read the answer: standard input is closed"))?;
    let failed = |error: rustix::io::Errno| {
        let error = std::io::Error::from(error);
        let text = format!("cannot read the answer: {}", crate::sys::fs::plain(&error));
        Report::new(ReportKind::of_step(&error), text)
    };
    let _quiet = if echo == Echo::Hidden { Some(Quiet::begin(stdin.as_fd()).map_err(failed)?) } else { None };
    question()?;
    let mut line = Vec::new();
    loop {
        let mut byte = [0];
        let count = rustix::io::retry_on_intr(|| rustix::io::read(stdin, &mut byte)).map_err(failed)?;
        match (count, byte[0]) {
            (0, _) if line.is_empty() => return Ok(None),
            (0, _) | (_, b'\n' | b'\r') => break,
            (_, byte) if echo == Echo::Shown => line.push(byte),
            (_, CTRL_C) => return Err(Report::new(ReportKind::Interrupted(libc::SIGINT), "interrupted")),
            (_, CTRL_D) if line.is_empty() => return Ok(None),
            (_, BACKSPACE | DELETE) => drop(line.pop()),
            (_, CTRL_U) => line.clear(),
            (_, byte) => line.push(byte),
        }
        if line.len() > 64 << 10 {
            return Err(Report::new(ReportKind::Invalid, "the answer has more than 65536 bytes"));
        }
    }
    let text = String::from_utf8(line).map_err(|_| Report::new(ReportKind::Invalid, "the answer is not UTF-8"))?;
    Ok(Some(text))
}

const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const BACKSPACE: u8 = 8;
const CTRL_U: u8 = 21;
const DELETE: u8 = 127;

/// A terminal that shows nothing of what is typed, and sends no signals. Dropping this restores it.
struct Quiet<'t> {
    terminal: std::os::fd::BorrowedFd<'t>,
    before: Termios,
}

impl<'t> Quiet<'t> {
    fn begin(terminal: std::os::fd::BorrowedFd<'t>) -> Result<Self, rustix::io::Errno> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        // Without ISIG, Ctrl-C cannot leave the terminal without an echo.
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // If it fails, the terminal was closed.
        tcsetattr(self.terminal, OptionalActions::Now, &self.before).ok();
    }
}
