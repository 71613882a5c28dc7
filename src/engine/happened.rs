//! Says what a use case has changed, for `rc events`. The monitors say the rest.

use crate::monitor::container_event;
use crate::plan::ContainerConfig;
use crate::storage::Store;
use crate::storage::events::{Event, EventKind};
use crate::types::{ContainerId, NetworkRecord};

/// Something has happened to a container.
pub(super) fn to_container(store: &Store, config: &ContainerConfig, action: &str) {
    store.events().add(&[container_event(config, action)]);
}

/// Something has happened to an image: its ID, and the name by which it was known, or an archive's.
pub(super) fn to_image(store: &Store, action: &str, id: &str, name: impl Into<String>) {
    store.events().add(&[Event::new(EventKind::Image, action, id, name)]);
}

/// What nothing used is gone: docker's `prune`, with the bytes that the filesystem got back.
pub(super) fn to_unused(store: &Store, kind: EventKind, reclaimed: u64) {
    let mut event = Event::new(kind, "prune", "", "");
    event.attributes.insert("reclaimed".to_owned(), reclaimed.to_string());
    store.events().add(&[event]);
}

/// Something has happened to a volume.
pub(super) fn to_volume(store: &Store, action: &str, name: &str) {
    store.events().add(&[Event::new(EventKind::Volume, action, "", name)]);
}

/// Something has happened to a network.
pub(super) fn to_network(store: &Store, action: &str, record: &NetworkRecord) {
    let event = Event::new(EventKind::Network, action, record.id.as_str(), record.name.as_str());
    store.events().add(&[event.with("type", &record.driver)]);
}

/// Something has happened to a container in a network.
pub(super) fn in_network(store: &Store, action: &str, record: &NetworkRecord, container: &ContainerId) {
    let event = Event::new(EventKind::Network, action, record.id.as_str(), record.name.as_str());
    store.events().add(&[event.with("container", container.as_str()).with("type", &record.driver)]);
}
