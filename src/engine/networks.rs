//! Networks with names: list, find. `create`, `remove` and `update` change them.

mod connect;
mod create;
mod enter;
mod remove;
mod update;

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::context::Context;
use crate::container::{self, Container};
use crate::net::record::Networks;
use crate::storage::Store;
use crate::types::{Name, NetworkRecord, Report, ReportKind, Thing};
use crate::view::NetworkMember;
use crate::view::filter::{NetworkFacts, NetworkFilter};

pub(crate) use connect::{connect_network, disconnect_network, reload_networks};
pub(crate) use create::create_network;
pub(crate) use enter::enter_network;
pub(super) use remove::remove_unused;
pub(crate) use remove::{RemoveNetworks, remove_networks, unused_networks};
pub(crate) use update::update_network;

/// A network and its users.
#[derive(Debug)]
pub(crate) struct ListedNetwork {
    /// Its record.
    pub(crate) record: NetworkRecord,
    /// The running containers in it.
    pub(crate) members: Vec<NetworkMember>,
    /// How many containers are to be in it, whether they run or not.
    pub(crate) users: usize,
}

/// All networks that match the filters, and a failure for each that cannot be read.
pub(crate) fn networks(context: &Context, filters: &[String]) -> Result<(Vec<ListedNetwork>, Vec<Report>), Report> {
    let store = context.store_to_read()?;
    let found = Networks::of(store.root()).list()?;
    let created = |name: &str| -> Option<Timestamp> {
        found.records.iter().find(|record| record.name.as_str() == name)?.created.parse().ok()
    };
    let filter = NetworkFilter::parse(filters, context.clock(), created)?;
    let containers: Vec<Container> = container::list(&store)?.all().collect();
    let listed = found.records.into_iter().map(|record| listed(record, &containers));
    let shown = listed
        .filter(|network| filter.matches(NetworkFacts { record: &network.record, is_used: network.users > 0 }))
        .collect();
    Ok((shown, found.damaged.into_iter().map(|(_, error)| error.into()).collect()))
}

/// The IDs of the networks that can be read, by name.
pub(crate) fn network_ids(context: &Context) -> Result<BTreeMap<String, String>, Report> {
    let found = Networks::of(context.store_to_read()?.root()).list()?;
    Ok(found.records.into_iter().map(|record| (record.name.to_string(), record.id)).collect())
}

/// The network with this name or ID.
pub(crate) fn network(context: &Context, name: &str) -> Result<ListedNetwork, Report> {
    let store = context.store_to_read()?;
    let record = find(&Networks::of(store.root()), name)?;
    Ok(listed(record, &container::list(&store)?.all().collect::<Vec<_>>()))
}

/// Whether there is a network of this name or ID, even a damaged one.
pub(crate) fn network_exists(context: &Context, name: &str) -> Result<bool, Report> {
    match find(&Networks::of(context.store_to_read()?.root()), name) {
        Ok(_) => Ok(true),
        Err(report) if report.kind == ReportKind::NotFound(Thing::Network) => Ok(false),
        Err(report) if report.kind == ReportKind::Damaged => Ok(true),
        Err(report) => Err(report),
    }
}

fn listed(record: NetworkRecord, containers: &[Container]) -> ListedNetwork {
    let users = containers.iter().filter(|container| uses(container, &record.name));
    let members = users.clone().filter_map(|container| member(container, &record.name)).collect();
    ListedNetwork { users: users.count(), members, record }
}

/// What a running container has in a network.
fn member(container: &Container, network: &Name) -> Option<NetworkMember> {
    if !container.is_running() {
        return None;
    }
    let mut endpoints = container.config.network.endpoints().iter();
    let at = endpoints.position(|endpoint| endpoint.network.as_ref() == Some(network))?;
    let endpoint = container.state.network.endpoints.get(at).cloned().unwrap_or_default();
    Some(NetworkMember { id: container.config.id.clone(), name: container.config.name.clone(), endpoint })
}

/// Whether a container is to be in a network when it runs.
fn uses(container: &Container, network: &Name) -> bool {
    container.config.network.endpoints().iter().any(|endpoint| endpoint.network.as_ref() == Some(network))
}

/// The containers and pods that are to be in a network.
fn users(store: &Store, network: &Name) -> Result<Vec<Container>, Report> {
    Ok(container::list(store)?.all().filter(|container| uses(container, network)).collect())
}

/// Filters of containers, with the name of each network that is named otherwise, by its ID for instance.
pub(super) fn in_filters(store: &Store, filters: &[String]) -> Vec<String> {
    let networks = Networks::of(store.root());
    let named = |filter: &String| {
        let found = filter.strip_prefix("network=").and_then(|typed| find(&networks, typed).ok());
        found.map_or_else(|| filter.clone(), |record| format!("network={}", record.name))
    };
    filters.iter().map(named).collect()
}

/// The filters of `ps`, as [`in_filters`].
pub(crate) fn network_filters(context: &Context, filters: &[String]) -> Result<Vec<String>, Report> {
    Ok(in_filters(&context.store_to_read()?, filters))
}

/// As podman: a whole name comes before the beginning of an ID.
pub(super) fn find(networks: &Networks, typed: &str) -> Result<NetworkRecord, Report> {
    let missing =
        || Report::new(ReportKind::NotFound(Thing::Network), format!("no such network: {}", typed.escape_debug()));
    // No other text can be one, not even an ID.
    let name = typed.parse::<Name>().map_err(|_| missing())?.of_network();
    if let Some(record) = networks.load(&name)? {
        return Ok(record);
    }
    let mut matching = networks.list()?.records.into_iter().filter(|record| record.id.starts_with(typed));
    match (matching.next(), matching.next()) {
        (Some(record), None) => Ok(record),
        (Some(_), Some(_)) => {
            Err(Report::new(ReportKind::Invalid, format!("`{name}` is the beginning of several networks' IDs")))
        }
        _ => Err(missing()),
    }
}
