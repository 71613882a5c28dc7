//! Making a container: an id, a name, a directory.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};

use super::{Container, Error, find, names, remove, sweep};
use crate::monitor::{ContainerDir, Keeper, Listen, State, Status};
use crate::plan::{ContainerConfig, Identity};
use crate::storage::Store;
use crate::sys::fs::{self, Durability};
use crate::sys::lock::{FileLock, ProcessLock};
use crate::types::{ContainerId, Name, NetworkState, Report};
use crate::userns::UserNamespace;

/// A new id, the name (or one by chance that is free), and now.
pub(crate) fn new_identity(store: &Store, name: Option<Name>) -> Result<Identity, Error> {
    let id = ContainerId::from_bytes(random()?);
    let name = match name {
        Some(name) => name,
        None => loop {
            let name = names::random(random()?)?;
            if find::by_name(store, &name).is_none() {
                break name;
            }
        },
    };
    Ok(Identity { id, name, created: crate::monitor::now() })
}

/// A name for an anonymous volume of the container `id`: 64 hex digits, the first half the id's. If the start is killed
/// before the container has its directory, the name alone tells that the volume is nobody's.
pub(crate) fn volume_name(id: &ContainerId) -> Result<Name, Error> {
    let chance = ContainerId::from_bytes(random()?);
    let name = format!("{}{}", &id.as_str()[..VOLUME_STEM], &chance.as_str()[VOLUME_STEM..]);
    Ok(name.parse()?)
}

/// How many digits of its container's id the name of an anonymous volume begins with.
pub(super) const VOLUME_STEM: usize = 32;

/// Bytes from the kernel's random source.
fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0u8; N];
    let flags = rustix::rand::GetRandomFlags::empty();
    rustix::rand::getrandom(&mut bytes[..], flags).map_err(|e| Error::step("get random bytes")(e.into()))?;
    Ok(bytes)
}

/// A container that is to be made.
#[derive(Debug)]
pub(crate) struct Creation {
    /// The store.
    pub(crate) store: Store,
    /// What it is made with.
    pub(crate) config: ContainerConfig,
    /// Files that are bound into it, with their content: `hosts`, `resolv.conf`, `hostname`.
    pub(crate) files: Vec<(&'static str, String)>,
    /// Holds the image until the container's record names it.
    pub(crate) image_lock: RefCell<Option<FileLock>>,
}

impl Creation {
    /// The directory that it gets.
    pub(crate) fn directory(&self) -> ContainerDir {
        ContainerDir::new(self.store.containers().join(self.config.id.as_str()))
    }

    /// Makes the directory under `tmp/`, takes its lock, has it prepared, reserves the name, and gives the directory
    /// its place.
    ///
    /// On failure nothing is left. A container that removes itself outlives no power cut, so nothing of it is synced.
    fn make<T>(
        &self,
        first: &State,
        prepare: impl FnOnce(&ContainerDir) -> Result<T, Error>,
    ) -> Result<(ProcessLock, T), Error> {
        let durability = if self.config.auto_remove { Durability::Volatile } else { Durability::Synced };
        let half_made = ContainerDir::new(self.store.tmp().join(self.config.id.as_str()));
        let made = (|| {
            // Tells the sweeper of `tmp/` that somebody is at work here.
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
                remove::discard(&half_made);
                return Err(error);
            }
        };
        if let Err(error) = fs::rename(half_made.path(), self.directory().path()) {
            self.free_name();
            remove::discard(&half_made);
            return Err(error.into());
        }
        if durability == Durability::Synced {
            fs::sync_dir(self.store.containers())?;
        }
        drop(guard);
        Ok((lock, prepared))
    }

    /// `symlink(2)` is the reservation. A link of somebody who was killed, or whose container is to be swept, is no
    /// obstacle.
    fn reserve_name(&self) -> Result<(), Error> {
        let link = self.store.names().join(self.config.name.as_str());
        for _ in 0..16 {
            match fs::symlink(self.config.id.as_str(), &link) {
                Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {}
                other => return Ok(other?),
            }
            let holder = match fs::read_link(&link) {
                Ok(target) => target.to_str().and_then(|id| ContainerId::from_str(id).ok()),
                Err(error) if error.is_not_found() => continue,
                Err(_) => None,
            };
            let Some(holder) = holder else { return Err(Error::NoName(link)) };
            let taken = || Error::NameTaken { name: self.config.name.to_string(), id: holder.short().to_owned() };
            match Container::read(ContainerDir::new(self.store.containers().join(holder.as_str()))) {
                Ok(container) if container.is_left_over() => remove::sweep(&self.store, &container)?,
                Ok(_) => return Err(taken()),
                Err(_) if find::is_there(&self.store, &holder) => return Err(taken()),
                // Its maker is between the name and the directory, unless it was killed there.
                Err(_) if is_at_work(&self.store.tmp().join(holder.as_str())) => return Err(taken()),
                Err(_) => {
                    // Looked at once more: the directory may just have got its place.
                    if find::is_there(&self.store, &holder) {
                        return Err(taken());
                    }
                    drop(fs::remove_file(&link));
                }
            }
        }
        Err(Error::NameTaken { name: self.config.name.to_string(), id: String::new() })
    }

    fn free_name(&self) {
        let link = self.store.names().join(self.config.name.as_str());
        if fs::read_link(&link).is_ok_and(|target| target.as_os_str() == self.config.id.as_str()) {
            drop(fs::remove_file(link));
        }
    }
}

/// The mode of the directory of a `--rm` container. The sticky bit changes nothing, since one user owns the store; it
/// tells a sweeper, for one stat(2), which containers may be left over. Linux honours it in mkdir(2).
pub(super) const PASSING: u32 = 0o1700;

/// Makes the directory and locks it, so that it is not swept as a dead process' own.
fn claim(directory: &ContainerDir, is_passing: bool) -> Result<OwnedFd, Error> {
    loop {
        fs::create_dir_with(directory.path(), if is_passing { PASSING } else { 0o700 })?;
        let step = Error::step("claim the container's directory");
        let opened = open_directory(directory.path())
            .and_then(|guard| flock(&guard, FlockOperation::LockExclusive).map(|()| guard));
        match opened {
            // Between the two calls a sweeper may have taken it away: then we hold a directory without a name.
            Ok(guard) if rustix::fs::fstat(&guard).is_ok_and(|stat| stat.st_nlink > 0) => return Ok(guard),
            Ok(_) | Err(rustix::io::Errno::NOENT) => {}
            Err(error) => return Err(step(error.into())),
        }
    }
}

/// Whether somebody holds the lock on a half-made directory.
pub(super) fn is_at_work(directory: &Path) -> bool {
    let Ok(guard) = open_directory(directory) else { return false };
    flock(&guard, FlockOperation::NonBlockingLockShared).is_err()
}

/// Whatever else lies there is an error, and a FIFO is not waited for.
fn open_directory(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

/// A file that any user of the container may read.
fn write_public(path: PathBuf, content: &str) -> Result<(), Error> {
    use std::io::Write as _;
    let mut file = fs::create_new(&path)?;
    let written =
        file.write_all(content.as_bytes()).and_then(|()| file.set_permissions(std::fs::Permissions::from_mode(0o644)));
    written.map_err(|source| fs::PathError::new("write", path, source).into())
}

/// [`write_public`] in place of an existing file, whose owner the container may have changed.
fn replace_public(directory: &ContainerDir, name: &str, content: &str) -> Result<(), Error> {
    let aside = directory.at(&format!("{name}.new"));
    // Of a start that was killed here.
    drop(fs::remove_file(&aside));
    write_public(aside.clone(), content)?;
    Ok(fs::rename(aside, directory.at(name))?)
}

/// The state of a container that was never started.
fn never_started() -> State {
    State {
        status: Status::Created,
        init: None,
        started_at: None,
        run: 0,
        exit: None,
        restart_count: 0,
        network: NetworkState::default(),
        cgroup: None,
    }
}

/// Makes a container that is started later.
///
/// Fails if the name is taken; nothing is left then.
pub(crate) fn create(creation: &Creation) -> Result<(), Error> {
    creation.make(&never_started(), |_| Ok(())).map(drop)
}

/// Who keeps the containers for a monitor.
#[derive(Debug)]
pub(super) enum Keeping {
    /// The container is made when its monitor starts.
    New(Box<Creation>),
    /// The container is there.
    Existing {
        /// The store.
        store: Store,
        /// The container.
        config: Box<ContainerConfig>,
        /// Its directory.
        directory: ContainerDir,
        /// Files that are bound into it, to be written anew: the network may be another one by now.
        files: Vec<(&'static str, String)>,
        /// The state that its new run begins with.
        state: Box<State>,
    },
}

impl Keeping {
    fn store(&self) -> &Store {
        match self {
            Self::New(creation) => &creation.store,
            Self::Existing { store, .. } => store,
        }
    }

    fn config(&self) -> &ContainerConfig {
        match self {
            Self::New(creation) => &creation.config,
            Self::Existing { config, .. } => config,
        }
    }

    fn take(&self, listen: Listen) -> Result<(ProcessLock, OwnedFd), Error> {
        let listen = |directory: &ContainerDir| listen(directory).map_err(|error| Error::Told(error.into()));
        match self {
            Self::New(creation) => {
                let made = creation.make(&first_run(), listen)?;
                creation.image_lock.replace(None);
                Ok(made)
            }
            Self::Existing { config, directory, files, state, .. } => {
                let lock = remove::take_lock(directory, &config.name)?;
                let lock = lock.ok_or_else(|| Error::NotFound(config.name.to_string()))?;
                for (name, content) in files {
                    replace_public(directory, name, content)?;
                }
                let listener = listen(directory)?;
                directory.write_state(state)?;
                Ok((lock, listener))
            }
        }
    }
}

/// The state of a container whose monitor is bringing it up for the first time.
pub(super) fn first_run() -> State {
    State { status: Status::Starting, run: 1, ..never_started() }
}

impl Keeper for Keeping {
    fn establish(&self, listen: Listen) -> Result<(ProcessLock, OwnedFd), Report> {
        self.take(listen).map_err(Report::from)
    }

    fn withdraw(&self, home: Option<&UserNamespace>, is_rcs_fault: bool) {
        match self {
            Self::New(creation) if is_rcs_fault || creation.config.auto_remove => {
                // The next command sweeps what cannot be removed now.
                let has_volumes = remove::discard_volumes(&creation.store, &creation.config);
                let busy = remove::unlink(&creation.store, &creation.config);
                match home {
                    Some(home) => drop(remove::empty_trash_inside(&creation.store, &creation.config.id, home)),
                    None => {
                        remove::discard(&ContainerDir::new(creation.store.trash().join(creation.config.id.as_str())))
                    }
                }
                drop(busy);
                if has_volumes && let Some(home) = home {
                    drop(sweep::sweep_inside(&creation.store, home));
                }
            }
            // It stays as it was before.
            Self::New(creation) => drop(creation.directory().write_state(&never_started())),
            Self::Existing { directory, state, .. } => {
                let before = State { status: Status::Created, run: state.run - 1, ..State::clone(state) };
                drop(directory.write_state(&before));
            }
        }
    }

    fn unlink(&self) {
        // What cannot be removed now is swept by the next command that looks.
        if let Ok(Some(busy)) = remove::unlink(self.store(), self.config()) {
            // Held until this process ends: sweepers leave the directory to us.
            std::mem::forget(busy);
        }
    }

    fn remove(&self, home: &UserNamespace) {
        if remove::discard_volumes(self.store(), self.config()) {
            drop(sweep::sweep_inside(self.store(), home));
        }
        drop(remove::empty_trash_inside(self.store(), &self.config().id, home));
    }
}
