//! `rc doctor` with a service manager, and with delegated limits.

use serde_json::Value;

use super::unit;
use crate::support::{Lab, Output};

/// The status and the fix of one check.
#[track_caller]
fn finding(output: Output, check: &str) -> (String, String) {
    let all = output.exits(0).json();
    let one = all.as_array().and_then(|all| all.iter().find(|one| one["check"] == check));
    let one = one.unwrap_or_else(|| panic!("no line `{check}` in {all:#}"));
    let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
    assert_eq!(one["disables"] == Value::Null, text("status") == "ok", "{one}");
    (text("status"), text("fix"))
}

#[test]
fn the_manager_of_a_lingering_user_answers() {
    machine!();
    let lab = Lab::in_session();
    for check in ["service manager", "user bus", "lingering", "runtime directory"] {
        assert_eq!(finding(lab.rc(["doctor", "--json"]).run(), check), ("ok".to_owned(), String::new()), "{check}");
    }
}

#[test]
fn a_unit_that_is_delegated_has_the_controllers_of_its_manager() {
    machine!();
    let lab = Lab::in_session();
    let doctor = |options: &[&str]| unit(&lab, options, ["doctor", "--json"]).run();
    for controller in ["memory", "cpu", "pids", "io"] {
        let check = format!("controller {controller}");
        assert_eq!(finding(doctor(&["-p", "Delegate=yes"]), &check), ("ok".to_owned(), String::new()), "{check}");
    }
    let (status, fix) = finding(doctor(&["--unit", "rc-doctor-test"]), "controller memory");
    let expected = "add `Delegate=yes` to the section `[Service]` of `rc-doctor-test.service`";
    assert_eq!((status.as_str(), fix.as_str()), ("limited", expected));
}
