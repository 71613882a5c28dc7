//! `--cache-from`: which steps others have taken, and where caches are.

use std::collections::BTreeMap;

use super::request::BuildRequest;
use crate::build::cache::CachePlace;
use crate::build::cache_config::CachedStep;
use crate::engine::context::{Caller, Context};
use crate::engine::observer::Observer;
use crate::engine::registry::{self as connection, Connection};
use crate::image::cache::{self, Place};
use crate::image::local;
use crate::registry::{self, Credentials, MANIFEST_LIMIT, Platform};
use crate::storage::Store;
use crate::types::{Digest, Report};

/// Steps that others have taken.
#[derive(Default)]
pub(super) struct Imports {
    sources: Vec<Import>,
}

/// The steps of one cache.
pub(super) struct Import {
    /// What it is called.
    pub(super) name: String,
    /// Where its layers are; `None` is the store.
    pub(super) place: Option<Place>,
    steps: BTreeMap<Digest, CachedStep>,
}

impl Import {
    fn new(name: String, place: Option<Place>, steps: Vec<CachedStep>) -> Self {
        Self { name, place, steps: steps.into_iter().map(|step| (step.key.clone(), step)).collect() }
    }
}

impl Imports {
    /// Reads what the caches that the request names have. One that cannot be read is named, and the build goes on.
    pub(super) fn read(
        context: &Context,
        store: &Store,
        caller: &Caller,
        request: &BuildRequest,
        observer: &mut dyn Observer,
    ) -> Result<Self, Report> {
        let mut sources = Vec::new();
        let platform = request.platform.as_deref().map(str::parse).transpose()?.unwrap_or_else(Platform::host);
        for wanted in &request.cache_from {
            if let Some(steps) = here(store, wanted) {
                sources.push(Import::new(wanted.to_string(), None, steps));
                continue;
            }
            let place = place(context, caller, request, wanted)?;
            match cache::steps(&place, &platform) {
                Ok(steps) => sources.push(Import::new(place.to_string(), Some(place), steps)),
                Err(report) => observer.warning(&format!("cannot use the cache `{wanted}`: {}", report.message)),
            }
        }
        Ok(Self { sources })
    }

    /// The caches that have a step, in the order of the request.
    pub(super) fn of<'a>(&'a self, key: &'a Digest) -> impl Iterator<Item = (&'a Import, &'a CachedStep)> {
        self.sources.iter().filter_map(|source| Some((source, source.steps.get(key)?)))
    }
}

/// The steps that have made an image of the store, if it says so: an image that is here is not asked for elsewhere, as
/// in docker.
fn here(store: &Store, wanted: &CachePlace) -> Option<Vec<CachedStep>> {
    let CachePlace::Registry(reference) = wanted else { return None };
    let image = local::find_whole(store, &reference.to_string()).ok()?;
    cache::steps_here(&store.read_blob(&image.id, MANIFEST_LIMIT).ok()?).ok()?
}

/// Where a cache is, and how to connect.
pub(super) fn place(
    context: &Context,
    caller: &Caller,
    request: &BuildRequest,
    wanted: &CachePlace,
) -> Result<Place, Report> {
    match wanted {
        CachePlace::Local { directory, tag, digest } => {
            let path = caller.working_dir.join(directory);
            Ok(Place::Directory { path, tag: tag.clone(), digest: digest.clone() })
        }
        CachePlace::Registry(reference) => {
            let place = context.registries.get()?.place(reference)?;
            let connection = Connection {
                tls_verify: request.tls_verify,
                authfile: request.registry.authfile.clone(),
                cert_dir: request.registry.cert_dir.clone(),
                ..Connection::default()
            };
            let credentials = match &request.registry.credentials {
                Some(typed) => Some(Credentials::parse(typed)?),
                None => Credentials::find(&place.reference, connection.authfile.as_deref(), &context.places)
                    .map_err(registry::Error::from)?,
            };
            let mut options = connection::options(context, &connection, credentials);
            options.retries = request.registry.retries.unwrap_or(options.retries);
            options.tls_verify = connection::tls_verify_at(&place, connection.tls_verify);
            Ok(Place::Repository { reference: place.reference, options: Box::new(options) })
        }
    }
}
