//! Attributes of directories, which are set last: new files in a directory change its time, and may need write
//! permission that its mode does not give.

use std::collections::BTreeMap;

use super::attributes::Xattr;
use super::beneath;
use crate::storage::tar::Time;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attributes {
    pub(super) mode: u32,
    pub(super) owner: (u32, u32),
    /// `None` keeps the time of unpacking.
    pub(super) mtime: Option<Time>,
    pub(super) xattrs: Vec<Xattr>,
}

impl Attributes {
    /// Of a root that no entry describes; other such directories get theirs when they are created (`Parents`).
    fn implied() -> Self {
        Self { mode: 0o755, owner: (0, 0), mtime: None, xattrs: Vec::new() }
    }
}

/// The maximum size of the extended attributes of all directories, which stay in memory until the end of the layer.
const XATTR_LIMIT: usize = 8 << 20;

#[derive(Debug)]
pub(super) struct Directories {
    attributes: BTreeMap<Vec<u8>, Attributes>,
    /// Bytes of extended attributes so far.
    xattrs: usize,
}

impl Default for Directories {
    fn default() -> Self {
        Self { attributes: BTreeMap::from([(Vec::new(), Attributes::implied())]), xattrs: 0 }
    }
}

impl Directories {
    /// Records a directory's attributes; returns whether there is room for them.
    #[must_use]
    pub(super) fn set(&mut self, path: &[u8], attributes: Attributes) -> bool {
        let bytes = attributes.xattrs.iter().map(|xattr| xattr.name.len() + xattr.value.len()).sum::<usize>();
        self.xattrs = self.xattrs.saturating_add(bytes);
        self.attributes.insert(path.to_vec(), attributes);
        self.xattrs <= XATTR_LIMIT
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.attributes.len()
    }

    /// Removes a directory and everything in it from the record.
    pub(super) fn remove_tree(&mut self, path: &[u8]) {
        beneath::forget(&mut self.attributes, path);
    }

    /// All directories, each before its parent, so that no permission is removed that is still needed.
    pub(super) fn deepest_first(self) -> impl Iterator<Item = (Vec<u8>, Attributes)> {
        self.attributes.into_iter().rev()
    }
}
