//! Names of containers as docker takes them.

use crate::support::Lab;

#[test]
fn a_slash_before_a_container_s_name_is_dropped_wherever_a_name_is_read() {
    let lab = Lab::with_payload();
    let create =
        |name: &str| lab.rc(["create", "--name", name, "--network", "none", "payload", "/payload", "stubborn"]).run();
    create("/web").succeeds();
    let taken = create("web").exits(125).stderr();
    assert!(taken.contains("the name `web` is already in use"), "{taken}");
    lab.rc(["ps", "-a", "--format", "{{.Names}}"]).run().prints("web\n");
    lab.rc(["inspect", "--format", "{{.Name}}", "/web"]).run().prints("web\n");
    lab.rc(["start", "/web"]).run().prints("/web\n");
    lab.ready("/web");
    for words in [
        &["logs", "/web"][..],
        &["top", "/web"],
        &["exec", "/web", "/payload", "exit", "0"],
        &["ps", "--filter", "since=/web"],
        &["kill", "/web"],
        &["wait", "/web"],
        &["rm", "-f", "/web"],
    ] {
        lab.rc(words).run().succeeds();
    }
    lab.rc(["ps", "-a", "-q"]).run().prints("");
    // One slash is docker's; no name has another.
    for name in ["//web", "/", "a/b"] {
        assert!(create(name).exits(125).stderr().contains("must match"), "{name}");
    }
}
