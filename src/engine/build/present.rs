//! Whether the store has what a step has made.

use super::Scene;
use super::files;
use crate::storage::StepRecord;
use crate::types::Report;

/// Whether what a record promises is there; a layer that was unpacked for other IDs alone is unpacked for these.
pub(super) fn has(scene: &Scene<'_>, record: &StepRecord) -> Result<bool, Report> {
    let Some(layer) = &record.layer else { return Ok(true) };
    let store = &scene.environment.store;
    if store.has_kept_layer(&scene.target.map, layer)? {
        return Ok(true);
    }
    if !store.has_blob(&layer.digest, layer.size).unwrap_or(false) {
        return Ok(false);
    }
    files::unpack_kept(scene, layer)?;
    Ok(true)
}
