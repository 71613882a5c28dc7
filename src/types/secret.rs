use std::fmt;
use std::path::PathBuf;

/// A secret as a file in a container.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretFile {
    /// The absolute path in the container.
    pub(crate) path: PathBuf,
    /// Its owner in the container.
    pub(crate) uid: u32,
    /// Its group in the container.
    pub(crate) gid: u32,
    /// Its permissions.
    pub(crate) mode: u32,
    /// The secret itself.
    pub(crate) value: Vec<u8>,
}

impl fmt::Debug for SecretFile {
    /// Leaves the value out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretFile").field("path", &self.path).finish_non_exhaustive()
    }
}
