//! Health checks: what they say of a container, who sees it, and what follows from a failure.

use serde_json::{Value, json};

use crate::support::image::Image;
use crate::support::{Lab, Set, wait};

/// The container is healthy as long as it has the file `/tmp/well`.
const CHECK: &str = r#"--health-cmd=["/payload", "read", "/tmp/well"]"#;

/// Starts `web`, whose program sleeps, with these options.
#[track_caller]
fn start(lab: &Lab, options: &[&str]) {
    let run = ["run", "-d", "--name", "web", "--network", "none"];
    lab.rc(run).args(options).args(["payload", "/payload", "sleep"]).run().succeeds();
}

#[track_caller]
fn health(lab: &Lab) -> Value {
    lab.rc(["inspect", "--format", "{{json .State.Health}}", "web"]).run().json()
}

#[track_caller]
fn until(lab: &Lab, status: &str) {
    wait::until(status, || (health(lab)["Status"] == status).then_some(()));
}

#[track_caller]
fn shown(lab: &Lab) -> String {
    lab.rc(["ps", "-a", "--format", "{{.Status}}"]).run().text()
}

#[track_caller]
fn make_well(lab: &Lab) {
    lab.rc(["exec", "web", "/payload", "write", "/tmp/well", "yes"]).run().succeeds();
}

#[test]
fn results_of_checks_are_shown_everywhere_and_can_be_waited_for() {
    let lab = Lab::with_payload();
    start(&lab, &[CHECK, "--health-interval", "50ms", "--health-retries", "2"]);
    lab.rc(["wait", "--condition", "unhealthy", "web"]).run().prints("-1\n");
    assert!(shown(&lab).ends_with(" (unhealthy)"), "{}", shown(&lab));
    lab.rc(["ps", "-q", "--no-trunc", "--filter", "health=healthy"]).run().says_nothing();
    lab.rc(["ps", "--filter", "health=unhealthy", "--format", "{{.Names}}"]).run().prints("web\n");
    let found = health(&lab);
    assert!(found["FailingStreak"].as_u64() >= Some(2), "{found}");
    let results = found["Log"].as_array().expect("a log");
    let last = results.last().expect("a result");
    assert!(results.len() <= 5 && last["ExitCode"] == 99, "{found}");
    assert!(last["Output"].as_str().is_some_and(|text| text.starts_with("payload: read /tmp/well: ")), "{found}");
    assert!(last["Start"].as_str() < last["End"].as_str(), "{found}");
    make_well(&lab);
    lab.rc(["wait", "--condition=healthy", "web"]).run().prints("-1\n");
    assert!(shown(&lab).ends_with(" (healthy)"), "{}", shown(&lab));
    let found = health(&lab);
    assert_eq!((&found["Status"], &found["FailingStreak"]), (&json!("healthy"), &json!(0)));
    let last = found["Log"].as_array().and_then(|log| log.last()).expect("a result").clone();
    assert_eq!((&last["ExitCode"], &last["Output"]), (&json!(0), &json!("yes\n")));
    let check = lab.rc(["inspect", "--format", "{{json .Config.Healthcheck}}", "web"]).run().json();
    assert_eq!(check["Test"], json!(["CMD", "/payload", "read", "/tmp/well"]));
    assert_eq!((&check["Interval"], &check["Retries"]), (&json!(50_000_000), &json!(2)));
    lab.rc(["stop", "web"]).run().succeeds();
    let refused = "rc: `web` is not running (exited)\nhint: start it with `rc start web`\n";
    lab.rc(["wait", "--condition", "healthy", "web"]).run().fails(125, refused);
    lab.remove_containers();
}

#[test]
fn a_check_can_be_run_by_hand_and_its_exit_code_tells() {
    let lab = Lab::with_payload();
    start(&lab, &[CHECK, "--health-interval=disable", "--health-retries=1"]);
    assert_eq!(health(&lab), json!({ "Status": "starting", "FailingStreak": 0, "Log": [] }));
    assert!(shown(&lab).ends_with(" (starting)"), "{}", shown(&lab));
    lab.rc(["healthcheck", "run", "web"]).run().is(1, "unhealthy\n", "");
    lab.rc(["healthcheck", "run", "--ignore-result", "web"]).run().is(0, "unhealthy\n", "");
    make_well(&lab);
    lab.rc(["healthcheck", "run", "web"]).run().says_nothing();
    assert_eq!(health(&lab)["Log"].as_array().map(Vec::len), Some(3));
    lab.rc(["run", "-d", "--name", "other", "--network", "none", "payload", "/payload", "sleep"]).run().succeeds();
    let none = "rc: container `other` has no health check\nhint: create the container with `--health-cmd COMMAND`\n";
    lab.rc(["healthcheck", "run", "other"]).run().fails(125, none);
    lab.rc(["wait", "--condition", "healthy", "other"]).run().fails(125, none);
    lab.rc(["ps", "--filter", "health=none", "--format", "{{.Names}}"]).run().prints("other\n");
    lab.rc(["healthcheck", "run", "nobody"]).run().fails(125, "rc: no such container: nobody\n");
    lab.rc(["stop", "web"]).run().succeeds();
    let refused = "rc: `web` is not running (exited)\nhint: start it with `rc start web`\n";
    lab.rc(["healthcheck", "run", "web"]).run().fails(125, refused);
    lab.remove_containers();
}

#[test]
fn the_result_of_a_check_that_was_replaced_meanwhile_says_nothing() {
    let lab = Lab::with_payload();
    start(&lab, &[r#"--health-cmd=["/payload", "read", "/tmp/fifo"]"#, "--health-interval=disable"]);
    let inside = |words: &[&str]| lab.rc(["exec", "web", "/payload"]).args(words).run().succeeds();
    // Each check waits for its end of the FIFO.
    let begin = || {
        inside(&["plant", "fifo", "/tmp/fifo"]);
        let check = lab.rc(["healthcheck", "run", "web"]).start();
        let runs = || lab.rc(["top", "web"]).run().text().contains("/payload read /tmp/fifo");
        wait::until("the check", || runs().then_some(()));
        check
    };
    let check = begin();
    let failing = r#"--health-cmd=["/payload", "exit", "3"]"#;
    lab.rc(["update", failing, "--health-interval=disable", "--health-retries=1", "web"]).run().succeeds();
    inside(&["write", "/tmp/fifo", "well"]);
    check.wait().is(1, "unhealthy\n", "");
    let codes = |found: Value| found["Log"].as_array().map(|log| log.iter().map(|it| it["ExitCode"].clone()).collect());
    assert_eq!(codes(health(&lab)), Some(vec![json!(3)]));
    let again = r#"--health-cmd=["/payload", "read", "/tmp/fifo"]"#;
    lab.rc(["update", again, "--health-interval=disable", "web"]).run().succeeds();
    let check = begin();
    lab.rc(["update", "--no-healthcheck", "web"]).run().succeeds();
    inside(&["write", "/tmp/fifo", "well"]);
    check.wait().fails(125, "rc: the container has no health check\n");
    lab.remove_containers();
}

#[test]
fn a_check_that_takes_too_long_or_cannot_be_run_has_failed() {
    let lab = Lab::with_payload();
    start(&lab, &[r#"--health-cmd=["/payload", "hang"]"#, "--health-interval=disable", "--health-timeout=50ms"]);
    lab.rc(["healthcheck", "run", "web"]).run().is(1, "starting\n", "");
    let found = health(&lab);
    let last = &found["Log"][0];
    assert_eq!((&last["ExitCode"], &found["FailingStreak"]), (&json!(-1), &json!(1)));
    assert!(last["Output"].as_str().is_some_and(|text| text.ends_with("the check took longer than 0.05 s")), "{last}");
    let processes = lab.rc(["exec", "web", "/payload", "processes"]).run().text();
    assert!(!processes.contains("hang"), "{processes}");
    lab.remove_containers();
    start(&lab, &["--health-cmd=exit 0", "--health-interval=disable", "--health-retries=1"]);
    // The image has no shell.
    lab.rc(["healthcheck", "run", "web"]).run().is(1, "unhealthy\n", "");
    let last = &health(&lab)["Log"][0];
    assert_eq!(last["ExitCode"], 127, "{last}");
    assert!(last["Output"].as_str().is_some_and(|text| text.contains("/bin/sh")), "{last}");
    lab.remove_containers();
}

#[test]
fn what_is_done_about_an_unhealthy_container() {
    let lab = Lab::with_payload();
    let failing = [CHECK, "--health-interval=10ms", "--health-retries=1"];
    let field = |template: &str| lab.rc(["inspect", "--format", template, "web"]).run().text();
    for (action, code) in [("kill", "137"), ("stop", "0")] {
        start(&lab, &[&failing[..], &["--health-on-failure", action]].concat());
        lab.rc(["wait", "web"]).run().prints(format!("{code}\n"));
        assert_eq!(field("{{.State.Status}} {{.State.Error}}"), "exited its health check has failed", "{action}");
        lab.remove_containers();
    }
    start(&lab, &[&failing[..], &["--health-on-failure=restart"]].concat());
    wait::until("two restarts", || (field("{{.RestartCount}}").parse::<u32>().ok()? >= 2).then_some(()));
    lab.remove_containers();
    let startup = [r#"--health-startup-cmd=["/payload", "exit", "1"]"#, "--health-startup-interval=10ms"];
    start(&lab, &[&[CHECK][..], &startup, &["--health-startup-retries=2"]].concat());
    wait::until("a restart", || (field("{{.RestartCount}}") != "0").then_some(()));
    lab.remove_containers();
}

#[test]
fn the_image_s_check_is_used_unless_it_is_turned_off() {
    let lab = Lab::new();
    let check = json!({ "Test": ["CMD", "/payload", "exit", "0"], "Interval": 10_000_000, "Retries": 4 });
    let image = Image::payload().config(json!({ "Healthcheck": check })).oci_archive("checked");
    std::fs::write(lab.work("checked.tar"), image).expect("the image can be written");
    lab.rc(["load", "-q", "-i"]).arg(lab.work("checked.tar")).run().succeeds();
    let run = |options: &[&str]| {
        let run = lab.rc(["run", "-d", "--name", "web", "--network", "none"]).args(options);
        run.args(["checked", "/payload", "sleep"]).run().succeeds();
    };
    run(&[]);
    until(&lab, "healthy");
    lab.remove_containers();
    run(&["--no-healthcheck"]);
    assert_eq!(health(&lab), Value::Null);
    lab.remove_containers();
    run(&["--health-cmd", "none"]);
    assert_eq!(health(&lab), Value::Null);
    lab.rc(["inspect", "--format", "{{if .Config.Healthcheck}}{{print .State.Health.Status}}{{end}}", "web"])
        .run()
        .prints("\n");
    lab.remove_containers();
}

#[test]
fn a_paused_container_is_not_checked() {
    let lab = Lab::with_payload();
    let run = ["--health-interval=5ms", r#"--health-cmd=["/payload", "exit", "0"]"#, "--health-max-log-count=1"];
    start(&lab, &run);
    until(&lab, "healthy");
    if lab.rc(["pause", "web"]).run().exit != crate::support::Exit::Code(0) {
        lab.remove_containers();
        require!(Set::current() != Set::Root, "containers have no cgroup of their own here");
        return;
    }
    // A check that was frozen has its result after the pause.
    let before = health(&lab);
    let refused = lab.rc(["healthcheck", "run", "web"]).run().exits(125);
    assert!(refused.stderr().contains("it is paused"), "{refused}");
    lab.rc(["ps"]).run().succeeds();
    assert_eq!(health(&lab), before);
    lab.rc(["unpause", "web"]).run().succeeds();
    wait::until("a further check", || (health(&lab) != before).then_some(()));
    lab.remove_containers();
}

#[test]
fn wrong_values_are_refused_and_leave_nothing() {
    let lab = Lab::with_payload();
    let refused = |options: &[&str], message: &str| {
        let run = lab.rc(["run", "--rm", "--network", "none"]).args(options).args(["payload", "/payload", "exit", "0"]);
        let refused = run.run().exits(125);
        assert!(refused.stderr().starts_with(message), "{refused}");
    };
    refused(&["--health-cmd=x", "--health-interval=soon"], "rc: `--health-interval`: duration `soon` must be a number");
    refused(&["--health-cmd=x", "--no-healthcheck"], "rc: `--no-healthcheck` and `--health-*` cannot be used together");
    refused(&["--sdnotify=healthy"], "rc: `--sdnotify`: mode `healthy` needs a health check: `--health-cmd`");
    let warned = lab.rc(["run", "--rm", "--network", "none", "--health-retries=2", "payload", "/payload", "exit", "0"]);
    let warned = warned.run().exits(0);
    assert_eq!(
        warned.stderr(),
        "rc: warning: the options of the health check have no effect: no command is given for it\n"
    );
    lab.rc(["ps", "-aq"]).run().says_nothing();
}
