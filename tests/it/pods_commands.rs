//! The commands that act on all members of a pod: `pod kill`, `restart`, `pause`, `logs`, `top`, `stats`, `prune`, and
//! what `pod ps` shows.

use crate::pods::{is, lab, remove, start, wait_for};
use crate::support::{Lab, Output, Set};

fn pod(lab: &Lab, words: &[&str]) -> Output {
    lab.rc(["pod"]).args(words).run()
}

fn pids(lab: &Lab) -> String {
    lab.rc(["inspect", "--format", "{{.State.Pid}}", "one", "two"]).run().text()
}

#[test]
fn a_pod_is_killed_and_restarted_with_its_members() {
    let (lab, id) = lab(&["--network", "none"]);
    let id = id + "\n";
    start(&lab, "one", &[], &["sleep"]);
    start(&lab, "two", &[], &["sleep"]);
    pod(&lab, &["kill", "-s", "CONT", "p"]).prints(&id);
    is(&lab, "Running", 2);
    pod(&lab, &["kill", "p"]).prints(&id);
    wait_for(&lab, "Exited");
    lab.rc(["inspect", "--format", "{{.State.ExitCode}}", "one", "two"]).run().prints("137\n137\n");
    pod(&lab, &["restart", "p"]).prints(&id);
    is(&lab, "Running", 2);
    let before = pids(&lab);
    pod(&lab, &["restart", "--all"]).succeeds();
    is(&lab, "Running", 2);
    assert_ne!(pids(&lab), before);
    // If one does not exist, nothing is done to the others.
    pod(&lab, &["stop", "p", "ghost"]).fails(125, "rc: no such pod: ghost\n");
    pod(&lab, &["rm", "-i", "ghost"]).says_nothing();
    let both = "rc: `--all` and `--latest` cannot be used together\n";
    pod(&lab, &["kill", "--all", "--latest"]).fails(125, both);
    is(&lab, "Running", 2);
    pod(&lab, &["kill"]).fails(125, "rc: no pod was named\n");
    remove(&lab);
}

#[test]
fn a_paused_pod_is_frozen_whole() {
    let (lab, id) = lab(&["--network", "none"]);
    let id = id + "\n";
    start(&lab, "one", &[], &["sleep"]);
    start(&lab, "two", &[], &["sleep"]);
    // Nothing of it is frozen.
    pod(&lab, &["unpause", "p"]).prints("");
    let member = lab.rc(["inspect", "--format", "{{.Id}}", "one"]).run().text();
    if lab.group(&member).is_none() {
        // A user has a cgroup if systemd runs.
        drop(pod(&lab, &["pause", "p"]).exits(125));
        is(&lab, "Running", 2);
        remove(&lab);
        if Set::current() == Set::Root {
            skip!("containers have no cgroup of their own here");
        }
        return;
    }
    pod(&lab, &["pause", "p"]).prints(&id);
    is(&lab, "Paused", 2);
    pod(&lab, &["unpause", "p"]).prints(&id);
    is(&lab, "Running", 2);
    let events = ["events", "--stream=false", "--filter", "type=pod", "--format", "{{.Status}}"];
    let events = lab.rc(events).run().text();
    assert!(events.ends_with("pause\nunpause"), "{events}");
    lab.rc(["pause", "one"]).run().prints("one\n");
    is(&lab, "Degraded", 2);
    pod(&lab, &["pause", "p"]).prints(&id);
    is(&lab, "Paused", 2);
    remove(&lab);
}

#[test]
fn what_is_asked_of_all_containers_is_asked_of_the_processes_of_pods_too() {
    let (lab, id) = lab(&["--network", "none"]);
    start(&lab, "one", &[], &["sleep"]);
    let member = lab.rc(["inspect", "--format", "{{.Id}}", "one"]).run().text();
    let all = |words: &[&str]| lab.rc([words[0], "--all"]).args(&words[1..]).run();
    let (member_only, both) = (format!("{member}\n"), format!("{member}\n{id}\n"));
    let has_group = lab.group(&member).is_some();
    if has_group {
        all(&["pause"]).prints(&both);
        is(&lab, "Paused", 1);
        // A stop of all skips what is frozen.
        all(&["stop"]).prints("");
        all(&["unpause"]).prints(&both);
        is(&lab, "Running", 1);
    }
    all(&["kill", "--signal", "CONT"]).prints(&member_only);
    all(&["stop", "-t", "0", "--filter", "name=other"]).prints("");
    is(&lab, "Running", 1);
    all(&["stop", "-t", "0"]).prints(&both);
    is(&lab, "Exited", 1);
    // The member starts its pod.
    all(&["start"]).prints(&member_only);
    is(&lab, "Running", 1);
    all(&["kill"]).prints(&both);
    wait_for(&lab, "Exited");
    all(&["kill"]).prints("");
    let events = ["events", "--stream=false", "--filter", "type=pod", "--format", "{{.Status}}"];
    let events = lab.rc(events).run().text();
    let expected =
        if has_group { "create start pause unpause stop start kill" } else { "create start stop start kill" };
    assert_eq!(events.lines().collect::<Vec<_>>().join(" "), expected);
    remove(&lab);
}

#[test]
fn logs_processes_and_usage_are_those_of_all_members() {
    let (lab, id) = lab(&["--network", "none"]);
    start(&lab, "one", &[], &["echo", "hello"]);
    start(&lab, "two", &[], &["echo", "bye"]);
    lab.rc(["wait", "one", "two"]).run().prints("0\n0\n");
    pod(&lab, &["logs", "-n", "p"]).prints("one hello\ntwo bye\n");
    pod(&lab, &["logs", "-f", "-n", "--tail", "1", "-c", "two", "p"]).prints("bye\n");
    pod(&lab, &["logs", "-c", "ghost", "p"]).fails(125, "rc: container `ghost` does not belong to the pod\n");
    let hint = "hint: start it: `rc pod start POD`\n";
    pod(&lab, &["top", "p"]).fails(125, format!("rc: no container of the pod runs\n{hint}"));
    start(&lab, "three", &[], &["sleep"]);
    start(&lab, "four", &[], &["sleep"]);
    pod(&lab, &["top", "p", "args"]).prints("COMMAND\n/payload sleep\n/payload sleep\n");
    assert!(pod(&lab, &["top", "-l"]).text().starts_with("USER"));
    let short = &id[..12];
    let line = ["stats", "--no-stream", "--format", "{{.Pod}} {{.Name}}", "p"];
    pod(&lab, &line).prints(format!("{short} three\n{short} four\n"));
    let table = pod(&lab, &["stats", "--no-stream"]).text();
    assert!(table.starts_with("POD ") && table.lines().count() == 3, "{table}");
    let rows = pod(&lab, &["stats", "--no-stream", "--format", "json"]).json();
    assert_eq!((&rows[1]["Name"], rows.as_array().map(Vec::len)), (&"four".into(), Some(2)));
    remove(&lab);
}

#[test]
fn pods_that_have_ended_are_pruned_with_their_members() {
    let (lab, id) = lab(&["--network", "none"]);
    pod(&lab, &["create", "--name", "q", "--network", "none"]).succeeds();
    start(&lab, "one", &[], &["sleep"]);
    pod(&lab, &["prune", "-f"]).prints("");
    pod(&lab, &["stop", "-t", "0", "p"]).prints("p\n");
    pod(&lab, &["prune", "-f"]).prints(format!("{id}\n"));
    drop(pod(&lab, &["exists", "p"]).exits(1));
    pod(&lab, &["exists", "q"]).succeeds();
    drop(lab.rc(["container", "exists", "one"]).run().exits(1));
    let run = ["run", "--pod", "q", "payload", "/payload", "exit", "0"];
    lab.rc(run).run().succeeds();
    pod(&lab, &["stop", "-t", "0", "q"]).prints("q\n");
    let pruned = lab.rc(["system", "prune", "-f"]).run().text();
    assert!(pruned.starts_with("Deleted Pods\n") && !pruned.contains("Deleted Containers"), "{pruned}");
    pod(&lab, &["ps", "-q"]).prints("");
    lab.settle();
}

#[test]
fn pods_are_listed_by_filters_in_an_order_and_with_their_containers() {
    let (lab, _) = lab(&["--network", "none", "--label", "app=shop"]);
    pod(&lab, &["create", "--name", "a", "--network", "none"]).succeeds();
    start(&lab, "one", &[], &["sleep"]);
    for (filter, expected) in [
        ("name=^p$", "p\n"),
        ("name=.", "a\np\n"),
        ("label=app", "p\n"),
        ("label!=app", "a\n"),
        ("status=running", "p\n"),
        ("status=Created", "a\n"),
        ("ctr-names=on", "p\n"),
        ("ctr-number=0", "a\n"),
        ("ctr-status=running", "p\n"),
        ("ctr-status=exited", ""),
        ("ctr-status=stopped", ""),
        ("network=none", "a\np\n"),
        ("network=ghost", ""),
        ("until=1h", ""),
    ] {
        let listed = pod(&lab, &["ps", "--filter", filter, "--format", "{{.Name}}"]).text();
        assert_eq!(listed, expected.trim_end(), "{filter}");
    }
    let refused = pod(&lab, &["ps", "--filter", "status=up"]).exits(125).stderr();
    assert!(refused.contains("must be one of created, dead, degraded"), "{refused}");
    for (sort, expected) in [("name", "a\np\n"), ("number", "a\np\n"), ("status", "a\np\n"), ("created", "a\np\n")] {
        pod(&lab, &["ps", "--sort", sort, "--format", "{{.Name}}"]).prints(expected);
    }
    pod(&lab, &["ps", "--latest", "--format", "{{.Name}}"]).prints("a\n");
    let of_members = "{{range .Containers}}{{.Names}} {{.Status}}{{end}}";
    pod(&lab, &["ps", "--filter", "name=p", "--format", of_members]).prints("one running\n");
    let table = pod(&lab, &["ps", "--ctr-names", "--ctr-status"]).text();
    let with_namespaces = pod(&lab, &["ps", "--ctr-ids", "--ns"]).text();
    assert!(with_namespaces.lines().next().is_some_and(|line| line.ends_with("NAMESPACES")), "{with_namespaces}");
    let heading = table.lines().next().unwrap_or_default().to_owned();
    assert!(heading.contains("NAMES") && !heading.contains("# OF"), "{table}");
    assert!(table.lines().nth(2).is_some_and(|line| line.contains("one") && line.ends_with("running")), "{table}");
    remove(&lab);
}

#[test]
fn a_listing_shows_whole_ids_and_the_newest_pod_whatever_the_filters_say() {
    let lab = Lab::with_payload();
    pod(&lab, &["ps", "--latest"]).fails(125, "rc: no pods exist\n");
    lab.rc(["network", "create", "--internal", "app"]).run().succeeds();
    let network = lab.rc(["network", "inspect", "--format", "{{.ID}}", "app"]).run().text();
    let first = pod(&lab, &["create", "--network", "app", "p"]).text();
    let newest = pod(&lab, &["create", "--network", "none", "q"]).text();
    pod(&lab, &["ps", "-q"]).prints(format!("{newest}\n{first}\n"));
    pod(&lab, &["ps", "-q", "--filter", &format!("network={network}")]).prints(format!("{first}\n"));
    pod(&lab, &["ps", "-q", "--latest", "--filter", "name=p"]).prints(format!("{newest}\n"));
    let [one, other] = ["--namespace", "--ns"].map(|option| {
        // The ages below the heading may differ.
        let table = pod(&lab, &["ps", option]).text();
        table.lines().next().unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    });
    assert!(one == other && one.contains(&"NAMESPACES".to_owned()), "{one:?} {other:?}");
    // No container runs, and an empty word names no pod that does not exist.
    let usage = pod(&lab, &["stats", "--no-stream"]).text();
    let rows: Vec<Vec<&str>> = usage.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows, [["--"; 9]]);
    for command in ["exists", "rm", "start", "inspect"] {
        let said = pod(&lab, &[command, ""]).exits(125).stderr();
        assert_eq!(said, "rc: the name or ID of a pod cannot be empty\n", "{command}");
    }
    remove(&lab);
}
