//! `rc init`: everything but the program.

use std::fs;

use crate::support::{Lab, processes, wait};

/// A lab with a container `c` that is initialized, and will run `words`.
#[track_caller]
fn initialized(options: &[&str], words: &[&str]) -> Lab {
    let lab = Lab::with_payload();
    let create = ["create", "--name", "c", "--network", "none"];
    lab.rc(create).args(options).args(["payload", "/payload"]).args(words).run().succeeds();
    lab.rc(["init", "c"]).run().prints("c\n");
    lab
}

fn show(lab: &Lab, format: &str) -> String {
    lab.rc(["inspect", "-f", format, "c"]).run().text()
}

/// Process 1 of the container.
#[track_caller]
fn first_process(lab: &Lab) -> i32 {
    show(lab, "{{.State.Pid}}").parse().ok().filter(|pid| *pid > 0).expect("a process")
}

const STATE: &str = "{{.State.Status}} {{.State.Running}} {{.RestartCount}}";

#[test]
fn the_program_waits_and_the_files_are_as_it_will_see_them() {
    let lab = initialized(&["-v", "data:/data", "-i"], &["read", "/data/file"]);
    assert_eq!(show(&lab, STATE), "initialized false 0");
    assert_eq!(fs::read_to_string(format!("/proc/{}/comm", first_process(&lab))).expect("alive"), "rc: init\n");
    lab.rc(["ps", "-q"]).run().prints("");
    lab.rc(["ps", "-a", "--filter", "status=initialized", "--format", "{{.Names}} {{.Status}}"])
        .run()
        .prints("c Initialized\n");
    for (words, reason) in [
        (&["init", "c"][..], "it is initialized"),
        (&["exec", "c", "/payload", "exit", "0"], "it is initialized"),
        (&["kill", "c"], "it is initialized"),
        (&["attach", "c"], "it is initialized"),
    ] {
        let said = lab.rc(words.iter().copied()).run().exits(125).stderr();
        assert!(said.contains(reason), "{words:?}: {said}");
    }
    // What is meant for programs that run passes it by.
    for words in [&["init", "--all"][..], &["kill", "--all"], &["network", "reload", "--all"]] {
        lab.rc(words.iter().copied()).run().prints("");
    }
    fs::write(lab.work("file"), "from outside\n").expect("written");
    lab.rc(["cp", "file", "c:/data/file"]).directory(lab.work("")).run().succeeds();
    // The command that is attached reads what it has written, and knows how it has ended.
    lab.rc(["start", "-a", "c"]).run().prints("from outside\n");
    assert_eq!(show(&lab, STATE), "exited false 0");
    let events = lab.rc(["events", "--no-stream", "--filter", "container=c", "--format", "{{.Status}}"]).run().text();
    let events: Vec<&str> = events.lines().filter(|event| ["init", "start", "died"].contains(event)).collect();
    assert_eq!(events, ["init", "start", "died"]);
    // Once more, for a start that is not attached; the next start needs no preparation.
    lab.rc(["container", "init", "--latest"]).run().exits(0).stdout();
    let pid = first_process(&lab);
    lab.rc(["start", "c"]).run().prints("c\n");
    lab.rc(["wait", "c"]).run().prints("0\n");
    assert!(!fs::exists(format!("/proc/{pid}")).expect("known"));
    lab.rc(["logs", "c"]).run().prints("from outside\nfrom outside\n");
    lab.rc(["start", "-ai", "c"]).input("x").run().prints("from outside\n");
    lab.rc(["rm", "-v", "c"]).run().succeeds();
    lab.rc(["volume", "rm", "data"]).run().succeeds();
}

#[test]
fn what_waits_ends_with_stop_with_its_monitor_and_with_the_container() {
    let lab = initialized(&["--restart", "always"], &["sleep"]);
    let gone = |pid: i32| wait::until("it has ended", || (!fs::exists(format!("/proc/{pid}")).ok()?).then_some(()));
    let pid = first_process(&lab);
    lab.rc(["stop", "c"]).run().prints("c\n");
    gone(pid);
    assert_eq!(show(&lab, STATE), "created false 0");
    lab.rc(["init", "c"]).run().succeeds();
    let (pid, id) = (first_process(&lab), show(&lab, "{{.Id}}"));
    processes::kill(crate::kill_storm::monitor(&lab, &id).expect("a monitor"));
    gone(pid);
    assert_eq!(show(&lab, STATE), "created false 0");
    // The container is as any other when it runs.
    lab.rc(["init", "c"]).run().succeeds();
    lab.rc(["restart", "-t", "0", "c"]).run().exits(0).stdout();
    assert_eq!(show(&lab, STATE), "running true 0");
    lab.rc(["rm", "-f", "-t", "0", "c"]).run().succeeds();
    // A program that cannot be run is found out by the start alone.
    lab.rc(["create", "--name", "c", "--network", "none", "payload", "/nothing"]).run().succeeds();
    lab.rc(["init", "c"]).run().succeeds();
    let said = lab.rc(["start", "c"]).run().exits(127).stderr();
    assert!(said.contains("cannot run `/nothing`"), "{said}");
    assert_eq!(
        show(&lab, "{{.State.Status}} {{.State.Error}}"),
        "created cannot run `/nothing`: no such file or directory"
    );
    lab.rc(["init", "c"]).run().succeeds();
    let pid = first_process(&lab);
    lab.rc(["rm", "c"]).run().prints("c\n");
    gone(pid);
}

#[test]
fn a_member_of_a_network_has_its_address_before_it_runs_and_a_pod_starts_what_waits() {
    let lab = Lab::with_payload();
    lab.rc(["network", "create", "--internal", "app"]).run().succeeds();
    let create = ["create", "--name", "c", "--network", "app", "payload", "/payload", "tcp", "7"];
    lab.rc(create).run().succeeds();
    lab.rc(["init", "c"]).run().succeeds();
    let address = "{{.NetworkSettings.Networks.app.IPAddress}}";
    let before = show(&lab, address);
    assert!(before.starts_with("10."), "{before}");
    lab.rc(["start", "c"]).run().succeeds();
    lab.ready("c");
    assert_eq!(show(&lab, address), before);
    let place = format!("{before}:7");
    let ask = ["run", "--rm", "--network", "app", "payload", "/payload", "ask", "tcp", &place, "hello"];
    assert!(lab.rc(ask).run().text().contains("hello"));
    lab.rc(["rm", "-f", "-t", "0", "c"]).run().succeeds();
    lab.rc(["network", "rm", "app"]).run().succeeds();
    lab.rc(["pod", "create", "--name", "p", "--network", "none"]).run().exits(0).stdout();
    lab.rc(["create", "--pod", "p", "--name", "c", "payload", "/payload", "sleep"]).run().succeeds();
    lab.rc(["init", "c"]).run().succeeds();
    lab.rc(["pod", "kill", "-s", "USR1", "p"]).run().exits(0).stdout();
    assert!(lab.rc(["pod", "top", "p"]).run().exits(125).stderr().contains("no container of the pod runs"));
    assert_eq!(show(&lab, "{{.State.Status}}"), "initialized");
    lab.rc(["pod", "start", "p"]).run().succeeds();
    assert_eq!(show(&lab, "{{.State.Status}}"), "running");
    lab.rc(["stop", "-t", "0", "c"]).run().succeeds();
    lab.rc(["init", "c"]).run().succeeds();
    lab.rc(["pod", "rm", "p"]).run().exits(0).stdout();
}

#[test]
fn pid_files_exist_from_the_preparation_to_the_end() {
    let lab = initialized(&["--pidfile", "init.pid", "--conmon-pidfile", "monitor.pid"], &["sleep"]);
    let written = || {
        let read = |name: &str| fs::read_to_string(lab.work(name)).ok().and_then(|text| text.parse::<i32>().ok());
        ["init.pid", "monitor.pid"].map(read)
    };
    let monitor = crate::kill_storm::monitor(&lab, &show(&lab, "{{.Id}}"));
    let expected = [Some(first_process(&lab)), monitor];
    assert_eq!(written(), expected);
    lab.rc(["start", "c"]).run().prints("c\n");
    assert_eq!(written(), expected);
    for prepares in [false, true] {
        if prepares {
            lab.rc(["init", "c"]).run().succeeds();
            assert_eq!(written()[0], Some(first_process(&lab)));
        }
        lab.rc(["stop", "-t", "0", "c"]).run().prints("c\n");
        assert_eq!(written(), [None, None]);
    }
    lab.rc(["rm", "c"]).run().succeeds();
    let create = ["create", "--name", "c", "--network", "none", "--pidfile", "no/such", "payload", "/payload", "sleep"];
    lab.rc(create).run().succeeds();
    let said = lab.rc(["init", "c"]).run().exits(125).stderr();
    assert!(said.contains("no/such"), "{said}");
    assert_eq!(show(&lab, STATE), "created false 0");
    lab.rc(["rm", "c"]).run().succeeds();
}
