//! One file per command: what was typed, and what is done with it.

pub(crate) mod args;
pub(crate) mod attach;
pub(crate) mod completion;
mod containers;
pub(crate) mod create;
pub(crate) mod doctor;
pub(crate) mod exec;
mod from_image;
pub(crate) mod generate;
pub(crate) mod images;
pub(crate) mod import;
pub(crate) mod info;
pub(crate) mod inspect;
pub(crate) mod kill;
mod leftovers;
pub(crate) mod load;
pub(crate) mod logs;
pub(crate) mod pause;
pub(crate) mod ps;
pub(crate) mod pull;
pub(crate) mod restart;
pub(crate) mod rm;
pub(crate) mod rmi;
pub(crate) mod run;
pub(crate) mod save;
pub(crate) mod start;
pub(crate) mod stats;
pub(crate) mod stop;
pub(crate) mod tag;
pub(crate) mod top;
pub(crate) mod unpause;
pub(crate) mod unshare;
pub(crate) mod untag;
pub(crate) mod update;
pub(crate) mod version;
pub(crate) mod wait;

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::container::{Environment, Manager};
use crate::dirs::Dirs;
use crate::doctor::Patient;
use crate::error::Error;
use crate::net::Programs;
use crate::settings::Settings;
use crate::storage::Store;
use crate::userns::IdMap;

/// What every command may need: where things are, and how the user wants them. Nothing in it is opened before it is asked
/// for.
#[derive(Debug)]
pub(crate) struct Ctx {
    /// The user's directories.
    pub(crate) dirs: Dirs,
    /// rc.toml and the environment.
    pub(crate) settings: Settings,
    /// The whole command line, for `inspect`.
    pub(crate) typed: Vec<String>,
    /// The service manager behind this command; an environment takes it.
    pub(crate) manager: RefCell<Manager>,
    /// Makes the definition of all commands, which `cli` has: for `completion`.
    pub(crate) definition: fn() -> clap::Command,
}

impl Ctx {
    /// The store, made if it is not there.
    pub(crate) fn store(&self) -> Result<Store, Error> {
        Ok(Store::open(self.dirs.root())?)
    }

    /// The store, to look at; nothing is made.
    pub(crate) fn store_to_read(&self) -> Result<Store, Error> {
        Ok(Store::open_to_read(self.dirs.root())?)
    }

    /// The directory of what may vanish at any time.
    pub(crate) fn runtime_dir(&self) -> Result<PathBuf, Error> {
        Ok(self.dirs.runtime()?)
    }

    /// The user's ids.
    pub(crate) fn ids(&self) -> Result<IdMap, Error> {
        Ok(IdMap::detect()?)
    }

    /// Where the network helpers are.
    pub(crate) fn programs(&self) -> Programs {
        let helpers = &self.settings.helpers;
        Programs { slirp4netns: helpers.slirp4netns.value.0.clone(), pasta: helpers.pasta.value.0.clone() }
    }

    /// Where fuse-overlayfs is, if it is installed.
    pub(crate) fn fuse_overlayfs(&self) -> Option<PathBuf> {
        fuse_overlayfs(self.settings.helpers.fuse_overlayfs.value.0.as_deref())
    }

    /// What `doctor` examines.
    pub(crate) fn patient(&self) -> Patient<'_> {
        Patient {
            root: self.dirs.root(),
            runtime: self.dirs.runtime().map_err(|error| (error.to_string(), error.hint())),
            storage: self.settings.storage.driver.value,
            fuse_overlayfs: self.fuse_overlayfs(),
            network: self.settings.network.driver.value.clone(),
            programs: self.programs(),
        }
    }

    /// What a start needs.
    pub(crate) fn environment(&self) -> Result<Environment, Error> {
        Ok(Environment {
            store: self.store()?,
            runtime_dir: self.runtime_dir()?,
            ids: self.ids()?,
            storage: self.settings.storage.driver.value,
            fuse_overlayfs: self.fuse_overlayfs(),
            programs: self.programs(),
            manager: self.manager.take(),
        })
    }
}

/// What the service manager behind the command `name` has said, and the descriptors that it and the options in `arguments`
/// hand over; every other one is closed.
pub(crate) fn manager(name: &str, arguments: &clap::ArgMatches) -> Result<Manager, Error> {
    let mut manager = Manager::read(|name| std::env::var(name).ok(), std::process::id());
    // As with podman, only a new container gets what is listened on.
    let listening = if name == "run" { manager.listening() } else { 0 };
    manager.descriptors = args::keep_descriptors(arguments, listening)?;
    Ok(manager)
}

/// fuse-overlayfs where the settings say, else in the directories that only root writes to.
fn fuse_overlayfs(configured: Option<&Path>) -> Option<PathBuf> {
    let usual = ["/usr/bin/fuse-overlayfs", "/usr/local/bin/fuse-overlayfs"].map(Path::new);
    let candidates = configured.map_or_else(|| usual.to_vec(), |path| vec![path]);
    let found = candidates.into_iter().find(|path| rustix::fs::access(*path, rustix::fs::Access::EXEC_OK).is_ok());
    found.map(Path::to_owned)
}
