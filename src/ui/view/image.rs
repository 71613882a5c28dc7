//! `inspect` of an image.

use std::collections::HashMap;

use oci_spec::image::ImageConfiguration;
use serde_json::{Value, json};

use crate::types::{Digest, ImageReference};

/// What is known of a local image.
#[derive(Debug, Clone, Copy)]
pub struct ImageInspect<'a> {
    /// The digest of its configuration.
    pub id: &'a Digest,
    /// The digest of its manifest.
    pub manifest: &'a Digest,
    /// The media type of its manifest.
    pub media_type: &'a str,
    /// The annotations of its manifest.
    pub annotations: &'a HashMap<String, String>,
    /// Its names.
    pub names: &'a [ImageReference],
    /// Its configuration.
    pub config: &'a ImageConfiguration,
    /// Bytes of its unpacked layers.
    pub size: u64,
}

/// The object of one image, with podman's names.
pub fn image(image: ImageInspect<'_>) -> Value {
    let config = image.config;
    let settings = config.config();
    let labels = json!(settings.as_ref().and_then(|settings| settings.labels().clone()).unwrap_or_default());
    let mut digests: Vec<String> =
        image.names.iter().map(|name| format!("{}@{}", name.name(), image.manifest)).collect();
    digests.dedup();
    let tags: Vec<String> = image.names.iter().filter(|name| name.tag().is_some()).map(without_digest).collect();
    json!({
        "Id": image.id.hex(),
        "Digest": image.manifest,
        "RepoTags": tags,
        "RepoDigests": digests,
        "Parent": "",
        "Comment": config.history().iter().flatten().next_back().and_then(|step| step.comment().clone()).unwrap_or_default(),
        "Created": config.created().as_deref().unwrap_or(super::NEVER),
        "Config": settings,
        "Version": "",
        "Author": config.author().as_deref().unwrap_or(""),
        "Architecture": config.architecture(),
        "Os": config.os(),
        "Size": image.size,
        "VirtualSize": image.size,
        "GraphDriver": { "Name": "overlay", "Data": {} },
        "RootFS": { "Type": "layers", "Layers": config.rootfs().diff_ids() },
        "Labels": labels,
        "Annotations": image.annotations,
        "ManifestType": image.media_type,
        "User": settings.as_ref().and_then(|settings| settings.user().clone()).unwrap_or_default(),
        "History": config.history(),
        "NamesHistory": tags,
    })
}

fn without_digest(name: &ImageReference) -> String {
    format!("{}:{}", name.name(), name.tag().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_podman_and_their_values() -> anyhow::Result<()> {
        let config: ImageConfiguration = serde_json::from_value(json!({
            "created": "2026-01-01T00:00:00Z",
            "architecture": "amd64",
            "os": "linux",
            "config": { "Env": ["A=b"], "Cmd": ["sh"], "Labels": { "l": "v" }, "User": "33" },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", "c".repeat(64))] },
            "history": [{ "created": "2026-01-01T00:00:00Z", "created_by": "ADD", "comment": "imported" }]
        }))?;
        let manifest = Digest::sha256([0xb; 32]);
        let names = ["busybox".parse()?, "localhost/bb:1".parse()?];
        let object = image(ImageInspect {
            id: &Digest::sha256([0xa; 32]),
            manifest: &manifest,
            media_type: "application/vnd.oci.image.manifest.v1+json",
            annotations: &HashMap::new(),
            names: &names,
            config: &config,
            size: 1_997_940,
        });
        let found: Vec<&str> = object.as_object().map(|o| o.keys().map(String::as_str).collect()).unwrap_or_default();
        assert_eq!(
            found,
            [
                "Id",
                "Digest",
                "RepoTags",
                "RepoDigests",
                "Parent",
                "Comment",
                "Created",
                "Config",
                "Version",
                "Author",
                "Architecture",
                "Os",
                "Size",
                "VirtualSize",
                "GraphDriver",
                "RootFS",
                "Labels",
                "Annotations",
                "ManifestType",
                "User",
                "History",
                "NamesHistory"
            ]
        );
        for (path, expected) in [
            ("/Id", json!("0a".repeat(32))),
            ("/RepoTags", json!(["docker.io/library/busybox:latest", "localhost/bb:1"])),
            ("/RepoDigests/1", json!(format!("localhost/bb@{manifest}"))),
            ("/Config/Cmd", json!(["sh"])),
            ("/Config/Labels/l", json!("v")),
            ("/Architecture", json!("amd64")),
            ("/RootFS/Layers/0", json!(format!("sha256:{}", "c".repeat(64)))),
            ("/History/0/created_by", json!("ADD")),
            ("/User", json!("33")),
            ("/Comment", json!("imported")),
        ] {
            assert_eq!(object.pointer(path), Some(&expected), "{path}");
        }
        Ok(())
    }
}
