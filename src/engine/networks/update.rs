use super::super::context::Context;
use super::find;
use crate::net::record::Networks;
use crate::plan;
use crate::types::{Name, Report, ReportKind, Thing};

/// Adds and removes name servers of a network, also for its running members. One that is there already, or not there,
/// is no failure.
pub(crate) fn update_network(context: &Context, name: &str, add: &[String], drop: &[String]) -> Result<Name, Report> {
    let read = |option, words: &[String]| {
        let words = words.iter().flat_map(|text| text.split(',')).filter(|text| !text.is_empty());
        words.map(|text| plan::network_dns(option, text)).collect::<Result<Vec<_>, _>>()
    };
    let (add, drop) = (read("--dns-add", add)?, read("--dns-drop", drop)?);
    let networks = Networks::of(context.store()?.root());
    let name = find(&networks, name)?.name;
    let Some(mut network) = networks.lock(&name)? else {
        return Err(Report::new(ReportKind::NotFound(Thing::Network), format!("no such network: {name}")));
    };
    let mut record = network.record.clone();
    if !add.is_empty() && !record.dns_enabled {
        return Err(Report::new(ReportKind::Invalid, format!("the network `{name}` has no DNS")));
    }
    record.network_dns_servers.retain(|server| !drop.contains(server));
    for server in add {
        if !record.network_dns_servers.contains(&server) {
            record.network_dns_servers.push(server);
        }
    }
    if record != network.record {
        network.replace(record)?;
    }
    Ok(name)
}
