use super::super::context::Context;
use super::super::happened;
use crate::monitor;
use crate::net::record::Networks;
use crate::net::routes;
use crate::plan::{self, NetworkFacts, NetworkRequest};
use crate::types::{ContainerId, Name, Report, ReportKind};

/// Creates a network. On failure nothing is left. With `ignore`, an existing network of that name is no failure.
///
/// Fails if an option is wrong, or names what another network or the host has.
pub(crate) fn create_network(context: &Context, request: &NetworkRequest, ignore: bool) -> Result<Name, Report> {
    let store = context.store()?;
    let networks = Networks::of(store.root());
    let _lock = networks.lock_all()?;
    let found = networks.list()?;
    if let Some(name) = request.name.as_ref().and_then(|name| name.parse::<Name>().ok()) {
        if ignore && found.records.iter().any(|record| record.name == name) {
            return Ok(name);
        }
        if let Some((_, error)) = found.damaged.into_iter().find(|(damaged, _)| *damaged == name) {
            return Err(error.into());
        }
    }
    let (id, prefix) = random()?;
    let facts = NetworkFacts {
        others: &found.records,
        host: &routes::of_host(),
        id: id.as_str(),
        now: &monitor::now(),
        prefix,
    };
    let record = plan::new_network(request, facts)?;
    networks.create(&record)?;
    happened::to_network(store, "create", &record);
    Ok(record.name)
}

/// A new ID, and bytes for an IPv6 prefix, from the kernel's random source.
fn random() -> Result<(ContainerId, [u8; 7]), Report> {
    let failed = |error: rustix::io::Errno| {
        let message = format!("cannot get random bytes: {}", crate::sys::fs::plain(&error.into()));
        Report::new(ReportKind::Internal, message)
    };
    let (mut id, mut prefix) = ([0u8; 32], [0u8; 7]);
    for bytes in [&mut id[..], &mut prefix[..]] {
        rustix::rand::getrandom(bytes, rustix::rand::GetRandomFlags::empty()).map_err(failed)?;
    }
    Ok((ContainerId::from_bytes(id), prefix))
}
