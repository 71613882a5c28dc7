//! What a monitor changes when it is asked to: pause, go on, other limits, another restart rule. The worker makes the
//! change (`worker`); the monitor writes down what has come of it.

use std::time::Duration;

use super::directory::ContainerDir;
use super::protocol::Event;
use super::record::Status;
use crate::plan::{self, Changes, Limits, RestartPolicy};
use crate::runtime::cgroup::{self, Group, Wanted};
use crate::types::{Report, ReportKind};

/// How long the kernel may take to stop all processes of a group, or to let them go on.
const PATIENCE: Duration = Duration::from_secs(10);

/// The container that is changed.
pub(super) struct Target<'a> {
    pub(super) directory: &'a ContainerDir,
    pub(super) status: Status,
    pub(super) rule: Policy,
    pub(super) program: Standing<'a>,
}

/// What the restart rule follows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    pub(super) policy: RestartPolicy,
    /// Whether a program that is started again would have the descriptors that this one has.
    pub(super) can_be_on: bool,
}

/// Whether there are processes that a change is for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Standing<'a> {
    /// It runs, in this group if it has one.
    Runs(Option<&'a Group>),
    /// It has ended: what is changed is for its next start.
    Ended,
}

/// Why it was not changed.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the container is {}", .0.as_str())]
    Status(Status),
    #[error("the container's program does not run")]
    NoProgram,
    #[error(
        "the restart policy can only be changed while the container does not run: its program has descriptors of the \
         command that started it, which nobody has kept for a restart"
    )]
    NotKept,
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
            Error::Status(_) | Error::NoProgram | Error::NotKept => ReportKind::Conflict,
        };
        Self::new(kind, error.to_string())
    }
}

impl Target<'_> {
    /// Stops all processes of the container where they are.
    pub(super) fn pause(&self) -> Event {
        answer(self.group_that_is(Status::Running).and_then(|group| Ok(group.freeze(PATIENCE)?)))
    }

    /// Lets them go on.
    pub(super) fn unpause(&self) -> Event {
        answer(self.group_that_is(Status::Paused).and_then(|group| Ok(group.thaw(PATIENCE)?)))
    }

    /// The group of a container that is in this state.
    fn group_that_is(&self, status: Status) -> Result<&Group, Error> {
        if self.status != status {
            return Err(Error::Status(self.status));
        }
        let Standing::Runs(group) = self.program else { return Err(Error::NoProgram) };
        Ok(group.ok_or(cgroup::Error::NoGroupToFreeze)?)
    }

    /// Changes limits and the restart rule, in the kernel and in the container's directory: all that is named, or nothing.
    pub(super) fn update(&self, changes: &Changes) -> Event {
        answer((|| {
            let config = self.directory.config()?;
            let updated = config.changed_by(changes)?;
            if updated.restart != RestartPolicy::No && !self.rule.can_be_on {
                return Err(Error::NotKept);
            }
            let name = super::group_name(&config.id);
            self.set(&name, &config.limits, &updated.limits)?;
            let kept = self.directory.write_updated(&updated);
            if kept.is_err() {
                // What was there before is taken again; the first error is the one to tell.
                drop(self.set(&name, &updated.limits, &config.limits));
            }
            Ok(kept?)
        })())
    }

    fn set(&self, name: &str, from: &Limits, to: &Limits) -> Result<(), Error> {
        let Standing::Runs(group) = self.program else { return Ok(()) };
        let Some(resources) = plan::resources(from, to) else { return Ok(()) };
        let wanted = Wanted { resources: Some(&resources), default_pids: None };
        let Some(group) = group else { return Ok(cgroup::check(None, &wanted)?) };
        group.update(&resources)?;
        let reweighed = super::group::reweigh(group, name, &wanted);
        if reweighed.is_err()
            && let Some(back) = plan::resources(to, from)
        {
            // What was there before is taken again; the first error is the one to tell.
            drop(group.update(&back));
        }
        Ok(reweighed?)
    }
}

fn answer(result: Result<(), Error>) -> Event {
    result.map_or_else(|error| Event::Failed(error.into()), |()| Event::Done)
}
