//! Filters of pods.

use regex_lite::Regex;

use super::common::{CommonFilter, Times};
use super::{Error, any, pattern, split};
use crate::pod::Pod;
use crate::view::when::Clock;

/// The keys of podman-pod-ps(1).
const KEYS: &[&str] = &[
    "ctr-ids",
    "ctr-names",
    "ctr-number",
    "ctr-status",
    "id",
    "label",
    "label!",
    "name",
    "network",
    "status",
    "until",
];

/// The status words of containers; `stopped` is another word for `exited`. Source: podman-pod-ps(1).
const OF_CONTAINERS: [&str; 6] = ["created", "exited", "paused", "running", "stopped", "unknown"];

/// The status words of pods. Source: podman-pod-ps(1).
const OF_PODS: [&str; 7] = ["created", "dead", "degraded", "exited", "paused", "running", "stopped"];

/// All filters of one command line.
#[derive(Debug, Default)]
pub(crate) struct PodFilter {
    common: CommonFilter,
    ids: Vec<Regex>,
    names: Vec<Regex>,
    networks: Vec<String>,
    numbers: Vec<usize>,
    statuses: Vec<String>,
    of_containers: OfContainers,
}

/// What one of the containers must have.
#[derive(Debug, Default)]
struct OfContainers {
    ids: Vec<Regex>,
    names: Vec<Regex>,
    statuses: Vec<String>,
}

impl PodFilter {
    /// Parses what was typed.
    pub(crate) fn parse(typed: &[String], clock: Clock) -> Result<Self, Error> {
        let mut filter = Self::default();
        let times = Times { clock, what: "pod", created: &|_| None };
        for typed in typed {
            let (key, value) = split(typed, KEYS)?;
            if filter.common.add(key, value, &times)? {
                continue;
            }
            let word = |known: &[&str]| {
                let word = value.to_ascii_lowercase();
                let reason = || format!("must be one of {}", known.join(", "));
                if known.contains(&word.as_str()) { Ok(word) } else { Err(Error::bad(key, value, reason())) }
            };
            match key {
                "ctr-ids" => filter.of_containers.ids.push(pattern(key, value)?),
                "ctr-names" => filter.of_containers.names.push(pattern(key, value)?),
                "ctr-number" => {
                    filter.numbers.push(value.parse().map_err(|_| Error::bad(key, value, "must be a number"))?);
                }
                "ctr-status" => {
                    let word = word(&OF_CONTAINERS)?;
                    filter.of_containers.statuses.push(if word == "stopped" { "exited".to_owned() } else { word });
                }
                "id" => filter.ids.push(pattern(key, value)?),
                "name" => filter.names.push(pattern(key, value)?),
                "network" => filter.networks.push(value.to_owned()),
                _ => filter.statuses.push(word(&OF_PODS)?),
            }
        }
        Ok(filter)
    }

    /// Whether all filters match.
    pub(crate) fn matches(&self, pod: &Pod) -> bool {
        let config = &pod.sandbox.config;
        let one = &self.of_containers;
        let networks = config.network.names();
        let has = |is_it: &dyn Fn(&crate::container::Container) -> bool| pod.members.iter().any(is_it);
        self.common.matches(&config.labels, || config.created.parse().ok())
            && any(&self.ids, |id| id.is_match(config.id.as_str()))
            && any(&self.names, |name| name.is_match(config.name.as_str()))
            && any(&self.networks, |wanted| networks.iter().any(|network| **network == **wanted))
            && any(&self.numbers, |number| *number == pod.members.len())
            && any(&self.statuses, |status| pod.status().as_str().eq_ignore_ascii_case(status))
            && any(&one.ids, |id| has(&|member| id.is_match(member.config.id.as_str())))
            && any(&one.names, |name| has(&|member| name.is_match(member.config.name.as_str())))
            && any(&one.statuses, |status| has(&|member| member.status.as_str() == status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_keys_and_values_are_named() {
        let parse = |typed: &str| PodFilter::parse(&[typed.to_owned()], Clock::at("2026-01-02T00:00:00Z"));
        for typed in ["status=Running", "ctr-status=exited", "ctr-number=0", "name=^a", "label=a=b", "until=1h"] {
            assert!(parse(typed).is_ok(), "{typed}");
        }
        for (typed, reason) in [
            ("status=up", "must be one of created, dead"),
            ("ctr-status=dead", "must be one of created, exited"),
            ("ctr-number=x", "must be a number"),
            ("id=(", "invalid filter `id=(`"),
            ("ghost=1", "unknown filter `ghost`"),
        ] {
            assert!(parse(typed).expect_err("refused").to_string().contains(reason), "{typed}");
        }
    }
}
