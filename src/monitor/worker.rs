//! Makes changes that may take long, because the kernel stops processes or reclaims memory for them, or because the
//! service manager is asked. A forked child makes each, one after the other, and the loop continues.
//!
//! ```text
//! monitor ── fork ─→ worker   makes the change, and sends the event that answers the command
//!    │ ←──── event ─────┘
//!    └── records the change, if it succeeded
//! ```

use std::collections::VecDeque;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use serde::{Deserialize, Serialize};

use super::change::{AppliesTo, Target};
use super::protocol::{self, Event};
use crate::net::member::{Handover, Member};
use crate::plan::{Changes, NetworkChange};
use crate::sys::process::{Child, CloneOptions, fork};
use crate::sys::{prctl, signal, socket};
use crate::types::{Report, ReportKind};

/// How many jobs may wait.
const MOST: usize = 256;

/// A change.
#[derive(Debug)]
pub(super) enum Task {
    Pause,
    Unpause,
    Update(Box<Changes>),
    Network(Box<NetworkChange>),
}

impl Task {
    /// What it is called in events.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Update(_) => "update",
            Self::Network(_) => "network",
        }
    }
}

/// A task, and the connection that gets the answer.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) connection: u64,
    pub(super) task: Task,
}

/// What the child says when it is done.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    event: Event,
    /// A place in a network, whose descriptors come with this.
    member: Option<Handover>,
}

/// A finished job.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) job: Job,
    /// The program ran when the job was begun.
    pub(super) was_running: bool,
    pub(super) event: Event,
    /// Its child has died before it was done.
    pub(super) has_died: bool,
    /// The place in a network that it has made.
    pub(super) member: Option<(Handover, Vec<OwnedFd>)>,
    /// Its child, which ends by itself: kept until the command has its answer, which need not wait for that.
    pub(super) child: Ending,
}

/// A child that has done its work. It is waited for when this is dropped.
#[derive(Debug)]
pub(super) struct Ending(Child);

impl Drop for Ending {
    fn drop(&mut self) {
        reap(&self.0);
    }
}

/// A job that is being done.
#[derive(Debug)]
struct Current {
    job: Job,
    was_running: bool,
    child: Child,
    answer: OwnedFd,
}

/// The current job, and those that wait.
#[derive(Debug, Default)]
pub(super) struct Worker {
    queue: VecDeque<Job>,
    current: Option<Current>,
}

impl Worker {
    /// Adds a job; `false` if there are too many.
    pub(super) fn add(&mut self, job: Job) -> bool {
        let has_room = self.queue.len() < MOST;
        if has_room {
            self.queue.push_back(job);
        }
        has_room
    }

    /// The job that has just finished is the next one again.
    pub(super) fn put_back(&mut self, job: Job) {
        self.queue.push_front(job);
    }

    /// Drops the jobs of a command that has ended, if they have not begun.
    pub(super) fn forget(&mut self, connection: u64) {
        self.queue.retain(|job| job.connection != connection);
    }

    /// Takes the next job, unless one is being done.
    pub(super) fn next(&mut self) -> Option<Job> {
        if self.current.is_some() { None } else { self.queue.pop_front() }
    }

    /// Begins a job on `target`. Fails with the answer to its command.
    pub(super) fn begin(&mut self, job: Job, target: &Target<'_>) -> Result<(), (u64, Event)> {
        let failed = |error: std::io::Error, connection| {
            let message = format!("cannot fork: {}", crate::sys::fs::plain(&error));
            (connection, Event::Failed(Report::new(ReportKind::of_step(&error), message)))
        };
        let (answer, theirs) = socket::pair().map_err(|error| failed(error, job.connection))?;
        let forked = fork(&CloneOptions::default(), || {
            let ready = prctl::die_with_parent().and_then(|()| signal::unblock_all());
            if ready.is_err() {
                return 125;
            }
            let (event, member) = match &job.task {
                Task::Pause => (target.pause(), None),
                Task::Unpause => (target.unpause(), None),
                Task::Update(changes) => (target.update(changes), None),
                Task::Network(change) => target.change_networks(change),
            };
            let (member, descriptors) = member.as_ref().map(Member::hand_over).unzip();
            let descriptors = descriptors.unwrap_or_default();
            i32::from(protocol::send(theirs.as_fd(), &Answer { event, member }, &descriptors).is_err())
        });
        match forked {
            Ok(child) => {
                let was_running = matches!(target.applies_to, AppliesTo::Running(_));
                self.current = Some(Current { job, was_running, child, answer });
            }
            Err(error) => return Err(failed(error, job.connection)),
        }
        Ok(())
    }

    /// A descriptor that is readable when the job is done, or its child has died.
    pub(super) fn answer(&self) -> Option<BorrowedFd<'_>> {
        self.current.as_ref().map(|current| current.answer.as_fd())
    }

    /// Takes the finished job and its answer.
    pub(super) fn finish(&mut self) -> Option<Finished> {
        let Current { job, was_running, child, answer } = self.current.take()?;
        let answered = protocol::receive::<Answer>(&answer).ok().flatten();
        let has_died = answered.is_none();
        let (event, member) = match answered {
            Some((Answer { event, member }, descriptors)) => (event, member.map(|member| (member, descriptors))),
            None => {
                // It may live, and must change nothing any more.
                reap(&child);
                (died(), None)
            }
        };
        Some(Finished { job, was_running, event, has_died, member, child: Ending(child) })
    }

    /// Whether a pause is being made.
    pub(super) fn is_pausing(&self) -> bool {
        self.current.as_ref().is_some_and(|current| matches!(current.job.task, Task::Pause))
    }

    /// Cancels a pause that is being made, and returns the connection that has asked for it.
    pub(super) fn cancel_pause(&mut self) -> Option<u64> {
        let current = self.current.take_if(|current| matches!(current.job.task, Task::Pause))?;
        reap(&current.child);
        Some(current.job.connection)
    }

    /// Kills the child that is changing the networks of the running container, and returns the change. Its command
    /// waits on.
    pub(super) fn kill_network_change(&self) -> Option<&NetworkChange> {
        let current = self.current.as_ref().filter(|current| current.was_running)?;
        let Task::Network(change) = &current.job.task else { return None };
        reap(&current.child);
        Some(change)
    }

    /// Cancels all jobs, and returns their connections, which get no other answer.
    pub(super) fn cancel(&mut self) -> Vec<u64> {
        let current = self.current.take().map(|current| {
            reap(&current.child);
            current.job.connection
        });
        current.into_iter().chain(self.queue.drain(..).map(|job| job.connection)).collect()
    }
}

/// Kills one of rc's own processes, which ends at once, and waits for it.
fn reap(child: &Child) {
    drop(child.signal(libc::SIGKILL));
    drop(child.wait());
}

fn died() -> Event {
    Event::Failed(Report::new(ReportKind::Internal, "the process that was making the change has died"))
}
