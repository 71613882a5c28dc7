//! The health checks of a container: what is run, how far that is, and what the results amount to (`course`).
//! `checkup` runs them.

mod course;
mod output;

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use oci_spec::runtime::Process;

use self::course::Course;
pub(super) use self::course::Outcome;
pub(super) use self::output::Output;
use super::record::{HealthRecord, HealthResult, HealthStatus};
use super::start::Start;
use super::timers::{Timer, Timers};
use crate::plan::{self, ContainerConfig, ExecRequest};
use crate::sys::datagram::{Sender, Sent};

/// Marks the connections under which the monitor itself starts programs: no command has one of these numbers.
const OWN: u64 = 1 << 63;

/// The health checks of one container.
#[derive(Debug)]
pub(super) struct Health {
    /// `None` if the container has none.
    checked: Option<Box<Checked>>,
    current: Option<Current>,
    next_id: u64,
    /// The connections that wait for the result.
    asked: Vec<u64>,
    /// The socket of the service manager that is told when the container is healthy (`--sdnotify=healthy`), until then.
    manager: Option<String>,
    /// They have ended this run.
    has_ended_it: bool,
}

/// A container that is checked.
#[derive(Debug)]
struct Checked {
    course: Course,
    config: ContainerConfig,
    /// When the program was started.
    began: Instant,
}

/// A check that is being run.
#[derive(Debug)]
pub(super) struct Current {
    /// The connection under which its program was started.
    pub(super) connection: u64,
    /// When, RFC 3339.
    pub(super) started: String,
    pub(super) output: Output,
    pub(super) is_too_late: bool,
    /// The container has got another check since it began.
    pub(super) is_outdated: bool,
}

impl Health {
    /// The checks of the container of `start`.
    pub(super) fn new(start: &Start) -> Self {
        let checked = start.config.healthcheck.clone().map(|rules| {
            let (course, config) = (Course::new(rules), start.config.clone());
            Box::new(Checked { course, config, began: Instant::now() })
        });
        Self {
            checked,
            current: None,
            next_id: 0,
            asked: Vec::new(),
            manager: start.ready.clone(),
            has_ended_it: false,
        }
    }

    /// The container has another check now, or none any more.
    pub(super) fn follow(&mut self, config: ContainerConfig, timers: &mut Timers) {
        timers.cancel(Timer::Health);
        if let Some(current) = &mut self.current {
            current.is_outdated = true;
        }
        self.checked = config
            .healthcheck
            .clone()
            .map(|rules| Box::new(Checked { course: Course::new(rules), config, began: Instant::now() }));
    }

    /// Whether a program was started by the monitor itself, and not for a command.
    pub(super) fn is_own(connection: u64) -> bool {
        connection & OWN != 0
    }

    /// A number for the next check, which no command has.
    pub(super) fn connection(&mut self) -> u64 {
        self.next_id += 1;
        OWN | self.next_id
    }

    /// A run of the program begins. Returns the first record; `None` if the container is not checked.
    pub(super) fn begin_run(&mut self, timers: &mut Timers) -> Option<&HealthRecord> {
        let checked = self.checked.as_mut()?;
        checked.began = Instant::now();
        checked.course.begin();
        self.has_ended_it = false;
        if checked.course.check().interval.is_some() {
            timers.set(Timer::Health, Some(checked.began));
        }
        Some(&checked.course.record)
    }

    /// The run is over. Returns the connections that wait for a result that will not come.
    pub(super) fn end_run(&mut self, timers: &mut Timers) -> Vec<u64> {
        timers.cancel(Timer::Health);
        timers.cancel(Timer::HealthTimeout);
        self.current = None;
        std::mem::take(&mut self.asked)
    }

    /// Whether there is something to check.
    pub(super) fn is_there(&self) -> bool {
        self.checked.is_some()
    }

    /// Whether a check is to follow one that is outdated: by itself, or because somebody waits for it.
    pub(super) fn is_wanted(&self) -> bool {
        let repeats = |checked: &Checked| checked.course.check().interval.is_some();
        self.checked.as_deref().is_some_and(|checked| repeats(checked) || !self.asked.is_empty())
    }

    /// Whether a check is being run.
    pub(super) fn is_at_work(&self) -> bool {
        self.current.is_some()
    }

    /// The process of the next check, and how many bytes of its output are kept.
    pub(super) fn process(&self) -> Result<(Process, usize), plan::Error> {
        let Checked { course, config, .. } = self.checked.as_deref().ok_or(plan::Error::NoExecCommand)?;
        let request = ExecRequest { command: course.check().command(), ..ExecRequest::default() };
        Ok((plan::exec(config, &request, &[])?, course.rules().log.size))
    }

    /// A check begins.
    pub(super) fn begin_check(&mut self, current: Current, timers: &mut Timers) {
        self.current = Some(current);
        self.set_timeout(timers);
    }

    /// Gives the check that is being run its whole time.
    pub(super) fn set_timeout(&self, timers: &mut Timers) {
        timers.set(Timer::HealthTimeout, Some(Instant::now() + self.timeout()));
    }

    /// How long a check may take.
    pub(super) fn timeout(&self) -> Duration {
        self.checked.as_ref().map(|checked| checked.course.check().timeout).unwrap_or_default()
    }

    /// Sets the timer of the next check.
    pub(super) fn set_next(&self, timers: &mut Timers) {
        let pause = self.checked.as_ref().and_then(|checked| checked.course.pause(checked.began.elapsed()));
        timers.set(Timer::Health, pause.map(|pause| Instant::now() + pause));
    }

    /// The check that is being run takes too long. Returns under which connection its program was started.
    pub(super) fn be_too_late(&mut self) -> Option<u64> {
        let current = self.current.as_mut()?;
        current.is_too_late = true;
        Some(current.connection)
    }

    /// Takes the check that is being run, if it is this one.
    pub(super) fn take(&mut self, connection: u64) -> Option<Current> {
        self.current.take_if(|current| current.connection == connection)
    }

    /// Adds a result: what follows from it, and the record with it.
    pub(super) fn conclude(&mut self, result: HealthResult) -> Option<(Outcome, &HealthRecord)> {
        let checked = self.checked.as_mut()?;
        let outcome = checked.course.conclude(result, checked.began.elapsed());
        Some((outcome, &checked.course.record))
    }

    /// A command waits for the next result.
    pub(super) fn add_asked(&mut self, connection: u64) {
        self.asked.push(connection);
    }

    /// Takes those that wait for a result.
    pub(super) fn take_asked(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.asked)
    }

    /// A command has ended.
    pub(super) fn forget(&mut self, connection: u64) {
        self.asked.retain(|asked| *asked != connection);
    }

    /// Tells the service manager once that the container is healthy, without waiting: if the manager has no room, it is
    /// told after the next check.
    pub(super) fn tell_manager(&mut self, status: HealthStatus) {
        let Some(address) = self.manager.take_if(|_| status == HealthStatus::Healthy) else { return };
        let sent = Sender::connect(&address).and_then(|manager| manager.send(b"READY=1"));
        self.manager = Some(address).filter(|_| !matches!(sent, Ok(Sent::Taken)));
    }

    /// A check ends this run.
    pub(super) fn ends_run(&mut self) {
        self.has_ended_it = true;
    }

    /// Why the run has ended, if a check has ended it; asked once.
    pub(super) fn cause(&mut self) -> Option<&'static str> {
        std::mem::take(&mut self.has_ended_it).then_some("its health check has failed")
    }

    /// The output of the check that is being run.
    pub(super) fn poll_fd(&self) -> Option<BorrowedFd<'_>> {
        self.current.as_ref()?.output.fd()
    }

    /// The output is ready.
    pub(super) fn ready(&mut self) {
        if let Some(current) = &mut self.current {
            current.output.read();
        }
    }
}
