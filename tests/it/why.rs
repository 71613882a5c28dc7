//! `why`: the reasons that rc finds in its records and in a container's files.

use serde_json::Value;

use crate::support::image::{Image, Layer};
use crate::support::{Lab, port, wait};

/// The kind and the message of the first cause.
#[track_caller]
fn first(lab: &Lab, name: &str) -> (String, String) {
    let object = lab.rc(["why", "--json", name]).run().json();
    let cause: &Value = &object[0]["Causes"][0];
    let text = |key: &str| cause[key].as_str().unwrap_or_default().to_owned();
    (text("Kind"), text("Message"))
}

/// An ELF file for `machine` that needs a loader and a library.
fn program(machine: u16, loader: &[u8], library: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 0x400];
    let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
    put(0, b"\x7fELF\x02\x01\x01");
    put(16, &[2, 0]);
    put(18, &machine.to_le_bytes());
    put(32, &64_u64.to_le_bytes());
    put(54, &[56, 0, 3, 0]);
    for (index, (kind, offset, size)) in [(1_u32, 0_u64, 0x400_u64), (3, 0x200, 32), (2, 0x280, 64)].iter().enumerate()
    {
        let at = 64 + index * 56;
        put(at, &kind.to_le_bytes());
        put(at + 8, &offset.to_le_bytes());
        put(at + 16, &offset.to_le_bytes());
        put(at + 32, &size.to_le_bytes());
    }
    put(0x200, loader);
    for (index, (tag, value)) in [(1_u64, 1_u64), (5, 0x300), (0, 0)].iter().enumerate() {
        put(0x280 + index * 16, &tag.to_le_bytes());
        put(0x288 + index * 16, &value.to_le_bytes());
    }
    put(0x301, library);
    bytes
}

#[test]
fn programs_that_cannot_be_run_show_why() {
    let lab = Lab::new();
    let machine = if std::env::consts::ARCH == "x86_64" { (62, 183) } else { (183, 62) };
    let layer = Layer::new()
        .directory("bin", 0o755)
        .directory("lib", 0o755)
        .file("lib/ld.so", 0o755, b"x")
        .file("bin/plain", 0o644, b"#!/bin/true\n")
        .file("bin/windows", 0o755, b"#!/bin/true\r\nexit\r\n")
        .file("bin/python", 0o755, b"#!/usr/bin/python3 -u\n")
        .file("bin/text", 0o755, b"hello\n")
        .file("bin/empty", 0o755, b"")
        .file("bin/foreign", 0o755, &program(machine.1, b"/lib/ld.so\0", b"libx.so\0"))
        .file("bin/musl", 0o755, &program(machine.0, b"/lib/ld-musl-x86_64.so.1\0", b"libx.so\0"))
        .file("bin/library", 0o755, &program(machine.0, b"/lib/ld.so\0", b"libx.so.1\0"))
        .symlink("bin/outside", "/proc/self/exe");
    let image = Image::payload().layer(layer.bytes()).oci_archive("broken");
    std::fs::write(lab.work("broken.tar"), image).expect("the image can be written");
    lab.rc(["load", "-q", "-i"]).arg(lab.work("broken.tar")).run().succeeds();
    for (program, kind, message) in [
        ("/bin/plain", "not-executable", "`/bin/plain` may not be executed"),
        (
            "/bin/windows",
            "carriage-return",
            "the first line of `/bin/windows` ends with a carriage return, as on Windows",
        ),
        ("/bin/python", "missing-interpreter", "`/bin/python` needs the interpreter `/usr/bin/python3`, which "),
        ("/bin/text", "no-program", "`/bin/text` is neither a program for Linux nor a script that begins with `#!`"),
        ("/bin/empty", "no-program", "`/bin/empty` is empty"),
        ("/bin", "no-program", "`/bin` is a directory"),
        ("/bin/foreign", "wrong-architecture", "`/bin/foreign` is for "),
        ("/bin/musl", "missing-interpreter", "`/bin/musl` needs the loader `/lib/ld-musl-x86_64.so.1`, which "),
        ("/bin/library", "missing-library", "`/bin/library` needs the library `libx.so.1`, which the container does"),
        ("/bin/outside", "missing-program", "the container has no file `/bin/outside`"),
        ("/bin/absent", "missing-program", "the container has no file `/bin/absent`"),
        ("absent", "missing-program", "no directory of the container's PATH ("),
    ] {
        lab.rc(["create", "--name", "web", "--network", "none", "broken", program]).run().succeeds();
        let found = first(&lab, "web");
        assert!(found.0 == kind && found.1.starts_with(message), "{program}: {found:?}");
        lab.remove_containers();
    }
    let failed = lab.rc(["run", "--name", "web", "--network", "none", "broken", "/bin/windows"]).run().exits(127);
    let hint = "hint: the first line of `/bin/windows` ends with a carriage return, as on Windows\n";
    assert!(failed.stderr().ends_with(hint), "{failed}");
    lab.remove_containers();
}

#[test]
fn ends_are_explained() {
    let lab = Lab::with_payload();
    let run = |options: &[&str], words: &[&str]| {
        let run = lab.rc(["run", "--name", "web", "--network", "none"]).args(options);
        drop(run.args(["payload", "/payload"]).args(words).run());
    };
    run(&[], &["exit", "0"]);
    assert_eq!(first(&lab, "web").0, "exited");
    lab.remove_containers();
    run(&[], &["exit", "3"]);
    let text = lab.rc(["why", "web"]).run().text();
    assert!(text.starts_with("web: Exited (3) ") && text.contains("with exit code 3\n  hint: "), "{text}");
    lab.remove_containers();
    run(&["--init"], &["raise", "SIGSEGV"]);
    assert_eq!(
        first(&lab, "web"),
        ("signal".to_owned(), "its program crashed: SIGSEGV, an invalid access to memory".to_owned())
    );
    lab.remove_containers();
    run(&["-d"], &["sleep"]);
    lab.ready("web");
    lab.rc(["stop", "web"]).run().succeeds();
    assert_eq!(first(&lab, "web"), ("stopped".to_owned(), "you have stopped it".to_owned()));
    lab.remove_containers();
    run(&["-d", "--restart", "always"], &["exit", "1"]);
    wait::until("a loop", || {
        let object = lab.rc(["why", "--json", "web"]).run().json();
        let causes = object[0]["Causes"].as_array().cloned().unwrap_or_default();
        causes.iter().any(|cause| cause["Kind"] == "restart-loop").then_some(())
    });
    lab.remove_containers();
    let check = r#"--health-cmd=["/payload", "complain", "no luck"]"#;
    run(&["-d", check, "--health-retries=1", "--health-interval=disable"], &["sleep"]);
    assert!(lab.rc(["why", "web"]).run().text().lines().count() == 1, "nothing is wrong");
    lab.remove_containers();
    let check = r#"--health-cmd=["/payload", "no", "luck"]"#;
    run(&["-d", check, "--health-retries=1", "--health-interval=disable"], &["sleep"]);
    lab.rc(["healthcheck", "run", "web"]).run().is(1, "unhealthy\n", "");
    assert_eq!(first(&lab, "web").1, "its health check has failed once: payload: no luck: no such part");
    lab.remove_containers();
    run(&["-d", check, "--health-retries=1", "--health-interval=disable", "--health-on-failure=kill"], &["sleep"]);
    drop(lab.rc(["healthcheck", "run", "web"]).run());
    lab.rc(["wait", "web"]).run().succeeds();
    let object = lab.rc(["why", "--json", "web"]).run().json();
    let causes = object[0]["Causes"].as_array().cloned().unwrap_or_default();
    assert!(causes.len() == 1 && causes[0]["Kind"] == "unhealthy", "{causes:?}");
    lab.remove_containers();
    lab.rc(["why", "nobody"]).run().fails(125, "rc: no such container: nobody\n");
}

#[test]
fn a_start_that_fails_is_explained_until_one_succeeds() {
    let lab = Lab::with_payload();
    let error =
        || lab.rc(["inspect", "-f", "{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}", "web"]).run().text();
    let source = lab.work("mounted");
    std::fs::create_dir_all(&source).expect("made");
    let mount = format!("{}:/mounted", source.display());
    let run = lab.rc(["run", "-d", "--name", "web", "--network", "none", "-v", &mount, "payload", "/payload", "sleep"]);
    run.run().succeeds();
    lab.ready("web");
    lab.rc(["stop", "web"]).run().succeeds();
    let before = error();
    std::fs::remove_dir(&source).expect("removed");
    for words in [["start", "web"], ["restart", "web"]] {
        let stderr = lab.rc(words).run().exits(125).stderr();
        let reason = format!("cannot bind `{}` on `/mounted`: no such file or directory", source.display());
        assert!(stderr.starts_with(&format!("rc: {reason}\n")), "{stderr}");
        assert_eq!(error(), format!("{} {reason}", before.trim_end()));
        assert_eq!(first(&lab, "web"), ("start-failed".to_owned(), format!("its last start has failed: {reason}")));
    }
    std::fs::create_dir_all(&source).expect("made");
    lab.rc(["start", "web"]).run().succeeds();
    lab.ready("web");
    lab.rc(["stop", "web"]).run().succeeds();
    assert_eq!((error(), first(&lab, "web").0), (before, "stopped".to_owned()));
    lab.remove_containers();
    let program = ["--network", "none", "payload", "/absent"];
    lab.rc(["run", "--name", "web"]).args(program).run().exits(127).stderr();
    assert_eq!(error(), "created 0 cannot run `/absent`: no such file or directory");
    // What is wrong with its files is said better.
    assert_eq!(first(&lab, "web").0, "missing-program");
    lab.remove_containers();
}

#[test]
fn a_port_that_another_program_has_is_named() {
    let lab = Lab::with_payload();
    let port = port::take(1);
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("a port");
    lab.rc(["create", "--name", "web", "-p"])
        .arg(format!("127.0.0.1:{port}:80"))
        .args(["payload", "/payload"])
        .run()
        .succeeds();
    let expected = format!("port {port}/tcp of the host is in use by another program");
    assert_eq!(first(&lab, "web"), ("port-taken".to_owned(), expected));
    drop(listener);
    // A program that another test starts has a copy of it until it executes.
    wait::until("the port is free", || (first(&lab, "web").0 == "never-started").then_some(()));
    lab.remove_containers();
}
