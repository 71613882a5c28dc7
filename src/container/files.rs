//! The files that are bound into a container: `/etc/hosts`, `/etc/resolv.conf`, `/etc/hostname`, `/run/.containerenv`.

use super::Error;
use crate::net;
use crate::plan::ContainerConfig;
use crate::types::Network;

/// Their names in the container's directory, and their content, for the host's network as it is now.
pub(crate) fn files(config: &ContainerConfig) -> Result<Vec<(&'static str, String)>, Error> {
    let network = &config.network;
    let host = net::files::HostFiles::read(network)?;
    let hosts = net::files::hosts(&net::files::Hosts {
        network,
        hostname: &config.hostname,
        name: config.name.as_str(),
        outward: (*network != Network::None).then(net::addresses::outward).flatten(),
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
        asked: &asked,
    })?;
    Ok(vec![
        ("hosts", hosts),
        ("resolv.conf", resolv_conf),
        ("hostname", format!("{}\n", config.hostname)),
        ("containerenv", String::new()),
    ])
}
