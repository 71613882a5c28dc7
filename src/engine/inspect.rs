//! A container, an image, a volume, a network or a pod by its name, with all its details.

use std::path::PathBuf;

use super::context::Context;
use super::networks::{self, ListedNetwork};
use super::volumes::{self, ListedVolume};
use crate::container::{self, Container};
use crate::image;
use crate::image::local::{self, LocalImage};
use crate::pod::{self, Pod};
use crate::storage::Store;
use crate::types::{Report, ReportKind, Thing};

/// What to look for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A container, otherwise an image, otherwise a volume, otherwise a network, otherwise a pod.
    #[default]
    Any,
    /// Only containers.
    Container,
    /// Only images.
    Image,
    /// Only volumes.
    Volume,
    /// Only networks.
    Network,
    /// Only pods.
    Pod,
}

/// What was found.
#[derive(Debug)]
pub(crate) enum Object {
    /// A container.
    Container(Box<Container>),
    /// An image.
    Image(Box<InspectedImage>),
    /// A volume.
    Volume(Box<ListedVolume>),
    /// A network.
    Network(Box<ListedNetwork>),
    /// A pod.
    Pod(Box<Pod>),
}

/// An image with what the store knows of it.
#[derive(Debug)]
pub(crate) struct InspectedImage {
    /// The image in the form that was asked for, with the names of all its forms.
    pub(crate) image: LocalImage,
    /// `NAME@DIGEST` for all names and digests.
    pub(crate) digests: Vec<String>,
    /// Bytes of its unpacked layers.
    pub(crate) size: u64,
    /// The directories of its layers, lowest first, if they are unpacked.
    pub(crate) directories: Option<Vec<PathBuf>>,
}

impl Kind {
    fn missing(self, name: &str) -> Report {
        let (thing, what) = match self {
            Self::Any => (Thing::Container, "object"),
            Self::Container => (Thing::Container, "container"),
            Self::Image => (Thing::Image, "image"),
            Self::Volume => (Thing::Volume, "volume"),
            Self::Network => (Thing::Network, "network"),
            Self::Pod => (Thing::Pod, "pod"),
        };
        Report::new(ReportKind::NotFound(thing), format!("no such {what}: {}", name.escape_debug()))
    }
}

/// Finds the object of this name or ID; a container comes before an image, that before a
/// volume, that before a network, and that before a pod.
pub(crate) fn inspect(context: &Context, store: &Store, kind: Kind, name: &str) -> Result<Object, Report> {
    let (of_volume, of_network) = (|| of_volume(context, name), || of_network(context, name));
    let of_image = || of_image(context, store, name);
    let found = first(kind, || of_container(store, name), of_image, of_volume, of_network, || of_pod(store, name))?;
    found.ok_or_else(|| kind.missing(name))
}

fn first<T, E>(
    kind: Kind,
    container: impl FnOnce() -> Result<Option<T>, E>,
    image: impl FnOnce() -> Result<Option<T>, E>,
    volume: impl FnOnce() -> Result<Option<T>, E>,
    network: impl FnOnce() -> Result<Option<T>, E>,
    pod: impl FnOnce() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    match kind {
        Kind::Container => container(),
        Kind::Image => image(),
        Kind::Volume => volume(),
        Kind::Network => network(),
        Kind::Pod => pod(),
        Kind::Any => {
            let found = container()?.map_or_else(image, |found| Ok(Some(found)))?;
            let found = found.map_or_else(volume, |found| Ok(Some(found)))?;
            let found = found.map_or_else(network, |found| Ok(Some(found)))?;
            found.map_or_else(pod, |found| Ok(Some(found)))
        }
    }
}

fn of_container(store: &Store, name: &str) -> Result<Option<Object>, Report> {
    match container::find(store, name) {
        Ok(found) => Ok(Some(Object::Container(Box::new(found)))),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn of_image(context: &Context, store: &Store, name: &str) -> Result<Option<Object>, Report> {
    match local::find(store, &context.registries, name) {
        Ok(mut image) => {
            let map = context.ids()?.key();
            let forms = local::forms(store, &image)?;
            image.history.clear();
            forms.iter().for_each(|form| local::add_history(&mut image.history, form.history.clone()));
            image.names = forms.iter().flat_map(|form| form.names.clone()).collect();
            let digests = forms.iter().flat_map(LocalImage::digests).collect();
            let size = image.size(store, &map)?;
            let directories = local::unpacked_layers(store, &image, &map)?;
            Ok(Some(Object::Image(Box::new(InspectedImage { image, digests, size, directories }))))
        }
        Err(image::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn of_volume(context: &Context, name: &str) -> Result<Option<Object>, Report> {
    match volumes::volume(context, name) {
        Ok(found) => Ok(Some(Object::Volume(Box::new(found)))),
        Err(report) if report.kind == ReportKind::NotFound(Thing::Volume) => Ok(None),
        Err(report) => Err(report),
    }
}

fn of_network(context: &Context, name: &str) -> Result<Option<Object>, Report> {
    match networks::network(context, name) {
        Ok(found) => Ok(Some(Object::Network(Box::new(found)))),
        Err(report) if report.kind == ReportKind::NotFound(Thing::Network) => Ok(None),
        Err(report) => Err(report),
    }
}

fn of_pod(store: &Store, name: &str) -> Result<Option<Object>, Report> {
    match pod::find(store, name) {
        Ok(found) => Ok(Some(Object::Pod(Box::new(found)))),
        Err(report) if report.kind == ReportKind::NotFound(Thing::Pod) => Ok(None),
        Err(report) => Err(report),
    }
}

/// Whether there is a container of this name or ID, even a damaged one.
pub(crate) fn container_exists(context: &Context, name: &str) -> Result<bool, Report> {
    match container::find(&context.store_to_read()?, name) {
        Ok(_) | Err(container::Error::Damaged { .. }) => Ok(true),
        Err(error) if error.is_missing() => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether there is an image of this name or ID.
pub(crate) fn image_exists(context: &Context, name: &str) -> Result<bool, Report> {
    match local::find(&context.store_to_read()?, &context.registries, name) {
        Ok(_) => Ok(true),
        Err(image::Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: Kind, has: [bool; 4]) -> Option<&'static str> {
        let [has_container, has_image, has_volume, has_network] = has;
        let found = first(
            kind,
            || Ok::<_, ()>(has_container.then_some("container")),
            || Ok(has_image.then_some("image")),
            || Ok(has_volume.then_some("volume")),
            || Ok(has_network.then_some("network")),
            || Ok(Some("pod")),
        );
        found.unwrap_or_default()
    }

    #[test]
    fn a_container_comes_before_an_image_a_volume_a_network_and_a_pod_of_the_same_name() {
        for (kind, has, expected) in [
            (Kind::Any, [true, true, true, true], Some("container")),
            (Kind::Any, [false, true, true, true], Some("image")),
            (Kind::Any, [false, false, true, true], Some("volume")),
            (Kind::Any, [false, false, false, true], Some("network")),
            (Kind::Any, [false, false, false, false], Some("pod")),
            (Kind::Volume, [true, true, true, true], Some("volume")),
            (Kind::Network, [true, true, true, true], Some("network")),
            (Kind::Pod, [true, true, true, true], Some("pod")),
            (Kind::Image, [true, true, true, true], Some("image")),
            (Kind::Image, [true, false, true, true], None),
            (Kind::Container, [false, true, true, true], None),
        ] {
            assert_eq!(found(kind, has), expected, "{kind:?}");
        }
        assert_eq!(Kind::Any.missing("a\u{1b}b").message, "no such object: a\\u{1b}b");
    }
}
