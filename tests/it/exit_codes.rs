//! The exit codes of `run` and `exec` if the program cannot start: those of docker and podman.

use std::fs;

use crate::support::image::Layer;
use crate::support::{Exit, Lab, Set};

/// A lab with the image `broken`: the payload, and files that cannot be programs.
fn lab() -> Lab {
    let lab = Lab::with_payload();
    let files = Layer::new()
        .directory("bin", 0o755)
        .directory("closed", 0o700)
        .file("data", 0o644, b"no program")
        .file("bin/refused", 0o644, b"no program")
        .file("garbage", 0o755, b"\0\x01\x02")
        .file("script", 0o755, b"#!/no/such/interpreter\n")
        .file("payload", 0o755, &fs::read(Lab::payload_path()).expect("the payload can be read"))
        .directory("etc", 0o755)
        .file("etc/passwd", 0o644, b"root:x:0:0:root:/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n");
    fs::write(lab.work("broken.tar"), files.bytes()).expect("the archive can be written");
    lab.rc(["import", "-q", "broken.tar", "broken"]).run().succeeds();
    lab
}

/// What is asked for, in which both differ, and the codes of `run` and `exec`.
const CASES: &[(&[&str], &[&str], i32, i32)] = &[
    (&[], &["nothing"], 127, 127),
    (&[], &["/no/such"], 127, 127),
    (&[], &["/data/below"], 127, 127),
    (&[], &[""], 127, 127),
    (&["-e", "PATH=/nowhere"], &["payload"], 127, 127),
    (&[], &["/script"], 127, 127),
    (&[], &["/data"], 126, 126),
    (&[], &["refused"], 126, 126),
    (&[], &["/bin"], 126, 126),
    (&[], &["/garbage"], 126, 126),
    // `run` creates the directory, and cannot do that below a file.
    (&["-w", "/missing"], &["/payload", "exit", "0"], 0, 127),
    (&["-w", "/data"], &["/payload", "exit", "0"], 125, 127),
    (&["-w", "/data/below"], &["/payload", "exit", "0"], 125, 127),
    (&["-w", "relative"], &["/payload", "exit", "0"], 125, 125),
    // docker: the daemon refuses the user of `run`, and gives an exec that it refuses 126.
    (&["-u", "nobody-has-it"], &["/payload", "exit", "0"], 125, 126),
    (&["-u", "0:nobody-has-it"], &["/payload", "exit", "0"], 125, 126),
    (&["-u", "99999999999"], &["/payload", "exit", "0"], 125, 125),
    (&["--no-such-option"], &["/payload", "exit", "0"], 125, 125),
];

#[test]
fn a_program_that_cannot_start_ends_run_and_exec_with_the_codes_of_docker_and_podman() {
    let lab = lab();
    lab.rc(["run", "-d", "--name", "host", "--network", "none", "broken", "/payload", "sleep"]).run().succeeds();
    for (options, program, of_run, of_exec) in CASES {
        let run = lab.rc(["run", "--rm", "--network", "none"]).args(*options).arg("broken").args(*program).run();
        assert_eq!(run.exit, Exit::Code(*of_run), "{run}");
        let exec = lab.rc(["exec"]).args(*options).arg("host").args(*program).run();
        assert_eq!(exec.exit, Exit::Code(*of_exec), "{exec}");
        let detached = lab.rc(["exec", "-d"]).args(*options).arg("host").args(*program).run();
        assert_eq!(detached.exit, Exit::Code(*of_exec), "{detached}");
    }
    // With one ID, root is the only user.
    if Set::current() != Set::One {
        let closed = ["-u", "user", "-w", "/closed"];
        let exec = lab.rc(["exec"]).args(closed).args(["host", "/payload", "exit", "0"]).run();
        assert_eq!(exec.exit, Exit::Code(0), "root enters the directory, as with runc: {exec}");
    }
    lab.remove_containers();
}
