use std::path::{Path, PathBuf};

use super::sockets::PORT;
use crate::types::Name;

/// What a server serves, and whom it asks.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The store's directory.
    pub(crate) root: PathBuf,
    /// The network.
    pub(crate) network: Name,
    /// The host's `/etc/resolv.conf`.
    pub(crate) resolv_conf: PathBuf,
    /// The port of the servers in it.
    pub(crate) port: u16,
}

impl Settings {
    /// For `network` of the store at `root`.
    pub(crate) fn new(root: &Path, network: Name) -> Self {
        Self { root: root.to_owned(), network, resolv_conf: "/etc/resolv.conf".into(), port: PORT }
    }
}
