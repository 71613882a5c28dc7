//! The actual state of a container: its records, checked against its lock and the kernel.

use std::ffi::OsStr;
use std::path::PathBuf;

use crate::monitor::{ContainerDir, ExitRecord, Run, State, Status};
use crate::plan::ContainerConfig;
use crate::sys::process;
use crate::sys::process_id::ProcessId;
use crate::types::{NetworkState, PortMapping};

use super::Error;

/// A container as it is now.
#[derive(Debug)]
pub(crate) struct Container {
    /// Its directory.
    pub(crate) directory: ContainerDir,
    /// Its configuration.
    pub(crate) config: ContainerConfig,
    /// The state that was recorded last, with `exit` set if it has ended.
    pub(crate) state: State,
    /// Its status now.
    pub(crate) status: Status,
    /// The PID of its monitor, if that lives.
    pub(crate) monitor: Option<i32>,
}

/// The exit code of a program that a reboot has ended: it is unknown.
const UNKNOWN: i32 = 255;

impl Container {
    /// The file of its log.
    pub(crate) fn log(&self) -> PathBuf {
        self.config.log(self.directory.path())
    }

    /// Reads the container in `directory`.
    ///
    /// rc looks at the lock before it reads the records: if the monitor exits in between, the records tell.
    pub(crate) fn read(directory: ContainerDir) -> Result<Self, Error> {
        let monitor = directory.holder()?;
        let config = directory.config()?;
        if directory.path().file_name() != Some(OsStr::new(config.id.as_str())) {
            // A copy of another container's directory: with these records rc would stop and remove the other one.
            return Err(Error::Misplaced { path: directory.at("config.json"), id: config.id });
        }
        let mut state = match directory.state() {
            Ok(state) => state,
            // A power cut may leave an empty file: then nothing runs, and the end is unknown.
            Err(crate::monitor::ContainerDirError::Damaged { .. }) if monitor.is_none() => unknown(),
            // Its program does not run yet. If the directory is gone, it has run, and the container was just removed.
            Err(error) if error.is_not_found() && config.auto_remove && directory.exists() => starting(),
            Err(error) => return Err(error.into()),
        };
        if let Some((Run(run), exit)) = directory.ended().filter(|(Run(run), _)| *run > 0) {
            if monitor.is_none() && run > state.run {
                // The state of the runs since was lost: see `ContainerDir::last_run`.
                state.run = run;
            }
            if run == state.run {
                state.exit = Some(exit);
            }
        }
        state.health = config.healthcheck.as_ref().and_then(|_| directory.health());
        let status = status(&mut state, monitor.is_some());
        Ok(Self { directory, config, state, status, monitor })
    }

    /// Whether its program runs, with or without a monitor, or is about to.
    pub(crate) fn is_running(&self) -> bool {
        !matches!(self.status, Status::Created | Status::Exited | Status::Removing)
    }

    /// Whether `start` has something to do: it does not run, or its process 1 waits.
    pub(crate) fn can_start(&self) -> bool {
        !self.is_running() || self.status == Status::Initialized
    }

    /// Whether it runs before the other containers of its pod, and is no part of it when it has ended.
    pub(crate) fn is_init(&self) -> bool {
        self.config.pod.as_ref().is_some_and(|pod| pod.init.is_some())
    }

    /// Whether its program lives.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.status, Status::Running | Status::Paused | Status::Stopping | Status::Orphaned)
    }

    /// Whether a signal can reach its program: it lives, or is being started again after its end.
    pub(crate) fn takes_signals(&self) -> bool {
        self.is_alive() || self.status == Status::Restarting
    }

    /// The ports that listen now; if it does not run, those that it would publish.
    pub(crate) fn ports(&self) -> Vec<PortMapping> {
        let listening = if self.is_alive() { self.state.network.ports() } else { Vec::new() };
        if listening.is_empty() { self.config.ports.clone() } else { listening }
    }

    /// The error of an action that the container's status does not allow. `action` is an infinitive.
    pub(super) fn cannot(&self, action: &'static str) -> Error {
        Error::State { action, name: self.config.name.to_string(), status: self.status }
    }

    /// Whether its program was started and has ended, whatever the records say.
    pub(crate) fn has_lost_its_program(&self) -> bool {
        let was_started = matches!(self.status, Status::Running | Status::Stopping | Status::Paused);
        was_started && self.state.init.as_ref().is_some_and(|init| !init.is_alive())
    }

    /// Whether it should have been removed when it ended, but its monitor was killed.
    pub(crate) fn is_left_over(&self) -> bool {
        let was_started = self.state.run > 0;
        self.config.auto_remove && was_started && self.monitor.is_none() && !self.is_running()
    }
}

fn unknown() -> State {
    State {
        status: Status::Exited,
        init: None,
        started_at: None,
        run: 0,
        health: None,
        exit: Some(ExitRecord { code: UNKNOWN, error: "state lost".to_owned(), ..ExitRecord::default() }),
        restart_count: 0,
        start_error: String::new(),
        network: NetworkState::default(),
        cgroup: None,
    }
}

/// The state of a `--rm` container until its program runs.
fn starting() -> State {
    State { status: Status::Starting, run: 1, exit: None, ..unknown() }
}

fn status(state: &mut State, is_watched: bool) -> Status {
    if let Some(exit) = &state.exit {
        return if exit.restarts && is_watched { Status::Restarting } else { Status::Exited };
    }
    if is_watched {
        return state.status;
    }
    match state.status {
        Status::Starting | Status::Initialized => Status::Created,
        Status::Running | Status::Stopping | Status::Paused => {
            if state.init.as_ref().is_some_and(ProcessId::is_alive) {
                return Status::Orphaned;
            }
            state.exit = Some(lost(state));
            Status::Exited
        }
        other => other,
    }
}

/// The exit record of a program whose end no monitor has recorded.
fn lost(state: &State) -> ExitRecord {
    let same_boot = match (&state.init, process::boot_id()) {
        (Some(init), Ok(boot)) => init.boot_id == boot,
        _ => false,
    };
    let (code, error) = if same_boot { (137, super::KILLED) } else { (UNKNOWN, super::REBOOTED) };
    // The time of its end is unknown, but it is after the start.
    let at = state.started_at.clone().unwrap_or_default();
    ExitRecord { code, at, error: error.to_owned(), ..ExitRecord::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(status: Status, init: Option<ProcessId>) -> State {
        State { status, init, exit: None, run: 1, ..unknown() }
    }

    #[test]
    fn a_free_lock_means_that_nothing_is_running_unless_the_kernel_says_so() {
        let dead = ProcessId { pid: i32::MAX, start_time: 1, boot_id: process::boot_id().expect("boot id") };
        let me = ProcessId::of(i32::try_from(std::process::id()).expect("pid")).expect("alive");
        let rebooted = ProcessId { boot_id: "other".to_owned(), ..me.clone() };
        for (recorded, init, watched, expected, code) in [
            (Status::Created, None, false, Status::Created, None),
            (Status::Starting, None, true, Status::Starting, None),
            (Status::Starting, None, false, Status::Created, None),
            (Status::Initialized, Some(me.clone()), true, Status::Initialized, None),
            (Status::Initialized, Some(dead.clone()), false, Status::Created, None),
            (Status::Running, Some(me.clone()), true, Status::Running, None),
            (Status::Running, Some(me), false, Status::Orphaned, None),
            (Status::Running, Some(dead.clone()), false, Status::Exited, Some(137)),
            (Status::Stopping, Some(dead), false, Status::Exited, Some(137)),
            (Status::Running, Some(rebooted), false, Status::Exited, Some(255)),
        ] {
            let mut state = state(recorded, init);
            assert_eq!(status(&mut state, watched), expected, "{recorded:?} {watched}");
            assert_eq!(state.exit.map(|exit| exit.code), code, "{recorded:?} {watched}");
        }
    }
}
