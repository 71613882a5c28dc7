//! Every option of `run`, by its effect on the program.

mod mounts;
mod network;
mod privileges;
mod program;

use std::fs;

use serde_json::{Value, json};

use crate::support::{Image, Lab, Output, run, wait};

/// The report of a program that runs with these options.
#[track_caller]
fn report(lab: &Lab, options: &[&str]) -> Value {
    run(lab, options, &["report"]).json()
}

/// One object of `rc inspect`.
#[track_caller]
fn inspect(lab: &Lab, name: &str) -> Value {
    lab.rc(["inspect", name]).run().json()[0].take()
}

/// Loads the payload with a configuration of its own, as `localhost/configured`.
#[track_caller]
fn load(lab: &Lab, config: Value) {
    let archive = lab.work("configured.tar");
    fs::write(&archive, Image::payload().config(config).oci_archive("localhost/configured:latest"))
        .expect("an archive can be written");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
}

/// Asserts exit code 125, no output, and an error that contains `text`.
#[track_caller]
fn refused(output: Output, text: &str) {
    let output = output.exits(125);
    assert!(output.stdout.is_empty() && output.stderr().contains(text), "{output}");
}

#[test]
fn labels_are_the_images_and_the_callers() {
    let lab = Lab::with_payload();
    load(&lab, json!({ "Labels": { "a": "image", "b": "image" } }));
    fs::write(lab.work("labels"), "c=file\n").unwrap();
    lab.rc(["create", "--name", "box", "-l", "b=asked", "--label-file", "labels", "configured", "/payload"])
        .run()
        .succeeds();
    assert_eq!(inspect(&lab, "box")["Config"]["Labels"], json!({ "a": "image", "b": "asked", "c": "file" }));
    lab.remove_containers();
}

#[test]
fn a_name_is_taken_once_unless_replaced() {
    let lab = Lab::with_payload();
    let create = |options: &[&str]| {
        lab.rc(["create", "--name", "box"]).args(options).args(["payload", "/payload", "sleep"]).run()
    };
    let first = create(&[]).text();
    refused(create(&[]), "box");
    let second = create(&["--replace"]).text();
    assert_ne!(first, second);
    assert_eq!(inspect(&lab, "box")["Id"], json!(second));
    for words in [
        &["run", "--replace"][..],
        &["run", "--explain", "--replace"],
        &["run", "--pod", "new:q", "--network", "none", "--replace"],
        &["create", "--replace", "--name", ""],
    ] {
        let said = lab.rc(words.iter().copied()).args(["payload", "/payload", "sleep"]).run().exits(125).stderr();
        assert!(said.contains("cannot replace container without --name being set"), "{words:?}: {said}");
    }
    lab.rc(["pod", "ps", "-q"]).run().prints("");
    for wrong in ["..", "-rf", "a/b", "a\nb"] {
        refused(lab.rc(["create", "--name", wrong, "payload", "/payload"]).run(), "name");
    }
    lab.remove_containers();
}

#[test]
fn the_id_is_written_to_a_new_file() {
    let lab = Lab::with_payload();
    let create = || lab.rc(["create", "--cidfile", "id", "payload", "/payload"]).run();
    let id = create().text();
    assert_eq!(fs::read_to_string(lab.work("id")).unwrap().trim_end(), id);
    refused(create(), "id");
    lab.remove_containers();
}

#[test]
fn stop_sends_the_signal_that_was_asked_for_and_waits_as_long() {
    let lab = Lab::with_payload();
    let start = |name: &str, options: &[&str], words: &[&str]| {
        lab.rc(["run", "-d", "--network", "none", "--name", name])
            .args(options)
            .args(["payload", "/payload"])
            .args(words)
            .run()
            .succeeds();
        wait::until("the program is ready", || {
            lab.rc(["logs", name]).run().stdout().starts_with("ready").then_some(())
        });
    };
    start("polite", &["--stop-signal", "USR1"], &["signals", "1"]);
    lab.rc(["stop", "polite"]).run().succeeds();
    let log = lab.rc(["logs", "polite"]).run().stdout();
    assert!(log.contains("USR1"), "{log}");
    start("stubborn", &["--stop-timeout", "0"], &["stubborn"]);
    lab.rc(["stop", "stubborn"]).run().succeeds();
    assert_eq!(inspect(&lab, "stubborn")["State"]["ExitCode"], 137);
    assert_eq!(inspect(&lab, "polite")["Config"]["StopSignal"], "SIGUSR1");
    lab.remove_containers();
}

#[test]
fn an_image_that_may_not_be_fetched_is_missing() {
    let lab = Lab::new();
    let line = ["run", "--rm", "--pull", "never", "localhost/nowhere:latest", "true"];
    refused(lab.rc(line).run(), "localhost/nowhere:latest");
    refused(lab.rc(["run", "--pull", "sometimes", "x"]).run(), "sometimes");
}

#[test]
fn a_detached_container_prints_its_id_and_is_removed_at_its_end() {
    let lab = Lab::with_payload();
    let line = ["run", "-d", "--rm", "--network", "none", "payload", "/payload", "sleep"];
    let id = lab.rc(line).run().text();
    assert_eq!(id.len(), 64);
    lab.rc(["stop", &id]).run().succeeds();
    wait::until("the container is removed", || (!lab.container(&id).exists()).then_some(()));
}

#[test]
fn options_that_rc_has_not_are_refused() {
    let lab = Lab::new();
    for option in ["--cpu-rt-runtime=1", "--cpu-rt-period=1"] {
        let output = lab.rc(["run", "--rm", option, "payload", "true"]).run();
        refused(output, option.split('=').next().unwrap_or(option));
    }
}
