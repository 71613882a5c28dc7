//! `inspect`: what is known of containers and images.

use serde_json::Value;

use crate::ui::{self, BrokenOutput, Format, format, json};

/// Display the configuration of containers and images
#[derive(Debug, Default, clap::Args)]
pub struct InspectArgs {
    /// Format the output to a Go template or json
    #[arg(short, long, value_name = "FORMAT", allow_hyphen_values = true)]
    pub format: Option<String>,
    /// Return JSON for specified type
    #[arg(short, long = "type", value_name = "TYPE", default_value = "all")]
    pub kind: Kind,
    /// The names or IDs
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
}

/// What `--type` takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A container, else an image.
    #[default]
    All,
    /// Containers alone.
    Container,
    /// Images alone.
    Image,
}

/// Shows what is found, and gives the names that were not; each is to be reported, and the exit code is then 125.
///
/// `container` and `image` look one up by name or id; `None` if there is none. An error of theirs (damage, an ambiguous id)
/// is reported after what was found before it is shown.
pub fn show<E>(
    args: &InspectArgs,
    container: impl Fn(&str) -> Result<Option<Value>, E>,
    image: impl Fn(&str) -> Result<Option<Value>, E>,
) -> Result<Vec<Missing>, E>
where
    E: From<format::Error> + From<BrokenOutput>,
{
    let mut found = Vec::new();
    let mut missing = Vec::new();
    let mut failure = None;
    for name in &args.names {
        match look_up(args.kind, name, &container, &image) {
            Ok(Some(object)) => found.push(object),
            Ok(None) => missing.push(Missing { kind: args.kind, name: name.clone() }),
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    let mut out = ui::out();
    match args.format.as_deref().and_then(Format::parse) {
        Some(template @ Format::Template { .. }) => {
            found.into_iter().try_for_each(|object| template.object(&mut out, &with_aliases(object, &template)))?;
        }
        _ => {
            let text = json::inspect(&found).map_err(format::Error::from)?;
            out.raw(text.as_bytes())?;
            out.raw(b"\n")?;
        }
    }
    out.finish()?;
    failure.map_or(Ok(missing), Err)
}

/// A name that nothing has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no such {} `{}`", match .kind { Kind::All => "object", Kind::Container => "container", Kind::Image => "image" }, ui::escape::line(.name))]
pub struct Missing {
    kind: Kind,
    name: String,
}

fn look_up<E>(
    kind: Kind,
    name: &str,
    container: impl Fn(&str) -> Result<Option<Value>, E>,
    image: impl Fn(&str) -> Result<Option<Value>, E>,
) -> Result<Option<Value>, E> {
    if kind != Kind::Image
        && let Some(object) = container(name)?
    {
        return Ok(Some(object));
    }
    if kind == Kind::Container { Ok(None) } else { image(name) }
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

    fn found(kind: Kind, name: &str) -> Option<Value> {
        let container =
            |name: &str| -> Result<_, anyhow::Error> { Ok((name == "web").then(|| json!({ "Name": "web" }))) };
        let image = |name: &str| -> Result<_, anyhow::Error> { Ok((name != "nope").then(|| json!({ "Id": name }))) };
        look_up(kind, name, container, image).unwrap_or_default()
    }

    #[test]
    fn a_container_comes_before_an_image_of_the_same_name() {
        assert_eq!(found(Kind::All, "web"), Some(json!({ "Name": "web" })));
        assert_eq!(found(Kind::Image, "web"), Some(json!({ "Id": "web" })));
        assert_eq!(found(Kind::All, "busybox"), Some(json!({ "Id": "busybox" })));
        assert_eq!(found(Kind::Container, "busybox"), None);
        assert_eq!(found(Kind::All, "nope"), None);
        let missing = Missing { kind: Kind::All, name: "a\u{1b}b".to_owned() };
        assert_eq!(missing.to_string(), "no such object `a\\x1bb`");
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
