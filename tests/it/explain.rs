//! `--explain`: what would be done, and that nothing of it is. Another runtime runs its spec in `system::explain`.

use crate::support::Lab;

#[test]
fn nothing_is_made_and_all_is_said() {
    let lab = Lab::with_payload();
    let run = ["run", "--explain", "--name", "web", "-d", "-p", "127.0.0.1:8123:80", "-m", "64m", "-v", "data:/data"];
    let text = lab.rc(run).args(["--cap-drop", "ALL", "--replace", "payload", "/payload", "sleep"]).run().text();
    for line in [
        "image         docker.io/library/payload:latest (sha256:",
        "command       /payload sleep",
        "capabilities  none",
        "seccomp       rc's profile",
        "mount         /data bind of ",
        "port          127.0.0.1:8123->80/tcp",
        "limits        memory 64MiB",
        "restart       no",
        "at its end    kept",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    lab.rc(["ps", "-aq"]).run().says_nothing();
    lab.rc(["volume", "ls", "-q"]).run().says_nothing();
    let object = lab.rc(["create", "--explain=json", "--rm", "payload", "/payload", "sleep"]).run().json();
    assert_eq!((&object["Version"], &object["AutoRemove"]), (&1.into(), &true.into()));
    assert_eq!(object["Command"], serde_json::json!(["/payload", "sleep"]));
    let absent = lab.rc(["run", "--explain", "absent"]).run().exits(125);
    assert!(absent.stderr().contains("absent"), "{absent}");
    lab.rc(["run", "--explain=rhyme", "payload"]).run().exits(125).stderr();
}
