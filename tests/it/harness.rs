//! The tests' own tools work: otherwise a leak would go unnoticed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::support::{Lab, Signal, wait};

/// The message of the closure's panic.
fn complaint(work: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(work)).expect_err("it ought to panic");
    payload.downcast_ref::<String>().cloned().unwrap_or_default()
}

#[test]
fn a_command_has_only_the_lab_s_environment() {
    let lab = Lab::new();
    let report = lab.program(Lab::payload_path(), ["report"]).env("EXTRA", "1").run().json();
    let names: Vec<&String> = report["env"].as_object().expect("an object").keys().collect();
    let expected = [
        "EXTRA",
        "HOME",
        "LANG",
        "PATH",
        "TZ",
        "USER",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_RUNTIME_DIR",
    ];
    assert_eq!(names, expected);
    assert_eq!(report["umask"], "0022");
    assert_eq!(report["cwd"], lab.work("").to_string_lossy().trim_end_matches('/'));
}

#[test]
fn exit_codes_signals_and_streams_are_told_apart() {
    let lab = Lab::new();
    lab.program(Lab::payload_path(), ["exit", "7"]).run().fails(7, "");
    lab.program(Lab::payload_path(), ["echo", "out"]).run().prints("out\n");
    lab.program(Lab::payload_path(), ["complain", "oh"]).run().is(0, "", "oh\n");
    lab.program(Lab::payload_path(), ["cat"]).input("a\0b").run().prints("a\0b");
    let sleeper = lab.program(Lab::payload_path(), ["hang"]).start();
    sleeper.line("ready");
    sleeper.kill(Signal::KILL);
    assert_eq!(sleeper.wait().exit, crate::support::Exit::Signal(9));
}

#[test]
fn a_deadline_names_the_processes_that_hang() {
    let lab = Lab::new();
    let late = lab.program(Lab::payload_path(), ["hang"]).deadline(Duration::from_millis(300)).start();
    late.line("ready");
    wait::until("the process to sleep", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", late.pid())).expect("it lives");
        status.contains("\nState:\tS").then_some(())
    });
    let message = complaint(|| late.wait().says_nothing());
    assert!(message.contains("`payload hang` did not end within 300ms"), "{message}");
    assert!(message.contains("payload hang] state S (sleeping)"), "{message}");
    // This test ignores the hanging process; the next test is about noticing it.
    let mut supervisors = lab.supervisors();
    supervisors.iter_mut().for_each(crate::support::command::Supervisor::end);
}

#[test]
fn a_process_that_is_left_behind_fails_the_test() {
    let mut lab = Lab::new();
    lab.grace = Duration::from_secs(1);
    let script = lab.script("daemon", "#!/bin/sh\nsetsid \"$1\" hang >/dev/null 2>&1 &\n");
    lab.program(script, [Lab::payload_path()]).run().says_nothing();
    let root = lab.root().to_owned();
    let message = complaint(|| drop(lab));
    assert!(message.contains("process beneath `daemon "), "{message}");
    assert!(message.contains("payload hang] state "), "{message}");
    assert!(!root.exists(), "the lab's directory is removed all the same");
}

#[test]
fn a_file_that_is_left_in_the_store_fails_the_test() {
    let lab = Lab::new();
    let directory = lab.store().join("tmp");
    std::fs::create_dir_all(&directory).expect("a directory can be made");
    std::fs::write(directory.join("half"), "made").expect("a file can be written");
    let message = complaint(|| drop(lab));
    assert!(message.contains(&format!("file: {}/half", directory.display())), "{message}");
}

#[test]
fn a_terminal_has_a_size_and_is_the_command_s_own() {
    let lab = Lab::new();
    let terminal = lab.program(Lab::payload_path(), ["sizes"]).start_on_terminal(30, 100);
    terminal.line("30 100");
    terminal.resize(40, 120);
    terminal.line("40 120");
    terminal.running.kill(Signal::KILL);
    assert_eq!(terminal.wait().stdout(), "30 100\r\n40 120\r\n");
}
