//! `--restart` and `restart`: the monitor restarts a program that has exited, until the policy or the user forbids it.

use std::fs;

use crate::support::{Exit, Lab, Signal, wait};

/// `rc run OPTIONS --name web --network none payload /payload WORDS`.
#[track_caller]
fn run<'a>(lab: &'a Lab, options: &[&str], words: &[&str]) -> crate::support::command::Command<'a> {
    lab.rc(["run", "--name", "web", "--network", "none"]).args(options).args(["payload", "/payload"]).args(words)
}

#[track_caller]
fn field(lab: &Lab, template: &str) -> String {
    lab.rc(["inspect", "--format", template, "web"]).run().text()
}

#[track_caller]
fn until(lab: &Lab, template: &str, expected: &str) {
    wait::until(expected, || (field(lab, template) == expected).then_some(()));
}

/// Waits until it has been restarted four times and waits for the next start, for 0.8 seconds or more.
#[track_caller]
fn pause(lab: &Lab) {
    wait::until("a longer pause", || {
        let text = field(lab, "{{.State.Status}} {{.RestartCount}}");
        let count = text.strip_prefix("restarting ")?.parse::<u32>().expect("a number");
        (count >= 4).then_some(())
    });
}

/// Asks until the container is between two runs: the program runs for a moment between two pauses.
#[track_caller]
fn in_a_pause(lab: &Lab, words: &[&str], part: &str) {
    wait::until(part, || lab.rc(words).run().stderr().contains(part).then_some(()));
}

fn kill(pid: &str, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(pid.parse().expect("a pid")).expect("not 0");
    rustix::process::kill_process(pid, signal).expect("the process can be signalled");
}

/// The process ID of the container's monitor.
fn monitor(lab: &Lab) -> String {
    crate::kill_storm::monitor(lab, &field(lab, "{{.Id}}")).expect("a monitor").to_string()
}

#[test]
fn on_failure_restarts_up_to_the_limit_and_the_command_has_the_first_run() {
    let lab = Lab::with_payload();
    // It prints the reason on standard error and exits with 99.
    let failing = run(&lab, &["--restart", "on-failure:2"], &["no-such-part"]).run().exits(99);
    assert_eq!(failing.stderr(), "payload: no-such-part: no such part\n");
    until(&lab, "{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}", "2 exited 99");
    assert_eq!(
        field(&lab, "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}"),
        "on-failure 2"
    );
    assert_eq!(lab.rc(["logs", "web"]).run().stderr().lines().count(), 3);
    lab.rc(["rm", "web"]).run().succeeds();
    run(&lab, &["--restart", "on-failure"], &["echo", "once"]).run().prints("once\n");
    assert_eq!(field(&lab, "{{.RestartCount}}"), "0");
    lab.remove_containers();
}

#[test]
fn commands_that_wait_or_are_attached_end_with_the_run_and_its_code() {
    let lab = Lab::with_payload();
    run(&lab, &["-d", "--restart", "always"], &["exit", "3"]).run().succeeds();
    lab.rc(["wait", "web"]).run().prints("3\n");
    lab.rc(["wait", "--condition", "exited", "web", "web"]).run().prints("3\n3\n");
    lab.rc(["stop", "web"]).run().prints("web\n");
    lab.rc(["start", "-a", "web"]).run().is(3, "", "");
    lab.rc(["rm", "-f", "web"]).run().prints("web\n");

    run(&lab, &["-d", "--restart", "always"], &["signals"]).run().succeeds();
    lab.ready("web");
    let (attached, follower) = (lab.rc(["attach", "web"]).start(), lab.rc(["logs", "-f", "web"]).start());
    wait::until("it is attached", || {
        lab.rc(["kill", "-s", "USR1", "web"]).run().succeeds();
        attached.output_text().contains("SIGUSR1").then_some(())
    });
    kill(&field(&lab, "{{.State.Pid}}"), Signal::KILL);
    assert_eq!(attached.wait().exit, Exit::Code(137));
    until(&lab, "{{.State.Status}} {{.RestartCount}}", "running 1");
    // The log continues with the next run.
    wait::until("two runs", || (follower.output_text().matches("ready\n").count() == 2).then_some(()));
    lab.rc(["stop", "-t", "0", "web"]).run().prints("web\n");
    follower.wait().succeeds();
    lab.remove_containers();
}

#[test]
fn a_restarting_container_is_shown_as_restarting_and_can_be_stopped() {
    let lab = Lab::with_payload();
    for words in [&["stop", "web"][..], &["kill", "web"], &["kill", "-s", "TERM", "web"]] {
        run(&lab, &["-d", "--restart", "always"], &["exit", "1"]).run().succeeds();
        pause(&lab);
        until(&lab, "{{.State.Restarting}} {{.State.Running}} {{.State.Pid}} {{.State.ExitCode}}", "true true 0 1");
        wait::until("a row of `ps`", || {
            let row = lab.rc(["ps", "--format", "{{.State}} {{.Status}} {{.Restarts}}"]).run().text();
            let count = row.strip_prefix("restarting Restarting (1) ")?.rsplit(' ').next()?.parse::<u32>();
            count.is_ok_and(|count| count >= 4).then_some(())
        });
        in_a_pause(&lab, &["rm", "web"], "it is restarting");
        in_a_pause(&lab, &["exec", "web", "/payload", "exit", "0"], "restarting");
        in_a_pause(&lab, &["kill", "-s", "USR1", "web"], "does not run");
        lab.rc(["start", "web"]).run().prints("web\n");
        let waiting = lab.rc(["wait", "web"]).start();
        pause(&lab);
        lab.rc(words).run().prints("web\n");
        waiting.wait().prints("1\n");
        until(&lab, "{{.State.Status}}", "exited");
        assert_eq!(field(&lab, "{{.State.StoppedByUser}} {{.State.ExitCode}}"), "true 1");
        lab.rc(["rm", "web"]).run().succeeds();
    }
    run(&lab, &["-d", "--restart", "unless-stopped"], &["exit", "0"]).run().succeeds();
    until(&lab, "{{.State.Status}}", "restarting");
    lab.rc(["rm", "-f", "web"]).run().prints("web\n");
    lab.rc(["ps", "-a", "-q"]).run().prints("");
}

#[test]
fn restarts_that_fail_are_counted() {
    let lab = Lab::with_payload();
    run(&lab, &["-d", "--restart", "always"], &["remove", "/payload"]).run().succeeds();
    wait::until("three restarts", || {
        let text = field(&lab, "{{.State.ExitCode}} {{.RestartCount}}");
        let count = text.strip_prefix("127 ")?.parse::<u32>().expect("a number");
        (count >= 3).then_some(())
    });
    lab.remove_containers();
}

#[test]
fn a_restarted_program_keeps_its_name_and_files() {
    let lab = Lab::with_payload();
    run(&lab, &["-d", "--restart", "always"], &["sleep"]).run().succeeds();
    lab.rc(["exec", "web", "/payload", "write", "/mark", "kept"]).run().succeeds();
    let (id, pid) = (field(&lab, "{{.Id}}"), field(&lab, "{{.State.Pid}}"));
    kill(&pid, Signal::KILL);
    until(&lab, "{{.State.Status}} {{.RestartCount}}", "running 1");
    assert_eq!(field(&lab, "{{.Id}}"), id);
    assert_ne!(field(&lab, "{{.State.Pid}}"), pid);
    lab.rc(["exec", "web", "/payload", "read", "/mark"]).run().prints("kept\n");
    // A restart by the user resets the count.
    lab.rc(["restart", "-t", "5", "web"]).run().prints("web\n");
    assert_eq!(field(&lab, "{{.State.Status}} {{.RestartCount}}"), "running 0");
    lab.rc(["stop", "web"]).run().succeeds();
    assert_eq!(field(&lab, "{{.State.Status}}"), "exited");
    lab.remove_containers();
}

#[test]
fn a_signal_to_the_attached_command_ends_it_for_good() {
    let lab = Lab::with_payload();
    let attached = run(&lab, &["--restart", "always"], &["sleep"]).start();
    attached.line("ready\n");
    attached.kill(Signal::TERM);
    attached.wait().prints("ready\n");
    assert_eq!(field(&lab, "{{.State.Status}} {{.RestartCount}}"), "exited 0");
    lab.remove_containers();
}

#[test]
fn a_sigterm_to_the_monitor_does_not_count_as_the_user_s_stop() {
    let lab = Lab::with_payload();
    for policy in ["always", "unless-stopped"] {
        run(&lab, &["-d", "--restart", policy], &["exit", "3"]).run().succeeds();
        let monitor = monitor(&lab);
        pause(&lab);
        kill(&monitor, Signal::TERM);
        until(&lab, "{{.State.Status}}", "exited");
        assert_eq!(field(&lab, "{{.State.ExitCode}} {{.State.StoppedByUser}}"), "3 false");
        lab.rc(["ps", "-a", "--filter", "should-start-on-boot=true", "--format", "{{.Names}}"]).run().prints("web\n");
        lab.rc(["rm", "web"]).run().succeeds();
    }
}

#[test]
fn an_update_of_the_policy_is_for_the_program_s_next_end() {
    let lab = Lab::with_payload();
    run(&lab, &["-d"], &["sleep"]).run().succeeds();
    let id = field(&lab, "{{.Id}}") + "\n";
    lab.rc(["update", "--restart", "always", "web"]).run().prints(&id);
    assert_eq!(field(&lab, "{{.HostConfig.RestartPolicy.Name}}"), "always");
    kill(&field(&lab, "{{.State.Pid}}"), Signal::KILL);
    until(&lab, "{{.State.Status}} {{.RestartCount}}", "running 1");
    lab.rc(["update", "--restart", "no", "web"]).run().prints(&id);
    kill(&field(&lab, "{{.State.Pid}}"), Signal::KILL);
    until(&lab, "{{.State.Status}} {{.State.ExitCode}} {{.State.StoppedByUser}}", "exited 137 false");
    lab.rc(["update", "--restart", "on-failure:3", "web"]).run().prints(&id);
    let policy = "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.RestartPolicy.MaximumRetryCount}}";
    assert_eq!(field(&lab, policy), "on-failure 3");
    let expected = "rc: `--restart`: restart policy `often` must be no, always, on-failure[:RETRIES] or \
                    unless-stopped\n";
    lab.rc(["update", "--restart", "often", "web"]).run().fails(125, expected);
    assert_eq!(field(&lab, policy), "on-failure 3");
    lab.rc(["rm", "web"]).run().succeeds();
}

#[test]
fn a_restarting_container_can_be_updated() {
    let lab = Lab::with_payload();
    run(&lab, &["-d", "--restart", "always", "--pids-limit", "-1"], &["exit", "1"]).run().succeeds();
    until(&lab, "{{.State.Status}} {{.RestartCount}}", "restarting 4");
    lab.rc(["update", "--cpu-shares", "0", "--restart", "on-failure", "web"]).run().succeeds();
    assert_eq!(field(&lab, "{{.State.Status}} {{.HostConfig.RestartPolicy.Name}}"), "restarting on-failure");
    until(&lab, "{{.State.Status}} {{.RestartCount}}", "restarting 5");
    lab.rc(["update", "--restart", "no", "web"]).run().succeeds();
    lab.rc(["wait", "web"]).run().prints("1\n");
    until(&lab, "{{.State.Status}} {{.State.StoppedByUser}}", "exited false");
    assert_eq!(field(&lab, "{{.RestartCount}}"), "5");
    lab.rc(["rm", "web"]).run().succeeds();
}

#[test]
fn update_refuses_a_restart_policy_if_descriptors_would_be_lost() {
    let lab = Lab::with_payload();
    let mut cat = run(&lab, &["--log-driver=passthrough"], &["cat"]).open_input().start();
    cat.send("here\n");
    cat.line("here\n");
    // What the program prints goes past its monitor.
    until(&lab, "{{.State.Status}}", "running");
    let said = lab.rc(["update", "--restart", "always", "web"]).run().exits(125).stderr();
    assert!(said.contains("its program has descriptors of the command that started it"), "{said}");
    assert_eq!(field(&lab, "{{.HostConfig.RestartPolicy.Name}}"), "no");
    cat.send_end();
    cat.wait().prints("here\n");
    lab.rc(["update", "--restart", "always", "web"]).run().succeeds();
    assert_eq!(field(&lab, "{{.HostConfig.RestartPolicy.Name}}"), "always");
    lab.rc(["rm", "web"]).run().succeeds();
}

#[test]
fn a_stop_after_its_end_keeps_a_boot_from_starting_it() {
    let lab = Lab::with_payload();
    run(&lab, &["-d", "--restart", "unless-stopped"], &["sleep"]).run().succeeds();
    kill(&monitor(&lab), Signal::TERM);
    until(&lab, "{{.State.Status}}", "exited");
    let starts = ["ps", "-a", "--filter", "should-start-on-boot=true", "--format", "{{.Names}}"];
    // Containers that are not running are not selected.
    lab.rc(["stop", "--all"]).run().prints("");
    lab.rc(starts).run().prints("web\n");
    let ended = field(&lab, "{{.State.ExitCode}} {{.State.FinishedAt}}");
    lab.rc(["stop", "web"]).run().prints("web\n");
    lab.rc(starts).run().prints("");
    assert_eq!(field(&lab, "{{.State.StoppedByUser}} {{.State.Status}}"), "true exited");
    assert_eq!(field(&lab, "{{.State.ExitCode}} {{.State.FinishedAt}}"), ended);
    lab.rc(["start", "web"]).run().succeeds();
    lab.rc(starts).run().prints("web\n");
    lab.remove_containers();
}

#[test]
fn a_monitor_that_is_killed_between_two_runs_leaves_an_exited_container() {
    let lab = Lab::with_payload();
    run(&lab, &["-d", "--restart", "always"], &["exit", "3"]).run().succeeds();
    let monitor = monitor(&lab);
    pause(&lab);
    kill(&monitor, Signal::KILL);
    until(&lab, "{{.State.Status}}", "exited");
    assert_eq!(field(&lab, "{{.State.ExitCode}} {{.State.Restarting}}"), "3 false");
    lab.rc(["rm", "web"]).run().prints("web\n");
}

#[test]
fn restart_starts_stopped_containers_unless_running_is_given() {
    let lab = Lab::with_payload();
    run(&lab, &["-d"], &["sleep"]).run().succeeds();
    lab.rc(["create", "--name", "db", "--network", "none", "payload", "/payload", "sleep"]).run().succeeds();
    let pid = field(&lab, "{{.State.Pid}}");
    let id = field(&lab, "{{.Id}}");
    lab.rc(["restart", "--running"]).run().prints(format!("{id}\n"));
    assert_ne!(field(&lab, "{{.State.Pid}}"), pid);
    lab.rc(["restart", "--filter", "name=db", "web", "db"]).run().prints("db\n");
    assert_eq!(lab.rc(["ps", "-q"]).run().text().lines().count(), 2);
    assert_eq!(lab.rc(["restart", "--all", "-t", "1"]).run().text().lines().count(), 2);
    assert!(lab.rc(["restart"]).run().exits(125).stderr().contains("no container was named"));
    lab.rc(["run", "-d", "--rm", "--name", "short", "--network", "none", "payload", "/payload", "sleep"])
        .run()
        .succeeds();
    assert!(lab.rc(["restart", "short"]).run().exits(125).stderr().contains("--rm"));
    lab.remove_containers();
}

#[test]
fn a_boot_starts_the_containers_with_should_start_on_boot() {
    let lab = Lab::with_payload();
    for (name, policy) in
        [("a", "always"), ("u", "unless-stopped"), ("s", "unless-stopped"), ("f", "on-failure"), ("n", "no")]
    {
        let create =
            ["run", "-d", "--name", name, "--restart", policy, "--network", "none", "payload", "/payload", "sleep"];
        lab.rc(create).run().succeeds();
        lab.ready(name);
    }
    lab.rc(["stop", "s", "a"]).run().succeeds();
    lab.rc(["kill", "-s", "TERM", "u", "f", "n"]).run().succeeds();
    wait::until("all have ended", || lab.rc(["ps", "-q"]).run().text().is_empty().then_some(()));
    let names = |filter: &str| {
        let output = lab.rc(["ps", "-a", "--sort", "names", "--format", "{{.Names}}", "--filter", filter]).run();
        output.text().replace('\n', " ")
    };
    assert_eq!(names("restart-policy=unless-stopped"), "s u");
    assert_eq!(names("should-start-on-boot=true"), "a");
    let id = lab.rc(["inspect", "--format", "{{.Id}}", "a"]).run().text();
    lab.rc(["start", "--all", "--filter", "should-start-on-boot=true"]).run().prints(format!("{id}\n"));
    assert_eq!(names("status=running"), "a");
    lab.rc(["start", "--filter", "restart-policy=unless-stopped"]).run().succeeds();
    assert_eq!(names("status=running"), "a s u");
    lab.rc(["stop", "--filter", "restart-policy=always"]).run().prints(format!("{id}\n"));
    assert_eq!(names("status=running"), "s u");
    lab.remove_containers();
}

#[test]
fn after_a_reboot_a_container_has_a_sane_exit_time_and_starts_again() {
    let lab = Lab::with_payload();
    run(&lab, &["-d", "--restart", "unless-stopped"], &["sleep"]).run().succeeds();
    let (id, init, monitor) = (field(&lab, "{{.Id}}"), field(&lab, "{{.State.Pid}}"), monitor(&lab));
    kill(&monitor, Signal::KILL);
    kill(&init, Signal::KILL);
    wait::until("both are gone", || fs::metadata(format!("/proc/{init}")).is_err().then_some(()));
    // After a boot, the state is of another boot.
    let path = lab.container(&id).join("state.json");
    let mut state: serde_json::Value = serde_json::from_slice(&fs::read(&path).expect("state")).expect("JSON");
    state["init"]["bootId"] = "another".into();
    fs::write(&path, state.to_string()).expect("state");
    let started = field(&lab, "{{.State.StartedAt}}");
    assert_eq!(
        field(&lab, "{{.State.Status}} {{.State.ExitCode}} {{.State.FinishedAt}}"),
        format!("exited 255 {started}")
    );
    lab.rc(["ps", "-a", "--format", "{{.Names}} {{.State}}"]).run().is(0, "web exited\n", "");
    assert!(run(&lab, &[], &["exit", "0"]).run().exits(125).stderr().contains("already in use"));
    lab.rc(["start", "--filter", "should-start-on-boot=true"]).run().prints(format!("{id}\n"));
    assert_eq!(field(&lab, "{{.State.Status}}"), "running");
    lab.remove_containers();
}

#[test]
fn a_container_that_removes_itself_is_not_restarted() {
    let lab = Lab::with_payload();
    let refused = run(&lab, &["--rm", "--restart", "always"], &["exit", "0"]).run();
    refused.fails(125, "rc: `--rm` and `--restart` cannot be used together\n");
    assert_eq!(run(&lab, &["--restart", "sometimes"], &["exit", "0"]).run().exit, Exit::Code(125));
    assert_eq!(run(&lab, &["--rm", "--restart", "no"], &["exit", "0"]).run().exit, Exit::Code(0));
    run(&lab, &["--rm", "-d"], &["sleep"]).run().succeeds();
    let refused = "rc: `--rm` and `--restart` cannot be used together\n";
    lab.rc(["update", "--restart", "always", "web"]).run().fails(125, refused);
    lab.rc(["update", "--restart", "no", "web"]).run().succeeds();
    lab.rc(["stop", "web"]).run().succeeds();
}
