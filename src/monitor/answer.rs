//! What commands ask of a container's monitor, and what it does about it. Nothing here waits: what may take long is the
//! worker's (`worker`), or goes on in the loop (`exec`).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::Timespec;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime};

use super::change::{Standing, Target};
use super::exec::Running;
use super::log::Stream;
use super::protocol::{self, Event, Request};
use super::record::{State, Status};
use super::relay::Streams;
use super::serve::{AskedBy, Program, Server};
use super::worker::{Job, Task};
use crate::plan::RestartPolicy;
use crate::runtime::cgroup::Group;
use crate::types::{Report, ReportKind, Signal};

impl Server {
    /// Answers what the command on connection `id` has asked; forgets it if it has gone.
    pub(super) fn answer(&mut self, id: u64) {
        let Some(socket) = self.connections.socket(id) else { return };
        let (request, descriptors) = match protocol::receive::<Request>(socket) {
            Ok(Some(message)) => message,
            Ok(None) => return self.forget(id),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                let report =
                    Report::new(ReportKind::Unsupported, "this container's monitor does not know that request");
                let hint = "restart the container to have it run under this version of rc";
                return self.tell(id, &Event::Failed(report.with_hint(hint)), &[]);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(error) if error.raw_os_error() == Some(libc::EMFILE) => {
                let report = Report::new(ReportKind::Unavailable, "the container's monitor has too many open files");
                return self.tell(id, &Event::Failed(report), &[]);
            }
            Err(_) => return self.forget(id),
        };
        if let Some(refusal) = self.connections.refuse(id, &request) {
            return self.tell(id, &refusal, &[]);
        }
        let answer = match request {
            Request::Attach { stdin, stdout, stderr, size } => {
                let answer = self.attach(id, [stdin, stdout, stderr], size, descriptors);
                self.connections.set_waits(id, answer == Event::Attached);
                Some(answer)
            }
            Request::Exec(exec) => self.exec(id, &exec, descriptors),
            // Who is to hear of the end takes a signal without an answer for its own: it comes too late for the program.
            Request::Signal { .. } if self.ended.is_some() && self.connections.waits(id) => None,
            Request::Signal { signal } => Some(self.pass_on(id, signal)),
            Request::Stop { signal, timeout } => {
                self.stop(AskedBy::User, signal, timeout);
                Some(Event::Done)
            }
            Request::Pause => return self.add_job(id, Task::Pause),
            Request::Unpause => return self.add_job(id, Task::Unpause),
            Request::Update(changes) => return self.add_job(id, Task::Update(changes)),
            Request::Wait => {
                self.connections.set_waits(id, true);
                None
            }
            Request::CloseOutput { stderr } => {
                self.relay.close_output(id, if stderr { Stream::Stderr } else { Stream::Stdout });
                None
            }
            Request::Resize { rows, columns } => {
                match self.execs.terminal_of(id) {
                    Some(terminal) => drop(crate::sys::tty::set_size(terminal, rows, columns)),
                    None => self.relay.resize(rows, columns),
                }
                None
            }
            Request::Detach => {
                self.relay.detach(id);
                self.connections.set_waits(id, false);
                None
            }
        };
        if let Some(event) = answer {
            self.tell(id, &event, &[]);
        }
    }

    fn attach(
        &mut self,
        id: u64,
        [stdin, stdout, stderr]: [bool; 3],
        size: Option<(u16, u16)>,
        descriptors: Vec<OwnedFd>,
    ) -> Event {
        let mut descriptors = descriptors.into_iter();
        let streams = Streams {
            stdin: if stdin { descriptors.next() } else { None },
            stdout: if stdout { descriptors.next() } else { None },
            stderr: if stderr { descriptors.next() } else { None },
        };
        if let Some((rows, columns)) = size {
            self.relay.resize(rows, columns);
        }
        match self.relay.attach(id, streams, false) {
            Ok(()) => Event::Attached,
            Err(error) => {
                let kind = ReportKind::of_step(&error);
                Event::Failed(Report::new(kind, format!("cannot attach: {error}")))
            }
        }
    }

    fn exec(&mut self, id: u64, exec: &protocol::Exec, descriptors: Vec<OwnedFd>) -> Option<Event> {
        let Some(Program { init, group, .. }) = self.program.as_ref().filter(|_| self.ended.is_none()) else {
            return Some(failed("the container's program does not run"));
        };
        if self.state.status == Status::Paused {
            return Some(failed("the container is paused"));
        }
        let group = group.as_ref().map(Group::fd);
        let running = Running { init: init.pidfd.as_fd(), group, confinement: &self.confinement };
        match self.execs.start(id, &running, exec, descriptors) {
            Ok(()) => None,
            Err(error) => Some(Event::Failed(error.into())),
        }
    }

    /// Has something changed, after what was asked for before; the answer comes when it is done.
    fn add_job(&mut self, connection: u64, task: Task) {
        if self.worker.add(Job { connection, task }) {
            self.begin_jobs();
        } else {
            self.tell(connection, &failed("too many changes are waiting to be made"), &[]);
        }
    }

    fn begin_jobs(&mut self) {
        while let Some(job) = self.worker.next() {
            let program = match &self.program {
                Some(Program { group, .. }) if self.ended.is_none() => Standing::Runs(group.as_ref()),
                Some(_) => Standing::Ended,
                None if self.rests => Standing::Ended,
                None => {
                    // It is being started, with what was asked for before.
                    self.tell(job.connection, &failed("the container's program does not run"), &[]);
                    continue;
                }
            };
            let target = Target { directory: &self.directory, status: self.state.status, rule: self.rule, program };
            if let Err((connection, event)) = self.worker.begin(job, &target) {
                self.tell(connection, &event, &[]);
            }
        }
    }

    /// Writes down what has come of a job, answers the command that has asked for it, and begins the next.
    pub(super) fn finish_job(&mut self) {
        let Some((Job { connection, task }, mut event)) = self.worker.finish() else { return };
        if event == Event::Done {
            let recorded = match &task {
                Task::Pause => self.switch(Status::Running, Status::Paused),
                Task::Unpause => self.switch(Status::Paused, Status::Running),
                Task::Update(_) => {
                    self.follow_config();
                    Ok(())
                }
            };
            if let Err(error) = recorded {
                event = Event::Failed(error.into());
            }
        }
        if matches!(task, Task::Pause) && event != Event::Done && self.state.status == Status::Running {
            // What has made it may have died half way, and commands go by the record: none would let it go on.
            self.thaw();
        }
        self.tell(connection, &event, &[]);
        self.begin_jobs();
    }

    /// Records another status, unless something else has changed it meanwhile. On failure it is what it was.
    fn switch(&mut self, from: Status, to: Status) -> Result<(), super::ContainerDirError> {
        if self.state.status == from {
            let state = State { status: to, ..self.state.clone() };
            self.directory.write_state(&state)?;
            self.state = state;
        }
        Ok(())
    }

    /// Lets the processes go on, without waiting until they do.
    fn thaw(&self) {
        if let Some(group) = self.program.as_ref().and_then(|program| program.group.as_ref()) {
            drop(group.thaw(Duration::ZERO));
        }
    }

    /// Follows the restart rule as it was written down.
    fn follow_config(&mut self) {
        if let Ok(config) = self.directory.config() {
            self.rule.policy = config.restart;
        }
        if self.rests && self.rule.policy == RestartPolicy::No {
            // Nobody is to wait for a start that does not come.
            self.end_wanted = Some(AskedBy::System);
        }
    }

    /// Breaks off what is being changed: the container has ended for good.
    pub(super) fn cancel_jobs(&mut self) {
        for connection in self.worker.cancel() {
            self.tell(connection, &failed("the container has ended"), &[]);
        }
    }

    /// Sends a signal of the user's to the program; one that is sent to end it ends restarting, too. Before the program runs
    /// any that comes by the command that starts it takes the start back.
    fn pass_on(&mut self, id: u64, signal: Signal) -> Event {
        let ends = matches!(signal.number(), libc::SIGKILL | libc::SIGTERM | libc::SIGINT | libc::SIGQUIT);
        if ends || signal == self.timing.stop_signal || self.starter == Some(id) {
            self.end_wanted = Some(AskedBy::User);
        } else if self.program.is_none() {
            return failed("the container's program does not run");
        }
        self.kill(signal);
        Event::Done
    }

    pub(super) fn kill(&mut self, signal: Signal) {
        if let Some(program) = &self.program {
            // It may have ended in this moment.
            drop(program.init.signal(signal.number()));
        }
    }

    /// Sends the stop signal, and arms the timer that kills. The clock is the one that no clock change moves. A program that
    /// does not run is not started (again).
    pub(super) fn stop(&mut self, by: AskedBy, signal: Option<Signal>, timeout: Option<u32>) {
        self.end_wanted = Some(by);
        let timeout = timeout.unwrap_or(self.timing.stop_timeout);
        if self.program.is_none() || self.ended.is_some() {
            return;
        }
        let paused_now = self.worker.break_off_pause();
        if let Some(connection) = paused_now {
            self.tell(connection, &failed("the container is being stopped"), &[]);
        }
        let was_paused = self.state.status == Status::Paused || paused_now.is_some();
        if matches!(self.state.status, Status::Running | Status::Paused) {
            self.state.status = Status::Stopping;
            // Only `ps` would show it.
            drop(self.directory.write_state(&self.state));
        }
        if timeout == 0 {
            return self.kill(Signal::KILL);
        }
        self.kill(signal.unwrap_or(self.timing.stop_signal));
        if was_paused {
            // The signal is the first thing that it sees. What does not thaw is killed when the time is over.
            self.thaw();
        }
        match timer(Duration::from_secs(u64::from(timeout))) {
            Ok(timer) => self.timer = Some(timer),
            Err(_) => self.kill(Signal::KILL),
        }
    }
}

/// It does not go together with what the container is doing.
fn failed(message: &str) -> Event {
    Event::Failed(Report::new(ReportKind::Conflict, message))
}

/// A descriptor that is readable after `duration`.
fn timer(duration: Duration) -> io::Result<OwnedFd> {
    let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
    let value = Timespec { tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX), tv_nsec: 0 };
    let interval = Timespec { tv_sec: 0, tv_nsec: 0 };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: interval, it_value: value })?;
    Ok(timer)
}
