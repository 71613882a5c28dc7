use std::fmt;
use std::str::FromStr;

use super::{Invalid, serde_as_string};

/// A container's id: 64 lower-case hex digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ContainerId(String);

impl ContainerId {
    /// The id with these 32 bytes, which the caller took from the kernel's random source.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        use fmt::Write;
        Self(bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap_or_default();
            text
        }))
    }

    /// All 64 digits.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 digits, as tables show them.
    pub(crate) fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl FromStr for ContainerId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new("container id", text, "must be 64 lower-case hex digits"))
        }
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

serde_as_string!(ContainerId);
