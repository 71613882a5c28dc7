//! A container's files, for rc's own work on them: of a running container as its program sees them, through the root of
//! init; of any other as its next start will mount them.
//!
//! The work is done by a forked child that is root in the root namespace, with a reference to the root. It executes
//! nothing, and resolves every path beneath that reference (safety.md, V1 and V2).

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci_spec::runtime::Mount;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::start::host_facts;
use super::volumes::{self, Prepared};
use super::{Container, Environment, Error, lock, processes};
use crate::monitor::Status;
use crate::plan;
use crate::runtime::{Apart, FuseOverlay, Rootfs, mount_apart, try_mount};
use crate::sys::lock::ProcessLock;
use crate::sys::proc::Entry;
use crate::sys::process_id::ProcessId;
use crate::types::{IdRange, Layers, Report, StorageDriver};
use crate::userns::{self, Inside, UserNamespace};

/// What is done with a container here, for errors.
const ACTION: &str = "access the files of";

/// A container's files.
#[derive(Debug)]
pub(crate) struct Filesystem<'a> {
    environment: &'a Environment,
    container: &'a Container,
    home: UserNamespace,
    how: How,
}

#[derive(Debug)]
enum How {
    /// It runs.
    Running(Entry, ProcessId),
    /// It does not, and cannot be started meanwhile.
    Stopped { _lock: ProcessLock, layers: Layers, binds: Vec<Mount>, copy_up: Vec<PathBuf>, served: bool },
}

/// Work on a container's files that goes on in a child.
#[derive(Debug)]
#[must_use = "nothing waits for the child"]
pub(crate) struct Working<T> {
    inside: Inside<T>,
    _served: Option<FuseOverlay>,
}

impl<T: DeserializeOwned> Working<T> {
    /// Waits for the child, and returns its result.
    pub(crate) fn finish(self) -> Result<T, Report> {
        self.inside.finish()
    }
}

impl<'a> Filesystem<'a> {
    /// Prepares work on a container's files. `layers` are those of its image. With `volumes`, what
    /// is bound in the container is there even if it does not run; missing volumes are created, as by a start.
    ///
    /// Fails if the container is just being started or removed.
    pub(crate) fn open(
        environment: &'a Environment,
        container: &'a Container,
        layers: Layers,
        volumes: bool,
    ) -> Result<Self, Error> {
        let home = UserNamespace::open(&environment.ids, &environment.runtime_dir)?;
        let how = match container.status {
            Status::Initialized | Status::Running | Status::Paused | Status::Stopping | Status::Orphaned => {
                let (entry, init) = processes::first_process(container, ACTION)?;
                How::Running(entry, init)
            }
            Status::Created | Status::Exited => {
                let name = &container.config.name;
                // Before the container's lock, as at a start.
                let prepared = if volumes {
                    volumes::prepare(&environment.store, &container.config)?
                } else {
                    Prepared::default()
                };
                let lock = lock::take(&container.directory, name)?.ok_or_else(|| container.not_found())?;
                let binds = if volumes { binds(environment, container, &prepared)? } else { Vec::new() };
                let copy_up = prepared.copy_up.clone();
                let directory = container.directory.path().to_owned();
                let root = Rootfs::of(layers.clone(), directory, false);
                let served = needs_fuse(environment, &root, &home)?;
                let how = How::Stopped { _lock: lock, layers, binds, copy_up, served };
                let opened = Self { environment, container, home, how };
                if !prepared.copy_up.is_empty() {
                    // The volumes are filled before anything else happens to them.
                    opened.start("rc: volumes", |_| Ok(()))?.finish()?;
                }
                prepared.settle(&Ok(()));
                return Ok(opened);
            }
            _ => return Err(container.cannot(ACTION)),
        };
        Ok(Self { environment, container, home, how })
    }

    /// The container's name.
    pub(crate) fn name(&self) -> &str {
        self.container.config.name.as_str()
    }

    /// The user of its program.
    pub(crate) fn user(&self) -> &str {
        &self.container.config.user
    }

    /// Whether it has only one ID; how many user and group IDs it has.
    pub(crate) fn ids(&self) -> (bool, u32, u32) {
        let (ids, maps) = (&self.environment.ids, &self.container.config.user_namespace.maps);
        if maps.is_identity() {
            return (ids.is_single(), ids.users(), ids.groups());
        }
        (false, IdRange::first_unmapped(&maps.uids), IdRange::first_unmapped(&maps.gids))
    }

    /// Starts `work` in a child, with a reference to the container's root. As [`userns::start_inside`].
    pub(crate) fn start<T>(
        &self,
        name: &str,
        work: impl FnOnce(BorrowedFd<'_>) -> Result<T, Report>,
    ) -> Result<Working<T>, Report>
    where
        T: Serialize + DeserializeOwned,
    {
        let mut served = match &self.how {
            How::Stopped { layers, served: true, .. } => {
                Some(serve(self.environment, layers, self.container.directory.path(), &self.home)?)
            }
            _ => None,
        };
        let mount = served.as_mut().and_then(FuseOverlay::take_mount);
        let inside = userns::start_inside(&self.home, name, || {
            let root = self.root(mount)?;
            userns::enter_maps(&self.environment.ids, &self.container.config.user_namespace.maps)?;
            work(root.as_fd())
        })?;
        Ok(Working { inside, _served: served })
    }

    /// Runs in the child.
    fn root(&self, served: Option<OwnedFd>) -> Result<OwnedFd, Report> {
        match &self.how {
            How::Running(entry, init) => {
                match entry.root() {
                    // The directory of another process would not be its root.
                    Ok(root) if init.is_alive() => Ok(root),
                    // A process that is ending has none.
                    Err(error) if !matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESRCH)) => {
                        Err(Error::step("open the root of the container")(error).into())
                    }
                    Ok(_) | Err(_) => Err(self.container.just_ended(ACTION).into()),
                }
            }
            How::Stopped { layers, binds, copy_up, .. } => {
                let directory = self.container.directory.path().to_owned();
                let root = match served {
                    Some(mount) => Rootfs::Detached { mount, directory },
                    None => Rootfs::of(layers.clone(), directory, false),
                };
                let read_only = self.container.config.read_only;
                Ok(mount_apart(&root, Apart { binds: binds.clone(), copy_up: copy_up.clone(), read_only })?)
            }
        }
    }
}

/// Whether fuse-overlayfs must join the layers, as at a start: `root` is what the kernel would mount.
pub(crate) fn needs_fuse(environment: &Environment, root: &Rootfs, home: &UserNamespace) -> Result<bool, Error> {
    if matches!(root, Rootfs::Directory { .. }) {
        return Ok(false);
    }
    if environment.storage != StorageDriver::Auto || environment.fuse_overlayfs.is_none() {
        return Ok(environment.storage == StorageDriver::FuseOverlayfs);
    }
    let refused = userns::inside(home, "rc: probe", || match try_mount(root) {
        Err(failure) if failure.is_overlay_refused => Ok(true),
        other => other.map(|()| false),
    });
    Ok(refused?)
}

/// Joins layers by fuse-overlayfs.
pub(crate) fn serve(
    environment: &Environment,
    layers: &Layers,
    directory: &Path,
    home: &UserNamespace,
) -> Result<FuseOverlay, Report> {
    let missing = || Error::step("find fuse-overlayfs")(std::io::ErrorKind::NotFound.into());
    let program = environment.fuse_overlayfs.as_deref().ok_or_else(missing)?;
    Ok(FuseOverlay::start(program, &layers.lowers, directory, home)?)
}

/// The binds of a container: its volumes, what it shows of the host, rc's own files.
fn binds(environment: &Environment, container: &Container, prepared: &Prepared) -> Result<Vec<Mount>, Error> {
    let config = &container.config;
    let resolved = prepared.resolve(config);
    let config = resolved.as_ref().unwrap_or(config);
    let spec = plan::spec(config, &host_facts(environment, config, &container.directory, BTreeMap::new())?)?;
    let is_shown = |mount: &&Mount| {
        let is_own = mount.source().as_ref().is_some_and(|source| source.starts_with(container.directory.path()));
        let is_asked = config.mounts.iter().any(|asked| mount.destination().as_os_str() == asked.destination.as_str());
        mount.typ().as_deref() == Some("bind") && (is_own || is_asked)
    };
    Ok(spec.mounts().iter().flatten().filter(is_shown).cloned().collect())
}
