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
use crate::plan::{BaseHosts, ContainerConfig};
use crate::storage::read_in_layers;
use crate::sys::fs;
use crate::types::{Invalid, Layers, Name, Network, Report};

/// The most that is read of a `hosts` file to which a container may have added lines, in bytes.
const LIMIT: u64 = 1 << 20;

/// The text of `--hosts-file`, from which `hosts` is made again when networks change.
const BASE: &str = "hosts.base";

/// The most that is read of it, in bytes.
const BASE_LIMIT: u64 = 256 << 10;

/// What networks with names give the container.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// Its addresses.
    pub(super) addresses: Vec<IpAddr>,
    /// Their name servers.
    pub(super) name_servers: Vec<IpAddr>,
    /// It is in such networks, all are internal, and it has no helper of its own.
    pub(super) is_internal: bool,
    /// Names that it has for others, and their addresses.
    pub(super) links: Vec<(String, IpAddr)>,
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
    /// The file that `hosts` begins with cannot be read.
    #[error(transparent)]
    Base(#[from] fs::PathError),
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        match error {
            Error::Network(error) => error.into(),
            Error::Invalid(error) => error.into(),
            Error::Base(error) => error.into(),
        }
    }
}

/// The files of a container that is in no network with a name yet: names and contents. `layers` are those of its
/// root filesystem.
pub(crate) fn files(config: &ContainerConfig, layers: &Layers) -> Result<Vec<(&'static str, String)>, Error> {
    let base = match &config.base_hosts {
        None => None,
        Some(BaseHosts::Empty) => Some(Vec::new()),
        Some(BaseHosts::Image) => Some(read_in_layers(layers, "etc/hosts", BASE_LIMIT)?.unwrap_or_default()),
        Some(BaseHosts::File(path)) => Some(fs::read_regular(path, BASE_LIMIT)?),
    };
    let base = base.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let mut files = of_network(config, &Places::default(), base.as_deref())?.to_vec();
    files.extend(base.map(|base| (BASE, base)));
    files.push(("hostname", format!("{}\n", config.hostname)));
    files.push(("containerenv", String::new()));
    Ok(files)
}

/// What the container's `hosts` begins with, as it was when the container started; `None`: the usual lines.
pub(super) fn base_of(directory: &ContainerDir, config: &ContainerConfig) -> Result<Option<String>, fs::PathError> {
    let read =
        |_: &BaseHosts| Ok(String::from_utf8_lossy(&fs::read_record(directory.at(BASE), BASE_LIMIT)?).into_owned());
    config.base_hosts.as_ref().map(read).transpose()
}

/// `hosts` and `resolv.conf`, for the host's network as it is now. `base` is the text of `--hosts-file`.
pub(super) fn of_network(
    config: &ContainerConfig,
    places: &Places,
    base: Option<&str>,
) -> Result<[(&'static str, String); 2], Error> {
    let network = &config.network;
    let host = net::files::HostFiles::read(network)?;
    let has_host = *network != Network::None && !places.is_internal;
    let extra = [&config.extra_hosts[..], &places.links[..]].concat();
    let hosts = net::files::hosts(&net::files::Hosts {
        network,
        hostname: &config.hostname,
        name: config.name.as_str(),
        other_name: config.sandbox.as_ref().and_then(|pod| pod.infra_name.as_ref()).map(Name::as_str),
        own: &places.addresses,
        outward: has_host.then(net::addresses::outward).flatten(),
        extra: &extra,
        gateway: &config.gateway_hosts,
        base: base.unwrap_or(&host.hosts),
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
