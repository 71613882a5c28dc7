//! Names of what the store has, for those who type. What cannot be read has none.

use super::context::Context;
use crate::container;
use crate::net::record::Networks;
use crate::storage::Store;

/// The names of all containers, the newest first.
pub(crate) fn container_names(context: &Context) -> Vec<String> {
    let names = |store: &Store| {
        let containers = container::list(store).ok()?.containers;
        Some(containers.iter().map(|container| container.config.name.to_string()).collect())
    };
    read(context, names)
}

/// The names of all images, as they are usually typed. Only the index is read.
pub(crate) fn image_names(context: &Context) -> Vec<String> {
    let names = |store: &Store| {
        let index = store.index().ok()?;
        let whole = index.iter().filter_map(|entry| entry.reference.as_ref()).filter(|name| name.tag().is_some());
        Some(whole.map(|name| usual(&name.to_string()).to_owned()).collect())
    };
    read(context, names)
}

/// The names of all volumes.
pub(crate) fn volume_names(context: &Context) -> Vec<String> {
    let names = |store: &Store| {
        let volumes = store.list_volumes().ok()?.volumes;
        Some(volumes.iter().map(|volume| volume.record.name.to_string()).collect())
    };
    read(context, names)
}

/// The names of all networks.
pub(crate) fn network_names(context: &Context) -> Vec<String> {
    let names = |store: &Store| {
        let networks = Networks::of(store.root()).list().ok()?.records;
        Some(networks.iter().map(|record| record.name.to_string()).collect())
    };
    read(context, names)
}

/// The names of all pods, the newest first.
pub(crate) fn pod_names(context: &Context) -> Vec<String> {
    let names = |store: &Store| {
        let pods = container::list(store).ok()?.pods;
        Some(pods.iter().map(|pod| pod.config.name.to_string()).collect())
    };
    read(context, names)
}

fn read(context: &Context, names: impl FnOnce(&Store) -> Option<Vec<String>>) -> Vec<String> {
    context.store_to_read().ok().and_then(|store| names(&store)).unwrap_or_default()
}

/// A name without what is usually left out.
fn usual(whole: &str) -> &str {
    let rest = whole.strip_prefix("docker.io/library/").or_else(|| whole.strip_prefix("docker.io/"));
    rest.or_else(|| whole.strip_prefix("localhost/")).unwrap_or(whole)
}
