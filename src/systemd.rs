//! Asking the service manager for a scope: a cgroup of its own for a container and its monitor, beside the session in
//! which the user typed the command.
//!
//! ```text
//! ask    connect to the manager's own socket; log in, StartTransientUnit: one write, no read
//! wait   the answer, then the signal JobRemoved: the monitor is in the scope, and the scope is delegated
//! end    the last process exits, and the manager removes the scope without being asked
//! ```
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
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use connection::Connection;
use message::{Body, Kind, Message};

use crate::types::{Report, ReportKind};
/// How long the manager may take. A scope takes it some 5 ms, and a hundred containers may start at once.
const DEADLINE: Duration = Duration::from_secs(10);

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
    /// Its name, `rc-ID.scope`; no other unit may have it.
    pub(crate) unit: &'a str,
    /// Its description in `systemctl status`.
    pub(crate) description: &'a str,
    /// Its slice.
    pub(crate) slice: &'a str,
    /// Its first process, of this user.
    pub(crate) pid: i32,
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
    let mut connection = Connection::open(socket, Instant::now() + DEADLINE)?;
    let mut body = Body::default();
    body.string(unit);
    // Only for this run: a scope has no file.
    body.number(1);
    body.array(8, |body| weights.write(body));
    let manager = "org.freedesktop.systemd1.Manager";
    connection.send(&message::call(message::MANAGER, manager, "SetUnitProperties", "sba(sv)", &body))?;
    connection.answer(&format!("change the weights of `{unit}`")).map(drop)
}

/// A scope that rc has asked for.
#[derive(Debug)]
pub(crate) struct Pending {
    connection: Connection,
    unit: String,
}

impl Pending {
    /// Asks the manager at `socket` for a scope that is delegated, has no limits of its own, and is removed with its
    /// last process, even if it failed.
    ///
    /// The process may be in a session's cgroup, from which only the system's manager can move it: the user's manager
    /// asks that one.
    pub(crate) fn ask(socket: &Path, scope: &Scope<'_>) -> Result<Self, Error> {
        let mut connection = Connection::open(socket, Instant::now() + DEADLINE)?;
        let mut body = Body::default();
        body.string(scope.unit);
        body.string("fail");
        body.array(8, |body| {
            body.property("Description", "s", |body| body.string(scope.description));
            body.property("Slice", "s", |body| body.string(scope.slice));
            body.property("CollectMode", "s", |body| body.string("inactive-or-failed"));
            body.property("Delegate", "b", |body| body.number(1));
            // The container's own limit is set below it; the manager's default is meant for a terminal.
            body.property("TasksMax", "t", |body| body.long(u64::MAX));
            scope.weights.write(body);
            body.property("PIDs", "au", |body| body.array(4, |body| body.number(scope.pid.unsigned_abs())));
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

    /// Returns when the process is in the scope.
    pub(crate) fn wait(mut self) -> Result<(), Error> {
        let what = format!("create the scope `{}`", self.unit);
        self.connection.answer(&what)?;
        loop {
            let message = self.connection.receive()?;
            match job_removed(&message) {
                Some((unit, result)) if unit == self.unit => {
                    return match result.as_str() {
                        "done" => Ok(()),
                        _ => Err(Error::Refused { what, reason: format!("its job ended with `{result}`") }),
                    };
                }
                _ => {}
            }
        }
    }
}

/// The unit and the result in the signal `JobRemoved`: number, job, unit, result.
fn job_removed(message: &Message) -> Option<(String, String)> {
    if message.kind != Kind::Signal || message.member != "JobRemoved" {
        return None;
    }
    let mut body = message.body();
    body.number()?;
    body.string()?;
    Some((body.string()?, body.string()?))
}

#[cfg(test)]
mod tests;
