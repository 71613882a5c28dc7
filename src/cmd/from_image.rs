//! Images for containers: found, or fetched, and unpacked.

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Ctx;
use super::pull::{self, Wanted};
use crate::container::{self, Container, Environment};
use crate::error::Error;
use crate::image;
use crate::image::local::{self, InUse, LocalImage};
use crate::image::pull::{Step, step};
use crate::plan::Request;
use crate::storage::{Ownership, Store, Target};
use crate::sys::lock::FileLock;
use crate::userns::{self, IdMap, UserNamespace};

/// The image that was asked for, fetched if the policy says so, and a lock that keeps it from being removed until a
/// container's record names it.
pub(super) fn get(
    ctx: &Ctx,
    store: &Store,
    request: &Request,
    is_quiet: bool,
) -> Result<(LocalImage, FileLock), Error> {
    let policy = request.pull.unwrap_or_default();
    // The way of almost every run, on which nothing is read twice.
    if request.platform.is_none() && step(policy, true) == Step::UseLocal {
        let lock = store.lock_shared()?;
        if let Ok(image) = local::find(store, &request.image) {
            return Ok((image, lock));
        }
    }
    let wanted = Wanted {
        platform: request.platform.as_deref().map(str::parse).transpose()?,
        tls_verify: request.tls_verify,
        is_quiet,
        retries: 3,
        ..Wanted::default()
    };
    pull::ensure(ctx, store, &request.image, policy, &wanted)?;
    // Only now: a pull changes what the lock protects.
    let lock = store.lock_shared()?;
    Ok((local::find(store, &request.image)?, lock))
}

/// For whom layers are unpacked.
pub(super) fn target(ids: &IdMap) -> Target {
    let ownership = if ids.is_single() {
        Ownership::Single
    } else {
        Ownership::Mapped { users: ids.users(), groups: ids.groups() }
    };
    Target { map: ids.key(), ownership }
}

/// The directories of the image's layers, lowest first; those that are missing for this map are unpacked again.
pub(super) fn layers(store: &Store, image: &LocalImage, environment: &Environment) -> Result<Vec<PathBuf>, Error> {
    let target = target(&environment.ids);
    if let Some(directories) = local::unpacked_layers(store, image, &target.map)? {
        return Ok(directories);
    }
    let home = UserNamespace::open(&environment.ids, &environment.runtime_dir)?;
    Ok(userns::inside(&home, "rc: unpack", || local::ensure_layers(store, image, &target))?)
}

/// The image of a container that is there.
pub(super) fn of_container(store: &Store, container: &Container) -> Result<LocalImage, Error> {
    Ok(local::find(store, &container.config.image.id.to_string())?)
}

/// Works on the store as root of the user's namespace, whose ids own the files of layers.
pub(super) fn inside<T>(
    ctx: &Ctx,
    name: &str,
    work: impl FnOnce(&Store, Target) -> Result<T, image::Error>,
) -> Result<T, Error>
where
    T: Serialize + DeserializeOwned,
{
    let store = ctx.store()?;
    let ids = ctx.ids()?;
    let home = UserNamespace::open(&ids, &ctx.runtime_dir()?)?;
    let target = target(&ids);
    Ok(userns::inside(&home, name, || work(&store, target))?)
}

/// Which images containers use. A container that cannot be read uses nothing that could be known.
pub(super) fn in_use(store: &Store) -> Result<InUse, Error> {
    let mut used = InUse::default();
    for container in container::list(store)?.containers {
        used.add(&container.config.image, container.config.name.as_str());
    }
    Ok(used)
}
