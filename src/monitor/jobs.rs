//! Changes that commands request (`change`): the worker makes one after the other, and the monitor records each when it
//! is made.

use std::os::fd::OwnedFd;

use super::change::{AppliesTo, Target};
use super::networks::has_helper;
use super::parts::Parts;
use super::program::AskedBy;
use super::protocol::Event;
use super::record::Status;
use super::worker::{Finished, Job, Task};
use crate::net::member::Handover;
use crate::plan::NetworkChange;
use crate::types::{Report, ReportKind};

impl Parts {
    /// Queues a change; the monitor answers when it is made.
    pub(super) fn add_job(&mut self, connection: u64, task: Task) {
        if self.worker.add(Job { connection, task }) {
            self.begin_jobs();
        } else {
            let report = Report::new(ReportKind::Unavailable, "too many changes are waiting to be made");
            self.tell(connection, &Event::Failed(report), &[]);
        }
    }

    /// Begins the next change. While the program is being started, with what was there before, all wait.
    pub(super) fn begin_jobs(&mut self) {
        while self.program.is_launched() || self.rule.is_pausing() {
            let Some(job) = self.worker.next() else { return };
            let applies_to = match self.program.is_running() {
                true => AppliesTo::Running(self.program.cgroup()),
                false => AppliesTo::NextStart,
            };
            let target = Target {
                directory: self.records.directory(),
                status: self.records.status(),
                can_restart: self.rule.can_be_on(),
                applies_to,
                networks: &self.networks,
                init: self.program.init(),
                process: self.records.init(),
            };
            if let Err((connection, event)) = self.worker.begin(job, &target) {
                self.tell(connection, &event, &[]);
            }
        }
    }

    /// Records the result of a job, answers its command, and begins the next.
    pub(super) fn finish_job(&mut self) {
        let Some(Finished { job, was_running, mut event, has_died, member, child }) = self.worker.finish() else {
            return;
        };
        if let Task::Network(change) = &job.task
            && has_died
            && was_running
        {
            self.networks.lose_child(change);
        }
        let has_failed = matches!((&job.task, &event), (Task::Network(_), Event::Failed(_)));
        if was_running && has_failed && !self.program.is_running() {
            // Perhaps because the program has ended meanwhile: it is a change for the next run.
            self.worker.put_back(job);
            return self.begin_jobs();
        }
        let Job { connection, task } = job;
        if event == Event::Done {
            let recorded = match &task {
                Task::Pause => self.records.switch(Status::Running, Status::Paused).map_err(Report::from),
                Task::Unpause => self.records.switch(Status::Paused, Status::Running).map_err(Report::from),
                Task::Update(changes) => {
                    self.follow_config(!changes.health.is_empty());
                    Ok(())
                }
                Task::Network(change) => self.adopt_networks(change, member),
            };
            match (recorded, &task) {
                // The command says so.
                (Ok(()), Task::Network(_)) => {}
                (Ok(()), _) => self.chronicle.happens(task.name()),
                (Err(report), _) => event = Event::Failed(report),
            }
        }
        if matches!(task, Task::Pause) && event != Event::Done && self.records.status() == Status::Running {
            // The worker may have died half-way. Since commands trust the record, none would thaw the container.
            self.program.thaw();
        }
        self.tell(connection, &event, &[]);
        drop(child);
        self.begin_jobs();
    }

    /// Readable when the change that is being made is done; `None` if there is none.
    pub(super) fn awaited_job(&self) -> Option<OwnedFd> {
        self.worker.answer()?.try_clone_to_owned().ok()
    }

    /// Adopts a change of the container's networks. If `hosts` or `resolv.conf` cannot be written, that is the error,
    /// and the change stays.
    fn adopt_networks(
        &mut self,
        change: &NetworkChange,
        member: Option<(Handover, Vec<OwnedFd>)>,
    ) -> Result<(), Report> {
        self.networks.adopt(change, member, self.records.init())?;
        if !self.program.is_running() {
            return Ok(());
        }
        let state = self.networks.state_after(self.records.network());
        self.records.change_network(state)?;
        let config = self.records.config()?;
        if !has_helper(&config) {
            let spot = self.networks.spot(&config)?;
            self.program.move_ports(spot, &|spot| self.networks.has(spot), &mut self.timers)?;
        }
        self.networks.write_files(&config, self.records.directory())?;
        self.name_members();
        Ok(())
    }

    /// Leaves all networks, also one that the container was just being connected to.
    pub(super) fn leave_networks(&mut self) {
        if let Some(change) = self.worker.kill_network_change() {
            self.networks.lose_child(change);
        }
        self.networks.leave();
    }

    /// Adopts the restart policy and the health check that were written.
    fn follow_config(&mut self, has_other_check: bool) {
        if let Ok(config) = self.records.config() {
            self.rule.follow(config.restart);
            if has_other_check {
                self.follow_health(config);
            }
        }
        if self.rule.is_pausing() && !self.rule.is_active() {
            // No restart will follow.
            self.program.ask_for_end(AskedBy::System);
        }
    }

    /// A run has ended, and another one follows: tells all commands that wait or are attached how it ended, and
    /// detaches them. To docker and podman a restarted program has ended, too.
    pub(super) fn tell_end_of_run(&mut self, code: i32) {
        let missed = self.relay.hang_up();
        self.connections.tell_end_of_run(code, &missed);
    }

    /// Cancels all changes, and tells all commands that wait how the container ended: after the end of their streams,
    /// so that they can read all output.
    pub(super) fn tell_end(&mut self, code: i32) {
        for connection in self.worker.cancel() {
            self.refuse(connection, "the container has ended");
        }
        let missed = self.relay.hang_up();
        self.connections.tell_end(code, &missed);
    }
}
