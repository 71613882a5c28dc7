//! What `inspect` says otherwise under docker's name: scripts compare these, and cut the slash off.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A container's object as docker has it: `/NAME`, the image's ID with its algorithm, and the IDs of its networks,
/// where podman has names; `ids` has those that are known, by name. Source: docker `api/types/container`,
/// `InspectResponse`.
pub(crate) fn container_of_docker(mut container: Value, ids: &BTreeMap<String, String>) -> Value {
    let name = container["Name"].as_str().map(|name| json!(format!("/{name}")));
    let image = container["Image"].as_str().and_then(with_algorithm);
    put(&mut container, "Name", name);
    put(&mut container, "Image", image);
    if let Some(networks) = container.pointer_mut("/NetworkSettings/Networks").and_then(Value::as_object_mut) {
        for (name, network) in networks {
            put(network, "NetworkID", ids.get(name).map(|id| json!(id)));
        }
    }
    container
}

/// An image's object as docker has it: its ID with the algorithm.
pub(crate) fn image_of_docker(mut image: Value) -> Value {
    let id = image["Id"].as_str().and_then(with_algorithm);
    put(&mut image, "Id", id);
    image
}

/// A root directory is no image, and has no ID.
fn with_algorithm(id: &str) -> Option<Value> {
    (!id.is_empty()).then(|| json!(format!("sha256:{id}")))
}

fn put(object: &mut Value, field: &str, value: Option<Value>) {
    if let (Some(fields), Some(value)) = (object.as_object_mut(), value) {
        fields.insert(field.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_have_their_ids() {
        let of = |name: &str| json!({ "NetworkSettings": { "Networks": { name: { "NetworkID": name } } } });
        let ids = BTreeMap::from([("app".to_owned(), "c0ffee".to_owned())]);
        let id =
            |name: &str| container_of_docker(of(name), &ids)["NetworkSettings"]["Networks"][name]["NetworkID"].clone();
        assert_eq!((id("app"), id("pasta")), (json!("c0ffee"), json!("pasta")));
    }

    #[test]
    fn names_have_a_slash_and_ids_an_algorithm() {
        let none = BTreeMap::new();
        let container = container_of_docker(json!({ "Id": "5eac", "Image": "a9cc", "Name": "web" }), &none);
        assert_eq!(container, json!({ "Id": "5eac", "Image": "sha256:a9cc", "Name": "/web" }));
        assert_eq!(container_of_docker(json!({ "Image": "", "Name": "web" }), &none)["Image"], "");
        assert_eq!(
            image_of_docker(json!({ "Id": "a9cc", "Os": "linux" })),
            json!({ "Id": "sha256:a9cc", "Os": "linux" })
        );
    }
}
