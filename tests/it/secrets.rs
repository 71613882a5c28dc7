//! Secrets: what a program gets of them, and that their values are nowhere else.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Lab, Set};

/// No other test has it.
const VALUE: &str = "correct-horse-battery-staple";

#[track_caller]
fn create(lab: &Lab, name: &str) -> String {
    lab.rc(["secret", "create", name, "-"]).input(VALUE).run().text()
}

/// The files beneath that contain the value. Those of other users cannot be read, and are not rc's.
fn with_value(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => with_value(&path, found),
            Ok(kind) if kind.is_file() => {
                let bytes = fs::read(&path).unwrap_or_default();
                if bytes.windows(VALUE.len()).any(|part| part == VALUE.as_bytes()) {
                    found.push(path);
                }
            }
            _ => {}
        }
    }
}

/// The processes, by name, whose command line or environment has the value.
fn processes_with_value() -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let read = |name: &str| fs::read(entry.path().join(name)).unwrap_or_default();
        let has = |bytes: &[u8]| bytes.windows(VALUE.len()).any(|part| part == VALUE.as_bytes());
        if has(&read("cmdline")) || has(&read("environ")) {
            found.push(String::from_utf8_lossy(&read("comm")).trim().to_owned());
        }
    }
    found
}

#[test]
fn a_program_gets_files_and_variables_and_nobody_else_the_value() {
    let lab = Lab::with_payload();
    create(&lab, "key");
    let run = ["run", "-d", "--name", "web", "--network", "none", "--secret", "key"];
    lab.rc(run)
        .args(["--secret", "key,target=/etc/app/key,mode=0400", "--secret", "key,type=env,target=KEY"])
        .args(["-e", "KEY=other", "payload", "/payload", "sleep"])
        .run()
        .succeeds();
    lab.ready("web");
    let exec = |words: &[&str]| lab.rc(["exec", "web", "/payload"]).args(words).run();
    exec(&["read", "/run/secrets/key"]).prints(VALUE);
    exec(&["read", "/etc/app/key"]).prints(VALUE);
    assert_eq!(exec(&["report"]).json()["env"]["KEY"], VALUE);
    let tree = exec(&["tree", "/run/secrets"]).text();
    assert!(tree.contains("444"), "{tree}");
    let refused = exec(&["write", "/run/secrets/key", "x"]).exits(99);
    assert!(refused.stderr().contains("Read-only file system"), "{refused}");
    // The program's own environment has it; nothing of rc's, and no file but the secret itself.
    assert_eq!(processes_with_value(), ["payload"]);
    let mut files = Vec::new();
    with_value(lab.root(), &mut files);
    assert_eq!(files, [lab.store().join("secrets/key/secret")]);
    for words in [&["inspect", "web"][..], &["logs", "web"], &["ps", "-a", "--no-trunc"], &["events", "--no-stream"]] {
        assert!(!lab.rc(words).run().text().contains(VALUE), "{words:?}");
    }
    let shown = lab.rc(["inspect", "--format", "{{json .Config.Secrets}}", "web"]).run().json();
    assert_eq!((&shown[0]["Name"], &shown[1]["Mode"], &shown[2]["Name"]), (&json!("key"), &json!(256), &json!("key")));
    lab.rc(["commit", "-q", "web", "copy"]).run().succeeds();
    lab.rc(["export", "-o"]).arg(lab.work("all.tar")).arg("web").run().succeeds();
    with_value(lab.root(), &mut files);
    assert_eq!(files.len(), 2, "the secret itself, twice: {files:?}");
    lab.remove_containers();
}

#[test]
fn the_value_is_that_of_the_start_and_a_missing_secret_is_an_error() {
    let lab = Lab::with_payload();
    create(&lab, "key");
    lab.rc(["create", "--name", "job", "--network", "none", "--secret", "key", "payload", "/payload", "read"])
        .arg("/run/secrets/key")
        .run()
        .succeeds();
    lab.rc(["start", "-a", "job"]).run().prints(VALUE);
    lab.rc(["secret", "create", "--replace", "key", "-"]).input("new").run().succeeds();
    lab.rc(["start", "-a", "job"]).run().prints("new");
    lab.rc(["secret", "rm", "key"]).run().succeeds();
    let missing = "rc: no such secret: key\nhint: create it with `rc secret create key FILE`\n";
    lab.rc(["start", "-a", "job"]).run().fails(125, missing);
    lab.rc(["run", "--rm", "--secret", "key", "payload", "/payload"]).run().fails(125, "rc: no such secret: key\n");
    lab.remove_containers();
}

#[test]
fn owners_are_the_container_s() {
    let lab = Lab::with_payload();
    create(&lab, "key");
    let run = ["run", "--rm", "--network", "none", "--secret", "key,uid=7,gid=8,mode=0640"];
    let tree = lab.rc(run).args(["payload", "/payload", "tree", "/run/secrets"]).run();
    if Set::current() == Set::One {
        assert!(tree.exits(125).stderr().contains("cannot have another owner"));
    } else {
        let text = tree.text();
        assert!(text.contains("640") && text.contains("7:8"), "{text}");
    }
}

#[test]
fn secrets_are_listed_inspected_and_removed() {
    let lab = Lab::with_payload();
    fs::write(lab.work("file"), VALUE).expect("written");
    let id = lab.rc(["secret", "create", "--label", "a=b,c=d", "one"]).arg(lab.work("file")).run().text();
    assert!(id.len() == 25 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    lab.rc(["secret", "create", "--env", "two", "MY_VALUE"]).env("MY_VALUE", "x").run().succeeds();
    lab.rc(["secret", "ls", "--format", "{{.Name}} {{.Driver}}"]).run().prints("one file\ntwo file\n");
    lab.rc(["secret", "ls", "-q", "--filter", "name=on"]).run().prints(format!("{id}\n"));
    lab.rc(["secret", "ls", "-n", "-q", "--filter", "label=a=c"]).run().says_nothing();
    lab.rc(["secret", "exists", &id[..6]]).run().says_nothing();
    lab.rc(["secret", "exists", "three"]).run().is(1, "", "");
    let shown = lab.rc(["secret", "inspect", "one"]).run().json();
    assert_eq!((&shown[0]["ID"], &shown[0]["Spec"]["Name"]), (&json!(id), &json!("one")));
    assert_eq!((&shown[0]["Spec"]["Labels"]["c"], &shown[0]["SecretData"]), (&json!("d"), &json!(null)));
    let shown = lab.rc(["secret", "inspect", "--showsecret", "one"]).run().json();
    assert_eq!(shown[0]["SecretData"], VALUE);
    let pretty = lab.rc(["secret", "inspect", "--pretty", "one"]).run().text();
    assert!(
        pretty.contains("Name:            one") && pretty.contains(" - a=b") && !pretty.contains(VALUE),
        "{pretty}"
    );
    let taken = "rc: the secret `one` already exists\nhint: use --replace to give it another value\n";
    lab.rc(["secret", "create", "one", "-"]).input("y").run().fails(125, taken);
    lab.rc(["secret", "create", "--ignore", "one", "-"]).input("y").run().prints(format!("{id}\n"));
    for (words, message) in [
        (&["--driver", "pass", "x", "-"][..], "rc: the secret driver `pass` is not supported\n"),
        (&["--driver-opts", "a=b", "x", "-"], "rc: --driver-opts is not supported: the driver `file` has no options\n"),
        (&["--env", "x", "NO_SUCH_VALUE"], "rc: the environment variable `NO_SUCH_VALUE` is not set\n"),
        (&["x", "-"], "rc: the secret `x` has 0 bytes: it must have 1 to 512000\n"),
        (&["a b", "-"], "rc: name `a b` must match [a-zA-Z0-9][a-zA-Z0-9_.-]*\n"),
    ] {
        let refused = lab.rc(["secret", "create"]).args(words).input("").run().exits(125);
        assert!(refused.stderr().starts_with(message), "{refused}");
    }
    lab.rc(["secret", "rm", "three"]).run().fails(125, "rc: no such secret: three\n");
    lab.rc(["secret", "rm", "--ignore", "three", "two"]).run().succeeds();
    // Of one that cannot be read any more nothing is left, either.
    lab.rc(["secret", "create", "lost", "-"]).input("x").run().succeeds();
    fs::write(lab.store().join("secrets/lost/secret"), "{").expect("written");
    assert!(lab.rc(["secret", "inspect", "lost"]).run().exits(125).stderr().contains("secrets/lost/secret"));
    lab.rc(["secret", "rm", "lost"]).run().prints("lost\n");
    lab.rc(["secret", "rm", "lost"]).run().fails(125, "rc: no such secret: lost\n");
    lab.rc(["secret", "rm", "--all"]).run().prints(format!("{id}\n"));
    lab.rc(["secret", "ls", "-q"]).run().says_nothing();
    let told = ["events", "--no-stream", "--filter", "type=secret", "--format", "{{.Status}} {{.Name}}"];
    lab.rc(told).run().prints("create one\ncreate two\nremove two\ncreate lost\nremove one\n");
}
