//! What `inspect` says otherwise under docker's name: scripts compare these, and cut the slash off.

use serde_json::{Value, json};

/// A container's object as docker has it: `/NAME`, and the image's ID with its algorithm. Source: docker
/// `api/types/container`, `InspectResponse`.
pub(crate) fn container_of_docker(mut container: Value) -> Value {
    let name = container["Name"].as_str().map(|name| json!(format!("/{name}")));
    let image = container["Image"].as_str().and_then(with_algorithm);
    put(&mut container, "Name", name);
    put(&mut container, "Image", image);
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
    fn names_have_a_slash_and_ids_an_algorithm() {
        let container = container_of_docker(json!({ "Id": "5eac", "Image": "a9cc", "Name": "web" }));
        assert_eq!(container, json!({ "Id": "5eac", "Image": "sha256:a9cc", "Name": "/web" }));
        assert_eq!(container_of_docker(json!({ "Image": "", "Name": "web" }))["Image"], "");
        assert_eq!(
            image_of_docker(json!({ "Id": "a9cc", "Os": "linux" })),
            json!({ "Id": "sha256:a9cc", "Os": "linux" })
        );
    }
}
