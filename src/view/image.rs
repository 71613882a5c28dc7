//! `inspect` of an image.

use serde_json::{Value, json};

use crate::image::local::LocalImage;
use crate::types::ImageReference;

/// The object of an image, with podman's names; `size` is the bytes of its unpacked layers.
pub(crate) fn image(image: &LocalImage, size: u64) -> Value {
    let config = &image.config;
    let tags: Vec<String> = image.names.iter().filter_map(tagged).collect();
    json!({
        "Id": image.id.hex(),
        "Digest": image.manifest.digest,
        "RepoTags": tags,
        "RepoDigests": image.digests(),
        "Parent": "",
        "Comment": config.history.last().and_then(|step| step.comment.as_deref()).unwrap_or(""),
        "Created": config.created.as_deref().unwrap_or(super::NEVER),
        "Config": settings(image),
        "Version": "",
        "Author": config.author.as_deref().unwrap_or(""),
        "Architecture": config.architecture,
        "Variant": config.variant.as_deref().unwrap_or(""),
        "Os": config.os,
        "Size": size,
        "VirtualSize": size,
        "GraphDriver": { "Name": "overlay", "Data": {} },
        "RootFS": { "Type": "layers", "Layers": config.rootfs.diff_ids },
        "Labels": config.config.labels,
        "Annotations": {},
        "ManifestType": image.manifest.media_type,
        "User": config.config.user,
        "History": config.history,
        "NamesHistory": tags,
    })
}

/// `Config` with all fields: a template may ask for one that the image does not set (`{{.Config.Entrypoint}}`).
fn settings(image: &LocalImage) -> Value {
    let settings = &image.config.config;
    json!({
        "User": settings.user,
        "ExposedPorts": settings.exposed_ports,
        "Env": settings.env,
        "Entrypoint": settings.entrypoint,
        "Cmd": settings.cmd,
        "Volumes": settings.volumes,
        "WorkingDir": settings.working_dir,
        "Labels": settings.labels,
        "StopSignal": settings.stop_signal,
    })
}

fn tagged(name: &ImageReference) -> Option<String> {
    name.tag().map(|tag| format!("{}:{tag}", name.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Descriptor;
    use crate::types::Digest;

    #[test]
    fn the_names_of_podman_and_their_values() -> anyhow::Result<()> {
        let manifest = Digest::sha256([0xb; 32]);
        let object = image(
            &LocalImage {
                id: Digest::sha256([0xa; 32]),
                manifest: Descriptor::new("application/vnd.oci.image.manifest.v1+json", manifest.clone(), 9),
                reference: None,
                names: vec!["busybox".parse()?, "localhost/bb:1".parse()?],
                indexes: Vec::new(),
                layers: Vec::new(),
                config: serde_json::from_value(json!({
                    "created": "2026-01-01T00:00:00Z",
                    "architecture": "amd64",
                    "os": "linux",
                    "config": { "Env": ["A=b"], "Cmd": ["sh"], "Labels": { "l": "v" }, "User": "33" },
                    "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", "c".repeat(64))] },
                    "history": [{ "created": "2026-01-01T00:00:00Z", "created_by": "ADD", "comment": "imported" }]
                }))?,
            },
            1_997_940,
        );
        let found: Vec<&str> = object.as_object().map(|o| o.keys().map(String::as_str).collect()).unwrap_or_default();
        let expected = "Id Digest RepoTags RepoDigests Parent Comment Created Config Version Author Architecture \
                        Variant Os Size VirtualSize GraphDriver RootFS Labels Annotations ManifestType User \
                        History NamesHistory";
        assert_eq!(found.join(" "), expected);
        for (path, expected) in [
            ("/Id", json!("0a".repeat(32))),
            ("/RepoTags", json!(["docker.io/library/busybox:latest", "localhost/bb:1"])),
            ("/RepoDigests/1", json!(format!("localhost/bb@{manifest}"))),
            ("/Config/Cmd", json!(["sh"])),
            ("/Config/Entrypoint", json!([])),
            ("/Config/Labels/l", json!("v")),
            ("/Architecture", json!("amd64")),
            ("/RootFS/Layers/0", json!(format!("sha256:{}", "c".repeat(64)))),
            ("/History/0/created_by", json!("ADD")),
            ("/User", json!("33")),
            ("/Comment", json!("imported")),
            ("/Size", json!(1_997_940)),
        ] {
            assert_eq!(object.pointer(path), Some(&expected), "{path}");
        }
        Ok(())
    }
}
