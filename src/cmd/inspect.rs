//! `rc inspect`.

use serde_json::Value;

use super::Ctx;
use crate::container;
use crate::error::{Error, Exit};
use crate::image::{self, local};
use crate::storage::Store;
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

/// What `--type` takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// A container, else an image.
    #[default]
    All,
    /// Containers alone.
    Container,
    /// Images alone.
    Image,
}

/// Runs the command: shows all that is found, in one array, then reports what is not.
pub(crate) fn run(ctx: &Ctx, args: &Args) -> Result<Exit, Error> {
    let store = ctx.engine.store_to_read()?;
    let mut found = Vec::new();
    let mut failures = Vec::new();
    for name in &args.names {
        let object = look_up(args.kind, || of_container(&store, name), || of_image(ctx, &store, name));
        match object.and_then(|object| object.ok_or_else(|| args.kind.missing(name))) {
            Ok(object) => found.push(object),
            Err(error) => failures.push(error),
        }
    }
    let mut out = ui::out();
    match args.format.as_deref().and_then(Format::parse) {
        Some(template @ Format::Template { .. }) => {
            found.into_iter().try_for_each(|object| template.object(&mut out, &with_aliases(object, &template)))?;
        }
        _ => out.raw((json::inspect(&found).map_err(format::Error::from)? + "\n").as_bytes())?,
    }
    out.finish()?;
    // Each is said, the last one at the edge.
    let last = failures.pop();
    for Error { message, hint, .. } in failures {
        ui::error(message.unwrap_or_default(), hint.as_deref());
    }
    last.map_or(Ok(Exit::SUCCESS), Err)
}

impl Kind {
    fn missing(self, name: &str) -> Error {
        let what = match self {
            Self::All => "object",
            Self::Container => "container",
            Self::Image => "image",
        };
        Error::new(format!("no such {what}: {}", ui::escape::line(name)))
    }
}

/// A container comes before an image of the same name.
fn look_up<T, E>(
    kind: Kind,
    container: impl FnOnce() -> Result<Option<T>, E>,
    image: impl FnOnce() -> Result<Option<T>, E>,
) -> Result<Option<T>, E> {
    match kind {
        Kind::Container => container(),
        Kind::Image => image(),
        Kind::All => container()?.map_or_else(image, |found| Ok(Some(found))),
    }
}

fn of_container(store: &Store, name: &str) -> Result<Option<Value>, Error> {
    match container::find(store, name) {
        Ok(found) => {
            let place = view::Place { directory: found.directory.path(), volumes: &store.volumes() };
            Ok(Some(view::container(&found.config, &found.state, found.status, place)))
        }
        Err(container::Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn of_image(ctx: &Ctx, store: &Store, name: &str) -> Result<Option<Value>, Error> {
    match local::find(store, name) {
        Ok(found) => Ok(Some(view::image(&found, found.size(store, &ctx.engine.ids()?.key())?))),
        Err(image::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// podman's templates may say `.ID` for `.Id`, and `.ImageID` for `.Image`. Source: podman `cmd/podman/inspect`.
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

    fn found(kind: Kind, has_container: bool, has_image: bool) -> Option<&'static str> {
        let found =
            look_up(kind, || Ok::<_, ()>(has_container.then_some("container")), || Ok(has_image.then_some("image")));
        found.unwrap_or_default()
    }

    #[test]
    fn a_container_comes_before_an_image_of_the_same_name() {
        for (kind, has_container, has_image, expected) in [
            (Kind::All, true, true, Some("container")),
            (Kind::All, false, true, Some("image")),
            (Kind::All, false, false, None),
            (Kind::Image, true, true, Some("image")),
            (Kind::Image, true, false, None),
            (Kind::Container, false, true, None),
        ] {
            assert_eq!(found(kind, has_container, has_image), expected, "{kind:?}");
        }
        assert_eq!(Kind::All.missing("a\u{1b}b").message.as_deref(), Some("no such object: a\\x1bb"));
    }

    #[test]
    fn aliases_are_there_for_templates_that_use_them() {
        let object = json!({ "Id": "5eac", "Image": "a9cc" });
        for (template, expected) in [
            ("{{.ID}}", json!({ "Id": "5eac", "Image": "a9cc", "ID": "5eac" })),
            ("{{.ImageID}}", json!({ "Id": "5eac", "Image": "a9cc", "ImageID": "a9cc" })),
            ("{{json .}}", object.clone()),
        ] {
            let format = Format::parse(template).expect("a template");
            assert_eq!(with_aliases(object.clone(), &format), expected, "{template}");
        }
    }
}
