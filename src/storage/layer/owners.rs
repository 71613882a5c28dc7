//! What of a file's attributes depends on the ID map: owner, access lists, capabilities.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::{XattrFlags, fsetxattr, lgetxattr, llistxattr};
use rustix::io::Errno;

use crate::sys::steering;
use crate::types::{IdMaps, IdRange};

/// The maximum size of an extended attribute, and of all names of a file. Source: xattr(7), "Limits".
const LONGEST: usize = 64 << 10;

/// IDs of an image, which those of the root namespace are in its layers, as IDs of the root namespace in a container
/// with maps of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owners<'a>(&'a IdMaps);

impl<'a> Owners<'a> {
    pub(super) fn new(maps: &'a IdMaps) -> Self {
        Self(maps)
    }

    pub(super) fn uid(&self, id: u32) -> Option<u32> {
        IdRange::outside_of(&self.0.uids, id)
    }

    pub(super) fn gid(&self, id: u32) -> Option<u32> {
        IdRange::outside_of(&self.0.gids, id)
    }
}

/// Copies the extended attributes of the file at `from`, which is never followed. Those that the filesystem does not
/// support are left out.
pub(super) fn copy_attributes(from: &Path, to: BorrowedFd<'_>, owners: &Owners<'_>) -> io::Result<()> {
    let mut few = [0; 1024];
    let names = match llistxattr(from, &mut few[..]) {
        // Nearly all files.
        Ok(0) | Err(Errno::NOTSUP) => return Ok(()),
        Ok(length) => few[..length].to_vec(),
        Err(Errno::RANGE) => {
            let mut names = vec![0; LONGEST];
            let length = llistxattr(from, &mut names[..])?;
            names.truncate(length);
            names
        }
        Err(error) => return Err(error.into()),
    };
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let of_user = name.starts_with(b"user.") && !steering::has_attribute(name);
        let convert: fn(&[u8], &Owners<'_>) -> Option<Vec<u8>> = match name {
            b"security.capability" => capability,
            b"system.posix_acl_access" | b"system.posix_acl_default" => access_list,
            _ if of_user => |value, _| Some(value.to_vec()),
            _ => continue,
        };
        let mut value = vec![0; LONGEST];
        let length = lgetxattr(from, name, &mut value[..])?;
        let Some(value) = convert(&value[..length], owners) else { continue };
        match fsetxattr(to, name, &value, XattrFlags::empty()) {
            Ok(()) | Err(Errno::NOTSUP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// File capabilities, which count in the namespace whose root is that of the container. Source: capabilities(7), "File
/// capability extended attribute versioning".
fn capability(value: &[u8], owners: &Owners<'_>) -> Option<Vec<u8>> {
    const VERSION_3: u32 = 0x0300_0000;
    let (magic, data) = value.split_first_chunk::<4>()?;
    let magic = u32::from_le_bytes(*magic) & 0x00ff_ffff | VERSION_3;
    let root = owners.uid(0)?;
    Some([&magic.to_le_bytes()[..], data.get(..16)?, &root.to_le_bytes()].concat())
}

/// An access list; entries of IDs that are not mapped grant nothing to anyone and are left out. Source: acl(5),
/// linux/posix_acl_xattr.h.
fn access_list(value: &[u8], owners: &Owners<'_>) -> Option<Vec<u8>> {
    const USER: [u8; 2] = 2u16.to_le_bytes();
    const GROUP: [u8; 2] = 8u16.to_le_bytes();
    let (version, entries) = value.split_first_chunk::<4>()?;
    let mut list = version.to_vec();
    for entry in entries.chunks_exact(8) {
        let (head, id) = entry.split_at(4);
        let id = u32::from_le_bytes(id.try_into().ok()?);
        let id = if head.starts_with(&USER) {
            owners.uid(id)
        } else if head.starts_with(&GROUP) {
            owners.gid(id)
        } else {
            Some(id)
        };
        if let Some(id) = id {
            list.extend_from_slice(head);
            list.extend_from_slice(&id.to_le_bytes());
        }
    }
    Some(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maps() -> IdMaps {
        let ranges =
            vec![IdRange { inside: 0, outside: 1, count: 1000 }, IdRange { inside: 1000, outside: 0, count: 1 }];
        IdMaps { uids: ranges.clone(), gids: ranges }
    }

    #[test]
    fn capabilities_belong_to_the_container_s_root() {
        let version_2 = [&[1, 0, 0, 2][..], &[7; 16]].concat();
        let expected = [&[1, 0, 0, 3][..], &[7; 16], &[1, 0, 0, 0]].concat();
        assert_eq!(capability(&version_2, &Owners::new(&maps())), Some(expected));
        assert_eq!(capability(&version_2[..7], &Owners::new(&maps())), None);
    }

    #[test]
    fn access_lists_name_the_same_users() {
        let entry = |tag: u16, id: u32| [&tag.to_le_bytes()[..], &[7, 0], &id.to_le_bytes()].concat();
        let list = |entries: &[(u16, u32)]| {
            let entries = entries.iter().flat_map(|(tag, id)| entry(*tag, *id));
            [2, 0, 0, 0].into_iter().chain(entries).collect::<Vec<u8>>()
        };
        let given = list(&[(1, u32::MAX), (2, 1000), (2, 5000), (8, 5), (32, u32::MAX)]);
        let expected = list(&[(1, u32::MAX), (2, 0), (8, 6), (32, u32::MAX)]);
        assert_eq!(access_list(&given, &Owners::new(&maps())), Some(expected));
    }
}
