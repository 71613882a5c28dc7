//! The shapes of a row.

use serde::Serialize;
use serde_json::{Map, Value};

/// A row of a listing (`ps`, `images`, `volume ls` …), in its three shapes.
pub(crate) trait Listed {
    /// Every field of [`Listed::fields`], and its heading in `table`.
    const HEADINGS: &'static [(&'static str, &'static str)];

    /// Those of the fields that docker has, too, by docker's documentation of `--format`.
    const DOCKER: &'static [&'static str];

    /// The row for `--format json`: podman's names and types.
    fn json(&self) -> impl Serialize;

    /// The row for templates and for `{{json .}}`: the names of docker and podman in templates.
    fn fields(&self) -> impl Serialize;

    /// The row under docker's name, for JSON and for templates: docker's fields, each a string.
    fn docker(&self) -> Map<String, Value> {
        docker_fields(self)
    }
}

/// Those of the row's fields that docker has, each a string.
pub(super) fn docker_fields<T: Listed + ?Sized>(row: &T) -> Map<String, Value> {
    let fields = serde_json::to_value(row.fields()).unwrap_or_default();
    T::DOCKER.iter().map(|name| ((*name).to_owned(), Value::String(text(&fields[*name])))).collect()
}

/// A name of an image as docker shows it: without its default registry.
pub(super) fn familiar(name: &str) -> &str {
    name.strip_prefix("docker.io/library/").or_else(|| name.strip_prefix("docker.io/")).unwrap_or(name)
}

/// A value as docker's formatters print it: a map as `a=1,b=2`.
fn text(value: &Value) -> String {
    let joined = |words: Vec<String>| words.join(",");
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Array(items) => joined(items.iter().map(text).collect()),
        Value::Object(fields) => joined(fields.iter().map(|(name, value)| format!("{name}={}", text(value))).collect()),
        other => other.to_string(),
    }
}
