//! Events: what is written, how it is selected and shown, and that a follower misses nothing.

use serde_json::{Value, json};

use crate::support::{Exit, Lab, Set, Signal, wait};

/// `TYPE STATUS NAME` of the events that match.
#[track_caller]
fn shown(lab: &Lab, filters: &[&str]) -> Vec<String> {
    let list = lab.rc(["events", "--no-stream", "--format", "{{.Type}} {{.Status}} {{.Name}}"]).args(filters).run();
    list.text().lines().map(str::to_owned).collect()
}

#[test]
fn a_container_s_life_is_told_in_order() {
    let lab = Lab::with_payload();
    lab.rc(["run", "-d", "--name", "web", "--network", "none", "--label", "app=shop", "payload", "/payload", "sleep"])
        .run()
        .succeeds();
    lab.ready("web");
    drop(lab.rc(["exec", "web", "/payload", "exit", "3"]).run().exits(3));
    lab.rc(["kill", "-s", "USR1", "web"]).run().succeeds();
    lab.rc(["rename", "web", "shop"]).run().succeeds();
    lab.rc(["stop", "shop"]).run().succeeds();
    lab.rc(["start", "shop"]).run().succeeds();
    lab.rc(["restart", "shop"]).run().succeeds();
    lab.rc(["rm", "-f", "shop"]).run().succeeds();
    let expected = "create init start exec exec_died kill rename died cleanup stop init start died cleanup stop init \
                    start restart died cleanup stop remove";
    let found = shown(&lab, &["--filter", "type=container"]);
    let words = |index| found.iter().map(|line| line.split(' ').nth(index).unwrap_or_default()).collect::<Vec<_>>();
    assert_eq!(words(1).join(" "), expected);
    assert_eq!((words(2)[5], words(2)[6], *words(2).last().expect("a name")), ("web", "shop", "shop"));
    let died = lab.rc(["events", "--stream=false", "--filter", "event=exec_died", "--format", "json"]).run().text();
    let died: Value = serde_json::from_str(&died).expect("a line of JSON");
    assert_eq!((&died["ContainerExitCode"], &died["Attributes"]["app"]), (&json!(3), &json!("shop")));
    lab.rc(["events", "--no-stream", "--filter", "container=web", "--filter", "event=destroy"]).run().says_nothing();
    assert_eq!(shown(&lab, &["--filter", "container=shop", "--filter", "event=destroy"]).len(), 1);
    let line = lab.rc(["events", "--no-stream", "--filter", "event=create", "--filter", "label=app=shop"]).run().text();
    assert!(
        line.contains(" container create ")
            && line.ends_with("(image=docker.io/library/payload:latest, name=web, app=shop)")
    );
}

#[test]
fn a_container_that_removes_itself_and_one_that_cannot_run() {
    let lab = Lab::with_payload();
    drop(
        lab.rc(["run", "--rm", "--name", "job", "--network", "none", "payload", "/payload", "exit", "7"])
            .run()
            .exits(7),
    );
    let found = shown(&lab, &["--filter", "container=job"]).join(",").replace("container ", "").replace(" job", "");
    assert_eq!(found, "create,init,start,attach,died,cleanup,remove");
    drop(lab.rc(["run", "--name", "bad", "--network", "none", "payload", "/nothing"]).run().exits(127));
    drop(lab.rc(["run", "--rm", "--name", "worse", "--network", "none", "payload", "/nothing"]).run().exits(127));
    assert_eq!(shown(&lab, &["--filter", "container=bad"]), ["container create bad"]);
    assert_eq!(shown(&lab, &["--filter", "container=worse"]), Vec::<String>::new());
    let again = ["run", "--name", "again", "--network", "none", "--restart=on-failure:1", "payload", "/payload"];
    drop(lab.rc(again).args(["exit", "1"]).run().exits(1));
    lab.rc(["wait", "again"]).run().succeeds();
    let died = || shown(&lab, &["--filter", "container=again", "--filter", "event=died"]).len();
    wait::until("both ends", || (died() == 2).then_some(()));
    lab.remove_containers();
}

#[test]
fn images_and_volumes_have_events_too() {
    let lab = Lab::with_payload();
    lab.rc(["volume", "create", "data"]).run().succeeds();
    lab.rc(["tag", "payload", "other:1"]).run().succeeds();
    lab.rc(["save", "-q", "-o"]).arg(lab.work("all.tar")).arg("other:1").run().succeeds();
    lab.rc(["load", "-q", "-i"]).arg(lab.work("all.tar")).run().succeeds();
    lab.rc(["run", "--rm", "--network", "none", "-v", "data:/d", "-v", "new:/n", "payload", "/payload", "exit", "0"])
        .run()
        .succeeds();
    lab.rc(["volume", "rm", "data", "new"]).run().succeeds();
    lab.rc(["rmi", "other:1", "payload"]).run().succeeds();
    let found = shown(&lab, &["--filter", "type=image", "--filter", "type=volume"]);
    let expected = [
        "image import docker.io/library/payload:latest",
        "volume create data",
        "image tag docker.io/library/other:1",
        "image save other:1",
        "image loadfromarchive docker.io/library/other:1",
        "volume create new",
        "volume remove data",
        "volume remove new",
        "image untag docker.io/library/other:1",
        "image untag docker.io/library/payload:latest",
        "image remove ",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_follower_gets_each_event_at_once_until_its_time_is_over() {
    let lab = Lab::with_payload();
    let follower = lab.rc(["events", "--format", "{{.Status}} {{.Name}}", "--filter", "type=volume"]).start();
    wait::until("the follower waits", || {
        lab.rc(["volume", "create", "--ignore", "first"]).run().succeeds();
        lab.rc(["volume", "rm", "first"]).run().succeeds();
        follower.output_text().contains("remove first").then_some(())
    });
    lab.rc(["volume", "create", "data"]).run().succeeds();
    follower.line("create data\n");
    follower.kill(Signal::INT);
    assert_eq!(follower.wait().exit, Exit::Signal(2));
    let all = lab.rc(["events", "--since", "1h", "--until", "10ms", "--filter", "volume=data"]).run();
    assert_eq!(all.text().lines().count(), 1);
    drop(lab.rc(["events", "--since", "soon"]).run().exits(125));
    drop(lab.rc(["events", "--filter", "machine=x"]).run().exits(125));
    lab.rc(["system", "events", "--until", "1h", "--no-stream"]).run().says_nothing();
    lab.rc(["volume", "rm", "data"]).run().succeeds();
}

#[test]
fn docker_s_messages_under_its_name() {
    let lab = Lab::with_payload();
    drop(
        lab.rc(["run", "--rm", "--name", "job", "--network", "none", "payload", "/payload", "exit", "7"])
            .run()
            .exits(7),
    );
    let list = ["events", "--since", "1h", "--until", "0s", "--format", "{{json .}}", "--filter", "container=job"];
    let lines = lab.called("docker", list).run().text();
    let messages: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let actions: Vec<&str> = messages.iter().filter_map(|message| message["Action"].as_str()).collect();
    assert_eq!(actions, ["create", "start", "attach", "die", "destroy"]);
    let die = &messages[3];
    assert_eq!((&die["status"], &die["Type"], &die["scope"]), (&json!("die"), &json!("container"), &json!("local")));
    assert_eq!(die["Actor"]["Attributes"]["exitCode"], "7");
    assert_eq!(die["id"], die["Actor"]["ID"]);
    let text = lab.called("docker", ["events", "--since", "1h", "--until", "0s", "--filter", "event=die"]).run().text();
    assert!(text.contains(" container die ") && text.contains("exitCode=7"), "{text}");
}

#[test]
fn nothing_is_written_if_it_is_turned_off_or_cannot_be() {
    let lab = Lab::with_payload();
    let config = lab.work("rc.toml");
    std::fs::write(&config, "[events]\nlogger = \"none\"\n").expect("written");
    lab.rc(["volume", "create", "quiet"]).env("RC_CONFIG", &config).run().succeeds();
    assert_eq!(shown(&lab, &["--filter", "volume=quiet"]), Vec::<String>::new());
    std::fs::remove_file(lab.store().join("events.log")).expect("removed");
    std::fs::create_dir(lab.store().join("events.log")).expect("a directory");
    lab.play(["exit", "0"]).succeeds();
    lab.rc(["volume", "rm", "quiet"]).run().succeeds();
    lab.rc(["events", "--no-stream"]).run().says_nothing();
    std::fs::remove_dir(lab.store().join("events.log")).expect("removed");
}

#[test]
fn pausing_and_health_are_events() {
    let lab = Lab::with_payload();
    let check = r#"--health-cmd=["/payload", "exit", "0"]"#;
    lab.rc(["run", "-d", "--name", "web", "--network", "none", check, "payload", "/payload", "sleep"]).run().succeeds();
    lab.rc(["wait", "--condition", "healthy", "web"]).run().succeeds();
    let health = ["events", "--no-stream", "--filter", "event=health_status", "--format", "{{.HealthStatus}}"];
    wait::until("the event", || (lab.rc(health).run().text() == "healthy").then_some(()));
    if lab.rc(["pause", "web"]).run().exit == Exit::Code(0) {
        lab.rc(["unpause", "web"]).run().succeeds();
        assert_eq!(shown(&lab, &["--filter", "event=pause", "--filter", "event=unpause"]).len(), 2);
    } else {
        require!(Set::current() != Set::Root, "containers have no cgroup of their own here");
    }
    lab.rc(["rm", "-f", "web"]).run().succeeds();
}
