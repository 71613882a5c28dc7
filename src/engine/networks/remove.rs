use super::super::context::Context;
use super::super::happened;
use super::super::observer::Observer;
use super::super::sweep::sweep_all;
use super::super::used::{remove_users, tolerate};
use super::{find, networks, users};
use crate::container;
use crate::net::record::Networks;
use crate::storage::Store;
use crate::types::{Name, NetworkRecord, Report, ReportKind, Thing};

/// Which networks to remove.
#[derive(Debug, Default)]
pub(crate) struct RemoveNetworks {
    /// Their names or IDs.
    pub(crate) names: Vec<String>,
    /// A missing one is no failure.
    pub(crate) force: bool,
    /// With the containers in it.
    pub(crate) with_users: bool,
    /// Nobody used them when they were looked for: one that is gone or in use by now is no failure.
    pub(crate) only_unused: bool,
    /// Seconds between the stop signal and SIGKILL for these containers.
    pub(crate) timeout: Option<u32>,
}

/// Removes networks, and everything that killed processes left in the store.
pub(crate) fn remove_networks(
    context: &Context,
    request: &RemoveNetworks,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    let store = context.store()?;
    for name in &request.names {
        let removed = remove_one(context, store, name, request);
        let removed = tolerate(removed, Thing::Network, request.force, request.only_unused);
        if observer.item(name, removed).is_break() {
            break;
        }
    }
    sweep_all(context)
}

fn remove_one(context: &Context, store: &Store, typed: &str, request: &RemoveNetworks) -> Result<bool, Report> {
    let networks = Networks::of(store.root());
    // Nobody else creates or removes one meanwhile.
    let _all = networks.lock_all()?;
    let (name, record) = match find(&networks, typed) {
        Ok(record) => (record.name.clone(), Some(record)),
        // Its record cannot be read.
        Err(report) if report.kind == ReportKind::Damaged => (typed.parse::<Name>()?, None),
        Err(report) => return Err(report),
    };
    if name == Name::default_network() {
        let message = format!("the default network `{name}` cannot be removed");
        return Err(Report::new(ReportKind::Invalid, message));
    }
    if request.with_users {
        remove_users(context, store, users(store, &name)?, request.timeout)?;
    }
    let is_removed = remove_if_unused(store, &name)?;
    if let (true, Some(record)) = (is_removed, record) {
        happened::to_network(store, "remove", &record);
    }
    Ok(is_removed)
}

/// Removes the networks that no container is to be in and that match, without the default network; returns their names.
pub(in crate::engine) fn remove_unused(
    store: &Store,
    matches: impl Fn(&NetworkRecord) -> bool,
) -> Result<Vec<Name>, Report> {
    let networks = Networks::of(store.root());
    let wanted = |record: &NetworkRecord| record.name != Name::default_network() && matches(record);
    if !networks.list()?.records.iter().any(wanted) {
        return Ok(Vec::new());
    }
    let _all = networks.lock_all()?;
    let mut removed = Vec::new();
    for record in networks.list()?.records.into_iter().filter(wanted) {
        match remove_if_unused(store, &record.name) {
            Ok(true) => {
                happened::to_network(store, "remove", &record);
                removed.push(record.name);
            }
            Ok(false) => {}
            Err(report) if report.kind == ReportKind::InUse => {}
            Err(report) => return Err(report),
        }
    }
    Ok(removed)
}

/// Removes a network; returns whether it existed. Fails if a container is to be in it, or is in it: a step of a build,
/// or a container that is being connected and whose record does not say so yet; or if a program of the user's is. The
/// caller holds the lock of all.
///
/// The store's lock comes first, which a container that is being created has. With the network's own lock in hand
/// neither it may be awaited, since a start waits for the network, nor may containers be listed: that removes what
/// killed monitors have left, which takes the lock of each network.
fn remove_if_unused(store: &Store, name: &Name) -> Result<bool, Report> {
    let _lock = store.lock_exclusive()?;
    let by: Vec<String> = users(store, name)?.iter().map(|user| format!("`{}`", user.config.name)).collect();
    if !by.is_empty() {
        return Err(in_use(name, &by));
    }
    let networks = Networks::of(store.root());
    networks.remove(name, || {
        let leases = networks.live_leases(name)?;
        if leases.iter().any(|lease| lease.owner.is_step()) {
            return Err(Report::new(ReportKind::InUse, format!("the network `{name}` is in use by a build")));
        }
        let by: Vec<String> = leases.iter().map(|lease| format!("`{}`", lease.name)).collect();
        if !by.is_empty() {
            return Err(in_use(name, &by));
        }
        if networks.is_visited(name)? {
            let message = format!("the network `{name}` is in use by `rc unshare --rootless-netns`");
            return Err(Report::new(ReportKind::InUse, message).with_hint("end the program that it runs first"));
        }
        Ok(())
    })
}

fn in_use(name: &Name, by: &[String]) -> Report {
    let message = format!("the network `{name}` is in use by {}", by.join(", "));
    let hint = "remove the containers first, as `rc network rm --force` does";
    Report::new(ReportKind::InUse, message).with_hint(hint)
}

/// Whether a network in which no container is to be is in use all the same: by a step of a build, or by a program of
/// the user's.
fn has_other_users(networks: &Networks, name: &Name) -> Result<bool, Report> {
    // With its lock, so that another process that looks counts for no visitor.
    let Some(_lock) = networks.lock(name)? else { return Ok(false) };
    Ok(networks.live_leases(name)?.iter().any(|lease| lease.owner.is_step()) || networks.is_visited(name)?)
}

/// The names of the networks that nobody uses and that match the filters, without the default network.
/// Fails if a container is damaged: it may use any of them.
pub(crate) fn unused_networks(context: &Context, filters: &[String]) -> Result<Vec<String>, Report> {
    if let Some((id, _)) = container::list(&context.store_to_read()?)?.broken.first() {
        let message = format!("container `{}` is damaged, and may use any network", id.short());
        let hint = format!("remove it with `rc rm {}`", id.short());
        return Err(Report::new(ReportKind::Damaged, message).with_hint(hint));
    }
    let (found, _) = networks(context, filters)?;
    let unused = found.into_iter().filter(|listed| listed.users == 0).map(|listed| listed.record.name);
    let networks = Networks::of(context.store_to_read()?.root());
    let mut names = Vec::new();
    for name in unused.filter(|name| *name != Name::default_network()) {
        if !has_other_users(&networks, &name)? {
            names.push(name.to_string());
        }
    }
    Ok(names)
}
