//! What `diff` and `image diff` share: the format, and the changes in it.

use serde_json::json;

use crate::engine::{Change, ChangeKind};
use crate::error::Error;
use crate::ui::{Output, format, json};

/// Whether the changes are printed as JSON; `typed` is `--format`.
pub(super) fn is_json(typed: Option<&str>) -> Result<bool, Error> {
    match typed {
        None => Ok(false),
        Some("json") => Ok(true),
        Some(other) => Err(Error::new(format!("invalid format `{other}`: only json is supported"))),
    }
}

/// Prints changes: a line for each, or podman's object.
pub(super) fn show(out: &mut Output, changes: &[Change], as_json: bool) -> Result<(), Error> {
    if as_json {
        out.raw((json::pretty(&object(changes)).map_err(format::Error::from)? + "\n").as_bytes())?;
        return Ok(());
    }
    for change in changes {
        let letter = match change.kind {
            ChangeKind::Added => 'A',
            ChangeKind::Changed => 'C',
            ChangeKind::Deleted => 'D',
        };
        out.line(format_args!("{letter} {}", String::from_utf8_lossy(&change.path)))?;
    }
    Ok(())
}

/// podman's object: a list of paths for each kind of change, if there are any.
fn object(changes: &[Change]) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    for (name, kind) in
        [("changed", ChangeKind::Changed), ("added", ChangeKind::Added), ("deleted", ChangeKind::Deleted)]
    {
        let of_kind = changes.iter().filter(|change| change.kind == kind);
        let paths: Vec<_> = of_kind.map(|change| String::from_utf8_lossy(&change.path)).collect();
        if !paths.is_empty() {
            object.insert(name.to_owned(), json!(paths));
        }
    }
    object.into()
}
