//! How much disk space containers take.

use super::context::Context;
use super::image;
use crate::container::Container;
use crate::storage::tree_bytes;
use crate::types::Report;
use crate::userns::{self, UserNamespace};
use crate::view::ContainerSize;

/// The sizes of these containers, in their order. One that is removed meanwhile has written nothing, and an image that
/// was removed has no size. Reads all names in the containers' writable layers.
pub(crate) fn sizes<'a>(
    context: &Context,
    containers: impl IntoIterator<Item = &'a Container>,
) -> Result<Vec<ContainerSize>, Report> {
    let store = context.store_to_read()?;
    let ids = context.ids()?;
    let containers: Vec<&Container> = containers.into_iter().collect();
    if containers.is_empty() {
        return Ok(Vec::new());
    }
    let home = UserNamespace::open(&ids, &context.runtime_dir()?)?;
    // Its IDs own the files, some of which the user cannot read.
    let written = |container: &&Container| tree_bytes(&container.directory.path().join("upper"));
    let written: Vec<u64> =
        userns::inside(&home, "rc: size", || containers.iter().map(written).collect::<Result<Vec<_>, _>>())?;
    let map = ids.key();
    let size = |(container, written): (&&Container, u64)| {
        let image = image::of_container(&store, &container.config);
        let image = image.map_or(0, |image| image.size(&store, &map).unwrap_or(0));
        ContainerSize { written, whole: image.saturating_add(written) }
    };
    Ok(containers.iter().zip(written).map(size).collect())
}
