//! `logs`: which part of the log is shown, and for how long it is followed.

use std::time::Duration;

use crate::support::Lab;

#[test]
fn a_log_is_followed_for_the_duration_after_until() {
    let lab = Lab::with_payload();
    lab.rc(["run", "-d", "--name", "web", "--network", "none", "payload", "/payload", "signals"]).run().succeeds();
    lab.ready("web");
    let follower = lab.rc(["logs", "-f", "--until", "2s", "web"]).start();
    lab.rc(["kill", "-s", "USR1", "web"]).run().succeeds();
    follower.line("SIGUSR1\n");
    let output = follower.wait();
    assert!(output.elapsed >= Duration::from_secs(2), "{output}");
    output.prints("ready\nSIGUSR1\n");
    // Without --follow it is how long ago, as with docker.
    lab.rc(["logs", "--until", "1h", "web"]).run().says_nothing();
    lab.remove_containers();
}

#[test]
fn several_containers_are_told_apart() {
    let lab = Lab::with_payload();
    for name in ["one", "two"] {
        let run = ["run", "-d", "--name", name, "--network", "none", "payload", "/payload", "echo", name];
        lab.rc(run).run().succeeds();
        lab.rc(["wait", name]).run().succeeds();
    }
    lab.rc(["logs", "--names", "two", "one"]).run().prints("two two\none one\n");
    lab.rc(["logs", "--names", "one"]).run().prints("one\n");
    let id = lab.rc(["inspect", "--format", "{{.Id}}", "one"]).run().text();
    let shown = lab.rc(["logs", "one", "two"]).run().text();
    assert!(shown.starts_with(&format!("{} one\n", &id[..12])), "{shown}");
    lab.rc(["logs", "--names", "--color", "one", "two"])
        .run()
        .prints("\x1b[36mone\x1b[0m one\n\x1b[33mtwo\x1b[0m two\n");
    lab.rc(["logs", "--details", "one"]).run().prints(" one\n");
    lab.rc(["logs", "-l"]).run().prints("two\n");
    lab.rc(["logs", "-f", "--names", "one", "two"]).run().succeeds();
    lab.rc(["logs", "one", "nobody"]).run().fails(125, "rc: no such container: nobody\n");
    lab.called("docker", ["logs", "-n", "0", "one"]).run().says_nothing();
    lab.called("docker", ["logs", "one", "-n", "1"]).run().prints("one\n");
    lab.remove_containers();
}

#[test]
fn several_logs_are_followed_at_once() {
    let lab = Lab::with_payload();
    for name in ["one", "two"] {
        let run = ["run", "-d", "-i", "--name", name, "--network", "none", "payload", "/payload", "cat"];
        lab.rc(run).run().succeeds();
    }
    let follower = lab.rc(["logs", "-f", "--names", "one", "two"]).start();
    for name in ["two", "one"] {
        let mut attached = lab.rc(["attach", name]).open_input().start();
        attached.send(format!("hello from {name}\n"));
        follower.line(&format!("{name} hello from {name}\n"));
        attached.send_end();
        drop(attached.wait());
    }
    assert_eq!(follower.wait().exit, crate::support::Exit::Code(0));
    lab.remove_containers();
}

#[test]
fn output_that_went_past_rc_has_no_log() {
    let lab = Lab::with_payload();
    let run = ["run", "--name", "web", "--network", "none", "--log-driver", "passthrough", "payload", "/payload"];
    lab.rc(run).args(["echo", "hello"]).run().prints("hello\n");
    let refused = "rc: container `web` has no log: its output went past rc (`--log-driver passthrough`)\n\
                   hint: create the container with `--log-driver k8s-file`\n";
    lab.rc(["logs", "web"]).run().fails(125, refused);
    lab.remove_containers();
}
