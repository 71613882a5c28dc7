//! Images for containers: their unpacked layers, and work on the store as root of the user's namespace.

use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::Context;
use super::sweep::sync_soon;
use crate::container::{Container, Environment};
use crate::image;
use crate::image::local::{self, LocalImage};
use crate::storage::{Ownership, Store, Target};
use crate::types::Report;
use crate::userns::{self, IdMap, UserNamespace};

/// The ID map that layers are unpacked for.
pub(super) fn target(ids: &IdMap) -> Target {
    let ownership = if ids.is_single() {
        Ownership::Single
    } else {
        Ownership::Mapped { users: ids.users(), groups: ids.groups() }
    };
    Target { map: ids.key(), ownership }
}

/// The directories of the image's layers, lowest first. Layers that are missing for this map are unpacked.
pub(super) fn layers(store: &Store, image: &LocalImage, environment: &Environment) -> Result<Vec<PathBuf>, Report> {
    let target = target(&environment.ids);
    if let Some(directories) = local::unpacked_layers(store, image, &target.map)? {
        return Ok(directories);
    }
    let home = UserNamespace::open(&environment.ids, &environment.runtime_dir)?;
    let layers = userns::inside(&home, "rc: unpack", || local::ensure_layers(store, image, &target))?;
    sync_soon(store);
    Ok(layers)
}

/// The image of an existing container.
pub(super) fn of_container(store: &Store, container: &Container) -> Result<LocalImage, Report> {
    Ok(local::find_whole(store, &container.config.image.id.to_string())?)
}

/// Runs `work` as root of the user's namespace, whose IDs own the files of layers.
pub(super) fn inside<T>(
    context: &Context,
    name: &str,
    work: impl FnOnce(&Store, Target) -> Result<T, image::Error>,
) -> Result<T, Report>
where
    T: Serialize + DeserializeOwned,
{
    let store = context.store()?;
    let ids = context.ids()?;
    let home = UserNamespace::open(&ids, &context.runtime_dir()?)?;
    let target = target(&ids);
    userns::inside(&home, name, || work(store, target))
}

/// Makes this process root in the user's root namespace.
pub(crate) fn enter_namespace(context: &Context) -> Result<(), Report> {
    Ok(UserNamespace::open(&context.ids()?, &context.runtime_dir()?)?.enter()?)
}
