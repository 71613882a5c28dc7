use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::types::Digest;

/// A reference to a blob. rc ignores `urls` on purpose: they could lead anywhere.
///
/// Source: image-spec descriptor.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    /// The media type of the content.
    #[serde(default)]
    pub(crate) media_type: String,
    /// The digest of the content.
    pub(crate) digest: Digest,
    /// Bytes.
    pub(crate) size: u64,
    /// Annotations; in index.json, `org.opencontainers.image.ref.name` has a meaning.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) annotations: BTreeMap<String, String>,
    /// The platform of the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<Platform>,
    /// The type of an artifact that is not an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
}

impl Descriptor {
    /// A descriptor without annotations.
    pub(crate) fn new(media_type: impl Into<String>, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.into(),
            digest,
            size,
            annotations: BTreeMap::new(),
            platform: None,
            artifact_type: None,
        }
    }
}

/// The platform of an image. Source: image-spec image-index.md.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Platform {
    /// As Go's GOARCH: `amd64`, `arm64`.
    pub(crate) architecture: String,
    /// As Go's GOOS: `linux`.
    pub(crate) os: String,
    /// As `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) variant: Option<String>,
    /// Of Windows.
    #[serde(default, rename = "os.version", skip_serializing_if = "Option::is_none")]
    pub(crate) os_version: Option<String>,
}
