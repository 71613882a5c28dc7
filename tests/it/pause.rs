//! `pause` and `unpause`: what a paused container does not do, and which commands work on it.

use rustix::process::{Pid, kill_process};

use crate::kill_storm::monitor;
use crate::support::{Exit, Lab, Set, Signal, wait};

/// A lab with a running container `web` that runs `words`; `None` if containers have no cgroup of their own.
fn running(words: &[&str]) -> Option<(Lab, std::path::PathBuf)> {
    let lab = Lab::with_payload();
    let run = ["run", "-d", "--name", "web", "--network", "none", "payload", "/payload"];
    let id = lab.rc(run).args(words).run().text();
    lab.ready("web");
    let group = lab.group(&id);
    if group.is_none() {
        lab.remove_containers();
    }
    group.map(|group| (lab, group))
}

macro_rules! running {
    ($words:expr) => {
        match running($words) {
            Some(running) => running,
            // An ordinary user has one if systemd runs (`system/limits.rs`).
            None if Set::current() != Set::Root => return,
            None => skip!("containers have no cgroup of their own here"),
        }
    };
}

#[track_caller]
fn status(lab: &Lab) -> String {
    lab.rc(["inspect", "--format", "{{.State.Status}} {{.State.Paused}}", "web"]).run().text()
}

#[test]
fn a_paused_container_does_not_run_until_it_is_unpaused() {
    let (lab, group) = running!(&["sleep"]);
    let frozen = || std::fs::read_to_string(group.join("cgroup.events")).expect("events").contains("frozen 1");
    lab.rc(["pause", "web"]).run().prints("web\n");
    assert!(frozen());
    assert_eq!(status(&lab), "paused true");
    let shown = lab.rc(["ps", "--format", "{{.State}} {{.Status}}"]).run().text();
    assert!(shown.starts_with("paused Up ") && shown.ends_with(" (Paused)"), "{shown}");
    let refused = |action: &str| format!("rc: cannot {action} `web`: it is paused\n");
    let hint = "hint: resume it with `rc unpause web`\n";
    lab.rc(["pause", "web"]).run().fails(125, refused("pause") + hint);
    lab.rc(["stop", "web"]).run().fails(125, refused("stop") + hint);
    lab.rc(["exec", "web", "/payload", "exit", "0"]).run().fails(125, refused("run a program in") + hint);
    lab.rc(["start", "web"]).run().fails(125, refused("start") + hint);
    let stop_first = "hint: stop it first with `rc stop web`, or use `rc rm -f web`\n";
    lab.rc(["rm", "web"]).run().fails(2, refused("remove") + stop_first);
    lab.rc(["stop", "-a"]).run().says_nothing();
    lab.rc(["unpause", "web"]).run().prints("web\n");
    assert!(!frozen());
    assert_eq!(status(&lab), "running false");
    lab.rc(["exec", "web", "/payload", "echo", "it lives"]).run().prints("it lives\n");
    lab.rc(["unpause", "web"]).run().fails(125, "rc: cannot unpause `web`: it is running\n");
    lab.rc(["stop", "web"]).run().prints("web\n");
    let refused = "rc: `web` is not running (exited)\nhint: start it with `rc start web`\n";
    lab.rc(["pause", "web"]).run().fails(125, refused);
    lab.remove_containers();
}

#[test]
fn input_and_signals_of_a_paused_program_arrive_when_it_is_unpaused() {
    let lab = Lab::with_payload();
    let run = ["run", "-i", "--name", "web", "--network", "none", "payload", "/payload", "cat"];
    let mut cat = lab.rc(run).open_input().start();
    cat.send("before\n");
    cat.line("before\n");
    if lab.rc(["pause", "web"]).run().exit != Exit::Code(0) {
        lab.remove_containers();
        drop(cat.wait());
        require!(Set::current() != Set::Root, "containers have no cgroup of their own here");
        return;
    }
    cat.send("after\n");
    lab.rc(["unpause", "-a"]).run().succeeds();
    cat.line("after\n");
    cat.send_end();
    assert_eq!(cat.wait().exit, Exit::Code(0));
    lab.remove_containers();
}

/// Waits until the process waits in this system call.
#[track_caller]
fn waits_in(pid: i32, call: libc::c_long) {
    let call = format!("{call} ");
    wait::until("it waits for an answer", || {
        std::fs::read_to_string(format!("/proc/{pid}/syscall")).ok()?.starts_with(&call).then_some(())
    });
}

/// A monitor that is stopped meanwhile gets the requests of both commands at once.
#[test]
fn nothing_enters_a_container_that_is_being_paused() {
    let (lab, _) = running!(&["sleep"]);
    let id = lab.rc(["inspect", "--format", "{{.Id}}", "web"]).run().text();
    let monitor = monitor(&lab, &id).and_then(Pid::from_raw).expect("a monitor");
    kill_process(monitor, Signal::STOP).expect("it can be stopped");
    let pause = lab.rc(["pause", "web"]).start();
    waits_in(pause.pid(), libc::SYS_recvfrom);
    let exec = lab.rc(["exec", "web", "/payload", "exit", "0"]).start();
    waits_in(exec.pid(), libc::SYS_ppoll);
    kill_process(monitor, Signal::CONT).expect("it can go on");
    pause.wait().prints("web\n");
    let refused = exec.wait().exits(125).stderr();
    assert!(refused.contains("paused"), "{refused}");
    lab.rc(["rm", "-f", "-t", "0", "web"]).run().succeeds();
}

#[test]
fn all_means_those_that_run_and_those_that_are_paused() {
    let (lab, _) = running!(&["sleep"]);
    let id = lab.rc(["inspect", "--format", "{{.Id}}", "web"]).run().text() + "\n";
    lab.rc(["create", "--name", "other", "payload", "/payload", "sleep"]).run().succeeds();
    lab.rc(["pause", "-a"]).run().prints(&id);
    lab.rc(["pause", "-a"]).run().says_nothing();
    lab.rc(["unpause", "--all"]).run().prints(&id);
    lab.rc(["unpause", "--all"]).run().says_nothing();
    for choice in [&["--filter", "status=running"][..], &["--filter", "name=web"], &["web", "other", "-f", "name=web"]]
    {
        lab.rc(["pause"]).args(choice).run().prints(if choice[0] == "web" { "web\n" } else { &id });
        lab.rc(["unpause", "--filter", "status=paused"]).run().prints(&id);
    }
    lab.rc(["pause", "--filter", "name=other"]).run().says_nothing();
    let refused = "rc: `other` is not running (created)\nhint: start it with `rc start other`\n";
    lab.rc(["pause", "--latest"]).run().fails(125, refused);
    lab.rc(["pause"]).run().fails(125, "rc: no container was named\n");
    lab.remove_containers();
}

#[test]
fn a_pause_that_cannot_be_recorded_is_undone() {
    let (lab, group) = running!(&["sleep"]);
    let id = lab.rc(["inspect", "--format", "{{.Id}}", "web"]).run().text();
    let obstacle = lab.container(&id).join("state.json.new/full");
    std::fs::create_dir_all(&obstacle).expect("the record's next version cannot be made");
    let refused = lab.rc(["pause", "web"]).run().exits(125);
    assert!(refused.stderr().starts_with("rc: cannot pause `web`: cannot remove `"), "{refused}");
    let events = std::fs::read_to_string(group.join("cgroup.events")).expect("events");
    assert!(events.contains("frozen 0"), "{events}");
    lab.rc(["exec", "web", "/payload", "echo", "it lives"]).run().prints("it lives\n");
    std::fs::remove_dir_all(obstacle.with_file_name("")).expect("the obstacle can be removed");
    lab.rc(["pause", "web"]).run().prints("web\n");
    lab.remove_containers();
}

#[test]
fn a_paused_container_can_be_killed_and_removed() {
    let (lab, group) = running!(&["hang"]);
    lab.rc(["pause", "web"]).run().succeeds();
    lab.rc(["kill", "web"]).run().prints("web\n");
    lab.rc(["wait", "web"]).run().prints("137\n");
    lab.rc(["start", "web"]).run().prints("web\n");
    lab.rc(["pause", "web"]).run().succeeds();
    lab.rc(["rm", "-f", "web"]).run().prints("web\n");
    assert!(!group.exists());
}

#[test]
fn a_monitor_that_gets_sigterm_unpauses_its_program() {
    let (lab, _) = running!(&["sleep"]);
    let id = lab.rc(["inspect", "--format", "{{.Id}}", "web"]).run().text();
    lab.rc(["pause", "web"]).run().succeeds();
    let monitor = monitor(&lab, &id).expect("the monitor holds the lock");
    let monitor = Pid::from_raw(monitor).expect("a pid is not 0");
    kill_process(monitor, Signal::TERM).expect("it can be told");
    lab.rc(["wait", "web"]).run().prints("0\n");
    lab.remove_containers();
}

#[test]
fn a_paused_container_whose_monitor_was_killed_can_be_removed() {
    let (lab, group) = running!(&["hang"]);
    let id = lab.rc(["inspect", "--format", "{{.Id}}", "web"]).run().text();
    lab.rc(["pause", "web"]).run().succeeds();
    let monitor = monitor(&lab, &id).expect("the monitor holds the lock");
    let monitor = Pid::from_raw(monitor).expect("a pid is not 0");
    kill_process(monitor, Signal::KILL).expect("it can be killed");
    lab.rc(["rm", "-f", "web"]).run().succeeds();
    assert!(!group.exists());
}

#[test]
fn without_a_cgroup_nothing_can_be_paused() {
    let lab = Lab::with_payload();
    let id = lab.rc(["run", "-d", "--name", "web", "--network", "none", "payload", "/payload", "sleep"]).run().text();
    let has_group = lab.group(&id).is_some();
    let said = (!has_group).then(|| lab.rc(["pause", "web"]).run().exits(125).stderr());
    let after = status(&lab);
    lab.remove_containers();
    // Root's have one everywhere.
    let Some(said) = said else { return };
    let expected =
        "rc: cannot pause `web`: it has no cgroup, which is needed to stop its processes\nhint: start it in ";
    assert!(said.starts_with(expected), "{said}");
    assert_eq!(after, "running false");
}
