//! `logs`: which part of the log is shown, and for how long it is followed.

use std::time::Duration;

use crate::support::Lab;

#[test]
fn a_log_is_followed_for_the_duration_after_until() {
    let lab = Lab::new();
    lab.payload();
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
