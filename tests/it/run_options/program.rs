//! The program: its words, environment, user, capabilities, limits, streams and signals.

use std::fs;

use serde_json::{Value, json};

use super::{inspect, load, refused, report, run};
use crate::support::{Exit, Lab, Output, Signal};

/// The default capabilities of a container, as `/proc/self/status` writes them.
const DEFAULT_CAPABILITIES: &str = "00000000800405fb";

#[test]
fn the_environment_is_rcs_then_the_images_then_the_callers() {
    let lab = Lab::with_payload();
    load(&lab, json!({ "Env": ["PATH=/image", "A=image", "B=image", "SECRET", "SEC*"] }));
    fs::write(lab.work("vars"), "# comment\nB=file\nC=file\nTAKEN\n").unwrap();
    let report = lab
        .rc(["run", "--rm", "--network", "none", "--env-file", "vars", "-e", "C=asked", "-e", "PRE*", "-h", "box"])
        .args(["configured", "/payload", "report"])
        .env("SECRET", "s3cret")
        .env("TAKEN", "caller")
        .env("PREFIXED", "caller")
        .run()
        .json();
    let expected = json!({
        "A": "image", "B": "file", "C": "asked", "HOME": "/root", "HOSTNAME": "box", "PATH": "/image",
        "PREFIXED": "caller", "TAKEN": "caller", "container": "oci",
    });
    assert_eq!(report["env"], expected);
}

#[test]
fn variables_that_nobody_asked_for_are_changed_and_taken_away() {
    let lab = Lab::with_payload();
    load(&lab, json!({ "Env": ["PATH=/image", "A=image", "B=image"] }));
    let env = |options: &[&str]| {
        let run = lab.rc(["run", "--rm", "--network", "none", "-h", "box"]).args(options);
        run.args(["configured", "/payload", "report"]).env("CALLER", "yes").run().json()["env"].take()
    };
    let base = json!({
        "A": "image", "B": "image", "HOME": "/root", "HOSTNAME": "box", "PATH": "/image", "container": "oci",
    });
    assert_eq!(env(&[]), base);
    let mut merged = base.clone();
    merged["PATH"] = json!("/image:/more");
    merged["C"] = json!("none");
    assert_eq!(env(&["--env-merge", "PATH=${PATH}:/more", "--env-merge", "C=${D:-none}"]), merged);
    let mut fewer = base.clone();
    fewer.as_object_mut().expect("an object").remove("A");
    fewer["B"] = json!("asked");
    assert_eq!(env(&["--unsetenv", "A", "--unsetenv", "B", "-e", "B=asked"]), fewer);
    assert_eq!(env(&["--unsetenv-all", "-e", "B=asked"]), json!({ "B": "asked", "HOME": "/root" }));
    let host = env(&["--env-host"]);
    assert_eq!((&host["CALLER"], &host["A"], &host["PATH"]), (&json!("yes"), &json!("image"), &json!("/image")));
    refused(run(&lab, &["--env-merge", "A=${"], &["report"]), "`--env-merge`");
}

#[test]
fn only_the_streams_that_are_attached_are_passed_on() {
    let lab = Lab::with_payload();
    let both = |options: &[&str], words: &[&str]| {
        let output = run(&lab, options, words).exits(0);
        (output.stdout(), output.stderr())
    };
    let text = |text: &str| text.to_owned();
    assert_eq!(both(&["-a", "STDOUT", "-a", "stderr"], &["echo", "x"]), (text("x\n"), text("")));
    assert_eq!(both(&["-a", "stderr"], &["echo", "x"]), (text(""), text("")));
    assert_eq!(both(&["-a", "stderr"], &["complain", "x"]), (text(""), text("x\n")));
    assert_eq!(both(&["-a", "stdout"], &["complain", "x"]), (text(""), text("")));
    let cat = |options: &[&str]| {
        let line = lab.rc(["run", "--rm", "-i", "--network", "none"]).args(options);
        line.args(["payload", "/payload", "cat"]).input("typed").run()
    };
    cat(&["-a", "stdin", "-a", "stdout"]).prints("typed");
    cat(&["-a", "stdout"]).prints("");
    // rc's own errors are seen all the same.
    refused(run(&lab, &["-a", "stdout", "-u", "nosuchuser"], &["report"]), "nosuchuser");
    refused(run(&lab, &["-a", "stdfoo"], &["report"]), "`--attach`");
    refused(run(&lab, &["-a", "stdout", "-d"], &["report"]), "`--attach` and `--detach`");
}

#[test]
fn values_of_the_environment_are_in_no_command_line() {
    let lab = Lab::with_payload();
    // Not those of other tests or of earlier runs.
    let value = lab.unique("hunter");
    let token = format!("TOKEN={value}");
    let container = ["run", "-d", "--network", "none", "--name", "box", "-e", &token, "payload", "/payload", "sleep"];
    lab.rc(container).run().succeeds();
    let command = inspect(&lab, "box")["Config"]["CreateCommand"].to_string();
    assert!(command.contains("TOKEN") && !command.contains(&value), "{command}");
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        // The supervisor has the test's own command line.
        assert!(!line.contains(&value) || line.contains("\0supervise\0"), "{line:?}");
    }
    lab.remove_containers();
}

#[test]
fn the_working_directory_is_made_and_entered() {
    let lab = Lab::with_payload();
    assert_eq!(report(&lab, &[])["cwd"], "/");
    assert_eq!(report(&lab, &["-w", "/not/yet"])["cwd"], "/not/yet");
    refused(run(&lab, &["-w", "relative"], &["report"]), "`--workdir`");
}

#[test]
fn a_user_may_be_in_a_directory_that_only_root_can_enter() {
    only!(Full | Root);
    let lab = Lab::with_payload();
    assert_eq!(report(&lab, &["-u", "1000", "-w", "/root"])["cwd"], "/root");
}

#[test]
fn a_user_is_a_name_or_exactly_that_number() {
    only!(Full | Root);
    let lab = Lab::with_payload();
    let ids = |options: &[&str]| {
        let report = report(&lab, options);
        (report["uids"][1].clone(), report["gids"][1].clone(), report["groups"].clone(), report["env"]["HOME"].clone())
    };
    assert_eq!(ids(&["-u", "1234:5678"]), (json!(1234), json!(5678), json!([5678]), json!("/")));
    let named = ids(&["-u", "user"]);
    assert_eq!((named.0, named.1), (json!(1000), json!(1000)));
    assert_eq!(ids(&["-u", "1000:0", "--group-add", "44"]).2, json!([0, 44]));
    assert_eq!(ids(&["-u", "1000:0", "--group-add", "44,45"]).2, json!([0, 44, 45]));
    refused(run(&lab, &["-u", "nosuchuser"], &["report"]), "nosuchuser");
    for wrong in ["-1", "4294967296", "4294967295"] {
        refused(run(&lab, &["-u", wrong], &["report"]), "`--user`");
    }
}

#[test]
fn an_entry_point_hides_the_images_command() {
    let lab = Lab::with_payload();
    load(&lab, json!({ "Entrypoint": ["/payload", "echo"], "Cmd": ["image"] }));
    let run = |options: &[&str], words: &[&str]| {
        lab.rc(["run", "--rm", "--network", "none"]).args(options).arg("configured").args(words).run()
    };
    run(&[], &[]).prints("image\n");
    run(&[], &["asked"]).prints("asked\n");
    run(&["--entrypoint", "/payload"], &["echo", "a b"]).prints("a b\n");
    run(&["--entrypoint", r#"["/payload","echo","json"]"#], &[]).prints("json\n");
    run(&["--entrypoint", ""], &["/payload", "echo", "bare"]).prints("bare\n");
    refused(run(&["--entrypoint", ""], &[]), "has no command");
}

#[test]
fn words_that_are_too_long_or_not_utf_8_are_refused_in_one_line() {
    let lab = Lab::with_payload();
    let long = "a".repeat(100_000);
    let short = |output: Output, code: i32, part: &str| {
        let output = output.exits(code);
        assert!(output.stderr.len() < 5000 && output.stderr().contains(part), "{output}");
    };
    let rc = || lab.rc(["run", "--rm", "--network", "none"]);
    short(rc().args(["payload", &long]).run(), 127, "not found in the container's PATH");
    short(rc().args(["payload", &format!("/{long}")]).run(), 126, "cannot run `/aaa");
    short(rc().args(["-u", &long, "payload", "/payload"]).run(), 125, "user `aaa");
    short(rc().args(["-w", &format!("/{long}"), "payload", "/payload"]).run(), 125, "file name too long");
    let echo = rc().args(["payload", "/payload", "echo", &long]).run();
    echo.prints(format!("{long}\n"));
    let script = "exec \"$@\" \"$(printf '\\377')\"";
    let no_text = lab.program("/bin/sh", ["-c", script, "sh"]).arg(Lab::rc_path());
    short(no_text.args(["run", "--rm", "payload", "/payload", "echo"]).run(), 125, "is not UTF-8");
}

#[test]
fn capabilities_are_the_default_ones_with_what_was_added_and_dropped() {
    let lab = Lab::with_payload();
    let sets = |options: &[&str]| {
        let caps = report(&lab, options)["caps"].take();
        assert_eq!(
            (&caps["inh"], &caps["amb"]),
            (&json!("0000000000000000"), &json!("0000000000000000")),
            "{options:?}"
        );
        (caps["eff"].clone(), caps["prm"].clone(), caps["bnd"].clone())
    };
    let all_three = |mask: &str| (json!(mask), json!(mask), json!(mask));
    assert_eq!(sets(&[]), all_three(DEFAULT_CAPABILITIES));
    assert_eq!(sets(&["--cap-drop", "ALL"]), all_three("0000000000000000"));
    assert_eq!(sets(&["--cap-drop", "all", "--cap-add", "chown"]), all_three("0000000000000001"));
    assert_eq!(sets(&["--cap-drop", "CAP_CHOWN", "--cap-add", "NET_RAW"]), all_three("00000000800425fa"));
    refused(run(&lab, &["--cap-add", "SYS_ADMINN"], &["report"]), "SYS_ADMINN");
}

#[test]
fn security_options() {
    let lab = Lab::with_payload();
    let state = |options: &[&str]| {
        let report = report(&lab, options);
        (report["no_new_privs"].clone(), report["seccomp"].clone())
    };
    assert_eq!(state(&[]), (json!("0"), json!("2")));
    assert_eq!(state(&["--security-opt", "no-new-privileges"]), (json!("1"), json!("2")));
    assert_eq!(state(&["--security-opt", "seccomp=unconfined"]), (json!("0"), json!("0")));
    refused(run(&lab, &["--security-opt", "label=type:x"], &["report"]), "`--security-opt`");
}

#[test]
fn paths_of_the_kernel_are_masked_and_unmasked_as_asked() {
    let lab = Lab::with_payload();
    let with = |option: &str, words: &[&str]| run(&lab, &["--security-opt", option], words);
    run(&lab, &[], &["read", "/proc/interrupts"]).prints("");
    for option in ["unmask=ALL", "systempaths=unconfined", "unmask=/proc/inter*:/proc/keys"] {
        assert!(with(option, &["read", "/proc/interrupts"]).text().contains("CPU0"), "{option}");
    }
    let passwd = run(&lab, &[], &["read", "/etc/passwd"]).text();
    assert!(!passwd.is_empty());
    with("mask=/etc/passwd:/not/there", &["read", "/etc/passwd"]).prints("");
    with("mask=/etc", &["list", "/etc"]).prints("");
    let proc = |option: &str| {
        let report = with(option, &["report"]).json();
        let mounts = report["mounts"].as_array().expect("mounts").iter();
        mounts.filter(|mount| mount["path"] == "/proc").map(|mount| mount["super"].to_string()).collect::<String>()
    };
    assert!(proc("proc-opts=hidepid=2").contains("hidepid=invisible"), "{}", proc("proc-opts=hidepid=2"));
    for wrong in ["mask=x", "unmask=x", "systempaths=x", "proc-opts=x"] {
        refused(with(wrong, &["report"]), "`--security-opt`");
    }
    lab.rc(["create", "--name", "box", "--security-opt", "mask=/a:/b", "payload", "/payload"]).run().succeeds();
    assert_eq!(inspect(&lab, "box")["HostConfig"]["SecurityOpt"], json!(["mask=/a:/b"]));
    lab.remove_containers();
}

#[test]
fn limits_are_set_in_the_container_s_cgroup() {
    let lab = Lab::with_payload();
    let limits = ["--memory", "64m", "--cpus", "1.5", "--pids-limit", "33"];
    let read = |file: &str| run(&lab, &limits, &["read", file]);
    let first = read("/sys/fs/cgroup/memory.max");
    if first.exit == Exit::Code(125) {
        // Without delegated controllers the limit is an error that names one (see `cgroups.rs`).
        assert!(first.stderr().contains("the controller `memory`"), "{}", first.stderr());
        return;
    }
    first.prints("67108864\n");
    read("/sys/fs/cgroup/cpu.max").prints("150000 100000\n");
    read("/sys/fs/cgroup/pids.max").prints("33\n");
}

#[test]
fn resource_limits_reach_the_program() {
    let lab = Lab::with_payload();
    let report = report(&lab, &["--ulimit", "nofile=100:200", "--ulimit", "core=0"]);
    let lines: Vec<Vec<&str>> = report["limits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap().split_whitespace().collect())
        .collect();
    assert!(lines.contains(&vec!["Max", "open", "files", "100", "200", "files"]), "{lines:?}");
    assert!(lines.contains(&vec!["Max", "core", "file", "size", "0", "0", "bytes"]), "{lines:?}");
}

#[test]
fn init_is_process_one_and_keeps_the_exit_code() {
    let lab = Lab::with_payload();
    assert_eq!(report(&lab, &[])["pid"], 1);
    let report = report(&lab, &["--init"]);
    assert_ne!(report["pid"], 1);
    assert_eq!(report["ppid"], 1);
    run(&lab, &["--init"], &["exit", "7"]).fails(7, "");
    run(&lab, &["--init"], &["raise", "SIGTERM"]).fails(143, "");
    run(&lab, &["--init"], &["raise", "SIGKILL"]).fails(137, "");
}

#[test]
fn standard_input_is_open_only_when_asked() {
    let lab = Lab::with_payload();
    let cat = |options: &[&str]| {
        lab.rc(["run", "--rm", "--network", "none"])
            .args(options)
            .args(["payload", "/payload", "cat"])
            .input("typed")
            .run()
    };
    cat(&["-i"]).prints("typed");
    cat(&[]).prints("");
    assert_eq!(report(&lab, &["-i"])["tty"], false);
}

#[test]
fn a_terminal_is_the_programs_and_is_left_by_its_keys() {
    let lab = Lab::with_payload();
    let line = [
        "run",
        "-it",
        "--network",
        "none",
        "--name",
        "box",
        "--detach-keys",
        "ctrl-x,x",
        "payload",
        "/payload",
        "report",
    ];
    let terminal = lab.rc(line).start_on_terminal(24, 80);
    let shown = terminal.wait().exits(0).stdout();
    let report: Value = serde_json::from_str(&shown).expect("a report");
    assert_eq!((&report["tty"], &report["env"]["TERM"]), (&json!(true), &json!("xterm")));
    let line = ["run", "-it", "--network", "none", "--detach-keys", "ctrl-x,x", "payload", "/payload", "sleep"];
    let mut terminal = lab.rc(line).start_on_terminal(24, 80);
    terminal.line("ready");
    terminal.send("\u{18}x");
    terminal.wait().succeeds();
    lab.remove_containers();
}

#[test]
fn exit_codes_are_exact() {
    let lab = Lab::with_payload();
    run(&lab, &[], &["exit", "3"]).fails(3, "");
    run(&lab, &[], &["exit", "125"]).fails(125, "");
    let program = |path: &str| lab.rc(["run", "--rm", "--network", "none", "payload", path]).run();
    for (path, code) in [("/nowhere", 127), ("nowhere", 127), ("/etc/passwd", 126), ("/etc", 126)] {
        let output = program(path).exits(code);
        assert!(output.stdout.is_empty() && output.stderr().contains(path), "{output}");
    }
}

#[test]
fn a_signal_is_passed_on() {
    let lab = Lab::with_payload();
    let line = ["run", "--rm", "--network", "none", "payload", "/payload", "signals", "2"];
    let running = lab.rc(line).start();
    running.line("ready");
    running.kill(Signal::USR1);
    running.line("USR1");
    running.kill(Signal::TERM);
    running.line("TERM");
    running.wait().succeeds();
}

/// Values that scripts pass, as docker and podman read them.
#[test]
fn values_are_read_as_docker_and_podman_read_them() {
    let lab = Lab::with_payload();
    let name = "x".repeat(64);
    for options in [
        &["-w", "", "-u", "", "-h", "", "--restart", "", "--stop-signal", "", "--log-driver", "", "--platform", ""][..],
        &["--name", ""],
        &["-u", "0:"],
        &["-h", &name],
        &["-v", "data:/data:cached"],
        &["-p", "8080:80/TCP"],
        &["--ulimit", "memlock=-1:-1", "--ulimit", "host", "--ulimit", "core=0"],
        &["--log-opt", "max-size=1m"],
        &["--shm-size", "64 MB"],
        &["--log-driver", "json-file", "--log-opt", "tag={{.Name}}"],
        &["--pull", "ifnotpresent"],
    ] {
        let output = run(&lab, options, &["exit", "7"]);
        assert!(output.exit == Exit::Code(7), "{options:?}: {output}");
    }
    let memlock = |options: &[&str]| {
        let report = report(&lab, options);
        let lines = report["limits"].as_array().expect("lines").iter();
        let line = lines.filter_map(Value::as_str).find(|line| line.starts_with("Max locked memory")).expect("a line");
        line.split_whitespace().skip(3).take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let most = memlock(&["--ulimit", "host"])[1].clone();
    assert_eq!(memlock(&["--ulimit", "memlock=-1:-1"]), [most.clone(), most]);
}
