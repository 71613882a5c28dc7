use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The directories that a root filesystem is made of: those of an image's layers, or one that is it already.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layers {
    /// The layers, lowest first.
    pub(crate) lowers: Vec<PathBuf>,
    /// Where the files of the only layer have their content, the topmost first: overlay's data-only layers.
    pub(crate) data: Vec<PathBuf>,
    /// The only layer is the root filesystem: what the container writes goes there.
    #[serde(default)]
    pub(crate) is_root: bool,
}

impl From<Vec<PathBuf>> for Layers {
    fn from(lowers: Vec<PathBuf>) -> Self {
        Self { lowers, ..Self::default() }
    }
}
