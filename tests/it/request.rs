//! `rc request`, with which other programs start containers: a request as data starts the same container as the command
//! line does.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Lab, Output};

/// Passes a request to `rc request` on descriptor 3; `further` are more redirections of the shell.
fn ask(lab: &Lab, asked: &Value, further: &str) -> Output {
    fs::write(lab.work("asked"), asked.to_string()).expect("a file can be written");
    let script = format!("exec \"$0\" request 3<asked {further}");
    lab.program("sh", ["-c", &script]).arg(Lab::rc_path()).run()
}

/// The request of a command line.
fn asked(lab: &Lab, line: &[&str]) -> Value {
    lab.rc(["request", "--print", "--"]).args(line).run().json()
}

/// The configuration of a container, without its own ID, name and times.
fn config(lab: &Lab, id: &str) -> Value {
    let id = id.trim();
    let text = fs::read_to_string(lab.container(id).join("config.json")).expect("a record");
    let text = text.replace(id, "ID").replace(&id[..12], "SHORT");
    let mut config: Value = serde_json::from_str(&text).expect("JSON");
    for field in ["id", "name", "created", "createCommand"] {
        config.as_object_mut().expect("an object").remove(field).unwrap_or_else(|| panic!("{field} is there"));
    }
    for mount in config["mounts"].as_array_mut().expect("a list") {
        if mount["kind"]["anonymous"] == true {
            mount["kind"]["name"] = json!("ANONYMOUS");
        }
    }
    config
}

/// Command lines of `create`.
const CREATED: [&str; 6] = [
    "payload /payload",
    "--name web --hostname h --add-host db:1.2.3.4 --dns 9.9.9.9 --dns-search example.org -l a=b -e A=1 -e FROM* \
     --env-file vars -u 1:2 -w /w --group-add 7 payload /payload report",
    "-v ./shared:/data:ro,rslave -v named:/vol:nocopy -v /anonymous --tmpfs /t:size=1m,exec --read-only --shm-size 1m \
     payload /payload",
    "-p 18080:80 -p 127.0.0.1:18053-18054:53-54/udp -p [::1]:18081:81 --stop-signal QUIT --stop-timeout 3 \
     payload /payload",
    "-m 64m --memory-swap -1 --cpus 0.5 --cpuset-cpus 0 --pids-limit 50 --ulimit nofile=100:200 --cap-add net_raw \
     --cap-drop chown --security-opt no-new-privileges --security-opt seccomp=unconfined \
     --cgroup-conf memory.high=9000000 payload /payload",
    "-it --init --restart on-failure:3 --log-opt max-size=1m --log-opt max-file=2 --sdnotify conmon --pidfile p \
     --conmon-pidfile c --detach-keys ctrl-a --network none --entrypoint /payload payload echo x",
];

#[test]
fn a_request_creates_the_same_container_as_the_command_line() {
    let lab = Lab::with_payload();
    fs::create_dir(lab.work("shared")).expect("a directory can be made");
    fs::write(lab.work("vars"), "B=2\n").expect("a file can be written");
    for line in CREATED {
        let words: Vec<&str> = ["create"].into_iter().chain(line.split_whitespace()).collect();
        let typed = config(&lab, &lab.rc(&words).env("FROM_CALLER", "x").run().text());
        lab.remove_containers();
        let mut asked = asked(&lab, &words);
        // A program that asks sends the variables itself.
        if line.contains("FROM*") {
            asked["request"]["environment"] = json!({ "FROM_CALLER": "x", "OTHER": "y" });
        }
        let told = ask(&lab, &asked, "");
        assert_eq!(config(&lab, &told.text()), typed, "{line}");
        lab.remove_containers();
    }
}

#[test]
fn a_request_runs_as_the_command_line_does() {
    let lab = Lab::with_payload();
    for line in ["exit 7", "echo some words", "complain at length", "cat"] {
        let words: Vec<&str> =
            "run --rm -i --network none payload /payload".split(' ').chain(line.split(' ')).collect();
        let typed = lab.rc(&words).input("input").run();
        fs::write(lab.work("asked"), asked(&lab, &words).to_string()).expect("a file can be written");
        let script = "exec \"$0\" request 3<asked";
        let told = lab.program("sh", ["-c", script]).arg(Lab::rc_path()).input("input").run();
        assert_eq!((told.exit, told.stdout(), told.stderr()), (typed.exit, typed.stdout(), typed.stderr()), "{line}");
    }
    lab.rc(["ps", "-aq"]).run().says_nothing();
}

#[test]
fn events_are_lines_on_descriptor_4() {
    let lab = Lab::with_payload();
    let request = |extra: Value| {
        let mut request =
            json!({ "image": "payload", "command": ["/payload", "sleep"], "network": { "mode": "none" } });
        request.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({ "action": "run", "request": request })
    };
    let told = || -> Vec<Value> {
        let text = fs::read_to_string(lab.work("told")).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    // Only rc has the descriptor: `cat` exits while the container runs.
    fs::write(lab.work("asked"), request(json!({ "name": "web", "detach": true })).to_string()).unwrap();
    let script = "{ \"$0\" request 3<asked 4>&1 >/dev/null; } | cat >told";
    lab.program("sh", ["-c", script]).arg(Lab::rc_path()).run().says_nothing();
    let id = lab.rc(["inspect", "-f", "{{.Id}}", "web"]).run().text();
    assert_eq!(told(), [json!({ "event": "started", "id": id.trim() })]);

    let ended = request(json!({ "command": ["/payload", "exit", "3"], "autoRemove": true }));
    drop(ask(&lab, &ended, "4>told").exits(3));
    let events = told();
    let words: Vec<&Value> = events.iter().map(|told| &told["event"]).collect();
    assert_eq!((words, &events[1]["code"]), (vec![&json!("started"), &json!("ended")], &json!(3)));
    assert_eq!(events[0]["id"], events[1]["id"]);

    ask(&lab, &request(json!({ "name": "web" })), "4>told").fails(125, "");
    let failed = told();
    assert_eq!((failed.len(), &failed[0]["event"]), (1, &json!("failed")));
    assert_eq!(failed[0]["report"]["kind"], "conflict");
    lab.remove_containers();
}

#[test]
fn an_invalid_request_is_refused_with_the_reason() {
    let lab = Lab::with_payload();
    for (asked, text) in [
        ("", "cannot read a request"),
        ("{\"action\":\"run\"}", "missing field `request`"),
        ("{\"action\":\"stop\",\"request\":{}}", "unknown variant `stop`"),
        (
            "{\"action\":\"run\",\"request\":{\"image\":\"payload\",\"privilegedd\":true}}",
            "unknown field `privilegedd`",
        ),
        ("{\"action\":\"run\",\"request\":{\"image\":\"payload\",\"descriptors\":[{\"number\":3}]}}", "descriptor 3"),
        ("{\"action\":\"run\",\"request\":{\"image\":\"payload\",\"descriptors\":[{\"number\":5}]}}", "descriptor 5"),
    ] {
        fs::write(lab.work("asked"), asked).unwrap();
        let refused = lab.program("sh", ["-c", "exec \"$0\" request 3<asked"]).arg(Lab::rc_path()).run().exits(125);
        assert!(refused.stderr().contains(text), "{asked}: {refused}");
    }
    let deep = "[".repeat(100_000);
    fs::write(lab.work("asked"), format!("{{\"action\":\"run\",\"request\":{deep}")).unwrap();
    let refused = lab.program("sh", ["-c", "exec \"$0\" request 3<asked"]).arg(Lab::rc_path()).run().exits(125);
    assert!(refused.stderr().contains("levels deep"), "{refused}");
    let refused = lab.rc(["request"]).run().exits(125);
    assert!(refused.stderr().contains("descriptor 3 is not open"), "{refused}");
    lab.rc(["ps", "-aq"]).run().says_nothing();
}

#[test]
fn a_source_with_a_colon_and_descriptors_of_other_numbers_can_be_asked_for() {
    let lab = Lab::with_payload();
    fs::create_dir(lab.work("a:b")).unwrap();
    fs::write(lab.work("a:b/file"), "through a colon").unwrap();
    fs::write(lab.work("handed"), "handed").unwrap();
    let request = |command: &[&str], further: Value| {
        let mut request = json!({
            "image": "payload", "command": command, "network": { "mode": "none" }, "autoRemove": true,
            "mounts": [{ "kind": "bind", "source": "a:b", "destination": "/data", "options": ["ro"] }],
        });
        request.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        json!({ "action": "run", "request": request })
    };
    ask(&lab, &request(&["/payload", "read", "/data/file"], json!({})), "").prints("through a colon");
    let descriptors = json!({ "descriptors": [{ "number": 3, "from": 7 }] });
    ask(&lab, &request(&["/payload", "read", "/proc/self/fd/3"], descriptors), "7<handed").prints("handed");
}
