//! The controllers by which containers can be limited: each is asked for, as a start would.

use oci_spec::runtime::LinuxResources;
use serde_json::json;

use super::{Finding, Status};
use crate::runtime::cgroup::{self, Error, Own, Wanted};

/// The line, the limit that is asked for in the spec's words, and the options that need the controller.
fn controllers() -> [(&'static str, serde_json::Value, &'static str); 5] {
    [
        ("controller memory", json!({ "memory": { "limit": 1 << 30 } }), "`--memory`, and its kin"),
        ("controller cpu", json!({ "cpu": { "quota": 100_000, "period": 100_000 } }), "`--cpus`, and its kin"),
        ("controller pids", json!({ "pids": { "limit": 1000 } }), "`--pids-limit`"),
        ("controller cpuset", json!({ "cpu": { "cpus": "0" } }), "`--cpuset-cpus`"),
        ("controller io", json!({ "blockIO": { "weight": 100 } }), "`--blkio-weight`, and its kin"),
    ]
}

pub(super) fn check() -> Vec<Finding> {
    let own = Own::find();
    controllers().into_iter().filter_map(|(line, asked, options)| one(own.as_ref(), line, asked, options)).collect()
}

/// `None` for a limit that this rc does not set.
fn one(
    own: Result<&Option<Own>, &Error>,
    line: &'static str,
    asked: serde_json::Value,
    options: &str,
) -> Option<Finding> {
    let own = match own {
        Ok(own) => own.as_ref(),
        Err(error) => return Some(limited(line, error, options)),
    };
    let resources: LinuxResources = serde_json::from_value(asked).ok()?;
    match cgroup::check(own, &Wanted { resources: Some(&resources), default_pids: None }) {
        Ok(()) => Some(Finding::ok(line, own.map_or_else(String::new, |own| format!("delegated to `{}`", own.path())))),
        Err(Error::Unsupported { .. }) => None,
        Err(error) => Some(limited(line, &error, options)),
    }
}

fn limited(line: &'static str, error: &Error, options: &str) -> Finding {
    let found = match error {
        Error::NoGroup { .. } => "this process is in no cgroup that is delegated to rc".to_owned(),
        Error::NotDelegated { group, .. } => format!("not delegated to the cgroup `{group}`"),
        other => other.to_string(),
    };
    Finding::bad(line, Status::Limited, found).disables(options).fix(error.hint())
}
