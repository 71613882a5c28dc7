//! Starts a container: looks up everything that the monitor needs, then forks it.

use std::collections::BTreeMap;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use super::create::{Creation, never_started};
use super::first_word::await_start;
use super::front_end::{Attach, FrontEnd};
use super::manager::Manager;
use super::owner::{DirectoryOwner, first_run};
use super::service::Service;
use super::session::{Session, Terminal, Unread};
use super::step::Step;
use super::streams::{self, StartStreams};
use super::{Container, Error, adopt, empty, failed_start, secrets, volumes};
use crate::monitor::{self, ContainerDir, MemberOf, Owner, Run, SecretVariables, Start, State, Status};
use crate::net;
use crate::plan::{self, ContainerConfig, HostFacts};
use crate::runtime::cgroup;
use crate::storage::Store;
use crate::storage::events::EventLog;
use crate::sys::process::{self, CloneOptions, fork};
use crate::sys::signal::Signals;
use crate::sys::{cpus, fs, socket};
use crate::types::{Layers, NamespaceKind, Network, StorageDriver};
use crate::userns::IdMap;

/// What all starts of a command have in common.
#[derive(Debug)]
pub(crate) struct Environment {
    /// The store.
    pub(crate) store: Store,
    /// The runtime directory; its files may disappear at any time.
    pub(crate) runtime_dir: PathBuf,
    /// The user's IDs.
    pub(crate) ids: IdMap,
    /// The paths of the network helpers.
    pub(crate) programs: net::Programs,
    /// How layers become a root filesystem.
    pub(crate) storage: StorageDriver,
    /// fuse-overlayfs, if it is installed.
    pub(crate) fuse_overlayfs: Option<PathBuf>,
    /// The service manager behind this command.
    pub(crate) manager: Manager,
    /// The pod of a container, for its monitor: how it is started again is above a start.
    pub(crate) member_of: fn(&Environment, &ContainerConfig) -> Option<MemberOf>,
}

/// Which container.
#[derive(Debug)]
pub(crate) enum Origin {
    /// A new one, which is created now.
    New(Box<Creation>),
    /// An existing one.
    Existing(Box<Container>),
    /// An existing one, which is prepared, and runs its program only when a later start says so.
    ToInitialize(Box<Container>),
    /// A step of a build, which ends with the process that starts it.
    Step(Box<Step>),
}

/// The result of a start.
#[derive(Debug)]
pub(crate) enum Started {
    /// The program runs, and the front end is not attached to it.
    Detached,
    /// The program has ended with this exit code, before the service manager could accept its monitor as the main
    /// process of the unit.
    Ended(i32),
    /// The program runs, and the front end is attached to it.
    Joined {
        /// The connection.
        session: Session,
        /// The signals that became events for the front end.
        signals: Option<Signals>,
    },
}

/// What a container's files are made of.
#[derive(Debug, Default)]
pub(crate) struct Trees {
    /// The root filesystem.
    pub(crate) root: Layers,
    /// The images that are mounted, by their destinations.
    pub(crate) mounted: BTreeMap<String, Layers>,
}

impl Trees {
    /// A root filesystem without mounts of images.
    pub(crate) fn of_root(root: Layers) -> Self {
        Self { root, mounted: BTreeMap::new() }
    }
}

/// Starts a container from its unpacked layers, and returns when its program runs.
///
/// Fails with the error of the step that failed. A new container is removed then, unless its program could not be run
/// (126, 127) and it was created without `--rm`. A container that stays keeps the reason until its next start.
pub(crate) fn start(
    environment: &Environment,
    origin: Origin,
    trees: Trees,
    front_end: FrontEnd<'_>,
) -> Result<Started, Error> {
    let existing = match &origin {
        Origin::New(creation) => Some((creation.directory(), creation.config.name.clone(), never_started().run)),
        Origin::Existing(old) | Origin::ToInitialize(old) => {
            Some((old.directory.clone(), old.config.name.clone(), old.state.run))
        }
        Origin::Step(_) => None,
    };
    let seen = match &origin {
        Origin::Existing(old) | Origin::ToInitialize(old) => Some(old.seen("start")),
        Origin::New(_) | Origin::Step(_) => None,
    };
    let started = try_to_start(environment, origin, trees, front_end);
    let started = started.map_err(|error| match &seen {
        Some(seen) => seen.explain(error),
        None => error,
    });
    if let (Err(error), Some((directory, name, last))) = (&started, existing) {
        failed_start::keep(&directory, &name, &Run(last), error);
    }
    started
}

/// [`start`], which keeps the reason of a failure.
fn try_to_start(
    environment: &Environment,
    origin: Origin,
    trees: Trees,
    front_end: FrontEnd<'_>,
) -> Result<Started, Error> {
    let store = environment.store.clone();
    let (is_new, is_tied) = (matches!(origin, Origin::New(_)), matches!(origin, Origin::Step(_)));
    let waits = matches!(origin, Origin::ToInitialize(_));
    let mut origin = origin;
    let of_step = match &mut origin {
        Origin::Step(step) => Some(std::mem::take(&mut step.secrets)),
        _ => None,
    };
    let (config, directory, state, owner) = begin(&store, origin, &trees.root)?;
    let volumes = volumes::prepare(&store, &config)?;
    let facts = host_facts(environment, &config, &directory, trees.mounted)?;
    let secrets = of_step.map_or_else(|| secrets::read(&store, &config), Ok)?;
    let secret_variables = SecretVariables(secrets.variables);
    let adopting = adopt::namespaces(&store, &config)?;
    let shown = volumes.resolve(&config);
    let adopted = adopting.as_ref().map(|pod| pod.id.clone());
    let mut spec = plan::spec(adopting.as_ref().or(shown.as_ref()).unwrap_or(&config), &facts)?;
    if let Some(process) = spec.process_mut() {
        secret_variables.add_to(process);
    }
    let service = Service::of(&environment.manager, &config, &directory, front_end.attach == Attach::No)?;
    let StartStreams { stdio, starter, ours: ends } = streams::for_start(&config, &front_end)?;
    let lessee = net::lease::Owner::at(store.root(), directory.path());
    let lessee = lessee.unwrap_or_else(|| net::lease::Owner::container(&config.id));
    let start = Box::new(Start {
        spec,
        extras: plan::extras(adopting.as_ref().unwrap_or(&config)),
        layers: trees.root,
        copy_up: volumes.copy_up.clone(),
        ids: environment.ids.clone(),
        runtime_dir: environment.runtime_dir.clone(),
        empty: empty::directory(&store)?,
        network: network(environment, &config, &directory)?,
        networks: net::record::Networks::of_owner(store.root(), lessee),
        storage: environment.storage,
        fuse_overlayfs: environment.fuse_overlayfs.clone(),
        stdio,
        descriptors: environment.manager.copies().map_err(Error::step("copy a descriptor"))?,
        notify: environment.manager.relayed(&config).map(str::to_owned),
        secrets: secrets.files,
        secret_variables,
        // A step of a build is no container that anybody knows, and a pod has events of its own.
        events: if is_tied || config.sandbox.is_some() { EventLog::default() } else { store.events() },
        network_events: store.events(),
        is_new,
        waits,
        ready: environment.manager.told_when_healthy(&config).map(str::to_owned),
        is_tied,
        adopted_cgroup: adopt::cgroup(&directory, &config),
        pod: (environment.member_of)(environment, &config),
        state,
        directory,
        config,
    });
    let (terminal, unread) = as_joined(&start.config);
    let mut signals = front_end.take_signals.map(|take| take()).transpose().map_err(Error::step("block signals"))?;
    let (ours, theirs) = socket::pair().map_err(Error::step("create a socket pair"))?;
    // The monitor is our child, but we do not wait for it: it outlives us, or ends after it has told us everything.
    let child = fork_monitor(service.becomes_main(), || {
        drop(process::close(ours.as_fd()));
        for inherited in &environment.manager.descriptors {
            drop(process::close(inherited.fd.as_fd()));
        }
        for own in &environment.manager.own {
            drop(process::close(own.as_fd()));
        }
        if let Some(manager) = service.fd() {
            drop(process::close(manager));
        }
        if let Some(signals) = &signals {
            drop(process::close(signals.as_fd()));
        }
        for fd in ends.iter().flatten() {
            drop(process::close(fd.as_fd()));
        }
        monitor::run(start, &*owner, theirs, starter)
    })?;
    let started = await_start(&ours, signals.as_mut());
    volumes.settle(&started);
    started?;
    if let Some(pod) = adopted {
        adopt::tell_members(&store, &pod);
    }
    service.tell_started()?;
    let is_of_unit = environment.manager.is_of_unit();
    if is_of_unit && service.becomes_main() {
        return Ok(service.hand_over(&ours)?.map_or(Started::Detached, Started::Ended));
    }
    if front_end.attach == Attach::No {
        return Ok(Started::Detached);
    }
    let [stdin, stdout, stderr] = ends;
    // Otherwise the manager would kill it, and what it had not removed yet would stay until the next command.
    let monitor = (is_of_unit || is_tied).then_some(child);
    let session = Session { socket: ours, seen: None, stdin, stdout, stderr, terminal, unread, monitor };
    Ok(Started::Joined { session, signals })
}

/// What the container's own helper for the network gets.
fn network(
    environment: &Environment,
    config: &ContainerConfig,
    directory: &ContainerDir,
) -> Result<net::Request, Error> {
    let locks = environment.runtime_dir.join("net");
    fs::create_dir_all(&locks)?;
    Ok(net::Request {
        name: config.name.to_string(),
        ports: config.ports.clone(),
        options: config.network.endpoints().iter().flat_map(|endpoint| endpoint.options.clone()).collect(),
        range: None,
        programs: environment.programs.clone(),
        directory: directory.path().to_owned(),
        locks,
        interface: net::addresses::INTERFACE,
    })
}

/// The container's terminal, if it has one, and what its program notices when the command that starts it stops reading.
fn as_joined(config: &ContainerConfig) -> (Option<Terminal>, Unread) {
    let keys = || config.detach_keys.parse().unwrap_or_default();
    let terminal = config.tty.then(|| Terminal { master: None, detach_keys: keys() });
    // A terminal cannot be closed for output alone: its program would lose its input, too.
    let is_stored = config.tty || config.log_driver.keeps_output();
    (terminal, if is_stored { Unread::Nothing } else { Unread::MonitorsPipe })
}

/// The configuration, the directory, the state that the run begins with, and the owner of the directory. Fails if the
/// container already runs.
fn begin(
    store: &Store,
    origin: Origin,
    layers: &Layers,
) -> Result<(ContainerConfig, ContainerDir, State, Box<dyn Owner>), Error> {
    match origin {
        Origin::New(creation) => {
            let owner = |creation| Box::new(DirectoryOwner::New(creation));
            Ok((creation.config.clone(), creation.directory(), first_run(), owner(creation)))
        }
        Origin::Step(step) => Ok((step.config.clone(), step.directory.clone(), first_run(), step)),
        Origin::Existing(container) | Origin::ToInitialize(container) => {
            let Container { config, directory, state, status, .. } = *container;
            if !matches!(status, Status::Created | Status::Exited) {
                return Err(Error::State { action: "start", name: config.name.to_string(), status });
            }
            let state = State {
                status: Status::Starting,
                run: state.run + 1,
                exit: None,
                health: None,
                init: None,
                cgroup: None,
                restart_count: 0,
                start_error: String::new(),
                ..state
            };
            let files = super::files(&config, layers)?;
            let owner = DirectoryOwner::Existing {
                store: store.clone(),
                config: Box::new(config.clone()),
                directory: directory.clone(),
                files,
                state: Box::new(state.clone()),
            };
            Ok((config, directory, state, Box::new(owner)))
        }
    }
}

/// Forks the monitor. If it becomes the main process of a service, it is forked twice, so that it is the manager's
/// child when this returns: systemd accepts only its own child as the main process, and checks when `MAINPID` arrives.
/// Source: systemd, `service_set_main_pidref`.
fn fork_monitor(becomes_main: bool, body: impl FnOnce() -> i32) -> Result<process::Child, Error> {
    let once_more = || if becomes_main { fork(&CloneOptions::default(), body).map_or(125, |_| 0) } else { body() };
    let child = fork(&CloneOptions::default(), once_more).map_err(Error::step("fork the monitor"))?;
    if becomes_main {
        drop(child.wait());
    }
    Ok(child)
}

/// The directory of the container whose network this one has, directly or through others.
fn network_dir(store: &Store, config: &ContainerConfig) -> Option<PathBuf> {
    let mut network = config.network.clone();
    let mut found = None;
    // Containers exist before those that join them, so no circle is possible; a damaged record may say anything.
    for _ in 0..16 {
        let Network::Container(id) = &network else { break };
        let directory = ContainerDir::new(store.containers().join(id));
        network = directory.config().map_or(Network::None, |config| config.network);
        found = Some(directory.path().to_owned());
    }
    found
}

/// What `plan` must know of the host; `images` are those of mounts, by their destinations.
pub(crate) fn host_facts(
    environment: &Environment,
    config: &ContainerConfig,
    directory: &ContainerDir,
    images: BTreeMap<String, Layers>,
) -> Result<HostFacts, Error> {
    Ok(HostFacts {
        images,
        empty_dir: empty::directory(&environment.store)?.join("dir"),
        rootfs: directory.at("merged"),
        container_dir: directory.path().to_owned(),
        network_dir: network_dir(&environment.store, config),
        volumes_dir: environment.store.volumes(),
        cgroups: if config.owns(NamespaceKind::Cgroup) { None } else { cgroup::mount_point()? },
        cpus: cpus::present(),
        handed: environment.manager.handed(config),
    })
}
