//! Filters of the commands that prune.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::common::{CommonFilter, Times};
use super::{Error, split};
use crate::view::when::Clock;

const KEYS: &[&str] = &["label", "label!", "until"];

/// All filters of one command line; objects of any kind.
#[derive(Debug, Default)]
pub(crate) struct PruneFilter(CommonFilter);

impl PruneFilter {
    /// Parses what was typed.
    pub(crate) fn parse(typed: &[String], clock: Clock) -> Result<Self, Error> {
        let mut filter = CommonFilter::default();
        let times = Times { clock, what: "object", created: &|_| None };
        for typed in typed {
            let (key, value) = split(typed, KEYS)?;
            filter.add(key, value, &times)?;
        }
        Ok(Self(filter))
    }

    /// Whether all filters match an object with these labels, created at this time (RFC 3339).
    pub(crate) fn matches(&self, labels: &BTreeMap<String, String>, created: Option<&str>) -> bool {
        self.0.matches(labels, || created.and_then(|at| at.parse::<Timestamp>().ok()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_times_choose_and_any_other_key_is_refused() {
        let clock = Clock::at("2026-01-02T00:00:00Z");
        let labels = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let typed = |typed: &[&str]| typed.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (filters, expected) in [
            (&[][..], true),
            (&["label=a"], true),
            (&["label=a=c"], false),
            (&["label!=a"], false),
            (&["until=1h"], true),
            (&["until=48h"], false),
            (&["label=a", "until=48h"], false),
        ] {
            let filter = PruneFilter::parse(&typed(filters), clock).expect("filters");
            assert_eq!(filter.matches(&labels, Some("2026-01-01T00:00:00Z")), expected, "{filters:?}");
        }
        let until = PruneFilter::parse(&typed(&["until=1h"]), clock).expect("a filter");
        assert!(!until.matches(&labels, None), "an unknown time is not known to be long ago");
        for (filter, message) in [
            ("name=a", "unknown filter `name`"),
            ("dangling=true", "unknown filter `dangling`"),
            ("label", "invalid filter `label`: must be KEY=VALUE"),
        ] {
            let error = PruneFilter::parse(&typed(&[filter]), clock).expect_err("refused");
            assert_eq!(error.to_string(), message);
        }
    }
}
