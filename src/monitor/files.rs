//! The files that are bound into a container: `/etc/hosts`, `/etc/resolv.conf`, `/etc/hostname`, `/run/.containerenv`.
//!
//! They are made with the container's directory. A member of networks with names gets its addresses later, when its
//! monitor joins them: then the first two are written again, in place, since they may be mounted.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::FileExt as _;

use super::directory::ContainerDir;
use crate::net;
use crate::plan::ContainerConfig;
use crate::sys::fs;
use crate::types::{Invalid, Name, Network, Report};

/// The most that is read of a `hosts` file to which a container may have added lines, in bytes.
const LIMIT: u64 = 1 << 20;

/// What networks with names give the container.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Its addresses.
    pub(super) addresses: Vec<IpAddr>,
    /// Their name servers.
    pub(super) name_servers: Vec<IpAddr>,
    /// It is in such networks, all are internal, and it has no helper of its own.
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
        other_name: config.sandbox.as_ref().and_then(|pod| pod.infra_name.as_ref()).map(Name::as_str),
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

/// Adds a line for a member of a pod to the `hosts` of the pod, in place: to its containers it is at 127.0.0.1. No name
/// needs no line.
pub(super) fn add_names(directory: &ContainerDir, names: &[String]) -> Result<(), fs::PathError> {
    let Some(line) = line_of(names) else { return Ok(()) };
    let path = directory.at("hosts");
    let mut file = fs::open_record_with(&path, OpenOptions::new().append(true))?;
    file.write_all(line.as_bytes()).map_err(|error| fs::PathError::new("write", path, error))
}

/// Removes that line.
pub(super) fn remove_names(directory: &ContainerDir, names: &[String]) -> Result<(), fs::PathError> {
    let Some(line) = line_of(names) else { return Ok(()) };
    let path = directory.at("hosts");
    let text = fs::read_record(&path, LIMIT)?;
    let Some(rest) = without(&text, line.as_bytes()) else { return Ok(()) };
    let file = fs::open_record_with(&path, OpenOptions::new().write(true))?;
    // In this order, so that a program that reads it meanwhile misses no line.
    let written = file.write_all_at(&rest, 0).and_then(|()| file.set_len(rest.len() as u64));
    written.map_err(|error: io::Error| fs::PathError::new("write", path, error))
}

fn line_of(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| format!("127.0.0.1\t{}\n", names.join(" ")))
}

/// The text without the last line like this; `None` if it has none.
fn without(text: &[u8], line: &[u8]) -> Option<Vec<u8>> {
    let is_there = |at: &usize| text[*at..].starts_with(line) && (*at == 0 || text[*at - 1] == b'\n');
    let at = (0..text.len()).rev().find(is_there)?;
    Some([&text[..at], &text[at + line.len()..]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_member_comes_and_goes_and_others_stay() {
        let home = tempfile::tempdir().expect("a directory");
        let directory = ContainerDir::new(home.path());
        let text = || fs::read_to_string(home.path().join("hosts")).expect("hosts");
        let one = ["one".to_owned()];
        assert!(add_names(&directory, &one).is_err() && remove_names(&directory, &[]).is_ok());
        fs::write(home.path().join("hosts"), "10.0.2.100\tp\n").expect("hosts");
        add_names(&directory, &one).expect("added");
        add_names(&directory, &["two".to_owned(), "host".to_owned()]).expect("added");
        assert_eq!(text(), "10.0.2.100\tp\n127.0.0.1\tone\n127.0.0.1\ttwo host\n");
        remove_names(&directory, &one).expect("removed");
        remove_names(&directory, &one).expect("there is none any more");
        assert_eq!(text(), "10.0.2.100\tp\n127.0.0.1\ttwo host\n");
    }
}
