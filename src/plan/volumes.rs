//! Anonymous volumes: the image's, and `--volume` with a destination alone.

use super::config::VolumeSettings;
use super::paths::{clean, is_within};
use super::{Error, Mount, MountKind};
use crate::types::{Invalid, Name};

/// The destination of one `VOLUME` of an image, cleaned.
///
/// `/`, `/proc`, `/sys` and `/dev` are refused: a volume there would replace the runtime's own mounts
/// (CVE-2022-23648).
pub(super) fn destination(path: &str) -> Result<String, Invalid> {
    let invalid = |reason: &str| Invalid::new("volume", path, reason);
    let cleaned = clean(path).ok_or_else(|| invalid("must be an absolute path"))?;
    let system = is_within(&cleaned, "/proc") || is_within(&cleaned, "/sys") || cleaned == "/dev";
    if cleaned == "/" || system {
        return Err(invalid("an image cannot put a volume there"));
    }
    Ok(cleaned)
}

/// An anonymous volume at `destination`, with the next of the generated names.
pub(super) fn anonymous<'a>(destination: String, names: &mut impl Iterator<Item = &'a Name>) -> Result<Mount, Error> {
    let name = names.next().ok_or(Error::NotLookedUp("a name for a volume"))?.clone();
    let kind = MountKind::Volume { name, anonymous: true, settings: VolumeSettings::default() };
    Ok(Mount { kind, destination, read_only: false, options: Vec::new() })
}
