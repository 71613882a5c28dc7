//! The attack cases T1 to T18 of safety.md, by the numbers in the names.

use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};

use std::path::Path;

use super::*;
use crate::storage::tests::archive::{Archive, Item, put};
use crate::storage::tests::store;

/// As much as the user who runs the tests can do: owners only as root.
fn target() -> Target {
    let ownership = if rustix::process::geteuid().is_root() {
        Ownership::Mapped { users: 65536, groups: 65536 }
    } else {
        Ownership::Single
    };
    Target { map: "test".to_owned(), ownership }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A store with a canary beside it that no archive may touch.
struct Lab {
    home: tempfile::TempDir,
    store: Store,
    canary: String,
}

impl Lab {
    fn new() -> Self {
        let (home, store) = store();
        let canary = home.path().join("canary");
        fs::create_dir(&canary).expect("made");
        fs::write(canary.join("file"), "canary").expect("written");
        let canary = canary.to_str().expect("text").to_owned();
        Self { home, store, canary }
    }

    fn unpack(&self, bytes: &[u8]) -> Result<PathBuf, String> {
        let result = self.store.import_layer(bytes, &target());
        assert!(self.is_canary_whole(), "the canary was touched");
        match result {
            Ok((_, diff_id, _)) => Ok(self.store.layer_path("test", &diff_id).join("fs")),
            Err(error) => {
                let left: Vec<_> = fs::read_dir(self.store.tmp()).expect("lists").collect();
                assert!(left.is_empty(), "left behind: {left:?}");
                let blobs = fs::read_dir(self.store.images().join("blobs/sha256")).expect("lists");
                assert_eq!(blobs.count(), 0, "a blob was named");
                Err(error.to_string())
            }
        }
    }

    fn is_canary_whole(&self) -> bool {
        let file = Path::new(&self.canary).join("file");
        let (directory, stat) = (fs::metadata(&self.canary).expect("there"), fs::metadata(&file).expect("there"));
        fs::read(&file).expect("reads") == b"canary"
            && stat.nlink() == 1
            && directory.mode() & 0o7777 == 0o700
            && fs::read_dir(&self.canary).expect("lists").count() == 1
            && fs::read_dir(self.home.path()).expect("lists").count() == 2
    }

    fn good(&self, archive: &Archive) -> PathBuf {
        self.unpack(&archive.end()).expect("unpacks")
    }

    fn bad(&self, archive: &Archive) -> String {
        self.unpack(&archive.end()).expect_err("must not unpack")
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("lists").map(|entry| entry.expect("reads").file_name());
    let mut names: Vec<_> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn is_opaque(directory: &Path) -> bool {
    let mut value = [0; 8];
    rustix::fs::lgetxattr(directory, whiteout::OPAQUE, &mut value).is_ok_and(|length| &value[..length] == b"y")
}

fn is_whiteout(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|stat| stat.file_type().is_char_device() && stat.rdev() == 0)
}

#[test]
fn an_ordinary_layer_keeps_content_modes_times_links_and_owners() {
    let lab = Lab::new();
    let mut archive = Archive::default();
    archive.directory("bin/").file("bin/sh", b"shell").hard_link("bin/ash", "bin/sh").symlink("sh", "bin/sh");
    archive.add(&Item { path: b"bin/su", mode: 0o4755, uid: 33, gid: 65534, mtime: 5, data: b"su", ..Item::default() });
    archive.add(&Item { path: b"run/pipe", kind: b'6', mode: 0o622, ..Item::default() });
    archive.add(&Item { path: b"bin", kind: b'5', mode: 0o1711, mtime: 7, uid: 33, ..Item::default() });
    archive.add(&Item { path: b"./", kind: b'5', mode: 0o700, mtime: 9, ..Item::default() });
    let root = lab.good(&archive);
    assert_eq!(fs::read(root.join("bin/sh")).expect("reads"), b"shell");
    assert_eq!(fs::metadata(root.join("bin/sh")).expect("there").nlink(), 2);
    let su = fs::metadata(root.join("bin/su")).expect("there");
    assert_eq!((su.mode() & 0o7777, su.mtime()), (0o4755, 5));
    assert!(fs::metadata(root.join("run/pipe")).expect("there").file_type().is_fifo());
    assert_eq!(fs::metadata(root.join("run/pipe")).expect("there").mode() & 0o777, 0o622);
    let bin = fs::metadata(root.join("bin")).expect("there");
    assert_eq!((bin.mode() & 0o7777, bin.mtime()), (0o1711, 7));
    let top = fs::metadata(&root).expect("there");
    assert_eq!((top.mode() & 0o7777, top.mtime()), (0o700, 9));
    assert_eq!(fs::metadata(root.join("run")).expect("there").mode() & 0o7777, 0o755);
    let owners = root.with_file_name("owners");
    if is_root() {
        assert_eq!((su.uid(), su.gid(), bin.uid()), (33, 65534, 33));
        assert!(!owners.exists());
    } else {
        assert_eq!(fs::read(owners).expect("reads"), b"33:0:bin\x0033:65534:bin/su\0");
    }
}

#[test]
fn one_id_keeps_owners_in_a_table() {
    let lab = Lab::new();
    let mut archive = Archive::default();
    archive.add(&Item { path: b"old/file", uid: 7, ..Item::default() }).file("old", b"now a file");
    archive.add(&Item { path: b"a", uid: 33, gid: 70000, data: b"a", ..Item::default() }).hard_link("b", "a");
    archive.add(&Item { path: b"closed", kind: b'5', mode: 0o000, ..Item::default() });
    archive.add(&Item { path: b"closed/file", uid: 1, mode: 0o000, ..Item::default() });
    let single = Target { map: "one".to_owned(), ownership: Ownership::Single };
    let (_, diff_id, _) = lab.store.import_layer(archive.end().as_slice(), &single).expect("unpacks");
    let owners = fs::read(lab.store.layer_path("one", &diff_id).join("owners")).expect("reads");
    assert_eq!(owners, b"33:70000:a\x0033:70000:b\x001:0:closed/file\0");
    let user = rustix::process::geteuid().as_raw();
    assert_eq!(fs::metadata(lab.store.layer_path("one", &diff_id).join("fs/a")).expect("there").uid(), user);
    remove_at(&lab.store.layer_path("one", &diff_id)).expect("a closed directory goes too");
}

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
    assert!(lab.unpack_again(&archive).contains("no such file"));
}

impl Lab {
    /// For a second archive in the same lab, where blobs are there already.
    fn unpack_again(&self, archive: &Archive) -> String {
        self.store.import_layer(archive.end().as_slice(), &target()).expect_err("must not unpack").to_string()
    }
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
fn t13_what_waits_for_the_layer_s_end_is_bounded() {
    let value = vec![b'x'; 60_000];
    let names: Vec<String> = (0..15).map(|n| format!("SCHILY.xattr.user.a{n}")).collect();
    let records: Vec<(&[u8], &[u8])> = names.iter().map(|name| (name.as_bytes(), value.as_slice())).collect();
    let lab = Lab::new();
    let mut archive = Archive::default();
    for n in 0..10 {
        archive.pax(&records).directory(&format!("{n}/"));
    }
    assert!(lab.bad(&archive).contains("cannot keep the extended attributes of `9`"));
}

/// Each rung begins at a link to the end of the one before, so that its names stay short.
fn ladder(archive: &mut Archive, rungs: u32) {
    let mut start = "data".to_owned();
    for rung in 0..rungs {
        let end = format!("{start}{}", "/d".repeat(1500));
        archive.pax(&[(b"path", end.as_bytes())]).directory("short/");
        start = format!("rung{rung}");
        archive.pax(&[(b"linkpath", end.as_bytes())]).symlink(&start, "short");
    }
}

/// Each look at such a directory costs as many steps as it is deep: 27 rungs kept rc busy for minutes.
#[test]
fn t13_a_directory_that_no_path_can_name_is_refused() {
    let lab = Lab::new();
    let mut archive = Archive::default();
    ladder(&mut archive, 27);
    let error = lab.bad(&archive);
    assert!(error.contains("cannot open directory `rung0/d/d/") && error.ends_with("file name too long"), "{error}");
    // Where it is the links that lead to nothing.
    let lab = Lab::new();
    let mut archive = Archive::default();
    for rung in 0..27 {
        let target = format!("rung{}{}", rung + 1, "/d".repeat(1500));
        archive.pax(&[(b"linkpath", target.as_bytes())]).symlink(&format!("rung{rung}"), "short");
    }
    archive.file("rung0/file", b"");
    let error = lab.bad(&archive);
    assert!(error.ends_with("cannot open directory `rung0` of the layer: file name too long"), "{error}");
}

/// What an entry of a few kilobytes needs is no thousand times that.
#[test]
fn t13_directories_without_an_entry_take_no_memory() {
    let lab = Lab::new();
    let mut archive = Archive::default();
    archive.symlink("link", "here/there").file("link/a/b/file", b"").file("plain/file", b"");
    let root = lab.good(&archive);
    for path in ["here", "here/there", "here/there/a", "here/there/a/b", "plain"] {
        assert_eq!(fs::metadata(root.join(path)).expect("made").mode() & 0o7777, 0o755, "{path}");
    }
    let mut archive = Archive::default();
    for n in 0..3 {
        let path = format!("{n}{}/file", "/d".repeat(1900));
        archive.pax(&[(b"path", path.as_bytes())]).file("short", b"");
    }
    let (_home, store) = store();
    let made = store.tmp().join("made");
    fs::create_dir(&made).expect("made");
    let root = rustix::fs::open(&made, rustix::fs::OFlags::PATH, rustix::fs::Mode::empty()).expect("opens");
    let mut extractor = extract::Extractor::new(root, target().ownership, 0o022);
    extractor.unpack_entries(&mut Reader::new(archive.end().as_slice())).expect("unpacks");
    assert_eq!(extractor.waiting(), 1, "only the root waits for the layer's end");
}

#[test]
fn t11_damaged_archives_are_refused_whole() {
    let mut good = Archive::default();
    good.file("a", b"content");
    let whole = good.end();
    let mut bad_sum = whole.clone();
    bad_sum[0] = b'b';
    let mut negative = Archive::default();
    negative.add(&Item { path: b"a", size: Some(-5), ..Item::default() });
    let mut huge = Archive::default();
    huge.header(&Item { path: b"a", size: Some(i64::MAX), ..Item::default() });
    let mut long_record = Archive::default();
    long_record.add(&Item { path: b"p", kind: b'x', data: b"999999999 path=x\n", ..Item::default() }).file("a", b"");
    let mut hole = Archive::default();
    hole.file("a", b"").data(&[0; 512]).file("b", b"");
    for (bytes, reason) in [
        (bad_sum, "the archive is damaged at byte 0: not a tar header: wrong checksum"),
        (negative.end(), "a size is negative"),
        (huge.end(), "it ends in the middle of an entry"),
        (long_record.end(), "the length of a PAX record is wrong"),
        (hole.end(), "a block of zeros between entries"),
        (whole[..515].to_vec(), "it ends in the middle of an entry"),
        (whole[..100].to_vec(), "it ends in the middle of an entry"),
        (gzip(&whole)[..40].to_vec(), "cannot read the archive"),
        ([gzip(&whole), b"junk".to_vec()].concat(), "cannot read the archive"),
        (broken_crc(&whole), "cannot read the archive"),
        (b"\xfd7zXZ\0...".to_vec(), "xz compression is not supported"),
    ] {
        let lab = Lab::new();
        let error = lab.unpack(&bytes).expect_err("damaged");
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn t11_what_others_read_is_read() {
    let mut archive = Archive::default();
    archive.file("a", b"content");
    let whole = archive.end();
    let half = whole.len() / 2;
    for bytes in [
        archive.0.clone(),
        [whole.as_slice(), b"junk after the end"].concat(),
        [gzip(&whole[..half]), gzip(&whole[half..])].concat(),
        zstd::encode_all(whole.as_slice(), 3).expect("compresses"),
        [zstd::encode_all(&whole[..half], 3).expect("compresses"), zstd::encode_all(&whole[half..], 3).expect("same")]
            .concat(),
    ] {
        let lab = Lab::new();
        let root = lab.unpack(&bytes).expect("unpacks");
        assert_eq!(fs::read(root.join("a")).expect("reads"), b"content");
    }
    let lab = Lab::new();
    assert_eq!(names(&lab.unpack(&[0; 1024]).expect("an empty layer")), [""; 0]);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("compresses");
    encoder.finish().expect("compresses")
}

fn broken_crc(bytes: &[u8]) -> Vec<u8> {
    let mut packed = gzip(bytes);
    let position = packed.len() - 6;
    packed[position] ^= 0xff;
    packed
}

#[test]
fn t12_a_sparse_terabyte_is_a_hole() {
    let lab = Lab::new();
    let mut block = [0_u8; 512];
    block[..4].copy_from_slice(b"huge");
    put(&mut block[100..108], 0o644);
    put(&mut block[124..136], 3);
    put(&mut block[136..148], 0);
    block[156] = b'S';
    block[257..265].copy_from_slice(b"ustar  \0");
    put(&mut block[386..398], (1 << 40) - 4);
    put(&mut block[398..410], 3);
    put(&mut block[483..495], 1 << 40);
    let mut archive = Archive::default();
    archive.block(block).data(b"end").file("after", b"a");
    let root = lab.good(&archive);
    let huge = fs::metadata(root.join("huge")).expect("there");
    assert_eq!(huge.len(), 1 << 40);
    assert!(huge.blocks() < 100);
    assert_eq!(fs::read(root.join("after")).expect("reads"), b"a");
}

#[test]
fn t13_bombs_stay_small() {
    let lab = Lab::new();
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("makes");
    encoder.window_log(28).expect("sets");
    encoder.long_distance_matching(true).expect("sets");
    encoder.write_all(&vec![0; 1 << 20]).expect("compresses");
    let error = lab.unpack(&encoder.finish().expect("compresses")).expect_err("a window of 256 MiB");
    assert!(error.contains("cannot read the archive"), "{error}");
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

#[test]
fn t18_bad_layers_leave_no_descriptor_open() {
    let open = || fs::read_dir("/proc/self/fd").expect("lists").count();
    let lab = Lab::new();
    let mut archive = Archive::default();
    archive.directory("a/").file("a/b", b"").hard_link("x", "y");
    let bytes = archive.end();
    lab.unpack(&bytes).expect_err("bad");
    let before = open();
    for _ in 0..200 {
        lab.store.import_layer(bytes.as_slice(), &target()).expect_err("bad");
    }
    // Other tests run beside this one and have files open of their own, but not two hundred more.
    assert!(open() < before + 100);
}

#[test]
fn a_layer_is_received_once_and_checked() {
    let lab = Lab::new();
    let bytes = gzip(&Archive::default().file("a", b"content").end());
    let diff_id = Hasher::sha256(&Archive::default().file("a", b"content").end());
    let blob = crate::storage::Descriptor::new("", Hasher::sha256(&bytes), bytes.len() as u64);
    let receive = |blob: &crate::storage::Descriptor, diff_id: &Digest, content: &[u8]| {
        let content = content.to_vec();
        lab.store.receive_layer(blob, diff_id, &target(), move |offset| {
            let from = usize::try_from(offset).expect("small");
            Ok::<_, crate::storage::Error>(Opened { reader: io::Cursor::new(content[from..].to_vec()), offset })
        })
    };
    let wrong = Hasher::sha256(b"other");
    let error = receive(&blob, &wrong, &bytes).expect_err("wrong diff id").to_string();
    assert!(error.contains("its content has diff ID"), "{error}");
    for size in [blob.size - 1, blob.size + 1] {
        let wrong = crate::storage::Descriptor { size, ..blob.clone() };
        let error = receive(&wrong, &diff_id, &bytes).expect_err("wrong size").to_string();
        assert!(error.contains(&format!("expected {size} bytes")), "{error}");
    }
    assert!(!lab.store.has_layer("test", &diff_id).expect("looks"));
    assert_eq!(names(&lab.store.tmp()), [""; 0]);
    // A sender that fails in the middle, then one that goes on there.
    let broken = lab.store.receive_layer(&blob, &diff_id, &target(), |_| {
        let reader = bytes[..30].chain(Failing);
        Ok::<_, crate::storage::Error>(Opened { reader, offset: 0 })
    });
    let error = broken.expect_err("broken").to_string();
    assert_eq!(error, format!("cannot receive blob `{}`: connection reset", blob.digest));
    assert_eq!(names(&lab.store.tmp()).len(), 1);
    let received = receive(&blob, &diff_id, &bytes).expect("receives");
    assert!(received.is_new_blob && received.unpacked.is_some());
    let again = receive(&blob, &diff_id, b"").expect("is there");
    assert!(!again.is_new_blob && again.unpacked.is_none());
    let root = lab.store.layer_path("test", &diff_id);
    assert_eq!(fs::read(root.join("fs/a")).expect("reads"), b"content");
    assert_eq!(lab.store.read_blob(&blob.digest, 4096).expect("reads"), bytes);
    remove_at(&root).expect("removed");
    assert!(lab.store.unpack_blob(&blob.digest, &diff_id, &target()).expect("unpacks").is_some());
}

struct Failing;

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::ConnectionReset.into())
    }
}
