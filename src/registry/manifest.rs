use std::collections::BTreeMap;

use serde::Deserialize;

use super::{MANIFEST_LIMIT, Platform};
use crate::types::{Digest, Report, ReportKind, Thing, json};

/// The media types that rc asks a registry for.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// Why a manifest, index or configuration is invalid.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// It is not JSON, or lacks a field, or a field has an invalid value (a digest, a size).
    #[error("the {what} cannot be read: {source}")]
    Json {
        /// `manifest`, `index`, `configuration`.
        what: &'static str,
        /// Where and why.
        source: serde_json::Error,
    },
    /// Both `layers` and `manifests`: its meaning would depend on the reader (CVE-2021-41190).
    #[error("ambiguous manifest: it has both `layers` and `manifests`")]
    Ambiguous,
    /// Neither `layers` nor `manifests`.
    #[error("it is neither an image manifest nor an index")]
    Neither,
    /// The header and the document disagree on its type (CVE-2021-41190).
    #[error("ambiguous manifest: it was sent as `{header}`, and calls itself `{document}`")]
    MediaType {
        /// Content-Type, or the media type of the descriptor that led here.
        header: String,
        /// `mediaType`, or the type according to its fields.
        document: String,
    },
    /// Docker's format from before 2016, which does not identify layers by anything that can be checked.
    #[error("unsupported manifest: schema 1, ask the publisher to re-push")]
    Schema1,
    /// A manifest of something that is not an image.
    #[error("it is not a container image but `{kind}`")]
    Artifact {
        /// Its artifact or configuration type.
        kind: String,
    },
    /// A layer that needs a key.
    #[error("layer `{digest}` is encrypted, which rc does not support")]
    Encrypted {
        /// The layer.
        digest: Digest,
    },
    /// A layer of a type that rc does not know.
    #[error("layer `{digest}` has the unsupported media type `{media_type}`")]
    LayerType {
        /// The layer.
        digest: Digest,
        /// Its type.
        media_type: String,
    },
    /// The numbers of layers and of diff IDs differ.
    #[error("it has {layers} layers, and its configuration lists {diff_ids}")]
    LayerCount {
        /// Layers of the manifest.
        layers: usize,
        /// `rootfs.diff_ids` of the configuration.
        diff_ids: usize,
    },
    /// A document whose declared size is larger than allowed.
    #[error("its {what} is declared to have {size} bytes, more than {MANIFEST_LIMIT}")]
    TooLarge {
        /// `manifest`, `configuration`.
        what: &'static str,
        /// The descriptor's size.
        size: u64,
    },
    /// No entry of the index matches.
    #[error("it has no image for {wanted}, only for {}", found.join(", "))]
    NoPlatform {
        /// The requested platform.
        wanted: Platform,
        /// The available platforms; the first ten.
        found: Vec<String>,
    },
    /// An index in an index in an index.
    #[error("indexes are nested deeper than 2")]
    Depth,
}

impl From<Fault> for Report {
    fn from(error: Fault) -> Self {
        let kind = match error {
            Fault::Json { .. } | Fault::LayerCount { .. } => ReportKind::Damaged,
            Fault::Ambiguous | Fault::Neither | Fault::MediaType { .. } | Fault::TooLarge { .. } | Fault::Depth => {
                ReportKind::Invalid
            }
            Fault::Schema1 | Fault::Artifact { .. } | Fault::Encrypted { .. } | Fault::LayerType { .. } => {
                ReportKind::Unsupported
            }
            Fault::NoPlatform { .. } => ReportKind::NotFound(Thing::Image),
        };
        Self::new(kind, error.to_string())
    }
}

/// A reference to a blob. rc ignores `urls` on purpose: content comes from the registry that the user named (safety.md
/// R1).
///
/// Not the store's descriptor, which also has a platform and annotations: this one reads only what rc uses, so that an
/// unusual value elsewhere fails no pull.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    /// The declared type of the blob.
    #[serde(default)]
    pub(crate) media_type: String,
    /// Its digest.
    pub(crate) digest: Digest,
    /// Its declared length in bytes: nothing is allocated according to it.
    pub(crate) size: u64,
}

/// An image manifest, OCI or docker schema 2, with known layer types only.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    /// Its media type.
    pub(crate) media_type: &'static str,
    /// The configuration, at most [`MANIFEST_LIMIT`] bytes.
    pub(crate) config: Descriptor,
    /// The layers, lowest first.
    pub(crate) layers: Vec<Descriptor>,
    /// The annotations that are text.
    pub(crate) annotations: BTreeMap<String, String>,
}

/// An index or manifest list.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    entries: Vec<IndexEntry>,
}

/// One of the two.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// One image.
    Manifest(Manifest),
    /// Images of several platforms.
    Index(Index),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    schema_version: Option<u32>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<IndexEntry>>,
    annotations: Option<serde_json::Value>,
}

#[derive(Debug, Clone, Deserialize)]
struct IndexEntry {
    #[serde(flatten)]
    descriptor: Descriptor,
    platform: Option<EntryPlatform>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Deserialize)]
struct EntryPlatform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
}

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// The media type of docker's lists.
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1";

impl Kind {
    /// Reads a manifest or index; `declared` is the media type that it was announced with, empty if there was none.
    ///
    /// `types::json` limits the nesting, the caller the size.
    pub(crate) fn parse(bytes: &[u8], declared: &str) -> Result<Self, Fault> {
        let declared = declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if declared.starts_with(DOCKER_SCHEMA_1) {
            return Err(Fault::Schema1);
        }
        let document: Document = json::from_slice(bytes).map_err(|source| Fault::Json { what: "manifest", source })?;
        if document.schema_version == Some(1) {
            return Err(Fault::Schema1);
        }
        let media_type = document.media_type(&declared)?;
        match (document.layers, document.manifests) {
            (Some(_), Some(_)) => Err(Fault::Ambiguous),
            (None, Some(entries)) => Ok(Self::Index(Index { entries })),
            (Some(layers), None) => {
                let config = document.config.ok_or(Fault::Neither)?;
                let mut manifest = Manifest::new(media_type, document.artifact_type, config, layers)?;
                manifest.annotations = texts(document.annotations);
                Ok(Self::Manifest(manifest))
            }
            (None, None) => Err(Fault::Neither),
        }
    }
}

impl Document {
    /// The type of the document, on which its announcement, its `mediaType` and its fields must agree.
    fn media_type(&self, declared: &str) -> Result<&'static str, Fault> {
        let is_index = self.manifests.is_some() && self.layers.is_none();
        let family = if is_index { [OCI_INDEX, DOCKER_LIST] } else { [OCI_MANIFEST, DOCKER_MANIFEST] };
        // Servers of plain files have no better name for it; the document decides then.
        let declared = match declared {
            "" | "application/json" | "application/octet-stream" | "text/plain" => None,
            other => Some(other),
        };
        let own = self.media_type.as_deref().filter(|own| !own.is_empty());
        if let (Some(header), Some(own)) = (declared, own)
            && header != own
        {
            return Err(Fault::MediaType { header: header.to_owned(), document: own.to_owned() });
        }
        match declared.or(own) {
            None => Ok(family[0]),
            Some(said) => family.into_iter().find(|known| *known == said).ok_or_else(|| Fault::MediaType {
                header: said.to_owned(),
                document: if is_index { "an index" } else { "an image manifest" }.to_owned(),
            }),
        }
    }
}

impl Manifest {
    fn new(
        media_type: &'static str,
        artifact_type: Option<String>,
        config: Descriptor,
        layers: Vec<Descriptor>,
    ) -> Result<Self, Fault> {
        match config.media_type.as_str() {
            "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json" => {}
            other => return Err(Fault::Artifact { kind: artifact_type.unwrap_or_else(|| other.to_owned()) }),
        }
        if config.size > MANIFEST_LIMIT {
            return Err(Fault::TooLarge { what: "configuration", size: config.size });
        }
        for layer in &layers {
            if layer.media_type.ends_with("+encrypted") {
                return Err(Fault::Encrypted { digest: layer.digest.clone() });
            }
            if !is_layer(&layer.media_type) {
                let media_type = layer.media_type.clone();
                return Err(Fault::LayerType { digest: layer.digest.clone(), media_type });
            }
        }
        Ok(Self { media_type, config, layers, annotations: BTreeMap::new() })
    }

    /// Joins each layer with its diff ID, the configuration's `rootfs.diff_ids`.
    pub(crate) fn with_diff_ids(&self, diff_ids: &[Digest]) -> Result<Vec<(Descriptor, Digest)>, Fault> {
        if diff_ids.len() != self.layers.len() {
            return Err(Fault::LayerCount { layers: self.layers.len(), diff_ids: diff_ids.len() });
        }
        Ok(self.layers.iter().cloned().zip(diff_ids.iter().cloned()).collect())
    }
}

/// The texts of a map; anything else would fail no pull.
fn texts(annotations: Option<serde_json::Value>) -> BTreeMap<String, String> {
    let Some(serde_json::Value::Object(map)) = annotations else { return BTreeMap::new() };
    map.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned()))).collect()
}

/// Whether a layer of this type is a tar archive, plain or compressed. Its first bytes tell how it is compressed:
/// images with the wrong one of these types exist, and every other tool runs them.
fn is_layer(media_type: &str) -> bool {
    let oci = media_type
        .strip_prefix("application/vnd.oci.image.layer.v1.")
        .or_else(|| media_type.strip_prefix("application/vnd.oci.image.layer.nondistributable.v1."));
    let docker = media_type
        .strip_prefix("application/vnd.docker.image.rootfs.diff.")
        .or_else(|| media_type.strip_prefix("application/vnd.docker.image.rootfs.foreign.diff."));
    matches!(oci, Some("tar" | "tar+gzip" | "tar+zstd")) || matches!(docker, Some("tar" | "tar.gzip" | "tar.zstd"))
}

impl Index {
    /// The entry that fits `platform` best; of equal ones, the first. Skips attestations, which are not images.
    pub(crate) fn choose(&self, platform: &Platform) -> Result<&Descriptor, Fault> {
        let images = || self.entries.iter().filter(|entry| !entry.is_attestation());
        let rank = |entry: &IndexEntry| match &entry.platform {
            Some(found) => platform.rank(&found.os, &found.architecture, found.variant.as_deref()),
            // An entry without a platform is chosen if nothing else fits: the image's configuration will tell.
            None => Some(u32::MAX),
        };
        let best = images().filter_map(|entry| Some((rank(entry)?, entry))).min_by_key(|(rank, _)| *rank);
        let entry = best.map(|(_, entry)| entry).ok_or_else(|| Fault::NoPlatform {
            wanted: platform.clone(),
            found: images().filter_map(IndexEntry::platform_text).take(10).collect(),
        })?;
        if entry.descriptor.size > MANIFEST_LIMIT {
            return Err(Fault::TooLarge { what: "manifest", size: entry.descriptor.size });
        }
        Ok(&entry.descriptor)
    }
}

impl IndexEntry {
    fn is_attestation(&self) -> bool {
        let reference_type = self.annotations.as_ref().and_then(|a| a.get("vnd.docker.reference.type"));
        let is_unknown = self.platform.as_ref().is_some_and(|p| p.os == "unknown" && p.architecture == "unknown");
        reference_type.is_some_and(|kind| kind == "attestation-manifest") || is_unknown
    }

    fn platform_text(&self) -> Option<String> {
        let EntryPlatform { os, architecture, variant } = self.platform.as_ref()?;
        let variant = variant.as_ref().map(|variant| format!("/{variant}")).unwrap_or_default();
        Some(format!("{os}/{architecture}{variant}"))
    }
}

#[cfg(test)]
mod tests;
