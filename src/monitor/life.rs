//! The monitor's life, from the fork to the clean-up.
//!
//! ```text
//! command ── fork ─→ monitor   new session, signals as events
//!                    newuidmap and newgidmap begin  │  the container gets its folder, lock and name
//!                    … and the service manager      │  (a scope, where rc was typed in a session: `group`)
//!                    stage, init                    │  the network helper begins while init makes the mounts
//!                    `ctl` listens, state is running, the command is told
//!                    the loop (`serve`)
//!                    network down, exit recorded, container removed if it is `--rm`, everybody who waits is told
//! ```

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Mode, OFlags};

use super::attempt::{REMOVAL_PATIENCE, Up, bring_up, kind};
use super::exec::Confinement;
use super::folder::Folder;
use super::group;
use super::notify::Notifier;
use super::pidfile;
use super::protocol::{self, Event};
use super::record::{ExitRecord, Run, State, now};
use super::relay::{Relay, Streams};
use super::serve::{Parts, Server, Timing};
use super::start::{Error, Keeper, Start, Starter, failure, step};
use crate::net;
use crate::plan::{Seccomp, Service};
use crate::runtime::FuseOverlay;
use crate::runtime::cgroup::Group;
use crate::sys::lock::ProcessLock;
use crate::sys::prctl;
use crate::sys::process::{self, Ended};
use crate::sys::signal::Signals;
use crate::types::NetworkMode;
use crate::userns::UserNamespace;

/// Runs as the monitor, in a process that was forked for it; gives its exit code.
pub fn run(start: Start, keeper: &dyn Keeper, command: OwnedFd, starter: Starter) -> i32 {
    match begin(start, keeper, starter) {
        Ok(monitor) => monitor.serve(keeper, command),
        Err(error) => {
            // A command that has gone need not know.
            drop(protocol::send(command.as_fd(), &failure(&error), &[]));
            125
        }
    }
}

/// A monitor whose program runs.
struct Monitor {
    folder: Folder,
    _lock: ProcessLock,
    home: UserNamespace,
    network: net::Running,
    init: process::Child,
    state: State,
    run: Run,
    signals: Signals,
    listener: OwnedFd,
    relay: Relay,
    streams: Streams,
    confinement: Confinement,
    group: Option<Group>,
    timing: Timing,
    auto_remove: bool,
    publishes: bool,
    service: Service,
    notifier: Option<Notifier>,
    served: Option<FuseOverlay>,
}

fn begin(start: Start, keeper: &dyn Keeper, starter: Starter) -> Result<Monitor, Error> {
    // Fails only if this process leads a session already, which a fork does not.
    rustix::process::setsid().ok();
    let name = format!("rc: {}", start.config.name);
    prctl::set_name(&name).map_err(step("name the monitor"))?;
    // What was typed may hold secrets (`-e`), and the monitor lives long.
    process::replace_command_line(&name).map_err(step("hide the command line"))?;
    let signals = Signals::all().map_err(step("block signals"))?;

    let driver = kind(&start.config.network).driver();
    driver.validate(&start.network)?;
    let source = group::ask(&start)?;
    let pending = UserNamespace::begin(&start.ids, &start.runtime_dir)?;
    let lock = keeper.establish().map_err(|(message, hint)| Error::Keeper(message, hint))?;
    let home = match pending.finish() {
        Ok(home) => home,
        Err(error) => {
            keeper.withdraw(None, true);
            return Err(error.into());
        }
    };
    let up =
        source.finish(&group::wanted(&start)).and_then(|own| bring_up(start, driver, own.as_ref(), &home, starter));
    match up {
        Ok(up) => Ok(up.into_monitor(lock, home, signals)),
        Err(error) => {
            let event = failure(&error);
            keeper.withdraw(Some(&home), matches!(event, Event::Failed { code: 125, .. }));
            Err(error)
        }
    }
}

impl Up {
    fn into_monitor(self, lock: ProcessLock, home: UserNamespace, signals: Signals) -> Monitor {
        let config = self.start.config;
        Monitor {
            run: Run(self.state.run),
            folder: self.start.folder,
            _lock: lock,
            home,
            network: self.network,
            init: self.init,
            state: self.state,
            signals,
            listener: self.listener,
            relay: self.relay,
            streams: self.streams,
            confinement: Confinement {
                own_network: config.network != NetworkMode::Host,
                seccomp: config.seccomp == Seccomp::Default,
                single_id: self.start.ids.is_single(),
                groups: config.groups,
            },
            group: self.group,
            timing: Timing { stop_signal: config.stop_signal, stop_timeout: config.stop_timeout },
            auto_remove: config.auto_remove,
            publishes: !config.ports.is_empty(),
            service: config.service,
            notifier: self.notifier,
            served: self.served,
        }
    }
}

impl Monitor {
    fn serve(self, keeper: &dyn Keeper, command: OwnedFd) -> i32 {
        let pid = self.init.pid;
        let helper = self.network.pidfd().and_then(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 0).ok());
        let mut server = Server::new(Parts {
            folder: &self.folder,
            state: self.state,
            init: self.init,
            signals: self.signals,
            listener: self.listener,
            relay: self.relay,
            confinement: self.confinement,
            group: self.group,
            helper,
            timing: self.timing,
            notifier: self.notifier,
        });
        // A command that has gone need not know; the container lives on.
        drop(protocol::send(command.as_fd(), &Event::Started { pid }, &[]));
        drop(server.adopt(command, Some(self.streams)));
        let_go();
        let ended = server.run().unwrap_or(Ended::Exited(255));
        // A published port must be free when the command returns. Otherwise nobody waits for the helper's end: closing its
        // tap device takes the kernel some 15 ms.
        let mut network = Some(self.network);
        if self.publishes {
            network = None;
        }
        drop(self.served);
        pidfile::remove(&self.service, pid);
        let oom_killed = server.group().is_some_and(|group| group.oom_killed().unwrap_or(false));
        let record = ExitRecord { code: ended.code(), at: now(), oom_killed, error: String::new() };
        if let Some(group) = server.group() {
            // What cannot be removed is busy with a process that the kernel is still ending; the next rc sweeps it.
            drop(group.remove(REMOVAL_PATIENCE));
        }
        if self.auto_remove {
            keeper.unlink(&self.home);
        } else {
            // The disk may be broken: then whoever looks finds no record, and says so.
            drop(self.folder.write_exit(&self.run, &record));
        }
        server.tell_end(record.code);
        if self.auto_remove {
            keeper.remove(&self.home);
        }
        drop(network);
        // A service manager may have been told that this is the main process: it ends as the program did.
        record.code
    }
}

/// From here on the monitor is alone: it keeps nothing of the command's terminal, folder or memory.
fn let_go() {
    if let Ok(null) = rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        for number in 0..3 {
            drop(process::place(null.as_fd(), number));
        }
    }
    rustix::process::chdir(c"/").ok();
    process::trim_heap();
}
