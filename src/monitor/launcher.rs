//! Launches the program: cgroup, streams, init, network, until the program is executed. If a step fails, all are
//! undone.
//!
//! Meanwhile the server answers all commands. `rc stop`, a signal to the monitor, or the end of the command that starts
//! the container cancels the launch.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cgroup_source::{cgroup_name, pod_cgroup, pod_cgroup_name, wanted};
use super::directory::ContainerDir;
use super::networks;
use super::notify::Notifier;
use super::pidfile::PidFiles;
use super::pod;
use super::program::Launched;
use super::protocol::Event;
use super::serve::Server;
use super::start::{Error, Start, Stdio, step};
use super::stdio::{Pipes, let_go, standard_descriptors};
use crate::net;
use crate::plan::{self, ContainerConfig, RestartPolicy};
use crate::runtime::cgroup::{self, Group, RequestedLimits};
use crate::runtime::{self, FuseOverlay, Launch, Progress, Rootfs, StartingProcess};
use crate::sys::process::{self, Child};
use crate::sys::process_id::ProcessId;
use crate::types::{ContainerId, Layers, NamespaceKind, StorageDriver};
use crate::userns::{Home, UserNamespace};

/// How long a network may take to come up.
const NETWORK_DEADLINE: Duration = Duration::from_secs(30);

/// How long a pod's monitor, which waits for nothing, may take to answer.
const POD_DEADLINE: Duration = Duration::from_secs(5);

/// How long the kernel may take until it lets rc remove a cgroup whose processes have ended.
pub(super) const REMOVAL_TIMEOUT: Duration = Duration::from_secs(1);

/// The same, if nothing will name the cgroup afterwards. A killed process ends only when the disk has answered it.
const LAST_PATIENCE: Duration = Duration::from_secs(60);

/// What became of the things that a run has left.
#[derive(Debug, Default)]
pub(super) struct CleanedUp {
    /// Whether the kernel has killed a process in the cgroup because it was out of memory.
    pub(super) oom_killed: bool,
    /// The cgroup, if a process in it has not ended yet.
    pub(super) busy: Option<Group>,
}

/// Launches the program: at the start, and at each restart.
#[derive(Debug)]
pub(super) struct Launcher {
    /// In a box, since each function on the way would have a copy of its kilobytes on the stack, and the stack of a
    /// monitor is as long as the way that has led to it.
    start: Box<Start>,
    driver: &'static dyn net::Driver,
    /// The monitor's own cgroup, if it has one.
    own: Option<cgroup::Own>,
    home: Home,
    /// The published ports that are rc's own.
    doors: Arc<net::Doors>,
    pid_files: PidFiles,
}

/// What ends with the program, apart from the server's parts.
#[derive(Debug)]
pub(super) struct Up {
    /// fuse-overlayfs, if it serves the root filesystem.
    pub(super) served: Option<FuseOverlay>,
}

/// What exists before init sends its first message.
struct Made {
    init: StartingProcess,
    pipes: Pipes,
    notifier: Option<Notifier>,
}

impl Launcher {
    /// A launcher for `start`, with cgroups in `own`, and published ports that are taken.
    pub(super) fn new(
        start: Box<Start>,
        (driver, doors): (&'static dyn net::Driver, net::Doors),
        own: Option<cgroup::Own>,
        home: Home,
    ) -> Self {
        let pid_files = PidFiles::open(&start.config.service);
        Self { start, driver, own, home, doors: Arc::new(doors), pid_files }
    }

    /// Gives up the published ports: there will be no other launch.
    pub(super) fn close_doors(&mut self) {
        self.doors = Arc::default();
    }

    /// The container.
    pub(super) fn config(&self) -> &ContainerConfig {
        &self.start.config
    }

    /// Waits for the user's root namespace.
    pub(super) fn home(&self) -> Result<&UserNamespace, Error> {
        Ok(self.home.ready()?)
    }

    /// The program runs for the first time: drops what restarts do not need, since volumes are filled only once.
    pub(super) fn first_run_begins(&mut self) {
        self.start.copy_up.clear();
        self.start.waits = false;
        if self.start.config.restart == RestartPolicy::No {
            // Only the program has the descriptors that were handed to it.
            let handed = self.start.stdio.iter_mut().filter(|stdio| matches!(stdio, Stdio::Handed(_)));
            handed.for_each(|stdio| *stdio = Stdio::Null);
        }
    }

    /// Removes what a run has left: PID files and its cgroup, if its processes end within `patience`.
    pub(super) fn clean_up(&self, init: &Child, cgroup: Option<Group>, patience: Duration) -> CleanedUp {
        self.pid_files.remove(init.pid);
        let Some(cgroup) = cgroup else { return CleanedUp::default() };
        if self.start.config.shares(NamespaceKind::Pid) {
            // Process 1 of its PID namespace lives, so the kernel does not end the others.
            drop(cgroup.kill());
        }
        let oom_killed = cgroup.oom_killed().unwrap_or(false);
        let is_removed = self.remove_groups(&cgroup, patience).is_ok();
        CleanedUp { oom_killed, busy: (!is_removed).then_some(cgroup) }
    }

    /// Removes the cgroup of a run, and that of the pod if this is its process, when the processes in it have ended.
    fn remove_groups(&self, cgroup: &Group, patience: Duration) -> Result<(), cgroup::Error> {
        // A process that was about to join it can be the reason of one failure.
        cgroup.remove(patience).or_else(|_| cgroup.remove(patience))?;
        if self.start.config.sandbox.is_some()
            && let Some(shared) = pod_cgroup(cgroup.path(), &self.start.config.id)
            && let Ok(Some(shared)) = cgroup::Own::of_pod(shared)
        {
            shared.remove();
        }
        Ok(())
    }

    /// Removes the cgroup of a container whose records are gone: nothing else names it any more.
    pub(super) fn remove_last(&self, busy: Option<&Group>) {
        if let Some(cgroup) = busy {
            drop(self.remove_groups(cgroup, LAST_PATIENCE));
        }
    }

    /// Adopts what was changed since the last launch: what `update` changes, networks, the name.
    pub(super) fn take_changes(&mut self) {
        let Ok(config) = self.start.directory.config() else { return };
        self.start.extras = plan::extras(&config);
        self.start.config.name.clone_from(&config.name);
        if let Some(process) = self.start.spec.process_mut() {
            plan::adopt_env(process, &self.start.config.env, &config.env);
            plan::adopt_rlimits(process, &self.start.config.rlimits, &config.rlimits);
            self.start.secret_variables.add_to(process);
        }
        self.start.config.env = config.env;
        self.start.config.rlimits = config.rlimits;
        self.start.config.limits = config.limits;
        self.start.config.network = config.network;
        if let Some(linux) = self.start.spec.linux_mut() {
            linux.set_resources(self.start.config.resources());
        }
    }

    /// Launches the program and hands it to the server: with the storage driver that was chosen, or the first one that
    /// works.
    pub(super) fn bring_up(&mut self, server: &mut Server) -> Result<Up, Error> {
        if self.start.waits {
            // The command ends before init becomes the program, and nothing may keep its streams open.
            let_go();
        }
        // First: a pod that stops with its last member must know of this one.
        server.parts.pod.join()?;
        let home = || self.home.ready().and_then(UserNamespace::copy);
        server.parts.networks.join(&self.start.config, home)?;
        if let Some(home) = server.parts.networks.home() {
            server.parts.networks.write_files(&self.start.config, &self.start.directory)?;
            self.home.become_that(home, &self.start.ids, &self.start.runtime_dir)?;
        }
        known_to_pod(server)?;
        let start = &self.start;
        let is_chosen = start.storage == StorageDriver::FuseOverlayfs && !start.layers.is_root;
        let mut served = is_chosen.then(|| self.fuse()).transpose()?;
        let root = |served: &mut Option<FuseOverlay>| served.as_mut().and_then(FuseOverlay::take_mount);
        let mut tried = self.try_up(server, root(&mut served));
        if start.storage == StorageDriver::Auto
            && start.fuse_overlayfs.is_some()
            && matches!(&tried, Err(Error::Runtime(runtime::Error::Failed(failure))) if failure.is_overlay_refused)
        {
            served = Some(self.fuse()?);
            tried = self.try_up(server, root(&mut served));
        }
        tried?;
        Ok(Up { served })
    }

    fn fuse(&self) -> Result<FuseOverlay, Error> {
        let start = &self.start;
        let program = start.fuse_overlayfs.as_deref().ok_or(Error::NoFuse)?;
        Ok(FuseOverlay::start(program, &start.layers.lowers, start.directory.path(), self.home.ready()?)?)
    }

    fn try_up(&self, server: &mut Server, root: Option<OwnedFd>) -> Result<(), Error> {
        if self.own.is_some() {
            // rc may move its own processes to make room for a cgroup: newuidmap and newgidmap must have ended by then.
            self.home.ready()?;
        }
        let cgroup = self.make_cgroup()?;
        let Made { init, pipes, notifier } = match self.launch(cgroup.as_ref(), root) {
            Ok(made) => made,
            Err(error) => {
                self.remove_last(cgroup.as_ref());
                return Err(error);
            }
        };
        let plugged = self
            .home
            .ready()
            .map_err(Error::from)
            .and_then(|home| server.parts.networks.plug(&self.start.config, init.process.pidfd.as_fd(), home));
        let result =
            plugged.and_then(|()| self.converse(server, &init, cgroup.as_ref())).and_then(|(network, mounts)| {
                let process = ProcessId::of(init.process.pid);
                let restarts = server.parts.rule.restarts();
                server.parts.networks.begin_run(process.as_ref());
                let mut state = network.state();
                state.endpoints.extend(server.parts.networks.states());
                server.parts.records.begin_run(process, state, cgroup.as_ref(), restarts)?;
                self.pid_files.write(init.process.pid)?;
                Ok((network, mounts))
            });
        match result {
            Ok((network, mounts)) => {
                server.parts.begin_run(Launched { init: init.process, cgroup, network, mounts, notifier }, pipes);
                Ok(())
            }
            Err(error) => {
                // It is reaped, so that its namespaces no longer exist when the command gets the error.
                drop(init.process.signal(libc::SIGKILL));
                drop(init.process.wait());
                server.parts.end_run();
                self.clean_up(&init.process, cgroup, LAST_PATIENCE);
                Err(error)
            }
        }
    }

    /// The program's cgroup: in that of its pod if it is in one, and for a pod's own process in a new one that has the
    /// pod's limits.
    fn make_cgroup(&self) -> Result<Option<Group>, Error> {
        let (config, wanted) = (&self.start.config, wanted(&self.start));
        let name = cgroup_name(&config.id);
        if let Some(of_pod) = self.cgroup_of_pod()? {
            return Ok(Some(of_pod.make(&name, &wanted)?));
        }
        let Some(own) = &self.own else { return Ok(None) };
        if config.sandbox.is_none() {
            return Ok(Some(own.make(&name, &wanted)?));
        }
        let adopted = self.start.adopted_cgroup.as_deref().map_or(Ok(None), cgroup::Own::of_pod)?;
        let shared = match adopted {
            Some(shared) => shared,
            None => own.make_shared(&pod_cgroup_name(&config.id), &wanted)?,
        };
        let made = shared.make(&name, &RequestedLimits::default());
        if made.is_err() {
            shared.remove();
        }
        Ok(Some(made?))
    }

    /// The cgroup of the pod that the container is in. Without one, or if this process may not use it, the container's
    /// own is made elsewhere.
    fn cgroup_of_pod(&self) -> Result<Option<cgroup::Own>, Error> {
        let Some(pod) = self.start.config.pod.as_ref().filter(|pod| !pod.is_elsewhere) else { return Ok(None) };
        let directory = self.directory_of(&pod.id);
        let state = directory.state().ok();
        let Some(path) = state.as_ref().and_then(|state| pod_cgroup(state.cgroup.as_deref()?, &pod.id)) else {
            return Ok(None);
        };
        let found = cgroup::Own::of_pod(path)?;
        if found.is_none() && directory.config().is_ok_and(|pod| pod.resources().is_some()) {
            // Its limits would not count.
            let reason = "this process may not put others into the cgroup of the pod, which has limits".to_owned();
            return Err(cgroup::Error::Parent { group: path.to_owned(), reason }.into());
        }
        Ok(found)
    }

    /// Makes init, with the monitor's ends of its pipes and of its socket to a service manager.
    fn launch(&self, cgroup: Option<&Group>, root: Option<OwnedFd>) -> Result<Made, Error> {
        let start = &self.start;
        let config = &start.config;
        let (stdio, pipes) = standard_descriptors(start)?;
        let notify = |address: &String| Notifier::begin(&start.directory, address);
        let notifier = start.notify.as_ref().map(notify).transpose().map_err(step("make the notify socket"))?;
        let directory = start.directory.path().to_owned();
        let keeps_mounts = root.is_none() && self.leaves_nothing();
        let launch = Launch {
            spec: &start.spec,
            extras: &start.extras,
            rootfs: match root {
                Some(mount) => Rootfs::Detached { mount, directory },
                None => Rootfs::of(self.layers(), directory, config.auto_remove),
            },
            ids: &start.ids,
            shared: runtime::open_shared(&start.spec, &start.extras, |id| self.init_of(id))?,
            stdio: [stdio[0].as_fd(), stdio[1].as_fd(), stdio[2].as_fd()],
            own_stdio: start.stdio.each_ref().map(|stdio| matches!(stdio, Stdio::Relay)),
            descriptors: &start.descriptors,
            wait_for_network: config.network.forwards_ports() || start.waits || networks::adopts(start),
            keeps_mounts,
            copy_up: start.copy_up.clone(),
            secrets: &start.secrets,
            empty: start.empty.clone(),
        };
        let init = runtime::create_init(&launch, cgroup.map(Group::fd), self.home.ready()?)?;
        self.home.dismiss_member();
        Ok(Made { init, pipes, notifier })
    }

    /// Whether the container shows nothing of the host that anybody could wait for, and nobody looks at its files when
    /// it has ended.
    fn leaves_nothing(&self) -> bool {
        let config = &self.start.config;
        config.auto_remove && config.mounts.is_empty() && config.root_directory.is_none() && !self.start.is_tied
    }

    /// The directory of another container. This one's may be elsewhere: a build's.
    fn directory_of(&self, id: &ContainerId) -> ContainerDir {
        ContainerDir::new(self.start.networks.root().join("containers").join(id.as_str()))
    }

    /// The init of another container, whose namespaces this one has. It may have been started again since the last run.
    fn init_of(&self, id: &ContainerId) -> Result<OwnedFd, Error> {
        let state = self.directory_of(id).state().ok();
        let init = state.and_then(|state| state.init).filter(ProcessId::is_alive);
        let found = init.and_then(|init| {
            let pidfd = process::open_pidfd(init.pid).ok()?;
            // Checked again: from here on the pidfd cannot become another process's.
            init.is_alive().then_some(pidfd)
        });
        found.ok_or_else(|| Error::Needed(id.clone()))
    }

    /// The image's layers, on the mount points that rc has ready.
    fn layers(&self) -> Layers {
        let mut layers = self.start.layers.clone();
        // A layer whose files have their content elsewhere must be the lowest one, and has these points.
        if layers.data.is_empty() && !layers.is_root {
            layers.lowers.insert(0, self.start.empty.join("points"));
        }
        layers
    }

    fn relay_terminal(&self, server: &mut Server, master: OwnedFd) -> Result<(), Error> {
        let config = &self.start.config;
        let has_input = config.open_stdin || config.tty;
        server.parts.relay.add_terminal(master, has_input).map_err(step("relay the terminal"))
    }

    /// Exchanges messages with init until the program runs; the network comes up meanwhile.
    fn converse(
        &self,
        server: &mut Server,
        init: &StartingProcess,
        cgroup: Option<&Group>,
    ) -> Result<(net::Running, Option<OwnedFd>), Error> {
        let deadline = Instant::now() + NETWORK_DEADLINE;
        let publishing = (&self.doors, server.parts.networks.spot(&self.start.config)?);
        let mut starting = Some(net::start(self.driver, &self.start.network, publishing, init.process.pid)?);
        let (mut running, mut mounts) = (None, None);
        loop {
            // The pidfd decides: another process may keep the other end of the socket open.
            server.wait_for(&[init.conversation.sync(), init.process.pidfd.as_fd()], None)?;
            match init.conversation.progress()?.unwrap_or(Progress::Closed) {
                Progress::Mounts(namespace) => mounts = Some(namespace),
                Progress::Terminal(master) => self.relay_terminal(server, master)?,
                Progress::NetworkWanted => {
                    running = starting.take().map(|network| network_up(server, network, deadline)).transpose()?;
                    networks_up(server, deadline)?;
                    if let Some(network) = running.as_ref().filter(|_| self.start.waits) {
                        self.wait_for_starter(server, init, network, cgroup)?;
                    }
                    init.conversation.network_is_up()?;
                }
                Progress::Failed(failure) => return Err(runtime::Error::Failed(failure).into()),
                Progress::Closed => break,
                Progress::Process(_) | Progress::Root(_) | Progress::NetworkUp | Progress::Refused(_) => {}
            }
        }
        let running = match (running, starting) {
            (Some(running), _) => running,
            (None, Some(starting)) => network_up(server, starting, deadline)?,
            (None, None) => return Err(runtime::Error::Died("init").into()),
        };
        Ok((running, mounts))
    }
}

impl Launcher {
    /// Tells the command that everything is prepared, and waits for one that has the program run.
    fn wait_for_starter(
        &self,
        server: &mut Server,
        init: &StartingProcess,
        network: &net::Running,
        cgroup: Option<&Group>,
    ) -> Result<(), Error> {
        let mut state = network.state();
        state.endpoints.extend(server.parts.networks.states());
        server.parts.records.initialized(ProcessId::of(init.process.pid), state, cgroup)?;
        // Who prepares a container works on its process before the program runs. Source: conmon, which writes them too.
        self.pid_files.write(init.process.pid)?;
        server.parts.chronicle.initialized();
        server.parts.tell_starter(&Event::Initialized);
        server.wait_for_starter(init.process.pidfd.as_fd())
    }
}

/// Waits until the container's pod knows it by its names.
fn known_to_pod(server: &mut Server) -> Result<(), Error> {
    let deadline = Instant::now() + POD_DEADLINE;
    while let Some(connection) = server.parts.pod.awaited().map_err(step("duplicate a descriptor"))? {
        if !server.wait_for(&[connection.as_fd()], Some(deadline))? {
            break;
        }
        server.parts.pod.ready(pod::Token::Connection, &mut server.parts.timers);
    }
    Ok(())
}

/// Waits until every network is complete.
fn networks_up(server: &mut Server, deadline: Instant) -> Result<(), Error> {
    loop {
        server.parts.networks.hear();
        server.parts.networks.rejoin(&mut server.parts.timers);
        let Some(connection) = server.parts.networks.awaited()? else { return Ok(()) };
        if !server.wait_for(&[connection.as_fd()], Some(deadline))? {
            return Err(step("wait for a network")(std::io::Error::from_raw_os_error(libc::ETIMEDOUT)));
        }
    }
}

fn network_up(server: &mut Server, network: net::StartingNetwork, deadline: Instant) -> Result<net::Running, Error> {
    if let Some(awaited) = network.awaited() {
        // If the helper is not ready by then, `wait_ready` reports that.
        server.wait_for(&awaited, Some(deadline))?;
    }
    Ok(network.wait_ready(deadline)?)
}
