//! Init containers of pods, and copies of pods.

use serde_json::{Value, json};

use crate::pods::{lab, remove, start};
use crate::support::{Lab, Output};

fn pod(lab: &Lab, words: &[&str]) -> Output {
    lab.rc(["pod"]).args(words).run()
}

fn create(lab: &Lab, options: &[&str], words: &[&str]) -> Output {
    lab.rc(["create", "--pod", "p"]).args(options).args(["payload", "/payload"]).args(words).run()
}

fn names(lab: &Lab, pod: &str) -> String {
    lab.rc(["ps", "-a", "--filter", &format!("pod={pod}"), "--sort", "names", "--format", "{{.Names}} {{.State}}"])
        .run()
        .text()
}

#[test]
fn init_containers_run_to_their_end_before_the_others() {
    let (lab, id) = lab(&["--network", "none", "--exit-policy", "stop", "--restart", "always", "-v", "data:/data"]);
    create(&lab, &["--name", "stays", "--restart", "no"], &["sleep"]).succeeds();
    create(&lab, &["--name", "main", "--restart", "no"], &["read", "/data/note"]).succeeds();
    create(&lab, &["--name", "early", "--init-ctr", "always"], &["write", "/data/note", "hello"]).succeeds();
    create(&lab, &["--name", "first", "--init-ctr", "once", "-v", "/own"], &["exit", "0"]).succeeds();
    pod(&lab, &["start", "p"]).prints("p\n");
    lab.rc(["wait", "main"]).run().prints("0\n");
    lab.rc(["logs", "main"]).run().prints("hello\n");
    assert_eq!(lab.rc(["inspect", "--format", "{{.State.Status}}", "early"]).run().text().trim(), "exited");
    drop(lab.rc(["container", "exists", "first"]).run().exits(1));
    // It is in a pod that runs, to which none is added, and which a restart does not prepare again.
    let refused = create(&lab, &["--init-ctr", "always"], &["exit", "0"]).exits(125).stderr();
    assert!(refused.contains("cannot add an init container to pod `p`, which runs"), "{refused}");
    let begun = || lab.rc(["inspect", "--format", "{{.State.StartedAt}}", "early"]).run().text();
    let before = begun();
    pod(&lab, &["restart", "p"]).prints(format!("{id}\n"));
    assert_eq!(begun(), before);
    pod(&lab, &["stop", "-t", "0", "p"]).prints("p\n");
    // If one fails, nothing else is started.
    create(&lab, &["--name", "bad", "--init-ctr", "once"], &["exit", "3"]).succeeds();
    let failed = pod(&lab, &["start", "p"]).exits(125).stderr();
    assert!(failed.contains("init container `bad` exited with code 3"), "{failed}");
    assert_ne!(begun(), before);
    assert!(names(&lab, "p").contains("stays exited"), "{}", names(&lab, "p"));
    for (options, reason) in [
        (&["--pod", "p", "--init-ctr", "often"][..], "kind `often` must be always or once"),
        (&["--init-ctr", "once"], "needs `--pod POD`"),
        (&["--pod", "p", "--init-ctr", "once", "--rm"], "`--init-ctr` and `--rm` cannot be used together"),
    ] {
        let refused = lab.rc(["create"]).args(options).args(["payload", "/payload"]).run().exits(125).stderr();
        assert!(refused.contains(reason), "{refused}");
    }
    remove(&lab);
}

fn inspect(lab: &Lab, name: &str) -> Value {
    lab.rc(["inspect", name]).run().json()[0].take()
}

#[test]
fn a_pod_is_copied_with_its_members() {
    let (lab, id) = lab(&["--network", "none", "--label", "app=shop", "--share", "+pid", "-v", "/scratch"]);
    start(&lab, "one", &["--env", "A=1", "--restart", "no", "-v", "named:/named"], &["sleep"]);
    create(&lab, &["--name", "two", "--uts", "container:one"], &["sleep"]).succeeds();
    lab.rc(["exec", "one", "/payload", "write", "/scratch/note", "old"]).run().succeeds();
    let copy = pod(&lab, &["clone", "--label", "of=copy", "--start", "--security-opt", "no-new-privileges", "p"]);
    let copy = copy.text().trim().to_owned();
    assert_eq!(names(&lab, "p-clone"), "one-clone running\ntwo-clone running");
    let made = pod(&lab, &["inspect", "p-clone"]).json()[0].take();
    assert_eq!((&made["Id"], &made["Hostname"], &made["State"]), (&json!(copy), &json!("p-clone"), &json!("Running")));
    assert_eq!(made["Labels"], json!({ "app": "shop", "of": "copy" }));
    let one = inspect(&lab, "one-clone");
    let host = &one["HostConfig"];
    assert_eq!((&one["Pod"], &host["NetworkMode"]), (&json!(copy), &json!(format!("container:{copy}"))));
    let of_one = format!("container:{}", one["Id"].as_str().expect("an ID"));
    assert_eq!(inspect(&lab, "two-clone")["HostConfig"]["UTSMode"], json!(of_one));
    let exec = |name: &str, words: &[&str]| lab.rc(["exec", name, "/payload"]).args(words).run();
    exec("one-clone", &["read", "/proc/sys/kernel/hostname"]).prints("p-clone\n");
    let report = exec("one-clone", &["report"]).json();
    assert_eq!((&report["env"]["A"], &report["env"]["HOSTNAME"]), (&json!("1"), &json!("p-clone")));
    assert_ne!(report["namespaces"]["net"], exec("one", &["report"]).json()["namespaces"]["net"]);
    // Its own anonymous volume, the same named one.
    drop(exec("one-clone", &["read", "/scratch/note"]).exits(99));
    assert!(exec("one-clone", &["read", "/proc/self/status"]).text().contains("NoNewPrivs:\t1"));
    // The next names; the original goes, with its volume.
    pod(&lab, &["clone", "p"]).succeeds();
    assert_eq!(names(&lab, "p-clone1"), "one-clone1 created\ntwo-clone1 created");
    pod(&lab, &["clone", "--destroy", "-h", "own", "p", "other"]).succeeds();
    drop(pod(&lab, &["exists", &id]).exits(1));
    assert_eq!(pod(&lab, &["inspect", "other"]).json()[0]["Hostname"], "own");
    assert_eq!(lab.rc(["volume", "ls", "-q"]).run().text().lines().count(), 2);
    // A name that is taken leaves nothing of a copy.
    let refused = pod(&lab, &["clone", "other", "p-clone"]).exits(125).stderr();
    assert!(refused.contains("`p-clone` is already in use by pod"), "{refused}");
    assert_eq!(pod(&lab, &["ps", "-q"]).text().lines().count(), 3);
    pod(&lab, &["clone", "ghost"]).fails(125, "rc: no such pod: ghost\n");
    remove(&lab);
}
