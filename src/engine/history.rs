//! How images came about, and what their layers have in common.

use super::context::Context;
use crate::image::local::{self, LocalImage};
use crate::types::{Digest, Report};

/// An image, and the bytes of its layers, lowest first.
#[derive(Debug)]
pub(crate) struct Layered {
    /// The image.
    pub(crate) image: LocalImage,
    /// For each layer its size: uncompressed if it is unpacked, else that of the blob.
    pub(crate) sizes: Vec<u64>,
}

/// Finds an image and the sizes of its layers.
pub(crate) fn layered(context: &Context, name: &str) -> Result<Layered, Report> {
    let store = context.store_to_read()?;
    let image = local::find(&store, &context.registries, name)?;
    let map = context.ids()?.key();
    let size = |layer: &local::Layer| -> Result<u64, Report> {
        Ok(store.layer_info(&map, &layer.diff_id)?.map_or(layer.blob.size, |info| info.size))
    };
    let sizes = image.layers.iter().map(size).collect::<Result<_, _>>()?;
    Ok(Layered { image, sizes })
}

/// The images that consist of other layers on top of all of this image's, and images with just these layers, except for
/// the image itself: their IDs, names and layers.
pub(crate) fn images_on(context: &Context, base: &LocalImage) -> Result<Vec<LocalImage>, Report> {
    let (images, _) = local::list(&context.store_to_read()?)?;
    let below = diff_ids(base);
    let mut found: Vec<LocalImage> = Vec::new();
    for image in images {
        let is_on = diff_ids(&image).starts_with(&below) && image.id != base.id;
        if is_on && !found.iter().any(|known| known.id == image.id) {
            found.push(image);
        }
    }
    Ok(found)
}

/// For each layer of an image, the names of the images that end with it.
pub(crate) fn tops(context: &Context, image: &LocalImage) -> Result<Vec<Vec<String>>, Report> {
    let (images, _) = local::list(&context.store_to_read()?)?;
    let layers = diff_ids(image);
    let ends_at = |count: usize| {
        let ends = images.iter().filter(|other| diff_ids(other) == layers[..count]);
        ends.flat_map(|other| other.names.iter().map(ToString::to_string)).collect()
    };
    Ok((1..=layers.len()).map(ends_at).collect())
}

fn diff_ids(image: &LocalImage) -> Vec<&Digest> {
    image.layers.iter().map(|layer| &layer.diff_id).collect()
}
