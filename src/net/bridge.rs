//! A network with a name, in the kernel: a network namespace of its own with a bridge, and a pair of interfaces for
//! each member.
//!
//! ```text
//! member's namespace                    the network's namespace
//!   eth0 10.89.0.2 ─────── veth ─────── vID ── bridge 10.89.0.1 ── tap0   (`way_out`)
//! ```
//!
//! Everything here is done by a process that is root in the user namespace that owns both.

use std::net::IpAddr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sched::CloneFlags;
use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use super::addresses::INTERFACE;
use super::agreed::{MARK, MTU, SLIRP6, TABLE};
use super::error::Error;
use super::filter::{self, Before};
use super::netlink::messages::{self, LOOPBACK, Route, Veth};
use super::netlink::{Netlink, Refused};
use crate::sys::{fs, namespace};
use crate::types::{ContainerId, MacAddress, Name, NetworkAddress, NetworkRecord};

/// The index of the bridge, which is the first interface after loopback.
const BRIDGE: u32 = 2;

/// The metric of a route that comes before those that the kernel makes itself.
const FIRST: u32 = 1;

/// How long the kernel may take to remove an interface whose owner was killed.
const GOES: Duration = Duration::from_secs(2);

/// How long an init may be hidden: for three system calls, of a process that may have to wait for a CPU.
const HIDES: Duration = Duration::from_secs(1);

/// Sysctls of a network's namespace: packets pass from the bridge to the way out; a relay may connect by a client's
/// own port; and what stays on the bridge does not pass the packet filter, which costs a third of the speed.
const SYSCTLS: [(&str, &str); 6] = [
    ("net/ipv4/ip_forward", "1"),
    ("net/ipv6/conf/all/forwarding", "1"),
    ("net/ipv4/ip_unprivileged_port_start", "0"),
    ("net/bridge/bridge-nf-call-iptables", "0"),
    ("net/bridge/bridge-nf-call-ip6tables", "0"),
    ("net/bridge/bridge-nf-call-arptables", "0"),
];

/// For the way out of a network with IPv6, which is made later than the bridge: slirp4netns has no other way to give it
/// an address and a route than router advertisements, which a router does not accept unless told to. It asks at once,
/// and the address is used at once. A member's advertisements are seen by the bridge alone, which does not accept them.
/// Source: ip-sysctl.rst, `accept_ra`, `router_solicitation_delay`, `dad_transmits`.
const ADVERTISED: [(&str, &str); 3] = [
    ("net/ipv6/conf/default/accept_ra", "2"),
    ("net/ipv6/conf/default/router_solicitation_delay", "0"),
    ("net/ipv6/conf/default/dad_transmits", "0"),
];

/// Sets up the network namespace of this process, which has just been made. Returns whether it has a packet filter: a
/// kernel without nf_tables does not.
pub(super) fn set_up(record: &NetworkRecord) -> Result<bool, Refused> {
    let kernel = Netlink::route().map_err(|source| Refused { step: "talk to the kernel", source })?;
    let mac = record.gateways().find_map(|gateway| match gateway {
        IpAddr::V4(ip) => Some(MacAddress::of_ipv4(ip)),
        IpAddr::V6(_) => None,
    });
    let mtu = record.mtu().unwrap_or(MTU);
    let mut requests = vec![messages::up(LOOPBACK), messages::bridge(&record.network_interface, BRIDGE, mac, mtu)];
    for subnet in &record.subnets {
        requests.extend(
            subnet
                .gateway
                .map(|ip| messages::address(BRIDGE, NetworkAddress { ip, prefix: subnet.subnet.prefix_len() })),
        );
    }
    if !record.internal && record.overlaps(&SLIRP6.into()) {
        // slirp4netns has the same network, and answers for two addresses of it, which are the members' here.
        requests.push(messages::on_link(BRIDGE, SLIRP6.into(), FIRST));
    }
    requests.extend(messages::answers_are_local(MARK, TABLE));
    kernel.ask(&requests)?;
    let of_ipv6 = if record.has_ipv6() { &ADVERTISED[..] } else { &[] };
    for (name, value) in SYSCTLS.iter().chain(of_ipv6) {
        set(name, value)?;
    }
    let has_filter = set_up_filter(record, Before::Nothing);
    if !has_filter {
        // Interfaces to come, so the way out: slirp4netns asks there for the MAC address of each member.
        set("net/ipv4/conf/default/proxy_arp", "1")?;
    }
    Ok(has_filter)
}

/// Sets up the packet filter of the network that this process is in. Returns whether it has one.
pub(super) fn set_up_filter(record: &NetworkRecord, before: Before) -> bool {
    filter::install(&record.network_interface, before).is_ok()
}

/// Removes the interface of a helper that was killed from the network that this process is in: the kernel takes some
/// 20 ms for that by itself. Fails if it is still there at `deadline`.
pub(super) fn remove_way_out(interface: &str, deadline: Instant) -> Result<(), Refused> {
    let refused = |step| move |source| Refused { step, source };
    let kernel = Netlink::route().map_err(refused("talk to the kernel"))?;
    kernel.ask(&[messages::remove(interface)]).or_else(unless_missing)?;
    while index_of(interface).is_ok() {
        if Instant::now() > deadline {
            return Err(refused("remove an interface")(std::io::Error::from_raw_os_error(libc::EBUSY)));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Removes these interfaces from the network namespace that the process of the pidfd `target` is in, in which this
/// process ends up: what a killed monitor has left there.
pub(crate) fn remove_interfaces(network: &Name, names: &[&str], target: BorrowedFd<'_>) -> Result<(), Error> {
    let removed = (|| {
        enter_that_of(target)?;
        names.iter().try_for_each(|name| remove_way_out(name, Instant::now() + GOES))
    })();
    removed.map_err(|error| Error::refused(network, error))
}

/// Tries out in a new network namespace, which this process ends up in, what a network needs of the kernel. Returns
/// whether it has a packet filter.
pub(crate) fn probe() -> Result<bool, Error> {
    let record = NetworkRecord::default_network();
    let tried = (|| {
        let refused = |step| move |source| Refused { step, source };
        namespace::unshare(CloneFlags::CLONE_NEWNET).map_err(refused("create a network namespace"))?;
        let has_filter = set_up(&record)?;
        let own = own().map_err(refused("open the network namespace"))?;
        let mac = MacAddress::of_ipv4([10, 88, 0, 2].into());
        let pair = Veth { name: "v0", bridge: BRIDGE, peer: INTERFACE, mac, namespace: own.as_fd(), mtu: MTU };
        let kernel = Netlink::route().map_err(refused("talk to the kernel"))?;
        kernel.ask(&[pair.create()])?;
        Ok(has_filter)
    })();
    tried.map_err(|error| Error::refused(&record.name, error))
}

/// Sets a kernel parameter; one that this kernel does not have needs no setting.
fn set(name: &str, value: &str) -> Result<(), Refused> {
    match fs::write(Path::new("/proc/sys").join(name), value) {
        Err(error) if !error.is_not_found() => Err(Refused { step: "set a kernel parameter", source: error.source }),
        _ => Ok(()),
    }
}

/// How a member is connected to a network.
#[derive(Debug)]
pub(crate) struct Plug<'a> {
    /// The network's namespace.
    pub(crate) network: BorrowedFd<'a>,
    /// The member.
    pub(crate) member: &'a ContainerId,
    /// The interface in the member.
    pub(crate) interface: &'a str,
    /// Its MAC address.
    pub(crate) mac: MacAddress,
    /// Its addresses.
    pub(crate) addresses: &'a [NetworkAddress],
    /// The gateways of its default routes.
    pub(crate) gateways: &'a [IpAddr],
    /// The network.
    pub(crate) record: &'a NetworkRecord,
}

impl Plug<'_> {
    /// Connects the member whose network namespace the process of the pidfd `target` is in. This process ends up there.
    ///
    /// Fails with the step that the kernel refuses; a pair of interfaces may be left, and is replaced by the next call.
    pub(super) fn connect(&self, target: BorrowedFd<'_>) -> Result<(), Refused> {
        let refused = |step| move |source| Refused { step, source };
        enter_that_of(target)?;
        let inside = own().map_err(refused("open the container's network namespace"))?;
        let name = port(self.member);
        let pair = Veth {
            name: &name,
            bridge: BRIDGE,
            peer: self.interface,
            mac: self.mac,
            namespace: inside.as_fd(),
            mtu: self.record.mtu().unwrap_or(MTU),
        };
        enter(self.network)?;
        let kernel = Netlink::route().map_err(refused("talk to the kernel"))?;
        match kernel.ask(&[pair.create()]) {
            Err(error) if error.source.raw_os_error() == Some(libc::EEXIST) => {
                // The member's last run, which the kernel is still ending, or another attempt.
                kernel.ask(&[messages::remove(&name)]).or_else(unless_missing)?;
                kernel.ask(&[pair.create()])?;
            }
            other => other?,
        }
        enter(inside.as_fd())?;
        let kernel = Netlink::route().map_err(refused("talk to the kernel"))?;
        let index = index_of(self.interface).map_err(refused("find the interface"))?;
        let metric = self.record.metric();
        let mut requests: Vec<_> = self.addresses.iter().map(|address| messages::address(index, *address)).collect();
        requests.push(messages::up(index));
        requests.extend(self.record.routes.iter().map(|route| {
            let to = NetworkAddress { ip: route.destination.addr(), prefix: route.destination.prefix_len() };
            Route { to, gateway: route.gateway, metric: route.metric.or(metric) }.add()
        }));
        requests.extend(self.gateways.iter().map(|gateway| Route::default(*gateway, metric).add()));
        kernel.ask(&requests)
    }
}

/// Takes a member's interface away. This process ends up in the network's namespace. Succeeds if there is none.
pub(super) fn disconnect(network: BorrowedFd<'_>, member: &ContainerId) -> Result<(), Refused> {
    enter(network)?;
    let kernel = Netlink::route().map_err(|source| Refused { step: "talk to the kernel", source })?;
    kernel.ask(&[messages::remove(&port(member))]).or_else(unless_missing)
}

/// Gives the member whose network namespace the process of the pidfd `target` is in default routes by this network, in
/// place of another one's. This process ends up there.
pub(super) fn take_over(gateways: &[IpAddr], metric: Option<u32>, target: BorrowedFd<'_>) -> Result<(), Refused> {
    enter_that_of(target)?;
    let kernel = Netlink::route().map_err(|source| Refused { step: "talk to the kernel", source })?;
    let requests: Vec<_> = gateways.iter().map(|gateway| Route::default(*gateway, metric).add()).collect();
    kernel.ask(&requests)
}

/// The name of a member's interface in the network's namespace: an interface has a name of 15 bytes at most.
fn port(member: &ContainerId) -> String {
    format!("v{}", &member.as_str()[..11])
}

fn unless_missing(error: Refused) -> Result<(), Refused> {
    if error.source.raw_os_error() == Some(libc::ENODEV) { Ok(()) } else { Err(error) }
}

/// Enters the network namespace of a process by its pidfd: the process may end meanwhile, and another one get its
/// number. An init whose root is another ID of the host than the user's is hidden from everybody while it changes to it
/// (PR_SET_DUMPABLE(2const)), so this tries again.
fn enter_that_of(process: BorrowedFd<'_>) -> Result<(), Refused> {
    let deadline = Instant::now() + HIDES;
    loop {
        match enter(process) {
            Err(error) if error.source.raw_os_error() == Some(libc::EPERM) && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_micros(100));
            }
            done => return done,
        }
    }
}

/// Enters a network namespace, by its own descriptor or by the pidfd of a process in it.
fn enter(network: BorrowedFd<'_>) -> Result<(), Refused> {
    namespace::join(network, CloneFlags::CLONE_NEWNET)
        .map_err(|source| Refused { step: "enter a network namespace", source })
}

/// The network namespace of this process.
fn own() -> std::io::Result<OwnedFd> {
    Ok(rustix::fs::open(c"/proc/self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// The index of an interface in the network namespace of this process.
pub(super) fn index_of(interface: &str) -> std::io::Result<u32> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    Ok(rustix::net::netdevice::name_to_index(&socket, interface)?)
}
