use super::*;
use crate::storage::tests::archive::{Archive, Item};

/// All entries with their content.
fn read(bytes: &[u8]) -> Result<Vec<(Entry, Vec<u8>)>, Error> {
    let mut reader = Reader::new(bytes);
    let mut all = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        let mut content = Vec::new();
        loop {
            let chunk = reader.data(u64::MAX)?;
            if chunk.is_empty() {
                break;
            }
            content.extend_from_slice(chunk);
            let count = chunk.len();
            reader.consume(count);
        }
        all.push((entry, content));
    }
    Ok(all)
}

/// Names and lengths of the content.
fn names(bytes: &[u8]) -> Vec<(String, usize)> {
    let all = read(bytes).expect("reads");
    all.into_iter().map(|(entry, data)| (String::from_utf8_lossy(&entry.path).into_owned(), data.len())).collect()
}

fn inner() -> Vec<u8> {
    // 1024 bytes that look like an entry to a reader that skips too little.
    let mut inner = Archive::default();
    inner.file("smuggled", &[b'x'; 512]);
    inner.0
}

#[test]
fn t10_the_size_of_a_pax_record_rules() {
    for stated in [0, 1] {
        let mut archive = Archive::default();
        archive.pax(&[(b"size", b"1024")]);
        archive.header(&Item { path: b"outer", size: Some(stated), ..Item::default() }).data(&inner());
        archive.file("after", b"");
        assert_eq!(names(&archive.end()), [("outer".to_owned(), 1024), ("after".to_owned(), 0)]);
    }
}

#[test]
fn t10_the_size_of_a_pax_record_is_not_that_of_a_long_name() {
    let mut archive = Archive::default();
    archive.pax(&[(b"size", b"2048")]);
    archive.add(&Item { path: b"././@LongLink", kind: b'L', data: b"longname.txt\0", ..Item::default() });
    archive.header(&Item { path: b"short", size: Some(0), ..Item::default() });
    archive.data(&[inner(), inner()].concat());
    assert_eq!(names(&archive.end()), [("longname.txt".to_owned(), 2048)]);
}

#[test]
fn links_and_directories_have_no_data_whatever_they_say() {
    for kind in *b"123456" {
        let mut archive = Archive::default();
        archive.header(&Item { path: b"x", kind, size: Some(1024), ..Item::default() }).file("after", b"1");
        assert_eq!(names(&archive.end()), [("x".to_owned(), 0), ("after".to_owned(), 1)]);
    }
}

#[test]
fn of_names_and_headers_that_contradict_each_other_go_s_count() {
    let long = Item { path: b"././@LongLink", kind: b'L', data: b"long\0", ..Item::default() };
    let mut archive = Archive::default();
    archive.pax(&[(b"path", b"pax")]).add(&long).file("short", b"");
    archive.add(&long).pax(&[(b"path", b"pax")]).file("short", b"");
    archive.pax(&[(b"path", b"first"), (b"size", b"512")]).pax(&[(b"uid", b"5")]).file("own", b"");
    archive.pax(&[(b"path", b"pax")]).data(&global(&[(b"path", b"global")])).file("next", b"");
    let expected = ["long", "long", "own", "next"].map(|name| (name.to_owned(), 0));
    assert_eq!(names(&archive.end()), expected);
}

/// A header for all entries that follow.
fn global(records: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut global = Archive::default();
    global.pax(records);
    global.0[156] = b'g';
    let block: [u8; 512] = global.0[..512].try_into().expect("a block");
    let mut archive = Archive::default();
    archive.block(block).data(&global.0[512..]);
    archive.0
}

#[test]
fn records_hold_for_one_entry_and_global_ones_as_with_docker_for_none() {
    let mut archive = Archive::default();
    archive.data(&global(&[(b"mtime", b"8"), (b"uid", b"77")]));
    archive.file("a", b"").pax(&[(b"uid", b"5"), (b"mtime", b"-1.5")]).file("b", b"");
    archive.pax(&[(b"uid", b"5"), (b"mtime", b"")]).file("c", b"").file("d", b"");
    let all = read(&archive.end()).expect("reads");
    let facts: Vec<_> =
        all.iter().map(|(entry, _)| (entry.uid, entry.mtime.seconds, entry.mtime.nanoseconds)).collect();
    assert_eq!(facts, [(0, 1_000_000, 0), (5, -2, 500_000_000), (5, 1_000_000, 0), (0, 1_000_000, 0)]);
}

#[test]
fn t13_global_records_cannot_pile_up() {
    let mut archive = Archive::default();
    for key in [&b"one"[..], b"two", b"three"] {
        archive.data(&global(&[(key, &[b'x'; 30_000])])).file("file", b"");
    }
    assert!(matches!(read(&archive.end()), Err(Error::TooLarge)));
}

#[test]
fn sparse_maps_of_all_pax_formats_are_read() {
    let pieces = Some(vec![Piece { offset: 10, length: 3 }, Piece { offset: 100, length: 2 }]);
    let check = |archive: &Archive| {
        let all = read(&archive.end()).expect("reads");
        assert_eq!(all.len(), 2);
        let (entry, data) = &all[0];
        assert_eq!((entry.path.as_slice(), entry.size, &entry.pieces), (&b"real"[..], 200, &pieces));
        assert_eq!(data, b"abcde");
    };
    let mut archive = Archive::default();
    let numbers: [(&[u8], &[u8]); 7] = [
        (b"path", b"real"),
        (b"GNU.sparse.size", b"200"),
        (b"GNU.sparse.numblocks", b"2"),
        (b"GNU.sparse.offset", b"10"),
        (b"GNU.sparse.numbytes", b"3"),
        (b"GNU.sparse.offset", b"100"),
        (b"GNU.sparse.numbytes", b"2"),
    ];
    check(archive.pax(&numbers).file("x", b"abcde").file("after", b""));
    let mut archive = Archive::default();
    archive.pax(&[(b"GNU.sparse.name", b"real"), (b"GNU.sparse.size", b"200"), (b"GNU.sparse.map", b"10,3,100,2")]);
    check(archive.file("x", b"abcde").file("after", b""));
    let mut archive = Archive::default();
    archive.pax(&[
        (b"GNU.sparse.major", b"1"),
        (b"GNU.sparse.minor", b"0"),
        (b"GNU.sparse.name", b"real"),
        (b"GNU.sparse.realsize", b"200"),
    ]);
    let mut data = b"2\n10\n3\n100\n2\n".to_vec();
    data.resize(512, 0);
    data.extend_from_slice(b"abcde");
    check(archive.file("x", &data).file("after", b""));
}

#[test]
fn sparse_maps_that_lie_are_refused() {
    for map in ["10,3,11,2", "10,3,199,2", "10,3", "10,3,100,3", "10,3,100", "10,-3", "9223372036854775807,5", "x"] {
        let mut archive = Archive::default();
        archive.pax(&[(b"GNU.sparse.size", b"200"), (b"GNU.sparse.map", map.as_bytes())]).file("x", b"abcde");
        assert!(matches!(read(&archive.end()), Err(Error::Damaged { .. })), "{map}");
    }
}

#[test]
fn headers_have_a_limit() {
    let mut archive = Archive::default();
    for _ in 0..3 {
        archive.pax(&[(b"comment", &[b'x'; 500_000])]);
    }
    assert!(matches!(read(&archive.file("x", b"").end()), Err(Error::TooLarge)));
}

#[test]
fn a_name_with_a_zero_byte_is_refused() {
    let mut archive = Archive::default();
    archive.pax(&[(b"path", b"a\0b")]).file("x", b"");
    assert!(matches!(read(&archive.end()), Err(Error::Damaged { reason: "a name has a zero byte", .. })));
}
