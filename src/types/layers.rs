use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The directories of an image's layers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Layers {
    /// The layers, lowest first.
    pub(crate) lowers: Vec<PathBuf>,
    /// Where the files of the only layer have their content, the topmost first: overlay's data-only layers.
    pub(crate) data: Vec<PathBuf>,
}

impl From<Vec<PathBuf>> for Layers {
    fn from(lowers: Vec<PathBuf>) -> Self {
        Self { lowers, data: Vec::new() }
    }
}
