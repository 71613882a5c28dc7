//! `RUN --mount`: what is mounted for one step, and is in no layer.

use std::path::{Path, PathBuf};

use rustix::fs::{Gid, Mode, Uid};

use super::Scene;
use super::agent::{self, Agent};
use super::files::{self, Copy};
use super::waiting;
use crate::build::dockerfile::mount::{Owner, Sharing};
use crate::build::dockerfile::steps::{SCRIPTS, Script};
use crate::plan::{MountRequest, MountRequestKind};
use crate::sys::fs::{self, AtPath as _};
use crate::sys::lock::FileLock;
use crate::types::{Report, ReportKind, SecretFile};
use crate::userns;

/// Where secrets are mounted unless they say otherwise.
pub(super) const SECRETS: &str = "/run/secrets";

/// Where the sockets of agents are mounted unless they say otherwise, each with a number behind it. Source: BuildKit.
pub(super) const AGENTS: &str = "/run/buildkit/ssh_agent";

/// A mount for a step.
pub(super) struct StepMount {
    /// Where it is mounted, absolute.
    pub(super) target: String,
    /// What is mounted.
    pub(super) kind: StepMountKind,
}

/// What is mounted.
pub(super) enum StepMountKind {
    /// Files of the context, a stage or an image: a copy, which is thrown away after the step.
    Copied {
        /// What is copied.
        copy: Box<Copy<'static>>,
        /// It can be written to.
        is_writable: bool,
    },
    /// A directory of the host, read-only.
    Directory(PathBuf),
    /// A directory that outlives the build.
    Cache(Cache),
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
pub(super) struct Cache {
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
    pub(super) filling: Option<Filling>,
}

/// What a cache has when it is new.
pub(super) struct Filling {
    /// What tells it from others.
    pub(super) identity: String,
    /// Where it comes from.
    pub(super) copy: Box<Copy<'static>>,
}

/// The mounts of a step, while it runs.
pub(super) struct Mounted {
    pub(super) requests: Vec<MountRequest>,
    _locks: Vec<FileLock>,
    _agents: Vec<Agent>,
}

/// Prepares the mounts of a step. `note` is told what keeps it waiting.
pub(super) fn requests(scene: &Scene<'_>, mounts: &[StepMount], note: &mut dyn FnMut(&str)) -> Result<Mounted, Report> {
    let mut mounted = Mounted { requests: Vec::new(), _locks: Vec::new(), _agents: Vec::new() };
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
            StepMountKind::Directory(path) => bind(path.clone(), true)?,
            StepMountKind::Cache(wanted) => {
                let (path, lock) = cache(scene, wanted, note)?;
                mounted._locks.push(lock);
                bind(path, wanted.is_read_only)?
            }
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
    requests: &[MountRequest],
    secrets: &[SecretFile],
) -> Result<Option<PathBuf>, Report> {
    if requests.is_empty() && secrets.is_empty() {
        return Ok(None);
    }
    let points = scene.new_directory("points")?;
    directory(&points)?;
    let is_file = |request: &MountRequest| {
        request.source.as_ref().is_some_and(|source| fs::metadata(source).is_ok_and(|it| !it.is_dir()))
    };
    let mut all: Vec<(PathBuf, bool)> =
        requests.iter().map(|request| (PathBuf::from(&request.destination), is_file(request))).collect();
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

/// The directory of a cache, and its lock: shared, or exclusive if only one step may use it.
fn cache(scene: &Scene<'_>, wanted: &Cache, note: &mut dyn FnMut(&str)) -> Result<(PathBuf, FileLock), Report> {
    let store = &scene.environment.store;
    let made = |directory: PathBuf, lock: FileLock| {
        let data = directory.join("data");
        if fs::symlink_metadata(&data).is_err() {
            // Several that share it may find it missing.
            let _making = FileLock::exclusive(directory.join("making"))?;
            if fs::symlink_metadata(&data).is_err() {
                match &wanted.filling {
                    None => files::new_cache(scene, &data, wanted.owner)?,
                    Some(filling) => fill(scene, &data, wanted.owner, &filling.copy)?,
                }
            }
        }
        store.use_cache_mount(&directory, &wanted.id)?;
        Ok((data, lock))
    };
    let mut number = 0;
    loop {
        let directory = store.cache_mount(&scene.target.map, &wanted.name, number);
        fs::create_dir_all(&directory)?;
        let lock = directory.join("lock");
        match wanted.sharing {
            Sharing::Shared => return made(directory, FileLock::shared(lock)?),
            Sharing::Locked => {
                let free = match FileLock::try_exclusive(&lock)? {
                    Some(free) => free,
                    None => {
                        let id = wanted.id.escape_debug();
                        note(&format!(
                            "waits for the cache `{id}`, which {} uses",
                            waiting::holder(&lock, scene.process)
                        ));
                        FileLock::exclusive(lock)?
                    }
                };
                return made(directory, free);
            }
            Sharing::Private => {
                if let Some(lock) = FileLock::try_exclusive(lock)? {
                    return made(directory, lock);
                }
                number += 1;
            }
        }
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
