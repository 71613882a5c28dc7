//! Health checks and their results. Source: podman `libpod/define/container_inspect.go`, docker `api/types/container`.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::object;
use crate::monitor::{HealthResult, State};
use crate::plan::{Check, Healthcheck};

/// `State.Health`. Null without checks: if the field were absent, `{{if .State.Health}}` would be an error.
pub(super) fn state(state: &State) -> Value {
    let Some(health) = &state.health else { return Value::Null };
    let result = |result: &HealthResult| {
        json!({
            "Start": result.start,
            "End": result.end,
            "ExitCode": result.exit_code,
            "Output": result.output,
        })
    };
    json!({
        "Status": health.status.as_str(),
        "FailingStreak": health.failing_streak,
        "Log": health.log.iter().map(result).collect::<Vec<_>>(),
    })
}

/// The fields of `Config`.
pub(super) fn settings(health: &Healthcheck) -> Map<String, Value> {
    let mut check = object(check(&health.check));
    check.insert("StartPeriod".to_owned(), nanoseconds(health.start_period));
    check.insert("StartInterval".to_owned(), nanoseconds(health.start_interval));
    let mut fields = object(json!({
        "Healthcheck": check,
        "HealthcheckOnFailureAction": health.on_failure.as_str(),
        "HealthLogDestination": "local",
        "HealthMaxLogCount": health.log.count,
        "HealthMaxLogSize": health.log.size,
    }));
    if let Some(startup) = &health.startup {
        let mut check = object(self::check(&startup.check));
        check.insert("Successes".to_owned(), json!(startup.successes));
        fields.insert("StartupHealthCheck".to_owned(), Value::Object(check));
    }
    fields
}

fn check(check: &Check) -> Value {
    json!({
        "Test": check.test,
        "Interval": nanoseconds(check.interval.unwrap_or_default()),
        "Timeout": nanoseconds(check.timeout),
        "Retries": check.retries,
    })
}

fn nanoseconds(length: Duration) -> Value {
    json!(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX))
}
