//! Values that are parsed once at the edge and always valid.

pub(crate) mod capability;
pub(crate) mod container_path;
mod dialect;
mod digest;
mod duration;
mod endpoint;
mod extras;
pub(crate) mod glob;
mod helper_options;
pub(crate) mod host_path;
mod id;
mod id_maps;
pub(crate) mod image_settings;
pub(crate) mod json;
mod keys;
mod layers;
mod linked;
mod mac;
mod name;
mod namespaces;
mod nearest;
mod network;
mod network_record;
mod network_state;
mod port;
mod reference;
mod report;
mod secret;
pub(crate) mod shell;
mod signal;
mod size;
mod storage_driver;

use std::fmt;

pub(crate) use dialect::{DOCKER_VERSION, Dialect, PODMAN_VERSION};
pub(crate) use digest::{Algorithm, Digest};
pub(crate) use duration::{go_duration, parse_duration};
pub(crate) use endpoint::{INTERFACE_NAMES, is_interface};
pub(crate) use extras::{Account, Extras, Link};
pub(crate) use helper_options::{PastaOptions, Slirp4netnsOptions};
pub(crate) use id::ContainerId;
pub(crate) use id_maps::{IdMaps, IdRange};
pub(crate) use image_settings::{ImageSettings, or_default};
pub(crate) use keys::DetachKeys;
pub(crate) use layers::Layers;
pub(crate) use linked::Linked;
pub(crate) use mac::MacAddress;
pub(crate) use name::Name;
pub(crate) use namespaces::{Joined, NamespaceKind};
pub(crate) use nearest::nearest;
pub(crate) use network::{Endpoint, Network, NetworkDriver};
pub(crate) use network_record::{LeaseRange, NetworkRecord, Route, Subnet};
pub(crate) use network_state::{EndpointState, NetworkAddress, NetworkState};
pub(crate) use port::{PortMapping, Protocol};
pub(crate) use reference::ImageReference;
pub(crate) use report::{Kind as ReportKind, Report, Thing};
pub(crate) use secret::SecretFile;
pub(crate) use signal::Signal;
pub(crate) use size::parse_size;
pub(crate) use storage_driver::StorageDriver;

/// Why a value was refused: `what` kind of value, the `value` itself, and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// The kind of value, in the user's words: `digest`, `container name`.
    pub(crate) what: &'static str,
    /// What was given.
    pub(crate) value: String,
    /// What is wrong with it, in lower case: what the value must be, what it contains …, or a sentence of its own.
    pub(crate) reason: String,
}

impl std::error::Error for Invalid {}

impl fmt::Display for Invalid {
    /// ``working directory `a` must be an absolute path``, or ``invalid size `1x`: unknown unit``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, value, reason } = self;
        let value = value.escape_debug();
        let is_predicate = ["must ", "cannot ", "contains ", "needs "].iter().any(|verb| reason.starts_with(verb));
        if is_predicate {
            write!(f, "{what} `{value}` {reason}")
        } else {
            write!(f, "invalid {what} `{value}`: {reason}")
        }
    }
}

impl From<Invalid> for Report {
    fn from(error: Invalid) -> Self {
        Self::new(ReportKind::Invalid, error.to_string())
    }
}

impl Invalid {
    /// Says that `value` is no `what`, because of `reason`.
    pub(crate) fn new(what: &'static str, value: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { what, value: value.into(), reason: reason.into() }
    }
}

/// Refuses a record of `what` that a later rc wrote in an unknown format.
fn check_format(what: &str, format: u32, known: u32) -> Result<(), String> {
    if format > known {
        return Err(format!("the {what} has format {format}; this rc reads formats up to {known}"));
    }
    Ok(())
}

/// Implements serde through `Display` and `FromStr`, so that a value read from disk is checked like one that was
/// typed.
macro_rules! serde_as_string {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_as_string;
