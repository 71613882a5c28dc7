//! Damaged archives, and small ones that would take much space or memory.

use super::*;

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
        (b"\xfd7zXZ\0...".to_vec(), "cannot read the archive"),
        (xz(&whole)[..60].to_vec(), "cannot read the archive"),
        ([xz(&whole), b"junk".to_vec()].concat(), "cannot read the archive"),
        (greedy_xz(), "cannot read the archive: needed memory too big"),
        (bzip2(&whole)[..60].to_vec(), "cannot read the archive"),
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
        xz(&whole),
        [xz(&whole[..half]), xz(&whole[half..])].concat(),
        bzip2(&whole),
        [bzip2(&whole[..half]), bzip2(&whole[half..])].concat(),
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
