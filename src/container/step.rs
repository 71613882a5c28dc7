//! A step of a build: a container without a name, and without a record in `containers/`. Its directory belongs to the
//! build, which takes the writable layer from it, and removes it.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::Error;
use super::create::write_public;
use super::owner::first_run;
use super::secrets::Secrets;
use crate::monitor::{ContainerDir, Listen, Owner};
use crate::plan::ContainerConfig;
use crate::sys::fs::{self, Durability};
use crate::sys::lock::ProcessLock;
use crate::types::Report;
use crate::userns::UserNamespace;

/// A step that is to be run.
#[derive(Debug)]
pub(crate) struct Step {
    /// What runs. It is as a container of `--rm`: nothing of it outlives a power cut.
    pub(crate) config: ContainerConfig,
    /// Its directory, which does not exist yet.
    pub(crate) directory: ContainerDir,
    /// Files that are bound into it, with their content: `hosts`, `resolv.conf`, `hostname`.
    pub(crate) files: Vec<(&'static str, String)>,
    /// The writable layer of another step that has ended, which this one takes over.
    pub(crate) upper: Option<PathBuf>,
    /// What it gets beside its configuration, which is written to the disk.
    pub(crate) secrets: Secrets,
}

impl Step {
    fn make(&self, listen: Listen) -> Result<(ProcessLock, OwnedFd), Error> {
        fs::create_dir(self.directory.path())?;
        self.directory.fill(&self.config, &first_run(), Durability::Volatile)?;
        if let Some(upper) = &self.upper {
            fs::rename(upper, self.directory.at("upper"))?;
        }
        for (name, content) in &self.files {
            write_public(self.directory.at(name), content)?;
        }
        let lock = match ProcessLock::acquire(self.directory.at("lock"))? {
            Ok(lock) => lock,
            Err(pid) => return Err(Error::Busy { name: self.config.name.to_string(), pid }),
        };
        let listener = listen(&self.directory).map_err(|error| Error::Told(error.into()))?;
        Ok((lock, listener))
    }
}

impl Owner for Step {
    fn establish(&self, listen: Listen) -> Result<(ProcessLock, OwnedFd), Report> {
        Ok(self.make(listen)?)
    }

    /// What is left is in the build's directory.
    fn withdraw(&self, _home: Option<&UserNamespace>, _is_rcs_fault: bool) {}

    fn unlink(&self) {}

    fn remove(&self, _home: &UserNamespace) {}
}
