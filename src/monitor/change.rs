//! The changes that a monitor makes on request: pause, unpause, limits, the restart policy. The worker makes the change
//! (`worker`), and the monitor records it (`jobs`).

use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::cgroup_source::{cgroup_name, reweigh};
use super::directory::ContainerDir;
use super::networks::{Networks, Running};
use super::protocol::Event;
use super::record::Status;
use crate::net::member::Member;
use crate::plan::{self, Changes, Limits, NetworkChange, RestartPolicy};
use crate::runtime::cgroup::{self, Group, RequestedLimits};
use crate::sys::process_id::ProcessId;
use crate::types::{Report, ReportKind};

/// How long the kernel may take to freeze or thaw a cgroup.
const FREEZE_TIMEOUT: Duration = Duration::from_secs(10);

/// The container to change.
pub(super) struct Target<'a> {
    pub(super) directory: &'a ContainerDir,
    pub(super) status: Status,
    /// Whether a restarted program would have the same descriptors as this one.
    pub(super) can_restart: bool,
    pub(super) applies_to: AppliesTo<'a>,
    pub(super) networks: &'a Networks,
    /// The pidfd of the container's process 1, if the program runs.
    pub(super) init: Option<BorrowedFd<'a>>,
    /// The same process, as it was recorded.
    pub(super) process: Option<&'a ProcessId>,
}

/// What a change applies to.
#[derive(Debug, Clone, Copy)]
pub(super) enum AppliesTo<'a> {
    /// The running program, in this cgroup if it has one.
    Running(Option<&'a Group>),
    /// The next start.
    NextStart,
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the container is {}", .0.as_str())]
    Status(Status),
    #[error("the container's program does not run")]
    NoProgram,
    #[error(
        "the restart policy can only be changed while the container does not run: its program has descriptors of the \
         command that started it, which a restart would not have"
    )]
    CannotRestart,
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
    #[error(transparent)]
    ContainerDir(#[from] super::directory::Error),
    #[error(transparent)]
    Plan(#[from] plan::Error),
    #[error(transparent)]
    Manager(#[from] crate::systemd::Error),
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Cgroup(error) => return error.into(),
            Error::ContainerDir(error) => return error.into(),
            Error::Plan(error) => return error.into(),
            Error::Manager(error) => return error.into(),
            Error::Status(_) | Error::NoProgram | Error::CannotRestart => ReportKind::Conflict,
        };
        Self::new(kind, error.to_string())
    }
}

impl Target<'_> {
    /// Freezes all processes of the container.
    pub(super) fn pause(&self) -> Event {
        answer(self.cgroup_if(Status::Running).and_then(|cgroup| Ok(cgroup.freeze(FREEZE_TIMEOUT)?)))
    }

    /// Thaws them.
    pub(super) fn unpause(&self) -> Event {
        answer(self.cgroup_if(Status::Paused).and_then(|cgroup| Ok(cgroup.thaw(FREEZE_TIMEOUT)?)))
    }

    /// The cgroup of a container that has this status.
    fn cgroup_if(&self, status: Status) -> Result<&Group, Error> {
        if self.status != status {
            return Err(Error::Status(self.status));
        }
        let AppliesTo::Running(cgroup) = self.applies_to else { return Err(Error::NoProgram) };
        Ok(cgroup.ok_or(cgroup::Error::NoGroupToFreeze)?)
    }

    /// Changes limits and the restart policy, in the kernel and in the container's directory: everything in `changes`,
    /// or nothing.
    pub(super) fn update(&self, changes: &Changes) -> Event {
        answer((|| {
            let config = self.directory.config()?;
            let updated = config.changed_by(changes)?;
            if updated.restart != RestartPolicy::No && !self.can_restart {
                return Err(Error::CannotRestart);
            }
            let name = cgroup_name(&config.id);
            self.set(&name, &config.limits, &updated.limits)?;
            let written = self.directory.write_updated(&updated);
            if written.is_err() {
                // Restores the former values; the first error is the one to report.
                drop(self.set(&name, &updated.limits, &config.limits));
            }
            Ok(written?)
        })())
    }

    /// Changes the networks of the container, in it and in its directory, or nothing. Returns the new place in one.
    pub(super) fn change_networks(&self, change: &NetworkChange) -> (Event, Option<Member>) {
        let (AppliesTo::Running(_), Some(init)) = (self.applies_to, self.init) else {
            return (answer(self.plan_networks(change)), None);
        };
        match self.networks.change(Running { directory: self.directory, init, process: self.process }, change) {
            Ok(member) => (Event::Done, member),
            Err(report) => (Event::Failed(report), None),
        }
    }

    /// Changes the networks that the next run is in.
    fn plan_networks(&self, change: &NetworkChange) -> Result<(), Error> {
        if *change == NetworkChange::Reload {
            return Err(Error::NoProgram);
        }
        let config = self.directory.config()?;
        Ok(self.directory.write_updated(&config.reconnected(change)?)?)
    }

    fn set(&self, name: &str, from: &Limits, to: &Limits) -> Result<(), Error> {
        let AppliesTo::Running(cgroup) = self.applies_to else { return Ok(()) };
        let Some(resources) = plan::resources(from, to) else { return Ok(()) };
        let wanted = RequestedLimits { resources: Some(&resources), default_pids: None, is_divided: false };
        let Some(cgroup) = cgroup else { return Ok(cgroup::check(None, &wanted)?) };
        cgroup.update(&resources)?;
        let reweighed = reweigh(cgroup, name, &wanted);
        if reweighed.is_err()
            && let Some(back) = plan::resources(to, from)
        {
            // Restores the former values; the first error is the one to report.
            drop(cgroup.update(&back));
        }
        Ok(reweighed?)
    }
}

fn answer(result: Result<(), Error>) -> Event {
    result.map_or_else(|error| Event::Failed(error.into()), |()| Event::Done)
}
