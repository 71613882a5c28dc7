//! Pushing an image: to its registry, an archive or a directory.

use std::path::Path;
use std::sync::Arc;

use super::context::Context;
use super::happened;
use super::observer::Observer;
use super::registry::{self as connection, Connection};
use crate::image::local::{self, LocalImage};
use crate::image::location::Location;
use crate::image::progress::Progress;
use crate::image::push::{self, Format, Packing, Pushed};
use crate::image::save::{self, Target};
use crate::image::sign::Signer;
use crate::registry::{self, Backoff, Client, Credentials, Lookaside, Notices, Platform};
use crate::types::{Digest, ImageReference, Report, ReportKind};

/// How to push an image.
#[derive(Debug, Clone, Default)]
pub(crate) struct Push {
    /// How to connect.
    pub(crate) connection: Connection,
    /// The credentials.
    pub(crate) credentials: Option<Credentials>,
    /// How often to retry a failed request; `None` is the usual.
    pub(crate) retries: Option<u32>,
    /// The delay before each retry.
    pub(crate) retry_delay: Option<std::time::Duration>,
    /// The format of the manifest; `None` keeps it.
    pub(crate) format: Option<Format>,
    /// How layers are compressed.
    pub(crate) packing: Packing,
    /// The platform that the image must be for.
    pub(crate) platform: Option<Platform>,
    /// The image gets no name in the registry but its digest.
    pub(crate) is_unnamed: bool,
    /// Who signs it.
    pub(crate) signer: Option<Signer>,
    /// The name that the signature gives it, if not the destination's: an image of a list is pushed without one.
    pub(crate) signed_as: Option<ImageReference>,
}

/// Pushes the image `name` to `destination`; without one, to the registry that its name begins with. Returns what a
/// registry has now; nothing for an archive or a directory.
///
/// Starts threads: the process must not fork any more.
pub(crate) fn push(
    context: &Context,
    name: &str,
    destination: Option<&str>,
    how: &Push,
    observer: &dyn Observer,
) -> Result<Option<Pushed>, Report> {
    let store = context.store()?;
    let image = local::find(store, &context.registries, name)?;
    if let Some(platform) = &how.platform {
        image.check_platform(name, platform)?;
    }
    let location = match destination {
        Some(typed) => Location::parse(typed)?,
        None => Location::Registry(own_name(&image, name)?),
    };
    let reference = match location {
        Location::Registry(reference) => reference,
        other => {
            if how.format.is_some() || how.packing != Packing::default() {
                let text = "an archive or a directory gets an image as it is: a format and a compression are for \
                            registries";
                return Err(Report::new(ReportKind::Unsupported, text));
            }
            if how.signer.is_some() {
                return Err(Report::new(
                    ReportKind::Unsupported,
                    "only an image that goes to a registry can be signed",
                ));
            }
            save_to(context, &image, &other)?;
            return Ok(None);
        }
    };
    push_to(context, &image, &reference, how, observer).map(Some)
}

/// Pushes the image whose manifest has this digest, whatever its names mean by now.
///
/// Starts threads, as [`push`].
pub(crate) fn push_manifest(
    context: &Context,
    manifest: &Digest,
    destination: &ImageReference,
    how: &Push,
    observer: &dyn Observer,
) -> Result<Pushed, Report> {
    let image = local::find_manifest(context.store()?, manifest, None)?;
    push_to(context, &image, destination, how, observer)
}

/// Pushes all tags of the repository `name` that the store has.
pub(crate) fn push_all_tags(
    context: &Context,
    name: &str,
    how: &Push,
    observer: &dyn Observer,
) -> Result<Vec<Pushed>, Report> {
    let wanted: ImageReference = name.parse()?;
    let store = context.store()?;
    let here: Option<ImageReference> = format!("localhost/{name}").parse().ok();
    let names: Vec<ImageReference> = local::list(store)?.0.into_iter().flat_map(|image| image.names).collect();
    let tags = |of: &ImageReference| -> Vec<ImageReference> {
        names.iter().filter(|name| name.tag().is_some() && name.name() == of.name()).cloned().collect()
    };
    let mut found = tags(&wanted);
    if found.is_empty() {
        found = here.map(|here| tags(&here)).unwrap_or_default();
    }
    if found.is_empty() {
        return Err(crate::image::Error::NotFound { name: name.to_owned() }.into());
    }
    found.sort();
    found.iter().map(|tag| push_to(context, &local::find_whole(store, &tag.to_string())?, tag, how, observer)).collect()
}

pub(super) fn push_to(
    context: &Context,
    image: &LocalImage,
    reference: &ImageReference,
    how: &Push,
    observer: &dyn Observer,
) -> Result<Pushed, Report> {
    let authfile = how.connection.authfile.as_deref();
    let place = context.registries.get()?.place(reference)?;
    let credentials = match &how.credentials {
        Some(given) => Some(given.clone()),
        None => Credentials::find(&place.reference, authfile, &context.places).map_err(registry::Error::from)?,
    };
    let progress: Arc<dyn Progress> = Arc::from(observer.push_progress());
    let told = Arc::clone(&progress);
    let mut options = connection::options(context, &how.connection, credentials);
    options.notices = Notices::to(move |text| told.waits(text));
    options.tls_verify = connection::tls_verify_at(&place, how.connection.tls_verify);
    options.retries = how.retries.unwrap_or(options.retries);
    options.backoff = how.retry_delay.map_or(options.backoff, Backoff::Fixed);
    let (format, packing, is_unnamed) = (how.format, how.packing, how.is_unnamed);
    let signing = Signing::begin(context, how, &place.reference, &image.manifest.digest, &options)?;
    let options = push::Options { registry: options, format, packing, is_unnamed };
    let pushed = push::push(context.store()?, image, &place.reference, &options, &progress)?;
    if let Some(signing) = signing {
        signing.finish(how.signed_as.as_ref().unwrap_or(reference), &pushed)?;
    }
    happened::to_image(context.store()?, "push", image.id.hex(), pushed.reference.to_string());
    Ok(pushed)
}

/// An image, or a list of images, that will be signed when it is pushed.
pub(super) struct Signing<'p> {
    signer: &'p Signer,
    lookaside: Lookaside,
}

impl<'p> Signing<'p> {
    /// Checks, before anything is pushed, that there are a key and a place for the signature.
    pub(super) fn begin(
        context: &Context,
        how: &'p Push,
        place: &ImageReference,
        manifest: &Digest,
        options: &registry::Options,
    ) -> Result<Option<Self>, Report> {
        let Some(signer) = &how.signer else { return Ok(None) };
        signer.check()?;
        let client = Client::new(place, options.clone())?;
        if let Some(kept) = registry::block_on(client.signatures(manifest))?? {
            let text = format!("cannot sign: the registry keeps signatures itself, at `{}`", kept.url);
            let hint = "sign the image with `skopeo copy --sign-by`";
            return Err(Report::new(ReportKind::Unsupported, text).with_hint(hint));
        }
        Ok(Some(Self { signer, lookaside: Lookaside::for_new(&place.decided(), &context.places)? }))
    }

    /// Signs what was pushed under this name.
    pub(super) fn finish(&self, name: &ImageReference, pushed: &Pushed) -> Result<(), Report> {
        let name = name.decided();
        let signature = self.signer.sign(&name, &pushed.digest).map_err(|error| {
            let report = Report::from(error);
            let message = format!("`{name}` was pushed, but not signed: {}", report.message);
            report.with_message(message)
        })?;
        Ok(self.lookaside.write(&pushed.digest, &signature)?)
    }
}

/// The name under which an image is pushed without a destination.
fn own_name(image: &LocalImage, typed: &str) -> Result<ImageReference, Report> {
    image.reference.clone().ok_or_else(|| {
        Report::new(ReportKind::Invalid, format!("image `{typed}` was named by its ID, and no destination was given"))
            .with_hint(format!("name the destination: `rc push {typed} REGISTRY/NAME:TAG`"))
    })
}

fn save_to(context: &Context, image: &LocalImage, location: &Location) -> Result<(), Report> {
    let store = context.store()?;
    let own = image.reference.as_ref().filter(|reference| reference.digest().is_none());
    let (path, target, name): (&Path, _, Option<String>) = match location {
        Location::OciLayout { path, name } => (path, Target::OciLayout, name.clone()),
        Location::OciArchive { path, name } => (path, Target::OciArchive, name.clone()),
        Location::DockerArchive { path, name } => {
            (path, Target::DockerArchive, name.as_ref().or(own).map(ToString::to_string))
        }
        Location::Directory { path } => (path, Target::Directory, None),
        Location::Registry(_) => return Ok(()),
    };
    Ok(save::save_one(store, image, name, target, path)?)
}
