//! Devices that files of vendors describe (`--device VENDOR/CLASS=NAME`, `--gpus`).

use std::fs;

use serde_json::json;

use crate::support::Lab;

#[test]
fn a_described_device_comes_with_its_files_and_variables() {
    let lab = Lab::new();
    lab.payload();
    let config = lab.work("config");
    fs::create_dir_all(config.join("cdi")).expect("a directory can be created");
    let library = lab.work("library.so");
    fs::write(&library, "library\n").expect("a file can be written");
    let file = |kind: &str| {
        json!({ "cdiVersion": "0.6.0", "kind": kind, "devices": [
            { "name": "all", "containerEdits": {
                "deviceNodes": [{ "path": "/dev/card", "hostPath": "/dev/null" }],
                "env": ["CARDS=all"],
                "mounts": [{ "hostPath": library, "containerPath": "/usr/lib/library.so", "options": ["ro"] }] } },
            { "name": "hooked", "containerEdits": { "hooks": [{ "hookName": "x", "path": "/bin/false" }] } } ] })
        .to_string()
    };
    fs::write(config.join("cdi/a.json"), file("vendor.com/card")).expect("a file can be written");
    fs::write(config.join("cdi/b.json"), file("nvidia.com/gpu")).expect("a file can be written");
    fs::write(config.join("cdi/c.json"), "no description").expect("a file can be written");
    let run = |options: &[&str], words: &[&str]| {
        let line = ["run", "--rm", "--network", "none"];
        let command = lab.rc(line).args(options).args(["payload", "/payload"]).args(words);
        command.env("XDG_CONFIG_HOME", &config).run()
    };
    for options in [&["--device", "vendor.com/card=all"], &["--gpus", "all"]] {
        let report = run(options, &["report"]).json();
        assert_eq!(report["env"]["CARDS"], "all");
        run(options, &["read", "/usr/lib/library.so"]).prints("library\n");
        run(options, &["write", "/dev/card", "x"]).succeeds();
        drop(run(options, &["write", "/usr/lib/library.so", "x"]).exits(99));
    }
    let warned = run(&["--device", "vendor.com/card=hooked"], &["exit", "0"]).exits(0);
    assert!(warned.stderr().contains("has hooks"), "{warned}");
    for option in ["--device=vendor.com/card=none", "--gpus=7"] {
        let refused = run(&[option], &["exit", "0"]).exits(125);
        assert!(refused.stderr().contains("no file in /etc/cdi"), "{refused}");
    }
}
