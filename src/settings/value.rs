//! The values of keys in `rc.toml`: how they are written there, and how they are shown.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};

use crate::types::{DetachKeys, Endpoint, Invalid, Name, Network, NetworkDriver, StorageDriver, parse_size};

/// The value of a key.
pub(super) trait Value: Sized {
    /// The TOML type of the value.
    type Written: DeserializeOwned;

    /// Checks the written value.
    fn read(written: Self::Written) -> Result<Self, Invalid>;

    /// The value as in `rc.toml`.
    fn show(&self) -> String;
}

/// Reads a key by its [`Value`]; for serde's `deserialize_with`, so that an error has the position in the file.
pub(super) fn read<'de, D: Deserializer<'de>, T: Value>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::read(T::Written::deserialize(deserializer)?).map(Some).map_err(D::Error::custom)
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

/// A size in bytes; `None`: as rc sees fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bound(pub(crate) Option<u64>);

/// The path of a program; for `None`, rc looks in a fixed list of directories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Program(pub(crate) Option<PathBuf>);

/// Where events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventLogger {
    /// Into the store.
    File,
    /// Nowhere.
    None,
}

impl EventLogger {
    /// Whether they are written at all.
    pub(crate) fn is_on(self) -> bool {
        self == Self::File
    }
}

/// Which builds share what `RUN --mount=type=cache` keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CacheMounts {
    /// All.
    Shared,
    /// Those of one context.
    PerContext,
}

/// A word, or a value of an option in that option's grammar; empty: as if there were none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) String);

/// Values of an option that can be given several times.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Texts(pub(crate) Vec<String>);

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.escape_debug())
}

impl Value for bool {
    type Written = Self;

    fn read(written: Self) -> Result<Self, Invalid> {
        Ok(written)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for u32 {
    type Written = Self;

    fn read(written: Self) -> Result<Self, Invalid> {
        Ok(written)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Text {
    type Written = String;

    fn read(written: String) -> Result<Self, Invalid> {
        Ok(Self(written))
    }

    fn show(&self) -> String {
        quoted(&self.0)
    }
}

impl Value for Texts {
    type Written = Vec<String>;

    fn read(written: Vec<String>) -> Result<Self, Invalid> {
        Ok(Self(written))
    }

    fn show(&self) -> String {
        format!("[{}]", self.0.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
    }
}

impl Value for NonZeroU32 {
    type Written = u32;

    fn read(written: u32) -> Result<Self, Invalid> {
        Self::new(written).ok_or_else(|| Invalid::new("number", "0", "must be at least one"))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Size {
    type Written = String;

    fn read(written: String) -> Result<Self, Invalid> {
        match parse_size(&written)? {
            0 => Err(Invalid::new("size", written, "must be at least one byte")),
            bytes => Ok(Self(bytes)),
        }
    }

    fn show(&self) -> String {
        let (number, unit) = [(30, "g"), (20, "m"), (10, "k")]
            .into_iter()
            .find(|(power, _)| self.0.is_multiple_of(1 << power))
            .map_or((self.0, ""), |(power, unit)| (self.0 >> power, unit));
        quoted(&format!("{number}{unit}"))
    }
}

impl Value for Bound {
    type Written = String;

    fn read(written: String) -> Result<Self, Invalid> {
        if written.is_empty() {
            return Ok(Self(None));
        }
        Size::read(written).map(|size| Self(Some(size.0)))
    }

    fn show(&self) -> String {
        self.0.map_or_else(|| quoted(""), |bytes| Size(bytes).show())
    }
}

impl Value for IpAddr {
    type Written = String;

    fn read(written: String) -> Result<Self, Invalid> {
        written.parse().map_err(|_| Invalid::new("address", written, "must be an IP address"))
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Value for Vec<IpAddr> {
    type Written = Vec<String>;

    fn read(written: Vec<String>) -> Result<Self, Invalid> {
        written.into_iter().map(IpAddr::read).collect()
    }

    fn show(&self) -> String {
        format!("[{}]", self.iter().map(Value::show).collect::<Vec<_>>().join(", "))
    }
}

impl Value for Network {
    type Written = String;

    fn read(written: String) -> Result<Self, Invalid> {
        let network: Self = written.parse()?;
        let bridge = Endpoint { network: Some(Name::default_network()), ..NetworkDriver::Bridge.into() };
        let plain = [NetworkDriver::Slirp4netns.into(), NetworkDriver::Pasta.into(), bridge];
        match &network {
            Self::None | Self::Host => Ok(network),
            Self::Own { endpoints } if plain.iter().any(|plain| endpoints[..] == [plain.clone()]) => Ok(network),
            _ => Err(Invalid::new("network", written, "must be slirp4netns, pasta, bridge, host or none")),
        }
    }

    fn show(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Value for StorageDriver {
    type Written = String;

    fn read(written: String) -> Result<Self, Invalid> {
        written.parse()
    }

    fn show(&self) -> String {
        quoted(self.as_str())
    }
}

impl Value for EventLogger {
    type Written = String;

    fn read(written: String) -> Result<Self, Invalid> {
        match written.as_str() {
            "file" => Ok(Self::File),
            "none" => Ok(Self::None),
            _ => Err(Invalid::new("logger", written, "must be file or none")),
        }
    }

    fn show(&self) -> String {
        quoted(match self {
            Self::File => "file",
            Self::None => "none",
        })
    }
}

impl Value for CacheMounts {
    type Written = String;

    fn read(written: String) -> Result<Self, Invalid> {
        match written.as_str() {
            "shared" => Ok(Self::Shared),
            "per-context" => Ok(Self::PerContext),
            _ => Err(Invalid::new("sharing", written, "must be shared or per-context")),
        }
    }

    fn show(&self) -> String {
        quoted(match self {
            Self::Shared => "shared",
            Self::PerContext => "per-context",
        })
    }
}

impl Value for DetachKeys {
    type Written = String;

    fn read(written: String) -> Result<Self, Invalid> {
        written.parse()
    }

    fn show(&self) -> String {
        quoted(self.as_str())
    }
}

impl Value for Program {
    type Written = String;

    fn read(written: String) -> Result<Self, Invalid> {
        if written.is_empty() {
            return Ok(Self(None));
        }
        let path = PathBuf::from(&written);
        if path.is_absolute() {
            Ok(Self(Some(path)))
        } else {
            Err(Invalid::new("program", written, "must be an absolute path"))
        }
    }

    fn show(&self) -> String {
        quoted(&self.0.as_ref().map_or(String::new(), |path| path.display().to_string()))
    }
}
