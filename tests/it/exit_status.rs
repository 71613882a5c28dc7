//! Exit codes of failures, against EXIT STATUS of podman's manual. The codes of programs are in `lifecycle`.

use crate::support::Lab;

/// A lab with the image `payload`, which the container `up` uses and runs.
fn lab() -> Lab {
    let lab = Lab::with_payload();
    let run = ["run", "-d", "--name", "up", "--network", "none", "payload", "/payload", "sleep"];
    lab.rc(run).run().succeeds();
    lab.ready("up");
    lab
}

#[test]
fn what_is_missing_or_in_use_has_the_code_that_podman_has_for_it() {
    let lab = lab();
    lab.rc(["tag", "payload", "second"]).run().succeeds();
    let id = lab.rc(["images", "-q", "payload"]).run().text();
    for (line, code) in [
        ("rmi ghost", 1),
        ("rmi ghost ghost:2", 1),
        ("rmi -i ghost", 0),
        (&format!("rmi {id}"), 2),
        (&format!("rmi ghost {id}"), 2),
        ("rmi second", 0),
        ("rmi payload", 2),
        ("rmi ghost payload", 2),
        ("rm ghost", 1),
        ("rm ghost gone", 1),
        ("rm -i ghost", 0),
        ("rm -f ghost", 0),
        ("rm up", 2),
        ("rm ghost up", 2),
        ("rm up ghost", 2),
        ("rm --cidfile ghost", 125),
        ("rm --bogus", 125),
        ("rm", 125),
        ("attach ghost", 125),
        ("create --pull never ghost", 125),
        ("exec ghost ls", 125),
        ("exec up /ghost", 127),
        ("exec up /etc", 126),
        ("generate systemd ghost", 125),
        ("images --format {{.Ghost}}", 125),
        ("import ghost.tar", 125),
        ("inspect ghost", 125),
        ("inspect up ghost", 125),
        ("kill ghost", 125),
        ("load -i ghost.tar", 125),
        ("logs ghost", 125),
        ("pause ghost", 125),
        ("ps --filter ghost=1", 125),
        ("pull localhost:1/ghost --retry 0", 125),
        ("restart ghost", 125),
        ("run --pull never ghost", 125),
        ("save -o ghost.tar ghost", 125),
        ("start ghost", 125),
        ("start -a ghost", 125),
        ("stats --no-stream ghost", 125),
        ("stop ghost", 125),
        ("stop -i ghost", 0),
        ("tag ghost other", 125),
        ("top ghost", 125),
        ("unpause ghost", 125),
        ("unshare /ghost", 127),
        ("unshare /etc", 126),
        ("untag ghost", 125),
        ("update --pids-limit 9 ghost", 125),
        ("wait ghost", 125),
        ("wait --ignore ghost", 0),
        ("ghost", 125),
    ] {
        let output = lab.rc(line.split(' ')).run().exits(code);
        assert_eq!(output.stderr.is_empty(), code == 0, "{output}");
    }
    assert_eq!(lab.rc(["ps", "-q"]).run().text().lines().count(), 1);
    lab.rc(["rm", "-f", "up"]).run().succeeds();
    lab.rc(["rmi", "payload"]).run().succeeds();
}
