//! What a cache outside the store says of itself: which steps it has, by key, and which layers they have made.
//!
//! The container is BuildKit's (`application/vnd.buildkit.cacheconfig.v0`), so that registries and tools take it. The
//! keys are rc's own: neither tool finds anything in the other's cache, and neither fails. What rc needs besides is in
//! the field `rc` of a record; a record without it is another tool's. Source: BuildKit, `cache/remotecache/v1/spec.go`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::storage::{Descriptor, StepRecord};
use crate::types::{Digest, json};

/// The media type of the configuration.
pub(crate) const CACHE_CONFIG: &str = "application/vnd.buildkit.cacheconfig.v0";

/// The most records, and the most layers.
const MOST: usize = 100_000;

/// The whole document.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Document {
    #[serde(default)]
    layers: Vec<Layer>,
    #[serde(default)]
    records: Vec<Record>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Layer {
    blob: Digest,
    parent: i64,
    #[serde(default)]
    annotations: Option<Annotations>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Annotations {
    #[serde(default)]
    media_type: String,
    #[serde(rename = "diffID")]
    diff_id: Digest,
    size: u64,
    #[serde(default)]
    created_at: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    digest: Digest,
    #[serde(default, rename = "layers", skip_serializing_if = "Vec::is_empty")]
    results: Vec<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rc: Option<Own>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    layer: usize,
    #[serde(default)]
    created_at: Option<String>,
}

/// What only rc needs.
#[derive(Debug, Serialize, Deserialize)]
struct Own {
    created: String,
    shown: String,
    took: u64,
    /// The bytes of the layer without compression; absent if the step has changed no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

impl Own {
    fn of(record: &StepRecord) -> Self {
        Self {
            created: record.created.clone(),
            shown: record.shown.clone(),
            took: record.took,
            bytes: record.layer.as_ref().map(|layer| layer.size),
        }
    }
}

/// A step that another machine has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CachedStep {
    /// Its key.
    pub(crate) key: Digest,
    /// What it has made.
    pub(crate) record: StepRecord,
    /// The layer as the cache has it, compressed.
    pub(crate) blob: Option<Descriptor>,
}

/// The document of these steps, and their layers, each once.
pub(crate) fn write(steps: &[CachedStep]) -> Result<(Vec<u8>, Vec<Descriptor>), serde_json::Error> {
    let (mut document, mut blobs) = (Document::default(), Vec::<Descriptor>::new());
    for step in steps {
        let mut results = Vec::new();
        if let (Some(layer), Some(blob)) = (&step.record.layer, &step.blob) {
            let known = blobs.iter().position(|known| known.digest == blob.digest);
            let place = known.unwrap_or_else(|| {
                let annotations = Annotations {
                    media_type: blob.media_type.clone(),
                    diff_id: layer.digest.clone(),
                    size: blob.size,
                    created_at: Some(step.record.created.clone()),
                };
                document.layers.push(Layer { blob: blob.digest.clone(), parent: -1, annotations: Some(annotations) });
                blobs.push(blob.clone());
                blobs.len() - 1
            });
            results.push(Outcome { layer: place, created_at: Some(step.record.created.clone()) });
        }
        document.records.push(Record { digest: step.key.clone(), results, rc: Some(Own::of(&step.record)) });
    }
    Ok((serde_json::to_vec(&document)?, blobs))
}

/// The records of these steps for the configuration of the image with these layers, without those whose layer it does
/// not have. Source: BuildKit, `cache/remotecache/inline`.
pub(crate) fn write_inline(steps: &[(Digest, StepRecord)], diff_ids: &[Digest]) -> Result<Vec<u8>, serde_json::Error> {
    let mut records = Vec::new();
    for (key, record) in steps {
        let place = match &record.layer {
            None => None,
            Some(layer) => match diff_ids.iter().rposition(|diff_id| *diff_id == layer.digest) {
                None => continue,
                place => place,
            },
        };
        let results = place.map(|layer| Outcome { layer, created_at: Some(record.created.clone()) });
        let results = results.into_iter().collect();
        records.push(Record { digest: key.clone(), results, rc: Some(Own::of(record)) });
    }
    serde_json::to_vec(&records)
}

/// Reads the records of an image's configuration. `layers` are those of the image, each with its diff ID.
pub(crate) fn read_inline(bytes: &[u8], layers: &[(Descriptor, Digest)]) -> Result<Vec<CachedStep>, String> {
    let records: Vec<Record> = json::from_slice(bytes).map_err(|error| error.to_string())?;
    let layers = layers.iter().map(|(blob, diff_id)| Layer {
        blob: blob.digest.clone(),
        parent: -1,
        annotations: Some(Annotations {
            media_type: blob.media_type.clone(),
            diff_id: diff_id.clone(),
            size: blob.size,
            created_at: None,
        }),
    });
    steps(Document { layers: layers.collect(), records })
}

/// Reads a document. Records of other tools are left out. Fails with a sentence.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<CachedStep>, String> {
    // An array would be read as an object without any field.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err("invalid: it is no JSON object".to_owned());
    }
    steps(json::from_slice(bytes).map_err(|error| error.to_string())?)
}

fn steps(document: Document) -> Result<Vec<CachedStep>, String> {
    if document.layers.len() > MOST || document.records.len() > MOST {
        return Err(format!("it has more than {MOST} layers or records"));
    }
    let mut steps = Vec::new();
    for record in document.records {
        let Some(own) = record.rc else { continue };
        if record.digest.sha256_bytes().is_none() {
            return Err(format!("`{}` is no key", record.digest));
        }
        let (layer, blob) = match (own.bytes, record.results.first()) {
            (None, None) => (None, None),
            (Some(bytes), Some(result)) => {
                let found = document.layers.get(result.layer);
                let annotations = found.and_then(|layer| layer.annotations.as_ref());
                let (Some(layer), Some(said)) = (found, annotations) else {
                    return Err(format!("the record {} has a layer that is not there", record.digest));
                };
                let blob = Descriptor::new(said.media_type.clone(), layer.blob.clone(), said.size);
                (Some(Descriptor::new("", said.diff_id.clone(), bytes)), Some(blob))
            }
            _ => return Err(format!("the record {} does not say what it has made", record.digest)),
        };
        let Own { created, shown, took, .. } = own;
        let made = StepRecord { created, layer, shown, took, labels: BTreeMap::new() };
        steps.push(CachedStep { key: record.digest, record: made, blob });
    }
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(number: u8, layer: Option<u8>) -> CachedStep {
        let digest = |number| Digest::sha256([number; 32]);
        CachedStep {
            key: digest(number),
            record: StepRecord {
                created: "2026-01-01T00:00:00Z".to_owned(),
                layer: layer.map(|layer| Descriptor::new("", digest(layer), 100)),
                shown: "RUN x".to_owned(),
                took: 7,
                labels: BTreeMap::new(),
            },
            blob: layer.map(|layer| Descriptor::new("gzip", digest(layer + 100), 50)),
        }
    }

    #[test]
    fn what_was_written_is_read_and_layers_are_there_once() {
        let steps = [step(1, Some(10)), step(2, None), step(3, Some(10)), step(4, Some(11))];
        let (bytes, blobs) = write(&steps).expect("written");
        assert_eq!(blobs.len(), 2);
        assert_eq!(read(&bytes).expect("read"), steps);
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.starts_with("{\"layers\":[{\"blob\":\"sha256:"), "{text}");
    }

    #[test]
    fn steps_in_an_image_have_its_layers_by_number() {
        let steps = [step(1, Some(10)), step(2, None), step(3, Some(12))];
        let pairs: Vec<_> = steps.iter().map(|step| (step.key.clone(), step.record.clone())).collect();
        let digest = |number| Digest::sha256([number; 32]);
        let bytes = write_inline(&pairs, &[digest(9), digest(10)]).expect("written");
        let blob = |number| Descriptor::new("gzip", digest(number), 50);
        let layers = [(blob(109), digest(9)), (blob(110), digest(10))];
        assert_eq!(read_inline(&bytes, &layers).expect("read"), steps[..2], "the third has another layer");
        assert!(read_inline(&bytes, &layers[..1]).is_err_and(|error| error.contains("not there")));
        assert!(read_inline(br#"[{"digest":"sha256:x"}]"#, &layers).is_err());
        assert_eq!(read_inline(b"[]", &[]), Ok(Vec::new()));
    }

    #[test]
    fn b17_what_is_malformed_is_refused_and_what_is_foreign_is_left_out() {
        let key = format!("sha256:{}", "0".repeat(64));
        let record = |digest: &str, rest: &str| format!("{{\"records\":[{{\"digest\":\"{digest}\"{rest}}}]}}");
        let own = ",\"rc\":{\"created\":\"\",\"shown\":\"\",\"took\":1";
        assert_eq!(read(record(&key, "").as_bytes()), Ok(Vec::new()), "BuildKit's own");
        assert_eq!(read(b"{}"), Ok(Vec::new()));
        let long = format!("sha512:{}", "0".repeat(128));
        for (text, expected) in [
            ("[]".to_owned(), "invalid"),
            (record("sha256:../../x", &format!("{own}}}")), "digest"),
            (record(&long, &format!("{own}}}")), "is no key"),
            (record(&key, &format!("{own},\"bytes\":5}},\"layers\":[{{\"layer\":3}}]")), "not there"),
            (record(&key, &format!("{own},\"bytes\":5}}")), "does not say"),
            (record(&key, &format!("{own},\"bytes\":-5}}")), "invalid"),
        ] {
            let error = read(text.as_bytes()).expect_err(&text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
