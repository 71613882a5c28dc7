//! Volumes that nobody named: the image's, and `--volume` with a destination alone.

use super::paths::{clean, is_within};
use super::{Facts, Mount, MountKind};
use crate::types::Invalid;

/// The destination of one `VOLUME` of an image, cleaned.
///
/// `/`, `/proc`, `/sys` and `/dev` are refused: a volume there would replace what the runtime puts there (CVE-2022-23648).
pub(super) fn destination(path: &str) -> Result<String, Invalid> {
    let invalid = |reason: &str| Invalid::new("volume", path, reason);
    let cleaned = clean(path).ok_or_else(|| invalid("must be an absolute path"))?;
    let system = is_within(&cleaned, "/proc") || is_within(&cleaned, "/sys") || cleaned == "/dev";
    if cleaned == "/" || system {
        return Err(invalid("an image cannot put a volume there"));
    }
    Ok(cleaned)
}

/// A volume of this container alone at `destination`.
pub(super) fn anonymous(destination: String, facts: &Facts<'_>) -> Mount {
    let kind = MountKind::Volume { name: (facts.new_volume_name)(), anonymous: true };
    Mount { kind, destination, read_only: false, options: Vec::new() }
}
