//! The manifest of an image that is pushed.

use serde_json::{Map, Value, json};

use crate::image::Error;
use crate::image::format::Format;
use crate::image::local::LocalImage;
use crate::registry::manifest::Fault;
use crate::storage::{Compression, Descriptor};
use crate::types::json as parser;

/// The manifest to push, and its media type, made of `old` with these layers and in this format; `None` if neither
/// changes, so that its digest stays, too.
pub(in crate::image) fn manifest(
    old: &[u8],
    image: &LocalImage,
    layers: &[Descriptor],
    wanted: Option<Format>,
) -> Result<Option<(Vec<u8>, &'static str)>, Error> {
    let is_of = Format::of(&image.manifest.media_type);
    // Docker's format has no zstd: an image with it becomes OCI unless docker's is asked for.
    let has_zstd = layers.iter().any(|layer| layer.media_type == Compression::Zstd.layer_type());
    let same_layers = layers.iter().map(|layer| &layer.digest).eq(image.layers.iter().map(|layer| &layer.blob.digest));
    let format = wanted.unwrap_or(if has_zstd && !same_layers { Format::Oci } else { is_of });
    if same_layers && format == is_of {
        return Ok(None);
    }
    let damaged = |source| Error::Damaged {
        manifest: image.manifest.digest.clone(),
        source: Box::new(Fault::Json { what: "manifest", source }),
    };
    let mut document: Map<String, Value> = parser::from_slice(old).map_err(damaged)?;
    if format == Format::Docker {
        for key in ["annotations", "artifactType", "subject"] {
            document.remove(key);
        }
    }
    document.insert("mediaType".to_owned(), json!(format.manifest()));
    if let Some(config) = document.get_mut("config").and_then(Value::as_object_mut) {
        config.insert("mediaType".to_owned(), json!(format.config()));
    }
    let listed = document.get_mut("layers").and_then(Value::as_array_mut).into_iter().flatten();
    for (entry, layer) in listed.zip(layers) {
        let Some(entry) = entry.as_object_mut() else { continue };
        entry.insert("mediaType".to_owned(), json!(format.layer(&layer.media_type)));
        entry.insert("digest".to_owned(), json!(layer.digest));
        entry.insert("size".to_owned(), json!(layer.size));
        if format == Format::Docker {
            entry.remove("annotations");
        }
    }
    let bytes = serde_json::to_vec(&document).map_err(damaged)?;
    Ok(Some((bytes, format.manifest())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Config;
    use crate::image::format::{DOCKER_MANIFEST, OCI_MANIFEST};
    use crate::image::local::Layer;
    use crate::types::Digest;

    fn digest(byte: u8) -> Digest {
        Digest::sha256([byte; 32])
    }

    fn image(media_type: &str) -> LocalImage {
        LocalImage {
            id: digest(9),
            manifest: Descriptor::new(media_type, digest(8), 1),
            reference: None,
            history: Vec::new(),
            names: Vec::new(),
            indexes: Vec::new(),
            config: Config::default(),
            annotations: Default::default(),
            layers: vec![Layer { blob: Descriptor::new("", digest(1), 5), diff_id: digest(2) }],
        }
    }

    fn layer(byte: u8, compression: Compression) -> Vec<Descriptor> {
        vec![Descriptor::new(compression.layer_type(), digest(byte), 7)]
    }

    #[test]
    fn a_manifest_changes_only_if_its_layers_or_its_format_do() {
        let old = json!({ "schemaVersion": 2, "config": { "digest": "c" }, "layers": [{ "digest": "l", "a": 1 }],
            "annotations": { "x": "y" } });
        let old = old.to_string().into_bytes();
        let (gzip, zstd) = (Compression::Gzip, Compression::Zstd);
        for (is_of, layers, wanted, media_type, layer_type) in [
            (OCI_MANIFEST, layer(1, gzip), None, OCI_MANIFEST, None),
            (DOCKER_MANIFEST, layer(1, gzip), None, DOCKER_MANIFEST, None),
            (OCI_MANIFEST, layer(1, gzip), Some(Format::Oci), OCI_MANIFEST, None),
            (OCI_MANIFEST, layer(3, zstd), None, OCI_MANIFEST, Some(zstd.layer_type())),
            (DOCKER_MANIFEST, layer(3, zstd), None, OCI_MANIFEST, Some(zstd.layer_type())),
            (
                OCI_MANIFEST,
                layer(1, gzip),
                Some(Format::Docker),
                DOCKER_MANIFEST,
                Some("application/vnd.docker.image.rootfs.diff.tar.gzip"),
            ),
            (DOCKER_MANIFEST, layer(1, gzip), Some(Format::Oci), OCI_MANIFEST, Some(gzip.layer_type())),
        ] {
            let changed = manifest(&old, &image(is_of), &layers, wanted).expect("a manifest");
            assert_eq!(changed.is_some(), layer_type.is_some());
            let (Some((bytes, found)), Some(layer_type)) = (changed, layer_type) else { continue };
            assert_eq!(found, media_type);
            let new: Value = parser::from_slice(&bytes).expect("JSON");
            assert_eq!(new["mediaType"], media_type);
            assert_eq!(new["layers"][0]["mediaType"], layer_type);
            assert_eq!(new["layers"][0]["digest"], json!(layers[0].digest));
            assert_eq!(new["layers"][0]["a"], 1);
            assert_eq!(new["annotations"].is_null(), media_type == DOCKER_MANIFEST);
            assert_eq!(new["config"]["digest"], "c");
        }
    }
}
