//! `inspect` of an image.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use crate::image::local::LocalImage;
use crate::types::ImageReference;

/// The object of an image, with podman's names, and docker's where it has more. `digests` are the names with digests,
/// `size` is the bytes of its unpacked layers, `directories` are those of its layers, lowest first, if they are
/// unpacked.
pub(crate) fn image(image: &LocalImage, digests: &[String], size: u64, directories: Option<&[PathBuf]>) -> Value {
    let config = &image.config;
    let tags: Vec<String> = image.names.iter().filter_map(tagged).collect();
    let version = config.docker_version.as_deref().unwrap_or("");
    json!({
        "Id": image.id.hex(),
        "Digest": image.manifest.digest,
        "RepoTags": tags,
        "RepoDigests": digests,
        "Parent": "",
        // podman shows the first comment, docker the last.
        "Comment": config.history.first().and_then(|step| step.comment.as_deref()).unwrap_or(""),
        "Created": config.created.as_deref().unwrap_or(super::NEVER),
        "Config": settings(image),
        "Version": version,
        "DockerVersion": version,
        "Author": config.author.as_deref().unwrap_or(""),
        "Architecture": config.architecture,
        "Variant": config.variant.as_deref().unwrap_or(""),
        "Os": config.os,
        "OsVersion": config.os_version.as_deref().unwrap_or(""),
        "Size": size,
        "VirtualSize": size,
        "GraphDriver": { "Name": "overlay", "Data": graph(directories.unwrap_or_default()) },
        "RootFS": { "Type": "layers", "Layers": config.rootfs.diff_ids },
        "Metadata": { "LastTagTime": super::NEVER },
        "Descriptor": {
            "mediaType": image.manifest.media_type,
            "digest": image.manifest.digest,
            "size": image.manifest.size,
        },
        "Labels": config.config.labels,
        "Annotations": image.annotations,
        "ManifestType": image.manifest.media_type,
        "User": config.config.user,
        "History": config.history,
        "NamesHistory": image.history,
        "Healthcheck": config.config.healthcheck,
    })
}

/// The directories of the layers, as docker and podman name those of an overlay: the topmost, and those below it.
fn graph(directories: &[PathBuf]) -> Map<String, Value> {
    let shown = |path: &PathBuf| path.display().to_string();
    let mut data = Map::new();
    if let Some((top, lower)) = directories.split_last() {
        if !lower.is_empty() {
            let lower: Vec<String> = lower.iter().rev().map(shown).collect();
            data.insert("LowerDir".to_owned(), json!(lower.join(":")));
        }
        data.insert("UpperDir".to_owned(), json!(shown(top)));
    }
    data
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
        "ArgsEscaped": settings.args_escaped.unwrap_or_default(),
        "Healthcheck": settings.healthcheck,
        "OnBuild": settings.on_build,
        "Shell": settings.shell,
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

    fn sample(config: Value) -> anyhow::Result<LocalImage> {
        Ok(LocalImage {
            id: Digest::sha256([0xa; 32]),
            manifest: Descriptor::new("application/vnd.oci.image.manifest.v1+json", Digest::sha256([0xb; 32]), 9),
            reference: None,
            history: vec!["localhost/bb:1".to_owned()],
            names: vec!["busybox".parse()?, "localhost/bb:1".parse()?],
            indexes: Vec::new(),
            annotations: [("org.example.note".to_owned(), "n".to_owned())].into(),
            layers: Vec::new(),
            config: serde_json::from_value(config)?,
        })
    }

    /// An image of which everything is set.
    fn full() -> anyhow::Result<LocalImage> {
        sample(json!({
            "created": "2026-01-01T00:00:00Z",
            "author": "Ann",
            "docker_version": "28.5.2",
            "architecture": "arm64",
            "variant": "v8",
            "os": "linux",
            "os.version": "1.2",
            "config": {
                "User": "33", "ExposedPorts": { "80/tcp": {} }, "Env": ["A=b"], "Entrypoint": ["/e"], "Cmd": ["sh"],
                "Volumes": { "/data": {} }, "WorkingDir": "/w", "Labels": { "l": "v" }, "StopSignal": "SIGINT",
                "ArgsEscaped": true, "Healthcheck": { "Test": ["CMD", "true"], "Retries": 3 }, "OnBuild": ["RUN x"],
                "Shell": ["/bin/bash", "-c"],
            },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", "c".repeat(64))] },
            "history": [
                { "created": "2026-01-01T00:00:00Z", "created_by": "ADD", "author": "Bob", "comment": "imported" },
                { "created_by": "ENV", "empty_layer": true, "comment": "last" },
            ]
        }))
    }

    /// Whether a value is what an unset field has.
    fn is_empty(value: &Value) -> bool {
        let texts = [json!(null), json!(""), json!(0), json!(false), json!([]), json!({}), json!(crate::view::NEVER)];
        texts.contains(value)
    }

    #[test]
    fn every_field_of_an_image_that_sets_all_is_filled() -> anyhow::Result<()> {
        let directories = ["/l/1/fs", "/l/2/fs", "/l/3/fs"].map(PathBuf::from);
        let digests = ["docker.io/library/busybox@sha256:00".to_owned()];
        let object = image(&full()?, &digests, 1_997_940, Some(&directories));
        let fields = object.as_object().expect("an object");
        let found: Vec<&str> = fields.keys().map(String::as_str).collect();
        let expected = "Id Digest RepoTags RepoDigests Parent Comment Created Config Version DockerVersion Author \
                        Architecture Variant Os OsVersion Size VirtualSize GraphDriver RootFS Metadata Descriptor \
                        Labels Annotations ManifestType User History NamesHistory Healthcheck";
        assert_eq!(found.join(" "), expected);
        let empty = |fields: &Map<String, Value>| {
            let empty = fields.iter().filter(|(_, value)| is_empty(value));
            empty.map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        // rc does not build images on others, and does not record when a name was given.
        assert_eq!(empty(fields), ["Parent"]);
        assert_eq!(object["Metadata"], json!({ "LastTagTime": crate::view::NEVER }));
        assert_eq!(empty(object["Config"].as_object().expect("an object")), Vec::<String>::new());
        let data = json!({ "LowerDir": "/l/2/fs:/l/1/fs", "UpperDir": "/l/3/fs" });
        for (path, expected) in [
            ("/Id", json!("0a".repeat(32))),
            ("/RepoTags", json!(["docker.io/library/busybox:latest", "localhost/bb:1"])),
            ("/RepoDigests", json!(digests)),
            ("/Config/Cmd", json!(["sh"])),
            ("/Config/ExposedPorts", json!({ "80/tcp": {} })),
            ("/Config/Volumes", json!({ "/data": {} })),
            ("/Config/Healthcheck/Retries", json!(3)),
            ("/Healthcheck/Test/0", json!("CMD")),
            ("/Version", json!("28.5.2")),
            ("/Variant", json!("v8")),
            ("/GraphDriver/Data", data),
            ("/Annotations", json!({ "org.example.note": "n" })),
            ("/RootFS/Layers/0", json!(format!("sha256:{}", "c".repeat(64)))),
            ("/History/0/created_by", json!("ADD")),
            ("/History/0/author", json!("Bob")),
            ("/History/1/empty_layer", json!(true)),
            ("/User", json!("33")),
            ("/Comment", json!("imported")),
            ("/Size", json!(1_997_940)),
        ] {
            assert_eq!(object.pointer(path), Some(&expected), "{path}");
        }
        Ok(())
    }

    #[test]
    fn an_image_that_sets_nothing_has_the_same_fields() -> anyhow::Result<()> {
        let nothing = image(&sample(json!({ "rootfs": {} }))?, &[], 0, None);
        let full = image(&full()?, &[], 0, None);
        for path in ["", "/Config", "/GraphDriver", "/RootFS", "/Metadata"] {
            let names = |object: &Value| {
                let fields = object.pointer(path).and_then(Value::as_object).expect("an object");
                fields.keys().cloned().collect::<Vec<_>>()
            };
            assert_eq!(names(&nothing), names(&full), "{path}");
        }
        assert_eq!(nothing["Config"]["Entrypoint"], json!([]));
        Ok(())
    }
}
