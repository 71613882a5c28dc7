use std::io::BufReader;
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;

use super::*;
use crate::sys::fs;

fn entry(kind: tar_writer::EntryType, path: &str, link: &str, content: &[u8]) -> Vec<u8> {
    let mut header = tar_writer::Header::new_ustar();
    // As bytes: the setters refuse the names that matter here.
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o4755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1000);
    header.set_size(content.len() as u64);
    header.set_cksum();
    let padding = vec![0; (512 - content.len() % 512) % 512];
    [&header.as_bytes()[..], content, &padding].concat()
}

use ::tar as tar_writer;
use tar_writer::EntryType::{Directory, Link, Regular, Symlink};

fn file(path: &str) -> Vec<u8> {
    entry(Regular, path, "", b"new")
}

/// Unpacks these entries into `root` of a home, which has a file outside.
fn unpacked(home: &Path, entries: &[Vec<u8>], how: &Unpack<'_>) -> Result<u64, String> {
    let root = fs::open_directory(home.join("root")).expect("opens");
    let bytes = entries.concat();
    let mut archive = Reader::new(BufReader::new(&bytes[..]));
    unpack(root.as_fd(), &mut archive, how).map_err(|error| error.to_string())
}

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(home.path().join("root/dir")).expect("made");
    fs::write(home.path().join("root/dir/old"), "old").expect("written");
    fs::create_dir(home.path().join("outside")).expect("made");
    home
}

fn plain() -> Unpack<'static> {
    Unpack { base: Path::new(""), rename: None, top: None, owners: Owners::Me, overwrite: false }
}

#[test]
fn names_and_links_lead_to_nothing_outside() {
    let home = home();
    let outside = home.path().join("outside").display().to_string();
    let entries = [
        file("../../up"),
        file("/abs"),
        entry(Symlink, "away", &outside, b""),
        file("away/through"),
        entry(Symlink, "chain", "away", b""),
        file("chain/through2"),
        entry(Directory, "made/", "", b""),
        file("made/file"),
    ];
    unpacked(home.path(), &entries, &plain()).expect("unpacked");
    assert_eq!(fs::read_dir(home.path().join("outside")).expect("lists").count(), 0);
    for name in ["up", "abs", "made/file"] {
        assert_eq!(fs::read(home.path().join("root").join(name)).expect("reads"), b"new", "{name}");
    }
    // Times are those of the archive, and no file is setuid as the user.
    let made = fs::metadata(home.path().join("root/made")).expect("there");
    assert_eq!((made.mtime(), made.mode() & 0o7777), (1000, 0o755));
}

#[test]
fn a_hard_link_reaches_nothing_outside() {
    let home = home();
    fs::write(home.path().join("outside/secret"), "x").expect("written");
    let target = home.path().join("outside/secret").display().to_string();
    for target in [&target[..], "../outside/secret", "missing"] {
        let refused = unpacked(home.path(), &[entry(Link, "link", target, b"")], &plain());
        assert!(refused.is_err_and(|error| error.contains("`link`")), "{target}");
    }
    assert_eq!(fs::metadata(home.path().join("outside/secret")).expect("there").nlink(), 1);
    unpacked(home.path(), &[entry(Link, "link", "dir/old", b"")], &plain()).expect("linked");
    assert_eq!(fs::read(home.path().join("root/link")).expect("reads"), b"old");
}

#[test]
fn a_file_and_a_directory_replace_each_other_only_when_asked() {
    let home = home();
    for (entries, words) in [
        ([file("dir")], "cannot overwrite directory `dir` with a file"),
        ([entry(Directory, "dir/old/", "", b"")], "cannot overwrite `dir/old`, which is not a directory"),
    ] {
        let refused = unpacked(home.path(), &entries, &plain()).expect_err("refused");
        assert!(refused.contains(words), "{refused}");
        assert_eq!(fs::read(home.path().join("root/dir/old")).expect("reads"), b"old");
    }
    let over = Unpack { overwrite: true, ..plain() };
    unpacked(home.path(), &[entry(Directory, "dir/old/", "", b"")], &over).expect("replaced");
    unpacked(home.path(), &[file("dir")], &over).expect("replaced");
    assert_eq!(fs::read(home.path().join("root/dir")).expect("reads"), b"new");
}

#[test]
fn the_first_component_is_replaced() {
    let home = home();
    let renamed = |to: &'static [u8]| Unpack { base: Path::new("dir"), rename: Some((b"top", to)), ..plain() };
    let entries = [entry(Directory, "top/", "", b""), file("top/file"), entry(Link, "top/link", "top/file", b"")];
    unpacked(home.path(), &entries, &renamed(b"other")).expect("unpacked");
    unpacked(home.path(), &entries, &renamed(b"")).expect("unpacked");
    for name in ["dir/other/file", "dir/other/link", "dir/file", "dir/link", "dir/old"] {
        assert!(fs::symlink_metadata(home.path().join("root").join(name)).is_ok(), "{name}");
    }
    assert!(unpacked(home.path(), &[file("else")], &renamed(b"other")).is_err());
}

#[test]
fn what_was_exchanged_meanwhile_is_not_unpacked() {
    let home = home();
    let how = |from: &'static [u8], top| Unpack { rename: Some((from, b"got")), top: Some(top), ..plain() };
    let got = home.path().join("root/got");
    for (entry, top) in [
        (entry(Symlink, "top", "/outside", b""), Top::Directory),
        (entry(Symlink, "top", "/outside", b""), Top::Other),
        (entry(Directory, "top/", "", b""), Top::Other),
        (file("top"), Top::Link),
    ] {
        let error = unpacked(home.path(), &[entry], &how(b"top", top)).expect_err("refused").to_string();
        assert!(error.contains("was exchanged"), "{error}");
        assert!(fs::symlink_metadata(&got).is_err(), "{top:?}");
    }
    let error = unpacked(home.path(), &[entry(Symlink, ".", "/outside", b"")], &how(b".", Top::Directory));
    assert!(error.expect_err("refused").to_string().contains("was exchanged"));
    // What is in a directory may be anything.
    let inner = [entry(Directory, "top/", "", b""), entry(Symlink, "top/link", "/outside", b"")];
    unpacked(home.path(), &inner, &how(b"top", Top::Directory)).expect("unpacked");
}

#[test]
fn an_owner_outside_the_map_is_named() {
    let home = home();
    let how = Unpack { owners: Owners::Archive(1, 1), ..plain() };
    let mut header = tar_writer::Header::new_ustar();
    header.set_path("file").expect("a name");
    header.set_uid(70_000);
    header.set_gid(0);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_size(0);
    header.set_cksum();
    let refused = unpacked(home.path(), &[header.as_bytes().to_vec()], &how).expect_err("refused");
    assert!(refused.contains("`file` belongs to 70000") && refused.contains("0 to 0"), "{refused}");
}

#[test]
fn of_a_directory_that_comes_twice_the_last_entry_counts() {
    let home = home();
    let directory = |mode: u32| {
        let mut bytes = entry(Directory, "twice", "", b"");
        let mut header = tar_writer::Header::from_byte_slice(&bytes).clone();
        header.set_mode(mode);
        header.set_cksum();
        bytes[..512].copy_from_slice(header.as_bytes());
        bytes
    };
    let entries = [directory(0o755), file("twice/a"), directory(0o700), file("twice/b")];
    assert_eq!(unpacked(home.path(), &entries, &plain()), Ok(0));
    assert_eq!(fs::metadata(home.path().join("root/twice")).expect("there").mode() & 0o7777, 0o700);
}

#[test]
fn attributes_that_wait_for_the_end_are_bounded() {
    let home = home();
    let mut builder = tar_writer::Builder::new(Vec::new());
    let value = vec![b'x'; 512 << 10];
    for number in 0..XATTR_LIMIT / value.len() {
        builder.append_pax_extensions([("SCHILY.xattr.user.a", &value[..])]).expect("written");
        let mut header = tar_writer::Header::new_ustar();
        header.set_path(format!("d{number}")).expect("a name");
        header.set_entry_type(Directory);
        header.set_mode(0o755);
        header.set_size(0);
        header.set_cksum();
        builder.append(&header, &[][..]).expect("written");
    }
    let error = unpacked(home.path(), &[builder.into_inner().expect("written")], &plain()).expect_err("too much");
    // The names count too.
    assert!(error.starts_with("cannot keep the extended attributes of `d15`: "), "{error}");
}
