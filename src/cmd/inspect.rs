//! `rc inspect`.

use std::path::Path;

use serde_json::Value;

use super::Ctx;
use crate::engine::{self, InspectedImage, Object};
use crate::error::{Error, Exit};
use crate::ui::{self, Format, format, json};
use crate::view;

/// Display the configuration of containers and images
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Format the output to a Go template or json
    #[arg(short, long, value_name = "FORMAT", allow_hyphen_values = true)]
    format: Option<String>,
    /// Type of object to look for: all, container or image (default: all)
    #[arg(
        short = 't',
        long = "type",
        value_name = "TYPE",
        default_value = "all",
        hide_default_value = true,
        hide_possible_values = true
    )]
    kind: Kind,
    /// The names or IDs
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

/// The values of `--type`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// A container, otherwise an image.
    #[default]
    All,
    /// Only containers.
    Container,
    /// Only images.
    Image,
}

/// Runs the command: prints all objects that exist in one array, then reports those that do not.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let store = ctx.engine.store_to_read()?;
    let mut found = Vec::new();
    let mut failures = Vec::new();
    for name in &args.names {
        match engine::inspect(&ctx.engine, &store, args.kind.into(), name) {
            Ok(object) => found.push(shape(&store.volumes(), &object)),
            Err(report) => failures.push(report),
        }
    }
    let mut out = ui::out();
    match ctx.format(args.format.as_deref()) {
        Some(template @ Format::Template { .. }) => {
            found.into_iter().try_for_each(|object| template.object(&mut out, &with_aliases(object, &template)))?;
        }
        Some(Format::JsonLines) => {
            found.iter().try_for_each(|object| Format::JsonLines.object(&mut out, object))?;
        }
        _ => out.raw((json::inspect(&found).map_err(format::Error::from)? + "\n").as_bytes())?,
    }
    out.finish()?;
    // `main` prints the last one.
    let last = failures.pop();
    for report in &failures {
        ui::error(report, report.hint.as_deref());
    }
    last.map_or(Ok(Exit::SUCCESS), |report| Err(report.into()))
}

/// The object in podman's shape.
fn shape(volumes: &Path, object: &Object) -> Value {
    match object {
        Object::Container(found) => {
            let place = view::Place { directory: found.directory.path(), volumes };
            view::container(&found.config, &found.state, found.status, place)
        }
        Object::Image(found) => {
            let InspectedImage { image, digests, size, directories } = &**found;
            view::image(image, digests, *size, directories.as_deref())
        }
    }
}

impl From<Kind> for engine::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::All => Self::Any,
            Kind::Container => Self::Container,
            Kind::Image => Self::Image,
        }
    }
}

/// Adds `.ID` for `.Id` and `.ImageID` for `.Image` if the template uses them. Source: podman `cmd/podman/inspect`.
fn with_aliases(mut object: Value, template: &Format) -> Value {
    let Format::Template { text, .. } = template else { return object };
    if let Value::Object(fields) = &mut object {
        for (alias, field) in [("ID", "Id"), ("ImageID", "Image")] {
            if text.contains(&format!(".{alias}"))
                && !fields.contains_key(alias)
                && let Some(value) = fields.get(field).cloned()
            {
                fields.insert(alias.to_owned(), value);
            }
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::types::Dialect;

    #[test]
    fn aliases_are_there_for_templates_that_use_them() {
        let object = json!({ "Id": "5eac", "Image": "a9cc" });
        for (template, expected) in [
            ("{{.ID}}", json!({ "Id": "5eac", "Image": "a9cc", "ID": "5eac" })),
            ("{{.ImageID}}", json!({ "Id": "5eac", "Image": "a9cc", "ImageID": "a9cc" })),
            ("{{json .}}", object.clone()),
        ] {
            let format = Format::parse(template, Dialect::Rc).expect("a template");
            assert_eq!(with_aliases(object.clone(), &format), expected, "{template}");
        }
    }
}
