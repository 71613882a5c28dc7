//! Owners and extended attributes: which of them rc keeps, and how.

use std::collections::BTreeMap;

use super::{Ownership, beneath};
use crate::storage::tar::Entry;
use crate::sys::steering;

/// Why an owner cannot be kept.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadId {
    pub(super) what: &'static str,
    pub(super) id: i64,
    /// IDs from 0 to one less are mapped.
    pub(super) count: u32,
}

/// The owner and group of an entry as IDs of the container, if the map has them.
pub(super) fn owner(entry: &Entry, ownership: Ownership) -> Result<(u32, u32), BadId> {
    // With one ID, owners are only recorded: any that chown(2) accepts is valid (−1 means "no change" there).
    let (users, groups) = match ownership {
        Ownership::Mapped { users, groups } => (users, groups),
        Ownership::Single => (u32::MAX, u32::MAX),
    };
    let check = |what, id: i64, count: u32| match u32::try_from(id) {
        Ok(inside) if inside < count => Ok(inside),
        _ => Err(BadId { what, id, count }),
    };
    Ok((check("user", entry.uid, users)?, check("group", entry.gid, groups)?))
}

/// An extended attribute that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Xattr {
    pub(super) name: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// The attributes of an entry that rc keeps, in the form in which it sets them.
///
/// Drops those that control overlay filesystems: with them a layer could hide or redirect directories, or change owners
/// and modes. `trusted.*` and `security.*` belong to the host, except file capabilities.
pub(super) fn xattrs(entry: &mut Entry, ownership: Ownership) -> Vec<Xattr> {
    let is_single = ownership == Ownership::Single;
    let keep = |name: &[u8]| match name {
        b"security.capability" => !is_single,
        // An access list names users: with one ID there are none to name.
        b"system.posix_acl_access" | b"system.posix_acl_default" => !is_single,
        name => name.starts_with(b"user.") && !steering::has_attribute(name),
    };
    let kept = std::mem::take(&mut entry.xattrs).into_iter().filter(|(name, _)| keep(name));
    kept.map(|(name, value)| {
        let value = if name == b"security.capability" { plain_capability(value) } else { value };
        Xattr { name, value }
    })
    .collect()
}

/// File capabilities without the namespace that they were created for (version 3 becomes 2): the kernel then binds them
/// to the namespace of the process that sets them. Source: capabilities(7), "File capability extended attribute
/// versioning".
fn plain_capability(mut value: Vec<u8>) -> Vec<u8> {
    const VERSION_2: u32 = 0x0200_0000;
    const VERSION_3: u32 = 0x0300_0000;
    if let Some((head, _)) = value.split_first_chunk::<4>()
        && value.len() == 24
    {
        let magic = u32::from_le_bytes(*head);
        if magic & 0xff00_0000 == VERSION_3 {
            value.truncate(20);
            value[..4].copy_from_slice(&(magic & 0x00ff_ffff | VERSION_2).to_le_bytes());
        }
    }
    value
}

/// The owners of a layer that is stored as the user: `UID:GID:PATH` and a zero byte for each path that is not 0:0.
#[derive(Debug, Default)]
pub(super) struct OwnerTable(BTreeMap<Vec<u8>, (u32, u32)>);

impl OwnerTable {
    pub(super) fn insert(&mut self, path: &[u8], owner: (u32, u32)) {
        if owner == (0, 0) {
            self.0.remove(path);
        } else {
            self.0.insert(path.to_vec(), owner);
        }
    }

    /// `link` is another name of `target`.
    pub(super) fn link(&mut self, target: &[u8], link: &[u8]) {
        let owner = self.0.get(target).copied().unwrap_or_default();
        self.insert(link, owner);
    }

    /// Removes a directory and everything in it from the table.
    pub(super) fn remove_tree(&mut self, path: &[u8]) {
        beneath::forget(&mut self.0, path);
    }

    /// The file's bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (path, (uid, gid)) in &self.0 {
            bytes.extend_from_slice(format!("{uid}:{gid}:").as_bytes());
            bytes.extend_from_slice(path);
            bytes.push(0);
        }
        bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_lose_their_namespace() {
        let version_3 = [&[1, 0, 0, 3][..], &[7; 16], &1000_u32.to_le_bytes()].concat();
        assert_eq!(plain_capability(version_3), [&[1, 0, 0, 2][..], &[7; 16]].concat());
        let version_2 = [&[1, 0, 0, 2][..], &[7; 16]].concat();
        assert_eq!(plain_capability(version_2.clone()), version_2);
    }
}
