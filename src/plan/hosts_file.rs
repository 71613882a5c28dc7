//! `--hosts-file`: what the `/etc/hosts` of a container begins with. Source: podman-run(1).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::paths::host_path;
use super::{Error, Request};
use crate::types::{Invalid, Network, host_path as saved};

const OPTION: &str = "--hosts-file";

/// What `/etc/hosts` begins with, in place of rc's own lines or, with the host's network, the host's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum BaseHosts {
    /// Nothing.
    Empty,
    /// The image's file.
    Image,
    /// This file of the host, as it is at each start.
    File(#[serde(with = "saved")] PathBuf),
}

impl BaseHosts {
    /// The value of the option, for `inspect`.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Empty => "none".to_owned(),
            Self::Image => "image".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// Reads the option, or the setting, `usual`. A relative path begins at `working_dir`. Fails if the container has the
/// file of another, or none that rc writes.
pub(super) fn base_hosts(
    request: &Request,
    usual: &str,
    working_dir: &Path,
    network: &Network,
) -> Result<Option<BaseHosts>, Error> {
    let is_shared = matches!(network, Network::Container(_));
    let text = match &request.hosts_file {
        Some(_) if request.no_hosts => return Err(Error::Exclusive { options: ["--no-hosts", OPTION] }),
        Some(text) if is_shared => {
            let reason = "the file is that of the container whose network this one has";
            return Err(Error::option(OPTION)(Invalid::new("hosts file", text, reason)));
        }
        Some(text) => text.as_str(),
        None if is_shared || request.no_hosts => return Ok(None),
        None => usual,
    };
    Ok(match text {
        "" => None,
        "none" => Some(BaseHosts::Empty),
        "image" => Some(BaseHosts::Image),
        path if path.contains('\0') => {
            return Err(Error::option(OPTION)(Invalid::new("hosts file", path, "must be a path, image or none")));
        }
        path => Some(BaseHosts::File(host_path(path, working_dir))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_goes_before_the_setting_and_a_shared_file_is_another_s() {
        let other = Network::Container("ab".repeat(32));
        let read = |text: Option<&str>, usual: &str, no_hosts: bool, network: &Network| {
            let request = Request { hosts_file: text.map(str::to_owned), no_hosts, ..Request::default() };
            base_hosts(&request, usual, Path::new("/w"), network).map_err(|error| error.to_string())
        };
        let file = |path: &str| Ok(Some(BaseHosts::File(path.into())));
        let alone = |text: Option<&str>, usual: &str| read(text, usual, false, &Network::None);
        assert_eq!(alone(None, ""), Ok(None));
        assert_eq!(alone(Some("none"), "/set"), Ok(Some(BaseHosts::Empty)));
        assert_eq!(alone(Some("image"), ""), Ok(Some(BaseHosts::Image)));
        assert_eq!(alone(Some("/a/none"), ""), file("/a/none"));
        assert_eq!(alone(Some("./h"), ""), file("/w/h"));
        assert_eq!(alone(None, "/set"), file("/set"));
        assert!(read(Some("none"), "", true, &Network::None).is_err_and(|text| text.contains("--no-hosts")));
        assert!(read(Some("none"), "", false, &other).is_err_and(|text| text.contains("whose network")));
        assert_eq!((read(None, "/set", true, &Network::None), read(None, "/set", false, &other)), (Ok(None), Ok(None)));
    }
}
