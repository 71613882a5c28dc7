//! Creating a container: its directory and its name.

use std::cell::RefCell;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::half_made::{claim, discard, is_at_work};
use super::{Container, Error, find, leftover, names};
use crate::monitor::{ContainerDir, State, Status};
use crate::plan::ContainerConfig;
use crate::storage::Store;
use crate::sys::fs::{self, Durability};
use crate::sys::lock::{FileLock, ProcessLock};
use crate::types::NetworkState;

/// A container that is to be created.
#[derive(Debug)]
pub(crate) struct Creation {
    /// The store.
    pub(crate) store: Store,
    /// The container's configuration.
    pub(crate) config: ContainerConfig,
    /// Files that are bound into it, with their content: `hosts`, `resolv.conf`, `hostname`.
    pub(crate) files: Vec<(&'static str, String)>,
    /// Keeps the image until the container's record names it.
    pub(crate) image_lock: RefCell<Option<FileLock>>,
    /// Keeps others from getting the same IDs until the container's record names them.
    pub(crate) id_lock: RefCell<Option<FileLock>>,
}

impl Creation {
    /// The directory that the container gets.
    pub(crate) fn directory(&self) -> ContainerDir {
        ContainerDir::new(self.store.containers().join(self.config.id.as_str()))
    }

    /// Makes the directory under `tmp/`, takes the container's lock, calls `prepare`, reserves the name, and moves the
    /// directory to its place.
    ///
    /// On failure nothing is left. A `--rm` container does not outlive a power cut, so nothing of it is synced.
    pub(super) fn make<T>(
        &self,
        first: &State,
        prepare: impl FnOnce(&ContainerDir) -> Result<T, Error>,
    ) -> Result<(ProcessLock, T), Error> {
        let durability = if self.config.auto_remove { Durability::Volatile } else { Durability::Synced };
        let half_made = ContainerDir::new(self.store.tmp().join(self.config.id.as_str()));
        let made = (|| {
            let guard = claim(&half_made, self.config.auto_remove)?;
            half_made.fill(&self.config, first, durability)?;
            for (name, content) in &self.files {
                write_public(half_made.at(name), content)?;
            }
            let lock = match ProcessLock::acquire(half_made.at("lock"))? {
                Ok(lock) => lock,
                Err(pid) => return Err(Error::Busy { name: self.config.name.to_string(), pid }),
            };
            let prepared = prepare(&half_made)?;
            self.reserve_name()?;
            Ok((lock, prepared, guard))
        })();
        let (lock, prepared, guard) = match made {
            Ok(made) => made,
            Err(error) => {
                discard(&half_made);
                return Err(error);
            }
        };
        if let Err(error) = fs::rename(half_made.path(), self.directory().path()) {
            self.free_name();
            discard(&half_made);
            return Err(error.into());
        }
        if durability == Durability::Synced {
            fs::sync_dir(self.store.containers())?;
        }
        drop(guard);
        self.release_locks();
        Ok((lock, prepared))
    }

    /// Releases both locks for all holders: this process has started what the container needs, and the monitors of
    /// those have copies of the descriptors for as long as they live.
    fn release_locks(&self) {
        let locks = [self.image_lock.take(), self.id_lock.take()];
        locks.into_iter().flatten().for_each(FileLock::release);
    }

    /// Makes the name's link. A link is no obstacle if its maker was killed, or if its container is left over.
    fn reserve_name(&self) -> Result<(), Error> {
        let link = names::link(&self.store, &self.config.name);
        for _ in 0..16 {
            match fs::symlink(self.config.id.as_str(), &link) {
                Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {}
                other => return Ok(other?),
            }
            let holder = match names::target(&link) {
                Ok(holder) => holder,
                Err(error) if error.is_not_found() => continue,
                Err(_) => None,
            };
            let Some(holder) = holder else { return Err(Error::NoName(link)) };
            let taken = || find::name_taken(&self.store, &self.config.name, Some(&holder));
            match Container::read(ContainerDir::new(self.store.containers().join(holder.as_str()))) {
                Ok(container) if container.is_left_over() => leftover::remove(&self.store, &container)?,
                Ok(_) => return Err(taken()),
                Err(_) if find::is_there(&self.store, &holder) => return Err(taken()),
                // Its maker has the name and not yet the directory, unless it was killed there.
                Err(_) if is_at_work(&self.store.tmp().join(holder.as_str())) => return Err(taken()),
                Err(_) => {
                    // Checked once more: the directory may have been moved to its place since.
                    if find::is_there(&self.store, &holder) {
                        return Err(taken());
                    }
                    drop(fs::remove_file(&link));
                }
            }
        }
        Err(find::name_taken(&self.store, &self.config.name, None))
    }

    fn free_name(&self) {
        let link = names::link(&self.store, &self.config.name);
        if names::leads_to(&link, &self.config.id) {
            drop(fs::remove_file(link));
        }
    }
}

impl Drop for Creation {
    fn drop(&mut self) {
        self.release_locks();
    }
}

/// Writes a new file that any user of the container may read.
pub(super) fn write_public(path: PathBuf, content: &str) -> Result<(), Error> {
    use std::io::Write as _;
    let mut file = fs::create_new(&path)?;
    let written =
        file.write_all(content.as_bytes()).and_then(|()| file.set_permissions(std::fs::Permissions::from_mode(0o644)));
    written.map_err(|source| fs::PathError::new("write", path, source).into())
}

/// The state of a container that was never started.
pub(super) fn never_started() -> State {
    State {
        status: Status::Created,
        init: None,
        started_at: None,
        run: 0,
        exit: None,
        health: None,
        restart_count: 0,
        start_error: String::new(),
        network: NetworkState::default(),
        cgroup: None,
    }
}

/// Creates a container that is started later.
///
/// Fails if the name is taken; nothing is left then.
pub(crate) fn create(creation: &Creation) -> Result<(), Error> {
    creation.make(&never_started(), |_| Ok(())).map(drop)
}
