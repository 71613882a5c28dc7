use std::io::BufReader;

use super::*;
use crate::storage::tar::Reader;
use crate::sys::fs;

/// The entries of the archive of a directory: type, name, link and content.
fn entries(path: &std::path::Path, how: &Pack<'_>) -> Vec<(Kind, String, String, String)> {
    let directory = fs::open_directory(path).expect("opens");
    let mut archive = Vec::new();
    pack(directory.as_fd(), OsStr::new("."), how, &mut archive).expect("packed");
    assert_eq!(archive.len() % 512, 0);
    let mut reader = Reader::new(BufReader::new(&archive[..]));
    let mut found = Vec::new();
    while let Some(entry) = reader.next_entry().expect("an entry") {
        let mut content = Vec::new();
        loop {
            let chunk = reader.data(u64::MAX).expect("data").to_vec();
            if chunk.is_empty() {
                break;
            }
            reader.consume(chunk.len());
            content.extend(chunk);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        found.push((entry.kind, text(&entry.path), text(&entry.link), text(&content)));
    }
    found
}

#[test]
fn every_kind_of_file_is_in_the_archive_in_order() {
    let home = tempfile::tempdir().expect("a directory");
    let at = |name: &str| home.path().join(name);
    let long = "x".repeat(200);
    fs::create_dir(at("b")).expect("made");
    fs::write(at("b/file"), "text").expect("written");
    fs::write(at(&format!("b/{long}")), "").expect("written");
    fs::symlink(&long, at("link")).expect("linked");
    rustix::fs::link(at("b/file"), at("c")).expect("linked");
    rustix::fs::mknodat(rustix::fs::CWD, at("d"), FileType::Fifo, Mode::RUSR, 0).expect("made");
    let how = Pack { name: b"top", contents: Contents::Files { stay: true }, owner: Owner::Root };
    let expected = [
        (Kind::Directory, "top/", "", ""),
        (Kind::Directory, "top/b/", "", ""),
        (Kind::File, "top/b/file", "", "text"),
        (Kind::File, &format!("top/b/{long}"), "", ""),
        (Kind::HardLink, "top/c", "top/b/file", ""),
        (Kind::Fifo, "top/d", "", ""),
        (Kind::Symlink, "top/link", &long, ""),
    ];
    let expected = expected.map(|(kind, path, link, text)| (kind, path.into(), link.into(), text.into()));
    assert_eq!(entries(home.path(), &how), expected);
    let contents = Pack { name: b".", ..how };
    assert_eq!(entries(home.path(), &contents)[1].1, "./b/");
}

#[test]
fn an_opaque_directory_of_a_writable_layer_hides_what_is_below_it() {
    let home = tempfile::tempdir().expect("a directory");
    fs::create_dir(home.path().join("d")).expect("made");
    let opaque = fs::open_directory(home.path().join("d")).expect("opens");
    let set = rustix::fs::fsetxattr(&opaque, "user.overlay.opaque", b"y", rustix::fs::XattrFlags::empty());
    if set == Err(Errno::NOTSUP) {
        return;
    }
    set.expect("set");
    let names = |contents| {
        let how = Pack { name: b".", contents, owner: Owner::Own };
        entries(home.path(), &how).into_iter().map(|(_, path, ..)| path).collect::<Vec<_>>()
    };
    assert_eq!(names(Contents::Layer { root: true }), ["./", "./d/", "./d/.wh..wh..opq"]);
    assert_eq!(names(Contents::Files { stay: false }), ["./", "./d/"]);
}

#[test]
fn numbers_and_attributes_that_ustar_has_no_room_for_are_records() {
    let value = vec![7; 300];
    let header = Header {
        kind: Kind::File,
        path: b"file",
        link: b"",
        mode: 0o644,
        uid: 4_000_000,
        gid: 3,
        seconds: -5,
        size: 0,
        xattrs: vec![(b"user.note".to_vec(), value.clone())],
    };
    let mut archive = Vec::new();
    write_entry(&mut archive, &header).expect("written");
    write_end(&mut archive).expect("written");
    let entry = Reader::new(BufReader::new(&archive[..])).next_entry().expect("reads").expect("an entry");
    assert_eq!((entry.uid, entry.gid, entry.mtime.seconds), (4_000_000, 3, -5));
    assert_eq!(entry.xattrs, [(b"user.note".to_vec(), value)]);
}

#[test]
fn an_archive_that_could_not_be_completed_is_refused_by_its_reader() {
    let home = tempfile::tempdir().expect("a directory");
    fs::write(home.path().join("a"), "x").expect("written");
    let directory = fs::open_directory(home.path()).expect("opens");
    let how = Pack { name: b".", contents: Contents::Files { stay: false }, owner: Owner::Own };
    let mut archive = Vec::new();
    assert!(pack(directory.as_fd(), OsStr::new("none"), &how, &mut archive).is_err());
    let mut reader = Reader::new(BufReader::new(&archive[..]));
    assert!(reader.next_entry().is_err());
}
