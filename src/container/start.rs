//! Starting a container: everything that can be found out is found out here, then the monitor is forked.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use super::create::{Creation, Keeping, first_run};
use super::detach::Detach;
use super::ends::{self, Ends};
use super::first_word::await_start;
use super::manager::{Manager, announce, await_manager};
use super::pump::{self, Outcome, Pump, Terminal, Unread};
use super::{Container, Error};
use crate::monitor::protocol::{self, Event};
use crate::monitor::{self, ContainerDir, Start, State, Status};
use crate::net;
use crate::plan::{self, CgroupNamespace, ContainerConfig, HostFacts, Mount, MountKind, Sdnotify};
use crate::runtime::cgroup;
use crate::storage::Store;
use crate::storage::volumes::{Record, Volume};
use crate::sys::datagram::Sender;
use crate::sys::fs;
use crate::sys::lock::FileLock;
use crate::sys::process::{self, CloneOptions, fork};
use crate::sys::{socket, tty};
use crate::types::{DetachKeys, Name, StorageDriver};
use crate::userns::IdMap;

/// What all starts of this command have in common.
#[derive(Debug)]
pub(crate) struct Environment {
    /// The store.
    pub(crate) store: Store,
    /// What may vanish at any time.
    pub(crate) runtime_dir: PathBuf,
    /// The user's ids.
    pub(crate) ids: IdMap,
    /// Where the network helpers are.
    pub(crate) programs: net::Programs,
    /// How layers become a root file system.
    pub(crate) storage: StorageDriver,
    /// fuse-overlayfs, if it is installed.
    pub(crate) fuse_overlayfs: Option<PathBuf>,
    /// The service manager behind this command.
    pub(crate) manager: Manager,
}

/// How this command is joined to the program.
#[derive(Debug, Clone)]
pub(crate) enum Attach {
    /// Not at all.
    No,
    /// It waits for the program, and passes streams and signals on.
    Yes {
        /// Our standard input goes to the program.
        stdin: bool,
        /// Signals to this command go to the program.
        proxy_signals: bool,
    },
}

/// Which container.
#[derive(Debug)]
pub(crate) enum Origin {
    /// One that is made as it starts.
    New(Box<Creation>),
    /// One that is there.
    Existing(Box<Container>),
}

/// Starts a container from its unpacked layers (lowest first). Detached, it returns when the program runs; attached, when it
/// has ended or the user has detached.
///
/// Fails with the sentence of whoever failed. A container that was made for it is gone then, unless it was the program that
/// could not be run (126, 127) and the container is not to remove itself.
pub(crate) fn start(
    environment: &Environment,
    origin: Origin,
    lowers: Vec<PathBuf>,
    attach: &Attach,
) -> Result<Outcome, Error> {
    let store = environment.store.clone();
    let (config, directory, state, keeping) = begin(&store, origin)?;
    let fresh = prepare_volumes(&store, &config)?;
    let copy_up = fresh.iter().map(|fresh| fresh.destination.clone()).collect();
    let spec = plan::spec(&config, &host_facts(environment, &config, &directory)?)?;
    let manager = environment.manager.connect(&config).map_err(Error::NoManager)?;
    let ends = ends::for_start(&config, attach)?;
    let locks = environment.runtime_dir.join("net");
    fs::create_dir_all(&locks)?;
    let start = Start {
        spec,
        extras: plan::extras(&config),
        lowers,
        copy_up,
        ids: environment.ids.clone(),
        runtime_dir: environment.runtime_dir.clone(),
        empty: empty_directory(&store)?,
        network: net::Request {
            ports: config.ports.clone(),
            programs: environment.programs.clone(),
            directory: directory.path().to_owned(),
            locks,
        },
        storage: environment.storage,
        fuse_overlayfs: environment.fuse_overlayfs.clone(),
        stdio: ends.stdio,
        descriptors: environment.manager.copies().map_err(Error::step("copy a descriptor"))?,
        notify: environment.manager.relayed(&config).map(str::to_owned),
        state,
        directory,
        config,
    };
    let keys = start.config.detach_keys.parse::<DetachKeys>().unwrap_or_default();
    let tty = start.config.tty;
    // A terminal has no end that its program could see without losing its input, too.
    let unread = if tty || start.config.log_driver.keeps_output() { Unread::Leave } else { Unread::TellMonitor };
    let sdnotify = start.config.service.sdnotify;
    let place = start.directory.clone();
    let becomes_main = manager.is_some() && matches!(attach, Attach::No);
    let mut signals = match attach {
        Attach::Yes { proxy_signals, .. } => Some(pump::take_signals(*proxy_signals)?),
        Attach::No => None,
    };
    let (ours, theirs) = socket::pair().map_err(Error::step("make a socket pair"))?;
    // The monitor is our child, but nobody waits for it: it outlives us, or has told us everything when it ends.
    let starter = ends.starter;
    let child = fork_monitor(becomes_main, || {
        drop(process::close(ours.as_fd()));
        for inherited in &environment.manager.descriptors {
            drop(process::close(inherited.fd.as_fd()));
        }
        for own in &environment.manager.own {
            drop(process::close(own.as_fd()));
        }
        if let Some(manager) = &manager {
            drop(process::close(manager.as_fd()));
        }
        if let Some(signals) = &signals {
            drop(process::close(signals.as_fd()));
        }
        let input = ends.input.iter().map(pump::Input::fd);
        for fd in input.chain(ends.outputs.iter().map(pump::Output::source)) {
            drop(process::close(fd));
        }
        monitor::run(start, &keeping, theirs, starter)
    })?;
    let started = await_start(&ours, signals.as_mut());
    settle(fresh, &started)?;
    started?;
    tell_started(manager.as_ref(), sdnotify, becomes_main.then_some(&place))?;
    if let Some(manager) = manager.filter(|_| becomes_main && environment.manager.is_of_unit()) {
        return hand_over(&manager, &place, &ours);
    }
    let (Attach::Yes { proxy_signals, .. }, Some(signals)) = (attach, signals) else { return Ok(Outcome::Detached) };
    let outcome = pump::run(Pump {
        socket: ours,
        input: ends.input,
        outputs: ends.outputs,
        unread,
        terminal: tty.then(|| Terminal { master: None, detach: Detach::new(&keys) }),
        signals,
        proxy_signals: *proxy_signals,
    })?;
    if matches!(outcome, Outcome::Exited(_)) && environment.manager.is_of_unit() {
        // Else the manager would kill it, and what it has yet to remove would stay until the next command.
        drop(child.wait());
    }
    Ok(outcome)
}

/// What is started, its directory, the state that its run begins with, and who keeps it. Fails if it runs already.
fn begin(store: &Store, origin: Origin) -> Result<(ContainerConfig, ContainerDir, State, Keeping), Error> {
    match origin {
        Origin::New(creation) => {
            Ok((creation.config.clone(), creation.directory(), first_run(), Keeping::New(creation)))
        }
        Origin::Existing(container) => {
            let Container { config, directory, state, status, .. } = *container;
            if !matches!(status, Status::Created | Status::Exited) {
                return Err(Error::State { action: "start", name: config.name.to_string(), status });
            }
            let state = State {
                status: Status::Starting,
                run: state.run + 1,
                exit: None,
                init: None,
                cgroup: None,
                restart_count: 0,
                ..state
            };
            let files = files(&config)?;
            let keeping = Keeping::Existing {
                store: store.clone(),
                config: Box::new(config.clone()),
                directory: directory.clone(),
                files,
                state: Box::new(state.clone()),
            };
            Ok((config, directory, state, keeping))
        }
    }
}

/// Tells the service manager that the program runs, and who is the main process, if it is the monitor of this directory.
fn tell_started(manager: Option<&Sender>, mode: Sdnotify, main: Option<&ContainerDir>) -> Result<(), Error> {
    let Some(manager) = manager else { return Ok(()) };
    // It may have ended by now, and with it the service.
    let main = main.map_or(Ok(None), monitor_of)?;
    announce(manager, mode, main).map_err(Error::step("tell the service manager of the start"))
}

/// The pid of the monitor; `None` if it has ended, and removed the directory perhaps.
fn monitor_of(place: &ContainerDir) -> Result<Option<i32>, fs::PathError> {
    place.holder().or_else(|error| if error.is_not_found() { Ok(None) } else { Err(error) })
}

/// Ends this command's time as the main process of its unit. A monitor that ended before the manager has looked at it did not
/// become the main process: then the unit ends with this command, which has to end as the program did.
fn hand_over(manager: &Sender, place: &ContainerDir, monitor: &OwnedFd) -> Result<Outcome, Error> {
    // A manager that does not answer leaves it at what is known now.
    drop(await_manager(manager));
    if monitor_of(place)?.is_some() {
        return Ok(Outcome::Detached);
    }
    loop {
        match protocol::receive::<Event>(monitor).map_err(Error::step("hear from the monitor"))? {
            Some((Event::Exited { code, .. }, _)) => return Ok(Outcome::Exited(code)),
            Some(_) => {}
            None => return Ok(Outcome::Detached),
        }
    }
}

/// Forks the monitor. One that becomes the main process of a service is the child of a process that has ended when this
/// returns, and so the manager's: systemd waits only for a main process of its own, and looks when it is told of one.
/// Source: systemd, `service_set_main_pidref`.
fn fork_monitor(becomes_main: bool, body: impl FnOnce() -> i32) -> Result<process::Child, Error> {
    let once_more = || if becomes_main { fork(&CloneOptions::default(), body).map_or(125, |_| 0) } else { body() };
    let child = fork(&CloneOptions::default(), once_more).map_err(Error::step("fork the monitor"))?;
    if becomes_main {
        drop(child.wait());
    }
    Ok(child)
}

fn host_facts(
    environment: &Environment,
    config: &ContainerConfig,
    directory: &ContainerDir,
) -> Result<HostFacts, Error> {
    Ok(HostFacts {
        rootfs: directory.at("merged"),
        container_dir: directory.path().to_owned(),
        volumes_dir: environment.store.volumes(),
        cgroups: match config.cgroup.namespace {
            CgroupNamespace::Host => cgroup::mount_point()?,
            CgroupNamespace::Private => None,
        },
        processors: processors(),
        handed: environment.manager.handed(config),
    })
}

/// A volume that was never used: it is filled from the image while its lock is held.
struct Fresh {
    volume: Volume,
    lock: FileLock,
    destination: PathBuf,
}

/// Lets go of new volumes, which are used from now on if the start went well.
fn settle(fresh: Vec<Fresh>, started: &Result<(), Error>) -> Result<(), Error> {
    for Fresh { volume, lock, .. } in fresh {
        if started.is_ok() {
            match volume.mark_used() {
                // The program has ended by now, and its own volume has gone with it.
                Err(crate::storage::Error::Path(error)) if error.is_not_found() => {}
                other => other?,
            }
        }
        // The monitor has a copy of the descriptor, and may still be filling the volume if we do not wait for it.
        match started {
            Err(Error::Interrupted(_)) => drop(lock),
            _ => lock.release(),
        }
    }
    Ok(())
}

/// Makes the volumes that are missing, and finds those that are to be filled from the image.
///
/// They are locked in the order of their names, each once, however often it is mounted: two starts with the same volumes must
/// not wait for each other, nor one for itself.
fn prepare_volumes(store: &Store, config: &ContainerConfig) -> Result<Vec<Fresh>, Error> {
    let mut wanted: BTreeMap<&Name, (bool, Vec<&Mount>)> = BTreeMap::new();
    for mount in &config.mounts {
        if let MountKind::Volume { name, anonymous } = &mount.kind {
            wanted.entry(name).or_insert((*anonymous, Vec::new())).1.push(mount);
        }
    }
    let mut fresh = Vec::new();
    for (name, (is_anonymous, mounts)) in wanted {
        let record = Record { name: name.clone(), created: monitor::now(), labels: BTreeMap::new(), is_anonymous };
        let volume = store.make_volume(&record)?;
        let lock = volume.lock()?;
        let filled = mounts.iter().find(|mount| !mount.options.iter().any(|option| option == "nocopy"));
        if let Some(mount) = filled
            && volume.is_fresh()?
        {
            fresh.push(Fresh { volume, lock, destination: PathBuf::from(&mount.destination) });
        }
    }
    Ok(fresh)
}

/// The directory with the empty file and the empty directory that mask paths.
fn empty_directory(store: &Store) -> Result<PathBuf, Error> {
    let directory = store.root().join("empty");
    if !directory.join("dir").exists() {
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("file"), "")?;
        fs::create_dir_all(directory.join("dir"))?;
    }
    Ok(directory)
}

fn processors() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1))
}

/// Joins a running container's streams, with its exit code at the end.
pub(crate) fn attach(
    container: &Container,
    stdin: bool,
    proxy_signals: bool,
    keys: &DetachKeys,
) -> Result<Outcome, Error> {
    if !matches!(container.status, Status::Running | Status::Paused | Status::Stopping) {
        return Err(super::control::refuse(container, "attach to"));
    }
    if container.config.log_driver.is_passthrough() {
        return Err(Error::PassedThrough(container.config.name.to_string()));
    }
    let socket = super::control::connect(container)?;
    let tty = container.config.tty;
    let mut ends = Ends::default();
    if stdin {
        ends.add_input()?;
    }
    ends.add_output(1)?;
    if !tty {
        ends.add_output(2)?;
    }
    let size = process::standard(0).filter(|_| tty).and_then(|fd| tty::size(fd).ok());
    let request = protocol::Ask::Attach { stdin: ends.input.is_some(), stdout: true, stderr: !tty, size };
    let theirs: Vec<_> = ends.theirs.iter().flatten().map(AsFd::as_fd).collect();
    protocol::send(socket.as_fd(), &request, &theirs).map_err(Error::step("ask the container's monitor"))?;
    drop(theirs);
    drop(ends.theirs);
    pump::run(Pump {
        socket,
        input: ends.input,
        outputs: ends.outputs,
        unread: Unread::Leave,
        terminal: tty.then(|| Terminal { master: None, detach: Detach::new(keys) }),
        signals: pump::take_signals(proxy_signals)?,
        proxy_signals,
    })
}

/// The files that are bound into a container, as this machine's network has them now: `/etc/hosts`, `/etc/resolv.conf`,
/// `/etc/hostname`.
pub(crate) fn files(config: &ContainerConfig) -> Result<Vec<(&'static str, String)>, Error> {
    let network = &config.network;
    let host = net::files::HostFiles::read(network)?;
    let hosts = net::files::hosts(&net::files::Hosts {
        network,
        hostname: &config.hostname,
        name: config.name.as_str(),
        outward: net::addresses::outward(),
        extra: &config.extra_hosts,
        gateway: &config.gateway_hosts,
        host_file: &host.hosts,
    })?;
    let asked = net::files::Resolver {
        name_servers: config.dns.clone(),
        search: config.dns_search.clone(),
        options: config.dns_options.clone(),
    };
    let resolv_conf = net::files::resolv_conf(&net::files::ResolvConf {
        network,
        host_file: &host.resolv_conf,
        upstream_file: &host.upstream,
        asked: &asked,
    })?;
    Ok(vec![
        ("hosts", hosts),
        ("resolv.conf", resolv_conf),
        ("hostname", format!("{}\n", config.hostname)),
        ("containerenv", String::new()),
    ])
}
