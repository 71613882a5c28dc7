use std::fmt;
use std::str::FromStr;

use super::Invalid;

/// How the layers of an image become one root file system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum StorageDriver {
    /// The first of the others that works on this host.
    #[default]
    Auto,
    /// The kernel's overlay, in the user's namespace.
    Overlay,
    /// fuse-overlayfs, a process beside the container.
    FuseOverlayfs,
}

impl StorageDriver {
    /// Its name in `rc.toml`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Overlay => "overlay",
            Self::FuseOverlayfs => "fuse-overlayfs",
        }
    }
}

impl fmt::Display for StorageDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StorageDriver {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        [Self::Auto, Self::Overlay, Self::FuseOverlayfs]
            .into_iter()
            .find(|driver| driver.as_str() == text)
            .ok_or_else(|| Invalid::new("storage driver", text, "must be auto, overlay or fuse-overlayfs"))
    }
}
