//! Bringing the program up: cgroup, streams, init, network, until the program is executed; undone if a step fails.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

use super::folder::Folder;
use super::group::wanted;
use super::notify::Notifier;
use super::pidfile;
use super::record::{ProcessId, State, Status, now};
use super::relay::{Relay, Streams};
use super::start::{Error, Start, Starter, Stdio, step};
use super::stdio::{log, standard_descriptors};
use crate::net;
use crate::plan::Seccomp;
use crate::runtime::cgroup::{self, Group};
use crate::runtime::{self, FailureKind, FuseOverlay, Launch, Progress, Rootfs, Starting};
use crate::sys::{process, socket};
use crate::types::{NetworkMode, StorageDriver};
use crate::userns::UserNamespace;

/// How long a network may take to come up.
const NETWORK_DEADLINE: Duration = Duration::from_secs(30);

/// How long the kernel may take to let go of a group whose processes have ended.
pub(super) const REMOVAL_PATIENCE: Duration = Duration::from_secs(1);

/// What the start has made, before it is a monitor.
#[derive(Debug)]
pub(super) struct Up {
    pub(super) start: Start,
    pub(super) init: process::Child,
    pub(super) network: net::Running,
    pub(super) state: State,
    pub(super) relay: Relay,
    pub(super) streams: Streams,
    pub(super) group: Option<Group>,
    pub(super) listener: OwnedFd,
    pub(super) notifier: Option<Notifier>,
    /// fuse-overlayfs, if it serves the root file system.
    pub(super) served: Option<FuseOverlay>,
}

/// Brings the program up: by the storage driver that was chosen, or by the one that works.
pub(super) fn bring_up(
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
    let Tried { init, network, relay, listener, notifier, state, group } = tried?;
    let streams = Streams { stdin: starter.stdin, stdout: starter.stdout, stderr: starter.stderr };
    Ok(Up { init, start, network, state, relay, streams, group, listener, notifier, served })
}

/// What one attempt has made.
struct Tried {
    init: process::Child,
    network: net::Running,
    relay: Relay,
    listener: OwnedFd,
    notifier: Option<Notifier>,
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
    let group = own.map(|own| own.make(&super::group_name(&config.id), &wanted(start))).transpose()?;
    let made = (|| {
        let (stdio, ours) = standard_descriptors(start)?;
        let notify = |address: &String| Notifier::begin(&start.folder, address);
        let notifier = start.notify.as_ref().map(notify).transpose().map_err(step("make the notify socket"))?;
        let created = launch(start, home, group.as_ref(), &stdio, root)?;
        drop(stdio);
        Ok::<_, Error>((created, ours, notifier))
    })();
    let (created, ours, notifier) = match made {
        Ok(made) => made,
        Err(error) => {
            if let Some(group) = &group {
                drop(group.remove(REMOVAL_PATIENCE));
            }
            return Err(error);
        }
    };
    let result = (|| {
        let network = driver.start(&start.network, created.process.pid)?;
        let mut relay = Relay::new(log(start)?);
        let network = converse(start, &created, network, &mut relay)?;
        ours.join(&mut relay, config).map_err(step("relay the program's streams"))?;
        if let Some((rows, columns)) = size {
            relay.resize(rows, columns);
        }
        let listener = listen(&start.folder)?;
        let mut state = start.state.clone();
        state.status = Status::Running;
        state.init = ProcessId::of(created.process.pid);
        state.started_at = Some(now());
        state.ports.clone_from(&config.ports);
        state.ip_address = network.addresses().map(|addresses| addresses.ip.to_string());
        state.cgroup = group.as_ref().map(|group| group.path().to_owned());
        start.folder.write_state(&state)?;
        pidfile::write(&config.service, created.process.pid)?;
        Ok::<_, Error>((network, relay, listener, state))
    })();
    match result {
        Ok((network, relay, listener, state)) => {
            Ok(Tried { init: created.process, network, relay, listener, notifier, state, group })
        }
        Err(error) => {
            // Whatever it is doing; it is reaped so that its namespaces are gone when the command hears of it.
            drop(created.process.signal(libc::SIGKILL));
            drop(created.process.wait());
            if let Some(group) = &group {
                drop(group.remove(REMOVAL_PATIENCE));
            }
            Err(error)
        }
    }
}

/// The network driver of a mode.
pub(super) fn kind(mode: &NetworkMode) -> net::Kind {
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
) -> Result<Starting, Error> {
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
        descriptors: &start.descriptors,
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
    created: &Starting,
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
