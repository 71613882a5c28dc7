//! The commands that are connected to the monitor. The monitor waits for none of them, and works however many there
//! are:
//!
//! ```text
//! a connection      is accepted while descriptors are left for the monitor's own work (HEADROOM)
//! … beyond that     is accepted as a guest: it may end the container and be told of the end, and make requests that
//!                   are answered at once
//! no descriptor     the monitor closes the reserve for a moment, to report that
//! socket full       the answer is dropped, and the connection closed
//! ```

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::process::{Resource, getrlimit};

use super::protocol::{self, Ask, Event};
use super::timers::{Timer, Timers};
use crate::sys::rest::{REST, is_lasting};
use crate::sys::{process, socket};
use crate::types::{Report, ReportKind};

/// Descriptors that are reserved for an exec, for a restart, and for writing records; fewer if the limit is low.
const HEADROOM: u64 = 32;

/// A connected command.
#[derive(Debug)]
struct Connection {
    id: u64,
    socket: OwnedFd,
    /// It is told of the program's end.
    waits: bool,
    /// It connected when there were too many already.
    is_guest: bool,
    /// It has requested a stop, and so may wait for the end.
    has_stopped: bool,
    /// It is the monitor of a member of this pod, which has these names.
    member: Option<Vec<String>>,
}

/// All connections, and the socket that listens for more.
#[derive(Debug)]
pub(super) struct Connections {
    all: Vec<Connection>,
    next_id: u64,
    listener: OwnedFd,
    /// A descriptor to close when no other is free, so that a connection can be accepted and refused.
    reserve: Option<OwnedFd>,
    /// No connection is accepted for a moment.
    is_resting: bool,
    /// The command that is starting the container, until it has been told that the program runs.
    starter: Option<u64>,
}

impl Connections {
    pub(super) fn new(listener: OwnedFd) -> Self {
        let reserve = process::reserve_descriptor().ok();
        Self { all: Vec::new(), next_id: 1, listener, reserve, is_resting: false, starter: None }
    }

    /// Adds a connection, and returns its ID.
    pub(super) fn add(&mut self, socket: OwnedFd, waits: bool) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let is_guest = u64::try_from(socket.as_raw_fd()).is_ok_and(|number| number >= bound());
        self.all.push(Connection { id, socket, waits, is_guest, has_stopped: false, member: None });
        id
    }

    /// Adds the command that is starting the container, which is told of the program's end, and returns its ID. Fails
    /// if its socket cannot be made non-blocking.
    pub(super) fn add_starter(&mut self, socket: OwnedFd) -> io::Result<u64> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        let id = self.add(socket, true);
        self.starter = Some(id);
        Ok(id)
    }

    /// The command on this connection starts the container.
    pub(super) fn set_starter(&mut self, id: u64) {
        self.starter = Some(id);
    }

    /// Whether a command is starting the container.
    pub(super) fn has_starter(&self) -> bool {
        self.starter.is_some()
    }

    /// Whether this is the command that is starting the container, which does not know yet whether the program runs.
    pub(super) fn is_starter(&self, id: u64) -> bool {
        self.starter == Some(id)
    }

    /// Takes the connection of that command, which is told now, or has ended.
    pub(super) fn take_starter(&mut self) -> Option<u64> {
        self.starter.take()
    }

    /// Accepts a connection. If the kernel refuses it for a lasting reason, accepts none for a moment.
    pub(super) fn accept(&mut self, timers: &mut Timers) {
        match socket::accept(self.listener.as_fd()) {
            Ok(Some(socket)) => drop(self.add(socket, false)),
            Ok(None) => {}
            Err(error) if !is_lasting(&error) => {}
            Err(error) if is_out_of_descriptors(&error) && self.reserve.take().is_some() => {
                match socket::accept(self.listener.as_fd()) {
                    Ok(Some(socket)) => drop(protocol::send(socket.as_fd(), &too_many(), &[])),
                    Ok(None) => {}
                    Err(_) => self.rest(timers),
                }
                self.reserve = process::reserve_descriptor().ok();
            }
            Err(_) => self.rest(timers),
        }
    }

    fn rest(&mut self, timers: &mut Timers) {
        self.is_resting = true;
        timers.set(Timer::Accept, Some(Instant::now() + REST));
    }

    /// Accepts connections again, after that moment.
    pub(super) fn accept_again(&mut self) {
        self.is_resting = false;
        self.reserve = self.reserve.take().or_else(|| process::reserve_descriptor().ok());
    }

    /// The listening socket, unless no connection is accepted now.
    pub(super) fn listener(&self) -> Option<BorrowedFd<'_>> {
        (!self.is_resting).then(|| self.listener.as_fd())
    }

    /// The IDs, each with its socket.
    pub(super) fn sockets(&self) -> impl Iterator<Item = (u64, BorrowedFd<'_>)> {
        self.all.iter().map(|connection| (connection.id, connection.socket.as_fd()))
    }

    /// The socket of a connection.
    pub(super) fn socket(&self, id: u64) -> Option<BorrowedFd<'_>> {
        self.all.iter().find(|connection| connection.id == id).map(|connection| connection.socket.as_fd())
    }

    /// Sends an event. `false` if it cannot be sent, for instance because the command has left too many unread: the
    /// caller must forget the command, which would wait for that event. Poll tells if it has closed its end.
    pub(super) fn tell(&self, id: u64, event: &Event, descriptors: &[BorrowedFd<'_>]) -> bool {
        self.socket(id).is_none_or(|socket| match protocol::send(socket, event, descriptors) {
            Err(error) => matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset),
            Ok(()) => true,
        })
    }

    /// Whether the command is told of the program's end.
    pub(super) fn waits(&self, id: u64) -> bool {
        self.all.iter().any(|connection| connection.id == id && connection.waits)
    }

    /// It is the monitor of a member of this pod, which has these names. Returns those that it had before, if any.
    pub(super) fn set_member(&mut self, id: u64, names: Vec<String>) -> Option<Vec<String>> {
        self.get(id)?.member.replace(names)
    }

    /// The names of the members of this pod that run, those of each member together.
    pub(super) fn members(&self) -> impl Iterator<Item = &[String]> {
        self.all.iter().filter_map(|connection| connection.member.as_deref())
    }

    /// Sets whether the command is told of the program's end.
    pub(super) fn set_waits(&mut self, id: u64, waits: bool) {
        if let Some(connection) = self.get(id) {
            connection.waits = waits;
        }
    }

    /// The refusal of a request that a guest may not make; `None` if it is permitted.
    pub(super) fn refuse(&mut self, id: u64, ask: &Ask) -> Option<Event> {
        let connection = self.get(id)?;
        connection.has_stopped |= matches!(ask, Ask::Stop { .. } | Ask::Undo);
        let stays = match ask {
            Ask::Attach { .. } | Ask::Exec(_) => true,
            Ask::Wait => !connection.has_stopped,
            _ => false,
        };
        (connection.is_guest && stays).then(too_many)
    }

    /// Whether the command has ended or is ending: the kernel closes its descriptors in no particular order.
    pub(super) fn is_ending(&self, id: u64) -> bool {
        self.socket(id).is_none_or(|socket| socket::peer(socket).map_or(true, process::is_ending))
    }

    /// Closes a connection. If it was that of a member of this pod, returns the member's names.
    pub(super) fn forget(&mut self, id: u64) -> Option<Vec<String>> {
        let at = self.all.iter().position(|connection| connection.id == id)?;
        self.all.remove(at).member
    }

    /// Tells all commands that wait how a run of the program ended. `missed` is how many bytes of output each command
    /// did not get.
    pub(super) fn tell_end_of_run(&self, code: i32, missed: &[(u64, u64)]) {
        for connection in self.all.iter().filter(|connection| connection.waits) {
            let missed = missed.iter().find(|(id, _)| *id == connection.id).map_or(0, |(_, bytes)| *bytes);
            // If the command has ended, it need not know.
            drop(protocol::send(connection.socket.as_fd(), &Event::Exited { code, missed }, &[]));
        }
    }

    /// Tells them how the last run ended, and closes every connection.
    pub(super) fn tell_end(&mut self, code: i32, missed: &[(u64, u64)]) {
        self.tell_end_of_run(code, missed);
        self.all.clear();
    }

    fn get(&mut self, id: u64) -> Option<&mut Connection> {
        self.all.iter_mut().find(|connection| connection.id == id)
    }
}

/// The number from which on a descriptor is a guest's: the kernel assigns the lowest that is free.
fn bound() -> u64 {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    limit - HEADROOM.min(limit / 2)
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

fn too_many() -> Event {
    let report = Report::new(ReportKind::Unavailable, "too many commands are connected to the container's monitor");
    let hint = "end some of them, or start the container with a higher limit of open files: `ulimit -n`";
    Event::Failed(report.with_hint(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_does_not_read_is_not_waited_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let dir = crate::sys::fs::open(directory.path()).expect("opens");
        let mut connections = Connections::new(socket::listen_at(dir.as_fd(), "ctl").expect("listens"));
        let mut timers = Timers::default();
        let _client = socket::connect_at(dir.as_fd(), "ctl").expect("connects");
        connections.accept(&mut timers);
        let (id, _) = connections.sockets().next().expect("it was accepted");
        let told = (0..1_000_000).position(|_| !connections.tell(id, &Event::Done, &[]));
        assert!(told.is_some_and(|events| events > 10), "{told:?}");
        // Nothing has come in: this does not wait either.
        connections.accept(&mut timers);
        assert_eq!(connections.sockets().count(), 1);
    }
}
