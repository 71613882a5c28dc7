//! The monitor's life, from the fork to the clean-up.
//!
//! ```text
//! command ── fork ─→ monitor   new session, signals as events
//!                    newuidmap and newgidmap begin  │  the container gets its directory, lock, `ctl` and name; stage is forked
//!                    … and the service manager      │  (a scope, where rc was typed in a session: `group`)
//!                    H is there: init (`attempt`)   │  the network helper begins while init makes the mounts
//!                    state is running, the command is told
//!                    the loop (`serve`)
//!                    network down, exit recorded; the restart rule may make another attempt after a pause
//!                    container removed if it is `--rm`, everybody who waits is told
//! ```

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

use super::attempt::{Ground, REMOVAL_PATIENCE, Up};
use super::directory::ContainerDir;
use super::group;
use super::pidfile::PidFiles;
use super::protocol::{self, Event};
use super::record::{ExitRecord, Run, now};
use super::restart::Rule;
use super::serve::{AskedBy, Server};
use super::sink::Log;
use super::start::{Error, Keeper, Start, Starter, step};
use super::stdio::Kept;
use crate::net;
use crate::plan::RestartPolicy;
use crate::sys::lock::ProcessLock;
use crate::sys::process::{self, Ended};
use crate::sys::signal::Signals;
use crate::sys::{prctl, socket};
use crate::types::Report;
use crate::userns::Home;

/// Runs as the monitor, in a process that was forked for it; gives its exit code.
pub(crate) fn run(start: Start, keeper: &dyn Keeper, command: OwnedFd, starter: Starter) -> i32 {
    let mut life = match Life::begin(start, keeper) {
        Ok(life) => life,
        Err(error) => {
            // A command that has gone need not know.
            drop(protocol::send(command.as_fd(), &Event::Failed(error.into()), &[]));
            return 125;
        }
    };
    let adopted = life.server.adopt(command, starter).map_err(step("relay the command's streams"));
    match adopted.and_then(|()| life.ground.bring_up(&mut life.server)) {
        Ok(up) => life.serve(up),
        Err(error) => life.give_up(error.into()),
    }
}

/// A monitor whose container has its directory.
struct Life<'a> {
    keeper: &'a dyn Keeper,
    _lock: ProcessLock,
    ground: Ground,
    server: Server,
}

impl<'a> Life<'a> {
    /// Becomes a monitor, and makes what must be there before a process is. On failure nothing is left.
    fn begin(start: Start, keeper: &'a dyn Keeper) -> Result<Self, Error> {
        // Fails only if this process leads a session already, which a fork does not.
        rustix::process::setsid().ok();
        let name = format!("rc: {}", start.config.name);
        prctl::set_name(&name).map_err(step("name the monitor"))?;
        // What was typed may hold secrets (`-e`), and the monitor lives long.
        process::replace_command_line(&name).map_err(step("hide the command line"))?;
        let signals = Signals::all().map_err(step("block signals"))?;

        let driver = net::Kind::from(&start.config.network).driver();
        driver.validate(&start.network)?;
        let source = group::ask_for(&start)?;
        let home = Home::begin(&start.ids, &start.runtime_dir)?;
        let (lock, listener) = keeper.establish(listen).map_err(Error::Keeper)?;
        let withdraw = |error: Error| {
            keeper.withdraw(home.ready().ok(), true);
            error
        };
        let own = source.finish(&group::wanted(&start)).map_err(|error| withdraw(error.into()))?;
        let log = Log::open(&start).map_err(withdraw)?;
        let server = Server::new(&start, signals, listener, log);
        let pid_files = PidFiles::open(&start.config.service);
        let ground = Ground { start, driver, own, home, kept: Kept::default(), pid_files };
        Ok(Self { keeper, _lock: lock, ground, server })
    }

    /// The program was never executed.
    fn give_up(mut self, report: Report) -> i32 {
        self.keeper.withdraw(self.ground.home.ready().ok(), report.kind.shell_code().is_none());
        self.server.tell_starter(&Event::Failed(report));
        125
    }

    /// Looks after the program until it has ended, and after what is left.
    fn serve(mut self, up: Up) -> i32 {
        // A command that has gone need not know; the container lives on.
        let pid = self.server.program.as_ref().map_or(0, |program| program.init.pid);
        self.server.tell_starter(&Event::Started { pid });
        // Volumes are filled once.
        self.ground.start.copy_up.clear();
        if self.ground.start.config.restart != RestartPolicy::No {
            self.ground.kept = Kept::keep(&self.ground.start);
        }
        let_go();
        let (record, network) = self.outlive(up);
        let removes = self.ground.start.config.auto_remove;
        if removes {
            self.keeper.unlink();
        } else {
            // The disk may be broken: then whoever looks finds no record, and says so.
            drop(self.server.directory.write_exit(&Run(self.server.state.run), &record));
        }
        self.server.tell_end(record.code);
        if removes && let Ok(home) = self.ground.home.ready() {
            self.keeper.remove(home);
        }
        drop(network);
        // A service manager may have been told that this is the main process: it ends as the program did.
        record.code
    }

    /// Looks after the program, and after those that the restart rule lets follow. Says how the last one ended; its network
    /// may still be on its way down.
    fn outlive(&mut self, mut up: Up) -> (ExitRecord, Option<net::Running>) {
        let mut rule = Rule::new(self.server.rule.policy);
        loop {
            let began = Instant::now();
            let ended = self.server.run().unwrap_or(Ended::Exited(255));
            rule.follow(self.server.rule.policy);
            let Up { mut network, served } = up;
            // A published port must be free when the command returns. Otherwise only the next run waits for the helper's end:
            // closing its tap device takes the kernel some 20 ms.
            let may_linger = !rule.is_active() && network.free_ports();
            let network = may_linger.then_some(network);
            drop(served);
            let mut record = self.clean_up(ended);
            match self.again(&mut rule, &mut record, began.elapsed()) {
                Some(next) => up = next,
                None => return (record, network),
            }
        }
    }

    /// Starts the program again, if the rule says so and nobody has asked for its end, until it runs. `None` if it has ended
    /// for good, as `record` then says.
    fn again(&mut self, rule: &mut Rule, record: &mut ExitRecord, mut ran: Duration) -> Option<Up> {
        loop {
            record.stopped_by_user = self.server.end_wanted == Some(AskedBy::User);
            if self.server.end_wanted.is_some() {
                return None;
            }
            let pause = rule.after(record.code, ran)?;
            self.server.restarts = rule.restarts();
            let waiting = ExitRecord { restarts: true, ..record.clone() };
            drop(self.server.directory.write_exit(&Run(self.server.state.run), &waiting));
            self.server.rests = true;
            let waited = self.server.wait_for(&[], Some(Instant::now() + pause));
            self.server.rests = false;
            rule.follow(self.server.rule.policy);
            self.ground.take_new_limits();
            match waited.and_then(|_| self.ground.bring_up(&mut self.server)) {
                Ok(up) => return Some(up),
                Err(Error::Cancelled) => {}
                // It may go better the next time: a port was taken, a helper was not there.
                Err(error) => (*record, ran) = (failed_start(&error.into()), Duration::ZERO),
            }
        }
    }

    /// Removes what the program's end has left of its run, and says how it ended.
    fn clean_up(&mut self, ended: Ended) -> ExitRecord {
        let program = self.server.run_is_over();
        if let Some(program) = &program {
            self.ground.pid_files.remove(program.init.pid);
        }
        let group = program.and_then(|program| program.group);
        let oom_killed = group.as_ref().is_some_and(|group| group.oom_killed().unwrap_or(false));
        if let Some(group) = &group {
            // What cannot be removed is busy with a process that the kernel is still ending; the next rc sweeps it.
            drop(group.remove(REMOVAL_PATIENCE));
        }
        ExitRecord { code: ended.code(), at: now(), oom_killed, ..ExitRecord::default() }
    }
}

/// The record of a start that failed when the program was to run again.
fn failed_start(report: &Report) -> ExitRecord {
    // The room that is reserved for the record is small.
    let error = report.message.chars().take(150).collect();
    let code = report.kind.shell_code().unwrap_or(125);
    ExitRecord { code: i32::from(code), at: now(), error, ..ExitRecord::default() }
}

fn listen(directory: &ContainerDir) -> Result<OwnedFd, Error> {
    let dir = rustix::fs::open(directory.path(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| step("open the container's directory")(e.into()))?;
    match socket::listen_at(dir.as_fd(), "ctl") {
        Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => {
            // Of an earlier run; we hold the lock, so nobody listens there.
            crate::sys::fs::remove_file(directory.at("ctl"))?;
            socket::listen_at(dir.as_fd(), "ctl")
        }
        other => other,
    }
    .map_err(step("listen on the control socket"))
}

/// From here on the monitor is alone: it keeps nothing of the command's terminal, directory or memory.
fn let_go() {
    if let Ok(null) = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        for number in 0..3 {
            drop(process::place(null.as_fd(), number));
        }
    }
    rustix::process::chdir(c"/").ok();
    process::trim_heap();
}
