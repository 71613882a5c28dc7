//! The files of a container, as its configuration has them: the image, a root directory, mounts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::types::{Digest, Name, host_path};

/// The image of a container. All is empty but the ports if it has none: its files are a directory of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImageSource {
    /// The image's id: the digest of its configuration.
    #[serde(default)]
    pub(crate) id: Option<Digest>,
    /// The digest of its manifest.
    #[serde(default)]
    pub(crate) manifest: Option<Digest>,
    /// The complete reference, for tables (`docker.io/library/busybox:latest`), or the id as typed.
    pub(crate) reference: String,
    /// The diff ids of its layers, lowest first.
    pub(crate) layers: Vec<Digest>,
    /// Ports that the image or the command line exposes, as `80/tcp`.
    pub(crate) exposed_ports: Vec<String>,
}

impl ImageSource {
    /// Its ID in hex, with all digits; empty if there is none.
    pub(crate) fn hex(&self) -> &str {
        self.id.as_ref().map_or("", Digest::hex)
    }

    /// The first digits of its ID; empty if there is none.
    pub(crate) fn short(&self) -> &str {
        self.id.as_ref().map_or("", Digest::short)
    }

    /// Whether it is the image with this ID.
    pub(crate) fn is(&self, id: &Digest) -> bool {
        self.id.as_ref() == Some(id)
    }
}

/// A directory of the host as the root filesystem of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RootDirectory {
    /// Its path, absolute.
    #[serde(with = "host_path")]
    pub(crate) path: PathBuf,
    /// What the container writes goes to its own directory, on top of this one.
    pub(crate) is_overlaid: bool,
}

/// One further mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mount {
    /// What is mounted.
    pub(crate) kind: MountKind,
    /// The absolute path in the container.
    pub(crate) destination: String,
    /// Read-only.
    pub(crate) read_only: bool,
    /// Further options as typed (`rslave`, `exec`, `nocopy`) and checked, sizes in bytes.
    pub(crate) options: Vec<String>,
}

/// The kind of a mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "type")]
pub(crate) enum MountKind {
    /// A file or directory of the host, absolute.
    Bind {
        /// The path on the host.
        #[serde(with = "host_path")]
        source: PathBuf,
    },
    /// A named volume; created if missing.
    Volume {
        /// Its name; an anonymous volume has 64 hex digits.
        name: Name,
        /// Created for this container alone; `rm -v` and `--rm` remove it with the container.
        anonymous: bool,
        /// What it gets if it is created.
        #[serde(default, skip_serializing_if = "VolumeSettings::is_empty")]
        settings: VolumeSettings,
    },
    /// A tmpfs.
    Tmpfs,
    /// A ramfs.
    Ramfs,
    /// Terminals.
    Devpts,
    /// The files of an image.
    Image {
        /// The image.
        image: Box<ImageSource>,
    },
}

/// Labels and options of a volume that is created when it is mounted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct VolumeSettings {
    /// Labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// Options of the driver `local`.
    pub(crate) options: BTreeMap<String, String>,
}

impl VolumeSettings {
    fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.options.is_empty()
    }
}
