//! New identities: the ID and the name of a container, the names of its anonymous volumes.

use super::{Error, names};
use crate::plan::Identity;
use crate::storage::Store;
use crate::types::{ContainerId, Name};

/// A new ID, the name (or a random one that is free), and the time.
pub(crate) fn new_identity(store: &Store, name: Option<Name>) -> Result<Identity, Error> {
    let id = ContainerId::from_bytes(random()?);
    let name = match name {
        Some(name) => name,
        None => loop {
            let name = names::random(random()?)?;
            if names::owner(store, &name).is_none() {
                break name;
            }
        },
    };
    Ok(Identity { id, name, created: crate::monitor::now() })
}

/// A name for an anonymous volume of the container `id`: 64 hex digits, and the first half is that of the ID. If the
/// start is killed before the container has its directory, the name alone shows that no container owns the volume.
pub(crate) fn volume_name(id: &ContainerId) -> Result<Name, Error> {
    let random = ContainerId::from_bytes(random()?);
    let name = format!("{}{}", volume_stem(id), &random.as_str()[VOLUME_STEM..]);
    Ok(name.parse()?)
}

/// A name for a volume that nobody has named: 64 hex digits.
pub(crate) fn random_name() -> Result<Name, Error> {
    Ok(ContainerId::from_bytes(random()?).as_str().parse()?)
}

/// The beginning of the name of every anonymous volume of the container `id`.
pub(super) fn volume_stem(id: &ContainerId) -> &str {
    &id.as_str()[..VOLUME_STEM]
}

/// How many digits of an ID that is.
const VOLUME_STEM: usize = 32;

/// Bytes from the kernel's random source.
fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0u8; N];
    let flags = rustix::rand::GetRandomFlags::empty();
    rustix::rand::getrandom(&mut bytes[..], flags).map_err(|e| Error::step("get random bytes")(e.into()))?;
    Ok(bytes)
}
