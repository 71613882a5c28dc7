//! Images in archives: load, import, save.

use std::io::{Read, Write};

use super::context::Context;
use super::happened;
use super::image::inside;
use crate::image::load::{self, Input, Loaded};
use crate::image::location::Location;
use crate::image::save::{self, Format};
use crate::image::{import, local};
use crate::registry::Platform;
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

fn load_from(
    context: &Context,
    input: Input,
    only: Option<String>,
    platform: Option<Platform>,
) -> Result<Vec<Loaded>, Report> {
    let loaded = inside(context, "rc: load", |store, target| {
        load::load(store, input, &load::Options { platform, only, target })
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

/// Fails if one of these images does not exist.
pub(crate) fn check_images(context: &Context, names: &[String]) -> Result<(), Report> {
    let store = context.store()?;
    names.iter().try_for_each(|name| local::find(store, name).map(drop))?;
    Ok(())
}

/// Writes images to one archive.
pub(crate) fn save(context: &Context, names: &[String], format: Format, output: impl Write) -> Result<(), Report> {
    let store = context.store()?;
    save::save(store, names, format, output)?;
    for name in names {
        let id = local::find(store, name).map(|image| image.id.hex().to_owned()).unwrap_or_default();
        happened::to_image(store, "save", &id, name.clone());
    }
    Ok(())
}
