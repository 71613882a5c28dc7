//! The monitor's life, from the fork to the clean-up.
//!
//! ```text
//! command ── fork ─→ monitor   new session, signals as events
//!                    newuidmap and newgidmap begin  │  the container gets its directory, lock, `ctl` and name;
//!                    … and the service manager      │  (a scope, in a session: `cgroup_source`)
//!                    root namespace ready: init     │  the network helper starts while init makes the mounts
//!                    state is running, the command is told
//!                    the loop (`serve`)
//!                    network down, exit recorded; after a pause the restart policy may launch it again
//!                    `--rm`: the container has no name any more; commands that wait are told
//!                    its mounts are taken down, its files removed
//! ```

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

use super::cgroup_source;
use super::directory::ContainerDir;
use super::launcher::{Launcher, REMOVAL_TIMEOUT, Up};
use super::log::Log;
use super::parts::Parts;
use super::program::{AskedBy, Launched};
use super::protocol::{self, Event};
use super::record::{ExitRecord, now};
use super::serve::Server;
use super::start::{Error, Owner, Start, Starter, step};
use super::stdio::let_go;
use crate::net;
use crate::runtime::cgroup::Group;
use crate::sys::lock::ProcessLock;
use crate::sys::process::{self, Ended};
use crate::sys::signal::Signals;
use crate::sys::{prctl, socket};
use crate::types::{Name, Report};
use crate::userns::Home;

/// Runs as the monitor, in a process that was forked for it, and returns its exit code.
pub(crate) fn run(start: Box<Start>, owner: &dyn Owner, command: OwnedFd, starter: Starter) -> i32 {
    let mut life = match Life::begin(start, owner) {
        Ok(life) => life,
        Err(error) => {
            // If the command has ended, it need not know.
            drop(protocol::send(command.as_fd(), &Event::Failed(error.into()), &[]));
            return 125;
        }
    };
    let adopted = life.server.parts.adopt(command, starter).map_err(step("relay the command's streams"));
    match adopted.and_then(|()| life.launcher.bring_up(&mut life.server)) {
        Ok(up) => life.serve(up),
        Err(error) => life.give_up(error.into()),
    }
}

/// Gives this process, the monitor of the container `name`, its name and command line.
pub(super) fn take_title(name: &Name) -> io::Result<()> {
    let title = format!("rc: {name}");
    prctl::set_name(&title)?;
    process::replace_command_line(&title)
}

/// What of a run goes down after its command knows of its end.
#[derive(Debug, Default)]
struct Lingering {
    network: Option<net::Running>,
    /// The mount namespace.
    mounts: Option<OwnedFd>,
    /// The cgroup, if a process in it has not ended yet.
    cgroup: Option<Group>,
}

/// A monitor whose container has its directory.
struct Life<'a> {
    owner: &'a dyn Owner,
    _lock: ProcessLock,
    launcher: Launcher,
    server: Server,
}

impl<'a> Life<'a> {
    /// Becomes a monitor, and makes everything that must exist before the first process. On failure nothing is left.
    fn begin(mut start: Box<Start>, owner: &'a dyn Owner) -> Result<Self, Error> {
        // Fails only if this process already leads a session, which a forked one does not.
        rustix::process::setsid().ok();
        // The command line may contain secrets (`-e`), and the monitor lives long.
        take_title(&start.config.name).map_err(step("name the monitor"))?;
        let signals = Signals::all().map_err(step("block signals"))?;

        let driver = net::driver(&start.config.network)?;
        driver.validate(&start.network)?;
        let doors = net::open_doors(driver, &start.network)?;
        let source = cgroup_source::ask_for(&start)?;
        let home = Home::begin(&start.ids, &start.runtime_dir)?;
        let (lock, listener) = owner.establish(listen).map_err(Error::Owner)?;
        let withdraw = |error: Error| {
            owner.withdraw(home.ready().ok(), true);
            error
        };
        let own = source.finish(&cgroup_source::wanted(&start)).map_err(|error| withdraw(error.into()))?;
        let log = Log::open(&start).map_err(withdraw)?;
        let server = Server::new(Parts::new(&mut start, listener, log), signals);
        Ok(Self { owner, _lock: lock, launcher: Launcher::new(start, (driver, doors), own, home), server })
    }

    /// The program was never executed.
    fn give_up(mut self, report: Report) -> i32 {
        self.server.parts.leave_networks();
        self.owner.withdraw(self.launcher.home().ok(), report.kind.shell_code().is_none());
        if report.kind.shell_code().is_some() && !self.launcher.config().auto_remove {
            self.server.parts.chronicle.created();
        }
        self.server.parts.tell_starter(&Event::Failed(report));
        125
    }

    /// Serves the program until it has ended, and removes what it leaves.
    fn serve(mut self, up: Up) -> i32 {
        // If the command has ended, it need not know; the container continues.
        let pid = self.server.parts.program.pid();
        self.server.parts.chronicle.started();
        self.server.parts.tell_starter(&Event::Started { pid });
        self.launcher.first_run_begins();
        let_go();
        let (record, lingering) = self.outlive(up);
        self.server.parts.leave_networks();
        let removes = self.launcher.config().auto_remove;
        self.server.parts.chronicle.learn_name();
        if removes {
            self.owner.unlink();
        } else {
            self.server.parts.records.end_run(&record);
        }
        // The pod hears of the end when the records tell it.
        self.server.parts.pod.leave();
        self.server.parts.chronicle.ended(record.code, true, removes);
        self.server.parts.tell_end(record.code);
        // The command goes on first, even if both have one CPU.
        std::thread::yield_now();
        drop(lingering.mounts);
        if removes && let Ok(home) = self.launcher.home() {
            self.owner.remove(home);
        }
        if removes {
            self.launcher.remove_last(lingering.cgroup.as_ref());
        }
        drop(lingering.network);
        // A service manager may know this as the main process, so it exits with the program's code.
        record.code
    }

    /// Serves the program and its restarts. Returns how the last run ended, and what of it is still going down.
    fn outlive(&mut self, mut up: Up) -> (ExitRecord, Lingering) {
        loop {
            let began = Instant::now();
            let ended = self.server.run().unwrap_or(Ended::Exited(255));
            let Up { served } = up;
            let (mut record, lingering) = self.clean_up(ended);
            drop(served);
            match self.again(&mut record, began.elapsed()) {
                Some(next) => up = next,
                None => return (record, lingering),
            }
        }
    }

    /// Starts the program again, until it runs, if the policy says so and no command has asked for its end. `None` if
    /// it has ended for good; then `record` says how.
    fn again(&mut self, record: &mut ExitRecord, mut ran: Duration) -> Option<Up> {
        loop {
            let asked_by = self.server.parts.program.asked_by();
            record.stopped_by_user = asked_by == Some(AskedBy::User);
            if asked_by.is_some() {
                return None;
            }
            let pause = self.server.parts.rule.after(record.code, ran)?;
            let waiting = ExitRecord { restarts: true, ..record.clone() };
            self.server.parts.records.end_run(&waiting);
            self.server.parts.chronicle.learn_name();
            self.server.parts.chronicle.ended(record.code, false, false);
            self.server.parts.tell_end_of_run(record.code);
            self.server.parts.rule.begin_pause();
            self.server.parts.begin_jobs();
            let waited = self.server.wait_for(&[], Some(Instant::now() + pause)).and_then(|_| self.finish_jobs());
            self.server.parts.rule.end_pause();
            self.launcher.take_changes();
            match waited.and_then(|()| self.launcher.bring_up(&mut self.server)) {
                Ok(up) => {
                    self.server.parts.chronicle.started();
                    return Some(up);
                }
                Err(Error::Cancelled) => {}
                // The next attempt may succeed: a port was in use, a helper was missing.
                Err(error) => {
                    self.server.parts.records.count_restarts(self.server.parts.rule.restarts());
                    (*record, ran) = (failed_start(&error.into()), Duration::ZERO);
                }
            }
        }
    }

    /// Finishes the changes that are being made for the next run, so that it has them.
    fn finish_jobs(&mut self) -> Result<(), Error> {
        while let Some(answer) = self.server.parts.awaited_job() {
            self.server.wait_for(&[answer.as_fd()], None)?;
            self.server.parts.finish_job();
        }
        Ok(())
    }

    /// Removes what the run has left, and returns how it ended, and what is still going down.
    fn clean_up(&mut self, ended: Ended) -> (ExitRecord, Lingering) {
        let (mut oom_killed, mut lingering) = (false, Lingering::default());
        if let Some(Launched { init, cgroup, mut network, mounts, .. }) = self.server.parts.end_run() {
            // A published port must be free when the command returns. Otherwise only the next run waits for the
            // helper's end: closing its tap device takes the kernel some 20 ms.
            if !self.server.parts.rule.is_active() {
                self.launcher.close_doors();
                lingering = Lingering { network: network.free_ports().then_some(network), mounts, cgroup: None };
            }
            let cleaned_up = self.launcher.clean_up(&init, cgroup, REMOVAL_TIMEOUT);
            (oom_killed, lingering.cgroup) = (cleaned_up.oom_killed, cleaned_up.busy);
        }
        let error = self.server.parts.health.cause().unwrap_or_default().to_owned();
        (ExitRecord { code: ended.code(), at: now(), oom_killed, error, ..ExitRecord::default() }, lingering)
    }
}

/// The record of a restart that failed.
fn failed_start(report: &Report) -> ExitRecord {
    // Little space is reserved for the record.
    let error = report.message.chars().take(150).collect();
    let code = report.kind.shell_code().unwrap_or(125);
    ExitRecord { code: i32::from(code), at: now(), error, ..ExitRecord::default() }
}

fn listen(directory: &ContainerDir) -> Result<OwnedFd, Error> {
    let dir = rustix::fs::open(directory.path(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| step("open the container's directory")(e.into()))?;
    socket::listen_anew(dir.as_fd(), "ctl").map_err(step("listen on the control socket"))
}
