use std::cell::OnceCell;
use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::container::{self, Environment, Manager};
use crate::dirs::Dirs;
use crate::doctor::Host;
use crate::net::Programs;
use crate::registry::{LazyRegistries, Places};
use crate::settings::Settings;
use crate::storage::Store;
use crate::sys::programs;
use crate::types::Report;
use crate::userns::IdMap;
use crate::view::when::Clock;

/// The user's directories and settings. The store is opened when a use case first needs it.
#[derive(Debug)]
pub(crate) struct Context {
    /// The user's directories.
    pub(crate) dirs: Dirs,
    /// The settings of rc.toml and the environment.
    pub(crate) settings: Settings,
    /// Where to look for the credentials of registries.
    pub(crate) places: Places,
    /// What registries.conf says about registries and short names.
    pub(crate) registries: LazyRegistries,
    zone: fn() -> TimeZone,
    store: OnceCell<Store>,
}

impl Context {
    /// Opens nothing yet. `zone` returns the user's time zone; it is called only if a use case needs it.
    pub(crate) fn new(dirs: Dirs, settings: Settings, places: Places, zone: fn() -> TimeZone) -> Self {
        let registries = LazyRegistries::new(places.clone());
        Self { dirs, settings, places, registries, zone, store: OnceCell::new() }
    }

    /// The store, which is created if it does not exist.
    pub(crate) fn store(&self) -> Result<&Store, Report> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let opened = Store::open(self.dirs.root())?.with_events(self.settings.events.logger.value.is_on());
        Ok(self.store.get_or_init(|| opened))
    }

    /// The store, to read; nothing is created.
    pub(crate) fn store_to_read(&self) -> Result<Store, Report> {
        Ok(Store::open_to_read(self.dirs.root())?.with_events(self.settings.events.logger.value.is_on()))
    }

    /// The time, in the user's time zone.
    pub(crate) fn clock(&self) -> Clock {
        Clock { now: Timestamp::now(), zone: self.zone }
    }

    /// The runtime directory, whose files may disappear at any time.
    pub(super) fn runtime_dir(&self) -> Result<PathBuf, Report> {
        Ok(self.dirs.runtime()?)
    }

    /// The user's IDs.
    #[expect(
        clippy::unused_self,
        reason = "a use case asks its context for everything that depends on the installation"
    )]
    pub(super) fn ids(&self) -> Result<IdMap, Report> {
        Ok(IdMap::detect()?)
    }

    /// Where the network helpers are.
    pub(super) fn programs(&self) -> Programs {
        let helpers = &self.settings.helpers;
        Programs { slirp4netns: helpers.slirp4netns.value.0.clone(), pasta: helpers.pasta.value.0.clone() }
    }

    /// What `doctor` checks.
    pub(crate) fn host(&self) -> Host<'_> {
        Host {
            root: self.dirs.root(),
            runtime: self.dirs.runtime().map_err(Into::into),
            storage: self.settings.storage.driver.value,
            fuse_overlayfs: self.fuse_overlayfs(),
            network: self.settings.network.driver.value.clone(),
            programs: self.programs(),
            borrowed: self.settings.borrowed(),
        }
    }

    /// What a start needs; `manager` is the service manager that started the caller.
    pub(super) fn environment(&self, manager: Manager) -> Result<Environment, Report> {
        Ok(Environment {
            store: self.store()?.clone(),
            runtime_dir: self.runtime_dir()?,
            ids: self.ids()?,
            storage: self.settings.storage.driver.value,
            fuse_overlayfs: self.fuse_overlayfs(),
            programs: self.programs(),
            manager,
            member_of: container::member_of,
        })
    }

    /// fuse-overlayfs at the path in the settings, otherwise the host's.
    fn fuse_overlayfs(&self) -> Option<PathBuf> {
        programs::find_configured(self.settings.helpers.fuse_overlayfs.value.0.as_deref(), "fuse-overlayfs")
    }
}

/// What a new container takes from the process that requests it.
pub(crate) struct Caller {
    /// Its environment, for `-e NAME` and the proxies, without variables that are not UTF-8.
    pub(crate) environment: Vec<(String, String)>,
    /// Its working directory, absolute: the base of a request's relative paths.
    pub(crate) working_dir: PathBuf,
    /// Whether one of its standard descriptors is a terminal.
    pub(crate) has_terminal: bool,
    /// The service manager that started it, and the descriptors for the program.
    pub(crate) manager: Manager,
}

impl Caller {
    /// The value of a variable that is not empty.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        let found = self.environment.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Caller {
    /// Omits the environment, which contains secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { working_dir, has_terminal, manager, .. } = self;
        f.debug_struct("Caller")
            .field("working_dir", working_dir)
            .field("has_terminal", has_terminal)
            .field("manager", manager)
            .finish_non_exhaustive()
    }
}
