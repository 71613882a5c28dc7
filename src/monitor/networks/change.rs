//! `network connect`, `disconnect` and `reload` for a running program: a child of the monitor makes the change, which
//! may have to wait for a keeper, and the monitor adopts what it has made.

use std::net::IpAddr;
use std::os::fd::{BorrowedFd, OwnedFd};

use super::super::directory::ContainerDir;
use super::Networks;
use crate::net;
use crate::net::lease::NewLease;
use crate::net::member::{Handover, Member};
use crate::plan::{ContainerConfig, NetworkChange};
use crate::sys::namespace;
use crate::sys::process::fork_sharing;
use crate::sys::process_id::ProcessId;
use crate::types::{Endpoint, EndpointState, Name, NetworkState, Report, ReportKind};
use crate::userns;

/// The running container whose networks change.
#[derive(Debug, Clone, Copy)]
pub(in crate::monitor) struct Running<'a> {
    /// Its directory.
    pub(in crate::monitor) directory: &'a ContainerDir,
    /// The pidfd of its process 1, which may end meanwhile: another one may get its number then.
    pub(in crate::monitor) init: BorrowedFd<'a>,
    /// The same process, as records name it.
    pub(in crate::monitor) process: Option<&'a ProcessId>,
}

impl Networks {
    /// Makes a change, in the container and in its directory. Returns the new member, if there is one. On failure
    /// nothing has changed.
    ///
    /// For a child of the monitor. What the monitor itself has of the networks it changes in [`adopt`](Self::adopt).
    pub(in crate::monitor) fn change(
        &self,
        container: Running<'_>,
        change: &NetworkChange,
    ) -> Result<Option<Member>, Report> {
        let config = container.directory.config()?;
        let updated = config.reconnected(change)?;
        match change {
            NetworkChange::Connect(endpoint) => {
                let (name, new) = self.new_lease(&config, change, endpoint)?;
                let new = NewLease { init: container.process.cloned(), ..new };
                let was_lost = self.lost.contains(&name);
                if was_lost {
                    self.give_back(&name);
                }
                let member = self.joiner.join(&name, new, || root_of(container.init))?;
                // With its address it has what others could have taken, so the change is recorded while it is made.
                let writing = container.directory.begin_to_write(&updated);
                let plugged = self.check_home(&name, &member, container.init).and_then(|()| {
                    let gateways = self.further_gateways(&config, &member);
                    inside(&member, || {
                        if was_lost {
                            net::remove_interfaces(&config.name, &[&member.lease.interface], container.init)?;
                        }
                        member.plug(&config.id, &gateways, container.init)
                    })
                });
                let written = writing.finish().map_err(Report::from);
                if let Err(report) = plugged.map_err(Report::from).and(written) {
                    // Also if it could not be written: it may have its name, and only its directory not be synced.
                    restore(container.directory, &config);
                    drop(inside(&member, || member.unplug(&config.id)));
                    self.release(&member);
                    return Err(report);
                }
                Ok(Some(member))
            }
            NetworkChange::Disconnect(name) => {
                container.directory.write_updated(&updated)?;
                let gone = self.member_of(name).map_or(Ok(()), |leaving| {
                    let routes = self.gateways_without(&config, name);
                    inside(leaving, || {
                        leaving.unplug(&config.id)?;
                        routes.iter().try_for_each(|(member, gateways)| member.take_over(gateways, container.init))
                    })
                });
                if gone.is_err() {
                    restore(container.directory, &config);
                }
                gone?;
                Ok(None)
            }
            NetworkChange::Reload => {
                let gateways = self.gateways(&config);
                for ((_, member), gateways) in self.members.iter().zip(gateways) {
                    inside(member, || member.plug(&config.id, &gateways, container.init))?;
                }
                Ok(None)
            }
        }
    }

    /// Adopts a change that was made. While the program does not run, it is joined to a new network at its next start.
    pub(in crate::monitor) fn adopt(
        &mut self,
        change: &NetworkChange,
        member: Option<(Handover, Vec<OwnedFd>)>,
        init: Option<&ProcessId>,
    ) -> Result<(), Report> {
        if let Some((handover, descriptors)) = member {
            let message = "the process that was making the change has sent too little";
            let member = Member::adopt(handover, descriptors);
            let member = member.ok_or_else(|| Report::new(ReportKind::Internal, message))?;
            self.lost.remove(&member.record.name);
            self.members.push((self.next, member));
            self.next += 1;
        }
        if let NetworkChange::Disconnect(name) = change {
            let leaving = self.members.iter().position(|(_, member)| member.record.name == *name);
            if let Some(at) = leaving {
                let (_, member) = self.members.remove(at);
                self.release(&member);
            }
        }
        self.know_each_other();
        self.begin_run(init);
        Ok(())
    }

    /// The child that was changing a running container was killed: its command is told that nothing was changed, and so
    /// says the record. It may have left an interface and an address, which stays taken as long as the container has
    /// that interface: until this change is made, or the container ends.
    pub(in crate::monitor) fn lose_child(&mut self, change: &NetworkChange) {
        let NetworkChange::Connect(endpoint) = change else { return };
        let name = network_of(endpoint);
        if self.member_of(&name).is_some() {
            return;
        }
        if let Ok(config) = self.directory.config()
            && let Ok(before) = config.reconnected(&NetworkChange::Disconnect(name.clone()))
        {
            drop(self.directory.write_updated(&before));
        }
        self.lost.insert(name);
    }

    /// The state after a change; ports that a helper publishes stay where they are.
    pub(in crate::monitor) fn state_after(&self, before: &NetworkState) -> NetworkState {
        let own = self.states();
        let is_member = |endpoint: &EndpointState| endpoint.mac.is_some();
        let mut endpoints: Vec<EndpointState> =
            before.endpoints.iter().filter(|endpoint| !is_member(endpoint)).cloned().collect();
        for mut state in own {
            let was = before.endpoints.iter().find(|endpoint| endpoint.interface == state.interface);
            state.ports = was.map(|was| was.ports.clone()).unwrap_or_default();
            endpoints.push(state);
        }
        NetworkState { endpoints }
    }

    /// The lease for a further endpoint.
    fn new_lease(
        &self,
        config: &ContainerConfig,
        change: &NetworkChange,
        endpoint: &Endpoint,
    ) -> Result<(Name, NewLease), Report> {
        let after = ContainerConfig { network: config.network_after(change)?, ..config.clone() };
        let network = network_of(endpoint);
        let new = self.wanted(&after).into_iter().find(|(name, _)| *name == network);
        new.ok_or_else(|| Report::new(ReportKind::Internal, format!("the network `{network}` was joined already")))
    }

    /// Interfaces can only be moved between namespaces with one owner.
    fn check_home(&self, name: &Name, member: &Member, init: BorrowedFd<'_>) -> Result<(), net::Error> {
        use std::os::fd::AsFd as _;
        let own = namespace::above_user_of(init).map_err(|source| {
            let step = "find the container's root namespace";
            net::Error::Network { network: name.to_string(), step, source }
        })?;
        if namespace::is_same(own.as_fd(), member.home()) {
            return Ok(());
        }
        let other = self.members.first().map_or_else(String::new, |(_, member)| member.record.name.to_string());
        Err(net::Error::Apart { network: name.to_string(), other })
    }

    /// The gateways that a further member gives the container: of the families that have none.
    fn further_gateways(&self, config: &ContainerConfig, member: &Member) -> Vec<IpAddr> {
        let known: Vec<bool> =
            self.gateways(config).into_iter().flatten().map(|ip| ip.is_ipv6()).chain(helper_families(config)).collect();
        member.gateways().into_iter().filter(|ip| !known.contains(&ip.is_ipv6())).collect()
    }

    /// For each member that stays, the gateways that become its own when another leaves.
    fn gateways_without(&self, config: &ContainerConfig, leaving: &Name) -> Vec<(&Member, Vec<IpAddr>)> {
        let before = self.gateways(config);
        let mut known: Vec<bool> = helper_families(config).collect();
        let mut after = Vec::new();
        for ((_, member), before) in self.members.iter().zip(&before) {
            if member.record.name == *leaving {
                continue;
            }
            let own: Vec<IpAddr> = member.gateways().into_iter().filter(|ip| !known.contains(&ip.is_ipv6())).collect();
            known.extend(own.iter().map(IpAddr::is_ipv6));
            let new: Vec<IpAddr> = own.into_iter().filter(|ip| !before.contains(ip)).collect();
            if !new.is_empty() {
                after.push((member, new));
            }
        }
        after
    }
}

/// Restores the record of the former networks, after a change that has failed: that error is the one to report.
fn restore(directory: &ContainerDir, before: &ContainerConfig) {
    drop(before.reconnected(&NetworkChange::Reload).map(|record| directory.write_updated(&record)));
}

/// Whether slirp4netns or pasta connects the container, too.
pub(in crate::monitor) fn has_helper(config: &ContainerConfig) -> bool {
    config.network.endpoints().iter().any(|endpoint| !endpoint.is_bridge())
}

/// The families for which the container's own helper has the default route: whether it is IPv6.
pub(super) fn helper_families(config: &ContainerConfig) -> impl Iterator<Item = bool> {
    let helper = config.network.endpoints().iter().find(|endpoint| !endpoint.is_bridge());
    let has_ipv6 = helper.is_some_and(Endpoint::has_ipv6);
    helper.map(|_| false).into_iter().chain(has_ipv6.then_some(true))
}

/// The network that an endpoint of a bridge is in.
fn network_of(endpoint: &Endpoint) -> Name {
    endpoint.network.clone().unwrap_or_else(Name::default_network).of_network()
}

/// The root namespace that the container is beneath.
fn root_of(init: BorrowedFd<'_>) -> Result<OwnedFd, userns::Error> {
    namespace::above_user_of(init)
        .map_err(|source| userns::Error::System { action: "find the container's root namespace", source })
}

/// Calls `work` in a child that is root in the namespace that owns the network's.
fn inside(member: &Member, work: impl FnOnce() -> Result<(), net::Error>) -> Result<(), net::Error> {
    let refused = |step| move |source| net::Error::Network { network: member.record.name.to_string(), step, source };
    let mut done = None;
    let child = fork_sharing(|| {
        let entered = namespace::join(member.home(), nix::sched::CloneFlags::CLONE_NEWUSER);
        done = Some(entered.map_err(refused("enter its user namespace")).and_then(|()| work()));
        0
    });
    child.and_then(|child| child.wait()).map_err(refused("fork"))?;
    done.unwrap_or_else(|| Err(refused("change it")(std::io::Error::from_raw_os_error(libc::ECHILD))))
}
