//! Each image, container and volume: podman's tables, and docker's object.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cmd::Ctx;
use crate::container::Container;
use crate::engine::{Cached, ContainerUsage, DiskUsage, ImageUsage, VolumeUsage};
use crate::types::ImageReference;
use crate::ui::Table;
use crate::view::command;
use crate::view::human::{self, exact_size};

/// Podman's three tables.
pub(super) fn tables(ctx: &Ctx, usage: &DiskUsage) -> String {
    let now = ctx.engine.clock().now;
    let mut images =
        Table::new(&["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE", "SHARED SIZE", "UNIQUE SIZE", "CONTAINERS"]);
    for it in &usage.images {
        let name = it.image.names.first();
        images.row([
            name.map_or_else(|| NONE.to_owned(), ImageReference::name),
            name.and_then(ImageReference::tag).unwrap_or(NONE).to_owned(),
            it.image.id.short().to_owned(),
            it.image.config.created.as_deref().map_or_else(|| NONE.to_owned(), |at| human::ago(at, now)),
            exact_size(it.size),
            exact_size(it.shared),
            exact_size(it.size - it.shared),
            it.containers.to_string(),
        ]);
    }
    let mut containers =
        Table::new(&["CONTAINER ID", "IMAGE", "COMMAND", "LOCAL VOLUMES", "SIZE", "CREATED", "STATUS", "NAMES"]);
    for it in &usage.containers {
        let Container { config, state, status, .. } = &it.container;
        containers.row([
            config.id.short().to_owned(),
            config.image.short().to_owned(),
            command(config).join(" "),
            it.volumes.to_string(),
            exact_size(it.size),
            human::ago(&config.created, now),
            human::status(state, *status, now),
            config.name.to_string(),
        ]);
    }
    let mut volumes = Table::new(&["VOLUME NAME", "LINKS", "SIZE"]);
    for it in &usage.volumes {
        volumes.row([it.name.to_string(), it.links.to_string(), exact_size(it.size)]);
    }
    let mut cache = Table::new(&["CACHE ID", "CACHE TYPE", "SIZE", "LAST USED", "IN USE"]);
    for it in &usage.cache {
        cache.row([
            it.id().chars().take(12).collect(),
            it.kind().to_owned(),
            exact_size(it.size),
            human::ago(&time(it).to_string(), now),
            it.is_in_use.to_string(),
        ]);
    }
    let (images, containers, volumes) = (images.render(), containers.render(), volumes.render());
    format!(
        "Images space usage:\n\n{images}\nContainers space usage:\n\n{containers}\nLocal Volumes space \
         usage:\n\n{volumes}\nBuild cache usage:\n\n{}",
        cache.render()
    )
}

fn time(cached: &Cached) -> Timestamp {
    Timestamp::try_from(cached.used).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A missing value.
const NONE: &str = "<none>";

/// The object of `docker system df -v`, whose values are texts.
pub(super) fn object(ctx: &Ctx, usage: &DiskUsage) -> Value {
    let now = ctx.engine.clock().now;
    let image = |it: &ImageUsage| {
        let name = it.image.names.first();
        let created = it.image.config.created.as_deref();
        json!({
            "Containers": it.containers.to_string(),
            "CreatedAt": created.unwrap_or_default(),
            "CreatedSince": created.map_or_else(|| NONE.to_owned(), |at| human::ago(at, now)),
            "Digest": it.image.manifest.digest.to_string(),
            "ID": it.image.id.to_string(),
            "Repository": name.map_or_else(|| NONE.to_owned(), ImageReference::name),
            "SharedSize": exact_size(it.shared),
            "Size": exact_size(it.size),
            "Tag": name.and_then(ImageReference::tag).unwrap_or(NONE),
            "UniqueSize": exact_size(it.size - it.shared),
        })
    };
    let container = |it: &ContainerUsage| {
        let Container { config, state, status, .. } = &it.container;
        json!({
            "Command": command(config).join(" "),
            "CreatedAt": config.created,
            "ID": config.id.to_string(),
            "Image": config.image.reference,
            "LocalVolumes": it.volumes.to_string(),
            "Names": config.name.to_string(),
            "RunningFor": human::ago(&config.created, now),
            "Size": exact_size(it.size),
            "Status": human::status(state, *status, now),
        })
    };
    let volume = |it: &VolumeUsage| {
        json!({
            "Driver": "local",
            "Links": it.links.to_string(),
            "Name": it.name.to_string(),
            "Scope": "local",
            "Size": exact_size(it.size),
        })
    };
    let cached = |it: &Cached| {
        json!({
            "CacheType": it.kind(),
            "Description": it.description(),
            "ID": it.id(),
            "InUse": it.is_in_use.to_string(),
            "LastUsedSince": human::ago(&time(it).to_string(), now),
            "Shared": it.is_in_use.to_string(),
            "Size": exact_size(it.size),
        })
    };
    json!({
        "BuildCache": usage.cache.iter().map(cached).collect::<Vec<_>>(),
        "Containers": usage.containers.iter().map(container).collect::<Vec<_>>(),
        "Images": usage.images.iter().map(image).collect::<Vec<_>>(),
        "Volumes": usage.volumes.iter().map(volume).collect::<Vec<_>>(),
    })
}
