//! The machine has everything that the other tests need: a user's manager, IDs, helpers and devices; and rc runs in it.

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
