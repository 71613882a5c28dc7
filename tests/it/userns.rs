//! `--userns` and its kin: which IDs a container has, whose files it sees, and what users it knows.

use std::fs;
use std::os::unix::fs::MetadataExt;

use serde_json::json;

use crate::support::{Image, Lab, Layer, Output, Set};

const RUN: [&str; 4] = ["run", "--rm", "--network", "none"];

/// What rc puts into every container, and what the kernel shows.
const OWN: [&str; 7] = ["proc", "sys", "dev", "etc/hosts", "etc/hostname", "etc/resolv.conf", "run/.containerenv"];

/// An image with files of several users, in two layers, with everything that layers can have.
fn load(lab: &Lab) {
    let lower = Layer::new()
        .directory("etc", 0o755)
        .file("etc/passwd", 0o644, b"root:x:0:0::/root:/payload\nweb:x:33:33::/srv:/payload")
        .file("etc/group", 0o644, b"root:x:0:\nweb:x:33:\n")
        .directory("srv", 0o751)
        .file("srv/a", 0o4755, b"content\n")
        .link("srv/b", "srv/a")
        .link("srv/c", "srv/a")
        .file("srv/empty", 0o600, b"")
        .file("srv/gone", 0o644, b"gone\n")
        .file("srv/hidden", 0o600, b"hidden\n")
        .symlink("srv/link", "a")
        .directory("opaque", 0o755)
        .file("opaque/below", 0o644, b"below\n")
        .owner(33, 7)
        .file("srv/web", 0o640, b"of the web\n")
        .directory("srv/of-web", 0o2775);
    let upper = Layer::new()
        .directory("srv", 0o751)
        .whiteout("srv/gone")
        .file("srv/a", 0o644, b"another\n")
        .opaque("opaque")
        .file("opaque/above", 0o644, b"above\n");
    let archive = lab.work("image.tar");
    let image = Image::payload().layer(lower.bytes()).layer(upper.bytes());
    fs::write(&archive, image.oci_archive("localhost/image:latest")).expect("an archive can be written");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
}

fn run(lab: &Lab, options: &[&str], words: &[&str]) -> Output {
    lab.rc(RUN).args(options).args(["image", "/payload"]).args(words).run()
}

/// The IDs of the user that runs the tests.
fn own() -> (u32, u32) {
    (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw())
}

fn tree(lab: &Lab, options: &[&str]) -> String {
    let options = [options, &["--user", "0", "--passwd=false"]].concat();
    run(lab, &options, &[&["tree", "/"], &OWN[..]].concat()).text()
}

#[test]
fn a_container_that_keeps_the_id_shows_the_image_s_files_as_any_other() {
    only!(Full | Root);
    let lab = Lab::new();
    load(&lab);
    let usual = tree(&lab, &[]);
    assert!(usual.contains("./srv/web f 0640 33:7"), "{usual}");
    for mode in ["keep-id", "keep-id:uid=33,gid=5", "nomap", "auto"] {
        assert_eq!(tree(&lab, &["--userns", mode]), usual, "{mode}");
    }
    // The second time the layers exist.
    assert_eq!(tree(&lab, &["--userns", "keep-id"]), usual);
    lab.rc(["rmi", "image"]).run().succeeds();
}

#[test]
fn no_content_is_copied_for_other_owners() {
    only!(Full);
    let lab = Lab::new();
    load(&lab);
    run(&lab, &["--userns", "keep-id"], &["exit", "0"]).succeeds();
    let mapped = mapped(&lab);
    assert_eq!(mapped.len(), 1, "{mapped:?}");
    require!(!mapped[0].to_string_lossy().ends_with("+copy"), "the kernel finds no content for a user");
    let layer = fs::read_dir(&mapped[0]).expect("a layer").filter_map(Result::ok).next().expect("one");
    let payload = layer.path().join("fs/payload");
    let found = rustix::fs::stat(&payload).expect("it is there");
    assert!(found.st_size > 1 << 20 && found.st_blocks < 32, "{} blocks", found.st_blocks);
    let mut target = [0; 64];
    let length = rustix::fs::getxattr(&payload, "user.overlay.redirect", &mut target[..]);
    assert!(length == Err(rustix::io::Errno::ACCESS) || length == Ok(8), "{length:?}");
    // It goes with the image.
    lab.rc(["rmi", "image"]).run().succeeds();
    lab.rc(["system", "prune", "-f"]).run().succeeds();
    assert_eq!(fs::read_dir(&mapped[0]).map(Iterator::count).unwrap_or_default(), 0);
}

/// The directories of layers for maps of a container's own.
fn mapped(lab: &Lab) -> Vec<std::path::PathBuf> {
    let layers = fs::read_dir(lab.store().join("layers")).expect("layers");
    let all = layers.filter_map(Result::ok).map(|map| map.path());
    all.filter(|map| map.to_string_lossy().contains('@')).collect()
}

#[test]
fn where_the_kernel_finds_no_content_it_is_copied_and_shown_the_same() {
    only!(Full);
    let lab = Lab::new();
    load(&lab);
    let usual = tree(&lab, &[]);
    let page = lab.work("points");
    // A failure of the mount by which rc tries the kernel is as a kernel that cannot do it. All points before that one
    // fail, too: until it is found.
    let is_copied = |number: &u32| {
        fs::write(&page, [0; 4096]).expect("a page");
        let plan = format!("{number}:eio:{}", page.display());
        let words = ["--userns", "keep-id", "image", "/payload", "exit", "0"];
        drop(lab.rc(RUN).args(words).env("RC_FAILPOINT", plan).run());
        let made = mapped(&lab);
        if made.iter().any(|map| map.to_string_lossy().ends_with("+copy")) {
            return true;
        }
        for map in made {
            lab.rc(["unshare", "rm", "-rf"]).arg(map).run().succeeds();
        }
        false
    };
    let number = (1..200).find(is_copied);
    assert!(number.is_some(), "rc has not tried the kernel");
    assert_eq!(tree(&lab, &["--userns", "keep-id"]), usual);
    assert!(mapped(&lab).iter().all(|map| map.to_string_lossy().ends_with("+copy")), "{:?}", mapped(&lab));
    run(&lab, &["--userns", "keep-id"], &["read", "/srv/a"]).prints("another\n");
    lab.rc(["rm", "-fa"]).run().succeeds();
}

#[test]
fn the_user_keeps_the_id_and_owns_its_files() {
    let lab = Lab::new();
    load(&lab);
    let (uid, gid) = own();
    let shared = lab.work("shared");
    fs::create_dir(&shared).expect("a directory can be created");
    let volume = format!("{}:/shared", shared.display());
    let options = ["--userns", "keep-id", "-v", volume.as_str()];
    let report = run(&lab, &options, &["report"]).json();
    assert_eq!((&report["uids"][0], &report["gids"][0]), (&json!(uid), &json!(gid)));
    run(&lab, &options, &["write", "/shared/file", "from within"]).succeeds();
    let file = fs::metadata(shared.join("file")).expect("it was written");
    assert_eq!((file.uid(), file.gid()), (uid, gid));
    if Set::current() == Set::One {
        return;
    }
    // Other numbers, another user.
    let options = ["--userns", "keep-id:uid=5,gid=6", "-v", volume.as_str()];
    let report = run(&lab, &options, &["report"]).json();
    assert_eq!((&report["uids"][0], &report["gids"][0]), (&json!(5), &json!(6)));
    run(&lab, &options, &["write", "/shared/other", "from within"]).succeeds();
    assert_eq!(fs::metadata(shared.join("other")).expect("it was written").uid(), uid);
    let report = run(&lab, &["--userns", "keep-id", "--user", "web"], &["report"]).json();
    assert_eq!(report["uids"][0], 33);
}

#[test]
fn without_a_map_the_user_s_files_belong_to_nobody() {
    only!(Full | Root);
    let lab = Lab::new();
    load(&lab);
    let shared = lab.work("shared");
    fs::create_dir(&shared).expect("a directory can be created");
    fs::write(shared.join("file"), "of the host\n").expect("a file can be written");
    let volume = format!("{}:/shared", shared.display());
    let options = ["--userns", "nomap", "-v", volume.as_str()];
    run(&lab, &options, &["read", "/shared/file"]).prints("of the host\n");
    run(&lab, &options, &["write", "/shared/file", "x"])
        .fails(99, "payload: write /shared/file x: Permission denied (os error 13)\n");
    // The container's own files are those of its root.
    run(&lab, &["--userns", "nomap"], &["write", "/etc/hosts", "x"]).succeeds();
    run(&lab, &["--userns", "nomap", "-v", "data:/data"], &["write", "/data/file", "x"]).succeeds();
    lab.rc(["volume", "rm", "data"]).run().succeeds();
}

#[test]
fn containers_with_auto_have_ids_of_their_own() {
    only!(Full | Root);
    let lab = Lab::new();
    load(&lab);
    for name in ["first", "second"] {
        let create = ["create", "--network", "none", "--name", name, "--userns", "auto:size=1000", "image"];
        lab.rc(create).args(["/payload", "sleep"]).run().succeeds();
    }
    let map = |name: &str| {
        let format = "{{range .HostConfig.IDMappings.UidMap}}{{.}} {{end}}";
        lab.rc(["inspect", "--format", format, name]).run().text()
    };
    assert_eq!((map("first"), map("second")), ("0:1:1000 ".to_owned(), "0:1001:1000 ".to_owned()));
    let refused = run(&lab, &["--userns", "auto:size=70000"], &["exit", "0"]).exits(125);
    assert!(refused.stderr().contains("no 70000 IDs in a row are left"), "{refused}");
    let refused = run(&lab, &["--userns", "auto:size=20"], &["exit", "0"]).exits(125);
    assert!(refused.stderr().contains("belongs to user 33, who is not in the container's user namespace"), "{refused}");
    assert!(refused.stderr().contains("auto:size=34"), "{refused}");
    lab.remove_containers();
}

#[test]
fn maps_may_be_typed() {
    only!(Full | Root);
    let lab = Lab::new();
    load(&lab);
    let options = ["--uidmap", "0:1:100", "--uidmap", "100:0:1", "--gidmap", "0:0:50"];
    let report = run(&lab, &[&options[..], &["--user", "100:7"]].concat(), &["report"]).json();
    assert_eq!((&report["uids"][0], &report["gids"][0]), (&json!(100), &json!(7)));
    run(&lab, &options, &["read", "/srv/web"]).prints("of the web\n");
    let refused = run(&lab, &["--uidmap", "1:1:100"], &["exit", "0"]).exits(125);
    assert!(refused.stderr().contains("must have ID 0"), "{refused}");
    let refused = run(&lab, &["--uidmap", "0:1:100", "--userns", "keep-id"], &["exit", "0"]).exits(125);
    assert!(refused.stderr().contains("`--userns` and `--uidmap` cannot be used together"), "{refused}");
}

#[test]
fn the_user_has_a_line_and_a_home() {
    let lab = Lab::new();
    load(&lab);
    let (uid, gid) = own();
    if uid == 0 {
        return;
    }
    let passwd = run(&lab, &["--userns", "keep-id", "-w", "/srv"], &["read", "/etc/passwd"]).text();
    let line = passwd.lines().last().unwrap_or_default();
    assert!(line.contains(&format!(":*:{uid}:{gid}:")) && line.ends_with(":/srv:/bin/sh"), "{passwd}");
    assert!(passwd.contains("web:x:33:33::/srv:/payload\n"), "a line without an end gets one: {passwd}");
    let group = run(&lab, &["--userns", "keep-id"], &["read", "/etc/group"]).text();
    assert!(group.lines().last().unwrap_or_default().contains(&format!(":x:{gid}:")), "{group}");
    let entry = "me:x:$UID:$GID:$NAME:/home/me:/payload";
    let options = ["--userns", "keep-id", "--passwd-entry", entry, "--group-entry", "us:x:$GID:"];
    let passwd = run(&lab, &options, &["read", "/etc/passwd"]).text();
    assert!(passwd.lines().last().unwrap_or_default().starts_with(&format!("me:x:{uid}:{gid}:")), "{passwd}");
    assert_eq!(run(&lab, &options, &["report"]).json()["env"]["HOME"], "/home/me");
    let without = run(&lab, &["--userns", "keep-id", "--passwd=false"], &["read", "/etc/passwd"]).text();
    assert!(!without.contains(&uid.to_string()), "{without}");
    // A user who is in the image has one line.
    let twice = run(&lab, &["--hostuser", "root"], &["read", "/etc/passwd"]).text();
    assert_eq!(twice.lines().filter(|line| line.starts_with("root:")).count(), 1);
    let refused = run(&lab, &["--hostuser", "nobody-has-this-name"], &["exit", "0"]).exits(125);
    assert!(refused.stderr().contains("is not a user of the host"), "{refused}");
    // What is mounted there is the host's, and not the image's.
    let own = lab.work("passwd");
    fs::write(&own, "").expect("a file");
    for option in ["", ":ro"] {
        let volume = format!("{}:/etc/passwd{option}", own.display());
        run(&lab, &["--userns", "keep-id", "-v", &volume], &["read", "/etc/passwd"]).prints("");
        assert_eq!(fs::read_to_string(&own).expect("a file"), "");
    }
}

/// The lines of a tree without times.
fn owners(tree: &str) -> Vec<String> {
    tree.lines().map(|line| line.split(" time ").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn copies_exports_and_images_have_the_container_s_ids() {
    only!(Full | Root);
    let lab = Lab::new();
    load(&lab);
    let name = ["--network", "none", "--name", "box", "--userns", "keep-id", "--user", "0", "--passwd=false"];
    lab.rc(["run", "-d"]).args(name).args(["image", "/payload", "sleep"]).run().succeeds();
    lab.rc(["exec", "box", "/payload", "write", "/srv/new", "new"]).run().succeeds();
    let source = lab.work("file");
    fs::write(&source, "copied\n").expect("a file can be written");
    lab.rc(["cp"]).arg(&source).arg("box:/srv/copied").run().succeeds();
    let list = || lab.rc(["exec", "box", "/payload", "tree", "/srv"]).run().text();
    let running = list();
    for line in ["./new f 0644 0:0", "./copied f 0644 0:0", "./web f 0640 33:7"] {
        assert!(running.contains(line), "{line}: {running}");
    }
    lab.rc(["stop", "-t", "0", "box"]).run().succeeds();
    lab.rc(["cp"]).arg(&source).arg("box:/srv/stopped").run().succeeds();
    lab.rc(["commit", "-q", "box", "made"]).run().succeeds();
    lab.rc(["commit", "-q", "-s", "box", "squashed"]).run().succeeds();
    lab.rc(["start", "box"]).run().succeeds();
    let after = list();
    assert!(after.contains("./stopped f 0644 0:0"), "{after}");
    for image in ["made", "squashed"] {
        let made = lab.rc(RUN).args(["--user", "0", image, "/payload", "tree", "/srv"]).run().text();
        assert_eq!(owners(&made), owners(&after), "{image}");
    }
    let diff = lab.rc(["diff", "box"]).run().text();
    assert_eq!(diff, "C /srv\nA /srv/copied\nA /srv/new\nA /srv/stopped");
    lab.remove_containers();
}

#[test]
fn with_one_id_the_cure_is_named() {
    only!(One);
    let lab = Lab::new();
    load(&lab);
    for mode in ["nomap", "auto"] {
        let refused = run(&lab, &["--userns", mode], &["exit", "0"]).exits(125);
        assert!(refused.stderr().contains("`--userns` needs more than one ID: `/etc/sub"), "{refused}");
    }
    let refused = run(&lab, &["--uidmap", "0:1:5"], &["exit", "0"]).exits(125);
    assert!(refused.stderr().contains("`--uidmap` needs more than one ID"), "{refused}");
}
