//! Images from archives and to them.

use std::io::{Read, Write};

use super::context::Context;
use super::image::inside;
use crate::image::load::{self, Input, Loaded};
use crate::image::save::{self, Format};
use crate::image::{import, local};
use crate::registry::Platform;
use crate::types::{Digest, ImageReference, Report};

/// Loads the images of an archive or a directory. What a load that failed has brought is for [`super::sweep`].
pub(crate) fn load(context: &Context, input: Input, platform: Option<Platform>) -> Result<Vec<Loaded>, Report> {
    inside(context, "rc: load", |store, target| load::load(store, input, &load::Options { platform, target }))
}

/// What an image is made of beside its files.
#[derive(Debug)]
pub(crate) struct Import {
    /// Its name.
    pub(crate) name: Option<ImageReference>,
    /// Instructions of a Dockerfile that change its configuration.
    pub(crate) changes: Vec<String>,
    /// What its history says.
    pub(crate) message: Option<String>,
    /// What it runs on.
    pub(crate) platform: Option<Platform>,
}

/// An image that was made of an archive.
#[derive(Debug)]
pub(crate) struct Imported {
    /// Its id.
    pub(crate) id: Digest,
    /// Device files that were left out: an ordinary user cannot make them.
    pub(crate) skipped_devices: u64,
}

/// Makes an image of the file system in an archive. What an import that failed has brought is for [`super::sweep`].
pub(crate) fn import(context: &Context, archive: impl Read + Send, request: Import) -> Result<Imported, Report> {
    let Import { name, changes, message, platform } = request;
    let (id, info) = inside(context, "rc: import", |store, target| {
        import::import(store, archive, &import::Options { name, changes, message, platform, target })
    })?;
    Ok(Imported { id, skipped_devices: info.skipped.devices })
}

/// Fails if one of these images is not there.
pub(crate) fn check_images(context: &Context, names: &[String]) -> Result<(), Report> {
    let store = context.store()?;
    names.iter().try_for_each(|name| local::find(store, name).map(drop))?;
    Ok(())
}

/// Writes images as one archive.
pub(crate) fn save(context: &Context, names: &[String], format: Format, output: impl Write) -> Result<(), Report> {
    Ok(save::save(context.store()?, names, format, output)?)
}
