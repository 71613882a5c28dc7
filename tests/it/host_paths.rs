//! Paths of the host that are not UTF-8: a working directory, or a store, with a name in Latin-1.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use crate::support::Lab;

#[test]
fn a_directory_with_a_name_in_latin_1_is_as_good_as_any() {
    let lab = Lab::new();
    let directory = lab.work(OsStr::from_bytes(b"caf\xe9"));
    fs::create_dir_all(directory.join("shared")).expect("a directory can be made");
    fs::write(directory.join("shared/file"), "here\n").expect("a file can be written");
    fs::write(directory.join("vars"), "A=1\n").expect("a file can be written");
    // The store is there as well the second time.
    for data in [lab.root().join("data"), directory.join("data")] {
        let rc = |words: &[&str]| lab.rc(words).directory(&directory).env("XDG_DATA_HOME", &data);
        let archive = lab.work("payload.tar");
        if !archive.exists() {
            lab.payload();
        }
        rc(&["import", "-q"]).arg(&archive).arg("payload").run().succeeds();
        let options = "run -d --name web --network none --cidfile id --pidfile pid --conmon-pidfile monitor \
                       --env-file vars -v ./shared:/data -v named:/named payload /payload sleep";
        let words: Vec<&str> = options.split_whitespace().collect();
        let id = rc(&words).run().text();
        assert_eq!(fs::read_to_string(directory.join("id")).expect("the file of the ID"), id);
        for file in ["pid", "monitor"] {
            let pid = fs::read_to_string(directory.join(file)).expect("a pid file");
            assert!(pid.trim().parse::<u32>().is_ok(), "{file}: {pid}");
        }
        rc(&["exec", "web", "/payload", "read", "/data/file"]).run().prints("here\n");
        let seen = rc(&["inspect", "--type", "container", "web"]).run().json();
        let mounts = seen[0]["Mounts"].as_array().expect("mounts");
        let source = |mount: &serde_json::Value| mount["Source"].as_str().expect("a source").to_owned();
        assert!(mounts.iter().map(source).any(|source| source.ends_with("/caf\u{fffd}/shared")), "{mounts:?}");
        rc(&["ps", "--filter", "name=web", "--format", "{{.Names}}"]).run().prints("web\n");
        for words in [&["info"][..], &["images"], &["logs", "web"], &["doctor"]] {
            let output = rc(words).run();
            assert!(!output.stderr().contains("panicked"), "{output}");
        }
        rc(&["restart", "-t", "1", "web"]).run().prints("web\n");
        rc(&["rm", "-f", "--cidfile", "id"]).run().prints(format!("{id}\n"));
        rc(&["rmi", "-f", "payload"]).run().succeeds();
        fs::remove_file(directory.join("id")).expect("the file can be removed");
    }
}

#[test]
fn an_argument_that_is_a_path_may_be_any_bytes() {
    let lab = Lab::with_payload();
    // The shell makes the byte of the word: the tests' own commands take text.
    let rc = |words: &str| {
        let script = format!("exec \"$0\" {}", words.replace('é', "$'\\xe9'"));
        lab.program("/bin/bash", ["-c", &script]).arg(Lab::rc_path()).run()
    };
    let refused = |what: &str| format!("rc: the argument `{what}` is not UTF-8\n");
    rc("save -q payload -o café").succeeds();
    rc("load -q -i café").succeeds();
    fs::remove_file(lab.work(OsStr::from_bytes(b"caf\xe9"))).expect("the archive can be removed");
    rc("--root café ps -a -q").prints("");
    // Text stays text: a name, or what a container keeps.
    rc("inspect café").fails(125, refused("caf\u{fffd}"));
    rc("run --env-file=é payload").fails(125, refused("--env-file=\u{fffd}"));
}
