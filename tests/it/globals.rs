//! Global options.

use std::fs;

use serde_json::Value;

use crate::support::Lab;

/// The objects on standard error.
fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[test]
fn errors_and_warnings_are_json_on_request() {
    let lab = Lab::new();
    let json = |words: &[&str]| lab.rc(["--error-format", "json"]).args(words).run();
    let output = json(&["rmi", "ghost:1"]).exits(1);
    let said = objects(&output.stderr());
    assert_eq!(said.len(), 1, "{output}");
    assert_eq!(said[0]["version"], 1);
    assert_eq!(said[0]["level"], "error");
    assert_eq!(said[0]["message"], "no such image: ghost:1");
    assert_eq!(said[0]["kind"], serde_json::json!({ "not-found": "image" }));
    // Also what is wrong with the command line itself, and whatever is in it.
    let said = objects(&json(&["rnu"]).exits(125).stderr());
    assert_eq!(said[0]["message"], "rc has no command `rnu`");
    assert_eq!(said[0]["hint"], "the nearest is `rc run`; `rc --help` lists all");
    let said = objects(&json(&["inspect", "a\u{1b}[2J\u{202e}"]).exits(125).stderr());
    assert_eq!(said[0]["message"], "no such object: a\\u{1b}[2J\\u{202e}");
    let said = objects(&json(&["system", "migrate"]).exits(0).stderr());
    assert_eq!(said[0]["level"], "note");
    lab.rc(["--error-format", "xml", "ps"]).run().fails(
        125,
        "rc: `--error-format`: invalid value `xml`: must be one of text, json\n\
         hint: `rc ps --help` lists its options\n",
    );
}

#[test]
fn the_log_level_says_whether_warnings_are_printed() {
    let lab = Lab::with_payload();
    let broken = lab.store().join("containers").join("0".repeat(64));
    fs::create_dir_all(&broken).expect("a directory can be made");
    fs::write(broken.join("config.json"), "{").expect("a file can be written");
    let ps = |globals: &[&str]| lab.rc(globals).args(["ps", "-q", "-a"]).run().exits(0).stderr();
    for globals in [&[][..], &["--log-level", "info"], &["--debug"], &["-D", "-l", "warn"], &["--log-level=trace"]] {
        assert!(ps(globals).starts_with("rc: warning: "), "{globals:?}");
    }
    for globals in [&["--log-level", "error"][..], &["--log-level=fatal"], &["-l", "panic"], &["-lerror"]] {
        assert_eq!(ps(globals), "", "{globals:?}");
    }
    fs::remove_dir_all(&broken).expect("a directory can be removed");
}

#[test]
fn directories_and_drivers_are_chosen_before_the_command() {
    let lab = Lab::with_payload();
    let [root, run, config] = ["other", "state", "docker"].map(|name| lab.work(name));
    let globals = || lab.rc(["--root"]).arg(&root).arg("--runroot").arg(&run);
    globals().args(["images", "-q"]).run().says_nothing();
    lab.rc(["--runroot"])
        .arg(&run)
        .args(["run", "--rm", "--network", "none", "payload", "/payload", "exit", "0"])
        .run()
        .says_nothing();
    assert!(run.join("userns").is_dir());
    let info = lab.rc(["--storage-driver", "overlay", "info", "--format", "json"]).run().json();
    assert_eq!(info["settings"]["storage.driver"]["origin"], "--storage-driver", "{info}");
    let output = lab.rc(["--storage-driver", "vfs", "ps"]).run().exits(125);
    assert!(output.stderr().contains("must be auto, overlay or fuse-overlayfs"), "{output}");
    // As the runner of GitHub's actions calls it.
    fs::create_dir(&config).expect("a directory can be made");
    let auth = r#"{"auths":{"h.example":{"auth":"bWU6c2VjcmV0"}}}"#;
    fs::write(config.join("config.json"), auth).expect("a file can be written");
    let login = |words: &[&str]| lab.rc(["--config"]).arg(&config).args(words).arg("h.example").run();
    login(&["login", "--get-login"]).prints("me\n");
    login(&["logout"]).prints("Removed login credentials for h.example\n");
    login(&["login", "--get-login"]).fails(125, "rc: not logged in to `h.example`\n");
    for globals in ["--context default", "--events-backend file", "--context=default"] {
        lab.rc(globals.split(' ')).args(["ps", "-q"]).run().says_nothing();
    }
}

#[test]
fn what_rc_does_not_have_is_refused_with_the_reason() {
    let lab = Lab::new();
    for (words, message) in [
        ("--runtime crun ps", "rc: `rc` has no option `--runtime`\nhint: rc starts containers itself\n"),
        ("--host unix:///x ps", "rc: `rc` has no option `--host`\nhint: rc has no daemon that could be elsewhere\n"),
        ("--remote ps", "rc: `rc` has no option `--remote`\nhint: rc works on this host alone\n"),
        (
            "--context other ps",
            "rc: `--context`: invalid value `other`: must be one of default\nhint: `rc ps --help` lists its options\n",
        ),
        (
            "pull --decryption-key k x",
            "rc: `rc pull` has no option `--decryption-key`\n\
             hint: rc does not decrypt images: decrypt one with `skopeo copy --decryption-key`\n",
        ),
    ] {
        lab.rc(words.split(' ')).run().fails(125, message);
    }
}

#[test]
fn help_lists_every_command_once_by_what_it_is_for() {
    let lab = Lab::new();
    let help = lab.rc(["--help"]).run().text();
    let (commands, options) = help.split_once("\nOptions:\n").expect("a list of options");
    assert!(options.contains("--error-format"), "{help}");
    for heading in ["Run:", "Look:", "Images:", "Groups:", "System:"] {
        assert!(commands.contains(&format!("\n\n{heading}\n")), "{heading}: {help}");
    }
    let names: Vec<&str> = commands
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    for name in ["run", "ps", "pull", "volume", "doctor"] {
        assert_eq!(names.iter().filter(|known| **known == name).count(), 1, "{name}: {help}");
    }
    assert!(!names.contains(&"request"), "{help}");
    lab.rc(["--version", ""]).run().succeeds();
    for words in ["help", "help --help", "--log-level error help -h"] {
        assert_eq!(lab.rc(words.split(' ')).run().text(), help, "{words}");
    }
    assert!(lab.rc(["help", "run"]).run().text().contains("--publish"));
}
