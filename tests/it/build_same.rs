//! The same files and the same configuration as `buildah build`, path by path, for a set of Dockerfiles.
//!
//! Where the two differ, the case says so with the reason: rc follows BuildKit's reference there. A difference that is
//! not stated fails the test, and so does one that is stated and is none.

mod cases;
mod tree;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, XattrFlags, setxattr, utimensat};

use self::cases::{ARCHIVES, CONFIGURATIONS, COPIES, Case, EVERYWHERE, PLACES, STEPS};
use self::tree::Found;
use crate::support::image::gzip;
use crate::support::{Exit, Image, Lab, Layer, Output};

/// The time of everything in the context: 2 February 2020.
const TIME: i64 = 1_580_601_600;

/// An image with busybox, and with files to copy over: `localhost/base`.
fn base(lab: &Lab) -> Vec<u8> {
    let busybox = fs::read("/bin/busybox").expect("busybox-static is installed");
    let mut layer = Layer::new().directory("bin/", 0o755).file("bin/busybox", 0o755, &busybox);
    for tool in ["sh", "cat", "chmod", "chown", "echo", "id", "ln", "mkdir", "mkfifo", "mv", "rm", "touch", "true"] {
        layer = layer.symlink(&format!("bin/{tool}"), "busybox");
    }
    // What only a running container has is there, so that neither tool needs to make it.
    for directory in ["dev/", "etc/", "proc/", "run/", "run/secrets/", "run/lock/", "sys/", "usr/", "usr/lib/"] {
        layer = layer.directory(directory, 0o755);
    }
    let layer = layer
        .file("etc/passwd", 0o644, b"root:x:0:0::/root:/bin/sh\nweb:x:33:34::/:/bin/sh\n")
        .file("etc/group", 0o644, b"root:x:0:\nweb:x:34:\nstaff:x:50:\n")
        .file("etc/hosts", 0o644, b"")
        .file("etc/resolv.conf", 0o644, b"")
        .file("etc/hostname", 0o644, b"")
        .directory("tmp/", 0o1777)
        .symlink("lib", "usr/lib")
        .directory("old/", 0o755)
        .file("old/file", 0o600, b"of the base")
        .symlink("old/link", "file")
        .directory("old/sub/", 0o711)
        .file("old/sub/deep", 0o644, b"deep")
        .owner(33, 34)
        .directory("home/", 0o700)
        .file("home/own", 0o640, b"of web")
        .bytes();
    let config = serde_json::json!({
        "Env": ["PATH=/bin", "OF=base"], "Cmd": ["sh"], "Labels": { "of": "base" }, "WorkingDir": "/",
    });
    let archive = Image::new().layer(layer).config(config).oci_archive("localhost/base:latest");
    lab.rc(["load", "-q"]).input(&archive[..]).run().exits(0).stdout();
    archive
}

/// Files of every kind, with modes, links, attributes and one time.
fn context(lab: &Lab) {
    let at = |name: &str| lab.work("context").join(name);
    for directory in ["d/sub", "links", "empty", "sticky", "docs/inner", "hard"] {
        fs::create_dir_all(at(directory)).expect("made");
    }
    for (name, mode) in [
        ("a", 0o644),
        ("x", 0o755),
        ("private", 0o400),
        ("group", 0o664),
        ("setuid", 0o4755),
        ("with space", 0o644),
        ("größe", 0o644),
        ("d/one", 0o644),
        ("d/two", 0o600),
        ("d/sub/three", 0o755),
        ("docs/a.md", 0o644),
        ("docs/b.txt", 0o644),
        ("docs/inner/c.md", 0o644),
        ("docs/inner/keep.md", 0o644),
        ("hard/first", 0o644),
        ("sticky/file", 0o644),
    ] {
        fs::write(at(name), format!("this is {name}\n")).expect("written");
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).expect("set");
    }
    fs::hard_link(at("hard/first"), at("hard/second")).expect("linked");
    for (target, name) in
        [("a", "link"), ("../a", "links/up"), ("/etc/passwd", "links/absolute"), ("nowhere", "links/dangling")]
    {
        symlink(target, at(name)).expect("linked");
    }
    for (name, mode) in [("d", 0o750), ("sticky", 0o1777), ("empty", 0o700), ("docs/inner", 0o2755)] {
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).expect("set");
    }
    setxattr(at("x"), "user.note", b"kept", XattrFlags::empty()).expect("set");
    let inner = Layer::new()
        .owner(33, 34)
        .directory("inside/", 0o751)
        .file("inside/file", 0o644, b"from the archive")
        .symlink("inside/link", "file")
        .link("inside/hard", "inside/file")
        .bytes();
    fs::write(at("archive.tar"), &inner).expect("written");
    fs::write(at("archive.tgz"), gzip(&inner)).expect("written");
    for program in ["xz", "bzip2"] {
        let packed = lab.program(program, ["-kf", "archive.tar"]).directory(at("")).run();
        packed.exits(0).stdout();
    }
    age(&at(""));
}

/// Sets the time of everything in a directory, and its own.
fn age(directory: &Path) {
    for entry in fs::read_dir(directory).expect("reads").flatten() {
        if entry.file_type().expect("a type").is_dir() {
            age(&entry.path());
        }
        set_time(&entry.path());
    }
    set_time(directory);
}

fn set_time(path: &Path) {
    let time = Timespec { tv_sec: TIME, tv_nsec: 0 };
    let times = Timestamps { last_access: time, last_modification: time };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).expect("set");
}

/// Builds all cases with both, and compares.
fn compare(cases: &[Case]) {
    only!(Full);
    require!(program "buildah");
    let lab = Lab::new();
    let archive = base(&lab);
    fs::write(lab.work("base.tar"), archive).expect("written");
    // Debian's package only recommends the one that has the system's policy.
    let policy = lab.root().join("home/.config/containers");
    fs::create_dir_all(&policy).expect("made");
    let text = r#"{"default":[{"type":"insecureAcceptAnything"}]}"#;
    fs::write(policy.join("policy.json"), text).expect("written");
    let pull = ["pull", "-q", &format!("oci-archive:{}", lab.work("base.tar").display())];
    // Copying all files takes three times as long, but works on every filesystem.
    let is_overlay = Buildah { lab: &lab, driver: "overlay" }.run(&pull).exit == Exit::Code(0);
    let buildah = Buildah { lab: &lab, driver: if is_overlay { "overlay" } else { "vfs" } };
    if !is_overlay {
        buildah.run(&pull).succeeds();
    }
    context(&lab);
    let wrong: Vec<String> = cases.iter().flat_map(|case| differences(&lab, &buildah, case)).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// What differs and is not stated, and what is stated and does not differ.
fn differences(lab: &Lab, buildah: &Buildah<'_>, case: &Case) -> Vec<String> {
    let (file, ignore) = (lab.work("Dockerfile"), lab.work("ignore"));
    fs::write(&file, format!("FROM localhost/base AS first\n{}", case.dockerfile)).expect("written");
    fs::write(&ignore, case.ignore).expect("written");
    let paths = [file, ignore, lab.work("context")].map(|path| path.display().to_string());
    let [file, ignore, context] = paths.each_ref().map(String::as_str);
    let words = [&["-q", "-f", file, "--ignorefile", ignore][..], case.words, &[context]].concat();
    lab.rc(["build", "-t", "localhost/made"]).args(&words).run().exits(0).stdout();
    let ours = lab.rc(["save", "--format", "oci-archive", "localhost/made"]).run().exits(0).stdout;
    let archive = lab.work("made.tar");
    drop(fs::remove_file(&archive));
    let name = format!("oci-archive:{}:made", archive.display());
    let own = ["build", "--isolation=chroot", "--layers=false", "--identity-label=false", "-t", &name];
    buildah.run(&[&own[..], &words].concat()).succeeds();
    let theirs = fs::read(&archive).expect("an archive");
    let (ours, theirs) = (Found::read(&ours), Found::read(&theirs).without_marks());
    let found = ours.differences(&theirs);
    let is_stated = |what: &str| EVERYWHERE.iter().chain(case.differs).any(|(stated, _)| *stated == what);
    let mut wrong: Vec<String> = found
        .iter()
        .filter(|(what, _)| !is_stated(what))
        .map(|(what, how)| format!("{}: {what}: {how}", case.dockerfile.escape_debug()))
        .collect();
    for (stated, why) in case.differs {
        if !found.contains_key(*stated) {
            wrong.push(format!("{}: {stated} is the same now: {why}", case.dockerfile.escape_debug()));
        }
    }
    wrong
}

/// buildah, whose storage and temporary files are in the lab.
struct Buildah<'lab> {
    lab: &'lab Lab,
    driver: &'static str,
}

impl Buildah<'_> {
    fn run(&self, words: &[&str]) -> Output {
        let temporary = self.lab.root().join("cache");
        self.lab.program("buildah", words).env("STORAGE_DRIVER", self.driver).env("TMPDIR", temporary).run()
    }
}

#[test]
fn what_copy_takes_is_where_buildah_puts_it() {
    compare(COPIES);
}

#[test]
fn what_copy_replaces_is_as_buildah_leaves_it() {
    compare(PLACES);
}

#[test]
fn archives_and_stages_are_as_buildah_has_them() {
    compare(ARCHIVES);
}

#[test]
fn what_run_leaves_is_in_both() {
    compare(STEPS);
}

#[test]
fn configurations_are_as_buildah_writes_them() {
    compare(CONFIGURATIONS);
}
