//! `update`: limits of containers that do not run, and what is refused; `tests/vm` has those of running ones.

use crate::support::Lab;

fn created(options: &[&str]) -> Lab {
    let lab = Lab::with_payload();
    let create = ["create", "--name", "web", "--network", "none"];
    lab.rc(create).args(options).args(["payload", "/payload", "sleep"]).run().succeeds();
    lab
}

/// The limits of memory, memory plus swap, CPU shares, CPU quota and processes in `inspect`.
#[track_caller]
fn limits(lab: &Lab) -> String {
    let names = ["Memory", "MemorySwap", "CpuShares", "CpuQuota", "PidsLimit"];
    let template = names.map(|name| format!("{{{{.HostConfig.{name}}}}}")).join(" ");
    lab.rc(["inspect", "--format", &template, "web"]).run().text()
}

#[test]
fn limits_of_a_container_that_does_not_run_are_for_its_next_start() {
    let lab = created(&["-m", "32m", "--pids-limit", "9"]);
    let id = lab.rc(["inspect", "--format", "{{.Id}}", "web"]).run().text();
    let config = std::fs::read(lab.container(&id).join("config.json")).expect("the configuration");
    assert_eq!(limits(&lab), "33554432 67108864 0 0 9");
    lab.rc(["update", "--cpu-shares", "512", "--memory", "64m", "web"]).run().prints(format!("{id}\n"));
    assert_eq!(limits(&lab), "67108864 134217728 512 0 9");
    lab.rc(["update", "--memory-swap=-1", "--cpus", "0.5", &id[..9]]).run().succeeds();
    assert_eq!(limits(&lab), "67108864 -1 512 50000 9");
    lab.rc(["update", "-m", "0", "--memory-swap", "0", "--pids-limit", "-1", "--cpus", "0", "-c", "0", "web"])
        .run()
        .succeeds();
    assert_eq!(limits(&lab), "0 0 0 0 0");
    assert_eq!(std::fs::read(lab.container(&id).join("config.json")).expect("the configuration"), config);
    // Without a limit it starts even if none can be set.
    lab.rc(["start", "web"]).run().succeeds();
    lab.remove_containers();
}

#[test]
fn a_change_that_does_not_go_together_changes_nothing() {
    let lab = created(&["-m", "32m"]);
    let before = limits(&lab);
    for (options, said) in [
        (
            &["--cpu-shares", "5", "--memory-swap", "16m"][..],
            "`--memory-swap`: invalid size `16777216`: memory and swap together must be at least the 33554432 of \
             `--memory`",
        ),
        (&["--cpus", "1", "--cpu-quota", "5000"], "`--cpu-quota` and `--cpus` cannot be used together"),
        (
            &["--device-read-bps", "/dev/null:1mb"],
            "`--device-read-bps`: invalid limit of a device `/dev/null:1mb`: not a block device",
        ),
    ] {
        lab.rc(["update"]).args(options).arg("web").run().fails(125, format!("rc: {said}\n"));
        assert_eq!(limits(&lab), before);
    }
    lab.rc(["update", "-m", "64m", "nobody"]).run().fails(125, "rc: no such container: nobody\n");
    lab.remove_containers();
}

#[test]
fn a_limit_that_a_running_container_cannot_have_is_an_error_and_changes_nothing() {
    let lab = created(&[]);
    lab.rc(["start", "web"]).run().succeeds();
    let id = lab.rc(["inspect", "--format", "{{.Id}}", "web"]).run().text();
    let controllers = lab
        .group(&id)
        .map(|group| std::fs::read_to_string(group.with_file_name("cgroup.controllers")).expect("the controllers"))
        .unwrap_or_default();
    if controllers.contains("memory") {
        lab.remove_containers();
        skip!("the controller `memory` is delegated here");
    }
    let before = limits(&lab);
    let said = lab.rc(["update", "--pids-limit", "7", "-m", "64m", "web"]).run().exits(125).stderr();
    assert!(said.contains("the controller `memory`"), "{said}");
    assert_eq!(limits(&lab), before);
    lab.remove_containers();
}
