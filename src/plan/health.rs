//! Health checks (`--health-cmd` and the like, the image's HEALTHCHECK, `--no-healthcheck`): what the container's
//! monitor runs beside the program, how often, and what follows from it.

mod change;
mod request;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Error, ImageDefaults, Sdnotify};
use crate::types::image_settings::Healthcheck as ImageHealthcheck;
use crate::types::{Invalid, json, parse_duration};

pub(super) use change::changed;
pub(crate) use request::HealthRequest;

/// The time between two checks, and the time that one may take. Source: podman-run(1), `--health-interval`.
const USUAL: Duration = Duration::from_secs(30);
/// How many failures in a row make a container unhealthy. Source: podman-run(1), `--health-retries`.
const RETRIES: u32 = 3;
/// The shortest interval and timeout. Source: docker, `validateHealthCheck`.
const SHORTEST: Duration = Duration::from_millis(1);
/// The time between two checks of a container that starts. Source: docker-run(1), `--health-start-interval`.
const START_INTERVAL: Duration = Duration::from_secs(5);
/// How many results are kept, and how many bytes of the output of each. Source: podman-run(1).
const LOG: HealthLog = HealthLog { count: 5, size: 500 };
/// The most that can be kept: the record is rewritten after each check. Source for the size: docker,
/// `maxOutputLen`.
const MOST: HealthLog = HealthLog { count: 100, size: 4096 };

/// The health check of a container, complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Healthcheck {
    /// What decides whether the container is healthy.
    #[serde(flatten)]
    pub(crate) check: Check,
    /// Failures in this time after the start do not count, until a check has passed.
    pub(crate) start_period: Duration,
    /// The time between two checks in the start period.
    pub(crate) start_interval: Duration,
    /// What is done when the container becomes unhealthy.
    pub(crate) on_failure: OnFailure,
    /// A check that must pass before the first one is run.
    #[serde(default)]
    pub(crate) startup: Option<Startup>,
    /// What is kept of the results.
    pub(crate) log: HealthLog,
}

/// One check, and its rhythm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Check {
    /// `CMD` and the program with its arguments, or `CMD-SHELL` and a line for the shell.
    pub(crate) test: Vec<String>,
    /// The time from the end of a check to the next one; `None`: only `healthcheck run` runs it.
    pub(crate) interval: Option<Duration>,
    /// How long one may take.
    pub(crate) timeout: Duration,
    /// How many failures in a row are one too many; of a startup check, 0 is no bound.
    pub(crate) retries: u32,
}

/// A check for the time in which a program starts (`--health-startup-cmd`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Startup {
    /// The check; after `retries` failures the container is restarted.
    #[serde(flatten)]
    pub(crate) check: Check,
    /// How often it must pass.
    pub(crate) successes: u32,
}

/// What is kept of the results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HealthLog {
    /// How many results, the latest ones.
    pub(crate) count: usize,
    /// How many bytes of the output of each, from its beginning.
    pub(crate) size: usize,
}

/// What is done when a container becomes unhealthy (`--health-on-failure`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnFailure {
    /// Nothing.
    #[default]
    None,
    /// It is killed.
    Kill,
    /// It is stopped and started again, whatever the restart policy is.
    Restart,
    /// It is stopped.
    Stop,
}

impl OnFailure {
    /// The value of `--health-on-failure`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Stop => "stop",
        }
    }
}

impl Healthcheck {
    /// Whether a failure starts the program again.
    pub(super) fn restarts(&self) -> bool {
        let gives_up = |startup: &Startup| startup.check.retries > 0;
        self.on_failure == OnFailure::Restart || self.startup.as_ref().is_some_and(gives_up)
    }
}

impl Check {
    /// The command line.
    pub(crate) fn command(&self) -> Vec<String> {
        match self.test.split_first() {
            Some((kind, words)) if kind == "CMD-SHELL" => vec!["/bin/sh".to_owned(), "-c".to_owned(), words.join(" ")],
            Some((_, words)) => words.to_vec(),
            None => Vec::new(),
        }
    }
}

/// The health check of the image, changed by the options; `None` if there is none.
pub(super) fn healthcheck(
    request: &HealthRequest,
    image: &ImageDefaults,
    sdnotify: Sdnotify,
) -> Result<Option<Healthcheck>, Error> {
    let found = if request.disabled {
        if !request.is_of_nothing_else() {
            return Err(Error::Exclusive { options: ["--no-healthcheck", "--health-*"] });
        }
        None
    } else {
        complete(request, image)?
    };
    let refuse = |option, what, value: &str, reason| Err(Error::option(option)(Invalid::new(what, value, reason)));
    if found.is_none() && sdnotify == Sdnotify::Healthy {
        return refuse("--sdnotify", "mode", "healthy", "needs a health check: `--health-cmd`");
    }
    Ok(found)
}

fn complete(request: &HealthRequest, image: &ImageDefaults) -> Result<Option<Healthcheck>, Error> {
    let of_image = image.healthcheck.as_ref();
    let test = match &request.cmd {
        Some(text) => command("--health-cmd", text)?,
        None => of_image.map(words_of_image).unwrap_or_default(),
    };
    if test.is_empty() || test[0] == "NONE" {
        return Ok(None);
    }
    let duration = |length: fn(&ImageHealthcheck) -> i64| of_image.and_then(|check| duration_of_image(length(check)));
    let retries = of_image.and_then(|check| u32::try_from(check.retries).ok());
    let start_period = length("--health-start-period", request.start_period.as_deref(), Duration::ZERO)?;
    let start_interval = length("--health-start-interval", request.start_interval.as_deref(), SHORTEST)?;
    let interval = interval("--health-interval", request.interval.as_deref())?;
    let interval = interval.unwrap_or_else(|| Some(duration(|check| check.interval).unwrap_or(USUAL)));
    let start_interval = start_interval.or_else(|| duration(|check| check.start_interval));
    Ok(Some(Healthcheck {
        check: Check {
            test,
            interval,
            timeout: length("--health-timeout", request.timeout.as_deref(), SHORTEST)?
                .or_else(|| duration(|check| check.timeout))
                .unwrap_or(USUAL),
            retries: at_least_one("--health-retries", request.retries)?
                .or(retries.filter(|retries| *retries > 0))
                .unwrap_or(RETRIES),
        },
        start_period: start_period.or_else(|| duration(|check| check.start_period)).unwrap_or_default(),
        start_interval: start_interval.unwrap_or(interval.map_or(START_INTERVAL, |usual| usual.min(START_INTERVAL))),
        on_failure: request.on_failure.as_deref().map_or(Ok(OnFailure::None), on_failure)?,
        startup: startup(request)?,
        log: log(request)?,
    }))
}

fn startup(request: &HealthRequest) -> Result<Option<Startup>, Error> {
    let Some(text) = &request.startup_cmd else { return Ok(None) };
    let test = command("--health-startup-cmd", text)?;
    if test[0] == "NONE" {
        return Ok(None);
    }
    let interval = interval("--health-startup-interval", request.startup_interval.as_deref())?;
    Ok(Some(Startup {
        check: Check {
            test,
            interval: interval.unwrap_or(Some(USUAL)),
            timeout: length("--health-startup-timeout", request.startup_timeout.as_deref(), SHORTEST)?.unwrap_or(USUAL),
            retries: request.startup_retries.unwrap_or_default(),
        },
        successes: request.startup_success.unwrap_or_default().max(1),
    }))
}

/// Reads a command: a JSON array of words, or a line for the shell; docker's `CMD …`, `CMD-SHELL …` and `NONE`, too.
/// Source: podman, `makeHealthCheckFromCli`.
fn command(option: &'static str, text: &str) -> Result<Vec<String>, Error> {
    let invalid = |reason: &str| Error::option(option)(Invalid::new("command", text, reason));
    let list = json::from_str::<Vec<String>>(text).ok();
    let first = list.as_ref().map_or_else(|| text.split(' ').next(), |list| list.first().map(String::as_str));
    let kind = first.unwrap_or_default().to_ascii_uppercase();
    let rest = || match &list {
        Some(list) => list.iter().skip(1).cloned().collect::<Vec<_>>(),
        None => text.split_ascii_whitespace().skip(1).map(str::to_owned).collect(),
    };
    let words = match (kind.as_str(), list.as_deref()) {
        ("NONE", _) => return Ok(vec![kind]),
        ("CMD", _) => rest(),
        ("CMD-SHELL", Some(_)) => vec![rest().join(" ")],
        ("CMD-SHELL", None) => vec![text["CMD-SHELL".len()..].trim().to_owned()],
        (_, Some([one])) => vec![one.clone()],
        (_, Some(list)) => list.to_vec(),
        (_, None) => vec![text.to_owned()],
    };
    if words.first().is_none_or(String::is_empty) {
        return Err(invalid("must not be empty"));
    }
    if words.iter().any(|word| word.contains('\0')) {
        return Err(invalid("contains a NUL byte"));
    }
    let is_program = kind == "CMD" || kind != "CMD-SHELL" && list.is_some_and(|list| list.len() > 1);
    let kind = if is_program { "CMD" } else { "CMD-SHELL" };
    Ok(std::iter::once(kind.to_owned()).chain(words).collect())
}

/// `Test` of an image; empty if it says nothing that can be run.
fn words_of_image(check: &ImageHealthcheck) -> Vec<String> {
    let words = &check.test;
    let is_known = matches!(words.first().map(String::as_str), Some("CMD" | "CMD-SHELL")) && words.len() > 1;
    if is_known && !words.iter().any(|word| word.contains('\0')) { words.clone() } else { Vec::new() }
}

/// A duration of an image, in nanoseconds; `None` if it is 0 or less.
fn duration_of_image(nanoseconds: i64) -> Option<Duration> {
    let nanoseconds = u64::try_from(nanoseconds).ok().filter(|length| *length > 0)?;
    Some(Duration::from_nanos(nanoseconds).max(SHORTEST))
}

/// Reads an interval: `Some(None)` if checks are not repeated by themselves.
fn interval(option: &'static str, text: Option<&str>) -> Result<Option<Option<Duration>>, Error> {
    match text {
        None => Ok(None),
        Some("disable" | "0" | "0s") => Ok(Some(None)),
        Some(text) => Ok(Some(length(option, Some(text), SHORTEST)?)),
    }
}

fn length(option: &'static str, text: Option<&str>, least: Duration) -> Result<Option<Duration>, Error> {
    let Some(text) = text else { return Ok(None) };
    let invalid = |reason: &str| Error::option(option)(Invalid::new("duration", text, reason));
    let read = if text == "0" { Some(Duration::ZERO) } else { parse_duration(text) };
    let length = read.ok_or_else(|| invalid("must be a number with a unit, such as 30s or 1m30s"))?;
    if length < least {
        return Err(invalid("must be at least 1ms"));
    }
    Ok(Some(length))
}

fn at_least_one(option: &'static str, number: Option<u32>) -> Result<Option<u32>, Error> {
    match number {
        Some(0) => Err(Error::option(option)(Invalid::new("number", "0", "must be at least 1"))),
        number => Ok(number),
    }
}

fn on_failure(text: &str) -> Result<OnFailure, Error> {
    Ok(match text {
        "none" => OnFailure::None,
        "kill" => OnFailure::Kill,
        "restart" => OnFailure::Restart,
        "stop" => OnFailure::Stop,
        _ => {
            let invalid = Invalid::new("action", text, "must be none, kill, restart or stop");
            return Err(Error::option("--health-on-failure")(invalid));
        }
    })
}

/// 0 is as much as rc keeps.
fn log(request: &HealthRequest) -> Result<HealthLog, Error> {
    if let Some(place) = request.log_destination.as_deref().filter(|place| *place != "local") {
        let reason = "must be `local`: the results are in the container's directory, and `rc inspect` shows them";
        return Err(Error::option("--health-log-destination")(Invalid::new("place", place, reason)));
    }
    let bounded = |option, asked: Option<u32>, usual: usize, most: usize| match asked.map(usize::try_from) {
        None => Ok(usual),
        Some(Ok(0)) => Ok(most),
        Some(Ok(number)) if number <= most => Ok(number),
        Some(_) => {
            let value = asked.unwrap_or_default().to_string();
            Err(Error::option(option)(Invalid::new("number", value, format!("must be at most {most}"))))
        }
    };
    Ok(HealthLog {
        count: bounded("--health-max-log-count", request.max_log_count, LOG.count, MOST.count)?,
        size: bounded("--health-max-log-size", request.max_log_size, LOG.size, MOST.size)?,
    })
}

#[cfg(test)]
mod tests;
