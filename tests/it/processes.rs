//! `top` and `stats`: a running container from outside.

use serde_json::json;

use crate::support::{Exit, Lab, Signal};

/// A lab with a container `web` that plays `words`.
fn running(options: &[&str], words: &[&str]) -> Lab {
    let lab = Lab::with_payload();
    let run = ["run", "-d", "--name", "web", "--network", "none"];
    lab.rc(run).args(options).args(["payload", "/payload"]).args(words).run().succeeds();
    lab
}

/// The rows of `top`, without the heading, each with its cells in one line.
#[track_caller]
fn top(lab: &Lab, descriptors: &str) -> Vec<String> {
    let text = lab.rc(["top", "web", descriptors]).run().text();
    text.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn top_shows_processes_in_the_container_s_terms_and_the_host_s() {
    let lab = running(&[], &["sleep"]);
    let follower = lab.rc(["exec", "-i", "web", "/payload", "cat"]).open_input().start();
    let rows = crate::support::wait::until("the second program", || {
        let rows = top(&lab, "pid,ppid,user,comm,args");
        (rows.len() == 2 && rows[1].ends_with(" payload /payload cat")).then_some(rows)
    });
    assert_eq!(rows[0], "1 0 root payload /payload sleep");
    let second =
        rows[1].strip_suffix(" 0 root payload /payload cat").expect("a program that was not started by the first");
    assert!(second.parse::<u32>().is_ok_and(|pid| pid > 1), "{second}");
    let pid = lab.rc(["inspect", "--format", "{{.State.Pid}}", "web"]).run().text();
    let me = rustix::process::getuid().as_raw();
    assert_eq!(top(&lab, "hpid huid,uid")[0], format!("{pid} {me} 0"));
    let heading = lab.rc(["top", "web"]).run().text();
    let words: Vec<&str> = heading.lines().next().expect("a heading").split_whitespace().collect();
    assert_eq!(words, ["USER", "PID", "PPID", "%CPU", "ELAPSED", "TTY", "TIME", "COMMAND"]);
    follower.kill(Signal::KILL);
    assert_eq!(follower.wait().exit, Exit::Signal(9));
    lab.remove_containers();
}

#[test]
fn top_names_users_by_the_container_s_files() {
    only!(Full | Root);
    let lab = running(&["-u", "1000"], &["sleep"]);
    assert_eq!(top(&lab, "user uid capeff seccomp"), ["user 1000 none filter"]);
    lab.remove_containers();
}

#[test]
fn top_escapes_terminal_sequences_in_arguments() {
    let lab = running(&[], &["spy", "/\u{1b}[2J\n"]);
    assert_eq!(top(&lab, "args"), ["/payload spy /\\x1b[2J\\n"]);
    lab.remove_containers();
}

#[test]
fn top_executes_nothing_and_takes_options_of_ps() {
    let lab = running(&[], &["sleep"]);
    // The image has no ps.
    lab.rc(["top", "web", "-eo", "pid,comm"]).run().prints("PID         COMMAND\n1           payload\n");
    lab.rc(["top", "web", "-o", "pid=", "-o", "args="]).run().prints("1           /payload sleep\n");
    for words in [&["aux"][..], &["-ef"], &["-e", "-o", "user,etime,cmd"]] {
        let text = lab.rc(["top", "web"]).args(words).run().text();
        assert!(text.lines().count() == 2 && text.ends_with("/payload sleep"), "{text}");
    }
    let said = lab.rc(["top", "web", "-eo", "pid,wchan"]).run().exits(125).stderr();
    assert!(said.starts_with("rc: invalid column of ps `wchan`: is not supported"), "{said}");
    // docker shows the host's numbers.
    let pid = lab.rc(["inspect", "--format", "{{.State.Pid}}", "web"]).run().text();
    let text = lab.called("docker", ["top", "web", "-eo", "pid,comm"]).run().text();
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(words, ["PID", "COMMAND", &pid, "payload"]);
    let text = lab.called("docker", ["top", "web"]).run().text();
    let words: Vec<&str> = text.split_whitespace().take(5).collect();
    assert_eq!(words, ["UID", "PID", "PPID", "C", "STIME"], "{text}");
    lab.rc(["stop", "web"]).run().succeeds();
    lab.rc(["top", "web"]).run().fails(125, "rc: `web` is not running (exited)\nhint: start it with `rc start web`\n");
    lab.remove_containers();
}

#[test]
fn stats_prints_running_containers_once() {
    let lab = running(&[], &["sleep"]);
    lab.rc(["create", "--name", "idle", "--network", "none", "payload", "/payload", "sleep"]).run().succeeds();
    let once = ["stats", "--no-stream"];
    lab.rc(once).args(["--format", "{{.Name}} {{.PIDs}} {{.NetIO}}"]).run().prints("web 1 -- / --\n");
    let memory = lab.rc(once).args(["--format", "{{.MemUsage}} {{.MemLimit}}", "web"]).run().text();
    assert!(!memory.contains("--") && !memory.ends_with(" 0"), "{memory}");
    let mut all = lab.rc(once).args(["-a", "--format", "json"]).run().json();
    let idle = all.as_array_mut().expect("a list").iter_mut().find(|row| row["name"] == "idle").expect("it is there");
    idle["id"] = json!("");
    let nothing = json!({
        "id": "", "name": "idle", "cpu_time": "--", "cpu_percent": "--", "avg_cpu": "--", "mem_usage": "-- / --",
        "mem_percent": "--", "net_io": "-- / --", "block_io": "-- / --", "pids": "--",
    });
    assert_eq!(*idle, nothing);
    let text = lab.rc(once).run().text();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("ID            NAME        CPU %"), "{text}");
    lab.rc(once).arg("nobody").run().fails(125, "rc: no such container: nobody\n");
    lab.remove_containers();
}

#[test]
fn stats_come_again_and_again_until_they_are_interrupted() {
    let lab = running(&[], &["sleep"]);
    let stats = lab.rc(["stats", "-i", "1", "--format", "{{.Name}}"]).start();
    stats.line("web\nweb\n");
    stats.kill(Signal::INT);
    assert_eq!(stats.wait().exit, Exit::Signal(2));
    lab.remove_containers();
}

#[test]
fn a_network_of_its_own_is_counted() {
    let lab = Lab::with_payload();
    lab.rc(["run", "-d", "--name", "web", "payload", "/payload", "sleep"]).run().succeeds();
    let traffic = lab.rc(["stats", "--no-stream", "--format", "{{.NetIO}}"]).run().text();
    assert!(!traffic.contains("--"), "{traffic}");
    lab.remove_containers();
}
