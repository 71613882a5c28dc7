//! Where the helper programs are: a configured path, else a fixed list of directories, never `$PATH` (safety.md, X17).

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::error::Error;
use crate::types::NetworkDriver;

/// Directories that only root writes to, in the order in which distributions use them.
const DIRECTORIES: [&str; 7] = [
    "/usr/bin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/libexec/podman",
    "/usr/local/libexec/podman",
    "/usr/lib/podman",
    "/usr/local/lib/podman",
];

/// Paths of helper programs that `rc.toml` sets; `None`: found in the fixed directories.
#[derive(Debug, Clone, Default)]
pub(crate) struct Programs {
    /// slirp4netns.
    pub(crate) slirp4netns: Option<PathBuf>,
    /// pasta.
    pub(crate) pasta: Option<PathBuf>,
}

impl Programs {
    /// The absolute path of a driver's helper.
    ///
    /// Fails with `NoProgram` if it is not there or not executable, and with `NoDriver` if the driver has none.
    pub(crate) fn find(&self, driver: NetworkDriver) -> Result<PathBuf, Error> {
        let (configured, package) = match driver {
            NetworkDriver::Slirp4netns => (&self.slirp4netns, "slirp4netns"),
            NetworkDriver::Pasta => (&self.pasta, "passt"),
            NetworkDriver::Bridge => return Err(Error::NoDriver { network: driver.as_str().to_owned() }),
        };
        let name = driver.as_str();
        let found = match configured {
            Some(path) => Some(path.clone()).filter(|path| path.is_absolute() && is_executable(path)),
            None => {
                DIRECTORIES.iter().map(|directory| Path::new(directory).join(name)).find(|path| is_executable(path))
            }
        };
        found.ok_or_else(|| Error::NoProgram {
            driver: name,
            program: configured.as_ref().map_or_else(|| name.to_owned(), |path| path.display().to_string()),
            package,
        })
    }
}

fn is_executable(path: &Path) -> bool {
    access(path, Access::EXEC_OK).is_ok() && path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_helper_names_the_package() {
        let programs = Programs { slirp4netns: None, pasta: Some("/nowhere/at/all".into()) };
        let error = programs.find(NetworkDriver::Pasta).expect_err("missing");
        assert_eq!(error.to_string(), "network `pasta`: `/nowhere/at/all` not found");
        assert!(error.hint().expect("hint").contains("`passt`"));
    }
}
