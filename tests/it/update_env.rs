//! `update --env` and `--unsetenv`: what is started in a container from then on has other variables.

use serde_json::Value;

use crate::support::Lab;

fn env(report: &Value, name: &str) -> Option<String> {
    report["env"][name].as_str().map(str::to_owned)
}

#[test]
fn variables_are_changed_for_what_is_started_from_then_on() {
    let lab = Lab::with_payload();
    let run = ["run", "-d", "--name", "web", "--network", "none", "-e", "A=1", "-e", "B=2", "payload", "/payload"];
    lab.rc(run).arg("sleep").run().succeeds();
    let report = || lab.rc(["exec", "web", "/payload", "report"]).run().json();
    let update = |words: &[&str]| lab.rc(["update"]).args(words).env("OWN", "mine").arg("web").run();
    update(&["-e", "A=new", "--env", "OWN", "--unsetenv", "B", "--ulimit", "nofile=64:99"]).succeeds();
    let found = report();
    let files = |found: &Value| {
        let lines = found["limits"].as_array().cloned().unwrap_or_default();
        let line = lines.iter().filter_map(Value::as_str).find_map(|line| line.strip_prefix("Max open files"));
        line.map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(":"))
    };
    assert_eq!(files(&found).as_deref(), Some("64:99"));
    assert_eq!(["A", "B", "OWN"].map(|name| env(&found, name)), [Some("new".into()), None, Some("mine".into())]);
    lab.rc(["inspect", "--format", "{{index .Config.Env 1}}", "web"]).run().succeeds();
    // A later start has them, and a change of a stopped container counts, too.
    lab.rc(["stop", "-t", "0", "web"]).run().succeeds();
    update(&["--env", "C=3", "--ulimit", "core=0"]).succeeds();
    lab.rc(["start", "web"]).run().succeeds();
    let found = report();
    assert_eq!(files(&found).as_deref(), Some("64:99"));
    let limits = lab.rc(["inspect", "--format", "{{range .HostConfig.Ulimits}}{{.Name}} {{end}}", "web"]).run();
    assert_eq!(limits.text().trim(), "RLIMIT_NOFILE RLIMIT_CORE");
    assert_eq!(["A", "B", "C"].map(|name| env(&found, name)), [Some("new".into()), None, Some("3".into())]);
    // The limits of the container, and what else can be changed, stay.
    let shown = lab.rc(["inspect", "web"]).run().json();
    let lines = shown[0]["Config"]["Env"].as_array().cloned().unwrap_or_default();
    assert!(lines.contains(&Value::from("C=3")) && !lines.iter().any(|line| line == "B=2"), "{lines:?}");
    assert!(update(&["--ulimit", "files=1"]).exits(125).stderr().starts_with("rc: `--ulimit`: invalid limit"));
    assert!(update(&["--env", "=x"]).exits(125).stderr().starts_with("rc: `--env`"));
    lab.remove_containers();
}

#[test]
fn a_program_that_is_restarted_has_the_changed_variables() {
    let lab = Lab::with_payload();
    let run = ["run", "-d", "--name", "web", "--network", "none", "-e", "A=1", "--restart", "always", "payload"];
    lab.rc(run).args(["/payload", "report"]).run().succeeds();
    lab.rc(["update", "--env", "A=2", "--ulimit", "core=7", "web"]).run().succeeds();
    // Each run of the program reports what it has, and ends.
    crate::support::wait::until("a run with the change", || {
        let logs = lab.rc(["logs", "web"]).run().stdout();
        let last = logs.lines().last().and_then(|line| serde_json::from_str::<Value>(line).ok())?;
        let core = last["limits"].as_array()?.iter().filter_map(Value::as_str).find(|line| line.contains(" core "))?;
        (env(&last, "A")? == "2").then(|| assert_eq!(core.split_whitespace().nth(4), Some("7"), "{core}"))
    });
    lab.remove_containers();
}
