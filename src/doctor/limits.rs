//! The cgroup controllers of limits, requested as a start requests them.

use oci_spec::runtime::LinuxResources;
use serde_json::json;

use super::attempt::{Trouble, attempt};
use super::{Finding, Status};
use crate::monitor::{self, Purpose, Source};
use crate::runtime::cgroup::{Error, RequestedLimits};
use crate::types::Report;

/// The check, a limit in the spec's words, and the options that need the controller.
fn controllers() -> [(&'static str, serde_json::Value, &'static str); 5] {
    [
        ("controller memory", json!({ "memory": { "limit": 1 << 30 } }), "`--memory` and related options"),
        ("controller cpu", json!({ "cpu": { "quota": 100_000, "period": 100_000 } }), "`--cpus` and related options"),
        ("controller pids", json!({ "pids": { "limit": 1000 } }), "`--pids-limit`"),
        ("controller cpuset", json!({ "cpu": { "cpus": "0" } }), "`--cpuset-cpus`"),
        ("controller io", json!({ "blockIO": { "weight": 100 } }), "`--blkio-weight` and related options"),
    ]
}

pub(super) fn check() -> Vec<Finding> {
    controllers().into_iter().map(|(line, asked, options)| one(line, &asked, options)).collect()
}

fn one(line: &'static str, asked: &serde_json::Value, options: &str) -> Finding {
    // In a child, which the service manager may move to a scope: the scope ends with it.
    match attempt(|| group(line, asked)) {
        Ok(found) => Finding::ok(line, found),
        Err(trouble) => {
            Finding::bad(line, Status::Limited, trouble.report.message).disables(options).fix(trouble.report.hint)
        }
    }
}

/// Gets a cgroup, as a monitor with this limit does, and describes its place.
fn group(line: &str, asked: &serde_json::Value) -> Result<String, Trouble> {
    let resources: LinuxResources = serde_json::from_value(asked.clone()).map_err(Trouble::new)?;
    let wanted = RequestedLimits { resources: Some(&resources), default_pids: None, is_divided: false };
    let unit = format!("rc-doctor-{}.scope", std::process::id());
    let purpose = Purpose { unit: &unit, description: line, cgroup: None };
    let trouble = |error: Error| {
        let reason = reason(&error);
        Trouble::from(Report::from(error).with_message(reason))
    };
    let source = monitor::ask_for_cgroup(&purpose, &wanted).map_err(trouble)?;
    let is_scope = matches!(source, Source::Scope { .. });
    let own = source.finish(&wanted).map_err(trouble)?;
    Ok(match own {
        _ if is_scope => "delegated, in a scope of the service manager".to_owned(),
        Some(own) => format!("delegated to `{}`", own.path()),
        None => "delegated".to_owned(),
    })
}

/// The end of the message that a start would print, whose beginning names the limit.
fn reason(error: &Error) -> String {
    match error {
        Error::NoGroup { .. } => "rc is not in a delegated cgroup".to_owned(),
        Error::NotDelegated { group, .. } => format!("not delegated to the cgroup `{group}`"),
        Error::InUnit { unit, .. } => format!("this process is in `{unit}`, which is not delegated"),
        Error::NoScope { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}
