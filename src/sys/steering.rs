//! Attributes and names of files in the layers themselves that control the drivers that join layers.
//!
//! If an image could set them, it would hide or move files, or give them other owners and modes, with one driver and
//! not with another. A container may be started with different drivers at different times, so rc drops what controls
//! any of them whenever it stores an image's files: when it unpacks a layer, and when it fills a volume from an image.
//!
//! A program may give its own files such attributes, or such names, if the current driver does not hide them: they are
//! stored in the upper directory of its container, and only affect that container's own root at its next start.

/// One driver.
struct Driver {
    /// Prefixes of attribute names.
    attributes: &'static [&'static str],
    /// Prefixes of file names.
    files: &'static [&'static str],
}

/// The kernel's overlay, with the mount option `userxattr` and without. Source: kernel overlayfs.rst, "User xattr".
const OVERLAY: Driver = Driver { attributes: &["user.overlay.", "trusted.overlay."], files: &[] };

/// fuse-overlayfs: `opaque`, `origin`, `override_stat`, and attributes that stand for others; the kernel's as well.
/// Source: fuse-overlayfs 1.10, main.c and utils.h; src/xattr.rs of its rewrite.
const FUSE_OVERLAYFS: Driver = Driver {
    attributes: &[
        "user.fuseoverlayfs.",
        "security.fuseoverlayfs.",
        "trusted.fuseoverlayfs.",
        "user.containers.",
        "user.overlay.",
        "trusted.overlay.",
    ],
    files: &[WHITEOUT],
};

const DRIVERS: [Driver; 2] = [OVERLAY, FUSE_OVERLAYFS];

/// A file whose name starts with this hides the file of the rest of its name. Source: image-spec layer.md, "Whiteouts".
pub(crate) const WHITEOUT: &str = ".wh.";

/// Whether an extended attribute of this name controls any driver.
pub(crate) fn has_attribute(name: &[u8]) -> bool {
    DRIVERS.iter().flat_map(|driver| driver.attributes).any(|begin| name.starts_with(begin.as_bytes()))
}

/// Whether a file of this name controls any driver.
pub(crate) fn has_file(name: &[u8]) -> bool {
    DRIVERS.iter().flat_map(|driver| driver.files).any(|begin| name.starts_with(begin.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_driver_is_known_by_its_beginning() {
        for name in [
            "user.overlay.opaque",
            "user.overlay.whiteout",
            "trusted.overlay.redirect",
            "user.fuseoverlayfs.opaque",
            "user.fuseoverlayfs.override_stat",
            "security.fuseoverlayfs.override_stat",
            "user.containers.override_stat",
            "user.containers.override_user.fuseoverlayfs.origin",
        ] {
            assert!(has_attribute(name.as_bytes()), "{name}");
        }
        for name in ["user.overlays", "user.note", "security.capability", "user.container.note"] {
            assert!(!has_attribute(name.as_bytes()), "{name}");
        }
        assert!(has_file(b".wh.a") && has_file(b".wh..wh..opq") && !has_file(b".why") && !has_file(b"a.wh."));
    }
}
