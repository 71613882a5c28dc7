//! Names and links that lead out of the root, or to one another.

use super::*;

#[test]
fn t1_names_that_lead_out_stay_in() {
    let lab = Lab::new();
    let mut archive = Archive::default();
    archive.file("../../x", b"1").file("/abs/y", b"2").file("a/../../../z", b"3");
    archive.file(&format!("{}/file", lab.canary), b"overwritten");
    let root = lab.good(&archive);
    assert_eq!(fs::read(root.join("x")).expect("reads"), b"1");
    assert_eq!(fs::read(root.join("abs/y")).expect("reads"), b"2");
    assert_eq!(fs::read(root.join("z")).expect("reads"), b"3");
}

#[test]
fn t2_links_lead_to_places_in_the_root() {
    let lab = Lab::new();
    let mut archive = Archive::default();
    archive.symlink("abs", &lab.canary).file("abs/file", b"1");
    archive.symlink("rel", "../../../../../../../../tmp").file("rel/file2", b"2");
    archive.symlink("c1", "c2").symlink("c2", "c3").symlink("c3", "/").file("c1/file3", b"3");
    archive.directory("run/").directory("var/").symlink("var/run", "/run").file("var/run/pid", b"4");
    let root = lab.good(&archive);
    assert_eq!(fs::read(root.join(format!("{}/file", &lab.canary[1..]))).expect("reads"), b"1");
    assert_eq!(fs::read(root.join("tmp/file2")).expect("reads"), b"2");
    assert_eq!(fs::read(root.join("file3")).expect("reads"), b"3");
    assert_eq!(fs::read(root.join("run/pid")).expect("reads"), b"4");
    let lab = Lab::new();
    let mut circle = Archive::default();
    circle.symlink("a", "b").symlink("b", "a").file("a/x", b"");
    assert!(lab.unpack(&circle.end()).expect_err("a circle").contains("cannot open directory `a` of the layer"));
}

#[test]
fn t3_hard_links_reach_nothing_outside() {
    for target in ["/etc/passwd", "../../../../etc/passwd", "missing", "later", "Cargo.toml", ".", ".."] {
        let lab = Lab::new();
        let mut archive = Archive::default();
        archive.hard_link("link", target).file("later", b"");
        let error = lab.bad(&archive);
        assert!(error.contains("cannot link `link` of the layer to `") && error.contains(target), "{error}");
    }
    let lab = Lab::new();
    let mut archive = Archive::default();
    archive.symlink("s", &format!("{}/file", lab.canary)).hard_link("h", "s");
    archive.symlink("out", &lab.canary);
    let root = lab.good(&archive);
    assert!(fs::symlink_metadata(root.join("h")).expect("there").is_symlink());
    let lab = Lab::new();
    archive.hard_link("through", "out/file");
    assert!(lab.bad(&archive).contains("cannot link `through` of the layer to `out/file`"));
}

#[test]
fn t4_a_directory_replaces_a_link_instead_of_changing_its_target() {
    let lab = Lab::new();
    let mut archive = Archive::default();
    archive.symlink("x", &lab.canary);
    archive.add(&Item { path: b"x", kind: b'5', mode: 0o777, uid: 5, ..Item::default() }).file("x/file", b"in");
    let root = lab.good(&archive);
    assert_eq!(fs::symlink_metadata(root.join("x")).expect("there").mode() & 0o777, 0o777);
    assert_eq!(fs::read(root.join("x/file")).expect("reads"), b"in");
}

#[test]
fn t5_the_root_stays_a_directory() {
    for path in [".", "./", "/", "", "a/.."] {
        for kind in *b"012346" {
            let lab = Lab::new();
            let mut archive = Archive::default();
            archive.add(&Item { path: path.as_bytes(), link: b"/tmp", kind, ..Item::default() });
            assert!(lab.bad(&archive).ends_with("of the layer is the root, but not a directory"));
        }
    }
    let lab = Lab::new();
    let mut archive = Archive::default();
    archive.add(&Item { path: b"./", kind: b'5', mode: 0o000, ..Item::default() }).file("x", b"");
    let root = lab.good(&archive);
    assert_eq!(fs::metadata(&root).expect("there").mode() & 0o777, 0);
    // An ordinary user could not remove the temporary directory with it.
    rustix::fs::chmod(&root, rustix::fs::Mode::RWXU).expect("our own directory");
}

#[test]
fn t15_odd_names_are_kept_or_refused() {
    let lab = Lab::new();
    let mut archive = Archive::default();
    let deep = "d/".repeat(1900) + "x";
    archive.add(&Item { path: b"\xff\xfe", ..Item::default() }).file("new\nline", b"");
    archive.pax(&[(b"path", deep.as_bytes())]).file("short", b"deep");
    let root = lab.good(&archive);
    let bytes: Vec<_> = fs::read_dir(&root).expect("lists").map(|e| e.expect("reads").file_name()).collect();
    assert!(bytes.iter().any(|name| name.as_bytes() == b"\xff\xfe"));
    assert!(root.join("new\nline").exists());
    remove_at(&root).expect("a deep tree goes");
    for (path, shown) in [("p/".repeat(2500), "p/p/"), ("c".repeat(300), "ccc"), ("\u{1b}[2J".repeat(90), "\\u{1b}[2J")]
    {
        let lab = Lab::new();
        let mut archive = Archive::default();
        archive.pax(&[(b"path", path.as_bytes())]).file("short", b"");
        let error = lab.bad(&archive);
        assert!(error.contains("file name too long") && error.contains(shown) && !error.contains('\u{1b}'), "{error}");
    }
}

#[test]
fn t16_the_last_entry_of_a_name_wins() {
    let lab = Lab::new();
    let mut archive = Archive::default();
    archive.file("a", b"1").directory("a/").file("a/in", b"").file("a", b"2");
    archive.directory("b/").file("b/in", b"").symlink("b", "a").directory("b/").file("b/last", b"");
    archive.directory("c/").file("c/in", b"").hard_link("c", "a");
    let root = lab.good(&archive);
    assert_eq!(fs::read(root.join("a")).expect("reads"), b"2");
    assert_eq!(names(&root.join("b")), ["last"]);
    assert_eq!(fs::read(root.join("c")).expect("reads"), b"2");
    // Also if it has several names by links: what is known of it is kept by one.
    let lab = Lab::new();
    let mut archive = Archive::default();
    archive.directory("real/sub/").symlink("alias", "real");
    for (path, mode) in [("alias/sub/", 0o711), ("real/sub/", 0o750)] {
        archive.add(&Item { path: path.as_bytes(), kind: b'5', mode, ..Item::default() });
    }
    archive.add(&Item { path: b"alias/sub/file", uid: 5, gid: 6, ..Item::default() });
    archive.hard_link("alias/sub/again", "alias/sub/file");
    archive.directory("real/gone/").add(&Item { path: b"alias/gone/in", uid: 7, ..Item::default() });
    archive.file("alias/gone", b"");
    let single = Target { map: "single".to_owned(), ownership: Ownership::Single };
    let (_, diff_id, _) = lab.store.import_layer(archive.end().as_slice(), &single).expect("unpacks");
    let layer = lab.store.layer_path("single", &diff_id);
    assert_eq!(fs::metadata(layer.join("fs/real/sub")).expect("there").mode() & 0o777, 0o750);
    assert_eq!(fs::read(layer.join("owners")).expect("a table"), b"5:6:real/sub/again\x005:6:real/sub/file\0");
    let lab = Lab::new();
    let mut archive = Archive::default();
    archive.file("a", b"").file("a/b", b"");
    assert!(lab.bad(&archive).contains("cannot open directory `a` of the layer: not a directory"));
}
