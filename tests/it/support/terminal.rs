//! A command on a terminal of its own.

use std::fs::File;
use std::io::Write;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use super::command::{Command, Stream};
use super::{Output, Running};

/// The test's side of the terminal, and the command on the other side.
#[must_use = "a command that nobody waits for proves nothing"]
pub(crate) struct Terminal {
    /// The command.
    pub running: Running,
    master: File,
}

impl Command<'_> {
    /// Starts it in a session of its own, with a controlling terminal of this size.
    #[track_caller]
    pub(crate) fn start_on_terminal(self, rows: u16, columns: u16) -> Terminal {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("the terminal's other side can be opened");
        let path = ptsname(&master, Vec::new()).expect("the terminal's other side has a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(path.as_c_str(), flags, Mode::empty()).expect("the terminal's other side opens");
        let master = File::from(master);
        resize(&master, rows, columns);
        let mut running = self.start_on(slave);
        running.stdout = Stream::read(master.try_clone().expect("the terminal can be duplicated"));
        Terminal { running, master }
    }
}

impl Terminal {
    /// Types these bytes.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.master.write_all(bytes.as_ref()).expect("the terminal takes what is typed");
    }

    /// Waits until the terminal has shown `text`.
    #[track_caller]
    pub(crate) fn line(&self, text: &str) {
        self.running.line(text);
    }

    /// Changes the size, which sends SIGWINCH to the foreground.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        resize(&self.master, rows, columns);
    }

    /// The settings of the line (raw or not), to compare before and after.
    pub(crate) fn settings(&self) -> Termios {
        tcgetattr(&self.master).expect("the terminal's settings can be read")
    }

    /// Waits until the command exits; its output is everything that the terminal showed.
    #[track_caller]
    pub(crate) fn wait(self) -> Output {
        self.running.wait()
    }
}

fn resize(master: &File, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(master, size).expect("the terminal's size can be set");
}
