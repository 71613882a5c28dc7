//! A container's directory, `containers/<id>/`.
//!
//! ```text
//! config.json    written once                       exit     how it ended: its space is reserved at creation
//! updated.json   limits, restart policy and environment after `update`, networks after `network connect`: they replace
//!                those in config.json
//! state.json     replaced by the monitor            log      log.1, log.2: the program's output
//! lock           process lock of the monitor        ctl      the monitor's control socket
//! upper/ work/   the writable layer                 merged/  where init mounts its root, in its own namespace;
//!                                                            what is below masks directories in the container
//! hosts resolv.conf hostname containerenv           bound into the container; the last is empty, and masks files
//! hosts.base     what `hosts` begins with (`--hosts-file`), as it was at the start
//! health.json    the results of the last health checks: replaced by the monitor
//! renamed        the name after `rename`: it replaces that in config.json
//! ```

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::plan::{ContainerConfig, Updated};
use crate::sys::fs::{self, AtPath as _, Durability, PathError};
use crate::sys::lock::ProcessLock;
use crate::sys::prctl;
use crate::sys::process::{Child, CloneOptions, Ended, fork};

use super::record::{ExitRecord, HealthRecord, Run, State, Status};
use crate::types::{Name, Report, ReportKind, json};

/// The bytes that are reserved for the exit record.
const EXIT_SPACE: u16 = 1024;

/// The most bytes of `config.json` and of `state.json`, which has all published ports.
const LARGEST: u64 = json::SIZE as u64;

/// A container's directory.
#[derive(Debug, Clone)]
pub(crate) struct ContainerDir {
    path: PathBuf,
}

/// A record that is being written, in a child.
#[derive(Debug)]
#[must_use]
pub(crate) struct Writing<'a> {
    directory: &'a ContainerDir,
    updated: &'a Updated,
    child: Option<Child>,
}

impl Writing<'_> {
    /// Waits until the record is on the disk. What the child could not write is written here, or fails here.
    pub(crate) fn finish(self) -> Result<(), Error> {
        match self.child.map(|child| child.wait()) {
            Some(Ok(Ended::Exited(0))) => Ok(()),
            _ => self.directory.write_updated(self.updated),
        }
    }
}

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It cannot be read or written.
    #[error(transparent)]
    Path(#[from] PathError),
    /// It is damaged.
    #[error("`{}` is damaged: {source}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where, and how.
        source: serde_json::Error,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::Path(error) => return error.into(),
            Error::Damaged { .. } => ReportKind::Damaged,
        };
        Self::new(kind, error.to_string())
    }
}

impl Error {
    /// Whether the directory or the record does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Path(error) if error.is_not_found())
    }
}

impl ContainerDir {
    /// The directory at `path`, which need not exist.
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is there.
    pub(crate) fn exists(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok()
    }

    /// A file or directory in it.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Fills the directory, which is new and still unnamed: configuration, first state, lock, the reserved exit record,
    /// the writable layer.
    ///
    /// With [`Durability::Synced`] the records survive a power cut once the directory has its name. On failure the
    /// directory is left half-made in `tmp/`, where it is swept.
    pub(crate) fn fill(&self, config: &ContainerConfig, state: &State, durability: Durability) -> Result<(), Error> {
        let json = serde_json::to_vec(config).map_err(|source| self.damaged("config.json", source))?;
        if json.len() as u64 > LARGEST {
            // rc could not read it again.
            return Err(
                PathError::new("write", self.at("config.json"), io::Error::from(io::ErrorKind::FileTooLarge)).into()
            );
        }
        let mut file = fs::create_new(self.at("config.json"))?;
        file.write_all(&json).at("write", self.at("config.json"))?;
        if durability == Durability::Synced {
            file.sync_data().at("sync", self.at("config.json"))?;
        }
        // What does not outlive its first run has a state when that has begun: one file less to make and to remove.
        if !config.auto_remove || state.status != Status::Starting {
            let json = serde_json::to_vec(state).map_err(|source| self.damaged("state.json", source))?;
            fs::create_new(self.at("state.json"))?.write_all(&json).at("write", self.at("state.json"))?;
        }
        drop(fs::create_new(self.at("lock"))?);
        // How a container ends that is removed then is not recorded.
        if !config.auto_remove {
            let exit = fs::create_new(self.at("exit"))?;
            exit.write_all_at(&[b' '; EXIT_SPACE as usize], 0).at("reserve space in", self.at("exit"))?;
        }
        for name in ["upper", "work", "merged"] {
            fs::create_dir(self.at(name))?;
        }
        // The root of the container's file system gets the image's attributes when it is first mounted.
        let fresh = rustix::fs::Mode::from_raw_mode(crate::runtime::FRESH);
        rustix::fs::chmod(self.at("upper"), fresh).at("mark as new", self.at("upper"))?;
        Ok(())
    }

    fn damaged(&self, name: &str, source: serde_json::Error) -> Error {
        Error::Damaged { path: self.at(name), source }
    }

    /// Reads `config.json`, with the changes of `update`.
    pub(crate) fn config(&self) -> Result<ContainerConfig, Error> {
        let bytes = fs::read_record(self.at("config.json"), LARGEST)?;
        let mut config: ContainerConfig =
            json::from_slice(&bytes).map_err(|source| self.damaged("config.json", source))?;
        if let Some(name) = self.name()? {
            config.name = name;
        }
        match fs::read_record(self.at("updated.json"), 1 << 20) {
            Ok(bytes) => {
                config.update(json::from_slice(&bytes).map_err(|source| self.damaged("updated.json", source))?);
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(config)
    }

    /// The name that `rename` gave the container.
    pub(crate) fn name(&self) -> Result<Option<Name>, Error> {
        match fs::read_record(self.at("renamed"), 1024) {
            Ok(bytes) => json::from_slice(&bytes).map(Some).map_err(|source| self.damaged("renamed", source)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Records a name in place of that in `config.json`.
    pub(crate) fn write_name(&self, name: &Name) -> Result<(), Error> {
        let json = serde_json::to_vec(name).map_err(|source| self.damaged("renamed", source))?;
        Ok(fs::replace(self.at("renamed"), &json, Durability::Synced)?)
    }

    /// Replaces the limits and the restart policy that the container was created with. The caller holds its lock.
    pub(crate) fn write_updated(&self, updated: &Updated) -> Result<(), Error> {
        let json = serde_json::to_vec(updated).map_err(|source| self.damaged("updated.json", source))?;
        Ok(fs::replace(self.at("updated.json"), &json, Durability::Synced)?)
    }

    /// [`write_updated`](Self::write_updated) in a child: the caller does something else while the disk is busy.
    pub(crate) fn begin_to_write<'a>(&'a self, updated: &'a Updated) -> Writing<'a> {
        let child = fork(&CloneOptions::default(), || {
            let written = prctl::die_with_parent().is_ok() && self.write_updated(updated).is_ok();
            i32::from(!written)
        });
        Writing { directory: self, updated, child: child.ok() }
    }

    /// Reads `state.json`. A container that is removed at its end has none before its first run begins.
    pub(crate) fn state(&self) -> Result<State, Error> {
        let bytes = fs::read_record(self.at("state.json"), LARGEST)?;
        json::from_slice(&bytes).map_err(|source| self.damaged("state.json", source))
    }

    /// Replaces `state.json`. It is not synced: after a power cut no program runs, whatever it says.
    pub(crate) fn write_state(&self, state: &State) -> Result<(), Error> {
        self.replace_state(state, Durability::Volatile)
    }

    /// [`write_state`](Self::write_state) of a container that is removed at its end, and does not outlive a power cut.
    pub(crate) fn write_fleeting_state(&self, state: &State) -> Result<(), Error> {
        self.replace_state(state, Durability::Fleeting)
    }

    fn replace_state(&self, state: &State, durability: Durability) -> Result<(), Error> {
        let json = serde_json::to_vec(state).map_err(|source| self.damaged("state.json", source))?;
        Ok(fs::replace(self.at("state.json"), &json, durability)?)
    }

    /// The health that was recorded last; `None` if there is none, or it cannot be read.
    pub(crate) fn health(&self) -> Option<HealthRecord> {
        json::from_slice(&fs::read_record(self.at("health.json"), LARGEST).ok()?).ok()
    }

    /// Replaces `health.json`.
    pub(crate) fn write_health(&self, record: &HealthRecord, durability: Durability) -> Result<(), Error> {
        let json = serde_json::to_vec(record).map_err(|source| self.damaged("health.json", source))?;
        Ok(fs::replace(self.at("health.json"), &json, durability)?)
    }

    /// The last run whose end was recorded, and how it ended.
    pub(crate) fn ended(&self) -> Option<(Run, ExitRecord)> {
        let mut text = String::new();
        fs::open_record(self.at("exit")).ok()?.take(u64::from(EXIT_SPACE)).read_to_string(&mut text).ok()?;
        json::from_str(text.trim()).ok()
    }

    /// How the run `run` ended, if its end was recorded.
    pub(crate) fn exit(&self, run: &Run) -> Option<ExitRecord> {
        self.ended().filter(|(ended, _)| ended == run).map(|(_, record)| record)
    }

    /// The number of the last run of a container that has no monitor. A power cut may leave `state.json` as it was some
    /// runs ago, since it is not synced, and `exit`, which is written in place, as it is: the end of a run would
    /// otherwise count for a later one of the same number.
    pub(crate) fn last_run(&self) -> Result<u64, Error> {
        let ended = self.ended().map_or(0, |(Run(run), _)| run);
        Ok(self.state()?.run.max(ended))
    }

    /// Records how `run` ended, in the reserved space, so that no exit code is lost on a full disk.
    pub(crate) fn write_exit(&self, run: &Run, record: &ExitRecord) -> Result<(), Error> {
        let mut json = serde_json::to_vec(&(run, record)).map_err(|source| self.damaged("exit", source))?;
        json.resize(json.len().max(usize::from(EXIT_SPACE)), b' ');
        let path = self.at("exit");
        // If the file is missing, it is created: a record without reserved space is better than none.
        let options = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).clone();
        let file = fs::open_record_with(&path, &options)?;
        file.write_all_at(&json, 0).at("write", &path)?;
        Ok(())
    }

    /// The PID of the process that holds the lock; `None` if no process does.
    pub(crate) fn holder(&self) -> Result<Option<i32>, PathError> {
        ProcessLock::holder(self.at("lock"))
    }
}
