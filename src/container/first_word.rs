//! The monitor's first message to the command that starts a container: its program runs, or why it does not.

use std::os::fd::{AsFd as _, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Error;
use crate::monitor::protocol::{self, Event};
use crate::sys::signal::Signals;

/// How long the monitor may take to say whether a signal reached the program.
const ANSWER_TIMEOUT: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Waits until the program runs, or the container is initialized. A signal that arrives earlier ends this command: the
/// monitor undoes the start when it is told of the signal, or when this command has closed the connection. If the
/// program already runs then, the monitor passes the signal on.
pub(super) fn await_start(socket: &OwnedFd, signals: Option<&mut Signals>) -> Result<(), Error> {
    let interrupted = signals.map_or(Ok(None), |signals| await_answer(socket, signals))?;
    match (protocol::receive::<Event>(socket).map_err(Error::step("hear from the monitor"))?, interrupted) {
        (Some((Event::Started { .. } | Event::Initialized, _)), _) => Ok(()),
        (_, Some(signal)) => Err(Error::Interrupted(signal)),
        (Some((Event::Failed(report), _)), None) => Err(Error::Told(report)),
        _ => Err(Error::MonitorDied),
    }
}

/// Waits for the monitor's message. If a signal arrives, passes it on to the monitor and returns its number. Fails with
/// `Interrupted` if the monitor does not answer then, or if a second signal arrives.
fn await_answer(socket: &OwnedFd, signals: &mut Signals) -> Result<Option<i32>, Error> {
    let mut interrupted = None;
    loop {
        let mut set = [PollFd::new(socket, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
        match (poll(&mut set, interrupted.map(|_| &ANSWER_TIMEOUT)), interrupted) {
            (Err(rustix::io::Errno::INTR), _) => continue,
            (Err(error), _) => return Err(Error::step("wait for the monitor")(error.into())),
            (Ok(0), Some(number)) => return Err(Error::Interrupted(number)),
            (Ok(_), _) if !set[0].revents().is_empty() => return Ok(interrupted),
            (Ok(_), _) => {}
        }
        while let Some(arrived) = signals.take().map_err(Error::step("read a signal"))? {
            // These do not end a process.
            if matches!(arrived.number, libc::SIGWINCH | libc::SIGURG) {
                continue;
            }
            if interrupted.is_some() {
                return Err(Error::Interrupted(arrived.number));
            }
            interrupted = Some(arrived.number);
            if let Ok(signal) = arrived.number.to_string().parse() {
                // If the monitor has ended, poll tells.
                drop(protocol::send(socket.as_fd(), &protocol::Ask::Signal { signal }, &[]));
            }
        }
    }
}
