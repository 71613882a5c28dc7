use std::cell::OnceCell;
use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::container::{Environment, Manager};
use crate::dirs::Dirs;
use crate::doctor::Host;
use crate::net::Programs;
use crate::registry::Places;
use crate::settings::Settings;
use crate::storage::Store;
use crate::sys::programs;
use crate::types::Report;
use crate::userns::IdMap;
use crate::view::when::Clock;

/// Where things are, and how the user wants them. Nothing in it is opened before it is asked for.
#[derive(Debug)]
pub(crate) struct Context {
    /// The user's directories.
    pub(crate) dirs: Dirs,
    /// rc.toml.
    pub(crate) settings: Settings,
    /// Where the credentials for registries are.
    pub(crate) places: Places,
    zone: fn() -> TimeZone,
    store: OnceCell<Store>,
}

impl Context {
    /// Opens nothing yet. `zone` tells the time zone of the user, when it is needed.
    pub(crate) fn new(dirs: Dirs, settings: Settings, places: Places, zone: fn() -> TimeZone) -> Self {
        Self { dirs, settings, places, zone, store: OnceCell::new() }
    }

    /// The store, made if it is not there.
    pub(crate) fn store(&self) -> Result<&Store, Report> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let opened = Store::open(self.dirs.root())?;
        Ok(self.store.get_or_init(|| opened))
    }

    /// The store, to look at; nothing is made.
    pub(crate) fn store_to_read(&self) -> Result<Store, Report> {
        Ok(Store::open_to_read(self.dirs.root())?)
    }

    /// The present, in the user's time zone.
    pub(crate) fn clock(&self) -> Clock {
        Clock { now: Timestamp::now(), zone: self.zone }
    }

    /// The directory of what may vanish at any time.
    pub(super) fn runtime_dir(&self) -> Result<PathBuf, Report> {
        Ok(self.dirs.runtime()?)
    }

    /// The user's ids.
    #[expect(clippy::unused_self, reason = "what an installation is, is asked of its context")]
    pub(super) fn ids(&self) -> Result<IdMap, Report> {
        Ok(IdMap::detect()?)
    }

    /// Where the network helpers are.
    pub(super) fn programs(&self) -> Programs {
        let helpers = &self.settings.helpers;
        Programs { slirp4netns: helpers.slirp4netns.value.0.clone(), pasta: helpers.pasta.value.0.clone() }
    }

    /// What `doctor` examines.
    pub(crate) fn host(&self) -> Host<'_> {
        Host {
            root: self.dirs.root(),
            runtime: self.dirs.runtime().map_err(Into::into),
            storage: self.settings.storage.driver.value,
            fuse_overlayfs: self.fuse_overlayfs(),
            network: self.settings.network.driver.value.clone(),
            programs: self.programs(),
        }
    }

    /// What a start needs; `manager` is the service manager behind the caller.
    pub(super) fn environment(&self, manager: Manager) -> Result<Environment, Report> {
        Ok(Environment {
            store: self.store()?.clone(),
            runtime_dir: self.runtime_dir()?,
            ids: self.ids()?,
            storage: self.settings.storage.driver.value,
            fuse_overlayfs: self.fuse_overlayfs(),
            programs: self.programs(),
            manager,
        })
    }

    /// The path of fuse-overlayfs that the settings name, else that of the host.
    fn fuse_overlayfs(&self) -> Option<PathBuf> {
        programs::find_configured(self.settings.helpers.fuse_overlayfs.value.0.as_deref(), "fuse-overlayfs")
    }
}

/// What a new container takes of the process that asks for it.
pub(crate) struct Caller {
    /// Its environment, for `-e NAME` and the proxies; variables that are not UTF-8 are left out.
    pub(crate) environment: Vec<(String, String)>,
    /// Its working directory, absolute: relative paths of a request start there.
    pub(crate) working_dir: PathBuf,
    /// One of its standard descriptors is a terminal.
    pub(crate) has_terminal: bool,
    /// The service manager behind it, and the descriptors for the program.
    pub(crate) manager: Manager,
}

impl fmt::Debug for Caller {
    /// Leaves the environment out: it holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { working_dir, has_terminal, manager, .. } = self;
        f.debug_struct("Caller")
            .field("working_dir", working_dir)
            .field("has_terminal", has_terminal)
            .field("manager", manager)
            .finish_non_exhaustive()
    }
}
