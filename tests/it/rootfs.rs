//! `--rootfs`: a directory of the host instead of an image.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::support::{Lab, Output};

/// A directory with the payload, two users and a file.
fn root(lab: &Lab) -> PathBuf {
    let root = lab.work("root");
    for directory in ["etc", "srv"] {
        fs::create_dir_all(root.join(directory)).expect("a directory");
    }
    fs::copy(Lab::payload_path(), root.join("payload")).expect("the payload");
    fs::set_permissions(root.join("payload"), fs::Permissions::from_mode(0o755)).expect("a mode");
    fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/payload\nweb:x:33:33::/srv:/payload\n").expect("a file");
    fs::write(root.join("srv/file"), "of the host\n").expect("a file");
    root
}

fn run(lab: &Lab, root: &str, words: &[&str]) -> Output {
    lab.rc(["run", "--rm", "--network", "none", "--rootfs", root, "/payload"]).args(words).run()
}

#[test]
fn a_directory_is_the_root_filesystem_and_the_container_writes_to_it() {
    let lab = Lab::new();
    let root = root(&lab);
    let path = root.to_str().expect("a path");
    run(&lab, path, &["read", "/srv/file"]).prints("of the host\n");
    run(&lab, path, &["write", "/srv/new", "from inside"]).says_nothing();
    assert_eq!(fs::read_to_string(root.join("srv/new")).expect("a file"), "from inside\n");
    // A relative path begins at the working directory, and `--read-only` protects it.
    let words = ["run", "--rm", "--network", "none", "--read-only", "--rootfs", "root"];
    let output = lab.rc(words).args(["/payload", "write", "/srv/no", "x"]).directory(lab.work("")).run();
    assert!(output.exits(99).stderr().contains("Read-only"), "it can be written");
    // Its users are known.
    let report = lab.rc(["run", "--rm", "--network", "none", "--user", "0", "--rootfs", path]);
    report.args(["/payload", "echo", "root"]).run().prints("root\n");
}

#[test]
fn an_overlay_keeps_the_directory_as_it_is() {
    only!(Full | Root);
    let lab = Lab::new();
    let root = root(&lab);
    let overlaid = format!("{}:O", root.display());
    let words = ["run", "--name", "c", "--network", "none", "--rootfs", &overlaid];
    lab.rc(words).args(["/payload", "write", "/srv/new", "kept"]).run().says_nothing();
    assert!(!root.join("srv/new").exists());
    lab.rc(["diff", "c"]).run().prints("C /srv\nA /srv/new\n");
    lab.rc(["cp", "c:/srv/new", "-"]).run().succeeds();
    // It is there at the next start.
    lab.rc(["start", "-a", "c"]).run().says_nothing();
    let object = lab.rc(["inspect", "c"]).run().json()[0].clone();
    assert_eq!(
        (&object["Rootfs"], &object["Image"], &object["ImageName"]),
        (&root.to_str().into(), &"".into(), &"".into())
    );
    lab.rc(["ps", "-a", "--format", "{{.Names}} [{{.Image}}] [{{.ImageID}}]"]).run().prints("c [] []\n");
    let output = lab.rc(["commit", "c", "image"]).run().exits(125);
    assert!(output.stderr().contains("container `c` has no image"), "{output}");
    lab.rc(["rm", "c"]).run().prints("c\n");
    assert!(root.join("srv/file").exists());
}

#[test]
fn containers_with_a_directory_are_started_copied_exported_and_removed_as_any_other() {
    let lab = Lab::new();
    let root = root(&lab);
    let path = root.to_str().expect("a path");
    lab.rc(["create", "--name", "c", "--network", "none", "--expose", "80", "--rootfs", path, "/payload", "hang"])
        .run()
        .succeeds();
    lab.rc(["start", "c"]).run().prints("c\n");
    lab.rc(["exec", "c", "/payload", "read", "/srv/file"]).run().prints("of the host\n");
    lab.rc(["stop", "-t", "0", "c"]).run().succeeds();
    fs::write(lab.work("given"), "given\n").expect("a file");
    lab.rc(["cp"]).arg(lab.work("given")).arg("c:/srv").run().succeeds();
    assert_eq!(fs::read_to_string(root.join("srv/given")).expect("a file"), "given\n");
    let archive = lab.rc(["export", "c"]).run().exits(0).stdout;
    assert!(archive.windows(8).any(|bytes| bytes == b"srv/file"));
    let output = lab.rc(["diff", "c"]).run().exits(125);
    assert!(output.stderr().contains("writes to the directory of --rootfs"), "{output}");
    lab.rc(["why", "c"]).run().succeeds();
    lab.rc(["system", "check"]).run().succeeds();
    lab.rc(["system", "df", "-v"]).run().succeeds();
    lab.rc(["rm", "c"]).run().prints("c\n");
    assert!(root.join("payload").exists());
}

#[test]
fn ids_of_the_container_s_own_change_nothing_of_the_directory() {
    only!(Full | Root);
    let lab = Lab::new();
    let root = root(&lab);
    let path = root.to_str().expect("a path");
    for mode in ["keep-id", "nomap"] {
        let words = ["run", "--rm", "--network", "none", "--userns", mode, "--rootfs", path];
        lab.rc(words).args(["/payload", "read", "/srv/file"]).run().prints("of the host\n");
    }
}

#[test]
fn what_cannot_be_a_root_filesystem_is_refused() {
    let lab = Lab::new();
    let root = root(&lab);
    let path = root.to_str().expect("a path");
    for (root, words) in [
        (format!("{path}/none"), "no such file or directory"),
        (format!("{path}/payload"), "is not a directory"),
        (format!("{path}:idmap"), "only root may map the IDs"),
        (":O".to_owned(), "must be a path"),
    ] {
        let output = run(&lab, &root, &["exit", "0"]).exits(125);
        assert!(output.stderr().contains(words), "{root}: {output}");
    }
    let output = lab.rc(["run", "--rm", "--rootfs", path]).run().exits(125);
    assert!(output.stderr().contains("`--rootfs` needs a command"), "{output}");
    lab.rc(["ps", "-aq"]).run().prints("");
}
