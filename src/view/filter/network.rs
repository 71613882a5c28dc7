//! Filters of networks.

use jiff::Timestamp;
use regex_lite::Regex;

use super::common::{CommonFilter, Times};
use super::{Error, any, boolean, pattern, split};
use crate::types::NetworkRecord;
use crate::view::when::Clock;

/// The keys of podman-network-ls(1), podman-network-prune(1) and docker.
const KEYS: &[&str] =
    &["before", "dangling", "driver", "id", "label", "label!", "name", "scope", "since", "type", "until"];

/// What a filter compares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NetworkFacts<'a> {
    /// Its record.
    pub(crate) record: &'a NetworkRecord,
    /// Whether a container is to be in it.
    pub(crate) is_used: bool,
}

/// All filters of one command line.
#[derive(Debug, Default)]
pub(crate) struct NetworkFilter {
    common: CommonFilter,
    dangling: Vec<bool>,
    drivers: Vec<String>,
    ids: Vec<String>,
    names: Vec<Regex>,
    scopes: Vec<String>,
    /// `type=custom`: not the default network.
    custom: Vec<bool>,
}

impl NetworkFilter {
    /// Parses what was typed. `created` returns when the network of that name was created, for `before` and `since`.
    pub(crate) fn parse(
        typed: &[String],
        clock: Clock,
        created: impl Fn(&str) -> Option<Timestamp>,
    ) -> Result<Self, Error> {
        let mut filter = Self::default();
        let times = Times { clock, what: "network", created: &created };
        for typed in typed {
            let (key, value) = split(typed, KEYS)?;
            if filter.common.add(key, value, &times)? {
                continue;
            }
            match key {
                "dangling" => filter.dangling.push(boolean(key, value)?),
                "driver" => filter.drivers.push(value.to_owned()),
                "id" => filter.ids.push(value.to_owned()),
                "name" => filter.names.push(pattern(key, value)?),
                "type" => filter.custom.push(match value {
                    "custom" => true,
                    "builtin" => false,
                    _ => return Err(Error::bad(key, value, "must be custom or builtin")),
                }),
                _ => filter.scopes.push(value.to_owned()),
            }
        }
        Ok(filter)
    }

    /// Whether all filters match.
    pub(crate) fn matches(&self, facts: NetworkFacts<'_>) -> bool {
        let record = facts.record;
        let is_custom = record.name != crate::types::Name::default_network();
        self.common.matches(&record.labels, || record.created.parse().ok())
            // The default network is there in any case.
            && any(&self.dangling, |dangling| *dangling == (is_custom && !facts.is_used))
            && any(&self.drivers, |driver| *driver == record.driver)
            && any(&self.ids, |id| record.id.starts_with(id))
            && any(&self.names, |name| name.is_match(record.name.as_str()))
            && any(&self.scopes, |scope| scope == "local")
            && any(&self.custom, |custom| *custom == is_custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn matching(typed: &[&str]) -> Result<bool, String> {
        let typed: Vec<String> = typed.iter().map(ToString::to_string).collect();
        let record = NetworkRecord {
            name: "app-1".parse().expect("a name"),
            created: "2026-01-01T12:00:00Z".to_owned(),
            labels: BTreeMap::from([("app".to_owned(), "shop".to_owned())]),
            ..NetworkRecord::default_network()
        };
        let filter = NetworkFilter::parse(&typed, Clock::at("2026-01-02T00:00:00Z"), |name| {
            (name == "other").then(|| "2026-01-01T00:00:00Z".parse().ok()).flatten()
        });
        let filter = filter.map_err(|error| error.to_string())?;
        Ok(filter.matches(NetworkFacts { record: &record, is_used: false }))
    }

    #[test]
    fn values_of_one_key_are_alternatives_and_all_keys_must_match() {
        for (typed, expected) in [
            (&[][..], true),
            (&["dangling=true"], true),
            (&["dangling=false"], false),
            (&["driver=bridge"], true),
            (&["driver=macvlan", "driver=bridge"], true),
            (&["driver=macvlan"], false),
            (&["id=2f25"], true),
            (&["id=f25"], false),
            (&["name=^app"], true),
            (&["name=pp-1$", "label=app=shop"], true),
            (&["label!=app"], false),
            (&["scope=local"], true),
            (&["scope=swarm"], false),
            (&["type=custom"], true),
            (&["type=builtin"], false),
            (&["since=other"], true),
            (&["before=other"], false),
            (&["until=1h"], true),
            (&["until=24h"], false),
        ] {
            assert_eq!(matching(typed), Ok(expected), "{typed:?}");
        }
        for (typed, reason) in [
            ("dangling=maybe", "must be true or false"),
            ("ghost=1", "unknown filter `ghost`"),
            ("name=(", "invalid filter `name=(`"),
            ("since=ghost", "no such network"),
            ("type=x", "must be custom or builtin"),
        ] {
            assert!(matching(&[typed]).expect_err("refused").contains(reason), "{typed}");
        }
    }
}
