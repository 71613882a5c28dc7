//! The pod that the container is in: a connection to the pod's monitor, by which each learns of the other's end.
//!
//! ```text
//! a member ends           the pod's monitor reads the end of the connection; with `--exit-policy stop` the last one
//!                         ends the pod
//! the pod's monitor is    every member reads the end, and forks a child that starts the pod again in the namespaces
//! killed                  that its members have: the first one does, under the pod's lock, and the others connect
//! the pod has ended       its record says so: nobody starts it again
//! the pod is started      who does that tells the members that run, and they connect again: a pod whose process
//! anew                    was killed has ended, and its members have not
//! ```

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

use super::protocol::{self, Ask, Event};
use super::revive::MemberOf;
use super::start::{Error, step};
use super::timers::{Timer, Timers};
use crate::sys::process::{self, Child, CloneOptions, fork};
use crate::sys::{prctl, signal, socket};
use crate::types::Name;

/// The pause before another attempt to find or start the pod.
const PAUSE: Duration = Duration::from_secs(1);

/// What a descriptor in the poll set belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token {
    Connection,
    Revival,
}

/// The connection of a member to its pod.
#[derive(Debug, Default)]
pub(super) struct Membership {
    pod: Option<MemberOf>,
    connection: Option<OwnedFd>,
    revival: Option<Revival>,
    /// The pod's monitor has answered.
    is_known: bool,
    /// The pod has ended, or the container does.
    is_over: bool,
    /// The container has ended.
    has_left: bool,
}

/// A child that starts the pod again.
#[derive(Debug)]
struct Revival {
    child: Child,
    answer: OwnedFd,
}

impl Membership {
    /// That of a container in `pod`, if it is in one that has a monitor.
    pub(super) fn new(pod: Option<MemberOf>) -> Self {
        Self { pod, ..Self::default() }
    }

    /// Connects to the pod, unless it is connected. Fails if the pod does not run.
    pub(super) fn join(&mut self) -> Result<(), Error> {
        if let Some(pod) = &self.pod
            && self.connection.is_none()
        {
            self.connection = Some(connect(pod).map_err(|_| Error::Needed(pod.id.clone()))?);
            (self.is_known, self.is_over) = (false, false);
        }
        Ok(())
    }

    /// The container has another name. If the pod's monitor has not read what it was told before, it does not hear of
    /// it: this one does not wait.
    pub(super) fn rename(&mut self, name: &Name) {
        let Some(pod) = &mut self.pod else { return };
        let Some(own) = pod.names.first_mut().filter(|own| *own != name.as_str()) else { return };
        name.as_str().clone_into(own);
        if let Some(connection) = &self.connection {
            drop(tell_names(connection, pod));
        }
    }

    /// The pod, which has ended, was started again.
    pub(super) fn rejoin(&mut self) -> Event {
        if self.has_left {
            return Event::Done;
        }
        self.join().map_or_else(|error| Event::Failed(error.into()), |()| Event::Done)
    }

    /// The connection on which the pod's monitor has not yet answered: until then its files do not name the container.
    pub(super) fn awaited(&self) -> io::Result<Option<OwnedFd>> {
        let connection = self.connection.as_ref().filter(|_| !self.is_known);
        connection.map(|connection| connection.as_fd().try_clone_to_owned()).transpose()
    }

    /// Leaves the pod: the container has ended.
    pub(super) fn leave(&mut self) {
        (self.is_over, self.has_left) = (true, true);
        self.connection = None;
        if let Some(revival) = self.revival.take() {
            revival.end();
        }
    }

    /// The descriptors to wait for.
    pub(super) fn poll_set(&self) -> impl Iterator<Item = (BorrowedFd<'_>, Token)> {
        let connection = self.connection.as_ref().map(|connection| (connection.as_fd(), Token::Connection));
        connection.into_iter().chain(self.revival.as_ref().map(|revival| (revival.answer.as_fd(), Token::Revival)))
    }

    /// Acts on one ready descriptor.
    pub(super) fn ready(&mut self, token: Token, timers: &mut Timers) {
        match token {
            Token::Connection => {
                let Some(connection) = &self.connection else { return };
                match protocol::receive::<Event>(connection) {
                    // Whatever it is: a pod's monitor of another version says what it likes.
                    Ok(Some(_)) => return self.is_known = true,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                    Ok(None) | Err(_) => self.connection = None,
                }
            }
            Token::Revival => {
                let Some(revival) = self.revival.take() else { return };
                let answer = protocol::receive::<Event>(&revival.answer);
                revival.end();
                match answer.ok().flatten() {
                    Some((Event::Done, _)) => drop(self.join()),
                    // Unless it was started since, and has told this monitor so.
                    Some((Event::Exited { .. }, _)) => self.is_over = self.connection.is_none(),
                    _ => {}
                }
                if self.connection.is_none() && !self.is_over {
                    return timers.set(Timer::Pod, Some(Instant::now() + PAUSE));
                }
            }
        }
        self.revive(timers);
    }

    /// Begins to start the pod again, unless it runs, has ended, or is being started.
    pub(super) fn revive(&mut self, timers: &mut Timers) {
        if self.is_over || self.connection.is_some() || self.revival.is_some() {
            return;
        }
        let Some(pod) = &self.pod else { return };
        match start(pod) {
            Ok(revival) => self.revival = Some(revival),
            Err(_) => timers.set(Timer::Pod, Some(Instant::now() + PAUSE)),
        }
    }
}

impl Revival {
    fn end(self) {
        drop(self.child.signal(libc::SIGKILL));
        drop(self.child.wait());
    }
}

fn connect(pod: &MemberOf) -> Result<OwnedFd, Error> {
    let directory =
        rustix::fs::open(pod.directory.path(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| step("open the pod's directory")(errno.into()))?;
    let connection = socket::connect_at(directory.as_fd(), "ctl").map_err(step("connect to the pod"))?;
    rustix::io::ioctl_fionbio(&connection, true).map_err(|errno| step("join the pod")(errno.into()))?;
    tell_names(&connection, pod).map_err(step("join the pod"))?;
    Ok(connection)
}

fn tell_names(connection: &OwnedFd, pod: &MemberOf) -> io::Result<()> {
    protocol::send(connection.as_fd(), &Ask::Join { names: pod.names.clone() }, &[])
}

fn start(pod: &MemberOf) -> io::Result<Revival> {
    let (answer, theirs) = socket::pair()?;
    let child = fork(&CloneOptions::default(), || {
        let ready = prctl::die_with_parent()
            .and_then(|()| prctl::set_name("rc: revive"))
            // The new monitor must not keep this one's sockets and pipes open.
            .and_then(|()| process::close_all_but(&[theirs.as_fd()]))
            .and_then(|()| signal::unblock_all());
        if ready.is_err() {
            return 125;
        }
        let event = match pod.reviver.revive() {
            Ok(true) => Event::Done,
            Ok(false) => Event::Exited { code: 0, missed: 0 },
            Err(report) => Event::Failed(report),
        };
        i32::from(protocol::send(theirs.as_fd(), &event, &[]).is_err())
    })?;
    Ok(Revival { child, answer })
}
