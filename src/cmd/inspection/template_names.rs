//! Further names of fields, for templates that use them.

use serde_json::{Value, json};

use crate::engine::Kind;
use crate::ui::Format;
use crate::view;

/// The object with the names that the template uses for fields of objects of this kind.
pub(super) fn add(object: Value, kind: Kind, template: &Format) -> Value {
    let Format::Template { text, .. } = template else { return object };
    match kind {
        // docker's object has docker's names already.
        Kind::Network if object.get("name").is_some() => view::with_go_names(object, text),
        Kind::Pod => with_names_of_pods(with_aliases(object, text), text),
        _ => with_aliases(object, text),
    }
}

/// Adds the names that limits and lists of a pod have in Go, if the template uses them; what is not set is 0 or empty.
/// Source: podman, `InspectPodData`.
fn with_names_of_pods(mut object: Value, text: &str) -> Value {
    let (number, word, list) = (json!(0), json!(""), json!([]));
    if let Value::Object(fields) = &mut object {
        for (name, field, unset) in [
            ("BlkioWeight", "blkio_weight", &number),
            ("CPUPeriod", "cpu_period", &number),
            ("CPUQuota", "cpu_quota", &number),
            ("CPUSetCPUs", "cpuset_cpus", &word),
            ("CPUSetMems", "cpuset_mems", &word),
            ("CPUShares", "cpu_shares", &number),
            ("Devices", "devices", &list),
            ("MemoryLimit", "memory_limit", &number),
            ("MemorySwap", "memory_swap", &number),
            ("SecurityOpts", "security_opt", &list),
            ("VolumesFrom", "volumes_from", &list),
        ] {
            if text.contains(&format!(".{name}")) {
                let value = fields.get(field).unwrap_or(unset).clone();
                fields.insert(name.to_owned(), value);
            }
        }
    }
    object
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
    use super::*;

    #[test]
    fn limits_of_pods_have_their_names_in_go_whether_they_are_set_or_not() {
        let object = with_names_of_pods(json!({ "cpu_quota": 5 }), "{{.CPUQuota}} {{.MemoryLimit}} {{.Devices}}");
        assert_eq!(object, json!({ "cpu_quota": 5, "CPUQuota": 5, "MemoryLimit": 0, "Devices": [] }));
    }

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
