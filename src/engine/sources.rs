//! Where the files of a new container come from: its image and those that it mounts, each pulled if it is missing; or a
//! directory of the host.

use std::collections::{BTreeMap, BTreeSet};

use super::context::Context;
use super::observer::Observer;
use super::pull::{self, Provided};
use crate::container::Environment;
use crate::image::local::{self, LocalImage};
use crate::plan::{ImageDefaults, ImageSource, MountRequest, RegistryRequest, Request};
use crate::sys::lock::FileLock;
use crate::types::Report;

/// What a request is resolved with.
pub(super) struct Sources {
    /// The container's image; `None` if it has none.
    pub(super) image: Option<LocalImage>,
    /// What it says.
    pub(super) defaults: ImageDefaults,
    /// Keeps the images from being removed; hold it until a container's record names them.
    pub(super) lock: FileLock,
    /// The images of mounts by the names that were typed.
    pub(super) mounted: BTreeMap<String, ImageSource>,
}

/// Finds the images, and pulls them as the request's policy says.
pub(super) fn sources(
    context: &Context,
    environment: &Environment,
    request: &Request,
    observer: &mut dyn Observer,
) -> Result<Sources, Report> {
    let store = &environment.store;
    let names: BTreeSet<&str> = request.mounts.iter().filter_map(MountRequest::image_name).collect();
    for name in &names {
        // The lock is released again: a pull changes what it protects.
        drop(pull::image_for(context, environment, &of_mount(request, name), observer)?);
    }
    let (image, lock) = if request.rootfs {
        (None, store.lock_shared()?)
    } else {
        let Provided { image, lock } = pull::image_for(context, environment, request, observer)?;
        (Some(image), lock)
    };
    let defaults = image.as_ref().map_or_else(ImageDefaults::none, |image| image.defaults(&request.image));
    let found =
        |name: &str| Ok((name.to_owned(), local::find(store, &context.registries, name)?.defaults(name).source));
    let mounted = names.into_iter().map(found).collect::<Result<_, Report>>()?;
    Ok(Sources { image, defaults, lock, mounted })
}

/// The request of an image for a mount. The credentials are for the registry of the container's image.
fn of_mount(request: &Request, name: &str) -> Request {
    Request {
        image: name.to_owned(),
        pull: request.pull,
        tls_verify: request.tls_verify,
        registry: RegistryRequest { credentials: None, ..request.registry.clone() },
        ..Request::default()
    }
}
