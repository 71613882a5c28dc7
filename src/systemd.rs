//! Asking the service manager for a scope: a group of its own for a container and its monitor, beside the session that
//! the command was typed in.
//!
//! ```text
//! ask    connect to the manager's own socket; log in, StartTransientUnit: one write, nothing is read
//! wait   the answer, then the signal JobRemoved: the monitor is in the scope now, and the scope is delegated
//! end    the last process leaves, the manager removes the scope; nobody has to ask for it
//! ```
//!
//! The manager's own socket (`$XDG_RUNTIME_DIR/systemd/private`, the one that `systemctl --user` uses) saves the bus
//! daemon and two round trips, and is there where no bus daemon is installed. Nothing of the start waits between
//! [`Pending::ask`] and [`Pending::wait`], and neither waits for longer than a deadline: a manager that hangs must not
//! hang `rc run`.
//!
//! The D-Bus library is ours, some two hundred lines for one call and one signal. zbus is asynchronous and has threads,
//! and a process that forks and unshares may have one; rustbus logs in without a deadline, and has not been released
//! since 2023 (it brings nix 0.26, syn 1 and bitflags 1 along).
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
/// How long the manager may take. A scope takes it some 5 ms; a hundred containers that start at once have to queue.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why there is no scope.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nobody listens: the user has no session and does not linger, or another init runs.
    #[error("no service manager answers at `{}`: {}", .socket.display(), crate::sys::fs::plain(.source))]
    Absent {
        /// The manager's socket.
        socket: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// The manager is there, and silent.
    #[error("the service manager at `{}` did not answer within {seconds} s", .socket.display())]
    Silent {
        /// The manager's socket.
        socket: PathBuf,
        /// How long was waited.
        seconds: u64,
    },
    /// What was read is no D-Bus, or not the answer to what was asked.
    #[error("cannot understand the answer of the service manager at `{}`", .socket.display())]
    Garbled {
        /// The manager's socket.
        socket: PathBuf,
    },
    /// The manager will not.
    #[error("the service manager refuses to {what}: {reason}")]
    Refused {
        /// What it was asked to do.
        what: String,
        /// The manager's sentence, or the result of its job.
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

/// The socket of the manager that makes this user's scopes: for root the system's, for others their own, in the runtime
/// directory of the session, or where logind makes it.
pub(crate) fn socket() -> PathBuf {
    let user = rustix::process::geteuid();
    if user.is_root() {
        return PathBuf::from("/run/systemd/private");
    }
    let session = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    session.unwrap_or_else(|| PathBuf::from(format!("/run/user/{}", user.as_raw()))).join("systemd/private")
}

/// Whether the manager at `socket` answers; the version that it tells of itself.
pub(crate) fn version(socket: &Path) -> Result<String, Error> {
    let answer = property(socket, message::MANAGER, "org.freedesktop.systemd1.Manager", "Version")?;
    answer.string().ok_or_else(|| Error::Garbled { socket: socket.to_owned() })
}

/// The group that the manager at `socket` makes its units in, relative to the mount of cgroup v2.
pub(crate) fn control_group(socket: &Path) -> Result<String, Error> {
    let answer = property(socket, message::MANAGER, "org.freedesktop.systemd1.Manager", "ControlGroup")?;
    let group = answer.string().ok_or_else(|| Error::Garbled { socket: socket.to_owned() })?;
    Ok(if group.is_empty() { "/".to_owned() } else { group })
}

/// Whether the manager at `socket` has delegated its unit, a service or a scope.
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
    connection.answer(&format!("tell `{name}`"))
}

/// A scope that is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    /// Its name, `rc-ID.scope`; no other unit may have it.
    pub(crate) unit: &'a str,
    /// What `systemctl status` says about it.
    pub(crate) description: &'a str,
    /// The slice that it is put into.
    pub(crate) slice: &'a str,
    /// The process that it begins with, of this user.
    pub(crate) pid: i32,
    /// What it gets beside other units.
    pub(crate) weights: Weights,
}

/// What a unit gets of what others want, too: 1 to 10000, 100 is everybody's. Source: systemd.resource-control(5).
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

/// Changes the weights of a unit of the manager at `socket`, until it ends. Fine if there are none to change.
pub(crate) fn set_weights(socket: &Path, unit: &str, weights: Weights) -> Result<(), Error> {
    if weights == Weights::default() {
        return Ok(());
    }
    let mut connection = Connection::open(socket, Instant::now() + DEADLINE)?;
    let mut body = Body::default();
    body.string(unit);
    // Only for this run: there is no file of a scope's.
    body.number(1);
    body.array(8, |body| weights.write(body));
    let manager = "org.freedesktop.systemd1.Manager";
    connection.send(&message::call(message::MANAGER, manager, "SetUnitProperties", "sba(sv)", &body))?;
    connection.answer(&format!("change the weights of `{unit}`")).map(drop)
}

/// A scope that has been asked for.
#[derive(Debug)]
pub(crate) struct Pending {
    connection: Connection,
    unit: String,
}

impl Pending {
    /// Asks the manager at `socket` for a scope that is delegated, without limits of its own, and removed with its last
    /// process, also if it failed.
    ///
    /// The process may be in a session's group, where only the system's manager can take it from: the user's asks that
    /// one.
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
            // The container's own limit is set below it; the manager's default is for a terminal.
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
        let what = format!("make the scope `{}`", self.unit);
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

/// Unit and result of the signal `JobRemoved`: number, job, unit, result.
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
