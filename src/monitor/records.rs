//! The files in which the monitor records its container: `state.json`, and `exit` at the end of a run.

use super::directory::{ContainerDir, Error};
use super::record::{ExitRecord, HealthRecord, Run, State, Status, now};
use super::start::Start;
use crate::plan::ContainerConfig;
use crate::runtime::cgroup::Group;
use crate::sys::fs::Durability;
use crate::sys::process_id::ProcessId;
use crate::types::NetworkState;

/// The records of one container.
#[derive(Debug)]
pub(super) struct Records {
    directory: ContainerDir,
    state: State,
    /// The container is removed at its end.
    is_fleeting: bool,
}

impl Records {
    /// The records of the container of `start`.
    pub(super) fn new(start: &Start) -> Self {
        let is_fleeting = start.config.auto_remove;
        Self { directory: start.directory.clone(), state: start.state.clone(), is_fleeting }
    }

    /// The container's directory.
    pub(super) fn directory(&self) -> &ContainerDir {
        &self.directory
    }

    /// The status that was written last.
    pub(super) fn status(&self) -> Status {
        self.state.status
    }

    /// The configuration, with the changes of `update`.
    pub(super) fn config(&self) -> Result<ContainerConfig, Error> {
        self.directory.config()
    }

    /// Records that the program runs, after so many `restarts`.
    pub(super) fn begin_run(
        &mut self,
        init: Option<ProcessId>,
        network: NetworkState,
        cgroup: Option<&Group>,
        restarts: u32,
    ) -> Result<(), Error> {
        let state = State {
            status: Status::Running,
            run: self.state.run + u64::from(restarts > 0),
            restart_count: restarts,
            init,
            started_at: Some(now()),
            network,
            cgroup: cgroup.map(|cgroup| cgroup.path().to_owned()),
            ..self.state.clone()
        };
        self.adopt(state)
    }

    /// Records that everything is prepared, and the program waits.
    pub(super) fn initialized(
        &mut self,
        init: Option<ProcessId>,
        network: NetworkState,
        cgroup: Option<&Group>,
    ) -> Result<(), Error> {
        let cgroup = cgroup.map(|cgroup| cgroup.path().to_owned());
        let state = State { status: Status::Initialized, init, network, cgroup, ..self.state.clone() };
        self.adopt(state)
    }

    /// Records so many restarts, the last of which has failed: otherwise [`Self::begin_run`] does.
    pub(super) fn count_restarts(&mut self, restarts: u32) {
        self.state.restart_count = restarts;
        // If that fails, only readers miss it.
        drop(self.write(&self.state));
    }

    /// The container's process 1, as it was recorded.
    pub(super) fn init(&self) -> Option<&ProcessId> {
        self.state.init.as_ref()
    }

    /// The state of its network.
    pub(super) fn network(&self) -> &NetworkState {
        &self.state.network
    }

    /// Records another state of its network. On failure it is unchanged.
    pub(super) fn change_network(&mut self, network: NetworkState) -> Result<(), Error> {
        let state = State { network, ..self.state.clone() };
        self.adopt(state)
    }

    /// Records another status, if it is still `from`. On failure it is unchanged.
    pub(super) fn switch(&mut self, from: Status, to: Status) -> Result<(), Error> {
        if self.state.status == from {
            let state = State { status: to, ..self.state.clone() };
            self.adopt(state)?;
        }
        Ok(())
    }

    /// Records that the program is being stopped.
    pub(super) fn stopping(&mut self) {
        if matches!(self.state.status, Status::Running | Status::Paused) {
            self.state.status = Status::Stopping;
            // If that fails, only `ps` shows it.
            drop(self.write(&self.state));
        }
    }

    /// Records another state. On failure it is unchanged.
    fn adopt(&mut self, state: State) -> Result<(), Error> {
        self.write(&state)?;
        self.state = state;
        Ok(())
    }

    fn write(&self, state: &State) -> Result<(), Error> {
        match self.is_fleeting {
            true => self.directory.write_fleeting_state(state),
            false => self.directory.write_state(state),
        }
    }

    /// Records the health. If that fails, only readers miss it.
    pub(super) fn health(&self, record: &HealthRecord) {
        let durability = if self.is_fleeting { Durability::Fleeting } else { Durability::Volatile };
        drop(self.directory.write_health(record, durability));
    }

    /// Records how this run ended. If the disk is broken, readers find no record, and say so.
    pub(super) fn end_run(&self, record: &ExitRecord) {
        drop(self.directory.write_exit(&Run(self.state.run), record));
    }
}
