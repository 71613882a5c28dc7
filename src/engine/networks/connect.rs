use super::super::context::Context;
use super::super::happened;
use super::super::observer::Observer;
use super::super::select::{Selection, each, find as find_container};
use super::{find, uses};
use crate::container;
use crate::net::record::Networks;
use crate::plan::{ConnectRequest, NetworkChange};
use crate::types::{Name, Report, ReportKind, Thing};

/// Connects a container to one more network, at once if it runs.
pub(crate) fn connect_network(
    context: &Context,
    network: &str,
    container: &str,
    request: &ConnectRequest,
) -> Result<(), Report> {
    let store = context.store()?;
    let record = find(&Networks::of(store.root()), network)?;
    let mut endpoint = request.endpoint(&record)?;
    let container = find_container(context, container)?;
    for linked in request.linked()? {
        let other = find_container(context, linked.to.as_str())?;
        container.config.link(&mut endpoint, &record.name, &other.config, linked)?;
    }
    container::change_networks(&container, &NetworkChange::Connect(endpoint))?;
    happened::in_network(store, "connect", &record, &container.config.id);
    Ok(())
}

/// Disconnects a container from a network, at once if it runs. With `force` it is no failure if it is not in it, or
/// does not exist.
pub(crate) fn disconnect_network(context: &Context, network: &str, container: &str, force: bool) -> Result<(), Report> {
    let store = context.store()?;
    let record = find(&Networks::of(store.root()), network);
    let disconnected = (|| {
        let container = find_container(context, container)?;
        let name = match &record {
            Ok(record) => record.name.clone(),
            Err(report) => {
                let name = network.parse::<Name>().map_err(|_| report.clone())?.of_network();
                // A network whose record is lost can be left as well.
                if is_missing(report) && !uses(&container, &name) {
                    return Err(report.clone());
                }
                name
            }
        };
        container::change_networks(&container, &NetworkChange::Disconnect(name))?;
        Ok(container.config.id)
    })();
    match disconnected {
        Ok(id) => {
            if let Ok(record) = record {
                happened::in_network(store, "disconnect", &record, &id);
            }
            Ok(())
        }
        Err(Report { kind: ReportKind::NotFound(_) | ReportKind::Conflict, .. }) if force => Ok(()),
        Err(report) => Err(report),
    }
}

fn is_missing(report: &Report) -> bool {
    report.kind == ReportKind::NotFound(Thing::Network)
}

/// Makes the interfaces of running containers anew, with the same addresses. A selection of many means the running
/// ones.
pub(crate) fn reload_networks(
    context: &Context,
    selection: &Selection,
    observer: &mut dyn Observer,
) -> Result<(), Report> {
    let is_of_many = selection.is_of_many();
    let begin = |container: container::Container| {
        if is_of_many && !container.is_alive() {
            return Ok(None);
        }
        Ok(Some(container::change_networks(&container, &NetworkChange::Reload)?))
    };
    each(context, &context.store_to_read()?, selection, observer, begin, |()| Ok(true))
}
