//! What the names of entries mean: an archive hides files of lower layers with names that start with `.wh.`, overlayfs
//! with whiteouts and opaque directories. Source: image-spec layer.md, "Whiteouts"; kernel overlayfs.rst.

use rustix::fs::FileType;

use super::parents::split;
use crate::sys::steering;

const OPAQUE_MARKER: &[u8] = b".wh..wh..opq";
const WHITEOUT: &[u8] = steering::WHITEOUT.as_bytes();

/// Source: kernel overlayfs.rst, "User xattr" and "whiteouts and opaque directories".
pub(in crate::storage) const OPAQUE: &str = "user.overlay.opaque";

/// What an entry's name means.
pub(super) enum Place<'a> {
    Root,
    /// Not part of the image: aufs' own metadata.
    Ignored,
    Opaque(&'a [u8]),
    Whiteout(&'a [u8], &'a [u8]),
    Name,
}

/// What the name of an entry means; `None` for a whiteout of an impossible name.
pub(super) fn place(path: &[u8]) -> Option<Place<'_>> {
    let (parent, name) = split(path);
    if path.is_empty() {
        return Some(Place::Root);
    }
    // Few names contain it: one search first, then a check of each component.
    if memchr::memmem::find(path, WHITEOUT).is_none() {
        return Some(Place::Name);
    }
    for component in parent.split(|byte| *byte == b'/') {
        if component.starts_with(b".wh..wh.") {
            return Some(Place::Ignored);
        }
        if component.starts_with(WHITEOUT) {
            return None;
        }
    }
    match name.strip_prefix(WHITEOUT) {
        None => Some(Place::Name),
        Some(_) if name == OPAQUE_MARKER => Some(Place::Opaque(parent)),
        Some(hidden) if hidden.starts_with(WHITEOUT) => Some(Place::Ignored),
        Some(b"" | b"." | b"..") => None,
        Some(hidden) => Some(Place::Whiteout(parent, hidden)),
    }
}

/// Whether overlayfs considers this file a whiteout.
pub(in crate::storage) fn is_whiteout(stat: &rustix::fs::Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}
