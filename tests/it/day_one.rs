//! Small things that a user of podman or docker expects: options of `wait`, `update`, `rmi`, `logs` and others.

use std::fs;

use crate::support::{Lab, wait};

#[track_caller]
fn start(lab: &Lab, name: &str, options: &[&str], words: &[&str]) {
    let run = ["run", "-d", "--name", name, "--network", "none"];
    lab.rc(run).args(options).args(["payload", "/payload"]).args(words).run().succeeds();
}

#[test]
fn a_wait_ends_with_the_first_container_that_has_ended() {
    let lab = Lab::with_payload();
    start(&lab, "long", &[], &["hang"]);
    start(&lab, "short", &[], &["exit", "7"]);
    lab.rc(["wait", "--exit-first-match", "long", "short"]).run().prints("7\n");
    lab.rc(["wait", "--exit-first-match", "--ignore", "none"]).run().prints("-1\n");
    lab.remove_containers();
}

#[test]
fn a_health_check_is_changed_while_the_container_runs_and_kept() {
    let lab = Lab::with_payload();
    let health = |template: &str| lab.rc(["inspect", "--format", template, "web"]).run().text();
    start(&lab, "web", &[], &["hang"]);
    let output = lab.rc(["update", "--health-interval", "50ms", "web"]).run().exits(125);
    assert!(output.stderr().contains("give its command"), "{output}");
    let check = r#"--health-cmd=["/payload", "exit", "0"]"#;
    lab.rc(["update", check, "--health-interval", "50ms", "web"]).run().succeeds();
    wait::until("healthy", || (health("{{.State.Health.Status}}") == "healthy").then_some(()));
    lab.rc(["update", r#"--health-cmd=["/payload", "exit", "1"]"#, "--health-retries", "1", "web"]).run().succeeds();
    wait::until("unhealthy", || (health("{{.State.Health.Status}}") == "unhealthy").then_some(()));
    assert_eq!(health("{{.Config.Healthcheck.Interval}} {{.Config.Healthcheck.Retries}}"), "50000000 1");
    lab.rc(["restart", "-t", "0", "web"]).run().succeeds();
    wait::until("unhealthy", || (health("{{.State.Health.Status}}") == "unhealthy").then_some(()));
    lab.rc(["update", "--no-healthcheck", "web"]).run().succeeds();
    assert!(!lab.rc(["ps", "--format", "{{.Status}}"]).run().text().contains("healthy"));
    lab.rc(["update", "--restart", "no", "web"]).run().succeeds();
    assert!(!lab.rc(["ps", "--format", "{{.Status}}"]).run().text().contains("healthy"), "it stays without");
    lab.remove_containers();
}

#[test]
fn images_of_another_platform_stay() {
    let lab = Lab::with_payload();
    let output = lab.rc(["rmi", "--platform", "linux/s390x", "payload"]).run().exits(1);
    assert!(output.stderr().contains("s390x"), "{output}");
    lab.rc(["rmi", "-a", "--platform", "linux/s390x"]).run().says_nothing();
    lab.rc(["image", "exists", "payload"]).run().succeeds();
    let own = lab.rc(["image", "inspect", "-f", "{{.Os}}/{{.Architecture}}", "payload"]).run().text();
    lab.rc(["rmi", "--platform", &own, "payload"]).run().succeeds();
    lab.rc(["image", "exists", "payload"]).run().is(1, "", "");
}

#[test]
fn a_log_is_where_the_user_wants_it() {
    let lab = Lab::with_payload();
    let path = lab.work("output.log");
    let option = format!("path={}", path.display());
    let run = ["run", "--name", "c", "--network", "none", "--log-opt", &option, "--log-opt", "label=app=shop"];
    lab.rc(run).args(["payload", "/payload", "echo", "kept"]).run().prints("kept\n");
    lab.rc(["logs", "c"]).run().prints("kept\n");
    lab.rc(["logs", "-f", "c"]).run().prints("kept\n");
    lab.rc(["inspect", "--format", "{{.LogPath}}", "c"]).run().prints(format!("{}\n", path.display()));
    lab.rc(["rm", "c"]).run().succeeds();
    assert!(fs::read_to_string(&path).expect("the log").ends_with(" stdout F kept\n"));
    for (option, words) in [("label=x", "label=NAME=VALUE"), ("label=1=2", "label=NAME=VALUE"), ("path=", "path=FILE")]
    {
        let output = lab.rc(["create", "--log-opt", option, "payload", "/payload"]).run().exits(125);
        assert!(output.stderr().contains(words), "{option}: {output}");
    }
}

#[test]
fn an_image_goes_with_its_container() {
    let lab = Lab::with_payload();
    lab.rc(["tag", "payload", "once"]).run().succeeds();
    let words = ["run", "--rmi", "--network", "none", "once", "/payload", "exit", "3"];
    lab.rc(words).run().is(3, "", "");
    lab.rc(["image", "exists", "once"]).run().is(1, "", "");
    lab.rc(["ps", "-aq"]).run().prints("");
    assert!(lab.rc(["run", "-d", "--rmi", "once"]).run().exits(125).stderr().contains("`--detach` and `--rmi`"));
}

#[test]
fn all_that_can_be_mounted_is_mounted_at_once() {
    only!(Full | Root);
    let lab = Lab::with_payload();
    let create = ["create", "--name", "c", "--network", "none", "payload", "/payload"];
    let id = lab.rc(create).run().text();
    let script =
        "\"$0\" mount --all; \"$0\" image mount -a; \"$0\" unmount -a >/dev/null; \"$0\" image unmount -a >/dev/null";
    let text = lab.rc(["unshare", "sh", "-e", "-c", script]).arg(Lab::rc_path()).run().exits(0).stdout();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with(&id) && lines[1].contains("/mounts/image/"), "{text}");
    lab.remove_containers();
}

#[test]
fn a_volume_belongs_to_the_user_that_was_asked_for() {
    only!(Full | Root);
    let lab = Lab::with_payload();
    lab.rc(["volume", "create", "--uid", "33", "--gid", "7", "v"]).run().succeeds();
    lab.rc(["volume", "inspect", "-f", "{{.Options.o}}", "v"]).run().prints("uid=33,gid=7\n");
    let tree = ["run", "--rm", "--network", "none", "-v", "v:/v", "payload", "/payload", "tree", "/"];
    let text = lab.rc(tree).args(["proc", "sys", "dev"]).run().text();
    assert!(text.lines().any(|line| line.starts_with("./v d ") && line.contains(" 33:7")), "{text}");
    lab.rc(["volume", "rm", "v"]).run().succeeds();
}

#[test]
fn what_was_pruned_is_told() {
    let lab = Lab::with_payload();
    lab.rc(["run", "--network", "none", "payload", "/payload", "exit", "0"]).run().succeeds();
    lab.rc(["volume", "create", "v"]).run().succeeds();
    lab.rc(["system", "prune", "-f", "-a", "--volumes"]).run().succeeds();
    let events =
        lab.rc(["events", "--no-stream", "--filter", "event=prune", "--format", "{{.Type}} {{.Attributes.reclaimed}}"]);
    let told = events.run().text();
    for kind in ["container", "volume", "image"] {
        assert!(told.lines().any(|line| line.starts_with(&format!("{kind} "))), "{kind}: {told}");
    }
}

#[test]
fn a_clean_up_finds_nothing_to_do_and_says_what_runs() {
    let lab = Lab::with_payload();
    start(&lab, "long", &[], &["hang"]);
    lab.rc(["create", "--name", "created", "--network", "none", "payload", "/payload"]).run().succeeds();
    lab.rc(["container", "cleanup", "created"]).run().prints("created\n");
    assert!(lab.rc(["container", "cleanup", "long"]).run().exits(125).stderr().contains("long"));
    lab.rc(["container", "cleanup", "-a"]).run().succeeds();
    lab.rc(["container", "cleanup", "--rm", "created"]).run().succeeds();
    lab.rc(["container", "exists", "created"]).run().is(1, "", "");
    lab.remove_containers();
}

#[test]
fn two_containers_that_are_created_at_once_have_no_id_in_common() {
    only!(Full | Root);
    let lab = Lab::with_payload();
    let create = || lab.rc(["create", "--network", "none", "--userns", "auto:size=100", "payload", "/payload"]).start();
    let running: Vec<_> = (0..8).map(|_| create()).collect();
    let ids: Vec<String> = running.into_iter().map(|it| it.wait().text()).collect();
    let mut starts: Vec<String> = ids
        .iter()
        .map(|id| lab.rc(["inspect", "--format", "{{json .HostConfig.IDMappings.UidMap}}", id.trim()]).run().text())
        .collect();
    starts.sort();
    starts.dedup();
    assert_eq!(starts.len(), 8, "{starts:?}");
    lab.remove_containers();
}

#[test]
fn lines_of_several_logs_are_not_torn() {
    let lab = Lab::with_payload();
    for name in ["a", "b"] {
        start(&lab, name, &[], &["spin", "3000000", "70000"]);
    }
    let text = lab.rc(["logs", "-f", "--names", "a", "b"]).run().exits(0).stdout();
    for line in text.lines() {
        let rest =
            line.strip_prefix("a ").or_else(|| line.strip_prefix("b ")).unwrap_or_else(|| panic!("{:.80}", line));
        assert!(!rest.contains(' '), "{:.80}", rest);
    }
    assert!(text.lines().count() > 50, "{}", text.lines().count());
    lab.remove_containers();
}
