//! Pods whose processes are killed, and pods after a reboot.

use std::fs;

use rustix::io::Errno;
use serde_json::{Value, json};

use crate::kill_storm::monitor;
use crate::pods::{inspect, is, lab, namespaces, remove, start, wait_for, wait_for_process};
use crate::support::processes::kill;
use crate::support::{Lab, Signal, wait};

fn state(lab: &Lab, id: &str) -> Value {
    serde_json::from_slice(&fs::read(lab.container(id).join("state.json")).expect("a state")).expect("JSON")
}

/// The PID of the first process of a container or a pod, on the host.
fn init(lab: &Lab, id: &str) -> i32 {
    let pid = state(lab, id)["init"]["pid"].as_i64().expect("it was started");
    i32::try_from(pid).expect("a PID")
}

fn id_of(lab: &Lab, name: &str) -> String {
    lab.rc(["inspect", "--format", "{{.Id}}", name]).run().text()
}

fn is_gone(pid: i32) -> Option<()> {
    (!std::path::Path::new(&format!("/proc/{pid}/ns/net")).exists()).then_some(())
}

/// Kills these processes at the same moment: none of them sees the end of another.
fn kill_at_once(pids: &[i32]) {
    for signal in [Signal::STOP, Signal::KILL] {
        for pid in pids {
            let pid = rustix::process::Pid::from_raw(*pid).expect("a PID");
            match rustix::process::kill_process(pid, signal) {
                // The kernel has killed it with its monitor.
                Err(Errno::SRCH) if signal == Signal::KILL => {}
                sent => sent.expect("it can be killed"),
            }
        }
    }
    pids.iter().for_each(|pid| wait::until("it is dead", || is_gone(*pid)));
}

/// Writes that the last run was in another boot.
fn age(lab: &Lab, id: &str) {
    let mut record = state(lab, id);
    record["init"]["bootId"] = json!("00000000-0000-0000-0000-000000000000");
    fs::write(lab.container(id).join("state.json"), record.to_string()).expect("written");
}

/// A network `app` with this pod in it.
fn in_network(options: &[&str]) -> (Lab, String) {
    let lab = Lab::with_payload();
    lab.rc(["network", "create", "--internal", "--subnet", "10.89.7.0/24", "app"]).run().succeeds();
    let id = lab.rc(["pod", "create", "--network", "app:ip=10.89.7.20"]).args(options).arg("p").run().text();
    (lab, id.trim().to_owned())
}

fn leases(lab: &Lab) -> Vec<String> {
    let entries = fs::read_dir(lab.store().join("networks/app/leases")).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

/// Whether another container can have the address of the pod.
#[track_caller]
fn address_is_free(lab: &Lab) {
    let line = ["run", "--rm", "--network", "app", "--ip", "10.89.7.20", "payload", "/payload", "exit", "0"];
    lab.rc(line).run().succeeds();
}

#[test]
fn after_a_reboot_a_pod_has_ended_with_its_members_and_starts_again_with_them() {
    let (lab, id) = in_network(&["--restart", "unless-stopped"]);
    start(&lab, "one", &[], &["sleep"]);
    start(&lab, "two", &["--restart", "no"], &["sleep"]);
    let ids = [id.clone(), id_of(&lab, "one"), id_of(&lab, "two")];
    let all = ids.iter().flat_map(|id| [monitor(&lab, id).expect("a monitor"), init(&lab, id)]);
    kill_at_once(&all.collect::<Vec<_>>());
    ids.iter().for_each(|id| age(&lab, id));
    is(&lab, "Exited", 2);
    lab.rc(["ps", "-a", "--sort", "names", "--format", "{{.Names}} {{.State}} {{.ExitCode}}"]).run().is(
        0,
        "one exited 255\ntwo exited 255\n",
        "",
    );
    assert_eq!(inspect(&lab)["Containers"][0]["State"], "exited");
    assert_eq!(lab.rc(["network", "inspect", "app"]).run().json()[0]["containers"], json!({}));
    address_is_free(&lab);
    // What a boot does: the member with a policy, which is the pod's, starts it; the other member stays as it is.
    let starts = ["start", "--all", "--filter", "should-start-on-boot=true"];
    lab.rc(starts).run().prints(format!("{}\n", ids[1]));
    is(&lab, "Degraded", 2);
    lab.rc(["pod", "start", "p"]).run().prints("p\n");
    is(&lab, "Running", 2);
    assert_eq!(namespaces(&lab, "one")["net"], namespaces(&lab, "two")["net"]);
    let members = lab.rc(["network", "inspect", "app"]).run().json()[0]["containers"].take();
    assert_eq!(members[&id]["interfaces"]["eth0"]["subnets"][0]["ipnet"], "10.89.7.20/24");
    remove(&lab);
    assert!(leases(&lab).is_empty(), "{:?}", leases(&lab));
}

#[test]
fn a_boot_starts_a_pod_whose_policy_says_so_although_no_member_does() {
    let (lab, id) = lab(&["--network", "none", "--restart", "always"]);
    lab.rc(["create", "--pod", "p", "--restart", "no", "--name", "one", "payload", "/payload", "sleep"])
        .run()
        .succeeds();
    let create = ["pod", "create", "--network", "none"];
    lab.rc(create).arg("q").run().succeeds();
    let stopped = lab.rc(create).args(["--restart", "unless-stopped", "r"]).run().text();
    lab.rc(["pod", "create", "--share", "none", "--restart", "always", "s"]).run().succeeds();
    lab.rc(["pod", "start", "r"]).run().prints("r\n");
    lab.rc(["pod", "stop", "-t", "0", "r"]).run().prints("r\n");
    let states = || lab.rc(["pod", "ps", "--sort", "name", "--format", "{{.Name}} {{.Status}}"]).run();
    // Only a selection of all has pods.
    lab.rc(["start", "--filter", "should-start-on-boot=true"]).run().prints("");
    states().prints("p Created\nq Created\nr Exited\ns Created\n");
    let starts = ["start", "--all", "--filter", "should-start-on-boot=true"];
    lab.rc(starts).run().prints(format!("{id}\n"));
    states().prints("p Degraded\nq Created\nr Exited\ns Created\n");
    lab.rc(starts).run().prints("");
    lab.rc(["start", "--all", "--filter", "restart-policy=unless-stopped"]).run().prints(format!("{stopped}\n"));
    states().prints("p Degraded\nq Created\nr Running\ns Created\n");
    remove(&lab);
}

#[test]
fn a_pod_without_members_whose_monitor_is_killed_leaves_nothing_and_starts_anew() {
    let (lab, id) = in_network(&[]);
    for _ in 0..2 {
        lab.rc(["pod", "start", "p"]).run().prints("p\n");
        is(&lab, "Running", 0);
        let (process, group) = (init(&lab, &id), lab.group(&id));
        kill_at_once(&[monitor(&lab, &id).expect("a monitor")]);
        wait::until("its process is gone", || is_gone(process));
        wait_for(&lab, "Exited");
        is(&lab, "Exited", 0);
        address_is_free(&lab);
        // Its cgroup goes with the next start, or with its removal.
        if let Some(group) = group {
            assert_eq!(fs::read_to_string(group.join("cgroup.procs")).expect("a list"), "");
        }
    }
    lab.rc(["pod", "start", "p"]).run().prints("p\n");
    is(&lab, "Running", 0);
    let group = lab.group(&id);
    kill_at_once(&[monitor(&lab, &id).expect("a monitor")]);
    remove(&lab);
    assert!(leases(&lab).is_empty() && group.is_none_or(|group| !group.exists()));
}

#[test]
fn when_all_monitors_of_a_pod_are_killed_at_once_nothing_of_it_runs_and_it_starts_again() {
    let (lab, id) = in_network(&["--exit-policy", "stop"]);
    for name in ["one", "two"] {
        start(&lab, name, &[], &["sleep"]);
    }
    let ids = [id.clone(), id_of(&lab, "one"), id_of(&lab, "two")];
    let before: Vec<i32> = ids.iter().map(|id| init(&lab, id)).collect();
    let groups: Vec<_> = ids.iter().filter_map(|id| lab.group(id)).collect();
    kill_at_once(&ids.iter().map(|id| monitor(&lab, id).expect("a monitor")).collect::<Vec<_>>());
    before.iter().for_each(|pid| wait::until("the programs are gone", || is_gone(*pid)));
    wait_for(&lab, "Exited");
    is(&lab, "Exited", 2);
    address_is_free(&lab);
    lab.rc(["pod", "start", "p"]).run().prints("p\n");
    is(&lab, "Running", 2);
    // Its members are connected: it ends with the last one.
    lab.rc(["stop", "-t", "0", "one", "two"]).run().succeeds();
    wait_for(&lab, "Exited");
    remove(&lab);
    assert!(leases(&lab).is_empty() && groups.iter().all(|group| !group.exists()), "{groups:?}");
}

/// The names that the pod's `/etc/hosts` has for its own address.
fn named(lab: &Lab) -> Vec<String> {
    let text = lab.rc(["exec", "one", "/payload", "read", "/etc/hosts"]).run().text();
    let lines = text.lines().filter_map(|line| line.strip_prefix("127.0.0.1"));
    lines.filter(|names| !names.contains("localhost")).map(|names| names.trim().to_owned()).collect()
}

#[test]
fn members_join_a_pod_again_that_is_started_after_its_process_was_killed() {
    let (lab, id) = lab(&["--network", "none", "--exit-policy", "stop"]);
    start(&lab, "one", &[], &["sleep"]);
    let before = namespaces(&lab, "one");
    kill(init(&lab, &id));
    // As in podman, whose infra container was killed.
    wait_for(&lab, "Degraded");
    wait::until("the pod's monitor has ended", || monitor(&lab, &id).is_none().then_some(()));
    is(&lab, "Degraded", 1);
    // A member whose monitor does not answer now keeps nobody waiting, and hears of it later.
    let of_member = monitor(&lab, &id_of(&lab, "one")).and_then(rustix::process::Pid::from_raw).expect("a monitor");
    rustix::process::kill_process(of_member, Signal::STOP).expect("it lives");
    lab.rc(["pod", "start", "p"]).run().prints("p\n");
    rustix::process::kill_process(of_member, Signal::CONT).expect("it lives");
    is(&lab, "Running", 1);
    start(&lab, "two", &[], &["sleep"]);
    assert_eq!(namespaces(&lab, "two")["net"], before["net"]);
    wait::until("the pod knows both", || (named(&lab) == ["p", "one", "two"]).then_some(()));
    let process = init(&lab, &id);
    lab.rc(["stop", "-t", "0", "two"]).run().succeeds();
    wait::until("the pod knows of that", || (named(&lab) == ["p", "one"]).then_some(()));
    is(&lab, "Degraded", 2);
    assert_eq!(init(&lab, &id), process);
    lab.rc(["stop", "-t", "0", "one"]).run().succeeds();
    wait_for(&lab, "Exited");
    remove(&lab);
    // With a restart policy, which is that of podman's infra container, too, it starts by itself.
    let line = ["pod", "create", "--name", "p", "--network", "none", "--restart", "always"];
    let id = lab.rc(line).run().text().trim().to_owned();
    start(&lab, "one", &[], &["sleep"]);
    let process = init(&lab, &id);
    kill(process);
    let pid = || state(&lab, &id)["init"]["pid"].as_i64();
    wait::until("it has another process", || pid().filter(|pid| *pid != i64::from(process)));
    wait_for_process(&lab, &id);
    // Who stops it means that.
    lab.rc(["pod", "stop", "-t", "0", "p"]).run().prints("p\n");
    is(&lab, "Exited", 1);
    remove(&lab);
}
