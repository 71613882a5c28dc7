//! The files that are bound into a container: `/etc/hosts`, `/etc/resolv.conf`, `/etc/hostname`, `/run/.containerenv`.
//!
//! They are made with the container's directory. A member of networks with names gets its addresses later, when its
//! monitor joins them: then the first two are written again, in place, since they may be mounted.

use std::net::IpAddr;

use crate::net;
use crate::plan::ContainerConfig;
use crate::types::{Invalid, Network, Report};

/// What networks with names give the container.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Its addresses.
    pub(super) addresses: Vec<IpAddr>,
    /// Their name servers.
    pub(super) name_servers: Vec<IpAddr>,
    /// It is in such networks, and all are internal.
    pub(super) is_internal: bool,
}

/// Why the files cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The host's files cannot be read.
    #[error(transparent)]
    Network(#[from] net::Error),
    /// They cannot contain what was asked for.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        match error {
            Error::Network(error) => error.into(),
            Error::Invalid(error) => error.into(),
        }
    }
}

/// The files of a container that is in no network with a name yet: names and contents.
pub(crate) fn files(config: &ContainerConfig) -> Result<Vec<(&'static str, String)>, Error> {
    let mut files = of_network(config, &Places::default())?.to_vec();
    files.push(("hostname", format!("{}\n", config.hostname)));
    files.push(("containerenv", String::new()));
    Ok(files)
}

/// `hosts` and `resolv.conf`, for the host's network as it is now.
pub(super) fn of_network(config: &ContainerConfig, places: &Places) -> Result<[(&'static str, String); 2], Error> {
    let network = &config.network;
    let host = net::files::HostFiles::read(network)?;
    let has_host = *network != Network::None && !places.is_internal;
    let hosts = net::files::hosts(&net::files::Hosts {
        network,
        hostname: &config.hostname,
        name: config.name.as_str(),
        own: &places.addresses,
        outward: has_host.then(net::addresses::outward).flatten(),
        extra: &config.extra_hosts,
        gateway: &config.gateway_hosts,
        host_file: &host.hosts,
    })?;
    let asked = net::files::Resolver {
        name_servers: config.dns.clone(),
        search: config.dns_search.clone(),
        options: config.dns_options.clone(),
    };
    let resolv_conf = net::files::resolv_conf(&net::files::ResolvConf {
        network,
        host_file: &host.resolv_conf,
        upstream_file: &host.upstream,
        networks: &places.name_servers,
        asked: &asked,
    })?;
    Ok([("hosts", hosts), ("resolv.conf", resolv_conf)])
}
