//! What `inspect`, `container inspect` and `image inspect` have in common.

mod looked_up;
mod template_names;

use serde_json::Value;

use self::looked_up::LookedUp;
use super::Ctx;
use crate::engine::{self, InspectedImage, Kind, Object, Selection};
use crate::error::{Error, Exit};
use crate::registry::Platform;
use crate::types::{Dialect, Report};
use crate::ui::{self, Format, format, json};
use crate::view::{self, NetworkRow, VolumeRow};

/// What to inspect, and how it is shown.
#[derive(Debug, Default)]
pub(super) struct Inspection<'a> {
    /// The kind of the objects.
    pub(super) kind: Kind,
    /// Their names or IDs.
    pub(super) names: &'a [String],
    /// The container that was created last, instead of names.
    pub(super) latest: bool,
    /// `--format`.
    pub(super) format: Option<&'a str>,
    /// The platform that each image must be for.
    pub(super) platform: Option<&'a Platform>,
    /// With the sizes of containers.
    pub(super) size: bool,
}

/// Prints all objects that exist in one array, then reports those that do not.
pub(super) fn inspect(ctx: &Ctx, asked: &Inspection<'_>) -> Result<Exit, Error> {
    if asked.names.is_empty() && !asked.latest {
        return Err(Error::new("nothing was named").with_hint("give a name or ID"));
    }
    let (names, kind) = if asked.latest {
        let selection = Selection { names: asked.names.to_vec(), latest: true, ..Selection::default() };
        (engine::named(&ctx.engine, &selection)?, Kind::Container)
    } else {
        (asked.names.to_vec(), asked.kind)
    };
    let store = ctx.engine.store_to_read()?;
    let mut found = Vec::new();
    let mut failures = Vec::new();
    let mut looked_up = LookedUp::default();
    for name in &names {
        let fits = |object: Object| match (&object, asked.platform) {
            (Object::Image(found), Some(platform)) => {
                Ok(found.image.check_platform(name, platform).map(|()| object)?)
            }
            _ => Ok(object),
        };
        match engine::inspect(&ctx.engine, &store, kind, name).and_then(fits) {
            Ok(object) => found.push(shape(ctx, &mut looked_up, &store.volumes(), &object, asked.size)?),
            Err(report) => failures.push(report),
        }
    }
    if let Some(template @ Format::Template { .. }) = ctx.format(asked.format) {
        found = found.into_iter().map(|object| template_names::add(object, asked.kind, &template)).collect();
    }
    print(ctx, asked.format, &found, failures)
}

/// Prints the objects in one array, or each by a template, then the failures.
pub(super) fn print(ctx: &Ctx, format: Option<&str>, objects: &[Value], failures: Vec<Report>) -> Result<Exit, Error> {
    let mut out = ui::out();
    match ctx.format(format) {
        Some(template @ Format::Template { .. }) => {
            objects.iter().try_for_each(|object| template.object(&mut out, object))?;
        }
        Some(Format::JsonLines) => objects.iter().try_for_each(|object| Format::JsonLines.object(&mut out, object))?,
        _ => out.raw((json::inspect(&objects).map_err(format::Error::from)? + "\n").as_bytes())?,
    }
    out.finish()?;
    report(failures)
}

/// Reports failures; `main` prints the last one.
pub(super) fn report(mut failures: Vec<Report>) -> Result<Exit, Error> {
    let last = failures.pop();
    for report in &failures {
        ui::error(report, report.hint.as_deref(), Some(report.kind));
    }
    last.map_or(Ok(Exit::SUCCESS), |report| Err(report.into()))
}

/// The object in podman's shape.
fn shape(
    ctx: &Ctx,
    looked_up: &mut LookedUp,
    volumes: &std::path::Path,
    object: &Object,
    size: bool,
) -> Result<Value, Error> {
    Ok(match object {
        Object::Container(found) => {
            let below = engine::directories_below(&ctx.engine, &found.config);
            let place = view::Place { directory: found.directory.path(), volumes, below: &below };
            let mut object = view::container(&found.config, &found.state, found.status, place);
            // As podman: who has another's network has its addresses and ports.
            if let Some(other) = looked_up.network_owner(&ctx.engine, found)? {
                object["NetworkSettings"] = view::network_settings(&other.config, &other.state, other.status);
            }
            if let Value::Object(fields) = &mut object
                && size
            {
                for size in engine::sizes(&ctx.engine, [&**found])? {
                    fields.insert("SizeRw".to_owned(), size.written.into());
                    fields.insert("SizeRootFs".to_owned(), size.whole.into());
                }
            }
            match ctx.dialect {
                Dialect::Docker => view::container_of_docker(object, looked_up.network_ids(&ctx.engine)?),
                _ => object,
            }
        }
        Object::Image(found) => {
            let InspectedImage { image, digests, size, directories } = &**found;
            let object = view::image(image, digests, *size, directories.as_deref());
            if ctx.dialect == Dialect::Docker { view::image_of_docker(object) } else { object }
        }
        Object::Volume(listed) => VolumeRow {
            record: &listed.volume.record,
            mountpoint: &listed.mountpoint,
            running: listed.running,
            needs_copy_up: listed.needs_copy_up,
        }
        .object(),
        Object::Pod(pod) => view::pod(pod),
        Object::Network(listed) => {
            let row = NetworkRow { record: &listed.record, members: &listed.members, no_trunc: true };
            if ctx.dialect == Dialect::Docker { row.docker_object() } else { row.object() }
        }
    })
}
