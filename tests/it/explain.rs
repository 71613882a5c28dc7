//! `--explain`: what would be done, and that nothing of it is; the spec runs under another runtime.

use std::fs;

use crate::support::{Lab, skip};

#[test]
fn nothing_is_made_and_all_is_said() {
    let lab = Lab::new();
    lab.payload();
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

#[test]
fn crun_runs_the_spec_unchanged() {
    if !skip::has_program("crun") {
        skip!("crun is not installed");
    }
    if !std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        // crun runs nothing where controllers are in hierarchies of version 1 beside version 2.
        return;
    }
    let lab = Lab::new();
    lab.payload();
    let run = ["run", "--explain=spec", "--network", "none", "--hostname", "here", "-e", "A=b"];
    let spec = lab.rc(run).args(["payload", "/payload", "report"]).run().text();
    let bundle = lab.work("bundle");
    fs::create_dir_all(bundle.join("rootfs")).expect("a bundle");
    fs::write(bundle.join("config.json"), spec).expect("written");
    lab.rc(["create", "--name", "files", "--network", "none", "payload", "/payload"]).run().succeeds();
    lab.rc(["export", "-o"]).arg(lab.work("root.tar")).arg("files").run().succeeds();
    lab.remove_containers();
    let unpack = ["-x", "-f"];
    lab.program("tar", unpack).arg(lab.work("root.tar")).arg("-C").arg(bundle.join("rootfs")).run().succeeds();
    let crun = lab.program("crun", ["--cgroup-manager=disabled", "run", "--bundle"]).arg(&bundle);
    let report = crun.arg(lab.unique("explained")).run().json();
    assert_eq!((&report["env"]["A"], &report["args"][0]), (&"b".into(), &"/payload".into()));
}
