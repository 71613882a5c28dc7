//! `--filter KEY=VALUE`, with podman's rules: several values of one key are alternatives, except that all labels must
//! match; different keys must all match. An unknown key is refused.

mod cache;
mod common;
mod container;
mod event;
mod image;
mod network;
mod pod;
mod prune;
mod secret;
mod volume;

use regex_lite::Regex;

use crate::types::{Report, ReportKind};

pub(crate) use cache::{CacheFacts, CacheFilter};
pub(crate) use container::{ContainerFacts, ContainerFilter};
pub(crate) use event::EventFilter;
pub(crate) use image::{ImageFacts, ImageFilter, is_named};
pub(crate) use network::{NetworkFacts, NetworkFilter};
pub(crate) use pod::PodFilter;
pub(crate) use prune::PruneFilter;
pub(crate) use secret::SecretFilter;
pub(crate) use volume::{VolumeFacts, VolumeFilter};

/// Why a filter was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It has no `=`.
    #[error("invalid filter `{0}`: must be KEY=VALUE")]
    NoValue(String),
    /// A key that this command does not filter by.
    #[error("unknown filter `{key}`")]
    UnknownKey {
        /// As typed.
        key: String,
        /// Those that it filters by.
        known: &'static [&'static str],
    },
    /// A value that the key does not accept.
    #[error("invalid filter `{key}={value}`: {reason}")]
    BadValue {
        /// The key.
        key: &'static str,
        /// As typed.
        value: String,
        /// What is wrong.
        reason: String,
    },
    /// `before` or `since` names something that does not exist.
    #[error("invalid filter `{key}={value}`: no such {what}")]
    NoSuchObject {
        /// The key.
        key: &'static str,
        /// As typed.
        value: String,
        /// `container` or `image`.
        what: &'static str,
    },
}

impl From<Error> for Report {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::NoValue(_) | Error::UnknownKey { .. } | Error::BadValue { .. } | Error::NoSuchObject { .. } => {
                ReportKind::Invalid
            }
        };
        Self::new(kind, error.to_string()).with_hint_of(error.hint())
    }
}

impl Error {
    /// The keys that exist, after an unknown one.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { known, .. } => Some(format!("filters are {}", known.join(", "))),
            _ => None,
        }
    }

    fn bad(key: &'static str, value: &str, reason: impl Into<String>) -> Self {
        Self::BadValue { key, value: value.to_owned(), reason: reason.into() }
    }
}

/// Splits `KEY=VALUE`; `label!=x` has the key `label!`.
fn split<'a>(typed: &'a str, known: &'static [&'static str]) -> Result<(&'static str, &'a str), Error> {
    let (key, value) = typed.split_once('=').ok_or_else(|| Error::NoValue(typed.to_owned()))?;
    match known.iter().find(|name| **name == key) {
        Some(key) => Ok((key, value)),
        None => Err(Error::UnknownKey { key: key.to_owned(), known }),
    }
}

fn pattern(key: &'static str, value: &str) -> Result<Regex, Error> {
    Regex::new(value).map_err(|error| Error::bad(key, value, error.to_string()))
}

/// A truth value, as Go reads it.
fn boolean(key: &'static str, value: &str) -> Result<bool, Error> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(Error::bad(key, value, "must be true or false")),
    }
}

/// Whether one of the alternatives of a key matches; true if the key was not given.
fn any<T>(alternatives: &[T], matches: impl FnMut(&T) -> bool) -> bool {
    alternatives.is_empty() || alternatives.iter().any(matches)
}
