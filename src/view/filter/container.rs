//! Filters of `ps`.

use jiff::Timestamp;
use regex_lite::Regex;

use super::common::{CommonFilter, Times};
use super::{Error, any, pattern, split};
use crate::monitor::{HealthStatus, State, Status};
use crate::plan::{ContainerConfig, Membership, Mount, MountKind, RestartPolicy};
use crate::types::ImageReference;
use crate::view::command;
use crate::view::when::Clock;

const KEYS: &[&str] = &[
    "ancestor",
    "before",
    "command",
    "exited",
    "health",
    "id",
    "label",
    "label!",
    "name",
    "network",
    "pod",
    "restart-policy",
    "should-start-on-boot",
    "since",
    "status",
    "until",
    "volume",
];

/// What a filter compares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ContainerFacts<'a> {
    /// Its configuration.
    pub(crate) config: &'a ContainerConfig,
    /// Its state, as its monitor wrote it.
    pub(crate) state: &'a State,
    /// Its status, as the kernel knows it.
    pub(crate) status: Status,
}

/// All filters of one command line.
#[derive(Debug, Default)]
pub(crate) struct ContainerFilter {
    common: CommonFilter,
    ancestors: Vec<String>,
    commands: Vec<Regex>,
    exit_codes: Vec<i32>,
    /// `None` is a container without health checks.
    health: Vec<Option<HealthStatus>>,
    ids: Vec<Id>,
    names: Vec<Regex>,
    networks: Vec<String>,
    pods: Vec<String>,
    restart_policies: Vec<String>,
    start_on_boot: Vec<bool>,
    /// `None` is a state of docker's or podman's that no container of rc's is ever in.
    statuses: Vec<Option<Status>>,
    volumes: Vec<String>,
}

impl ContainerFilter {
    /// Parses what was typed. `created` returns when the container with that name or ID was created, for `before` and
    /// `since`.
    pub(crate) fn parse(
        typed: &[String],
        clock: Clock,
        created: impl Fn(&str) -> Option<Timestamp>,
    ) -> Result<Self, Error> {
        let mut filter = Self::default();
        let times = Times { clock, what: "container", created: &created };
        for typed in typed {
            let (key, value) = split(typed, KEYS)?;
            let owned = value.to_owned();
            if filter.common.add(key, value, &times)? {
                continue;
            }
            match key {
                "ancestor" => filter.ancestors.push(owned),
                "exited" => filter
                    .exit_codes
                    .push(value.parse().map_err(|_| Error::bad(key, value, "an exit code must be a number"))?),
                "command" => filter.commands.push(pattern(key, value)?),
                "health" => filter.health.push(match (value, HealthStatus::of_word(value)) {
                    ("none", _) => None,
                    (_, Some(health)) => Some(health),
                    _ => return Err(Error::bad(key, value, "must be starting, healthy, unhealthy or none")),
                }),
                "id" => filter.ids.push(Id::parse(value)?),
                // Docker's names begin with a slash, and `^/web$` is in many scripts.
                "name" => filter.names.push(pattern(key, &value.replacen('/', "", 1))?),
                "network" => filter.networks.push(owned),
                "pod" => filter.pods.push(owned),
                "restart-policy" => filter.restart_policies.push(owned),
                "should-start-on-boot" => filter
                    .start_on_boot
                    .push(value.parse().map_err(|_| Error::bad(key, value, "must be true or false"))?),
                "status" => filter.statuses.push(status(value)?),
                _ => filter.volumes.push(owned),
            }
        }
        Ok(filter)
    }

    /// Whether it is by status or exit code, which containers that do not run have too: then `-a` is implied.
    pub(crate) fn wants_stopped(&self) -> bool {
        !self.statuses.is_empty() || !self.exit_codes.is_empty()
    }

    /// Whether all filters match.
    pub(crate) fn matches(&self, facts: ContainerFacts<'_>) -> bool {
        let ContainerFacts { config, state, status } = facts;
        let id = config.id.as_str();
        self.common.matches(&config.labels, || config.created.parse().ok())
            && any(&self.ids, |wanted| wanted.matches(id))
            && any(&self.commands, |pattern| command(config).first().is_some_and(|word| pattern.is_match(word)))
            && any(&self.health, |wanted| *wanted == state.health.as_ref().map(|health| health.status))
            && any(&self.names, |pattern| pattern.is_match(config.name.as_str()))
            && any(&self.statuses, |wanted| *wanted == Some(status))
            && any(&self.exit_codes, |code| {
                status == Status::Exited && state.exit.as_ref().map_or(255, |exit| exit.code) == *code
            })
            && any(&self.ancestors, |image| is_image(config, image))
            && any(&self.networks, |network| config.network.names().contains(network))
            && any(&self.pods, |wanted| config.pod.as_ref().is_some_and(|pod| is_pod(pod, wanted)))
            && any(&self.restart_policies, |policy| restart_policy(config).as_str() == policy)
            && any(&self.start_on_boot, |wanted| starts_on_boot(config, state) == *wanted)
            && any(&self.volumes, |volume| config.mounts.iter().any(|mount| is_mount(mount, volume)))
    }
}

/// A value of `id`. Source: podman, `FilterID`.
#[derive(Debug)]
enum Id {
    /// Hexadecimal digits: the beginning.
    Prefix(String),
    /// Anything else: a regular expression.
    Pattern(Regex),
}

impl Id {
    fn parse(value: &str) -> Result<Self, Error> {
        if value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self::Prefix(value.to_ascii_lowercase()));
        }
        Ok(Self::Pattern(pattern("id", value)?))
    }

    fn matches(&self, id: &str) -> bool {
        match self {
            Self::Prefix(prefix) => id.starts_with(prefix.as_str()),
            Self::Pattern(pattern) => pattern.is_match(id),
        }
    }
}

/// `pod`: a pod's name, or the beginning of its ID.
fn is_pod(pod: &Membership, wanted: &str) -> bool {
    pod.name.as_str() == wanted || !wanted.is_empty() && pod.id.as_str().starts_with(wanted)
}

/// `volume`: a volume's name, a source or a destination, or the first and the last as `SOURCE:DESTINATION`.
fn is_mount(mount: &Mount, wanted: &str) -> bool {
    let has_source = |wanted: &str| match &mount.kind {
        MountKind::Bind { source } => source.as_os_str() == wanted,
        MountKind::Volume { name, .. } => name.as_str() == wanted,
        _ => false,
    };
    let is_both = |(source, destination)| has_source(source) && mount.destination == destination;
    mount.destination == wanted || has_source(wanted) || wanted.split_once(':').is_some_and(is_both)
}

/// The policy of a container, or that of a pod.
fn restart_policy(config: &ContainerConfig) -> &RestartPolicy {
    config.sandbox.as_ref().map_or(&config.restart, |pod| &pod.restart)
}

/// Whether a boot starts it. Source: podman, `ShouldStartOnBoot`.
fn starts_on_boot(config: &ContainerConfig, state: &State) -> bool {
    match restart_policy(config) {
        RestartPolicy::Always => true,
        RestartPolicy::UnlessStopped => !state.exit.as_ref().is_some_and(|exit| exit.stopped_by_user),
        RestartPolicy::OnFailure { .. } | RestartPolicy::No => false,
    }
}

fn status(value: &str) -> Result<Option<Status>, Error> {
    match Status::of_word(value) {
        None if matches!(value, "dead" | "unknown") => Ok(None),
        None => Err(Error::bad("status", value, format!("a status must be one of {}", Status::WORDS))),
        known => Ok(known),
    }
}

/// `ancestor`: a prefix of the image's ID, or its name with docker's defaults.
fn is_image(config: &ContainerConfig, wanted: &str) -> bool {
    let hex = wanted.strip_prefix("sha256:").unwrap_or(wanted);
    if !hex.is_empty() && config.image.hex().starts_with(hex) || config.image.reference == wanted {
        return true;
    }
    match (wanted.parse::<ImageReference>(), config.image.reference.parse::<ImageReference>()) {
        (Ok(wanted), Ok(image)) => {
            wanted == image || wanted.digest().is_some() && wanted.digest() == config.image.manifest.as_ref()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::sample;

    fn matching(typed: &[&str]) -> Result<bool, String> {
        let (config, state) = sample();
        let typed: Vec<String> = typed.iter().map(ToString::to_string).collect();
        let clock = Clock::at("2026-01-01T12:00:00Z");
        let created = |name: &str| match name {
            "older" => "2025-12-31T00:00:00Z".parse().ok(),
            "newer" => "2026-01-01T11:00:00Z".parse().ok(),
            _ => None,
        };
        let filter = ContainerFilter::parse(&typed, clock, created).map_err(|error| error.to_string())?;
        Ok(filter.matches(ContainerFacts { config: &config, state: &state, status: Status::Running }))
    }

    #[test]
    fn every_key_of_ps() {
        for (typed, expected) in [
            (&[][..], true),
            (&["name=web"], true),
            (&["name=^we"], true),
            (&["name=^/web$"], true),
            (&["name=^eb"], false),
            (&["name=nope", "name=w.b"], true),
            (&["id=5eacc9e701a2"], true),
            (&["id=5EACC9"], true),
            (&["id=5"], true),
            (&["id=acc9"], false),
            (&["id=a"], false),
            (&["id=ffff"], false),
            (&["id=ffff", "id=5e"], true),
            (&["id=^5eac"], true),
            (&["id=e[a-c]+9"], true),
            (&["id=^acc9"], false),
            (&["command=^sh$"], true),
            (&["command=echo"], false),
            (&["health=none"], true),
            (&["health=healthy"], false),
            (&["status=dead"], false),
            (&["status=dead", "status=running"], true),
            (&["status=running"], true),
            (&["status=exited"], false),
            (&["status=exited", "status=running"], true),
            (&["status=exited", "name=web"], false),
            (&["exited=0"], false),
            (&["label=app"], true),
            (&["label=app=shop"], true),
            (&["label=app=other"], false),
            (&["label=app", "label=absent"], false),
            (&["label!=absent"], true),
            (&["label!=app"], false),
            (&["ancestor=busybox"], true),
            (&["ancestor=docker.io/library/busybox:latest"], true),
            (&["ancestor=busybox:1"], false),
            (&["ancestor=a1a1a1a1a1a1"], true),
            (&["network=slirp4netns"], true),
            (&["network=none"], false),
            (&["pod=p"], false),
            (&["pod="], false),
            (&["volume=vv"], true),
            (&["volume=/data"], true),
            (&["volume=/srv/d"], true),
            (&["volume=other"], false),
            (&["volume=vv:/vol"], true),
            (&["volume=/srv/d:/data"], true),
            (&["volume=vv:/data"], false),
            (&["label=a*=shop"], true),
            (&["restart-policy=no"], true),
            (&["restart-policy=always", "restart-policy=unless-stopped"], false),
            (&["should-start-on-boot=true"], false),
            (&["should-start-on-boot=false"], true),
            (&["before=newer"], true),
            (&["before=older"], false),
            (&["since=older"], true),
            (&["since=newer"], false),
            (&["until=1h"], true),
            (&["until=48h"], false),
        ] {
            assert_eq!(matching(typed), Ok(expected), "{typed:?}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused_by_name() {
        for (typed, message) in [
            ("name", "invalid filter `name`: must be KEY=VALUE"),
            ("nope=1", "unknown filter `nope`"),
            ("status=alive", "invalid filter `status=alive`: a status must be one of created, starting"),
            ("exited=x", "invalid filter `exited=x`: an exit code must be a number"),
            ("since=ghost", "invalid filter `since=ghost`: no such container"),
            ("name=(", "invalid filter `name=(`: "),
            ("id=(", "invalid filter `id=(`: "),
            ("health=fine", "invalid filter `health=fine`: must be starting"),
            ("until=soon", "invalid filter `until=soon`: must be RFC 3339"),
        ] {
            let error = matching(&[typed]).expect_err(typed);
            assert!(error.starts_with(message), "{typed}: {error}");
        }
    }
}
