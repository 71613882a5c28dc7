//! `rc cp`: both ways, between containers, as an archive; and against containers that put links in its way.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use crate::support::{Image, Lab, Layer};

/// A lab with an image that has files, and a container of it, which runs or not.
fn lab(running: bool, options: &[&str]) -> Lab {
    let lab = Lab::new();
    let layer = Layer::new()
        .directory("etc/", 0o755)
        .file("etc/passwd", 0o644, b"root:x:0:0::/:\napp:x:5:6::/:\n")
        .directory("dir/", 0o755)
        .file("dir/file", 0o640, b"of the image\n")
        .symlink("dir/link", "file")
        .symlink("abs", "/dir/file")
        .symlink("away", "/dir")
        .symlink("dangling", "/dir/new")
        .bytes();
    let archive = Image::payload().layer(layer).oci_archive("localhost/files:latest");
    lab.rc(["load"]).input(archive).run().succeeds();
    create(&lab, "c", options);
    if running {
        lab.rc(["start", "c"]).run().succeeds();
        lab.ready("c");
    }
    fs::write(lab.work("file"), "of the host\n").expect("made");
    fs::create_dir_all(lab.work("tree/inner")).expect("made");
    fs::write(lab.work("tree/inner/deep"), "deep\n").expect("made");
    std::os::unix::fs::symlink("inner/deep", lab.work("tree/link")).expect("made");
    lab
}

fn create(lab: &Lab, name: &str, options: &[&str]) {
    let before = ["create", "--name", name, "--network", "none"];
    let words = before.iter().chain(options).copied().chain(["files", "/payload", "sleep"]);
    lab.rc(words).run().succeeds();
}

/// Copies in the directory of the test.
fn cp(lab: &Lab, words: &[&str]) -> crate::support::Output {
    lab.rc(["cp"]).args(words).directory(lab.work("")).run()
}

/// What a container of the same files would read.
fn inside(lab: &Lab, path: &str) -> String {
    lab.rc(["cp", "-L", &format!("c:{path}"), "-"]).run().exits(0).stdout().replace('\0', "")
}

#[test]
fn files_and_directories_go_where_docker_puts_them_whether_the_container_runs_or_not() {
    for running in [false, true] {
        let lab = lab(running, &[]);
        for (words, path, text) in [
            (["file", "c:/dir"], "/dir/file", "of the host"),
            (["file", "c:/dir/new"], "/dir/new", "of the host"),
            (["file", "c:dir/new2"], "/dir/new2", "of the host"),
            (["tree", "c:/fresh"], "/fresh/inner/deep", "deep"),
            (["tree", "c:/dir"], "/dir/tree/inner/deep", "deep"),
            (["tree/", "c:/dir/tree"], "/dir/tree/tree/inner/deep", "deep"),
            (["tree/.", "c:/dir"], "/dir/inner/deep", "deep"),
            (["tree/.", "c:/fresh2/"], "/fresh2/inner/deep", "deep"),
            (["tree/link", "c:/dir/copied"], "/dir/copied", "inner/deep"),
        ] {
            cp(&lab, &words).is(0, "", "");
            let archive = lab.rc(["cp", &format!("c:{path}"), "-"]).run().exits(0).stdout();
            assert!(archive.contains(text), "{words:?} {running}");
        }
        for (words, path, text) in [
            (["c:/dir/file", "out"], "out", "of the host\n"),
            (["c:/dir/file", "tree"], "tree/file", "of the host\n"),
            (["c:/dir/file", "file"], "file", "of the host\n"),
            (["c:/fresh", "got"], "got/inner/deep", "deep\n"),
            (["c:/fresh", "tree"], "tree/fresh/inner/deep", "deep\n"),
            (["c:/fresh/.", "tree"], "tree/inner/deep", "deep\n"),
            (["c:/fresh/.", "got2/"], "got2/inner/deep", "deep\n"),
            (["c:/away/", "got3"], "got3/new", "of the host\n"),
        ] {
            cp(&lab, &words).is(0, "", "");
            assert_eq!(fs::read_to_string(lab.work(path)).unwrap(), text, "{words:?} {running}");
        }
        let made = fs::metadata(lab.work("out")).unwrap();
        assert_eq!(made.uid(), rustix::process::getuid().as_raw());
        lab.remove_containers();
    }
}

#[test]
fn links_are_copied_as_links_unless_they_are_followed() {
    for running in [false, true] {
        let lab = lab(running, &[]);
        cp(&lab, &["c:/abs", "link"]).is(0, "", "");
        assert_eq!(fs::read_link(lab.work("link")).unwrap().to_str(), Some("/dir/file"));
        cp(&lab, &["-L", "c:/abs", "followed"]).is(0, "", "");
        assert_eq!(fs::read_to_string(lab.work("followed")).unwrap(), "of the image\n");
        // A destination is followed, also to a file that does not exist.
        cp(&lab, &["file", "c:/dangling"]).is(0, "", "");
        assert!(inside(&lab, "/dir/new").contains("of the host"));
        cp(&lab, &["file", "c:/away"]).is(0, "", "");
        assert!(inside(&lab, "/dir/file").contains("of the host"));
        cp(&lab, &["-L", "tree/link", "c:/dir/followed"]).is(0, "", "");
        assert!(inside(&lab, "/dir/followed").contains("deep"));
        std::os::unix::fs::symlink("tree", lab.work("to")).unwrap();
        cp(&lab, &["c:/dir/file", "to"]).is(0, "", "");
        assert!(lab.work("tree/file").exists());
        lab.remove_containers();
    }
}

#[test]
fn what_cannot_be_copied_is_named_and_changes_nothing() {
    let lab = lab(true, &[]);
    for (words, message) in [
        (&["c:/none", "out"][..], "cannot find `/none` in container `c`: no such file or directory"),
        (&["none", "c:/dir"], "cannot find `"),
        (&["file", "c:/none/x"], "cannot find `/none/x` in container `c`"),
        (&["file", "c:/none/"], "the directory does not exist"),
        (&["file", "c:/dir/file/"], "it is not a directory"),
        (&["tree", "c:/dir/file"], "a directory cannot be copied to a file"),
        (&["c:/dir", "file"], "a directory cannot be copied to a file"),
        (&["c:/dir/file", "none/"], "the directory does not exist"),
        (&["c:/dir/file/", "out"], "it is not a directory"),
        (&["file", "out"], "one of the two paths must be in a container"),
        (&["-", "-"], "one of the two paths must be in a container"),
        (&["ghost:/x", "out"], "no such container: ghost"),
        (&["c:", "out"], "the path in the container is missing"),
        (&["c:/x"], "DESTINATION"),
        (&["file", "c:/proc/x"], "cannot create `/proc/x`"),
    ] {
        let output = lab.rc(["cp"]).args(words).directory(lab.work("")).input("").run().exits(125);
        assert!(output.stderr().contains(message), "{words:?}: {output}");
    }
    assert!(!lab.work("out").exists() && !lab.work("none").exists());
    fs::create_dir(lab.work("closed")).unwrap();
    fs::write(lab.work("closed/file"), "").unwrap();
    fs::set_permissions(lab.work("closed/file"), fs::Permissions::from_mode(0o0)).unwrap();
    // Root reads every file.
    if !rustix::process::getuid().is_root() {
        let refused = cp(&lab, &["closed", "c:/dir"]).exits(125).stderr();
        assert!(refused.contains("cannot open `closed/file`: permission denied"), "{refused}");
    }
    let answer = lab.rc(["cp", "-", "c:/dir"]).input("no archive").run().exits(125).stderr();
    assert!(answer.contains("archive"), "{answer}");
    let answer = lab.rc(["cp", "-", "c:/dir/file"]).input("").run().exits(125).stderr();
    assert!(answer.contains("a directory that exists"), "{answer}");
    lab.remove_containers();
}

#[test]
fn a_directory_and_a_file_replace_each_other_only_when_asked() {
    let lab = lab(true, &[]);
    fs::create_dir_all(lab.work("over/dir")).unwrap();
    fs::create_dir(lab.work("over/dir/file")).unwrap();
    let refused = cp(&lab, &["over/.", "c:/"]).exits(125).stderr();
    assert!(refused.contains("which is not a directory") && refused.contains("--overwrite"), "{refused}");
    assert!(inside(&lab, "/dir/file").contains("of the image"));
    cp(&lab, &["--overwrite", "over/.", "c:/"]).is(0, "", "");
    cp(&lab, &["c:/dir", "got"]).is(0, "", "");
    assert!(lab.work("got/file").is_dir());
    lab.remove_containers();
}

#[test]
fn an_archive_comes_from_standard_input_and_goes_to_standard_output() {
    for running in [false, true] {
        let lab = lab(running, &[]);
        let archive = Layer::new().directory("a/", 0o755).file("a/b", 0o600, b"packed\n").bytes();
        lab.rc(["cp", "-", "c:/dir"]).input(archive.clone()).run().says_nothing();
        assert!(inside(&lab, "/dir/a/b").contains("packed"));
        let packed = crate::support::image::gzip(&archive);
        lab.rc(["cp", "-", "c:/fresh"]).input(packed.clone()).run().exits(125).stderr();
        lab.rc(["cp", "-", "c:/"]).input(packed).run().says_nothing();
        let archive = lab.rc(["cp", "c:/a", "-"]).run().exits(0).stdout;
        let names = |archive: Vec<u8>| lab.program("tar", ["-tf", "-"]).input(archive).run().text();
        assert_eq!(names(archive), "a/\na/b");
        let archive = lab.rc(["cp", "c:/a/.", "-"]).run().exits(0).stdout;
        assert_eq!(names(archive), "./\n./b");
        lab.remove_containers();
    }
}

#[test]
fn files_are_copied_into_volumes_and_tmpfs_of_a_container_and_into_volumes_of_one_that_does_not_run() {
    let options = ["-v", "data:/v", "--tmpfs", "/t"];
    for running in [false, true] {
        let lab = lab(running, &options);
        cp(&lab, &["file", "c:/v/file"]).is(0, "", "");
        assert!(inside(&lab, "/v/file").contains("of the host"));
        if running {
            cp(&lab, &["file", "c:/t/file"]).is(0, "", "");
            lab.rc(["exec", "c", "/payload", "read", "/t/file"]).run().prints("of the host\n");
            cp(&lab, &["c:/t/file", "got"]).is(0, "", "");
        }
        let read = ["run", "--rm", "--network", "none", "-v", "data:/w", "files", "/payload", "read", "/w/file"];
        lab.rc(read).run().prints("of the host\n");
        lab.remove_containers();
        lab.rc(["volume", "rm", "data"]).run().succeeds();
    }
}

#[test]
fn files_go_from_one_container_to_another_and_within_one() {
    for running in [false, true] {
        let lab = lab(running, &[]);
        create(&lab, "other", &[]);
        cp(&lab, &["c:/dir", "other:/copied"]).is(0, "", "");
        cp(&lab, &["other:/copied", "got"]).is(0, "", "");
        assert_eq!(fs::read_to_string(lab.work("got/file")).unwrap(), "of the image\n");
        cp(&lab, &["c:/dir", "c:/dir/again"]).is(0, "", "");
        assert!(inside(&lab, "/dir/again/file").contains("of the image"));
        lab.remove_containers();
    }
}

#[test]
fn files_in_a_container_belong_to_the_user_of_its_program() {
    let map = Lab::new().rc(["unshare", "cat", "/proc/self/uid_map"]).run().text();
    if map.split_whitespace().last() == Some("1") {
        // There is no other user.
        return;
    }
    let lab = lab(true, &["--user", "app"]);
    cp(&lab, &["file", "c:/dir/mine"]).is(0, "", "");
    cp(&lab, &["-a=false", "file", "c:/dir/roots"]).is(0, "", "");
    let owners = lab.rc(["exec", "--user", "0", "c", "/payload", "tree", "/dir"]).run().text();
    let line = |name: &str| owners.lines().find(|line| line.contains(name)).unwrap_or_default().to_owned();
    assert!(line("mine").contains("5:6") || line("mine").contains("0:0"), "{owners}");
    assert!(line("roots").contains("0:0"), "{owners}");
    lab.remove_containers();
}

#[test]
fn v1_a_container_that_exchanges_a_directory_for_a_link_meanwhile_reaches_nothing_of_the_host() {
    let lab = lab(true, &[]);
    fs::create_dir(lab.work("outside")).unwrap();
    fs::write(lab.work("outside/deep"), "canary\n").unwrap();
    let outside = lab.work("outside").display().to_string();
    lab.rc(["exec", "c", "/payload", "plant", "link", "/trap", &outside]).run().succeeds();
    cp(&lab, &["tree", "c:/real"]).is(0, "", "");
    cp(&lab, &["tree/inner", "c:/real/outside"]).is(0, "", "");
    lab.rc(["exec", "-d", "c", "/payload", "swap", "/real", "/trap"]).run().exits(0).stdout();
    for _ in 0..40 {
        // Each may fail or not, as the container has it.
        drop(cp(&lab, &["tree/inner/.", "c:/real"]));
        drop(cp(&lab, &["c:/real/.", "got"]));
        drop(cp(&lab, &["-L", "c:/trap/deep", "got2"]));
    }
    let names: Vec<_> = fs::read_dir(lab.work("outside")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(names, ["deep"]);
    assert_eq!(fs::read_to_string(lab.work("outside/deep")).unwrap(), "canary\n");
    for got in ["got/deep", "got2"] {
        assert!(!fs::read_to_string(lab.work(got)).unwrap_or_default().contains("canary"), "{got}");
    }
    lab.remove_containers();
}

#[test]
fn v3_no_archive_of_a_container_leads_out_of_the_destination() {
    let lab = lab(true, &[]);
    fs::create_dir(lab.work("outside")).unwrap();
    fs::create_dir(lab.work("to")).unwrap();
    let outside = lab.work("outside").display().to_string();
    // What the container's file is copied over is a link of the user's own.
    std::os::unix::fs::symlink(&outside, lab.work("to/dir")).unwrap();
    let refused = cp(&lab, &["c:/dir", "to"]).exits(125).stderr();
    assert!(refused.contains("which is not a directory"), "{refused}");
    cp(&lab, &["--overwrite", "c:/dir", "to"]).is(0, "", "");
    assert_eq!(fs::read_dir(lab.work("outside")).unwrap().count(), 0);
    assert!(lab.work("to/dir/file").exists());
    // A name or link of an archive that a container gets leads to nothing of the host.
    let hostile = Layer::new().symlink("out", &outside).file("out/x", 0o644, b"x").file("../../x", 0o644, b"x").bytes();
    drop(lab.rc(["cp", "-", "c:/dir"]).input(hostile).run());
    assert_eq!(fs::read_dir(lab.work("outside")).unwrap().count(), 0);
    lab.remove_containers();
}

#[test]
fn files_of_the_kernel_are_copied_whatever_size_they_seem_to_have() {
    let lab = lab(true, &[]);
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("an ID");
    cp(&lab, &["c:/proc/sys/kernel/random/boot_id", "boot_id"]).is(0, "", "");
    assert_eq!(fs::read_to_string(lab.work("boot_id")).expect("a file"), boot_id);
    assert!(inside(&lab, "/proc/sys/kernel/ostype").contains("Linux\n"));
    cp(&lab, &["c:/proc/sys/kernel/random", "random"]).is(0, "", "");
    assert_eq!(fs::read_to_string(lab.work("random/boot_id")).expect("a file"), boot_id);
    // 4096 bytes, says stat(2).
    let uevent = "/sys/kernel/uevent_seqnum";
    if std::path::Path::new(uevent).exists() {
        cp(&lab, &[&format!("c:{uevent}"), "number"]).is(0, "", "");
        let copied = fs::read_to_string(lab.work("number")).expect("a file");
        assert!(copied.trim_end().parse::<u64>().is_ok(), "{copied:?}");
    }
    lab.remove_containers();
}
