//! Health checks at work: how they begin and end, and what follows from their results. `health` has what they are.
//!
//! ```text
//! timer ─┐                                          ┌─ health.json
//!        ├─→ exec, its output into a pipe ─→ result ┼─ those who asked (`healthcheck run`)
//! asked ─┘      └── killed after its timeout        └─ the action, when the container becomes unhealthy
//! ```
//!
//! The next check begins an interval after the end of the last one, so that there is never more than one. While the
//! container is paused, or is being stopped, none begins.

use std::os::fd::{AsFd as _, OwnedFd};

use rustix::fs::{Mode, OFlags};

use super::exec::Destination;
use super::health::{Current, Outcome, Output};
use super::parts::{Parts, refusal};
use super::program::AskedBy;
use super::protocol::{self, Event};
use super::record::{HealthResult, Status, now};
use super::timers::Timer;
use crate::plan::{ContainerConfig, OnFailure};
use crate::types::{Report, ReportKind, Signal};

/// The exit code of a check that had to be killed, or that could not be run. Source: docker, podman.
const NO_CODE: i32 = -1;

impl Parts {
    /// A run of the program begins: its first check follows at once.
    pub(super) fn begin_health(&mut self) {
        if let Some(record) = self.health.begin_run(&mut self.timers) {
            self.records.health(record);
        }
    }

    /// Adopts another health check. A running program is checked as if it had just been started, once the check that is
    /// being run has ended.
    pub(super) fn follow_health(&mut self, config: ContainerConfig) {
        self.health.follow(config, &mut self.timers);
        if self.program.is_running() {
            self.begin_health();
        }
    }

    /// Runs a check for the command on `connection`, or lets it wait for the one that is being run. Returns a refusal.
    pub(super) fn ask_for_check(&mut self, connection: u64) -> Option<Event> {
        if !self.health.is_there() {
            return Some(no_check());
        }
        if !self.program.is_running() {
            return Some(refusal("the container's program does not run"));
        }
        if self.records.status() != Status::Running {
            return Some(refusal(&format!("the container is {}", self.records.status().as_str())));
        }
        self.health.add_asked(connection);
        self.check_health();
        None
    }

    /// Begins a check, unless one is being run or the container is not one to check now.
    pub(super) fn check_health(&mut self) {
        if self.health.is_at_work() || !self.program.is_running() {
            return;
        }
        if self.records.status() != Status::Running {
            // It may be paused: the next time is as good. What is being stopped is not checked any more.
            return self.health.set_next(&mut self.timers);
        }
        let started = now();
        match self.start_check() {
            Ok((connection, output)) => {
                let current = Current { connection, started, output, is_too_late: false, is_outdated: false };
                self.health.begin_check(current, &mut self.timers);
            }
            Err(Report { message: output, .. }) => {
                self.conclude_check(HealthResult { start: started, end: now(), exit_code: NO_CODE, output });
            }
        }
    }

    fn start_check(&mut self) -> Result<(u64, Output), Report> {
        let failed = |error: std::io::Error| {
            let message = format!("cannot run the health check: {}", crate::sys::fs::plain(&error));
            Report::new(ReportKind::of_step(&error), message)
        };
        let (process, most) = self.health.process()?;
        let (output, writer) = Output::pipe(most).map_err(failed)?;
        let copy = writer.try_clone().map_err(failed)?;
        let null: OwnedFd = rustix::fs::open(c"/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|error| failed(error.into()))?;
        let connection = self.health.connection();
        let Some(init) = self.program.init() else {
            return Err(Report::new(ReportKind::Conflict, "the container's program does not run"));
        };
        let cgroup = self.program.cgroup();
        let destination = Destination { init: init.as_fd(), cgroup, confinement: &self.confinement };
        let exec = protocol::Exec { process, size: None, descriptors: Vec::new() };
        self.execs.start(connection, &destination, &exec, vec![null, writer, copy]).map_err(Report::from)?;
        Ok((connection, output))
    }

    /// The check takes too long: kills it. Its end follows.
    pub(super) fn end_late_check(&mut self) {
        if self.records.status() == Status::Paused {
            // It is frozen like the container, and has its whole time again.
            self.health.set_timeout(&mut self.timers);
        } else if let Some(connection) = self.health.be_too_late() {
            self.execs.kill(connection);
        }
    }

    /// What the monitor is told of the program of a check.
    pub(super) fn hear_of_check(&mut self, connection: u64, event: Event) {
        let (code, failure) = match event {
            Event::Exited { code, .. } => (code, None),
            Event::Failed(report) => (report.kind.shell_code().map_or(NO_CODE, i32::from), Some(report.message)),
            _ => return,
        };
        let Some(current) = self.health.take(connection) else { return };
        if current.is_outdated {
            return self.check_anew();
        }
        let late = || format!("the check took longer than {} s", self.health.timeout().as_secs_f32());
        let late = current.is_too_late.then(late);
        let output = [current.output.finish()].into_iter().chain(late).chain(failure).filter(|text| !text.is_empty());
        self.conclude_check(HealthResult {
            start: current.started,
            end: now(),
            exit_code: if current.is_too_late { NO_CODE } else { code },
            output: output.collect::<Vec<_>>().join("\n"),
        });
    }

    /// A check has ended that is not the container's any more: its result says nothing.
    fn check_anew(&mut self) {
        self.timers.cancel(Timer::HealthTimeout);
        if self.health.is_wanted() {
            return self.check_health();
        }
        for connection in self.health.take_asked() {
            self.tell(connection, &no_check(), &[]);
        }
    }

    fn conclude_check(&mut self, result: HealthResult) {
        self.timers.cancel(Timer::HealthTimeout);
        if self.program.asked_by().is_some() || !self.program.is_running() {
            // It says nothing of the container, which is ending.
            return;
        }
        let Some((outcome, record)) = self.health.conclude(result) else { return };
        let status = record.status;
        self.records.health(record);
        if outcome.has_changed {
            self.chronicle.health(status.as_str());
        }
        for connection in self.health.take_asked() {
            self.tell(connection, &Event::Checked { passed: outcome.passed, status }, &[]);
        }
        self.health.set_next(&mut self.timers);
        self.health.tell_manager(status);
        if self.records.status() == Status::Running {
            self.act_on(outcome);
        }
    }

    fn act_on(&mut self, outcome: Outcome) {
        if outcome.action != OnFailure::None {
            self.health.ends_run();
        }
        match outcome.action {
            OnFailure::None => {}
            OnFailure::Kill => self.program.signal(Signal::KILL),
            OnFailure::Stop => self.stop(AskedBy::System, None, None),
            OnFailure::Restart => {
                self.rule.start_again();
                self.records.stopping();
                self.program.end(None, None, &mut self.timers);
            }
        }
    }
}

/// The answer to who asks for a check that does not exist.
fn no_check() -> Event {
    Event::Failed(Report::new(ReportKind::Invalid, "the container has no health check"))
}
