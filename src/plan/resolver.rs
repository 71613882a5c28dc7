//! How a container looks names up, and its own name.

use std::net::IpAddr;

use super::{Defaults, Error, Facts, Request, names};
use crate::types::{ContainerId, Invalid, Network};

/// How a container looks names up.
pub(super) struct Resolver {
    pub(super) dns: Vec<IpAddr>,
    pub(super) is_of_image: bool,
    pub(super) search: Vec<String>,
    pub(super) options: Vec<String>,
    pub(super) gateway_hosts: Vec<String>,
    pub(super) extra_hosts: Vec<(String, IpAddr)>,
}

pub(super) fn resolver(request: &Request, defaults: &Defaults) -> Result<Resolver, Error> {
    let hosts: Vec<_> = each("--add-host", &request.add_hosts, names::extra_hosts)?.into_iter().flatten().collect();
    let is_of_image = names::is_left_to_image(&request.dns);
    Ok(Resolver {
        dns: match &names::name_servers(&request.dns).map_err(Error::option("--dns"))?[..] {
            [] if !is_of_image => defaults.dns.clone(),
            asked => asked.to_vec(),
        },
        is_of_image,
        search: each("--dns-search", &request.dns_search, names::search_domain)?,
        options: each("--dns-option", &request.dns_options, names::dns_option)?,
        gateway_hosts: hosts.iter().filter(|(_, ip)| ip.is_none()).map(|(name, _)| name.clone()).collect(),
        extra_hosts: hosts.into_iter().filter_map(|(name, ip)| Some((name, ip?))).collect(),
    })
}

/// Reads each value of an option that may be given several times.
fn each<T>(option: &'static str, texts: &[String], read: impl Fn(&str) -> Result<T, Invalid>) -> Result<Vec<T>, Error> {
    texts.iter().map(|text| read(text)).collect::<Result<_, _>>().map_err(Error::option(option))
}

/// `--hostname`; else the host's name on the host's network, and the short id on another.
pub(super) fn hostname(
    request: &Request,
    facts: &Facts,
    id: &ContainerId,
    network: &Network,
    host_uts: bool,
) -> Result<String, Error> {
    match &request.hostname {
        Some(text) => names::check_hostname(text).map(|()| text.clone()).map_err(Error::option("--hostname")),
        None if *network == Network::Host || host_uts => Ok(facts.host_name.clone()),
        None => Ok(id.short().to_owned()),
    }
}
