use super::super::context::Context;
use super::super::happened;
use super::super::observer::Observer;
use super::super::pods;
use super::super::sweep::sweep_all;
use super::{find, networks, users};
use crate::container::{self, Removal};
use crate::net::record::Networks;
use crate::storage::Store;
use crate::types::{Name, NetworkRecord, Report, ReportKind, Thing};

/// Which networks to remove.
#[derive(Debug, Default)]
pub(crate) struct RemoveNetworks {
    /// Their names or IDs.
    pub(crate) names: Vec<String>,
    /// With the containers in it; a missing one is no failure.
    pub(crate) force: bool,
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
        let removed = match remove_one(context, store, name, request) {
            Err(report) if request.force && report.kind == ReportKind::NotFound(Thing::Network) => Ok(false),
            other => other,
        };
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
    if request.force {
        let removal = Removal { force: true, timeout: request.timeout.or(Some(10)), volumes: false };
        for user in users(store, &name)? {
            match user.config.sandbox {
                Some(_) => pods::remove_with_members(context, store, &user, &removal)?,
                None => container::remove(store, user, &removal, &context.runtime_dir()?)?,
            }
        }
    }
    let is_removed = networks.remove(&name, || check_unused(store, &name))?;
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
        match networks.remove(&record.name, || check_unused(store, &record.name)) {
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

/// Fails if a container is to be in the network, or a step of a build is. A container that is being created has the
/// store's lock.
fn check_unused(store: &Store, name: &Name) -> Result<(), Report> {
    let _lock = store.lock_exclusive()?;
    let users = users(store, name)?;
    if users.is_empty() {
        return match has_step(store, name)? {
            true => Err(Report::new(ReportKind::InUse, format!("the network `{name}` is in use by a build"))),
            false => Ok(()),
        };
    }
    let by: Vec<String> = users.iter().map(|user| format!("`{}`", user.config.name)).collect();
    let message = format!("the network `{name}` is in use by {}", by.join(", "));
    let hint = "remove the containers first, or use --force, which removes them";
    Err(Report::new(ReportKind::InUse, message).with_hint(hint))
}

/// Whether a step of a build is in the network.
fn has_step(store: &Store, name: &Name) -> Result<bool, Report> {
    let leases = Networks::of(store.root()).live_leases(name)?;
    Ok(leases.iter().any(|lease| lease.owner.is_step()))
}

/// The names of the networks that no container is to be in and that match the filters, without the default network.
/// Fails if a container is damaged: it may use any of them.
pub(crate) fn unused_networks(context: &Context, filters: &[String]) -> Result<Vec<String>, Report> {
    if let Some((id, _)) = container::list(&context.store_to_read()?)?.broken.first() {
        let message = format!("container `{}` is damaged, and may use any network", id.short());
        let hint = format!("remove it with `rc rm {}`", id.short());
        return Err(Report::new(ReportKind::Damaged, message).with_hint(hint));
    }
    let (found, _) = networks(context, filters)?;
    let unused = found.into_iter().filter(|listed| listed.users == 0).map(|listed| listed.record.name);
    let store = context.store_to_read()?;
    let mut names = Vec::new();
    for name in unused.filter(|name| *name != Name::default_network()) {
        if !has_step(&store, &name)? {
            names.push(name.to_string());
        }
    }
    Ok(names)
}
