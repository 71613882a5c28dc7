//! Files that the command line names by their descriptors: `<(…)` of a shell, `/dev/fd/N`, `/dev/stdin`.

use serde_json::json;

use crate::support::{Lab, Output};

/// Runs a script of bash in which `rc` is the program under test.
#[track_caller]
fn bash(lab: &Lab, script: &str) -> Output {
    let script = format!("set -o pipefail; rc() {{ {:?} \"$@\"; }}; {script}", Lab::rc_path());
    lab.program("/bin/bash", ["-c", &script]).run()
}

/// The variable that a script gives its program, as the program reports it.
const A: &str = "\"A\":\"1\"\n";

#[test]
fn every_option_and_argument_reads_and_writes_a_descriptor() {
    let lab = Lab::with_payload();
    let run = "run --rm --network none";
    let profile = json!({ "defaultAction": "SCMP_ACT_ALLOW" }).to_string();
    std::fs::write(lab.work("profile"), profile).expect("a file can be written");
    lab.rc(["run", "-d", "--name", "web", "--network", "none", "payload", "/payload", "sleep"]).run().succeeds();
    for (script, expected) in [
        ("rc RUN --env-file <(echo A=1) payload /payload report | GREP", A),
        ("rc RUN --env-file=<(echo A=1) payload /payload report | GREP", A),
        ("echo A=1 | rc RUN --env-file /dev/stdin payload /payload report | GREP", A),
        ("rc RUN --env-file /proc/self/fd/5 payload /payload report 5< <(echo A=1) | GREP", A),
        ("rc exec --env-file <(echo A=1) web /payload report | GREP", A),
        ("rc inspect -f '{{.Config.Labels.a}}' $(rc create --label-file <(echo a=b) payload /payload)", "b\n"),
        ("rc RUN --security-opt seccomp=<(cat profile) payload /payload echo x", "x\n"),
        ("rc load -q -i <(rc save payload) >/dev/null && echo loaded", "loaded\n"),
        ("rc import -q <(cat payload.tar) again >/dev/null && echo imported", "imported\n"),
        ("rc save -o >(cat >saved; echo written) payload | cat", "written\n"),
        ("rc save -o /dev/stdout payload | rc load -q >/dev/null && echo loaded", "loaded\n"),
        ("rc save -o /dev/fd/7 payload 7>&1 >/dev/null | rc load -q >/dev/null && echo loaded", "loaded\n"),
        ("rc kill --cidfile <(rc inspect -f '{{.Id}}' web) -s WINCH | wc -c", "65\n"),
        ("rc stop --cidfile <(rc inspect -f '{{.Id}}' web) | wc -c", "65\n"),
        ("rc restart -t 0 --cidfile <(rc inspect -f '{{.Id}}' web) | wc -c", "65\n"),
        ("rc rm -f --cidfile <(rc inspect -f '{{.Id}}' web) | wc -c", "65\n"),
    ] {
        let output = bash(&lab, &script.replace("RUN", run).replace("GREP", "grep -o '\"A\":\"1\"'"));
        assert_eq!((output.stdout().trim_start(), output.stderr().as_str()), (expected, ""), "{output}");
    }
    lab.remove_containers();
}

#[test]
fn a_descriptor_is_no_source_of_a_mount_but_a_fifo_is() {
    let lab = Lab::with_payload();
    for mount in ["-v <(echo x):/y", "-v /dev/stdin:/y", "--mount type=bind,src=/proc/self/fd/5,dst=/y"] {
        let said = bash(&lab, &format!("rc run --rm --network none {mount} payload /payload read /y")).exits(125);
        assert!(said.stderr().contains("a descriptor of this command"), "{said}");
    }
    let fifo =
        "mkfifo fifo && { echo text >fifo & } && rc run --rm --network none -v ./fifo:/y payload /payload read /y";
    bash(&lab, fifo).prints("text\n");
}

#[test]
fn x2_a_descriptor_that_the_command_line_names_stays_with_the_command() {
    let lab = Lab::with_payload();
    let inside = "rc run --rm --network none --env-file /dev/fd/5 payload /payload list /proc/self/fd 5< <(echo A=1)";
    // The last one is that of the directory.
    bash(&lab, inside).prints("0\n1\n2\n3\n");
    // A monitor that kept the descriptor would keep the output open, and the test would report that.
    let out = "run -d --network none --name web payload /payload sleep /dev/fd/5";
    bash(&lab, &format!("rc {} 5>&1", out.replace(" sleep", " stubborn"))).exits(0).stderr();
    bash(&lab, "rc restart -t 0 --cidfile /dev/fd/6 5>&1 6< <(echo web) # /dev/fd/5").prints("web\n");
    bash(&lab, "rc stop -t 0 web 5>&1").prints("web\n");
    // Without a path that names it, it is closed.
    let not_open = bash(&lab, "rc run --env-file $(echo /dev/fd/9) payload /payload report").exits(125).stderr();
    assert!(not_open.contains("/dev/fd/9"), "{not_open}");
    lab.remove_containers();
}
