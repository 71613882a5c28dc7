//! The types of manifests, and what is in them.

use crate::storage::Compression;

/// The format of a manifest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// OCI.
    #[default]
    Oci,
    /// Docker's schema 2.
    Docker,
}

/// Source: image-spec media-types.md.
pub(super) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Source: distribution's manifest-v2-2.md.
pub(super) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

impl Format {
    /// That of a manifest with this media type.
    pub(super) fn of(media_type: &str) -> Self {
        if media_type == DOCKER_MANIFEST { Self::Docker } else { Self::Oci }
    }

    /// The type of a manifest.
    pub(super) fn manifest(self) -> &'static str {
        match self {
            Self::Oci => OCI_MANIFEST,
            Self::Docker => DOCKER_MANIFEST,
        }
    }

    /// The type of a configuration.
    pub(super) fn config(self) -> &'static str {
        match self {
            Self::Oci => OCI_CONFIG,
            Self::Docker => DOCKER_CONFIG,
        }
    }

    /// The type of a layer whose type in OCI is `oci`.
    pub(super) fn layer(self, oci: &str) -> String {
        let types = [Compression::None, Compression::Gzip, Compression::Zstd].map(Compression::layer_type);
        let dockers = ["tar", "tar.gzip", "tar.zstd"];
        match (self, types.iter().position(|known| *known == oci)) {
            (Self::Docker, Some(number)) => format!("application/vnd.docker.image.rootfs.diff.{}", dockers[number]),
            _ => oci.to_owned(),
        }
    }
}
