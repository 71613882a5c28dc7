//! The attack cases T1 to T18 of safety.md, by the numbers in the names.

mod entries;
mod paths;
mod sizes;

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

    /// The same for a second archive in this lab, whose store has blobs already.
    fn bad_again(&self, archive: &Archive) -> String {
        self.store.import_layer(archive.end().as_slice(), &target()).expect_err("must not unpack").to_string()
    }
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("lists").map(|entry| entry.expect("reads").file_name());
    let mut names: Vec<_> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
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

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("compresses");
    encoder.finish().expect("compresses")
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).expect("a writer");
    encoder.write_all(bytes).expect("compresses");
    encoder.finish().expect("compresses")
}

/// A stream whose block asks for a dictionary of 4 GiB.
fn greedy_xz() -> Vec<u8> {
    let mut bytes = xz(b"x");
    // After the header of the stream: the header of the block, which ends with its checksum.
    let end = 12 + (usize::from(bytes[12]) + 1) * 4;
    let filter = bytes[12..end].windows(2).position(|pair| pair == [0x21, 1]).expect("the filter LZMA2");
    bytes[12 + filter + 2] = 40;
    let mut sum = flate2::Crc::new();
    sum.update(&bytes[12..end - 4]);
    bytes[end - 4..end].copy_from_slice(&sum.sum().to_le_bytes());
    bytes
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).expect("compresses");
    encoder.finish().expect("compresses")
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
