//! Commands over several containers: they change side by side, the results come in the order asked for, and a failure
//! does not stop the others. No name here can be the beginning of an ID.

use std::time::Duration;

use crate::support::Lab;

/// How many seconds each container may take to stop.
const TIMEOUT: u64 = 2;

/// A lab in which these containers run a program that only SIGKILL ends, and the ID of the first.
fn lab(names: &[&str]) -> (Lab, String) {
    let lab = Lab::with_payload();
    let start = |name: &&str| {
        lab.rc(["run", "-d", "--name", name, "--network", "none", "payload", "/payload", "stubborn"]).run().text()
    };
    let ids: Vec<_> = names.iter().map(start).collect();
    names.iter().for_each(|name| lab.ready(name));
    (lab, ids.into_iter().next().expect("a container"))
}

#[test]
fn several_containers_end_in_the_time_that_one_takes() {
    let (lab, _) = lab(&["z", "x", "y"]);
    let time = TIMEOUT.to_string();
    for command in ["stop", "restart", "rm -f"] {
        lab.rc(["start", "x", "y", "z"]).run().prints("x\ny\nz\n");
        ["x", "y", "z"].iter().for_each(|name| lab.ready(name));
        let output = lab.rc(command.split(' ')).args(["-t", &time, "z", "missing", "x", "y", "z"]).run();
        assert!(output.elapsed >= Duration::from_secs(TIMEOUT), "{output}");
        // One after the other they would take three times as long. `restart` stops `z` once more.
        let rounds = if command == "restart" { 2 } else { 1 };
        assert!(output.elapsed < Duration::from_secs(TIMEOUT * rounds + TIMEOUT), "{output}");
        // `rm -f` ignores what is missing.
        let (code, printed, said) = match command {
            "rm -f" => (0, "z\nx\ny\n", ""),
            _ => (125, "z\nx\ny\nz\n", "rc: no such container: missing\n"),
        };
        output.is(code, printed, said);
    }
    lab.rc(["ps", "-aq"]).run().prints("");
}

#[test]
fn a_failure_stops_no_other_container_and_the_order_is_as_asked() {
    let (lab, id) = lab(&["y", "x"]);
    lab.rc(["create", "--name", "idle", "--network", "none", "payload", "/payload", "stubborn"]).run().succeeds();
    let words = ["x", "idle", "missing", "y"];
    // Only in a cgroup of its own can a container be paused.
    let commands = if lab.group(&id).is_some() { &["pause", "unpause", "kill"][..] } else { &["kill"] };
    for command in commands {
        let refused = "rc: `idle` is not running (created)\nhint: start it with `rc start idle`\n";
        let said = format!("{refused}rc: no such container: missing\n");
        lab.rc([command]).args(words).run().is(125, "x\ny\n", said);
    }
    lab.rc(["wait", "x", "missing", "y"]).run().is(125, "137\n137\n", "rc: no such container: missing\n");
    lab.rc(["start", "y", "missing", "x"]).run().is(125, "y\nx\n", "rc: no such container: missing\n");
    let said = "rc: cannot remove `y`: it is running\nhint: stop it first with `rc stop y`, or use `rc rm -f y`\n";
    lab.rc(["rm", "y", "idle"]).run().is(2, "idle\n", said);
    lab.rc(["rm", "-f", "x", "x", "y"]).run().prints("x\ny\n");
}

#[test]
fn more_containers_than_are_changed_at_the_same_time_end_in_order() {
    let lab = Lab::with_payload();
    let names: Vec<String> = (0..60).map(|number| format!("c{number}")).collect();
    for name in &names {
        lab.rc(["create", "--name", name, "--network", "none", "payload", "/payload", "hang"]).run().succeeds();
    }
    lab.rc(["start"]).args(&names[..3]).run().succeeds();
    lab.rc(["rm", "-f"]).args(&names).run().prints(names.join("\n") + "\n");
}
