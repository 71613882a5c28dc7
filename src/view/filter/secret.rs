//! Filters of secrets.

use regex_lite::Regex;

use super::{Error, any, pattern, split};
use crate::storage::secrets::SecretRecord;

/// The keys of podman-secret-ls(1) and docker.
const KEYS: &[&str] = &["id", "label", "name"];

/// All filters of one command line.
#[derive(Debug, Default)]
pub(crate) struct SecretFilter {
    ids: Vec<String>,
    labels: Vec<(String, Option<String>)>,
    names: Vec<Regex>,
}

impl SecretFilter {
    /// Parses what was typed.
    pub(crate) fn parse(typed: &[String]) -> Result<Self, Error> {
        let mut filter = Self::default();
        for typed in typed {
            match split(typed, KEYS)? {
                ("id", value) => filter.ids.push(value.to_owned()),
                ("name", value) => filter.names.push(pattern("name", value)?),
                (_, value) => {
                    let (name, value) = value.split_once('=').map_or((value, None), |(name, text)| (name, Some(text)));
                    filter.labels.push((name.to_owned(), value.map(str::to_owned)));
                }
            }
        }
        Ok(filter)
    }

    /// Whether all filters match.
    pub(crate) fn matches(&self, record: &SecretRecord) -> bool {
        any(&self.ids, |id| record.id.starts_with(id))
            && any(&self.names, |name| name.is_match(record.name.as_str()))
            && self.labels.iter().all(|(name, value)| {
                record.labels.get(name).is_some_and(|found| value.as_ref().is_none_or(|value| value == found))
            })
    }
}
