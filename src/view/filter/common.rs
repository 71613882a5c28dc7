//! What containers and images are filtered by alike: labels and times.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Error;
use crate::types::glob;
use crate::view::when::{self, Clock};

/// Filters by label, and by the time of creation.
#[derive(Debug, Default)]
pub(super) struct CommonFilter {
    created_before: Vec<Timestamp>,
    created_after: Vec<Timestamp>,
    labels: Vec<String>,
    labels_absent: Vec<String>,
}

/// Where the times of a filter come from.
pub(super) struct Times<'a> {
    /// What `until` counts back from.
    pub(super) clock: Clock,
    /// What `before` and `since` name: `container` or `image`.
    pub(super) what: &'static str,
    /// When the object of that name or ID was created, if it exists.
    pub(super) created: &'a dyn Fn(&str) -> Option<Timestamp>,
}

impl CommonFilter {
    /// Adds a filter, if it is one of these; returns whether it is.
    pub(super) fn add(&mut self, key: &'static str, value: &str, times: &Times<'_>) -> Result<bool, Error> {
        let created = || {
            let no_such = || Error::NoSuchObject { key, value: value.to_owned(), what: times.what };
            (times.created)(value).ok_or_else(no_such)
        };
        match key {
            "before" => self.created_before.push(created()?),
            "since" | "after" => self.created_after.push(created()?),
            "until" => self
                .created_before
                .push(when::parse(value, times.clock).map_err(|error| Error::bad(key, value, error.reason))?),
            "label" => self.labels.push(value.to_owned()),
            "label!" => self.labels_absent.push(value.to_owned()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether all filters match; asks for the time of creation only if one needs it.
    pub(super) fn matches(&self, labels: &BTreeMap<String, String>, created: impl Fn() -> Option<Timestamp>) -> bool {
        self.labels.iter().all(|wanted| has_label(labels, wanted))
            && !self.labels_absent.iter().any(|wanted| has_label(labels, wanted))
            && self.created_before.iter().all(|limit| created().is_some_and(|at| at < *limit))
            && self.created_after.iter().all(|limit| created().is_some_and(|at| at > *limit))
    }
}

/// `NAME`, which may have `*` for any characters, or `NAME=VALUE`; an empty value is any. Source: podman,
/// `MatchLabelFilters`.
pub(super) fn has_label(labels: &BTreeMap<String, String>, wanted: &str) -> bool {
    let (name, value) = wanted.split_once('=').unwrap_or((wanted, ""));
    let is_named = |label: &str| {
        // The pattern matches a part of the label, and slashes are like other characters.
        let whole = |text: &str| text.replace('/', "|");
        label == name || name.contains('*') && glob::matches(&whole(&format!("*{name}*")), &whole(label))
    };
    labels.iter().any(|(label, found)| (value.is_empty() || found == value) && is_named(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_named_whole_or_by_a_pattern_and_an_empty_value_is_any() {
        let labels = BTreeMap::from([("org.example/app", "shop"), ("tier", "")].map(|(k, v)| (k.into(), v.into())));
        for (wanted, expected) in [
            ("tier", true),
            ("tier=", true),
            ("tier=web", false),
            ("org.example/app=shop", true),
            ("org.example/app=", true),
            ("org.*=shop", true),
            ("example/a*", true),
            ("*=shop", true),
            ("org.*=other", false),
            ("app", false),
            ("ti", false),
        ] {
            assert_eq!(has_label(&labels, wanted), expected, "{wanted}");
        }
    }
}
