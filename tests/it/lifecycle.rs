//! The life of a container: create, start, look, enter, stop, kill, wait, remove; exit codes and signals.

use std::time::Duration;

use serde_json::json;

use crate::support::wait::{self, PATIENCE};
use crate::support::{Exit, Lab, Set, Signal};

/// `rc run -d --name NAME --network none payload /payload WORDS`; returns the ID.
#[track_caller]
fn detached(lab: &Lab, name: &str, words: &[&str]) -> String {
    let id = lab.rc(["run", "-d", "--name", name, "--network", "none", "payload", "/payload"]).args(words).run().text();
    assert!(id.len() == 64 && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "not an id: {id}");
    id
}

/// The output of `inspect --format`.
#[track_caller]
fn field(lab: &Lab, name: &str, template: &str) -> String {
    lab.rc(["inspect", "--format", template, name]).run().text()
}

#[test]
fn output_and_exit_code_are_the_program_s_own() {
    let lab = Lab::with_payload();
    lab.play(["echo", "hello"]).prints("hello\n");
    lab.play(["complain", "oh"]).is(0, "", "oh\n");
    for code in [0, 1, 3, 125, 126, 127, 255] {
        lab.play(["exit", &code.to_string()]).is(code, "", "");
    }
    // As process 1 of its namespace the program could not send itself a deadly signal: pid_namespaces(7).
    for (name, code) in [("SIGABRT", 134), ("SIGSEGV", 139)] {
        lab.rc(["run", "--rm", "--init", "--network", "none", "payload", "/payload", "raise", name])
            .run()
            .is(code, "", "");
    }
}

#[test]
fn standard_input_is_passed_on_and_closed() {
    let lab = Lab::with_payload();
    let run = ["run", "--rm", "--network", "none"];
    lab.rc(run).args(["-i", "payload", "/payload", "cat"]).input("bytes\0and more").run().prints("bytes\0and more");
    lab.rc(run).args(["payload", "/payload", "cat"]).input("not asked for").run().prints("");
}

#[test]
fn many_bytes_arrive_whole() {
    let lab = Lab::with_payload();
    let bytes = 20_000_000;
    for log in [true, false] {
        let run = lab.rc(["run", "--name", "big", "--network", "none"]).args(if log { &[][..] } else { &["--rm"] });
        let output = run.args(["payload", "/payload", "spin", &bytes.to_string(), "77"]).run().exits(0);
        assert_eq!(output.stdout.len(), bytes);
        assert!(output.stdout.chunks(77).all(|line| line.len() < 77 || line[76] == b'\n'), "a line is torn");
        if log {
            lab.rc(["rm", "big"]).run().succeeds();
        }
    }
}

#[test]
fn a_program_that_cannot_be_executed_is_126_and_a_missing_one_127() {
    let lab = Lab::with_payload();
    let run = ["run", "--rm", "--network", "none", "payload"];
    assert!(lab.rc(run).arg("/no/such/program").run().exits(127).stderr().contains("/no/such/program"));
    assert!(lab.rc(run).arg("no-such-program").run().exits(127).stderr().contains("no-such-program"));
    assert!(lab.rc(run).arg("/etc/passwd").run().exits(126).stderr().contains("/etc/passwd"));
    assert!(lab.rc(run).arg("/etc").run().exits(126).stderr().contains("/etc"));
    lab.rc(["ps", "-a", "-q"]).run().prints("");
}

#[test]
fn a_refused_run_is_125_and_leaves_nothing() {
    let lab = Lab::with_payload();
    let run = ["run", "--network", "none"];
    assert!(lab.rc(run).args(["--no-such-flag", "payload"]).run().exits(125).stderr().contains("--no-such-flag"));
    assert!(lab.rc(run).args(["--pull", "never", "no-such-image"]).run().exits(125).stderr().contains("no-such-image"));
    assert!(
        lab.rc(run)
            .args(["-v", "/no/such/path:/x", "payload", "/payload", "exit", "0"])
            .run()
            .exits(125)
            .stderr()
            .contains("/no/such/path")
    );
    lab.rc(["ps", "-a", "-q"]).run().prints("");
}

#[test]
fn create_start_stop_and_remove_are_steps() {
    let lab = Lab::with_payload();
    let id = lab.rc(["create", "--name", "steps", "--network", "none", "payload", "/payload", "sleep"]).run().text();
    assert_eq!(field(&lab, "steps", "{{.Id}} {{.State.Status}}"), format!("{id} created"));
    lab.rc(["start", "steps"]).run().prints("steps\n");
    lab.ready("steps");
    assert_eq!(field(&lab, &id[..12], "{{.State.Status}} {{.State.Running}}"), "running true");
    lab.rc(["ps", "--format", "{{.Names}} {{.Image}}"]).run().prints("steps docker.io/library/payload:latest\n");
    assert_eq!(lab.rc(["rm", "steps"]).run().exits(2).stdout(), "");
    lab.rc(["stop", "steps"]).run().prints("steps\n");
    assert_eq!(field(&lab, "steps", "{{.State.Status}} {{.State.ExitCode}}"), "exited 0");
    lab.rc(["ps", "-q"]).run().prints("");
    lab.rc(["logs", "steps"]).run().prints("ready\n");
    lab.rc(["start", "steps"]).run().prints("steps\n");
    lab.rc(["rm", "-f", "steps"]).run().prints("steps\n");
    lab.rc(["ps", "-a", "-q"]).run().prints("");
}

#[test]
fn a_created_container_can_be_removed_unstarted() {
    let lab = Lab::with_payload();
    lab.rc(["create", "--name", "never", "--network", "none", "payload", "/payload", "sleep"]).run().succeeds();
    lab.rc(["rm", "never"]).run().prints("never\n");
}

#[test]
fn logs_keep_streams_apart_and_follow_to_the_end() {
    let lab = Lab::with_payload();
    lab.rc(["run", "--name", "a", "--network", "none", "payload", "/payload", "complain", "to stderr"]).run().is(
        0,
        "",
        "to stderr\n",
    );
    lab.rc(["logs", "a"]).run().is(0, "", "to stderr\n");
    detached(&lab, "b", &["signals", "2"]);
    let follower = lab.rc(["logs", "-f", "b"]).start();
    follower.line("ready\n");
    lab.rc(["kill", "-s", "USR1", "b"]).run().succeeds();
    follower.line("SIGUSR1\n");
    lab.rc(["kill", "-s", "HUP", "b"]).run().succeeds();
    follower.wait().prints("ready\nSIGUSR1\nSIGHUP\n");
    lab.rc(["logs", "--tail", "1", "b"]).run().prints("SIGHUP\n");
    lab.remove_containers();
}

#[test]
fn exec_runs_beside_the_program_with_its_own_exit_code() {
    let lab = Lab::with_payload();
    detached(&lab, "host", &["sleep"]);
    lab.ready("host");
    lab.rc(["exec", "host", "/payload", "echo", "inside"]).run().prints("inside\n");
    lab.rc(["exec", "host", "/payload", "exit", "9"]).run().is(9, "", "");
    lab.rc(["exec", "host", "/payload", "raise", "SIGKILL"]).run().is(137, "", "");
    lab.rc(["exec", "-i", "host", "/payload", "cat"]).input("in\0out").run().prints("in\0out");
    assert!(lab.rc(["exec", "host", "/no/such"]).run().exits(127).stderr().contains("/no/such"));
    // With a single ID, the container has no user except root.
    let user = if Set::current() == Set::One { ("root", 0) } else { ("user", 1000) };
    let report = lab.rc(["exec", "-e", "A=1", "-w", "/work", "-u", user.0, "host", "/payload", "report"]).run().json();
    assert_eq!((&report["env"]["A"], &report["cwd"]), (&json!("1"), &json!("/work")));
    assert_eq!(report["uids"], json!([user.1, user.1, user.1, user.1]));
    lab.rc(["exec", "host", "/payload", "write", "/tmp/mark", "made"]).run().says_nothing();
    lab.rc(["exec", "host", "/payload", "read", "/tmp/mark"]).run().prints("made\n");
    lab.rc(["stop", "host"]).run().prints("host\n");
    assert!(lab.rc(["exec", "host", "/payload", "exit", "0"]).run().exits(125).stderr().contains("host"));
    lab.remove_containers();
}

#[test]
fn a_file_of_any_size_goes_through_a_program_that_answers_as_it_reads() {
    let lab = Lab::with_payload();
    lab.rc(["run", "-d", "--name", "host", "--network", "none", "payload", "/payload", "sleep"]).run().succeeds();
    let bytes: Vec<u8> = (0..3 << 20).map(|n: u32| n.to_le_bytes()[usize::from(n & 256 != 0)]).collect();
    std::fs::write(lab.work("input"), &bytes).expect("a file can be written");
    let script = "exec \"$@\" <input";
    for command in [&["exec", "-i", "host"][..], &["run", "--rm", "-i", "--network", "none", "payload"]] {
        let shell = lab.program("/bin/sh", ["-c", script, "sh"]).arg(Lab::rc_path());
        let output = shell.args(command).args(["/payload", "cat"]).run().exits(0);
        assert!(output.stdout == bytes, "{command:?}: {} bytes of {}", output.stdout.len(), bytes.len());
    }
    lab.remove_containers();
}

#[test]
fn exec_on_a_terminal_ends_with_its_program_whatever_that_has_left_behind() {
    let lab = Lab::with_payload();
    lab.rc(["run", "-d", "--name", "host", "--network", "none", "payload", "/payload", "sleep"]).run().succeeds();
    lab.rc(["exec", "host", "/payload", "leave", "hang"]).start_on_terminal(24, 80).wait().succeeds();
    lab.remove_containers();
}

#[test]
fn exec_ends_with_its_container() {
    let lab = Lab::with_payload();
    detached(&lab, "host", &["sleep"]);
    lab.ready("host");
    let inside = lab.rc(["exec", "host", "/payload", "hang"]).start();
    inside.line("ready\n");
    lab.rc(["rm", "-f", "host"]).run().prints("host\n");
    inside.wait().is(137, "ready\n", "");
}

#[test]
fn stop_asks_and_then_kills() {
    let lab = Lab::with_payload();
    detached(&lab, "polite", &["sleep"]);
    lab.ready("polite");
    lab.rc(["stop", "-t", "50", "polite"]).run().within(PATIENCE).prints("polite\n");
    assert_eq!(field(&lab, "polite", "{{.State.ExitCode}}"), "0");
    let run = ["run", "-d", "--name", "stubborn", "--stop-timeout", "50", "--network", "none", "payload", "/payload"];
    lab.rc(run).arg("stubborn").run().succeeds();
    lab.ready("stubborn");
    let stop = lab.rc(["stop", "-t", "1", "stubborn"]).run().within(PATIENCE);
    assert!(stop.elapsed >= Duration::from_secs(1), "{stop}killed before its time");
    stop.is(0, "stubborn\n", "");
    assert_eq!(field(&lab, "stubborn", "{{.State.ExitCode}}"), "137");
    lab.remove_containers();
}

#[test]
fn a_stop_without_a_timeout_kills_nobody() {
    let lab = Lab::with_payload();
    // The first stop has no timeout of its own, and the second one's counts.
    for (of_container, of_stop) in [("-1", &[][..]), ("0", &["-t", "-1"])] {
        let run = ["run", "-d", "--name", "slow", "--network", "none", "--stop-timeout", of_container, "payload"];
        lab.rc(run).args(["/payload", "signals", "2"]).run().succeeds();
        lab.ready("slow");
        let stopping = lab.rc(["stop", "slow"]).args(of_stop).start();
        wait::until("it is asked", || lab.rc(["logs", "slow"]).run().stdout().contains("SIGTERM").then_some(()));
        lab.rc(["kill", "-s", "USR1", "slow"]).run().succeeds();
        stopping.wait().prints("slow\n");
        assert_eq!(field(&lab, "slow", "{{.State.ExitCode}}"), "0");
        lab.rc(["rm", "-f", "-t", "-1", "slow"]).run().prints("slow\n");
    }
    let refused = lab.rc(["stop", "-t", "-2", "slow"]).run().exits(125);
    assert!(refused.stderr().contains("--time"), "{refused}");
    for line in ["restart --all", "pod stop --all", "pod rm -f --all", "network rm -f none", "volume rm -f none"] {
        lab.rc(line.split(' ')).args(["--time", "-1"]).run().succeeds();
    }
    let explain = ["run", "--explain", "--stop-timeout", "-1", "--network", "none", "payload", "/payload"];
    let explained = lab.rc(explain).run().exits(0).stdout();
    assert!(explained.contains("SIGTERM, no SIGKILL"), "{explained}");
}

#[test]
fn the_stop_signal_is_the_one_that_was_asked_for() {
    let lab = Lab::with_payload();
    let run = ["run", "-d", "--name", "usr", "--network", "none", "--stop-signal", "SIGUSR2", "payload", "/payload"];
    lab.rc(run).args(["signals", "1"]).run().succeeds();
    lab.ready("usr");
    lab.rc(["stop", "usr"]).run().prints("usr\n");
    lab.rc(["logs", "usr"]).run().prints("ready\nSIGUSR2\n");
    lab.remove_containers();
}

#[test]
fn wait_waits_for_any_state_that_is_asked_for() {
    let lab = Lab::with_payload();
    let create = ["create", "--name", "web", "--network", "none", "payload", "/payload", "sleep"];
    lab.rc(create).run().succeeds();
    lab.rc(["wait", "--condition", "created,removing", "web"]).run().prints("-1\n");
    // The interval is longer than a test may take: the directory reports the change.
    let patient = |conditions: &str| lab.rc(["wait", "-i", "1h", "--condition", conditions, "web"]).start();
    let (running, ended) = (patient("running"), patient("paused,exited"));
    lab.rc(["start", "web"]).run().succeeds();
    running.wait().prints("-1\n");
    lab.rc(["wait", "--condition", "stopped", "--condition", "running", "--latest"]).run().prints("-1\n");
    lab.rc(["kill", "web"]).run().succeeds();
    ended.wait().prints("137\n");
    // Not `removing`, which it may see in time.
    let gone = patient("paused,running");
    lab.rc(["rm", "web"]).run().succeeds();
    gone.wait().fails(125, "rc: no such container: web\n");
    lab.rc(["wait", "--ignore", "web"]).run().prints("-1\n");
    lab.rc(["wait", "web"]).run().fails(125, "rc: no such container: web\n");
    lab.rc(["wait"]).run().fails(125, "rc: no container was named\n");
    lab.rc(["wait", "--condition", "healthy", "web"]).run().fails(125, "rc: no such container: web\n");
}

#[test]
fn the_latest_container_is_started_and_removed_and_no_option_is_overlooked() {
    let lab = Lab::with_payload();
    for (name, code) in [("old", "1"), ("new", "3")] {
        let create = ["create", "--name", name, "--network", "none", "payload", "/payload", "exit", code];
        lab.rc(create).run().succeeds();
    }
    lab.rc(["start", "-a", "-l"]).run().is(3, "", "");
    let neither = "rc: `--attach` and `--interactive` take neither `--all` nor `--filter`\n";
    for (words, message) in [
        (&["start", "-a", "-l", "old"][..], "rc: containers cannot be named together with --latest\n"),
        (&["start", "-a", "--all"], neither),
        (&["start", "-i", "-f", "name=o", "old"], neither),
        (&["start", "-a", "old", "new"], "rc: `--attach` and `--interactive` take exactly one container\n"),
        (&["start", "-a"], "rc: no container was named\n"),
        (&["rm", "-t", "3", "old"], "rc: --time needs --force\n"),
        (&["rm", "-l", "old"], "rc: containers cannot be named together with --latest\n"),
    ] {
        lab.rc(words).run().fails(125, message);
    }
    let newest = lab.rc(["ps", "-lq", "--no-trunc"]).run().text();
    lab.rc(["rm", "-l"]).run().prints(format!("{newest}\n"));
    lab.rc(["ps", "-a", "--format", "{{.Names}}"]).run().prints("old\n");
    lab.remove_containers();
}

#[test]
fn wait_prints_exit_codes() {
    let lab = Lab::with_payload();
    detached(&lab, "three", &["exit", "3"]);
    lab.rc(["wait", "three"]).run().prints("3\n");
    detached(&lab, "killed", &["hang"]);
    lab.ready("killed");
    let waiting = lab.rc(["wait", "killed"]).start();
    lab.rc(["kill", "killed"]).run().prints("killed\n");
    waiting.wait().prints("137\n");
    lab.rc(["wait", "--ignore", "nobody", "three"]).run().prints("-1\n3\n");
    lab.rc(["rm", "--filter", "name=^t", "--filter", "status=exited"]).run().succeeds();
    lab.rc(["ps", "-a", "--format", "{{.Names}}"]).run().prints("killed\n");
    lab.remove_containers();
}

#[test]
fn signals_to_the_command_reach_the_program() {
    let lab = Lab::with_payload();
    for name in [Signal::TERM, Signal::HUP, Signal::USR1, Signal::INT] {
        let run = lab.rc(["run", "--rm", "--network", "none", "payload", "/payload", "signals", "1"]).start();
        run.line("ready\n");
        run.kill(name);
        let output = run.wait();
        assert_eq!(output.exit, Exit::Code(0), "{name:?}: {output}");
        let text = output.text();
        let expected = match name {
            Signal::TERM => "SIGTERM",
            Signal::HUP => "SIGHUP",
            Signal::USR1 => "SIGUSR1",
            _ => "SIGINT",
        };
        assert_eq!(text, format!("ready\n{expected}"));
    }
}

#[test]
fn a_program_that_dies_of_a_signal_is_128_plus_it() {
    let lab = Lab::with_payload();
    let run = lab.rc(["run", "--name", "dies", "--network", "none", "payload", "/payload", "hang"]).start();
    run.line("ready\n");
    lab.rc(["kill", "-s", "KILL", "dies"]).run().prints("dies\n");
    run.wait().is(137, "ready\n", "");
    assert_eq!(field(&lab, "dies", "{{.State.ExitCode}}"), "137");
    lab.remove_containers();
}

#[test]
fn a_detached_container_outlives_its_command_and_rm_leaves_nothing() {
    let lab = Lab::with_payload();
    lab.rc(["run", "-d", "--rm", "--name", "short", "--network", "none", "payload", "/payload", "sleep"])
        .run()
        .succeeds();
    lab.ready("short");
    lab.rc(["stop", "short"]).run().prints("short\n");
    lab.rc(["ps", "-a", "-q"]).run().prints("");
    assert!(lab.rc(["inspect", "short"]).run().exits(125).stderr().contains("short"));
}

#[test]
fn a_command_that_is_killed_leaves_its_container_running() {
    let lab = Lab::with_payload();
    let run = lab.rc(["run", "--name", "alone", "--network", "none", "payload", "/payload", "signals", "1"]).start();
    run.line("ready\n");
    run.kill(Signal::KILL);
    assert_eq!(run.wait().exit, Exit::Signal(9));
    assert_eq!(field(&lab, "alone", "{{.State.Status}}"), "running");
    lab.rc(["kill", "-s", "USR1", "alone"]).run().succeeds();
    lab.rc(["wait", "alone"]).run().prints("0\n");
    lab.rc(["logs", "alone"]).run().prints("ready\nSIGUSR1\n");
    lab.remove_containers();
}

#[test]
fn of_forty_containers_with_one_name_one_is_created() {
    let lab = Lab::with_payload();
    let create = || lab.rc(["create", "--name", "only", "--network", "none", "payload", "/payload", "sleep"]).start();
    let racers: Vec<_> = (0..40).map(|_| create()).collect();
    let codes: Vec<_> = racers.into_iter().map(|racer| racer.wait().exit).collect();
    assert_eq!(codes.iter().filter(|exit| **exit == Exit::Code(0)).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|exit| **exit == Exit::Code(125)).count(), 39, "{codes:?}");
    assert_eq!(lab.rc(["ps", "-a", "-q"]).run().text().lines().count(), 1);
    lab.remove_containers();
}

#[test]
fn a_hundred_at_once_all_succeed_and_leave_nothing() {
    let lab = Lab::with_payload();
    let run = || lab.rc(["run", "--rm", "--network", "none", "payload", "/payload", "echo", "x"]).start();
    let all: Vec<_> = (0..100).map(|_| run()).collect();
    all.into_iter().for_each(|one| one.wait().prints("x\n"));
    lab.rc(["ps", "-a", "-q"]).run().prints("");
}

/// The command sends the monitor a message (its terminal's size) while the monitor exits: the exit code must not be
/// lost.
#[test]
fn three_hundred_times_the_exact_code_arrives_with_a_terminal_and_without() {
    let lab = Lab::with_payload();
    let run = |flags: &str| lab.rc(["run", "--rm", flags, "--network", "none", "payload", "/payload", "exit", "7"]);
    for _ in 0..30 {
        // Ten at a time keep every CPU busy.
        let terminals: Vec<_> = (0..5).map(|_| run("-it").start_on_terminal(24, 80)).collect();
        let pipes: Vec<_> = (0..5).map(|_| run("-i").start()).collect();
        terminals.into_iter().for_each(|terminal| drop(terminal.wait().exits(7)));
        pipes.into_iter().for_each(|run| drop(run.wait().exits(7)));
    }
}

#[test]
fn init_reaps_a_thousand_orphans() {
    let lab = Lab::with_payload();
    let run = ["run", "-d", "--init", "--name", "many", "--network", "none", "payload", "/payload", "orphans", "1000"];
    lab.rc(run).run().succeeds();
    lab.ready("many");
    let report = lab.rc(["exec", "many", "/payload", "processes"]).run().text();
    // Itself, process 1, and the program: no zombie.
    let zombies = report.lines().filter(|line| line.ends_with(" Z")).count();
    assert_eq!(zombies, 0, "{report}");
    lab.remove_containers();
}

#[test]
fn a_terminal_is_raw_while_the_program_runs_and_restored_after_it() {
    let lab = Lab::with_payload();
    let run = lab.rc(["run", "--rm", "-it", "--network", "none", "payload", "/payload", "sizes"]);
    let terminal = run.start_on_terminal(31, 97);
    terminal.line("31 97");
    terminal.resize(40, 120);
    terminal.line("40 120");
    terminal.running.kill(Signal::KILL);
    assert_eq!(terminal.wait().exit, Exit::Signal(9));
    lab.remove_containers();
}

#[test]
fn detaching_by_keys_leaves_the_container_running() {
    let lab = Lab::with_payload();
    let mut terminal = lab
        .rc(["run", "-it", "--name", "kept", "--network", "none", "payload", "/payload", "sleep"])
        .start_on_terminal(24, 80);
    terminal.line("ready");
    let raw = terminal.settings().local_modes;
    assert!(!raw.contains(rustix::termios::LocalModes::ICANON), "not raw: {raw:?}");
    terminal.send("\x10\x11");
    assert_eq!(terminal.running.wait().exit, Exit::Code(0));
    assert_eq!(field(&lab, "kept", "{{.State.Status}}"), "running");
    lab.rc(["stop", "--timeout", "5", "kept"]).run().prints("kept\n");
    let mut terminal = lab.rc(["start", "-a", "-i", "--detach-keys", "ctrl-x", "kept"]).start_on_terminal(24, 80);
    terminal.line("ready");
    terminal.send("\x18");
    assert_eq!(terminal.running.wait().exit, Exit::Code(0));
    assert_eq!(field(&lab, "kept", "{{.State.Status}}"), "running");
    lab.remove_containers();
}

#[test]
fn names_and_ids_are_found_by_prefix_and_refused_when_doubtful() {
    let lab = Lab::with_payload();
    let id = detached(&lab, "one", &["sleep"]);
    lab.rc(["inspect", "--format", "{{.Name}}", &id[..8]]).run().prints("one\n");
    assert!(lab.rc(["stop", "nobody"]).run().exits(125).stderr().contains("nobody"));
    lab.rc(["rm", "--ignore", "nobody"]).run().says_nothing();
    lab.remove_containers();
}
