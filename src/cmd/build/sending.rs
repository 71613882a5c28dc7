//! `rc build`: where images go beside the store, and in which form.

use crate::build::output::{Compression, Destination, ImageOutput};
use crate::engine::Push;
use crate::image::push::{Compression as LayerCompression, Format as PushFormat, Packing};
use crate::image::save::Format;

/// An image that is written to an archive or a directory.
#[derive(Debug)]
pub(super) struct Save {
    /// The format.
    pub(super) format: Format,
    /// Where to.
    pub(super) destination: Destination,
    /// How layers are compressed, and the type of the manifest; `None` leaves both as they are.
    pub(super) repacking: Option<(Packing, Option<PushFormat>)>,
}

/// An image that is pushed.
#[derive(Debug)]
pub(super) struct Pushing {
    /// How.
    pub(super) how: Push,
    /// To these repositories, without a name; otherwise by all names of the image.
    pub(super) by_digest: Vec<String>,
}

impl Pushing {
    /// Pushes by all names.
    pub(super) fn by_names(how: Push) -> Self {
        Self { how, by_digest: Vec::new() }
    }

    /// Whether the image needs a name for it.
    pub(super) fn needs_names(&self) -> bool {
        self.by_digest.is_empty()
    }
}

/// How layers are compressed. The error is the reason.
pub(super) fn packing(image: &ImageOutput) -> Result<Packing, String> {
    let wanted = image.compression.map(|compression| match compression {
        Compression::None => LayerCompression::None,
        Compression::Gzip => LayerCompression::Gzip,
        Compression::Zstd => LayerCompression::Zstd,
    });
    if wanted == Some(LayerCompression::Zstd) && image.oci_types == Some(false) {
        return Err("docker's media types have no layers with zstd".to_owned());
    }
    if wanted != Some(LayerCompression::Zstd) && image.level.is_some_and(|level| level > 9) {
        return Err("`compression-level` of gzip must be 0 to 9".to_owned());
    }
    Ok(Packing { wanted, level: image.level.map(i32::from), force: Some(image.force), keep: false })
}

/// The type of the manifest that an output asks for.
pub(super) fn format(image: &ImageOutput) -> Option<PushFormat> {
    image.oci_types.map(|is_oci| if is_oci { PushFormat::Oci } else { PushFormat::Docker })
}
