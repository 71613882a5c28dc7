//! Further names of fields, for templates that use them.

use serde_json::Value;

use crate::engine::Kind;
use crate::ui::Format;
use crate::view;

/// The object with the names that the template uses for fields of objects of this kind.
pub(super) fn add(object: Value, kind: Kind, template: &Format) -> Value {
    let Format::Template { text, .. } = template else { return object };
    if kind == Kind::Network { view::with_go_names(object, text) } else { with_aliases(object, text) }
}

/// Adds `.ID` for `.Id` and `.ImageID` for `.Image` if the template uses them. Source: podman `cmd/podman/inspect`.
fn with_aliases(mut object: Value, text: &str) -> Value {
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

    #[test]
    fn aliases_are_there_for_templates_that_use_them() {
        let object = json!({ "Id": "5eac", "Image": "a9cc" });
        for (template, expected) in [
            ("{{.ID}}", json!({ "Id": "5eac", "Image": "a9cc", "ID": "5eac" })),
            ("{{.ImageID}}", json!({ "Id": "5eac", "Image": "a9cc", "ImageID": "a9cc" })),
            ("{{json .}}", object.clone()),
        ] {
            assert_eq!(with_aliases(object.clone(), template), expected, "{template}");
        }
    }
}
