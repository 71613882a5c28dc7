//! The networks with names that the container is in: joined before its first run, left after its last. When a keeper
//! has died, a forked child finds or makes another one, and the loop continues.
//!
//! ```text
//! join     each network, in the order given: an address, the network's namespace
//! plug     for each run: an interface in the container, when its init exists
//! settled  before the program runs: every network has its way out
//! leave    the addresses are free
//! ```

mod change;
mod names;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::change::helper_families;
pub(super) use self::change::{Running, has_helper};
use self::names::learn_name;
use super::directory::ContainerDir;
use super::files::{self, Places};
use super::protocol::{self, Event};
use super::start::{Error, Start, step};
use super::timers::{Timer, Timers};
use crate::net;
use crate::net::addresses;
use crate::net::lease::{NewLease, Owner};
use crate::net::member::{Joiner, Member};
use crate::plan::ContainerConfig;
use crate::storage::events::{Event as Happening, EventKind, EventLog};
use crate::sys::process::{Child, CloneOptions, fork, fork_sharing};
use crate::sys::process_id::ProcessId;
use crate::sys::{fs, prctl, signal, socket};
use crate::types::{Endpoint, EndpointState, Name, NamespaceKind, NetworkRecord, Report};
use crate::userns::{self, UserNamespace};

/// The pause before another attempt to find or make a keeper.
const PAUSE: Duration = Duration::from_secs(1);

/// What a descriptor in the poll set belongs to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Token {
    Member(u64),
    Rejoin,
}

/// The container's places in networks.
#[derive(Debug)]
pub(super) struct Networks {
    joiner: Joiner,
    members: Vec<(u64, Member)>,
    next: u64,
    rejoin: Option<Rejoin>,
    /// Networks in which a killed child may have left a lease.
    lost: BTreeSet<Name>,
    /// The container's network namespace has what a killed monitor of its own left there.
    adopts: bool,
    directory: ContainerDir,
    /// Nobody finds it by a name: a step of a build.
    is_nameless: bool,
}

/// A child that finds or makes a keeper for a member.
#[derive(Debug)]
struct Rejoin {
    member: u64,
    child: Child,
    answer: OwnedFd,
}

impl Networks {
    pub(super) fn new(start: &Start) -> Self {
        let joiner = Joiner {
            networks: start.networks.clone(),
            programs: start.network.programs.clone(),
            locks: start.network.locks.clone(),
            keeps_addresses: start.config.sandbox.is_some(),
            told: told(start.network_events.clone()),
        };
        let adopts = adopts(start);
        let directory = start.directory.clone();
        let is_nameless = start.is_tied;
        Self {
            joiner,
            members: Vec::new(),
            next: 0,
            rejoin: None,
            lost: BTreeSet::new(),
            adopts,
            directory,
            is_nameless,
        }
    }

    /// Joins the networks that the container is to be in, except those that it is in. On failure it is in no more.
    pub(super) fn join(
        &mut self,
        config: &ContainerConfig,
        home: impl Fn() -> Result<OwnedFd, userns::Error>,
    ) -> Result<(), Error> {
        // A new run has none of the interfaces of the last one.
        self.give_back_lost();
        let before = self.members.len();
        let joined = self.wanted(config).into_iter().try_for_each(|(name, new)| {
            let member = self.joiner.join(&name, new, &home)?;
            // Their namespaces must have one owner, which moves an interface from one to the other.
            if let Some((_, first)) = self.members.first()
                && !crate::sys::namespace::is_same(first.home(), member.home())
            {
                let (network, other) = (name.to_string(), first.record.name.to_string());
                self.release(&member);
                return Err(net::Error::Apart { network, other });
            }
            self.members.push((self.next, member));
            self.next += 1;
            Ok(())
        });
        if joined.is_err() {
            for (_, member) in self.members.split_off(before) {
                self.release(&member);
            }
        }
        self.know_each_other();
        joined?;
        let all_run = self.linked_hosts().and_then(|linked| linked.missing.map_or(Ok(()), |error| Err(error.into())));
        all_run.inspect_err(|_| {
            for (_, member) in self.members.split_off(before) {
                self.release(&member);
            }
        })
    }

    /// The leases that the container wants in the networks that it is to be in, and is not yet.
    fn wanted(&self, config: &ContainerConfig) -> Vec<(Name, NewLease)> {
        let networks: Vec<Name> = config.network.bridges().map(|(name, _)| name).collect();
        let missing: Vec<(Name, &Endpoint)> =
            config.network.bridges().filter(|(name, _)| self.member_of(name).is_none()).collect();
        let of_helper = has_helper(config).then_some(addresses::INTERFACE);
        let of_members = self.members.iter().map(|(_, member)| member.lease.interface.as_str());
        let asked = missing.iter().filter_map(|(_, endpoint)| endpoint.interface.as_deref());
        let taken: Vec<&str> = of_members.chain(asked).chain(of_helper).collect();
        let mut free = (0..).map(|number| format!("eth{number}")).filter(|name| !taken.contains(&name.as_str()));
        let new = |(name, endpoint): (Name, &Endpoint)| {
            let lease = NewLease {
                owner: self.joiner.networks.owner().cloned().unwrap_or_else(|| Owner::container(&config.id)),
                name: config.name.clone(),
                names: if self.is_nameless { Vec::new() } else { config.names_in(endpoint) },
                wanted: endpoint.addresses.clone(),
                mac: endpoint.mac,
                // There is always another number.
                interface: endpoint.interface.clone().or_else(|| free.next()).unwrap_or_default(),
                networks: networks.clone(),
                dns: config.dns.clone(),
                has_helper: has_helper(config),
                links: endpoint.links.clone(),
                descriptor: None,
                init: None,
            };
            (name, lease)
        };
        missing.into_iter().map(new).collect()
    }

    /// Each lease names all networks. They are written with the next [`begin_run`](Self::begin_run).
    fn know_each_other(&mut self) {
        let all: Vec<Name> = self.members.iter().map(|(_, member)| member.record.name.clone()).collect();
        for (_, member) in &mut self.members {
            member.lease.networks.clone_from(&all);
        }
    }

    /// Writes the container's `hosts` and `resolv.conf` as a member's, or as those of one that is no longer a member,
    /// in place.
    pub(super) fn write_files(&self, config: &ContainerConfig, directory: &ContainerDir) -> Result<(), Error> {
        let all = || self.members.iter().map(|(_, member)| member);
        let places = Places {
            addresses: all().flat_map(|member| &member.lease.addresses).map(|address| address.ip).collect(),
            name_servers: all().flat_map(|member| member.name_servers()).collect(),
            is_internal: !self.members.is_empty() && !has_helper(config) && all().all(|member| member.record.internal),
            // One that has ended meanwhile has no line any more.
            links: self.linked_hosts().map(|linked| linked.hosts).unwrap_or_default(),
        };
        let base = files::base_of(directory, config)?;
        for (name, content) in files::of_network(config, &places, base.as_deref())? {
            fs::write(directory.at(name), content)?;
        }
        Ok(())
    }

    /// The user namespace in which the container must be made, if it is in a network.
    pub(super) fn home(&self) -> Option<BorrowedFd<'_>> {
        Some(self.members.first()?.1.home())
    }

    /// Connects the container whose init has the pidfd `init`, in a child that shares this process' memory.
    pub(super) fn plug(
        &self,
        config: &ContainerConfig,
        init: BorrowedFd<'_>,
        home: &UserNamespace,
    ) -> Result<(), Error> {
        if self.members.is_empty() && !self.adopts {
            return Ok(());
        }
        let mut done = None;
        let child = fork_sharing(|| {
            drop(prctl::set_name("rc: plug"));
            done = Some(self.plug_all(config, init, home));
            0
        });
        child.and_then(|child| child.wait()).map_err(step("connect the networks"))?;
        done.unwrap_or_else(|| Err(step("connect the networks")(std::io::Error::from_raw_os_error(libc::ECHILD))))
    }

    fn plug_all(&self, config: &ContainerConfig, init: BorrowedFd<'_>, home: &UserNamespace) -> Result<(), Error> {
        home.enter()?;
        if self.adopts {
            let own = self.members.iter().map(|(_, member)| member.lease.interface.as_str());
            let all: Vec<&str> = own.chain([addresses::INTERFACE]).collect();
            net::remove_interfaces(&config.name, &all, init)?;
        }
        let gateways = self.gateways(config);
        for ((_, member), gateways) in self.members.iter().zip(gateways) {
            member.plug(&config.id, &gateways, init)?;
        }
        Ok(())
    }

    /// The gateways of the default routes: for each family of the first network that has one.
    fn gateways(&self, config: &ContainerConfig) -> Vec<Vec<IpAddr>> {
        let mut known = [false; 2];
        helper_families(config).for_each(|is_ipv6| known[usize::from(is_ipv6)] = true);
        let mut first = |ip: &IpAddr| !std::mem::replace(&mut known[usize::from(ip.is_ipv6())], true);
        self.members.iter().map(|(_, member)| member.gateways().into_iter().filter(&mut first).collect()).collect()
    }

    /// Where published ports are connected: in the network through which the container's answers leave, or the first;
    /// `None` if its own helper publishes them.
    pub(super) fn spot(&self, config: &ContainerConfig) -> Result<Option<net::Spot>, Error> {
        if has_helper(config) {
            return Ok(None);
        }
        let gateways = self.gateways(config);
        let way_out = self.members.iter().zip(&gateways).find(|(_, gateways)| !gateways.is_empty());
        let member = way_out.map(|(member, _)| member).or_else(|| self.members.first());
        let spot = member.map(|(_, member)| member.spot(way_out.is_some())).transpose();
        Ok(spot.map_err(step("duplicate a descriptor"))?.flatten())
    }

    /// A run has begun: its init holds the addresses, even if this process is killed. If that cannot be recorded, the
    /// addresses of such an orphan may be given to another.
    pub(super) fn begin_run(&mut self, init: Option<&ProcessId>) {
        for (_, member) in &mut self.members {
            member.lease.init = init.cloned();
            if let Ok(Some(network)) = self.joiner.networks.lock(&member.record.name) {
                // `rename` writes the leases as well, under this lock, after it has recorded the name.
                learn_name(&self.directory, &member.record.name, &mut member.lease);
                drop(network.update(&member.lease));
            }
        }
    }

    /// The connection of a network that is not known to be complete; `None` if all are. Fails if one has no way out.
    pub(super) fn awaited(&self) -> Result<Option<OwnedFd>, Error> {
        for (_, member) in &self.members {
            match (member.way_out(), member.connection()) {
                (Some(known), _) => known?,
                // Its keeper has just died: there will be another one.
                (None, None) => {}
                (None, Some(connection)) => {
                    let copy = connection.try_clone_to_owned();
                    return copy.map(Some).map_err(step("duplicate a descriptor"));
                }
            }
        }
        Ok(None)
    }

    /// Hears everything that the keepers have said.
    pub(super) fn hear(&mut self) {
        for (_, member) in &mut self.members {
            while member.has_news() && member.hear() {}
        }
    }

    /// The state of each endpoint, without published ports.
    pub(super) fn states(&self) -> Vec<EndpointState> {
        self.members.iter().map(|(_, member)| member.state()).collect()
    }

    /// Whether the container is in the network in which a relay of its ports connects.
    pub(super) fn has(&self, spot: &net::Spot) -> bool {
        self.members.iter().any(|(_, member)| spot.is_in(member.namespace()))
    }

    fn member_of(&self, network: &Name) -> Option<&Member> {
        self.members.iter().map(|(_, member)| member).find(|member| member.record.name == *network)
    }

    /// Leaves all networks.
    pub(super) fn leave(&mut self) {
        if let Some(rejoin) = self.rejoin.take() {
            rejoin.end();
        }
        for (_, member) in std::mem::take(&mut self.members) {
            self.release(&member);
        }
        self.give_back_lost();
    }

    fn give_back_lost(&mut self) {
        for name in std::mem::take(&mut self.lost) {
            self.give_back(&name);
        }
    }

    /// Gives back what a killed child may have left in a network that the container is not in.
    fn give_back(&self, name: &Name) {
        if let (Some(own), Ok(Some(network))) = (self.joiner.networks.owner(), self.joiner.networks.lock(name)) {
            drop(network.remove_leases_of(own));
        }
    }

    /// If a lease cannot be removed, it is swept: its owner does not live.
    fn release(&self, member: &Member) {
        drop(self.joiner.networks.release(&member.record.name, &member.lease));
    }

    /// The descriptors to wait for.
    pub(super) fn poll_set(&self) -> impl Iterator<Item = (BorrowedFd<'_>, Token)> {
        let members = self.members.iter().filter_map(|(id, member)| Some((member.connection()?, Token::Member(*id))));
        members.chain(self.rejoin.as_ref().map(|rejoin| (rejoin.answer.as_fd(), Token::Rejoin)))
    }

    /// Acts on one ready descriptor.
    pub(super) fn ready(&mut self, token: Token, timers: &mut Timers) {
        match token {
            Token::Member(id) => {
                if let Some(member) = self.member(id) {
                    member.hear();
                }
            }
            Token::Rejoin => {
                let Some(rejoin) = self.rejoin.take() else { return };
                let received = protocol::receive::<Event>(&rejoin.answer);
                let (id, connection) =
                    (rejoin.member, received.ok().flatten().and_then(|(_, fds)| fds.into_iter().next()));
                rejoin.end();
                match (connection, self.member(id)) {
                    (Some(connection), Some(member)) => member.reconnect(connection),
                    _ => return timers.set(Timer::Networks, Some(Instant::now() + PAUSE)),
                }
            }
        }
        self.rejoin(timers);
    }

    fn member(&mut self, wanted: u64) -> Option<&mut Member> {
        self.members.iter_mut().find(|(id, _)| *id == wanted).map(|(_, member)| member)
    }

    /// Begins to connect a member whose keeper has died, unless one is being connected.
    pub(super) fn rejoin(&mut self, timers: &mut Timers) {
        if self.rejoin.is_some() {
            return;
        }
        let Some((id, member)) = self.members.iter().find(|(_, member)| member.connection().is_none()) else { return };
        match self.start_rejoin(member) {
            Ok((child, answer)) => self.rejoin = Some(Rejoin { member: *id, child, answer }),
            Err(_) => timers.set(Timer::Networks, Some(Instant::now() + PAUSE)),
        }
    }

    fn start_rejoin(&self, member: &Member) -> std::io::Result<(Child, OwnedFd)> {
        let (ours, theirs) = socket::pair()?;
        let child = fork(&CloneOptions::default(), || {
            let ready = prctl::die_with_parent().and_then(|()| prctl::set_name("rc: rejoin"));
            if ready.and_then(|()| signal::unblock_all()).is_err() {
                return 125;
            }
            let sent = match self.joiner.rejoin(member) {
                Ok(connection) => protocol::send(theirs.as_fd(), &Event::Done, &[connection.as_fd()]),
                Err(error) => protocol::send(theirs.as_fd(), &Event::Failed(Report::from(error)), &[]),
            };
            i32::from(sent.is_err())
        })?;
        Ok((child, ours))
    }
}

impl Rejoin {
    fn end(self) {
        drop(self.child.signal(libc::SIGKILL));
        drop(self.child.wait());
    }
}

/// Whether the container gets a network namespace that a killed monitor of its own has left: a pod whose members run.
/// Until that is cleared, its init waits.
pub(super) fn adopts(start: &Start) -> bool {
    let is_joined = start.extras.joined.iter().any(|(kind, _)| *kind == NamespaceKind::Network);
    is_joined && start.config.sandbox.is_some()
}

/// Writes what happens to networks to this log.
pub(crate) fn told(events: EventLog) -> Arc<dyn net::Tell> {
    Arc::new(Told(events))
}

/// Where what happens to networks is written: their keepers know it.
#[derive(Debug)]
struct Told(EventLog);

impl net::Tell for Told {
    fn restarted(&self, network: &NetworkRecord) {
        let event = Happening::new(EventKind::Network, "restart", network.id.as_str(), network.name.as_str());
        self.0.add(&[event.with("type", &network.driver)]);
    }
}
