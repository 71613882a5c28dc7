//! Pods: containers that share namespaces, without an infra container.

use serde_json::{Value, json};

use crate::support::{Exit, Lab, Output, Signal, wait};

/// A lab with the payload and a pod `p` that is not started.
pub(crate) fn lab(options: &[&str]) -> (Lab, String) {
    let lab = Lab::with_payload();
    let id = lab.rc(["pod", "create", "--name", "p"]).args(options).run().text().trim().to_owned();
    (lab, id)
}

/// Starts a member of the pod.
#[track_caller]
pub(crate) fn start(lab: &Lab, name: &str, options: &[&str], words: &[&str]) {
    let line = ["run", "-d", "--pod", "p", "--name", name];
    lab.rc(line).args(options).args(["payload", "/payload"]).args(words).run().succeeds();
}

fn run(lab: &Lab, options: &[&str], words: &[&str]) -> Output {
    lab.rc(["run", "--rm"]).args(options).args(["payload", "/payload"]).args(words).run()
}

pub(crate) fn namespaces(lab: &Lab, name: &str) -> Value {
    lab.rc(["exec", name, "/payload", "report"]).run().json()["namespaces"].take()
}

pub(crate) fn inspect(lab: &Lab) -> Value {
    lab.rc(["pod", "inspect", "p"]).run().json()[0].take()
}

#[track_caller]
pub(crate) fn is(lab: &Lab, status: &str, members: usize) {
    let inspected = inspect(lab);
    assert_eq!((&inspected["State"], &inspected["NumContainers"]), (&json!(status), &json!(members)));
    let listed = lab.rc(["pod", "ps", "--format", "{{.Name}} {{.Status}} {{.NumberOfContainers}}"]).run();
    listed.prints(format!("p {status} {members}\n"));
}

pub(crate) fn remove(lab: &Lab) {
    lab.rc(["pod", "rm", "-f", "-t", "0", "--all"]).run().succeeds();
    lab.settle();
}

#[test]
fn members_share_network_ipc_and_host_name_and_nothing_else() {
    let (lab, id) = lab(&["--network", "none", "--add-host", "db:10.1.2.3"]);
    is(&lab, "Created", 0);
    start(&lab, "one", &[], &["sleep"]);
    is(&lab, "Running", 1);
    start(&lab, "two", &[], &["tcp", "80"]);
    let [one, two] = ["one", "two"].map(|name| namespaces(&lab, name));
    for (kind, is_shared) in
        [("user", true), ("net", true), ("ipc", true), ("uts", true), ("pid", false), ("mnt", false), ("cgroup", false)]
    {
        assert_eq!(one[kind] == two[kind], is_shared, "{kind}");
    }
    wait::until("the server answers", || {
        let asked = lab.rc(["exec", "one", "/payload", "ask", "tcp", "127.0.0.1:80", "hello"]).run();
        (asked.exit == Exit::Code(0)).then_some(())
    });
    lab.rc(["exec", "one", "/payload", "write", "/dev/shm/note", "hello"]).run().succeeds();
    lab.rc(["exec", "two", "/payload", "read", "/dev/shm/note"]).run().prints("hello\n");
    lab.rc(["exec", "one", "/payload", "read", "/proc/sys/kernel/hostname"]).run().prints("p\n");
    lab.rc(["exec", "one", "/payload", "read", "/etc/hostname"]).run().prints("p\n");
    assert!(lab.rc(["exec", "two", "/payload", "read", "/etc/hosts"]).run().text().contains("10.1.2.3\tdb"));
    let member = lab.rc(["inspect", "one"]).run().json()[0].take();
    assert_eq!((&member["Pod"], &member["HostConfig"]["NetworkMode"]), (&json!(id), &json!(format!("container:{id}"))));
    // No list of containers has the pod's own process.
    lab.rc(["ps", "-a", "--format", "{{.Names}} {{.PodName}}"]).run().prints("one p\ntwo p\n");
    let hint = "hint: `p` is a pod: `rc pod --help` lists what can be done with it\n";
    lab.rc(["stop", "p"]).run().fails(125, format!("rc: no such container: p\n{hint}"));
    lab.rc(["rm", "--ignore", "p"]).run().says_nothing();
    let hint = "hint: `one` is a container: `rc --help` lists its commands\n";
    lab.rc(["pod", "stop", "one"]).run().fails(125, format!("rc: no such pod: one\n{hint}"));
    lab.rc(["rm", "-f", "-t", "0", "one", "two"]).run().succeeds();
    is(&lab, "Running", 0);
    remove(&lab);
}

#[test]
fn a_pod_is_started_stopped_and_removed_with_its_members() {
    let (lab, id) = lab(&["--network", "none"]);
    for name in ["one", "two"] {
        let line = ["create", "--pod", &id, "--name", name, "payload", "/payload", "sleep"];
        lab.rc(line).run().succeeds();
    }
    is(&lab, "Created", 2);
    lab.rc(["pod", "start", "p"]).run().prints("p\n");
    is(&lab, "Running", 2);
    let before = namespaces(&lab, "one");
    lab.rc(["rm", "-f", "-t", "0", "two"]).run().succeeds();
    lab.rc(["stop", "-t", "0", "one"]).run().succeeds();
    is(&lab, "Degraded", 1);
    lab.rc(["start", "one"]).run().succeeds();
    assert_eq!(namespaces(&lab, "one")["net"], before["net"], "the pod keeps its namespaces");
    let refused = lab.rc(["pod", "rm", "p"]).run().exits(125);
    assert!(refused.stderr().contains("cannot be removed without force: one"), "{refused}");
    lab.rc(["pod", "stop", "-t", "0", "p"]).run().prints("p\n");
    is(&lab, "Exited", 1);
    lab.rc(["pod", "start", "p"]).run().prints("p\n");
    is(&lab, "Running", 1);
    lab.rc(["pod", "stop", "-t", "0", "p"]).run().prints("p\n");
    lab.rc(["pod", "rm", "p"]).run().prints(format!("{id}\n"));
    lab.rc(["pod", "exists", "p"]).run().is(1, "", "");
    lab.rc(["ps", "-aq"]).run().prints("");
    lab.rc(["pod", "rm", "p"]).run().fails(1, "rc: no such pod: p\n");
    lab.rc(["pod", "rm", "-f", "p"]).run().says_nothing();
    lab.settle();
}

#[test]
fn a_container_makes_a_new_pod_and_gives_it_what_belongs_to_it() {
    let lab = Lab::with_payload();
    let options = ["--pod", "new:p", "--network", "none", "--hostname", "h", "--add-host", "db:10.1.2.3"];
    let report = run(&lab, &options, &["report"]).json();
    assert_ne!(report["namespaces"]["net"], json!(null));
    is(&lab, "Running", 0);
    assert_eq!(inspect(&lab)["Hostname"], "h");
    let member = ["--pod", "p"];
    run(&lab, &member, &["read", "/proc/sys/kernel/hostname"]).prints("h\n");
    assert_eq!(run(&lab, &member, &["report"]).json()["namespaces"]["net"], report["namespaces"]["net"]);
    // The name is taken; a container that cannot be made leaves no pod.
    let refused = run(&lab, &["--pod", "new:p"], &["exit", "0"]).exits(125);
    assert!(refused.stderr().contains("`p` is already in use by pod"), "{refused}");
    let refused = lab.rc(["run", "--pod", "new:q", "--pull", "never", "nothing/of:this", "x"]).run().exits(125);
    assert!(refused.stderr().contains("nothing/of"), "{refused}");
    lab.rc(["pod", "exists", "q"]).run().is(1, "", "");
    // What would be done is shown, and nothing of it is done.
    let options = ["run", "--explain=json", "--pod", "new:q", "--hostname", "of-q", "payload", "x"];
    let explained = lab.rc(options).run().text();
    assert!(explained.contains("of-q"), "{explained}");
    lab.rc(["pod", "exists", "q"]).run().is(1, "", "");
    remove(&lab);
}

#[test]
fn what_belongs_to_the_pod_is_refused_of_its_members() {
    let (lab, _) = lab(&["--network", "none"]);
    for (options, reason) in [
        (&["-p", "80:80"][..], "published or exposed ports must be defined when the pod is created"),
        (&["--ip", "10.89.0.9"], "networks must be defined when the pod is created"),
        (&["--add-host", "a:1.2.3.4"], "extra host entries must be specified on the pod"),
        (&["--dns", "1.1.1.1"], "name servers must be specified on the pod"),
        (&["--hostname", "x"], "cannot set hostname when joining the pod UTS namespace"),
        (&["--userns", "keep-id"], "`--userns` and `--pod` cannot be used together"),
    ] {
        let refused = run(&lab, &[&["--pod", "p"], options].concat(), &["exit", "0"]).exits(125);
        assert!(refused.stderr().contains(reason), "{refused}");
    }
    let refused = run(&lab, &["--pod", "gone"], &["exit", "0"]).exits(125);
    assert!(refused.stderr().contains("no such pod: gone"), "{refused}");
    for (option, value) in [("--infra-image", "i"), ("--infra-command", "c")] {
        let refused = lab.rc(["pod", "create", option, value]).run().exits(125);
        assert!(refused.stderr().contains("rc has no infra container"), "{refused}");
    }
    is(&lab, "Created", 0);
    remove(&lab);
}

/// Waits until the pod has this status.
pub(crate) fn wait_for(lab: &Lab, status: &str) {
    wait::until("the pod has its status", || (inspect(lab)["State"] == status).then_some(()));
}

#[test]
fn a_pod_with_the_policy_stop_ends_with_its_last_member_and_another_goes_on() {
    let (lab, _) = lab(&["--network", "none", "--exit-policy", "stop"]);
    start(&lab, "one", &[], &["sleep"]);
    start(&lab, "two", &[], &["sleep"]);
    lab.rc(["stop", "-t", "0", "one"]).run().succeeds();
    is(&lab, "Degraded", 2);
    lab.rc(["stop", "-t", "0", "two"]).run().succeeds();
    wait_for(&lab, "Exited");
    // A start of a member starts it again, and a member that restarts has not ended.
    lab.rc(["start", "one"]).run().succeeds();
    is(&lab, "Degraded", 2);
    remove(&lab);
    lab.rc(["pod", "create", "--name", "p", "--network", "none"]).run().succeeds();
    run(&lab, &["--pod", "p"], &["exit", "0"]).succeeds();
    is(&lab, "Running", 0);
    let refused = lab.rc(["pod", "create", "--exit-policy", "explode"]).run().exits(125);
    assert!(refused.stderr().contains("must be continue or stop"), "{refused}");
    remove(&lab);
}

/// Waits until the pod's own process runs: a monitor that has just begun has not yet replaced what the killed one said.
pub(crate) fn wait_for_process(lab: &Lab, id: &str) {
    wait::until("the pod's process runs", || {
        let state: Value = serde_json::from_slice(&std::fs::read(lab.container(id).join("state.json")).ok()?).ok()?;
        let pid = state["init"]["pid"].as_i64().filter(|_| state["status"] == "running")?;
        std::path::Path::new(&format!("/proc/{pid}/ns")).exists().then_some(())
    });
    wait_for(lab, "Running");
}

/// The PID of the monitor of the pod.
fn monitor(lab: &Lab, id: &str) -> i32 {
    wait::until("the pod has a monitor", || crate::kill_storm::monitor(lab, id))
}

#[test]
fn a_pod_whose_monitor_is_killed_runs_again_in_the_namespaces_of_its_members() {
    let (lab, id) = lab(&["--network", "none", "--shm-size", "1m"]);
    start(&lab, "one", &[], &["sleep"]);
    start(&lab, "two", &[], &["tcp", "80"]);
    lab.rc(["exec", "one", "/payload", "write", "/dev/shm/note", "hello"]).run().succeeds();
    let before = namespaces(&lab, "one");
    for _ in 0..3 {
        let killed = monitor(&lab, &id);
        rustix::process::kill_process(rustix::process::Pid::from_raw(killed).expect("a PID"), Signal::KILL)
            .expect("it can be killed");
        wait::until("another monitor", || crate::kill_storm::monitor(&lab, &id).filter(|pid| *pid != killed));
        wait_for_process(&lab, &id);
    }
    is(&lab, "Running", 2);
    // A new member has the same namespaces and the same shared memory as the old ones.
    start(&lab, "three", &[], &["sleep"]);
    let three = namespaces(&lab, "three");
    for kind in ["user", "net", "ipc", "uts"] {
        assert_eq!(three[kind], before[kind], "{kind}");
    }
    lab.rc(["exec", "three", "/payload", "read", "/dev/shm/note"]).run().prints("hello\n");
    lab.rc(["exec", "three", "/payload", "ask", "tcp", "127.0.0.1:80", "hello"]).run().prints("hello\n");
    // A pod that is stopped stays so.
    lab.rc(["pod", "stop", "-t", "0", "p"]).run().succeeds();
    is(&lab, "Exited", 3);
    remove(&lab);
}

pub(crate) fn kill_monitor(lab: &Lab, id: &str) {
    let killed = monitor(lab, id);
    rustix::process::kill_process(rustix::process::Pid::from_raw(killed).expect("a PID"), Signal::KILL)
        .expect("it can be killed");
    wait::until("another monitor", || crate::kill_storm::monitor(lab, id).filter(|pid| *pid != killed));
    wait_for_process(lab, id);
}

#[test]
fn twenty_members_that_start_at_once_start_the_pod_once() {
    let (lab, _) = lab(&["--network", "none"]);
    let create = |number: u32| {
        let name = format!("m{number}");
        lab.rc(["create", "--pod", "p", "--name", &name, "payload", "/payload", "sleep"]).run().succeeds();
        name
    };
    let names: Vec<String> = (0..20).map(create).collect();
    let started: Vec<_> = names.iter().map(|name| lab.rc(["start", name]).start()).collect();
    started.into_iter().for_each(|start| start.wait().succeeds());
    is(&lab, "Running", 20);
    let first = namespaces(&lab, "m0");
    for name in &names {
        assert_eq!(namespaces(&lab, name)["net"], first["net"], "{name}");
    }
    assert_eq!(lab.rc(["ps", "-q", "--filter", "pod=p"]).run().text().lines().count(), 20);
    remove(&lab);
}

#[test]
fn what_is_started_for_another_keeps_nothing_of_it_from_others() {
    let lab = Lab::with_payload();
    lab.rc(["pod", "create", "--name", "p", "--network", "none"]).run().succeeds();
    lab.rc(["create", "--name", "first", "--network", "none", "payload", "/payload", "sleep"]).run().succeeds();
    for (name, option) in [("member", ["--pod", "p"]), ("second", ["--requires", "first"])] {
        let run = lab.rc(["run", "-d", "--name", name]).args(option);
        run.args(["payload", "/payload", "sleep"]).run().succeeds();
        // Needs the store's lock, which the `run` had while it started the other.
        lab.rc(["rename", name, &format!("{name}2")]).run().succeeds();
    }
    lab.rc(["pod", "rm", "-f", "-t", "0", "p"]).run().succeeds();
    lab.remove_containers();
}

#[test]
fn a_pod_may_share_its_processes_or_nothing() {
    let (lab, id) = lab(&["--network", "none", "--share", "+pid"]);
    start(&lab, "one", &[], &["sleep"]);
    start(&lab, "two", &[], &["sleep"]);
    assert_eq!(namespaces(&lab, "one")["pid"], namespaces(&lab, "two")["pid"]);
    // The pod's own, two members, and the program that looks.
    let seen = lab.rc(["exec", "one", "/payload", "processes"]).run().text();
    assert_eq!(seen.lines().count(), 4, "{seen}");
    lab.rc(["rm", "-f", "-t", "0", "two"]).run().succeeds();
    is(&lab, "Running", 1);
    remove(&lab);
    // As podman-compose makes one.
    lab.rc(["pod", "create", "--name=p", "--infra=false", "--share="]).run().succeeds();
    start(&lab, "one", &["--network", "none", "--hostname", "own"], &["sleep"]);
    start(&lab, "two", &["--network", "none"], &["sleep"]);
    let [one, two] = ["one", "two"].map(|name| namespaces(&lab, name));
    for kind in ["user", "net", "ipc", "uts", "pid"] {
        assert_ne!(one[kind], two[kind], "{kind}");
    }
    is(&lab, "Running", 2);
    assert_eq!(inspect(&lab)["CreateInfra"], false);
    lab.rc(["pod", "stop", "-t", "0", "p"]).run().succeeds();
    is(&lab, "Exited", 2);
    lab.rc(["pod", "start", "p"]).run().succeeds();
    is(&lab, "Running", 2);
    remove(&lab);
    let _ = id;
}

#[test]
fn files_with_ids_replacement_and_volumes_of_a_pod() {
    let lab = Lab::with_payload();
    let file = lab.work("pod.id");
    let monitor = lab.work("monitor.pid");
    let create = ["pod", "create", "--name", "p", "--network", "none", "-v", "data:/data", "--pod-id-file"];
    let id = lab.rc(create).arg(&file).arg("--infra-conmon-pidfile").arg(&monitor).run().text();
    assert_eq!(std::fs::read_to_string(&file).expect("the ID"), id.trim());
    let by_file = ["run", "--rm", "--pod-id-file"];
    lab.rc(by_file).arg(&file).args(["payload", "/payload", "write", "/data/note", "hello"]).run().succeeds();
    run(&lab, &["--pod", "p"], &["read", "/data/note"]).prints("hello\n");
    let refused = lab.rc(by_file).arg(&file).args(["--pod", "p", "payload", "/payload", "exit", "0"]).run().exits(125);
    assert!(refused.stderr().contains("`--pod` and `--pod-id-file` cannot be used together"), "{refused}");
    start(&lab, "one", &[], &["sleep"]);
    let written = std::fs::read_to_string(&monitor).expect("a PID");
    assert_eq!(written.trim(), self::monitor(&lab, id.trim()).to_string());
    // A container of another pod has the volumes of this one.
    lab.rc(["pod", "create", "--name", "q", "--network", "none", "--volumes-from", "one"]).run().succeeds();
    run(&lab, &["--pod", "q"], &["read", "/data/note"]).prints("hello\n");
    lab.rc(["pod", "rm", "-f", "q"]).run().succeeds();
    let shown = lab.rc(["ps", "--pod", "--filter", "pod=p"]).run().text();
    assert!(shown.lines().next().is_some_and(|line| line.contains("POD ID") && line.contains("PODNAME")), "{shown}");
    assert!(shown.lines().nth(1).is_some_and(|line| line.contains(&id[..12]) && line.ends_with('p')), "{shown}");
    lab.rc(["ps", "-q", "--filter", "pod=other"]).run().prints("");
    let refused = lab.rc(["pod", "create", "--name", "p"]).run().exits(125);
    assert!(refused.stderr().contains("already in use by pod"), "{refused}");
    let other = lab.rc(["pod", "create", "--name", "p", "--replace", "--network", "none"]).run().text();
    assert_ne!(other, id);
    is(&lab, "Created", 0);
    let refused = lab.rc(create).arg(&file).arg("--replace").run().exits(125);
    assert!(refused.stderr().contains("pod.id` already exists\nhint: remove it, or write the ID"), "{refused}");
    lab.rc(["pod", "ps", "-q", "--no-trunc"]).run().prints(format!("{other}\n"));
    let refused = lab.rc(["pod", "stop", "--pod-id-file"]).arg(&file).run().exits(125);
    assert!(refused.stderr().contains("no such pod"), "{refused}");
    lab.rc(["pod", "stop", "--ignore", "--pod-id-file"]).arg(&file).run().says_nothing();
    remove(&lab);
}

#[test]
fn policy_and_security_are_those_of_the_pod_unless_a_member_has_its_own() {
    let (lab, _) = lab(&["--network", "none", "--restart", "on-failure:3"]);
    let policy = |options: &[&str]| {
        let created =
            lab.rc(["create", "--pod", "p"]).args(options).args(["payload", "/payload", "sleep"]).run().text();
        lab.rc(["inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", created.trim()]).run().text()
    };
    assert_eq!((policy(&[]).trim(), policy(&["--restart", "no"]).trim()), ("on-failure", "no"));
    remove(&lab);
    // So are the security options, which a member's own follow.
    let line = ["pod", "create", "--name", "p", "--network", "none", "--security-opt", "no-new-privileges"];
    lab.rc(line).run().succeeds();
    let locked = |options: &[&str]| {
        run(&lab, &[&["--pod", "p"], options].concat(), &["read", "/proc/self/status"])
            .text()
            .contains("NoNewPrivs:\t1")
    };
    assert!(locked(&[]) && !locked(&["--security-opt", "no-new-privileges=false"]));
    let refused = lab.rc(["pod", "create", "--security-opt", "label=type:x"]).run().exits(125);
    assert!(refused.stderr().contains("`--security-opt`: invalid security option `label=type:x`"), "{refused}");
    remove(&lab);
}

#[test]
fn when_everything_was_killed_a_start_of_a_member_starts_the_pod_anew() {
    let (lab, id) = lab(&["--network", "none"]);
    start(&lab, "one", &[], &["sleep"]);
    let member = lab.rc(["inspect", "--format", "{{.Id}}", "one"]).run().text();
    for id in [member.trim(), &id] {
        let killed = rustix::process::Pid::from_raw(monitor(&lab, id)).expect("a PID");
        rustix::process::kill_process(killed, Signal::KILL).expect("it can be killed");
        wait::until("it is dead", || crate::kill_storm::monitor(&lab, id).is_none().then_some(()));
    }
    wait_for(&lab, "Exited");
    // After a boot as well: what was recorded then is another boot's.
    let state = lab.container(&id).join("state.json");
    let text = std::fs::read_to_string(&state).expect("a state");
    let mut record: Value = serde_json::from_str(&text).expect("JSON");
    record["init"]["bootId"] = json!("00000000-0000-0000-0000-000000000000");
    std::fs::write(&state, record.to_string()).expect("written");
    is(&lab, "Exited", 1);
    lab.rc(["start", "one"]).run().succeeds();
    is(&lab, "Running", 1);
    remove(&lab);
}
