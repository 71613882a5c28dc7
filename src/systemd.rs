//! Asking the service manager for a scope: a cgroup of its own, beside the session or the unit in which the command
//! runs, for a container and its monitor, or for the keeper of a network.
//!
//! ```text
//! ask    connect to the manager's own socket; log in, StartTransientUnit: one write, no read
//! wait   the answer, then the signal JobRemoved: the processes are in the scope, which may be delegated to them
//! end    the last process exits, and the manager removes the scope without being asked
//! ```
//!
//! The manager is also asked about units, and to restart them (`rc auto-update`).
//!
//! The manager's own socket (`$XDG_RUNTIME_DIR/systemd/private`, the one that `systemctl --user` uses) saves the bus
//! daemon and two round trips, and exists even if no bus daemon is installed. The start does other work between
//! [`Pending::ask`] and [`Pending::wait`], and both have a deadline: a manager that hangs must not make `rc run` hang.
//!
//! The D-Bus library is our own, some two hundred lines for one call and one signal. zbus is asynchronous and has
//! threads, but a process that forks and unshares must have only one; rustbus logs in without a deadline, and has had
//! no release since 2023 (it would add nix 0.26, syn 1 and bitflags 1).
//!
//! Sources: the D-Bus specification; org.freedesktop.systemd1(5); systemd's CGROUP_DELEGATION.md; systemd.scope(5).

mod connection;
mod message;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use connection::Connection;
use message::{Body, Kind, Message};

use crate::types::{Report, ReportKind};
/// How long the manager may take. A scope takes it some 5 ms, and a hundred containers may start at once.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long a unit may take to stop and to start. The manager itself bounds each, by the unit's own timeouts.
const RESTART_DEADLINE: Duration = Duration::from_secs(3600);

/// Why there is no scope.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No manager listens: the user has no session and does not linger, or the host has another init.
    #[error("no service manager answers at `{}`: {}", .socket.display(), crate::sys::fs::plain(.source))]
    Absent {
        /// The manager's socket.
        socket: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The manager accepts the connection and does not answer.
    #[error("the service manager at `{}` did not answer within {seconds} s", .socket.display())]
    Silent {
        /// The manager's socket.
        socket: PathBuf,
        /// How long rc waited.
        seconds: u64,
    },
    /// The bytes read are not D-Bus, or not the answer to the call.
    #[error("cannot understand the answer of the service manager at `{}`", .socket.display())]
    Garbled {
        /// The manager's socket.
        socket: PathBuf,
    },
    /// The manager refuses.
    #[error("the service manager refuses to {what}: {reason}")]
    Refused {
        /// The operation.
        what: String,
        /// The manager's error, or the result of its job.
        reason: String,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Absent { .. } => ReportKind::Unavailable,
            Error::Silent { .. } => ReportKind::TimedOut,
            Error::Garbled { .. } => ReportKind::Internal,
            Error::Refused { .. } => ReportKind::Denied,
        };
        Self::new(kind, error.to_string())
    }
}

/// The socket of the manager that creates this user's scopes: for root the system's manager, for others their own; it
/// is in the session's runtime directory, or where logind creates it.
pub(crate) fn socket() -> PathBuf {
    let user = rustix::process::geteuid();
    if user.is_root() {
        return PathBuf::from("/run/systemd/private");
    }
    let session = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    session.unwrap_or_else(|| PathBuf::from(format!("/run/user/{}", user.as_raw()))).join("systemd/private")
}

/// The slice in which this user's scopes are made: root's are in that of machines. Source: podman.
pub(crate) fn slice() -> &'static str {
    if rustix::process::geteuid().is_root() { "machine.slice" } else { "user.slice" }
}

/// The version of the manager at `socket`; an error if it does not answer.
pub(crate) fn version(socket: &Path) -> Result<String, Error> {
    let answer = property(socket, message::MANAGER, "org.freedesktop.systemd1.Manager", "Version")?;
    answer.string().ok_or_else(|| Error::Garbled { socket: socket.to_owned() })
}

/// The cgroup in which the manager at `socket` creates its units, relative to the mount of cgroup v2.
pub(crate) fn control_group(socket: &Path) -> Result<String, Error> {
    let answer = property(socket, message::MANAGER, "org.freedesktop.systemd1.Manager", "ControlGroup")?;
    let group = answer.string().ok_or_else(|| Error::Garbled { socket: socket.to_owned() })?;
    Ok(if group.is_empty() { "/".to_owned() } else { group })
}

/// Whether the manager at `socket` has delegated its unit, which is a service or a scope.
pub(crate) fn is_delegated(socket: &Path, unit: &str) -> Result<bool, Error> {
    let kind =
        if unit.ends_with(".scope") { "org.freedesktop.systemd1.Scope" } else { "org.freedesktop.systemd1.Service" };
    let answer = property(socket, &message::unit_path(unit), kind, "Delegate")?;
    answer.boolean().ok_or_else(|| Error::Garbled { socket: socket.to_owned() })
}

fn property(socket: &Path, object: &str, interface: &str, name: &str) -> Result<Message, Error> {
    let mut connection = Connection::open(socket, Instant::now() + DEADLINE)?;
    let mut body = Body::default();
    body.string(interface);
    body.string(name);
    connection.send(&message::call(object, "org.freedesktop.DBus.Properties", "Get", "ss", &body))?;
    connection.answer(&format!("report `{name}`"))
}

/// A scope to ask for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// Its name, such as `rc-ID.scope`; no other unit may have it.
    pub(crate) unit: &'a str,
    /// Its description in `systemctl status`.
    pub(crate) description: &'a str,
    /// Its slice.
    pub(crate) slice: &'a str,
    /// Its first processes, of this user.
    pub(crate) pids: &'a [i32],
    /// Whether its processes divide its cgroup.
    pub(crate) is_delegated: bool,
    /// The signal that asks its processes to end, if that is not SIGTERM.
    pub(crate) stop_signal: Option<i32>,
    /// Its share of CPU and I/O.
    pub(crate) weights: Weights,
}

/// A unit's share of a resource that others want, too: 1 to 10000, default 100. Source: systemd.resource-control(5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Weights {
    /// `CPUWeight`.
    pub(crate) cpu: Option<u64>,
    /// `IOWeight`.
    pub(crate) io: Option<u64>,
}

impl Weights {
    fn write(self, body: &mut Body) {
        for (name, weight) in [("CPUWeight", self.cpu), ("IOWeight", self.io)] {
            if let Some(weight) = weight {
                body.property(name, "t", |body| body.long(weight));
            }
        }
    }
}

/// Changes the weights of a unit of the manager at `socket`, until the unit ends. Does nothing if no weight is given.
pub(crate) fn set_weights(socket: &Path, unit: &str, weights: Weights) -> Result<(), Error> {
    if weights == Weights::default() {
        return Ok(());
    }
    set_properties(socket, unit, &format!("change the weights of `{unit}`"), |body| weights.write(body))
}

/// Changes the description of a unit of the manager at `socket`, until the unit ends.
pub(crate) fn describe(socket: &Path, unit: &str, description: &str) -> Result<(), Error> {
    let write = |body: &mut Body| body.property("Description", "s", |body| body.string(description));
    set_properties(socket, unit, &format!("describe `{unit}`"), write)
}

/// Calls `SetUnitProperties`, only for this run: a scope has no file. `what` is for errors.
fn set_properties(socket: &Path, unit: &str, what: &str, write: impl FnOnce(&mut Body)) -> Result<(), Error> {
    let mut connection = Connection::open(socket, Instant::now() + DEADLINE)?;
    let mut body = Body::default();
    body.string(unit);
    body.number(1);
    body.array(8, write);
    let manager = "org.freedesktop.systemd1.Manager";
    connection.send(&message::call(message::MANAGER, manager, "SetUnitProperties", "sba(sv)", &body))?;
    connection.answer(what).map(drop)
}

/// Restarts a unit of the manager at `socket`, and returns when it has started again.
///
/// Fails if it does not start: its job has another result than `done`.
pub(crate) fn restart(socket: &Path, unit: &str) -> Result<(), Error> {
    let mut connection = Connection::open(socket, Instant::now() + DEADLINE)?;
    let mut body = Body::default();
    body.string(unit);
    body.string("replace");
    let manager = "org.freedesktop.systemd1.Manager";
    connection.send(&message::call(message::MANAGER, manager, "RestartUnit", "ss", &body))?;
    let what = format!("restart `{unit}`");
    let job = connection.answer(&what)?.body().string();
    let job = job.ok_or_else(|| Error::Garbled { socket: socket.to_owned() })?;
    connection.wait_until(Instant::now() + RESTART_DEADLINE);
    loop {
        match job_removed(&connection.receive()?) {
            Some(removed) if removed.job != job => {}
            Some(removed) if removed.result == "done" => return Ok(()),
            Some(removed) => {
                let reason = format!("its job ended with `{}`", removed.result);
                return Err(Error::Refused { what, reason });
            }
            None => {}
        }
    }
}

/// A scope that rc has asked for.
#[derive(Debug)]
pub(crate) struct Pending {
    connection: Connection,
    unit: String,
}

impl Pending {
    /// Asks the manager at `socket` for a scope that has no limits of its own, and is removed with its last process,
    /// even if it failed.
    ///
    /// The processes may be in a session's cgroup, from which only the system's manager can move them: the user's
    /// manager asks that one. A manager in another PID namespace would take other processes by their numbers.
    pub(crate) fn ask(socket: &Path, scope: &Scope<'_>) -> Result<Self, Error> {
        let mut connection = Connection::open(socket, Instant::now() + DEADLINE)?;
        connection.check_pids()?;
        let mut body = Body::default();
        body.string(scope.unit);
        body.string("fail");
        body.array(8, |body| {
            body.property("Description", "s", |body| body.string(scope.description));
            body.property("Slice", "s", |body| body.string(scope.slice));
            body.property("CollectMode", "s", |body| body.string("inactive-or-failed"));
            if scope.is_delegated {
                body.property("Delegate", "b", |body| body.number(1));
            }
            if let Some(signal) = scope.stop_signal {
                body.property("KillSignal", "i", |body| body.number(signal.unsigned_abs()));
            }
            // The container's own limit is set below it; the manager's default is meant for a terminal.
            body.property("TasksMax", "t", |body| body.long(u64::MAX));
            scope.weights.write(body);
            body.property("PIDs", "au", |body| {
                body.array(4, |body| scope.pids.iter().for_each(|pid| body.number(pid.unsigned_abs())));
            });
        });
        // No auxiliary units.
        body.array(8, |_| ());
        connection.send(&message::call(
            message::MANAGER,
            "org.freedesktop.systemd1.Manager",
            "StartTransientUnit",
            "ssa(sv)a(sa(sv))",
            &body,
        ))?;
        Ok(Self { connection, unit: scope.unit.to_owned() })
    }

    /// Returns when the processes are in the scope.
    pub(crate) fn wait(mut self) -> Result<(), Error> {
        loop {
            let message = self.connection.receive()?;
            if self.is_done(&message)? {
                return Ok(());
            }
        }
    }

    /// Readable when [`proceed`](Self::proceed) has something to do.
    pub(crate) fn awaited(&self) -> BorrowedFd<'_> {
        self.connection.socket()
    }

    /// Hears what the manager has said so far, without waiting. Returns whether the processes are in the scope.
    pub(crate) fn proceed(&mut self) -> Result<bool, Error> {
        while let Some(message) = self.connection.received()? {
            if self.is_done(&message)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_done(&self, message: &Message) -> Result<bool, Error> {
        let what = || format!("create the scope `{}`", self.unit);
        if let Some(reason) = message.refusal() {
            return Err(Error::Refused { what: what(), reason });
        }
        match job_removed(message) {
            Some(Removed { unit, result, .. }) if unit == self.unit => match result.as_str() {
                "done" => Ok(true),
                _ => Err(Error::Refused { what: what(), reason: format!("its job ended with `{result}`") }),
            },
            _ => Ok(false),
        }
    }
}

/// A job that has ended.
struct Removed {
    job: String,
    unit: String,
    result: String,
}

/// The signal `JobRemoved`: number, job, unit, result.
fn job_removed(message: &Message) -> Option<Removed> {
    if message.kind != Kind::Signal || message.member != "JobRemoved" {
        return None;
    }
    let mut body = message.body();
    body.number()?;
    Some(Removed { job: body.string()?, unit: body.string()?, result: body.string()? })
}

#[cfg(test)]
mod tests;
