//! Filters of volumes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use regex_lite::Regex;

use super::common::{CommonFilter, Times};
use super::{Error, any, boolean, pattern, split};
use crate::storage::volumes::Record;
use crate::view::when::Clock;

/// The keys of podman-volume-ls(1), podman-volume-prune(1) and docker. `after` is `since`; `all` is docker's, of
/// `prune`.
const KEYS: &[&str] =
    &["after", "all", "before", "dangling", "driver", "label", "label!", "name", "opt", "scope", "since", "until"];

/// What a filter compares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VolumeFacts<'a> {
    /// Its record.
    pub(crate) record: &'a Record,
    /// Whether a container uses it.
    pub(crate) is_used: bool,
}

/// All filters of one command line.
#[derive(Debug, Default)]
pub(crate) struct VolumeFilter {
    common: CommonFilter,
    dangling: Vec<bool>,
    drivers: Vec<String>,
    names: Vec<Regex>,
    options: Vec<(String, Option<String>)>,
    scopes: Vec<String>,
    /// `all=false`: only anonymous ones.
    only_anonymous: bool,
}

impl VolumeFilter {
    /// Parses what was typed. `created` returns when the volume of that name was created, for `before` and `since`.
    pub(crate) fn parse(
        typed: &[String],
        clock: Clock,
        created: impl Fn(&str) -> Option<Timestamp>,
    ) -> Result<Self, Error> {
        let mut filter = Self::default();
        let times = Times { clock, what: "volume", created: &created };
        for typed in typed {
            let (key, value) = split(typed, KEYS)?;
            if filter.common.add(key, value, &times)? {
                continue;
            }
            match key {
                "all" => filter.only_anonymous = !boolean(key, value)?,
                "dangling" => filter.dangling.push(boolean(key, value)?),
                "driver" => filter.drivers.push(value.to_owned()),
                "name" => filter.names.push(pattern(key, value)?),
                "opt" => {
                    let (name, value) =
                        value.split_once('=').map_or((value, None), |(name, value)| (name, Some(value)));
                    filter.options.push((name.to_owned(), value.map(str::to_owned)));
                }
                _ => filter.scopes.push(value.to_owned()),
            }
        }
        Ok(filter)
    }

    /// Whether all filters match.
    pub(crate) fn matches(&self, facts: VolumeFacts<'_>) -> bool {
        let record = facts.record;
        self.common.matches(&record.labels, || record.created.parse().ok())
            && (record.is_anonymous || !self.only_anonymous)
            && any(&self.dangling, |dangling| *dangling != facts.is_used)
            && any(&self.drivers, |driver| driver == "local")
            && any(&self.names, |name| name.is_match(record.name.as_str()))
            && any(&self.options, |(name, value)| has_option(&record.options, name, value.as_deref()))
            && any(&self.scopes, |scope| scope == "local")
    }
}

fn has_option(options: &BTreeMap<String, String>, name: &str, value: Option<&str>) -> bool {
    options.get(name).is_some_and(|found| value.is_none_or(|value| found == value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(typed: &[&str]) -> Result<bool, String> {
        let typed: Vec<String> = typed.iter().map(ToString::to_string).collect();
        let map = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let record = Record {
            name: "data-1".parse().expect("a name"),
            created: "2026-01-01T12:00:00Z".to_owned(),
            labels: map("app", "shop"),
            is_anonymous: false,
            options: map("type", "tmpfs"),
        };
        let filter = VolumeFilter::parse(&typed, Clock::at("2026-01-02T00:00:00Z"), |name| {
            (name == "other").then(|| "2026-01-01T00:00:00Z".parse().ok()).flatten()
        });
        let filter = filter.map_err(|error| error.to_string())?;
        Ok(filter.matches(VolumeFacts { record: &record, is_used: true }))
    }

    #[test]
    fn values_of_one_key_are_alternatives_and_all_keys_must_match() {
        for (typed, expected) in [
            (&[][..], true),
            (&["dangling=true"], false),
            (&["dangling=false"], true),
            (&["driver=local"], true),
            (&["driver=nfs"], false),
            (&["driver=nfs", "driver=local"], true),
            (&["name=^data"], true),
            (&["name=ta-1$", "label=app"], true),
            (&["name=^ata"], false),
            (&["label=app=shop"], true),
            (&["label=app=x"], false),
            (&["label!=app"], false),
            (&["opt=type"], true),
            (&["opt=type=tmpfs"], true),
            (&["opt=type=none"], false),
            (&["scope=local"], true),
            (&["scope=global"], false),
            (&["since=other"], true),
            (&["after=other"], true),
            (&["before=other"], false),
            (&["until=1h"], true),
            (&["until=24h"], false),
            (&["all=true"], true),
            (&["all=false"], false),
        ] {
            assert_eq!(matching(typed), Ok(expected), "{typed:?}");
        }
        for (typed, reason) in [
            ("dangling=maybe", "must be true or false"),
            ("ghost=1", "unknown filter `ghost`"),
            ("name=(", "invalid filter `name=(`"),
            ("since=ghost", "no such volume"),
            ("dangling", "must be KEY=VALUE"),
        ] {
            assert!(matching(&[typed]).expect_err("refused").contains(reason), "{typed}");
        }
    }
}
