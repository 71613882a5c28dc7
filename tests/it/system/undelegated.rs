//! A user whose manager has only the controller pids. (It has memory as well, which systemd enables for its own
//! accounting.)

use super::unit;
use crate::support::Lab;

#[test]
fn a_limit_names_the_controller_and_the_drop_in_before_anything_starts() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let words = ["run", "--rm", "--network", "none", "--cpus", "0.5", "payload", "/payload", "echo", "started"];
    let output = unit(&lab, ["-p", "Delegate=yes"], words).run().exits(125);
    assert_eq!(output.stdout(), "");
    let said = output.stderr();
    assert!(
        said.starts_with("rc: cannot set the limit `cpu.max`: the controller `cpu` is not delegated to the"),
        "{said}"
    );
    assert!(said.contains("`/etc/systemd/system/user@.service.d/delegate.conf` with the two lines"), "{said}");
}

#[test]
fn doctor_names_the_drop_in_too() {
    machine!();
    let lab = Lab::in_session();
    let all = unit(&lab, ["-p", "Delegate=yes"], ["doctor", "--json"]).run().json();
    let cpu = all.as_array().and_then(|all| all.iter().find(|one| one["check"] == "controller cpu"));
    let cpu = cpu.expect("a line for the controller");
    assert_eq!(cpu["status"], "limited", "{cpu}");
    assert!(cpu["fix"].as_str().is_some_and(|fix| fix.contains("user@.service.d/delegate.conf")), "{cpu}");
}
