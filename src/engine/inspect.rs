//! A container or an image by its name, with all its details.

use std::path::PathBuf;

use super::context::Context;
use crate::container::{self, Container};
use crate::image;
use crate::image::local::{self, LocalImage};
use crate::storage::Store;
use crate::types::{Report, ReportKind, Thing};

/// What to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A container, otherwise an image.
    Any,
    /// Only containers.
    Container,
    /// Only images.
    Image,
}

/// What was found.
#[derive(Debug)]
pub(crate) enum Object {
    /// A container.
    Container(Box<Container>),
    /// An image.
    Image(Box<InspectedImage>),
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
        };
        Report::new(ReportKind::NotFound(thing), format!("no such {what}: {}", name.escape_debug()))
    }
}

/// Finds the object of this name or ID; a container comes before an image.
pub(crate) fn inspect(context: &Context, store: &Store, kind: Kind, name: &str) -> Result<Object, Report> {
    let found = first(kind, || of_container(store, name), || of_image(context, store, name))?;
    found.ok_or_else(|| kind.missing(name))
}

fn first<T, E>(
    kind: Kind,
    container: impl FnOnce() -> Result<Option<T>, E>,
    image: impl FnOnce() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    match kind {
        Kind::Container => container(),
        Kind::Image => image(),
        Kind::Any => container()?.map_or_else(image, |found| Ok(Some(found))),
    }
}

fn of_container(store: &Store, name: &str) -> Result<Option<Object>, Report> {
    match container::find(store, name) {
        Ok(found) => Ok(Some(Object::Container(Box::new(found)))),
        Err(container::Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn of_image(context: &Context, store: &Store, name: &str) -> Result<Option<Object>, Report> {
    match local::find(store, name) {
        Ok(mut image) => {
            let map = context.ids()?.key();
            let forms = local::forms(store, &image)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: Kind, has_container: bool, has_image: bool) -> Option<&'static str> {
        let found =
            first(kind, || Ok::<_, ()>(has_container.then_some("container")), || Ok(has_image.then_some("image")));
        found.unwrap_or_default()
    }

    #[test]
    fn a_container_comes_before_an_image_of_the_same_name() {
        for (kind, has_container, has_image, expected) in [
            (Kind::Any, true, true, Some("container")),
            (Kind::Any, false, true, Some("image")),
            (Kind::Any, false, false, None),
            (Kind::Image, true, true, Some("image")),
            (Kind::Image, true, false, None),
            (Kind::Container, false, true, None),
        ] {
            assert_eq!(found(kind, has_container, has_image), expected, "{kind:?}");
        }
        assert_eq!(Kind::Any.missing("a\u{1b}b").message, "no such object: a\\u{1b}b");
    }
}
