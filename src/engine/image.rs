//! Images for containers: their unpacked layers, and work on the store as root of the user's namespace.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nix::sched::CloneFlags;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::Context;
use super::sweep::sync_soon;
use crate::container::{self, Environment, Trees};
use crate::image;
use crate::image::local::{self, LocalImage};
use crate::plan::{ContainerConfig, MountKind, RootDirectory};
use crate::runtime;
use crate::storage::mapped::{self, Content, Whole};
use crate::storage::{Ownership, Store, Target};
use crate::sys::fs::{self, plain};
use crate::sys::{mount, namespace};
use crate::types::{Digest, IdMaps, Layers, Report, ReportKind, StorageDriver, Thing};
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

/// The layers of the image for a container with `maps`. If it has maps of its own, all are one, which is made if it is
/// missing.
pub(super) fn mapped_layers(
    store: &Store,
    image: &LocalImage,
    environment: &Environment,
    maps: &IdMaps,
) -> Result<Layers, Report> {
    let base = layers(store, image, environment)?;
    if maps.is_identity() {
        return Ok(base.into());
    }
    let chain = mapped::chain(image.layers.iter().map(|layer| &layer.diff_id));
    let key = |content| mapped::key(&environment.ids.key(), maps, content);
    let made = |content: Content, base: &[PathBuf]| Layers {
        is_root: false,
        lowers: vec![store.layer_path(&key(content), &chain).join("fs")],
        data: match content {
            Content::Referred => base.iter().rev().cloned().collect(),
            Content::Copied => Vec::new(),
        },
    };
    let all = [Content::Referred, Content::Copied];
    let usable = if environment.storage == StorageDriver::FuseOverlayfs { &all[1..] } else { &all };
    for content in usable {
        if store.has_layer(&key(*content), &chain)? {
            return Ok(made(*content, &base));
        }
    }
    let home = UserNamespace::open(&environment.ids, &environment.runtime_dir)?;
    let content = content(store, environment, &home)?;
    let scratch = store.scratch()?;
    let lowers: Vec<PathBuf> = std::iter::once(container::mount_points(store)?).chain(base.iter().cloned()).collect();
    userns::inside(&home, "rc: map", || {
        runtime::mount_layers(&lowers, scratch.path())?;
        let whole = Whole { tree: scratch.path(), layers: &base };
        Ok::<_, Report>(store.map_layer(key(content), &chain, &whole, maps, content)?)
    })?;
    sync_soon(store);
    Ok(made(content, &base))
}

/// Where files of other owners have their content: where the layers have it if the kernel can find it there.
fn content(store: &Store, environment: &Environment, home: &UserNamespace) -> Result<Content, Report> {
    if environment.storage == StorageDriver::FuseOverlayfs {
        return Ok(Content::Copied);
    }
    let scratch = store.scratch()?;
    let found = userns::inside(home, "rc: probe", || Ok::<_, Report>(runtime::finds_content(scratch.path())))?;
    Ok(if found { Content::Referred } else { Content::Copied })
}

/// The image of an existing container. Fails if it has none: its root filesystem is a directory of the host.
pub(super) fn of_container(store: &Store, config: &ContainerConfig) -> Result<LocalImage, Report> {
    let Some(id) = &config.image.id else {
        let message =
            format!("container `{}` has no image: its files are those of a directory (--rootfs)", config.name);
        return Err(Report::new(ReportKind::Unsupported, message));
    };
    Ok(local::find_whole(store, &id.to_string())?)
}

/// What the root filesystem of a container is made of.
pub(super) fn layers_of(environment: &Environment, config: &ContainerConfig) -> Result<Layers, Report> {
    if let Some(root) = &config.root_directory {
        return directory(root);
    }
    if config.sandbox.is_some() {
        return Ok(container::root_of_pod(&environment.store)?);
    }
    let image = of_container(&environment.store, config)?;
    mapped_layers(&environment.store, &image, environment, &config.user_namespace.maps)
}

/// The directories of the host with the files that a container has below its own, lowest first: of its image's layers,
/// or its root filesystem. None if a layer is not unpacked.
pub(crate) fn directories_below(context: &Context, config: &ContainerConfig) -> Vec<PathBuf> {
    if let Some(root) = &config.root_directory {
        return vec![root.path.clone()];
    }
    let (Ok(ids), Ok(store)) = (context.ids(), context.store_to_read()) else { return Vec::new() };
    let (base, maps) = (ids.key(), &config.user_namespace.maps);
    let directory = |map: &str, layer: &Digest| {
        let is_there = store.has_layer(map, layer).is_ok_and(|is_there| is_there);
        is_there.then(|| store.layer_path(map, layer).join("fs"))
    };
    let layers = &config.image.layers;
    if maps.is_identity() {
        return layers.iter().map(|layer| directory(&base, layer)).collect::<Option<_>>().unwrap_or_default();
    }
    let chain = mapped::chain(layers.iter());
    let contents = [Content::Referred, Content::Copied];
    contents.into_iter().find_map(|content| directory(&mapped::key(&base, maps, content), &chain)).into_iter().collect()
}

/// What all files of a container are made of. `found` is its image, if the caller has it already: looking one up by its
/// ID reads the manifests of others.
pub(super) fn trees_of(
    environment: &Environment,
    config: &ContainerConfig,
    found: Option<&LocalImage>,
) -> Result<Trees, Report> {
    let maps = &config.user_namespace.maps;
    let mut mounted = BTreeMap::new();
    for mount in &config.mounts {
        if let MountKind::Image { image } = &mount.kind
            && let Some(id) = &image.id
        {
            let store = &environment.store;
            let found = local::find_whole(store, &id.to_string())?;
            let layers = mapped_layers(store, &found, environment, maps)?;
            mounted.insert(mount.destination.clone(), layers);
        }
    }
    let root = match found {
        Some(image) => mapped_layers(&environment.store, image, environment, maps)?,
        None => layers_of(environment, config)?,
    };
    Ok(Trees { root, mounted })
}

/// A directory of the host as a root filesystem.
fn directory(root: &RootDirectory) -> Result<Layers, Report> {
    let refused = |reason: &str| {
        let shown = root.path.display().to_string();
        Report::new(
            ReportKind::NotFound(Thing::File),
            format!("the root filesystem `{}` {reason}", shown.escape_debug()),
        )
    };
    match fs::metadata(&root.path) {
        Ok(found) if found.is_dir() => {
            Ok(Layers { lowers: vec![root.path.clone()], data: Vec::new(), is_root: !root.is_overlaid })
        }
        Ok(_) => Err(refused("is not a directory").with_hint("--rootfs takes the directory of an unpacked image")),
        Err(error) => Err(refused(&format!("cannot be used: {}", plain(&error.source)))),
    }
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

/// Makes this process root in the user's root namespace, with a mount namespace of its own, in which it may mount.
pub(crate) fn enter_namespace(context: &Context) -> Result<(), Report> {
    UserNamespace::open(&context.ids()?, &context.runtime_dir()?)?.enter()?;
    let failed = |error: std::io::Error| {
        Report::new(ReportKind::of_step(&error), format!("cannot create a mount namespace: {}", plain(&error)))
    };
    namespace::unshare(CloneFlags::CLONE_NEWNS).map_err(failed)?;
    mount::isolate_propagation().map_err(failed)
}
