use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use rustix::fs::Access;

use super::cdi;
use super::context::Caller;
use super::glob;
use super::networks;
use crate::container;
use crate::net::record::Networks;
use crate::plan::{
    BlockDevices, ContainerConfig, Defaults, Facts, Found, FreePort, HostAccount, HostIds, Needs, Request,
};
use crate::settings::Settings;
use crate::storage::Store;
use crate::sys::fs;
use crate::types::{ContainerId, IdRange, NetworkRecord, Protocol, Report, ReportKind, Thing};
use crate::userns::{self, HostUser, IdMap, Single};

/// What `plan::resolve` must know about the caller, the host and the settings; `found` was looked up for this request.
pub(super) fn facts(request: &Request, caller: &Caller, ids: &IdMap, defaults: Defaults, found: Found) -> Facts {
    let host = rustix::system::uname();
    Facts {
        defaults,
        environment: environment(request, caller),
        working_dir: caller.working_dir.clone(),
        host_name: host.nodename().to_string_lossy().into_owned(),
        kernel: kernel(&host.release().to_string_lossy()),
        ids: host_ids(ids),
        found,
    }
}

/// The environment of a request: its own, else the caller's.
pub(super) fn environment(request: &Request, caller: &Caller) -> Vec<(String, String)> {
    match &request.environment {
        Some(asked) => asked.clone().into_iter().collect(),
        None => caller.environment.clone(),
    }
}

/// What `plan` must know of the user's IDs.
fn host_ids(ids: &IdMap) -> HostIds {
    // The first ID of each is the user's own.
    let own = |ranges: &[IdRange]| ranges.first().map_or(0, |range| range.outside);
    HostIds {
        uid: own(&ids.uids),
        gid: own(&ids.gids),
        users: ids.uids.clone(),
        groups: ids.gids.clone(),
        single: ids.single.as_ref().map(Single::sentence),
    }
}

/// IDs that existing containers have for themselves alone.
fn taken_ids(store: &Store) -> Result<Vec<IdRange>, container::Error> {
    let all = container::list(store)?.all().map(|container| container.config.user_namespace);
    Ok(all.filter(|namespace| namespace.is_auto).flat_map(|namespace| namespace.maps.uids).collect())
}

/// The containers and pods of these names or IDs.
fn containers(
    store: &Store,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, Option<Box<ContainerConfig>>>, container::Error> {
    let look_up = |name: &String| match container::find_any(store, name) {
        Ok(found) => Ok((name.clone(), Some(Box::new(found.config)))),
        Err(container::Error::NotFound(_)) => Ok((name.clone(), None)),
        Err(error) => Err(error),
    };
    names.iter().map(look_up).collect()
}

/// The networks of these names or IDs.
fn known_networks(
    store: &Store,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, Option<Box<NetworkRecord>>>, Report> {
    let all = Networks::of(store.root());
    let look_up = |name: &String| match networks::find(&all, name) {
        Ok(found) => Ok((name.clone(), Some(Box::new(found)))),
        Err(report) if report.kind == ReportKind::NotFound(Thing::Network) => Ok((name.clone(), None)),
        Err(report) => Err(report),
    };
    names.iter().map(look_up).collect()
}

/// A user of the host; the empty name is the user that runs rc.
fn account(name: &str) -> Option<HostAccount> {
    let own = || rustix::process::geteuid().as_raw().to_string();
    let HostUser { name, uid, gid, comment, home } =
        userns::host_user(&if name.is_empty() { own() } else { name.to_owned() })?;
    Some(HostAccount { name, uid, gid, comment, home })
}

/// Major and minor number of a kernel's release such as `6.1.0-18-amd64`; 0 for what is not a number.
fn kernel(release: &str) -> (u32, u32) {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().unwrap_or_default());
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default())
}

/// Where a request is looked up.
pub(super) struct Place<'a> {
    pub(super) store: &'a Store,
    pub(super) settings: &'a Settings,
    pub(super) caller: &'a Caller,
}

/// Looks up what a request for the container `id` needs to know about the host; not its images.
pub(super) fn look_up(place: &Place<'_>, needs: &Needs, id: &ContainerId) -> Result<Found, Report> {
    let Place { store, settings, caller } = place;
    Ok(Found {
        images: BTreeMap::new(),
        globs: glob::look_up(&needs.globs, &caller.working_dir),
        ports: free_ports(needs),
        block_devices: block_devices(needs.block_devices.iter().cloned()),
        devices: needs.devices.iter().map(|path| (path.clone(), usable(path))).collect(),
        all_devices: if needs.all_devices { all_devices() } else { Vec::new() },
        least_oom_score_adj: if needs.oom_score_adj { least_oom_score_adj() } else { None },
        taken_ids: if needs.taken_ids { taken_ids(store)? } else { Vec::new() },
        described: cdi::look_up(&needs.described, settings, caller),
        has_zone: needs.zone.as_ref().is_some_and(|path| fs::metadata(path).is_ok_and(|found| found.is_file())),
        containers: containers(store, &needs.containers)?,
        networks: known_networks(store, &needs.networks)?,
        accounts: needs.accounts.iter().map(|name| (name.clone(), account(name))).collect(),
        volume_names: (0..needs.volume_names).map(|_| container::volume_name(id)).collect::<Result<_, _>>()?,
    })
}

/// The settings that apply if a request says nothing.
pub(super) fn defaults(settings: &Settings) -> Defaults {
    let (container, network) = (&settings.container, &settings.network);
    Defaults {
        network: network.driver.value.clone(),
        publish_address: Some(network.publish_address.value),
        dns: network.dns.value.clone(),
        hosts_file: container.base_hosts_file.value.0.clone(),
        env: container.env.value.0.clone(),
        no_new_privileges: container.no_new_privileges.value,
        pids_limit: Some(u64::from(container.pids_limit.value)).filter(|limit| *limit > 0),
        shm_size: container.shm_size.value.0,
        stop_timeout: container.stop_timeout.value,
        detach_keys: container.detach_keys.value.as_str().to_owned(),
        log_max_size: settings.log.max_size.value.0,
        log_max_files: settings.log.max_files.value.get(),
    }
}

/// A port for each that is needed, until the host has no more.
fn free_ports(needs: &Needs) -> Vec<u16> {
    let mut found: Vec<u16> = Vec::new();
    for need in &needs.ports {
        let is_taken = |port: u16| {
            let mut others = needs.ports.iter().zip(&found);
            others.any(|(other, taken)| *taken == port && other.protocol == need.protocol)
                || needs.named_ports.contains(&(need.protocol, port))
        };
        let port = match need.among {
            // The kernel may return a port of an earlier answer again, since nothing listens there yet.
            None => (0..100).map_while(|_| free_port(need, 0)).find(|port| !is_taken(*port)),
            Some((first, last)) => {
                (first..=last).filter(|port| !is_taken(*port)).find_map(|port| free_port(need, port))
            }
        };
        let Some(port) = port else { break };
        found.push(port);
    }
    found
}

/// The port if it is free now, or for 0 one that the kernel chooses: a socket gets it, which rc closes again. If
/// another program takes the port before the container listens, the start fails and names it.
fn free_port(need: &FreePort, port: u16) -> Option<u16> {
    let any = SocketAddr::new(need.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), port);
    let bound = match need.protocol {
        Protocol::Tcp => TcpListener::bind(any).and_then(|socket| socket.local_addr()),
        Protocol::Udp => UdpSocket::bind(any).and_then(|socket| socket.local_addr()),
    };
    bound.ok().map(|address| address.port())
}

/// The numbers of the block devices at `paths`.
pub(super) fn block_devices(paths: impl IntoIterator<Item = String>) -> BlockDevices {
    paths.into_iter().map(|path| (path.clone(), block_device(&path))).collect()
}

/// Why the user cannot use the device at `path`, or one of the devices in the directory there.
fn usable(path: &str) -> Result<(), String> {
    let file = fs::metadata(path).map_err(|error| fs::plain(&error.source))?;
    let kind = file.file_type();
    if kind.is_dir() {
        return Ok(());
    }
    if !kind.is_block_device() && !kind.is_char_device() {
        return Err("it is no device, but a file: mount it with `--volume`".to_owned());
    }
    match rustix::fs::access(path, Access::READ_OK | Access::WRITE_OK) {
        Ok(()) => Ok(()),
        Err(error) => Err(format!("this user may not open it for reading and writing: {}", fs::plain(&error.into()))),
    }
}

/// The devices that the user may open, directly in `/dev` and in `/dev/dri`, `/dev/input`, `/dev/net` and `/dev/snd`.
fn all_devices() -> Vec<String> {
    let directories = ["/dev", "/dev/dri", "/dev/input", "/dev/net", "/dev/snd"];
    let paths = directories.into_iter().filter_map(|directory| fs::paths_in(directory).ok()).flatten();
    let is_device = |path: &String| {
        let found = fs::symlink_metadata(path).map(|file| file.file_type());
        found.is_ok_and(|kind| kind.is_block_device() || kind.is_char_device()) && usable(path).is_ok()
    };
    let mut all: Vec<String> = paths.filter_map(|path| path.into_os_string().into_string().ok()).collect();
    all.retain(|path| !EVERYWHERE.contains(&path.as_str()) && is_device(path));
    all.sort();
    all
}

/// What every container has of its own.
const EVERYWHERE: [&str; 8] =
    ["/dev/console", "/dev/full", "/dev/null", "/dev/ptmx", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero"];

/// The caller's own score: a process in a user namespace cannot go below it.
fn least_oom_score_adj() -> Option<i32> {
    fs::read_to_string("/proc/self/oom_score_adj").ok()?.trim().parse().ok()
}

/// The numbers of the block device at `path`, or why it has none.
fn block_device(path: &str) -> Result<(u32, u32), String> {
    let file = fs::metadata(path).map_err(|error| fs::plain(&error.source))?;
    if !file.file_type().is_block_device() {
        return Err("not a block device".to_owned());
    }
    Ok((rustix::fs::major(file.rdev()), rustix::fs::minor(file.rdev())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_without_a_file_are_the_defaults_of_a_plan() {
        let found = defaults(&Settings::default());
        let expected = Defaults { publish_address: Some(Ipv4Addr::UNSPECIFIED.into()), ..Defaults::default() };
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_needed_is_looked_up_and_no_port_is_found_twice() {
        let id = ContainerId::from_bytes([0xab; 32]);
        let home = tempfile::tempdir().unwrap();
        let store = Store::open(&home.path().join("rc")).unwrap();
        let caller = Caller {
            environment: Vec::new(),
            working_dir: "/".into(),
            has_terminal: false,
            manager: container::Manager::default(),
        };
        let settings = Settings::default();
        let place = Place { store: &store, settings: &settings, caller: &caller };
        let ports = |ports: Vec<FreePort>| look_up(&place, &Needs { ports, ..Needs::default() }, &id).unwrap().ports;
        let free = FreePort { address: Some(Ipv4Addr::LOCALHOST.into()), protocol: Protocol::Tcp, among: None };
        let first = ports(vec![free])[0];
        let needs = Needs {
            ports: vec![free; 40],
            named_ports: [(Protocol::Tcp, first)].into(),
            block_devices: ["/dev/null", "/nowhere"].map(str::to_owned).into(),
            volume_names: 2,
            ..Needs::default()
        };
        let found = look_up(&place, &needs, &id).unwrap();
        let once: BTreeSet<u16> = found.ports.iter().copied().collect();
        assert_eq!((found.ports.len(), once.len(), once.contains(&first), once.contains(&0)), (40, 40, false, false));
        assert_eq!(found.block_devices["/dev/null"], Err("not a block device".to_owned()));
        assert_eq!(found.block_devices["/nowhere"], Err("no such file or directory".to_owned()));
        assert_ne!(found.volume_names[0], found.volume_names[1]);
        assert!(found.volume_names.iter().all(|name| name.as_str().starts_with(&"ab".repeat(16))));
        // An address that the host does not have has no free port.
        let nowhere = FreePort { address: Some("192.0.2.1".parse().unwrap()), ..free };
        assert_eq!(ports(vec![free, nowhere, free]).len(), 1);
        // Of a range, what is neither in use nor found before.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = listener.local_addr().unwrap().port();
        let of = |first, last| FreePort { among: Some((first, last)), ..free };
        assert_eq!(ports(vec![of(taken, taken)]), [0; 0]);
        let start = taken.min(u16::MAX - 200);
        let found = ports(vec![of(start, start + 200); 2]);
        assert!(found.len() == 2 && found[0] != found[1] && !found.contains(&taken), "{found:?}");
    }

    #[test]
    fn the_kernel_s_version_is_in_its_release() {
        assert_eq!(
            (kernel("6.1.0-18-amd64"), kernel("5.15"), kernel("7-rc1"), kernel("")),
            ((6, 1), (5, 15), (7, 0), (0, 0))
        );
    }
}
