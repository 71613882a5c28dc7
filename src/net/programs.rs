//! The helper programs of the drivers.

use std::path::PathBuf;

use super::error::Error;
use crate::sys::packages::Package;
use crate::sys::programs;
use crate::types::NetworkDriver;

/// Paths of helper programs that `rc.toml` sets; `None` uses the host's program ([`programs::find`]).
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
    /// Fails with `NoProgram` if it does not exist or is not executable, and with `NoDriver` if the driver has no
    /// helper.
    pub(crate) fn find(&self, driver: NetworkDriver) -> Result<PathBuf, Error> {
        let (configured, package) = match driver {
            NetworkDriver::Slirp4netns => (&self.slirp4netns, Package::Slirp4netns),
            NetworkDriver::Pasta => (&self.pasta, Package::Passt),
            NetworkDriver::Bridge => return Err(Error::NoDriver { network: driver.as_str().to_owned() }),
        };
        let name = driver.as_str();
        programs::find_configured(configured.as_deref(), name).ok_or_else(|| Error::NoProgram {
            driver: name,
            program: configured.as_ref().map_or_else(|| name.to_owned(), |path| path.display().to_string()),
            package,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_helper_names_the_package() {
        let programs = Programs { slirp4netns: None, pasta: Some("/nowhere/at/all".into()) };
        let error = programs.find(NetworkDriver::Pasta).expect_err("missing");
        assert_eq!(error.to_string(), "network `pasta`: `/nowhere/at/all` not found");
        assert!(error.hint().expect("hint").contains("passt"));
    }
}
