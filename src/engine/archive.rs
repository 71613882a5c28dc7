//! Images in archives: load, import, save.

use std::io::{Read, Write};
use std::path::Path;

use super::context::Context;
use super::happened;
use super::image::inside;
use super::trust::trust;
use crate::image::import;
use crate::image::load::{self, Input, Loaded};
use crate::image::local::{self, LocalImage};
use crate::image::location::Location;
use crate::image::push::{self, Packing};
use crate::image::repack::repack;
use crate::image::save::{self, Format, Layout};
use crate::registry::Platform;
use crate::storage::{Ingest, Store};
use crate::sys::fs;
use crate::types::{Digest, ImageReference, Report, ReportKind};

/// Loads the images of an archive or a directory. If it fails, [`super::sweep`] removes what it has stored.
pub(crate) fn load(context: &Context, input: Input, platform: Option<Platform>) -> Result<Vec<Loaded>, Report> {
    load_from(context, input, None, platform)
}

/// Loads the image that a transport names, or all images of its archive or directory if it names none.
///
/// Fails with `Invalid` for a registry: [`super::pull`] pulls from those.
pub(crate) fn load_location(
    context: &Context,
    location: Location,
    platform: Option<Platform>,
) -> Result<Vec<Loaded>, Report> {
    let (path, name) = match location {
        Location::OciLayout { path, name } | Location::OciArchive { path, name } => (path, name),
        Location::DockerArchive { path, name } => (path, name.map(|name| name.to_string())),
        Location::Directory { path } => (path, None),
        Location::Registry(reference) => {
            return Err(Report::new(ReportKind::Invalid, format!("`{reference}` is no archive")));
        }
    };
    let input = if fs::metadata(&path)?.is_dir() { Input::Directory(path) } else { Input::file(&path)? };
    load_from(context, input, name, platform)
}

/// Loads one image of a directory in OCI layout without naming it, and returns its ID. `name` is a tag or a digest; it
/// may be left out if the directory has one image.
pub(super) fn load_unnamed(
    context: &Context,
    directory: &Path,
    name: Option<&str>,
    platform: Option<Platform>,
) -> Result<Digest, Report> {
    let shown = directory.display().to_string();
    let policy = trust(context)?;
    let only = name.map(str::to_owned);
    let loaded = inside(context, "rc: load", |store, target| {
        let options = load::Options { platform, only, unnamed: true, policy, target };
        load::load(store, Input::Directory(directory.to_owned()), &options)
    })?;
    match &loaded[..] {
        [image] => Ok(image.id.clone()),
        several => {
            let message = format!("`{shown}` has {} images", several.len());
            Err(Report::new(ReportKind::Invalid, message).with_hint(format!("name one: oci-layout://{shown}:TAG")))
        }
    }
}

fn load_from(
    context: &Context,
    input: Input,
    only: Option<String>,
    platform: Option<Platform>,
) -> Result<Vec<Loaded>, Report> {
    let policy = trust(context)?;
    let loaded = inside(context, "rc: load", |store, target| {
        load::load(store, input, &load::Options { platform, only, unnamed: false, policy, target })
    })?;
    for image in &loaded {
        let name = image.names.first().map(ToString::to_string).unwrap_or_default();
        happened::to_image(context.store()?, "loadfromarchive", image.id.hex(), name);
    }
    Ok(loaded)
}

/// What an imported image has beside its files.
#[derive(Debug)]
pub(crate) struct Import {
    /// Its name.
    pub(crate) name: Option<ImageReference>,
    /// Dockerfile instructions that change its configuration.
    pub(crate) changes: Vec<String>,
    /// The comment in its history.
    pub(crate) message: Option<String>,
    /// The platform that it is for.
    pub(crate) platform: Option<Platform>,
}

/// An imported image.
#[derive(Debug)]
pub(crate) struct Imported {
    /// Its ID.
    pub(crate) id: Digest,
    /// How many device files were skipped: an ordinary user cannot create them.
    pub(crate) skipped_devices: u64,
}

/// Creates an image from the filesystem in an archive. If it fails, [`super::sweep`] removes what it has stored.
pub(crate) fn import(context: &Context, archive: impl Read + Send, request: Import) -> Result<Imported, Report> {
    let Import { name, changes, message, platform } = request;
    let told = name.as_ref().map(ToString::to_string).unwrap_or_default();
    let (id, info) = inside(context, "rc: import", |store, target| {
        import::import(store, archive, &import::Options { name, changes, message, platform, target })
    })?;
    happened::to_image(context.store()?, "import", id.hex(), told);
    Ok(Imported { id, skipped_devices: info.skipped.devices })
}

/// Which images are saved.
#[derive(Debug, Default)]
pub(crate) struct SaveImages {
    /// Names or IDs.
    pub(crate) names: Vec<String>,
    /// The digest of the manifest of the one image that all of these are, whatever they mean by now.
    pub(crate) manifest: Option<Digest>,
    /// The platform that each must be for.
    pub(crate) platform: Option<Platform>,
    /// Fail if a layer is not compressed.
    pub(crate) compressed: bool,
    /// How layers are compressed, and the type of the manifest; `None` leaves both as they are.
    pub(crate) repacking: Option<(Packing, Option<push::Format>)>,
}

impl SaveImages {
    /// Finds them. Fails if one does not exist, or is for another platform.
    fn find(&self, context: &Context) -> Result<Vec<LocalImage>, Report> {
        let store = context.store()?;
        let find = |name: &String| {
            let is_whole = |reference: &ImageReference| reference.to_string() == *name;
            let image = match &self.manifest {
                Some(manifest) => local::find_manifest(store, manifest, name.parse().ok().filter(is_whole))?,
                None => local::find(store, &context.registries, name)?,
            };
            if let Some(platform) = &self.platform {
                image.check_platform(name, platform)?;
            }
            Ok(image)
        };
        let found: Vec<LocalImage> = self.names.iter().map(find).collect::<Result<_, Report>>()?;
        if self.compressed {
            save::check_compressed(store, &found)?;
        }
        Ok(found)
    }
}

/// The images as they are saved. What is made for that is garbage as soon as the second value is dropped: its mark
/// stays.
fn packed(
    store: &Store,
    images: &SaveImages,
    found: Vec<LocalImage>,
) -> Result<(Vec<LocalImage>, Option<Ingest>), Report> {
    let Some((packing, format)) = images.repacking else { return Ok((found, None)) };
    let made = store.begin_ingest()?;
    let packed = found.into_iter().map(|image| repack(store, image, packing, format));
    Ok((packed.collect::<Result<_, _>>()?, Some(made)))
}

/// Fails if one of these images does not exist, or is for another platform.
pub(crate) fn check_images(context: &Context, images: &SaveImages) -> Result<(), Report> {
    images.find(context).map(drop)
}

/// Writes images to a directory. Nothing is written if one of them cannot be found.
pub(crate) fn save_to_directory(
    context: &Context,
    images: &SaveImages,
    layout: Layout,
    path: &Path,
) -> Result<(), Report> {
    let store = context.store()?;
    let _deferred = store.defer_collection()?;
    let found = images.find(context)?;
    let (packed, _made) = packed(store, images, found.clone())?;
    save::save_to_directory(store, packed, layout, path)?;
    saved(context, images, &found)
}

/// Writes images to one archive. Nothing is written if one of them cannot be found.
pub(crate) fn save(context: &Context, images: &SaveImages, format: Format, output: impl Write) -> Result<(), Report> {
    let store = context.store()?;
    let _deferred = store.defer_collection()?;
    let found = images.find(context)?;
    let (packed, _made) = packed(store, images, found.clone())?;
    save::save(store, packed, format, output)?;
    saved(context, images, &found)
}

/// Notes that images were saved.
fn saved(context: &Context, images: &SaveImages, found: &[LocalImage]) -> Result<(), Report> {
    let store = context.store()?;
    for (name, image) in images.names.iter().zip(found) {
        happened::to_image(store, "save", image.id.hex(), name.clone());
    }
    Ok(())
}
