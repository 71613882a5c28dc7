//! The machine is what the others need: a user's manager, her ids, helpers and devices; and rc runs in it.

use super::unit;
use crate::support::{Lab, Set};

#[test]
fn a_container_runs_in_a_unit_of_the_user_s_own() {
    machine!();
    assert_eq!(Set::current(), Set::Full);
    let lab = Lab::in_session();
    lab.payload();
    unit(&lab, [] as [&str; 0], ["run", "--rm", "payload", "/payload", "echo", "hello"]).run().prints("hello\n");
}

#[test]
fn nothing_the_manager_started_has_failed() {
    machine!();
    let lab = Lab::in_session();
    let failed = lab.program("systemctl", ["--user", "list-units", "--failed", "--plain", "--no-legend"]);
    failed.run().says_nothing();
}
