//! Bringing the program up: cgroup, streams, init, network, until the program is executed; undone if a step fails.
//!
//! The server answers everybody meanwhile, and an end that somebody asks for (`rc stop`, a signal, the command that has
//! started this and is gone) takes the attempt back.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use super::group::wanted;
use super::notify::Notifier;
use super::pidfile::PidFiles;
use super::record::ProcessId;
use super::serve::{Program, Server};
use super::start::{Error, Start, Stdio, step};
use super::stdio::{Kept, Pipes, standard_descriptors};
use crate::net;
use crate::plan::Seccomp;
use crate::runtime::cgroup::{self, Group};
use crate::runtime::{self, FuseOverlay, Launch, Progress, Rootfs, Stage, Starting};
use crate::types::StorageDriver;
use crate::userns::Home;

/// How long a network may take to come up.
const NETWORK_DEADLINE: Duration = Duration::from_secs(30);

/// How long the kernel may take to let go of a group whose processes have ended.
pub(super) const REMOVAL_PATIENCE: Duration = Duration::from_secs(1);

/// What every attempt starts from.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) start: Start,
    pub(super) driver: &'static dyn net::Driver,
    /// This process' own group, if it has one.
    pub(super) own: Option<cgroup::Own>,
    pub(super) home: Home,
    pub(super) kept: Kept,
    pub(super) pid_files: PidFiles,
}

/// What ends with the program, beside what the server looks after.
#[derive(Debug)]
pub(super) struct Up {
    pub(super) network: net::Running,
    /// fuse-overlayfs, if it serves the root file system.
    pub(super) served: Option<FuseOverlay>,
}

type Launched = (Starting, Pipes, Option<Notifier>);

impl Ground {
    /// The limits that `update` has set since the last attempt are for the next one, too.
    pub(super) fn take_new_limits(&mut self) {
        let Ok(config) = self.start.directory.config() else { return };
        self.start.config.limits = config.limits;
        if let Some(linux) = self.start.spec.linux_mut() {
            linux.set_resources(self.start.config.resources());
        }
    }

    /// Brings the program up, and hands it to the server: by the storage driver that was chosen, or by the one that works.
    pub(super) fn bring_up(&self, server: &mut Server) -> Result<Up, Error> {
        let start = &self.start;
        let mut served = (start.storage == StorageDriver::FuseOverlayfs).then(|| self.fuse()).transpose()?;
        let root = |served: &mut Option<FuseOverlay>| served.as_mut().and_then(FuseOverlay::take_mount);
        let mut tried = self.try_up(server, root(&mut served));
        if start.storage == StorageDriver::Auto
            && start.fuse_overlayfs.is_some()
            && matches!(&tried, Err(Error::Runtime(runtime::Error::Failed(failure))) if failure.is_overlay_refused)
        {
            served = Some(self.fuse()?);
            tried = self.try_up(server, root(&mut served));
        }
        Ok(Up { network: tried?, served })
    }

    fn fuse(&self) -> Result<FuseOverlay, Error> {
        let start = &self.start;
        let program = start.fuse_overlayfs.as_deref().ok_or(Error::NoFuse)?;
        Ok(FuseOverlay::start(program, &start.lowers, start.directory.path(), self.home.ready()?)?)
    }

    fn try_up(&self, server: &mut Server, root: Option<OwnedFd>) -> Result<net::Running, Error> {
        let config = &self.start.config;
        let name = super::group_name(&config.id);
        if self.own.is_some() {
            // Where rc's processes are moved to make way for a group, newuidmap and newgidmap are not among them.
            self.home.ready()?;
        }
        let group = self.own.as_ref().map(|own| own.make(&name, &wanted(&self.start))).transpose()?;
        let (created, pipes, notifier) = match self.launch(group.as_ref(), root) {
            Ok(made) => made,
            Err(error) => {
                if let Some(group) = &group {
                    drop(group.remove(REMOVAL_PATIENCE));
                }
                return Err(error);
            }
        };
        let result = self.converse(server, &created).and_then(|network| {
            server.record_start(ProcessId::of(created.process.pid), network.addresses(), group.as_ref())?;
            self.pid_files.write(created.process.pid)?;
            Ok(network)
        });
        match result {
            Ok(network) => {
                let helper = network.pidfd().and_then(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 0).ok());
                server.run_begins(Program { init: created.process, group, helper, notifier }, pipes);
                Ok(network)
            }
            Err(error) => {
                // Whatever it is doing; it is reaped so that its namespaces are gone when the command hears of it.
                drop(created.process.signal(libc::SIGKILL));
                drop(created.process.wait());
                server.run_is_over();
                if let Some(group) = &group {
                    drop(group.remove(REMOVAL_PATIENCE));
                }
                Err(error)
            }
        }
    }

    /// Makes init; the monitor's ends of its pipes and of its way to a service manager come with it.
    fn launch(&self, group: Option<&Group>, root: Option<OwnedFd>) -> Result<Launched, Error> {
        let start = &self.start;
        let config = &start.config;
        let (stdio, pipes) = standard_descriptors(start, &self.kept)?;
        let notify = |address: &String| Notifier::begin(&start.directory, address);
        let notifier = start.notify.as_ref().map(notify).transpose().map_err(step("make the notify socket"))?;
        let directory = start.directory.path().to_owned();
        let launch = Launch {
            spec: &start.spec,
            rootfs: match root {
                Some(mount) => Rootfs::Detached { mount, directory },
                None => Rootfs::Overlay { lowers: start.lowers.clone(), directory, volatile: config.auto_remove },
            },
            ids: &start.ids,
            stdio: [stdio[0].as_fd(), stdio[1].as_fd(), stdio[2].as_fd()],
            own_stdio: start.stdio.map(|stdio| stdio == Stdio::Relay),
            descriptors: &start.descriptors,
            groups: &config.groups,
            init: config.init,
            seccomp: config.seccomp == Seccomp::Default,
            wait_for_network: config.network.forwards_ports(),
            copy_up: start.copy_up.clone(),
            empty: start.empty.clone(),
        };
        let stage = Stage::fork(&launch, group.map(Group::fd))?;
        let created = match self.home.ready() {
            Ok(home) => stage.create(home)?,
            Err(error) => {
                stage.dismiss();
                return Err(error.into());
            }
        };
        self.home.dismiss_member();
        Ok((created, pipes, notifier))
    }

    /// Talks to init until the program runs; the network comes up meanwhile.
    fn converse(&self, server: &mut Server, created: &Starting) -> Result<net::Running, Error> {
        let deadline = Instant::now() + NETWORK_DEADLINE;
        let mut starting = Some(self.driver.start(&self.start.network, created.process.pid)?);
        let mut running = None;
        loop {
            // The pidfd has the last word: the other end of the socket may be in hands that keep it open.
            server.wait_for(&[created.conversation.sync(), created.process.pidfd.as_fd()], None)?;
            match created.conversation.progress()?.unwrap_or(Progress::Closed) {
                Progress::Terminal(master) => server.terminal(master, &self.start.config)?,
                Progress::NetworkWanted => {
                    running = starting.take().map(|network| network_up(server, network, deadline)).transpose()?;
                    created.conversation.network_is_up()?;
                }
                Progress::Failed(failure) => return Err(runtime::Error::Failed(failure).into()),
                Progress::Closed => break,
                Progress::Home(_)
                | Progress::Process(_)
                | Progress::Root(_)
                | Progress::NetworkUp
                | Progress::Refused(_) => {}
            }
        }
        match (running, starting) {
            (Some(running), _) => Ok(running),
            (None, Some(starting)) => network_up(server, starting, deadline),
            (None, None) => Err(runtime::Error::Died("init").into()),
        }
    }
}

fn network_up(server: &mut Server, network: net::Starting, deadline: Instant) -> Result<net::Running, Error> {
    if let Some(awaited) = network.awaited() {
        // A helper that has not spoken by then is told apart by `wait_ready`.
        server.wait_for(&awaited, Some(deadline))?;
    }
    Ok(network.wait_ready(deadline)?)
}
