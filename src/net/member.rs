//! A container's place in a network with a name, as its monitor has it: a connection to the network's keeper, the
//! network's namespace, an address.

mod visit;

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sched::CloneFlags;
use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::bridge::{self, Plug};
use super::error::Error;
use super::keeper::protocol::{self, Said};
use super::keeper::space::Keep;
use super::lease::{Lease, NewLease};
use super::programs::Programs;
use super::record::{LockedNetwork, Networks};
use super::relay::{Reach, Spot};
use super::tell::Tell;
use super::wait::wait_readable;
use crate::sys::{namespace, socket};
use crate::types::{ContainerId, EndpointState, Name, NetworkRecord, Report};

/// How long a keeper may take to hand out its namespaces. It makes them in milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// What all memberships of a container have in common.
#[derive(Debug)]
pub(crate) struct Joiner {
    /// The networks of the store, for the monitor of this container.
    pub(crate) networks: Networks,
    /// The programs for a way out.
    pub(crate) programs: Programs,
    /// A private directory for locks of drivers.
    pub(crate) locks: PathBuf,
    /// It gets the addresses again that it had when its monitor was killed: others may use them.
    pub(crate) keeps_addresses: bool,
    /// Hears what happens.
    pub(crate) told: Arc<dyn Tell>,
}

/// A container's place in one network. When it is dropped, the keeper sees the end of the connection; the lease stays.
#[derive(Debug)]
pub(crate) struct Member {
    /// The network, as it was when the container joined.
    pub(crate) record: NetworkRecord,
    /// The container's address.
    pub(crate) lease: Lease,
    /// The network's namespace.
    namespace: OwnedFd,
    /// The user namespace that owns it.
    home: OwnedFd,
    /// The network has a packet filter.
    has_filter: bool,
    /// `None` after the keeper's death, until there is another one.
    connection: Option<OwnedFd>,
    /// How the network's way out is; `None` while it is being started.
    way_out: Option<Result<(), Report>>,
}

/// A member without its descriptors, as the child that has made it hands it to the monitor.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Handover {
    record: NetworkRecord,
    lease: Lease,
    has_filter: bool,
}

/// What a keeper hands to a new member.
#[derive(Debug)]
struct Welcome {
    connection: OwnedFd,
    namespace: OwnedFd,
    home: OwnedFd,
    has_filter: bool,
}

/// The addresses that are asked for, and of other families those of before.
fn kept(asked: Vec<IpAddr>, before: Vec<IpAddr>) -> Vec<IpAddr> {
    let is_open = |ip: &IpAddr| asked.iter().all(|asked| asked.is_ipv4() != ip.is_ipv4());
    let more: Vec<IpAddr> = before.into_iter().filter(is_open).collect();
    asked.into_iter().chain(more).collect()
}

impl Joiner {
    /// Joins a network: reserves an address, and finds its keeper or makes one. `home` is the root namespace in which
    /// the network's namespace is made if there is none.
    ///
    /// On failure the container is no member.
    pub(crate) fn join(
        &self,
        name: &Name,
        new: NewLease,
        home: impl FnOnce() -> Result<OwnedFd, crate::userns::Error>,
    ) -> Result<Member, Error> {
        let locked = self.networks.lock(name)?.ok_or_else(|| Error::NoNetwork { name: name.to_string() })?;
        let new = match self.networks.owner() {
            // A monitor that was killed has left them.
            Some(own) if self.keeps_addresses => {
                NewLease { wanted: kept(new.wanted, locked.remove_leases_of(own)?), ..new }
            }
            // The start has given them back: all leases of the network need not be read.
            _ => new,
        };
        let Welcome { connection, namespace, home, has_filter } = self.enter(&locked, home)?;
        let lease = locked.allocate(NewLease { descriptor: Some(namespace.as_raw_fd()), ..new })?;
        let record = locked.record.clone();
        Ok(Member { record, lease, namespace, home, has_filter, connection: Some(connection), way_out: None })
    }

    /// Finds the network's keeper or makes one, in the namespace of `home` if the network has none yet.
    fn enter(
        &self,
        locked: &LockedNetwork,
        home: impl FnOnce() -> Result<OwnedFd, crate::userns::Error>,
    ) -> Result<Welcome, Error> {
        match self.connect(locked)? {
            Some(welcome) => Ok(welcome),
            None => match self.find(locked)? {
                Some((namespace, home)) => self.make(locked, home.as_fd(), Some(namespace.as_fd())),
                None => self.make(locked, home()?.as_fd(), None),
            },
        }
    }

    /// Connects a member to a keeper again, after the death of the last one, and returns the connection: in a child of
    /// the member's monitor, since it may wait for others that do the same.
    pub(crate) fn rejoin(&self, member: &Member) -> Result<OwnedFd, Error> {
        let name = &member.record.name;
        let locked = self.networks.lock(name)?.ok_or_else(|| Error::NoNetwork { name: name.to_string() })?;
        let welcome = match self.connect(&locked)? {
            Some(welcome) => welcome,
            None => self.make(&locked, member.home.as_fd(), Some(member.namespace.as_fd()))?,
        };
        Ok(welcome.connection)
    }

    /// Connects to the keeper; `None` if there is none.
    fn connect(&self, network: &LockedNetwork) -> Result<Option<Welcome>, Error> {
        let failed = |step| failed(network, step);
        let open = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(self.networks.directory(&network.record.name), open, Mode::empty())
            .map_err(|errno| failed("open the directory")(errno.into()))?;
        match socket::connect_at(directory.as_fd(), protocol::SOCKET) {
            Ok(connection) => welcome(network, connection),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ECONNREFUSED)) => Ok(None),
            Err(error) => Err(failed("connect to its keeper")(error)),
        }
    }

    /// The namespaces of a network whose keeper was killed: a member's monitor has them.
    fn find(&self, network: &LockedNetwork) -> Result<Option<(OwnedFd, OwnedFd)>, Error> {
        let leases = network.sweep()?;
        let mut others = leases.iter().filter(|lease| Some(&lease.owner) != self.networks.owner());
        Ok(others.find_map(|lease| namespaces_of(lease, self.networks.root())))
    }

    /// Makes a keeper.
    fn make(
        &self,
        network: &LockedNetwork,
        home: BorrowedFd<'_>,
        namespace: Option<BorrowedFd<'_>>,
    ) -> Result<Welcome, Error> {
        let keep = Keep {
            networks: &self.networks,
            record: &network.record,
            directory: self.networks.directory(&network.record.name),
            programs: &self.programs,
            locks: self.locks.clone(),
            told: &*self.told,
            home,
            namespace,
        };
        let died = || failed(network, "start its keeper")(io::Error::from_raw_os_error(libc::ECONNRESET));
        welcome(network, keep.start()?)?.ok_or_else(died)
    }
}

fn failed(network: &LockedNetwork, step: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Network { network: network.record.name.to_string(), step, source }
}

/// Waits for a keeper's first words; `None` if it is killed before it has said them.
fn welcome(network: &LockedNetwork, connection: OwnedFd) -> Result<Option<Welcome>, Error> {
    let failed = |step| failed(network, step);
    let heard = wait_readable(&[connection.as_fd()], Instant::now() + PATIENCE);
    if !heard.map_err(|errno| failed("wait for its keeper")(errno.into()))? {
        return Err(failed("wait for its keeper")(io::Error::from_raw_os_error(libc::ETIMEDOUT)));
    }
    let Some((said, descriptors)) = protocol::hear(&connection).map_err(failed("talk to its keeper"))? else {
        return Ok(None);
    };
    let mut descriptors = descriptors.into_iter();
    match (said, descriptors.next(), descriptors.next()) {
        (Said::Welcome { has_filter }, Some(namespace), Some(home)) => {
            Ok(Some(Welcome { connection, namespace, home, has_filter }))
        }
        (Said::Failed(report), ..) => Err(Error::Keeper { network: network.record.name.to_string(), report }),
        _ => Err(failed("talk to its keeper")(io::Error::from_raw_os_error(libc::EPROTO))),
    }
}

/// A network's namespace and its owner, by the descriptor that a lease names. Another process may have the PID by now,
/// or the descriptor another number: what is there is looked at.
fn namespaces_of(lease: &Lease, root: &Path) -> Option<(OwnedFd, OwnedFd)> {
    let path = format!("/proc/{}/fd/{}", lease.monitor(root)?, lease.descriptor?);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let namespace = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    if namespace::kind_of(namespace.as_fd()) != Some(CloneFlags::CLONE_NEWNET) {
        return None;
    }
    let home = namespace::owner_of(namespace.as_fd()).ok()?;
    let user = rustix::process::geteuid().as_raw();
    namespace::is_user_namespace_of(home.as_fd(), user).then_some((namespace, home))
}

impl Member {
    /// The user namespace in which the container must be made: namespaces beneath two of them cannot be connected.
    pub(crate) fn home(&self) -> BorrowedFd<'_> {
        self.home.as_fd()
    }

    /// The place for the relay of published ports; `None` if the container has no address here. `is_way_out` says
    /// whether the container's default route leads through this network, as the answers to clients must.
    pub(crate) fn spot(&self, is_way_out: bool) -> io::Result<Option<Spot>> {
        let gateway = |ip: IpAddr| self.record.gateways().find(|gateway| gateway.is_ipv4() == ip.is_ipv4());
        let reaches = self.lease.addresses.iter().map(|address| Reach {
            ip: address.ip,
            prefix: address.prefix,
            gateway: gateway(address.ip),
        });
        let (home, namespace) = (self.home.try_clone()?, self.namespace.try_clone()?);
        Ok(Spot::of_network(home, namespace, reaches, self.has_filter && is_way_out))
    }

    /// The member, for another process: with these descriptors.
    pub(crate) fn hand_over(&self) -> (Handover, Vec<BorrowedFd<'_>>) {
        let Self { record, lease, has_filter, .. } = self;
        let handover = Handover { record: record.clone(), lease: lease.clone(), has_filter: *has_filter };
        (handover, [self.namespace(), self.home()].into_iter().chain(self.connection()).collect())
    }

    /// The member that another process has handed over; `None` if descriptors are missing.
    pub(crate) fn adopt(handover: Handover, descriptors: Vec<OwnedFd>) -> Option<Self> {
        let mut descriptors = descriptors.into_iter();
        let (namespace, home, connection) = (descriptors.next()?, descriptors.next()?, descriptors.next());
        let Handover { record, mut lease, has_filter } = handover;
        lease.descriptor = Some(namespace.as_raw_fd());
        Some(Self { record, lease, namespace, home, has_filter, connection, way_out: None })
    }

    /// Takes the container's interface away. For a child as in [`plug`](Self::plug).
    pub(crate) fn unplug(&self, container: &ContainerId) -> Result<(), Error> {
        bridge::disconnect(self.namespace(), container).map_err(|error| Error::refused(&self.record.name, error))
    }

    /// Gives the container whose init has the pidfd `target` default routes by `gateways`. For a child as in
    /// [`plug`](Self::plug).
    pub(crate) fn take_over(&self, gateways: &[IpAddr], target: BorrowedFd<'_>) -> Result<(), Error> {
        let metric = self.record.metric();
        bridge::take_over(gateways, metric, target).map_err(|error| Error::refused(&self.record.name, error))
    }

    /// The network's namespace.
    pub(crate) fn namespace(&self) -> BorrowedFd<'_> {
        self.namespace.as_fd()
    }

    /// The connection to the keeper: readable when it says something, or has died.
    pub(crate) fn connection(&self) -> Option<BorrowedFd<'_>> {
        self.connection.as_ref().map(OwnedFd::as_fd)
    }

    /// Whether the keeper has said something that was not heard yet, or has died.
    pub(crate) fn has_news(&self) -> bool {
        let connection = self.connection();
        connection.is_some_and(|fd| wait_readable(&[fd], Instant::now()).unwrap_or(false))
    }

    /// Hears what the keeper says. Returns whether it lives.
    pub(crate) fn hear(&mut self) -> bool {
        let Some(connection) = &self.connection else { return false };
        match protocol::hear(connection) {
            Ok(Some((Said::Up, _))) => self.way_out = Some(Ok(())),
            Ok(Some((Said::Failed(report), _))) => self.way_out = Some(Err(report)),
            Ok(Some((Said::Welcome { .. }, _))) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::InvalidData) => {}
            Ok(None) | Err(_) => self.connection = None,
        }
        self.connection.is_some()
    }

    /// There is another keeper.
    pub(crate) fn reconnect(&mut self, connection: OwnedFd) {
        self.connection = Some(connection);
    }

    /// Whether the network's way out works; `None` if that is not known yet.
    pub(crate) fn way_out(&self) -> Option<Result<(), Error>> {
        let network = || self.record.name.to_string();
        self.way_out.as_ref().map(|known| {
            known.as_ref().copied().map_err(|report| Error::Keeper { network: network(), report: report.clone() })
        })
    }

    /// The gateways of the default routes that this network would give the container.
    pub(crate) fn gateways(&self) -> Vec<IpAddr> {
        if !self.record.has_default_route() {
            return Vec::new();
        }
        self.record.gateways().collect()
    }

    /// The network's name servers.
    pub(crate) fn name_servers(&self) -> impl Iterator<Item = IpAddr> {
        self.record.name_servers()
    }

    /// Connects the container whose network namespace the process of the pidfd `target` is in, with default routes by
    /// `gateways`. For a child that is root in [`home`](Self::home), and ends up in the container's network namespace.
    pub(crate) fn plug(
        &self,
        container: &ContainerId,
        gateways: &[IpAddr],
        target: BorrowedFd<'_>,
    ) -> Result<(), Error> {
        let plug = Plug {
            network: self.namespace(),
            member: container,
            interface: &self.lease.interface,
            mac: self.lease.mac,
            addresses: &self.lease.addresses,
            gateways,
            record: &self.record,
        };
        plug.connect(target).map_err(|error| Error::refused(&self.record.name, error))
    }

    /// The endpoint's state, without published ports.
    pub(crate) fn state(&self) -> EndpointState {
        EndpointState {
            addresses: self.lease.addresses.clone(),
            gateways: self.record.gateways().collect(),
            mac: Some(self.lease.mac),
            interface: Some(self.lease.interface.clone()),
            ports: Vec::new(),
        }
    }
}
