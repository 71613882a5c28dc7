//! `RUN --mount`: what is mounted for one step, and is in no layer.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, Uid};

use super::Scene;
use super::agent::{self, Agent};
use super::files::{self, Copy, Listed};
use super::waiting;
use crate::build::dockerfile::mount::{Owner, Sharing};
use crate::build::dockerfile::steps::{SCRIPTS, Script};
use crate::plan::{Mount, MountKind, MountRequest, MountRequestKind};
use crate::sys::fs::{self, AtPath as _};
use crate::sys::lock::FileLock;
use crate::types::{Layers, Report, ReportKind, SecretFile};
use crate::userns;

/// Where secrets are mounted unless they say otherwise.
pub(super) const SECRETS: &str = "/run/secrets";

/// Where the sockets of agents are mounted unless they say otherwise, each with a number behind it. Source: BuildKit.
pub(super) const AGENTS: &str = "/run/buildkit/ssh_agent";

/// What the names of images begin with that stand for joined layers.
const JOINED: &str = "the files at ";

/// A mount for a step.
pub(super) struct StepMount<'a> {
    /// Where it is mounted, absolute.
    pub(super) target: String,
    /// What is mounted.
    pub(super) kind: StepMountKind<'a>,
}

/// What is mounted.
pub(super) enum StepMountKind<'a> {
    /// Files of the context: a copy, which is thrown away after the step.
    Copied {
        /// What is copied.
        copy: Box<Copy<'a>>,
        /// It can be written to.
        is_writable: bool,
    },
    /// A directory or file of the context as it is on the host, read-only.
    Live {
        /// Where it is.
        path: PathBuf,
        /// What the step's key has of it.
        listed: Listed,
        /// The same files as a copy would take them, to see whether they have changed meanwhile.
        copy: Box<Copy<'a>>,
    },
    /// Files of a stage or an image: its layers joined. What is written to them is thrown away after the step.
    Joined {
        /// The layers, lowest first.
        layers: Vec<PathBuf>,
        /// The path in them; empty for all of it.
        source: String,
        /// It is a file, and no directory.
        is_file: bool,
        /// It can be written to.
        is_writable: bool,
    },
    /// A directory that outlives the build.
    Cache(Cache<'a>),
    /// A socket that leads to an agent.
    Agent {
        /// The agent's own.
        socket: PathBuf,
        /// Who may use it.
        owner: Owner,
    },
    /// An empty directory in memory.
    Tmpfs {
        /// Its most bytes.
        size: Option<u64>,
    },
}

/// A directory that outlives the build.
pub(super) struct Cache<'a> {
    /// Its name, as the Dockerfile has it.
    pub(super) id: String,
    /// What tells it from others: its namespace, its name, and what it was filled with.
    pub(super) name: String,
    /// Whether several steps use it at once.
    pub(super) sharing: Sharing,
    /// It is read-only.
    pub(super) is_read_only: bool,
    /// Who owns it when it is new, and its mode.
    pub(super) owner: Owner,
    /// What it has when it is new.
    pub(super) filling: Option<Filling<'a>>,
}

/// What a cache has when it is new.
pub(super) struct Filling<'a> {
    /// What tells it from others.
    pub(super) identity: String,
    /// Where it comes from.
    pub(super) copy: Box<Copy<'a>>,
}

/// The mounts of a step, while it runs.
pub(super) struct Mounted {
    pub(super) requests: Vec<MountRequest>,
    /// The layers of what is joined, by the names of images that stand for them.
    pub(super) trees: BTreeMap<String, Layers>,
    _locks: Vec<FileLock>,
    _agents: Vec<Agent>,
}

/// Prepares the mounts of a step. `note` is told what keeps it waiting.
pub(super) fn requests(
    scene: &Scene<'_>,
    mounts: &[StepMount<'_>],
    note: &mut dyn FnMut(&str),
) -> Result<Mounted, Report> {
    let Caches { paths, locks } = caches(scene, mounts, note)?;
    let mut caches = paths.into_iter();
    let mut mounted = Mounted { requests: Vec::new(), trees: BTreeMap::new(), _locks: locks, _agents: Vec::new() };
    for mount in mounts {
        let destination = mount.target.clone();
        let bind = |path: PathBuf, is_read_only: bool| {
            let source = path.into_os_string().into_string().map_err(|path| {
                Report::new(ReportKind::Unsupported, format!("the path {} is not UTF-8", path.display()))
            })?;
            let options = if is_read_only { vec!["ro".to_owned()] } else { Vec::new() };
            let kind = MountRequestKind::Bind;
            Ok::<_, Report>(MountRequest { kind, source: Some(source), destination: destination.clone(), options })
        };
        let request = match &mount.kind {
            StepMountKind::Copied { copy, is_writable } => {
                let directory = scene.new_directory("mount")?;
                let listed = files::list(scene, copy)?;
                files::copy(scene, copy, &listed, &[], &directory).map(drop)?;
                let inner = copy.destination.trim_matches('/');
                bind(directory.join("upper").join(inner), !is_writable)?
            }
            StepMountKind::Live { path, .. } => bind(path.clone(), true)?,
            StepMountKind::Joined { layers, source, is_writable, .. } => {
                // No image has such a name.
                let name = format!("{JOINED}{destination}");
                mounted.trees.insert(name.clone(), scene.at_least_one(layers).into());
                let subpath = (!source.is_empty()).then(|| format!("subpath={source}"));
                let options = [if *is_writable { "rw" } else { "ro" }.to_owned()].into_iter().chain(subpath).collect();
                MountRequest { kind: MountRequestKind::Image, source: Some(name), destination, options }
            }
            StepMountKind::Cache(cache) => bind(caches.next().unwrap_or_default(), cache.is_read_only)?,
            StepMountKind::Agent { socket, owner } => {
                let (socket, agent) = agent::serve(scene, socket, *owner)?;
                mounted._agents.push(agent);
                bind(socket, false)?
            }
            StepMountKind::Tmpfs { size } => MountRequest {
                kind: MountRequestKind::Tmpfs,
                source: None,
                destination,
                options: size.map(|size| format!("size={size}")).into_iter().collect(),
            },
        };
        mounted.requests.push(request);
    }
    Ok(mounted)
}

/// The program of a here-document that begins with `#!`, as a file in the step.
pub(super) fn script(scene: &Scene<'_>, script: Option<&Script>) -> Result<Option<MountRequest>, Report> {
    let Some(script) = script else { return Ok(None) };
    let path = scene.new_directory("script")?;
    fs::write(&path, &script.content)?;
    rustix::fs::chmod(&path, Mode::from_raw_mode(0o755)).at("set the mode of", &path)?;
    Ok(Some(MountRequest {
        kind: MountRequestKind::Bind,
        source: Some(path.display().to_string()),
        destination: format!("{SCRIPTS}/{}", script.name),
        options: vec!["ro".to_owned()],
    }))
}

/// A layer with the places where something is mounted, for below all others: what the image has in their place wins,
/// and what it lacks is there without being in the layer that the step makes.
pub(super) fn points(
    scene: &Scene<'_>,
    mounts: &[StepMount<'_>],
    resolved: &[Mount],
    secrets: &[SecretFile],
) -> Result<Option<PathBuf>, Report> {
    if resolved.is_empty() && secrets.is_empty() {
        return Ok(None);
    }
    let points = scene.new_directory("points")?;
    directory(&points)?;
    let is_joined_file = |destination: &str| {
        let mut files = mounts.iter().filter(|mount| matches!(mount.kind, StepMountKind::Joined { is_file: true, .. }));
        files.any(|mount| mount.target == destination)
    };
    let is_file = |mount: &Mount| match &mount.kind {
        MountKind::Image { .. } => is_joined_file(&mount.destination),
        MountKind::Bind { source } => fs::metadata(source).is_ok_and(|it| !it.is_dir()),
        _ => false,
    };
    let mut all: Vec<(PathBuf, bool)> =
        resolved.iter().map(|mount| (PathBuf::from(&mount.destination), is_file(mount))).collect();
    if !secrets.is_empty() {
        all.push((PathBuf::from(SECRETS), false));
    }
    let elsewhere = secrets.iter().filter(|secret| !secret.path.starts_with(SECRETS));
    all.extend(elsewhere.map(|secret| (secret.path.clone(), true)));
    for (destination, is_file) in all {
        let path = points.join(destination.strip_prefix("/").unwrap_or(&destination));
        let above = if is_file { path.parent().unwrap_or(&points) } else { &path };
        let inner = above.strip_prefix(&points).unwrap_or(above);
        let mut at = points.clone();
        for component in inner.components() {
            at.push(component);
            directory(&at)?;
        }
        if is_file && fs::symlink_metadata(&path).is_err() {
            fs::write(&path, "")?;
        }
    }
    Ok(Some(points))
}

fn directory(path: &Path) -> Result<(), Report> {
    if fs::symlink_metadata(path).is_err() {
        fs::create_dir(path)?;
        rustix::fs::chmod(path, Mode::from_raw_mode(0o755)).at("set the mode of", path)?;
    }
    Ok(())
}

/// Whether the files of the context that a step has seen as they are on the host are what its key says.
pub(super) fn are_unchanged(scene: &Scene<'_>, mounts: &[StepMount<'_>]) -> Result<bool, Report> {
    for mount in mounts {
        if let StepMountKind::Live { copy, listed, .. } = &mount.kind
            && !files::list(scene, copy).is_ok_and(|now| now == *listed)
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What the caches of a step have, in the order of its mounts, and their locks.
struct Caches {
    paths: Vec<PathBuf>,
    locks: Vec<FileLock>,
}

/// Waits for the caches of a step. Those that others may hold are locked in one order, whatever order a Dockerfile has
/// them in, and each once: no two steps wait for each other, and none for itself.
fn caches(scene: &Scene<'_>, mounts: &[StepMount<'_>], note: &mut dyn FnMut(&str)) -> Result<Caches, Report> {
    let store = &scene.environment.store;
    let mut wanted = Vec::new();
    for mount in mounts {
        if let StepMountKind::Cache(cache) = &mount.kind {
            wanted.push((cache, store.cache_mount(&scene.target.map, &cache.name, 0)));
        }
    }
    let mut shared: BTreeMap<&Path, (bool, &str)> = BTreeMap::new();
    for (cache, directory) in wanted.iter().filter(|(cache, _)| cache.sharing != Sharing::Private) {
        shared.entry(directory).or_insert((false, &cache.id)).0 |= cache.sharing == Sharing::Locked;
    }
    let mut locks = Vec::new();
    for (directory, (is_exclusive, id)) in &shared {
        fs::create_dir_all(directory)?;
        let lock = directory.join("lock");
        locks.push(if *is_exclusive { locked(scene, &lock, id, note)? } else { FileLock::shared(lock)? });
    }
    let mut paths = Vec::new();
    for (cache, directory) in &wanted {
        let directory = match shared.contains_key(directory.as_path()) {
            true => directory.clone(),
            false => private(scene, &cache.name, &mut locks)?,
        };
        let data = directory.join("data");
        if fs::symlink_metadata(&data).is_err() {
            // Several that share it may find it missing.
            let _making = FileLock::exclusive(directory.join("making"))?;
            if fs::symlink_metadata(&data).is_err() {
                match &cache.filling {
                    None => files::new_cache(scene, &data, cache.owner)?,
                    Some(filling) => fill(scene, &data, cache.owner, &filling.copy)?,
                }
            }
        }
        store.use_cache_mount(&directory, &cache.id)?;
        paths.push(data);
    }
    Ok(Caches { paths, locks })
}

/// The lock of a cache that only one step may use.
fn locked(scene: &Scene<'_>, lock: &Path, id: &str, note: &mut dyn FnMut(&str)) -> Result<FileLock, Report> {
    if let Some(free) = FileLock::try_exclusive(lock)? {
        return Ok(free);
    }
    let holder = waiting::holder(lock, scene.process);
    note(&format!("waits for the cache `{}`, which {holder} uses", id.escape_debug()));
    Ok(FileLock::exclusive(lock)?)
}

/// The first directory of a cache that no other step uses.
fn private(scene: &Scene<'_>, name: &str, locks: &mut Vec<FileLock>) -> Result<PathBuf, Report> {
    let mut number = 0;
    loop {
        let directory = scene.environment.store.cache_mount(&scene.target.map, name, number);
        fs::create_dir_all(&directory)?;
        if let Some(lock) = FileLock::try_exclusive(directory.join("lock"))? {
            locks.push(lock);
            return Ok(directory);
        }
        number += 1;
    }
}

/// Makes the directory of a cache with what a stage, an image or a context has, whose owners it keeps, unless the mount
/// says otherwise.
fn fill(scene: &Scene<'_>, path: &Path, owner: Owner, copy: &Copy<'_>) -> Result<(), Report> {
    let scratch = scene.new_directory("filling")?;
    let listed = files::list(scene, copy)?;
    files::copy(scene, copy, &listed, &[], &scratch)?;
    let inner = copy.destination.trim_matches('/');
    let made = scratch.join("upper").join(inner);
    userns::inside(&scene.home, "rc: build", || {
        if !fs::symlink_metadata(&made)?.is_dir() {
            let message = format!("a cache is a directory, and `{}` is none", inner.escape_debug());
            return Err(Report::new(ReportKind::Invalid, message));
        }
        let owned = (owner.uid.map(Uid::from_raw), owner.gid.map(Gid::from_raw));
        rustix::fs::chown(&made, owned.0, owned.1).at("set the owner of", &made)?;
        // Of a whole image it is a directory of rc's own.
        let mode = owner.mode.or(inner.is_empty().then_some(0o755));
        if let Some(mode) = mode {
            rustix::fs::chmod(&made, Mode::from_raw_mode(mode)).at("set the mode of", &made)?;
        }
        Ok(fs::rename(&made, path)?)
    })
}
