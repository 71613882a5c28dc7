//! Root's containers, in a unit of the system's manager.

use crate::support::{Lab, Output};

/// rc in a delegated unit of the system manager, with the lab's environment.
fn delegated(lab: &Lab, arguments: &[&str]) -> Output {
    let command = lab.program("systemd-run", ["--quiet", "--collect", "--wait", "--pipe", "-p", "Delegate=yes"]);
    super::in_unit(lab, command, arguments).run()
}

#[test]
fn the_container_s_cgroup_shows_each_limit() {
    machine!();
    let lab = Lab::with_payload();
    for (option, file, value) in [
        ("--memory=64m", "memory.max", "67108864\n"),
        ("--cpus=0.5", "cpu.max", "50000 100000\n"),
        ("--pids-limit=77", "pids.max", "77\n"),
    ] {
        let file = format!("/sys/fs/cgroup/{file}");
        let words = ["run", "--rm", "--network", "none", option, "payload", "/payload", "read", &file];
        delegated(&lab, &words).prints(value);
    }
}

#[test]
fn a_container_beyond_its_memory_limit_is_killed_and_reported() {
    machine!();
    let lab = Lab::with_payload();
    super::is_killed_for_its_memory(&lab, |words| delegated(&lab, words));
}

#[test]
fn the_default_network_connects_root_s_containers() {
    machine!();
    let lab = Lab::with_payload();
    lab.rc(["run", "--rm", "payload", "/payload", "echo", "hello"]).run().prints("hello\n");
}
