//! What a failure means if the container has changed since a command looked at it: another command may remove it, and
//! its program may end, at any moment. Then a file is missing or its monitor does not answer, and the user is told what
//! has happened to the container instead.

use std::io;

use super::{Container, Error};
use crate::monitor::{ContainerDir, Status};
use crate::sys::fs;
use crate::types::{Name, Report, ReportKind, Thing};

/// A container as a command has seen it before it began to act on it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    directory: ContainerDir,
    name: Name,
    /// Its run.
    run: u64,
    /// Whether it ran.
    is_running: bool,
    /// What the command does, as an infinitive.
    action: &'static str,
}

impl Container {
    /// The container, for a command that begins to act on it; `action` is an infinitive.
    pub(super) fn seen(&self, action: &'static str) -> Seen {
        Seen {
            directory: self.directory.clone(),
            name: self.config.name.clone(),
            run: self.state.run,
            is_running: self.is_running(),
            action,
        }
    }

    /// The error of an action on the container, or what has happened to the container if that is the reason.
    pub(super) fn explain(&self, action: &'static str, error: Error) -> Error {
        self.seen(action).explain(error)
    }

    /// The error of a start of this container, which was initialized, or what has happened to it if its monitor has not
    /// answered. Its program has not run, so nothing has ended.
    pub(super) fn explain_begin(&self, error: Error) -> Error {
        if !is_of_monitor(&error) {
            return error;
        }
        match Self::read(self.directory.clone()) {
            // Its monitor has withdrawn it; it may have been started again since.
            Ok(now) if now.state.run < self.state.run || now.is_running() => {
                Error::StoppedMeanwhile(self.config.name.to_string())
            }
            Err(_) if self.is_gone() => self.not_found(),
            Ok(_) | Err(_) => Error::MonitorDied,
        }
    }

    /// The container as it is now. Fails with `NotFound` if it was removed.
    pub(crate) fn again(&self) -> Result<Self, Error> {
        match Self::read(self.directory.clone()) {
            Err(error) if error.is_not_found() && self.is_gone() => Err(self.not_found()),
            other => other,
        }
    }

    /// The report of a failure of work on the container's files, or that the container was removed meanwhile.
    pub(crate) fn unless_removed(&self, report: Report) -> Report {
        let may_be = matches!(report.kind, ReportKind::NotFound(Thing::File) | ReportKind::Internal);
        if may_be && self.is_gone() { self.not_found().into() } else { report }
    }

    /// Whether it was removed since it was read.
    fn is_gone(&self) -> bool {
        is_gone(&self.directory)
    }

    /// The error of an action on a container that was removed.
    pub(super) fn not_found(&self) -> Error {
        Error::NotFound(self.config.name.to_string())
    }

    /// The error of an action on a container whose program has ended since it was read.
    pub(super) fn just_ended(&self, action: &'static str) -> Error {
        Error::JustEnded { action, name: self.config.name.to_string() }
    }
}

impl Seen {
    /// The error, or what has happened to the container since if that is the reason.
    pub(super) fn explain(&self, error: Error) -> Error {
        let is_of_monitor = is_of_monitor(&error);
        // What a monitor refuses whose program has just ended.
        let is_refused = matches!(&error, Error::Told(report) if report.kind == ReportKind::Conflict);
        if !is_of_monitor && !is_refused && !error.is_not_found() {
            return error;
        }
        let name = || self.name.to_string();
        let now = match Container::read(self.directory.clone()) {
            Ok(now) => now,
            Err(_) if is_gone(&self.directory) => return Error::NotFound(name()),
            Err(_) => return error,
        };
        let lost_its_monitor = |now: &Container| {
            now.status == Status::Orphaned || now.state.exit.as_ref().is_some_and(|exit| exit.error == super::KILLED)
        };
        if is_of_monitor && lost_its_monitor(&now) {
            return Error::MonitorDied;
        }
        if self.is_running && !now.is_running() {
            return now.cannot(self.action);
        }
        if self.is_running && (now.state.run != self.run || now.has_lost_its_program()) {
            return Error::JustEnded { action: self.action, name: name() };
        }
        error
    }
}

/// Whether the container's monitor could not be asked, or has not answered.
fn is_of_monitor(error: &Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound};
    match error {
        Error::MonitorDied => true,
        Error::Step { source, .. } => {
            matches!(source.kind(), BrokenPipe | ConnectionRefused | ConnectionReset | NotFound)
        }
        _ => false,
    }
}

/// Whether there is nothing in the place of a container's directory.
fn is_gone(directory: &ContainerDir) -> bool {
    fs::symlink_metadata(directory.path()).is_err_and(|error| error.is_not_found())
}
