//! Entries that are not files: devices, whiteouts, attributes, owners.

use super::*;

fn is_opaque(directory: &Path) -> bool {
    let mut value = [0; 8];
    rustix::fs::lgetxattr(directory, OPAQUE, &mut value).is_ok_and(|length| &value[..length] == b"y")
}

fn is_whiteout(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|stat| stat.file_type().is_char_device() && stat.rdev() == 0)
}

#[test]
fn t6_devices_are_counted_and_hide_nothing() {
    let lab = Lab::new();
    let mut archive = Archive::default();
    for (path, kind) in [("null", b'3'), ("sda", b'4'), ("hidden", b'3')] {
        archive.add(&Item { path: path.as_bytes(), kind, ..Item::default() });
    }
    archive.add(&Item { path: b"pipe", kind: b'6', ..Item::default() });
    let (_, diff_id, info) = lab.store.import_layer(archive.end().as_slice(), &target()).expect("unpacks");
    assert_eq!(info.skipped.devices, 3);
    assert_eq!(names(&lab.store.layer_path("test", &diff_id).join("fs")), ["pipe"]);
    assert_eq!(lab.store.layer_info("test", &diff_id).expect("reads"), Some(info));
}

#[test]
fn t7_whiteouts_hide_names_and_nothing_else() {
    for path in [".wh.", ".wh..", ".wh...", "a/.wh..", ".wh.a/b"] {
        let lab = Lab::new();
        assert!(lab.bad(Archive::default().file(path, b"")).contains("is not a whiteout of a name"), "{path}");
    }
    let lab = Lab::new();
    let mut archive = Archive::default();
    archive.symlink("out", &lab.canary).file("out/.wh.file", b"").file("../.wh.x", b"");
    archive.file(".wh..wh.plnk/1.2", b"").directory("d/").file("d/.wh..wh.aufs", b"");
    archive.directory("late/").file("late/new", b"").file("late/.wh..wh..opq", b"").file("early/.wh..wh..opq", b"");
    archive.file("early/new", b"");
    // What the layer has itself stays, whichever comes first.
    archive.file("kept", b"k").file(".wh.kept", b"").file(".wh.other", b"").file("other", b"o");
    archive.directory("dir/").file("dir/in", b"").file(".wh.dir", b"").file(".wh.dir2", b"").directory("dir2/");
    let root = lab.good(&archive);
    assert!(is_whiteout(&root.join("x")));
    assert!(is_whiteout(&root.join(format!("{}/file", &lab.canary[1..]))));
    assert!(!root.join(".wh..wh.plnk").exists());
    assert_eq!(names(&root.join("d")), [""; 0]);
    for directory in ["late", "early", "dir", "dir2"] {
        assert!(is_opaque(&root.join(directory)), "{directory}");
    }
    assert_eq!(names(&root.join("late")), ["new"]);
    assert_eq!(fs::read(root.join("kept")).expect("reads"), b"k");
    assert_eq!(fs::read(root.join("other")).expect("reads"), b"o");
    assert_eq!(names(&root.join("dir")), ["in"]);
    let mut archive = Archive::default();
    archive.file(".wh.gone", b"").hard_link("again", "gone");
    assert!(lab.bad_again(&archive).contains("no such file"));
}

#[test]
fn t8_attributes_that_steer_any_driver_are_dropped() {
    let lab = Lab::new();
    let mut archive = Archive::default();
    for (path, kind) in [("bin", b'5'), ("file", b'0')] {
        archive.pax(&[
            (b"SCHILY.xattr.user.overlay.opaque", b"y"),
            (b"SCHILY.xattr.user.overlay.redirect", b"/etc"),
            (b"SCHILY.xattr.user.overlay.metacopy", b""),
            (b"SCHILY.xattr.trusted.overlay.opaque", b"y"),
            (b"SCHILY.xattr.user.fuseoverlayfs.opaque", b"y"),
            (b"SCHILY.xattr.user.fuseoverlayfs.override_stat", b"0:0:4777"),
            (b"SCHILY.xattr.security.fuseoverlayfs.override_stat", b"0:0:4777"),
            (b"SCHILY.xattr.user.containers.override_stat", b"0:0:4777"),
            (b"SCHILY.xattr.security.selinux", b"x"),
            (b"SCHILY.xattr.user.kept", b"with\0zero"),
        ]);
        archive.add(&Item { path: path.as_bytes(), kind, mode: 0o555, ..Item::default() });
    }
    let root = lab.good(&archive);
    for path in ["bin", "file"] {
        let mut list = [0; 256];
        let length = rustix::fs::llistxattr(root.join(path), &mut list[..]).expect("lists");
        assert_eq!(&list[..length], b"user.kept\0");
        let mut value = [0; 64];
        let length = rustix::fs::lgetxattr(root.join(path), "user.kept", &mut value).expect("reads");
        assert_eq!(&value[..length], b"with\0zero");
        assert_eq!(fs::metadata(root.join(path)).expect("there").mode() & 0o777, 0o555);
    }
}

/// fuse-overlayfs takes whatever is called so for a whiteout.
#[test]
fn t7_links_give_no_directory_the_name_of_a_whiteout() {
    for target in [&b".wh.etc"[..], b"/deep/.wh..wh..opq/x", b"a/../.wh.x"] {
        let lab = Lab::new();
        let mut archive = Archive::default();
        archive.add(&Item { path: b"link", kind: b'2', link: target, ..Item::default() });
        archive.file("link/file", b"");
        assert!(lab.bad(&archive).contains("cannot open directory `link`"));
    }
}

#[test]
fn t9_capabilities_are_kept_and_huge_attributes_refused() {
    let capability = [&[1, 0, 0, 2][..], &[0, 4, 0, 0], &[0; 12]].concat();
    let lab = Lab::new();
    let mut archive = Archive::default();
    archive.pax(&[(b"SCHILY.xattr.security.capability", &capability)]);
    archive.add(&Item { path: b"ping", mode: 0o755, uid: 1, ..Item::default() });
    let root = lab.good(&archive);
    let mut value = [0; 64];
    let kept = rustix::fs::lgetxattr(root.join("ping"), "security.capability", &mut value);
    if is_root() {
        assert_eq!(&value[..kept.expect("kept")], capability);
    }
    let lab = Lab::new();
    let mut archive = Archive::default();
    archive.pax(&[(b"SCHILY.xattr.user.big", &[b'x'; 70_000])]).file("file", b"");
    assert!(lab.bad(&archive).contains("cannot set an extended attribute of `file`"));
}

#[test]
fn t17_odd_owners_times_and_types() {
    for (uid, gid, text) in [
        (1 << 31, 0, "belongs to user 2147483648, but only the IDs 0 to 65535 are mapped"),
        (0, 70000, "belongs to group 70000, but only the IDs 0 to 65535 are mapped"),
        (-1, 0, "belongs to user -1"),
        (i64::from(u32::MAX), 0, "belongs to user 4294967295"),
    ] {
        let lab = Lab::new();
        let mut archive = Archive::default();
        archive.add(&Item { path: b"some/file", uid, gid, ..Item::default() });
        let mapped = Target { map: "m".to_owned(), ownership: Ownership::Mapped { users: 65536, groups: 65536 } };
        let error = lab.store.import_layer(archive.end().as_slice(), &mapped).expect_err("outside");
        assert!(error.to_string().contains("`some/file` of the layer") && error.to_string().contains(text), "{error}");
        assert_eq!(
            error.hint().is_some(),
            text.contains("but only the IDs 0 to 65535") && (0..1 << 32).contains(&uid) && uid != i64::from(u32::MAX)
        );
    }
    let lab = Lab::new();
    let mut archive = Archive::default();
    archive.add(&Item { path: b"past", mtime: -1, ..Item::default() });
    archive.add(&Item { path: b"future", mtime: 1 << 40, ..Item::default() });
    archive.add(&Item { path: b"seven", kind: b'7', data: b"7", ..Item::default() });
    archive.pax(&[(b"mtime", b"1.25")]).file("fraction", b"");
    let root = lab.good(&archive);
    assert_eq!(fs::metadata(root.join("past")).expect("there").mtime(), -1);
    assert!(fs::metadata(root.join("future")).expect("there").mtime() > 1 << 32);
    assert_eq!(fs::metadata(root.join("fraction")).expect("there").mtime_nsec(), 250_000_000);
    assert_eq!(fs::read(root.join("seven")).expect("reads"), b"7");
    let lab = Lab::new();
    let error = lab.bad(Archive::default().add(&Item { path: b"q", kind: b'Q', ..Item::default() }));
    assert!(error.contains("`q` in the archive has the unknown type `Q`"), "{error}");
}
