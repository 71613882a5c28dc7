//! What a monitor does with its container's directory before the start and after the end.

use std::os::fd::OwnedFd;

use super::create::{Creation, never_started, write_public};
use super::half_made::discard;
use super::{Error, ending, lock, sweep, trash};
use crate::monitor::{ContainerDir, ExitRecord, Listen, Owner, Run, State, Status};
use crate::plan::ContainerConfig;
use crate::storage::Store;
use crate::sys::fs;
use crate::sys::lock::ProcessLock;
use crate::types::Report;
use crate::userns::UserNamespace;

/// The owner of a container's directory, for its monitor.
#[derive(Debug)]
pub(super) enum DirectoryOwner {
    /// The monitor creates the container when it starts.
    New(Box<Creation>),
    /// The container exists.
    Existing {
        /// The store.
        store: Store,
        /// The container.
        config: Box<ContainerConfig>,
        /// Its directory.
        directory: ContainerDir,
        /// Files that are bound into it. They are written again, because the host's network may have changed.
        files: Vec<(&'static str, String)>,
        /// The state that its new run begins with.
        state: Box<State>,
    },
}

/// The state of a container that is started for the first time.
pub(super) fn first_run() -> State {
    State { status: Status::Starting, run: 1, ..never_started() }
}

impl DirectoryOwner {
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
            Self::New(creation) => creation.make(&first_run(), listen),
            Self::Existing { store, config, directory, files, state } => {
                let lock = lock::take(directory, &config.name)?;
                let lock = lock.ok_or_else(|| Error::NotFound(config.name.to_string()))?;
                // Its record is damaged, or as this start has seen it.
                if directory.last_run().is_ok_and(|last| last + 1 != state.run) {
                    return Err(Error::StartedMeanwhile(config.name.to_string()));
                }
                if has_lost_its_monitor(directory, state.run - 1) {
                    ending::discard_left_leases(store, config);
                }
                for (name, content) in files {
                    if config.sandbox.is_some() {
                        // Members of a pod that is started again have them mounted.
                        fs::write(directory.at(name), content)?;
                    } else {
                        replace_public(directory, name, content)?;
                    }
                }
                let listener = listen(directory)?;
                directory.write_state(state)?;
                Ok((lock, listener))
            }
        }
    }
}

impl Owner for DirectoryOwner {
    fn establish(&self, listen: Listen) -> Result<(ProcessLock, OwnedFd), Report> {
        self.take(listen).map_err(Report::from)
    }

    fn withdraw(&self, home: Option<&UserNamespace>, is_rcs_fault: bool) {
        match self {
            Self::New(creation) if is_rcs_fault || creation.config.auto_remove => {
                // The next command sweeps what cannot be removed now.
                let has_volumes = trash::discard_volumes(&creation.store, &creation.config);
                let busy = trash::unlink(&creation.store, &creation.config);
                match home {
                    Some(home) => drop(trash::empty_inside(&creation.store, &creation.config.id, home)),
                    None => discard(&ContainerDir::new(creation.store.trash().join(creation.config.id.as_str()))),
                }
                drop(busy);
                if has_volumes && let Some(home) = home {
                    drop(sweep::sweep_trash_inside(&creation.store, home));
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
        // The next command that looks sweeps what cannot be removed now.
        if let Ok(Some(busy)) = trash::unlink(self.store(), self.config()) {
            // Held until this process ends: sweepers leave the directory to us.
            std::mem::forget(busy);
        }
    }

    fn remove(&self, home: &UserNamespace) {
        if trash::discard_volumes(self.store(), self.config()) {
            drop(sweep::sweep_trash_inside(self.store(), home));
        }
        drop(trash::empty_inside(self.store(), &self.config().id, home));
    }
}

/// Whether the monitor of the run `last`, if there was one, has ended without recording that.
fn has_lost_its_monitor(directory: &ContainerDir, last: u64) -> bool {
    // Other commands have recorded these ends.
    let is_lost = |exit: ExitRecord| [super::KILLED, super::REBOOTED].contains(&exit.error.as_str());
    last > 0 && directory.exit(&Run(last)).is_none_or(is_lost)
}

/// [`write_public`] in place of an existing file, whose owner the container may have changed.
fn replace_public(directory: &ContainerDir, name: &str, content: &str) -> Result<(), Error> {
    let aside = directory.at(&format!("{name}.new"));
    // Left by a start that was killed here.
    drop(fs::remove_file(&aside));
    write_public(aside.clone(), content)?;
    Ok(fs::rename(aside, directory.at(name))?)
}
