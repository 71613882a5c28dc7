//! The monitor's life, from the fork to the clean-up.
//!
//! ```text
//! command ── fork ─→ monitor   new session, signals as events
//!                    newuidmap and newgidmap begin  │  the container gets its folder, lock and name
//!                    stage, init                    │  the network helper begins while init makes the mounts
//!                    `ctl` listens, state is running, the command is told
//!                    the loop (`serve`)
//!                    network down, exit recorded, container removed if it is `--rm`, everybody who waits is told
//! ```

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use oci_spec::runtime::Spec;
use rustix::fs::{Mode, OFlags};

use super::exec::Confinement;
use super::folder::Folder;
use super::log::{Bounds, LogWriter, Stream};
use super::protocol::{self, Event};
use super::record::{ExitRecord, ProcessId, Run, State, Status};
use super::relay::{Relay, Streams};
use super::serve::{Parts, Server, Timing};
use crate::net;
use crate::plan::{ContainerConfig, LogDriver, Seccomp};
use crate::runtime::cgroup::{self, Group, Wanted};
use crate::runtime::{self, Created, FailureKind, FuseOverlay, Launch, Progress, Rootfs};
use crate::sys::lock::ProcessLock;
use crate::sys::process::Ended;
use crate::sys::signal::Signals;
use crate::sys::{prctl, process, socket};
use crate::types::{NetworkMode, StorageDriver};
use crate::userns::{IdMap, UserNamespace};

/// How long a network may take to come up.
const NETWORK_DEADLINE: Duration = Duration::from_secs(30);

/// How long the kernel may take to let go of a group whose processes have ended.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(1);

/// What one of the program's standard descriptors is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdio {
    /// The command's own.
    Inherit,
    /// `/dev/null`.
    Null,
    /// A pipe that the monitor relays.
    Relay,
}

/// Everything that the monitor needs; it looks nothing up again.
#[derive(Debug)]
pub struct Start {
    /// The container.
    pub config: ContainerConfig,
    /// The same, for the kernel.
    pub spec: Spec,
    /// Its folder.
    pub folder: Folder,
    /// The unpacked layers, lowest first.
    pub lowers: Vec<PathBuf>,
    /// New volumes: mounts that are filled from the image.
    pub copy_up: Vec<PathBuf>,
    /// The user's ids.
    pub ids: IdMap,
    /// Where the user's namespace is announced.
    pub runtime_dir: PathBuf,
    /// What masks paths: a folder with an empty `file` and an empty `dir`.
    pub empty: PathBuf,
    /// The network's helpers and folders; driver and ports are the configuration's.
    pub network: net::Request,
    /// How the layers become a root file system.
    pub storage: StorageDriver,
    /// fuse-overlayfs, if it is installed.
    pub fuse_overlayfs: Option<PathBuf>,
    /// Standard descriptors, unless the program gets a terminal.
    pub stdio: [Stdio; 3],
    /// The state that was read, with the run that is to begin.
    pub state: State,
}

/// What the command that starts a container brings along.
#[derive(Debug, Default)]
pub struct Starter {
    /// Pipes that it reads and writes, if it attaches.
    pub stdin: Option<OwnedFd>,
    /// See above.
    pub stdout: Option<OwnedFd>,
    /// See above.
    pub stderr: Option<OwnedFd>,
    /// The size of its terminal.
    pub size: Option<(u16, u16)>,
}

/// Why a container could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the keeper does failed: a message and a hint.
    #[error("{0}")]
    Keeper(String, Option<String>),
    /// The user's namespace is not to be had.
    #[error(transparent)]
    Namespace(#[from] crate::userns::Error),
    /// The kernel's side failed.
    #[error(transparent)]
    Runtime(#[from] runtime::Error),
    /// A limit cannot be set.
    #[error(transparent)]
    Cgroup(#[from] cgroup::Error),
    /// The network did not come up.
    #[error(transparent)]
    Network(#[from] net::Error),
    /// The driver that was chosen is not there.
    #[error("fuse-overlayfs is not installed")]
    NoFuse,
    /// A record cannot be written.
    #[error(transparent)]
    Folder(#[from] super::folder::Error),
    /// A file cannot be used.
    #[error(transparent)]
    Path(#[from] crate::sys::fs::PathError),
    /// A step failed.
    #[error("cannot {step}: {}", crate::sys::fs::plain(.source))]
    Step {
        /// What was tried, as an infinitive.
        step: &'static str,
        /// The kernel's answer.
        source: io::Error,
    },
}

fn step(step: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Step { step, source }
}

/// Who keeps the containers: makes a container's folder before the start, and removes it after the end.
pub trait Keeper {
    /// Makes the folder and takes its lock, or only takes it. Fails with a sentence and a hint; nothing is left then.
    fn establish(&self) -> Result<ProcessLock, (String, Option<String>)>;
    /// Takes back what [`establish`](Self::establish) did for a container whose start failed; one whose program could not
    /// be run may stay, to be looked at.
    fn withdraw(&self, home: Option<&UserNamespace>, is_rcs_fault: bool);
    /// The container has ended and is to be removed: its name first, so that it is free when the command returns.
    fn unlink(&self, home: &UserNamespace);
    /// Removes what [`unlink`](Self::unlink) put aside.
    fn remove(&self, home: &UserNamespace);
}

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

fn failure(error: &Error) -> Event {
    let (code, hint) = match error {
        Error::Keeper(_, hint) => (125, hint.clone()),
        Error::Runtime(runtime::Error::Failed(failure)) => {
            return super::failed(failure);
        }
        Error::Namespace(error) => (125, error.hint()),
        Error::Cgroup(error) => (125, error.hint()),
        Error::Network(error) => (125, error.hint()),
        Error::NoFuse => (125, Some("install it: `sudo apt install fuse-overlayfs`".to_owned())),
        _ => (125, None),
    };
    Event::Failed { code, message: error.to_string(), hint }
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
    let own = cgroup::Own::find()?;
    let limits = start.spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
    cgroup::check(own.as_ref(), &Wanted { resources: limits, default_pids: start.config.limits.default_pids })?;
    let pending = UserNamespace::begin(&start.ids, &start.runtime_dir)?;
    let lock = keeper.establish().map_err(|(message, hint)| Error::Keeper(message, hint))?;
    let home = match pending.finish() {
        Ok(home) => home,
        Err(error) => {
            keeper.withdraw(None, true);
            return Err(error.into());
        }
    };
    match bring_up(start, driver, own.as_ref(), &home, starter) {
        Ok(up) => Ok(up.into_monitor(lock, home, signals)),
        Err(error) => {
            let event = failure(&error);
            keeper.withdraw(Some(&home), matches!(event, Event::Failed { code: 125, .. }));
            Err(error)
        }
    }
}

/// What the start has made, before it is a monitor.
struct Up {
    start: Start,
    init: process::Child,
    network: net::Running,
    state: State,
    relay: Relay,
    streams: Streams,
    group: Option<Group>,
    listener: OwnedFd,
    /// fuse-overlayfs, if it serves the root file system.
    served: Option<FuseOverlay>,
}

fn bring_up(
    start: Start,
    driver: &dyn net::Driver,
    own: Option<&cgroup::Own>,
    home: &UserNamespace,
    starter: Starter,
) -> Result<Up, Error> {
    let fuse = |start: &Start| -> Result<FuseOverlay, Error> {
        let program = start.fuse_overlayfs.as_deref().ok_or(Error::NoFuse)?;
        Ok(FuseOverlay::start(program, &start.lowers, start.folder.path(), home)?)
    };
    let mut served = (start.storage == StorageDriver::FuseOverlayfs).then(|| fuse(&start)).transpose()?;
    let root = |served: &mut Option<FuseOverlay>| served.as_mut().and_then(FuseOverlay::take_mount);
    let mut tried = try_up(&start, driver, own, home, starter.size, root(&mut served));
    if start.storage == StorageDriver::Auto
        && start.fuse_overlayfs.is_some()
        && matches!(&tried, Err(Error::Runtime(runtime::Error::Failed(f))) if f.kind == FailureKind::NoOverlay)
    {
        served = Some(fuse(&start)?);
        tried = try_up(&start, driver, own, home, starter.size, root(&mut served));
    }
    let Tried { init, network, relay, listener, state, group } = tried?;
    let streams = Streams { stdin: starter.stdin, stdout: starter.stdout, stderr: starter.stderr };
    Ok(Up { init, start, network, state, relay, streams, group, listener, served })
}

/// What one attempt has made.
struct Tried {
    init: process::Child,
    network: net::Running,
    relay: Relay,
    listener: OwnedFd,
    state: State,
    group: Option<Group>,
}

fn try_up(
    start: &Start,
    driver: &dyn net::Driver,
    own: Option<&cgroup::Own>,
    home: &UserNamespace,
    size: Option<(u16, u16)>,
    root: Option<OwnedFd>,
) -> Result<Tried, Error> {
    let config = &start.config;
    let limits = start.spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
    let wanted = Wanted { resources: limits, default_pids: config.limits.default_pids };
    let group = own.map(|own| own.make(&super::group_name(&config.id), &wanted)).transpose()?;
    let made = (|| {
        let (stdio, ours) = standard_descriptors(start)?;
        let created = launch(start, home, group.as_ref(), &stdio, root)?;
        drop(stdio);
        Ok::<_, Error>((created, ours))
    })();
    let (created, ours) = match made {
        Ok(made) => made,
        Err(error) => {
            if let Some(group) = &group {
                drop(group.remove(REMOVAL_PATIENCE));
            }
            return Err(error);
        }
    };
    let result = (|| {
        let network = driver.start(&start.network, created.init.pid)?;
        let mut relay = Relay::new(log(start)?);
        let network = converse(start, &created, network, &mut relay)?;
        ours.join(&mut relay, config).map_err(step("relay the program's streams"))?;
        if let Some((rows, columns)) = size {
            relay.resize(rows, columns);
        }
        let listener = listen(&start.folder)?;
        let mut state = start.state.clone();
        state.status = Status::Running;
        state.init = ProcessId::of(created.init.pid);
        state.started_at = Some(now());
        state.ports.clone_from(&config.ports);
        state.ip_address = network.addresses().map(|addresses| addresses.ip.to_string());
        state.cgroup = group.as_ref().map(|group| group.path().to_owned());
        start.folder.write_state(&state)?;
        Ok::<_, Error>((network, relay, listener, state))
    })();
    match result {
        Ok((network, relay, listener, state)) => {
            Ok(Tried { init: created.init, network, relay, listener, state, group })
        }
        Err(error) => {
            // Whatever it is doing; it is reaped so that its namespaces are gone when the command hears of it.
            drop(created.init.signal(libc::SIGKILL));
            drop(created.init.wait());
            if let Some(group) = &group {
                drop(group.remove(REMOVAL_PATIENCE));
            }
            Err(error)
        }
    }
}

fn kind(mode: &NetworkMode) -> net::Kind {
    match mode {
        NetworkMode::None => net::Kind::None,
        NetworkMode::Host => net::Kind::Host,
        NetworkMode::Slirp4netns => net::Kind::Slirp4netns,
        NetworkMode::Pasta => net::Kind::Pasta,
    }
}

fn launch(
    start: &Start,
    home: &UserNamespace,
    group: Option<&Group>,
    stdio: &[OwnedFd; 3],
    root: Option<OwnedFd>,
) -> Result<Created, Error> {
    let config = &start.config;
    let folder = start.folder.path().to_owned();
    let launch = Launch {
        spec: &start.spec,
        rootfs: match root {
            Some(mount) => Rootfs::Detached { mount, folder },
            None => Rootfs::Overlay { lowers: start.lowers.clone(), folder, volatile: config.auto_remove },
        },
        ids: &start.ids,
        stdio: [stdio[0].as_fd(), stdio[1].as_fd(), stdio[2].as_fd()],
        own_stdio: start.stdio.map(|stdio| stdio == Stdio::Relay),
        groups: &config.groups,
        init: config.init,
        seccomp: config.seccomp == Seccomp::Default,
        wait_for_network: config.network.forwards_ports(),
        copy_up: start.copy_up.clone(),
        empty: start.empty.clone(),
    };
    Ok(runtime::create(&launch, home, group.map(Group::fd))?)
}

/// Talks to init until the program runs; the network comes up meanwhile.
fn converse(
    start: &Start,
    created: &Created,
    network: net::Starting,
    relay: &mut Relay,
) -> Result<net::Running, Error> {
    let deadline = Instant::now() + NETWORK_DEADLINE;
    let mut starting = Some(network);
    let mut running = None;
    loop {
        match created.progress()? {
            Progress::Terminal(master) => relay
                .add_terminal(master, start.config.open_stdin || start.config.tty)
                .map_err(step("relay the terminal"))?,
            Progress::NetworkWanted => {
                if let Some(network) = starting.take() {
                    running = Some(network.wait_ready(deadline)?);
                }
                created.network_is_up()?;
            }
            Progress::Failed(failure) => return Err(runtime::Error::Failed(failure).into()),
            Progress::Closed => break,
            Progress::Process(_) | Progress::Root(_) | Progress::NetworkUp | Progress::Refused(_) => {}
        }
    }
    match (running, starting) {
        (Some(running), _) => Ok(running),
        (None, Some(starting)) => Ok(starting.wait_ready(deadline)?),
        (None, None) => Err(runtime::Error::Died("init").into()),
    }
}

/// The monitor's ends of the program's pipes.
#[derive(Default)]
struct Ours {
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
}

impl Ours {
    fn join(self, relay: &mut Relay, config: &ContainerConfig) -> io::Result<()> {
        if let Some(fd) = self.stdin {
            relay.set_input(fd, !config.tty)?;
        }
        for (fd, stream) in [(self.stdout, Stream::Stdout), (self.stderr, Stream::Stderr)] {
            if let Some(fd) = fd {
                relay.add_pipe(fd, stream)?;
            }
        }
        Ok(())
    }
}

fn standard_descriptors(start: &Start) -> Result<([OwnedFd; 3], Ours), Error> {
    let mut ours = Ours::default();
    let null = || -> Result<OwnedFd, Error> {
        rustix::fs::open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
            .map_err(|e| step("open `/dev/null`")(e.into()))
    };
    if start.config.tty {
        return Ok(([null()?, null()?, null()?], ours));
    }
    let mut theirs = Vec::with_capacity(3);
    for (number, stdio) in (0..3).zip(start.stdio) {
        theirs.push(match (stdio, process::standard(number)) {
            (Stdio::Inherit, Some(own)) => {
                rustix::io::fcntl_dupfd_cloexec(own, 3).map_err(|e| step("copy a descriptor")(e.into()))?
            }
            (Stdio::Inherit, None) | (Stdio::Null, _) => null()?,
            (Stdio::Relay, _) => {
                let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
                    .map_err(|e| step("make a pipe")(e.into()))?;
                match number {
                    0 => {
                        ours.stdin = Some(write);
                        read
                    }
                    1 => {
                        ours.stdout = Some(read);
                        write
                    }
                    _ => {
                        ours.stderr = Some(read);
                        write
                    }
                }
            }
        });
    }
    let theirs: [OwnedFd; 3] =
        theirs.try_into().map_err(|_| step("make pipes")(io::Error::from_raw_os_error(libc::EINVAL)))?;
    Ok((theirs, ours))
}

fn log(start: &Start) -> Result<Option<LogWriter>, Error> {
    if start.config.log_driver != LogDriver::K8sFile {
        return Ok(None);
    }
    let bounds = Bounds { size: start.config.log_max_size, files: start.config.log_max_files };
    Ok(Some(LogWriter::open(&start.folder.at("log"), bounds)?))
}

fn listen(folder: &Folder) -> Result<OwnedFd, Error> {
    let dir = rustix::fs::open(folder.path(), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| step("open the container's folder")(e.into()))?;
    match socket::listen_at(dir.as_fd(), "ctl") {
        Err(error) if error.raw_os_error() == Some(libc::EADDRINUSE) => {
            // Of an earlier run; we hold the lock, so nobody listens there.
            crate::sys::fs::remove_file(folder.at("ctl"))?;
            socket::listen_at(dir.as_fd(), "ctl")
        }
        other => other,
    }
    .map_err(step("listen on the control socket"))
}

/// Now, RFC 3339 with nanoseconds, UTC.
pub fn now() -> String {
    format!("{:.9}", Timestamp::now())
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
        0
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
