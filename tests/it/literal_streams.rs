//! Command lines as tools type them, that follow something or pass data through: events, logs, archives, logins.

use serde_json::Value;

use crate::literal_calls::Tools;
use crate::support::registry::Registry;
use crate::support::{Exit, Signal};

#[test]
fn events_and_logs_are_followed_until_the_tool_ends_them() {
    let tools = Tools::new();
    let docker = tools.lab.work("bin").join("docker");
    let follow = |words: &[&str]| tools.lab.program(&docker, words).start();
    // Followers begin with what is now, so something that happens repeatedly shows that they have begun.
    let started = follow(&["events", "--since", "0", "--format", "{{json .}}", "--filter", "event=start"]);
    started.line("\"start\"");
    let line = started.output_text().lines().next().unwrap_or_default().to_owned();
    let event: Value = serde_json::from_str(&line).expect("a line of JSON");
    assert_eq!((&event["status"], &event["Type"]), (&Value::from("start"), &Value::from("container")), "{event}");
    assert!(event["id"].is_string() && event["Actor"]["ID"].is_string() && event["Actor"]["Attributes"].is_object());
    tools.ok("docker run -d --name gone --network none $IMG /payload sleep");
    started.line("\"name\":\"gone\"");
    let id = tools.ok("docker inspect -f '{{.Id}}' gone");
    let filter = format!("container={id}");
    let gone =
        follow(&["events", "--since", "0", "--format", "{{json .}}", "--filter", &filter, "--filter", "event=destroy"]);
    tools.ok("docker rm -f gone");
    gone.line("\"destroy\"");
    for follower in [started, gone] {
        follower.kill(Signal::KILL);
        assert_eq!(follower.wait().exit, Exit::Signal(9));
    }
    tools.ok("docker run -d --name talks --network none --label L=1 $IMG /payload echo line");
    tools.ok("docker wait talks");
    assert_eq!(tools.ok("podman logs --since 2020-11-28T19:43:40.000000000+00:00 -f talks"), "line");
    assert!(tools.ok("docker logs --details talks").ends_with("line"));
    tools.end();
}

#[test]
fn archives_pass_through_exec_and_cp() {
    let tools = Tools::new();
    tools.ok("mkdir -p $DIR/x/sub && echo deep >$DIR/x/sub/f && echo top >$DIR/x/g");
    tools.ok("docker create --name C --network none $IMG /payload sleep; docker cp $DIR/x C:/; docker start C");
    tools.ok("mkdir $DIR/back; docker cp C:/x/. $DIR/back; diff -r $DIR/x $DIR/back");
    // More than any pipe holds, there and back, without a lost byte.
    tools.ok("head -c 20000000 /dev/urandom >big; docker exec -i C /payload cat <big >copy; cmp big copy");
    tools.ok("docker exec -i C /payload cat </dev/null");
    tools.ok("docker cp C:/x - | tar -tf - | grep -q x/sub/f; tar -C $DIR -cf - x | docker cp - C:/");
    tools.end();
}

#[test]
fn logins_of_runners_and_editors() {
    require!(program "docker-registry");
    let tools = Tools::new();
    let registry = Registry::with_password(&tools.lab);
    let (host, name) = (registry.address.clone(), registry.image("app:1"));
    tools.ok(&format!("echo secret | docker login --username me --password-stdin {host}"));
    tools.ok(&format!("docker tag $IMG {name}; docker push {name}; docker logout {host}"));
    let denied = tools.run(&format!("docker pull {name}"));
    assert_ne!(denied.exit, Exit::Code(0));
    tools.ok(&format!(
        "mkdir dir; echo secret | docker --config dir login {host} -u me --password-stdin; \
         docker --config dir pull {name}"
    ));
    assert_eq!(tools.ok(&format!("docker images -q {name}")).len(), 12);
    let platform = tools.ok("docker image inspect $IMG --format {{.Os}}/{{.Architecture}}");
    tools.ok(&format!(
        "echo x >dir/f; printf 'FROM scratch\\nCOPY f /f\\n' >dir/Dockerfile; \
         docker --config dir buildx build --platform {platform} --push --no-cache --pull -t {} dir",
        registry.image("built:1")
    ));
    let (built, list) = (registry.image("built:1"), registry.image("list:1"));
    tools.ok(&format!("docker --config dir pull {built}; docker --config dir manifest create {list} {built}"));
    tools.ok(&format!("docker --config dir manifest push {list}"));
    let inspect = format!("docker --config dir buildx imagetools inspect {list} --format {{{{.Manifest.Digest}}}}");
    assert!(tools.ok(&inspect).starts_with("sha256:"));
    assert_eq!(tools.ok("docker version -f '{{ .Server.Os }},,,{{ .Client.Os }}'"), "linux,,,linux");
    tools.end();
    registry.stop();
}
