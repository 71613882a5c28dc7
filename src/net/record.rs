//! Networks with names, on disk.
//!
//! ```text
//! ROOT/networks/.lock                held for a moment by who creates or removes a network
//!               NAME/network.json    the record; the network exists if this does. Written aside and renamed
//!                    lock            held for a moment: an address is given, a keeper is made, the record changes
//!                    last            the addresses that were given last, one line for each subnet: a hint
//!                    visited         locked, shared, by who is in the network without an address (`member/visit`)
//!                    leases/ADDRESS  who has the address (`lease`)
//! ```
//!
//! The default network, `podman`, exists without a record. Lock order: `.lock`, then one network's.

use std::path::{Path, PathBuf};

use super::lease::{LeaseError, Owner};
use crate::sys::fs::{self, Durability, PathError};
use crate::sys::lock::FileLock;
use crate::types::{Name, NetworkRecord, Report, ReportKind, json};

/// The most bytes of a record.
const LIMIT: u64 = 1 << 20;

/// The networks of a store.
#[derive(Debug, Clone)]
pub(crate) struct Networks {
    /// The store's directory.
    root: PathBuf,
    /// The caller's own name in leases, if it can have some.
    owner: Option<Owner>,
}

/// All networks: the readable ones in the order of their names, and why the others cannot be read.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// The readable ones, the default network among them.
    pub(crate) records: Vec<NetworkRecord>,
    /// The others.
    pub(crate) damaged: Vec<(Name, Error)>,
}

/// A network whose lock this process holds. Dropping it releases the lock, also for forked children.
#[derive(Debug)]
pub(crate) struct LockedNetwork {
    /// Its record.
    pub(crate) record: NetworkRecord,
    pub(super) directory: PathBuf,
    pub(super) root: PathBuf,
    pub(super) owner: Option<Owner>,
    lock: Option<FileLock>,
}

/// Why a network cannot be used. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file operation failed.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Its record does not parse.
    #[error("the record of the network `{name}` is damaged: {source}")]
    Damaged {
        /// The network.
        name: Name,
        /// Where and why.
        source: serde_json::Error,
    },
    /// Another network has the name in its record.
    #[error("the record of the network `{name}` is that of another, `{found}`")]
    Misplaced {
        /// The directory's name.
        name: Name,
        /// The name in the record.
        found: Name,
    },
    /// No address, or not the one that was asked for.
    #[error(transparent)]
    Lease(#[from] LeaseError),
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        match error {
            Error::Path(error) => error.into(),
            Error::Lease(error) => error.into(),
            Error::Damaged { ref name, .. } | Error::Misplaced { ref name, .. } => {
                let hint = format!("remove it with `rc network rm {name}` and create it again");
                Self::new(ReportKind::Damaged, error.to_string()).with_hint(hint)
            }
        }
    }
}

impl Networks {
    /// The networks of the store at `root`, for a process that has no address in them.
    pub(crate) fn of(root: &Path) -> Self {
        Self { root: root.to_owned(), owner: None }
    }

    /// The networks of the store at `root`, for the monitor of `owner`: it never opens its own `lock`, which would
    /// release it.
    pub(crate) fn of_owner(root: &Path, owner: Owner) -> Self {
        Self { root: root.to_owned(), owner: Some(owner) }
    }

    /// The directory of a network: its keeper's socket is there, too.
    pub(crate) fn directory(&self, name: &Name) -> PathBuf {
        self.all().join(name.as_str())
    }

    /// The store.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The owner whose monitor this process is.
    pub(crate) fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    fn all(&self) -> PathBuf {
        self.root.join("networks")
    }

    fn record_path(&self, name: &Name) -> PathBuf {
        self.directory(name).join("network.json")
    }

    /// The names of all networks in order, and of what creators and removers that were killed have left.
    pub(crate) fn names(&self) -> Result<Vec<Name>, PathError> {
        let mut names: Vec<Name> = fs::paths_in(self.all())?
            .iter()
            .filter_map(|path| path.file_name()?.to_str()?.parse().ok())
            .chain([Name::default_network()])
            .collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// All networks. What has no possible name, or no record, is none.
    pub(crate) fn list(&self) -> Result<Listing, PathError> {
        let mut listing = Listing::default();
        for name in self.names()? {
            match self.load(&name) {
                Ok(record) => listing.records.extend(record),
                Err(error) => listing.damaged.push((name, error)),
            }
        }
        Ok(listing)
    }

    /// The network of this name; `None` if there is none.
    pub(crate) fn load(&self, name: &Name) -> Result<Option<NetworkRecord>, Error> {
        let bytes = match fs::read_record(self.record_path(name), LIMIT) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => {
                return Ok((*name == Name::default_network()).then(NetworkRecord::default_network));
            }
            Err(error) => return Err(error.into()),
        };
        let damaged = |source| Error::Damaged { name: name.clone(), source };
        let record: NetworkRecord = json::from_slice(&bytes).map_err(damaged)?;
        if record.name != *name {
            return Err(Error::Misplaced { name: name.clone(), found: record.name });
        }
        Ok(Some(record))
    }

    /// Waits for the lock of an existing network; `None` if there is no such network.
    ///
    /// Who forks while it holds the lock gives the child a copy of the descriptor: dropping it in either unlocks it.
    pub(crate) fn lock(&self, name: &Name) -> Result<Option<LockedNetwork>, Error> {
        let directory = self.directory(name);
        if *name == Name::default_network() {
            fs::create_dir_all(directory.join("leases"))?;
        }
        let path = directory.join("lock");
        let lock = loop {
            match FileLock::exclusive(&path) {
                Ok(lock) if lock.is_of(&path) => break lock,
                // The network was removed meanwhile: another one may have the name by now, without a lock yet.
                Ok(_) => {}
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        };
        // It may have been removed while this process waited.
        let Some(record) = self.load(name)? else { return Ok(None) };
        let (root, owner) = (self.root.clone(), self.owner.clone());
        Ok(Some(LockedNetwork { record, directory, root, owner, lock: Some(lock) }))
    }

    /// Waits until no other process creates or removes a network.
    pub(crate) fn lock_all(&self) -> Result<FileLock, PathError> {
        fs::create_dir_all(self.all())?;
        FileLock::exclusive(self.all().join(".lock"))
    }

    /// Creates a network; the caller holds [`lock_all`](Self::lock_all) and knows that its name is free. On failure
    /// there is no such network.
    pub(crate) fn create(&self, record: &NetworkRecord) -> Result<(), Error> {
        let directory = self.directory(&record.name);
        fs::create_dir_all(directory.join("leases"))?;
        write(&directory, record)?;
        fs::sync_dir(self.all())?;
        Ok(())
    }

    /// Removes a network, also a damaged one, if `check` finds with its lock held that it is not needed; the caller
    /// holds [`lock_all`](Self::lock_all). Returns whether it existed.
    pub(crate) fn remove<E: From<PathError>>(
        &self,
        name: &Name,
        check: impl FnOnce() -> Result<(), E>,
    ) -> Result<bool, E> {
        let directory = self.directory(name);
        let lock = match FileLock::exclusive(directory.join("lock")) {
            Ok(lock) => lock,
            Err(error) if error.is_not_found() => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        check()?;
        // From here on there is no such network; who waits for the lock finds no record.
        match fs::remove_file(self.record_path(name)) {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            _ => {}
        }
        remove_directory(&directory)?;
        lock.release();
        Ok(true)
    }

    /// Removes the directories of networks whose maker or remover was killed: those without a record and a member.
    pub(crate) fn sweep(&self) -> Result<(), PathError> {
        let is_left = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()?.parse::<Name>().ok());
            let name = name.filter(|name| *name != Name::default_network());
            let has_record = || fs::symlink_metadata(path.join("network.json")).is_ok();
            let has_member = |name: &Name| !self.live_leases(name).is_ok_and(|leases| leases.is_empty());
            name.is_some_and(|name| !has_record() && !has_member(&name))
        };
        if !fs::paths_in(self.all())?.iter().any(is_left) {
            return Ok(());
        }
        let _lock = self.lock_all()?;
        fs::paths_in(self.all())?.iter().filter(|path| is_left(path)).try_for_each(|path| remove_directory(path))
    }
}

/// Removes the directory of a network that has no record any more.
fn remove_directory(directory: &Path) -> Result<(), PathError> {
    loop {
        match fs::remove_dir_all(directory) {
            // Who looks for the network has just made the lock anew, and finds no record.
            Err(error) if error.source.kind() == std::io::ErrorKind::DirectoryNotEmpty => {}
            Err(error) if error.is_not_found() => return Ok(()),
            other => return other,
        }
    }
}

impl LockedNetwork {
    /// Replaces the record; on failure the old one remains.
    pub(crate) fn replace(&mut self, record: NetworkRecord) -> Result<(), Error> {
        write(&self.directory, &record)?;
        self.record = record;
        Ok(())
    }
}

impl Drop for LockedNetwork {
    fn drop(&mut self) {
        if let Some(lock) = self.lock.take() {
            lock.release();
        }
    }
}

fn write(directory: &Path, record: &NetworkRecord) -> Result<(), PathError> {
    let path = directory.join("network.json");
    let bytes = serde_json::to_vec_pretty(record)
        .map_err(|error| PathError::new("write", &path, std::io::Error::from(error)))?;
    fs::replace(path, &bytes, Durability::Synced)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str) -> NetworkRecord {
        NetworkRecord { name: name.parse().expect("a name"), ..NetworkRecord::default_network() }
    }

    fn unused() -> Result<(), PathError> {
        Ok(())
    }

    fn names(networks: &Networks) -> Vec<String> {
        let listing = networks.list().expect("lists");
        let readable = listing.records.iter().map(|record| record.name.to_string());
        readable.chain(listing.damaged.iter().map(|(name, error)| format!("{name}: {error}"))).collect()
    }

    #[test]
    fn the_default_network_exists_without_a_record() {
        let home = tempfile::tempdir().expect("directory");
        let networks = Networks::of(home.path());
        let name = Name::default_network();
        assert_eq!(names(&networks), ["podman"]);
        assert_eq!(networks.load(&name).expect("read"), Some(NetworkRecord::default_network()));
        assert_eq!(fs::paths_in(home.path()).expect("lists").len(), 0);
        let locked = networks.lock(&name).expect("locked").expect("there");
        assert_eq!(locked.record, NetworkRecord::default_network());
    }

    #[test]
    fn a_network_is_created_changed_and_removed() {
        let home = tempfile::tempdir().expect("directory");
        let networks = Networks::of(home.path());
        let app = record("app");
        assert!(networks.lock(&app.name).expect("looks").is_none());
        let all = networks.lock_all().expect("locked");
        networks.create(&app).expect("created");
        assert_eq!(names(&networks), ["app", "podman"]);
        let mut locked = networks.lock(&app.name).expect("locked").expect("there");
        let changed = NetworkRecord { internal: true, ..app.clone() };
        locked.replace(changed.clone()).expect("replaced");
        drop(locked);
        assert_eq!(networks.load(&app.name).expect("read"), Some(changed));
        assert!(networks.remove(&app.name, unused).expect("removed"));
        assert!(!networks.remove(&app.name, unused).expect("not there"));
        drop(all);
        assert_eq!(names(&networks), ["podman"]);
        assert!(!networks.directory(&app.name).exists());
    }

    #[test]
    fn who_has_waited_for_a_lock_has_that_of_the_network_of_now() {
        let home = tempfile::tempdir().expect("directory");
        let networks = Networks::of(home.path());
        let app = record("app");
        networks.create(&app).expect("created");
        let held = networks.lock(&app.name).expect("locked").expect("there");
        let path = networks.directory(&app.name).join("lock");
        let inode = std::os::unix::fs::MetadataExt::ino(&fs::symlink_metadata(&path).expect("there"));
        std::thread::scope(|scope| {
            let second = scope.spawn(|| networks.lock(&app.name).expect("locked").expect("there"));
            let waits = |line: &str| line.contains("-> FLOCK") && line.contains(&format!(":{inode} "));
            while !fs::read_to_string("/proc/locks").expect("locks").lines().any(waits) {
                std::thread::yield_now();
            }
            remove_directory(&held.directory).expect("removed");
            networks.create(&app).expect("created again, without a lock");
            drop(held);
            let second = second.join().expect("a lock");
            assert!(second.lock.as_ref().is_some_and(|lock| lock.is_of(&path)));
        });
    }

    #[test]
    fn a_damaged_record_is_named_and_no_harm_to_others() {
        let home = tempfile::tempdir().expect("directory");
        let networks = Networks::of(home.path());
        for name in ["a", "b", "c"] {
            networks.create(&record(name)).expect("created");
        }
        fs::write(networks.record_path(&record("a").name), "{").expect("written");
        fs::rename(networks.record_path(&record("c").name), networks.record_path(&record("b").name)).expect("moved");
        assert_eq!(
            names(&networks),
            [
                "podman",
                "a: the record of the network `a` is damaged: EOF while parsing an object at line 1 column 1",
                "b: the record of the network `b` is that of another, `c`",
            ]
        );
        assert!(networks.remove(&record("a").name, unused).expect("removed"));
    }
}
