pub(crate) mod archive;

use std::io::Write as _;

use super::*;
use crate::types::ImageReference;

/// A store for one test, removed when dropped.
pub(crate) fn store() -> (tempfile::TempDir, Store) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(&home.path().join("store")).expect("a new store");
    (home, store)
}

fn entries(directory: &Path) -> Vec<String> {
    let list = fs::read_dir(directory).expect("a directory");
    list.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_new_store_is_private_and_opens_again() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_home, store) = store();
    assert_eq!(fs::metadata(store.root()).expect("root").permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(store.index_path()).expect("index").permissions().mode() & 0o777, 0o600);
    Store::open(store.root()).expect("opens again");
}

#[test]
fn a_newer_store_is_read_but_not_written() {
    let (_home, store) = store();
    fs::write(store.root().join("version"), "9\n").expect("written");
    assert!(matches!(Store::open(store.root()), Err(Error::Newer { found: 9, .. })));
    assert_eq!(Store::open_to_read(store.root()).expect("opens").index().expect("reads"), []);
}

#[test]
fn nothing_is_made_to_read_and_nothing_is_an_empty_store() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open_to_read(&home.path().join("none")).expect("opens");
    assert_eq!(store.index().expect("reads"), []);
    assert!(!store.root().exists());
}

#[test]
fn a_blob_is_named_only_when_size_and_digest_are_right() {
    let (_home, store) = store();
    let digest = Hasher::sha256(b"hello");
    for (content, size) in [("hello", 6), ("hell", 4), ("hellO", 5)] {
        let mut writer = store.begin_blob(&digest, size).expect("begins").expect("not there");
        writer.write_all(content.as_bytes()).expect("fits");
        writer.finish(Naming::Synced).expect_err("wrong size or digest");
        assert!(!store.has_blob(&digest, 5).expect("looks"));
        assert_eq!(entries(&store.tmp()), [""; 0]);
    }
    let mut writer = store.begin_blob(&digest, 4).expect("begins").expect("not there");
    writer.write_all(b"hello").expect_err("one byte too many");
    writer.restart().expect("restarts");
    drop(writer);
    let mut writer = store.begin_blob(&digest, 5).expect("begins").expect("not there");
    writer.write_all(b"hello").expect("fits");
    assert_eq!(writer.finish(Naming::Synced).expect("right"), (digest.clone(), 5));
    assert!(store.begin_blob(&digest, 5).expect("begins").is_none());
    assert_eq!(store.read_blob(&digest, 5).expect("reads"), b"hello");
    assert!(matches!(store.read_blob(&digest, 4), Err(Error::TooLarge { .. })));
    fs::write(store.blob_path(&digest), b"jello").expect("damaged");
    assert!(matches!(store.read_blob(&digest, 5), Err(Error::DamagedBlob { .. })));
}

#[test]
fn a_blob_that_was_cut_short_or_changed_is_written_again() {
    let (_home, store) = store();
    let digest = store.put_blob(b"hello").expect("put");
    let heal = |writer: Option<BlobWriter>| {
        let mut writer = writer.expect("what is there is no use");
        writer.write_all(b"hello").expect("fits");
        writer.finish(Naming::Synced).expect("right");
        assert_eq!(store.read_blob(&digest, 5).expect("reads"), b"hello");
    };
    for damage in ["", "hell", "hello, too long"] {
        fs::write(store.blob_path(&digest), damage).expect("damaged");
        heal(store.begin_blob(&digest, 5).expect("begins"));
    }
    fs::write(store.blob_path(&digest), "jello").expect("damaged");
    assert!(store.begin_blob(&digest, 5).expect("a look at the size").is_none());
    heal(store.begin_document(&digest, 5).expect("begins"));
    fs::write(store.blob_path(&digest), "jello").expect("damaged");
    assert_eq!(store.put_blob(b"hello").expect("put"), digest);
    assert_eq!(store.read_blob(&digest, 5).expect("reads"), b"hello");

    store.remove_damaged_blob(&digest).expect("nothing to do");
    assert!(store.has_blob(&digest, 5).expect("looks"));
    fs::write(store.blob_path(&digest), "jello").expect("damaged");
    store.remove_damaged_blob(&digest).expect("removes");
    assert!(!store.has_blob(&digest, 5).expect("looks"));
    assert_eq!(entries(&store.tmp()), [""; 0]);
}

#[test]
fn a_partial_blob_is_taken_over() {
    let (_home, store) = store();
    let digest = Hasher::sha256(b"hello world");
    let mut writer = store.begin_blob(&digest, 11).expect("begins").expect("not there");
    writer.write_all(b"hello ").expect("fits");
    drop(writer);
    let mut writer = store.begin_blob(&digest, 11).expect("begins").expect("not there");
    assert_eq!(writer.offset(), 6);
    writer.write_all(b"world").expect("fits");
    writer.finish(Naming::Synced).expect("right");
    assert_eq!(store.read_blob(&digest, 99).expect("reads"), b"hello world");
}

#[test]
fn two_writers_of_one_blob_join() {
    let (_home, store) = store();
    let digest = Hasher::sha256(b"hello");
    let mut writer = store.begin_blob(&digest, 5).expect("begins").expect("not there");
    std::thread::scope(|scope| {
        let other = scope.spawn(|| store.begin_blob(&digest, 5).expect("begins").is_none());
        writer.write_all(b"hello").expect("fits");
        writer.finish(Naming::Synced).expect("right");
        assert!(other.join().expect("no panic"), "the second finds what the first wrote");
    });
    assert_eq!(entries(&store.tmp()), [""; 0]);
}

#[test]
fn names_move_and_leave_an_unnamed_image() {
    let (_home, store) = store();
    let reference = |text: &str| text.parse::<ImageReference>().expect("a reference");
    let manifest =
        |text: &str| Descriptor::new("application/vnd.oci.image.manifest.v1+json", Hasher::sha256(text.as_bytes()), 2);
    let (one, two) = (manifest("one"), manifest("two"));
    store.tag(&reference("a"), &one, None).expect("tags");
    store.tag(&reference("b"), &one, Some(&two.digest)).expect("tags");
    store.tag(&reference("a"), &two, None).expect("tags");
    store.tag(&reference("b"), &two, None).expect("tags");
    let names: Vec<_> = store.index().expect("reads").into_iter().map(|e| (e.reference, e.manifest.digest)).collect();
    let expected = [
        (None, one.digest.clone()),
        (Some(reference("a")), two.digest.clone()),
        (Some(reference("b")), two.digest.clone()),
    ];
    assert_eq!(names, expected);
    assert!(store.untag(&reference("a")).expect("untags"));
    assert!(!store.untag(&reference("a")).expect("untags"));
    assert!(store.untag(&reference("b")).expect("untags"));
    store.add_unnamed(&one).expect("keeps");
    let names: Vec<_> = store.index().expect("reads").into_iter().map(|e| (e.reference, e.manifest.digest)).collect();
    assert_eq!(names, [(None, one.digest), (None, two.digest)]);
}

#[test]
fn an_index_that_nobody_could_read_is_not_written() {
    let (_home, store) = store();
    let text = String::from_utf8(fs::read(store.index_path()).expect("reads")).expect("text");
    let most = (16 << 20) - text.len() - r#","x":"""#.len();
    fs::write(store.index_path(), text.replacen('{', &format!(r#"{{"x":"{}","#, "x".repeat(most)), 1))
        .expect("written");
    let manifest = Descriptor::new("application/vnd.oci.image.manifest.v1+json", Hasher::sha256(b"m"), 1);
    let name: ImageReference = "name".parse().expect("a name");
    let error = store.tag(&name, &manifest, None).expect_err("too long").to_string();
    assert!(error.starts_with("cannot write `") && error.ends_with("/index.json`: file too large"), "{error}");
    assert_eq!(store.index().expect("can still be read"), []);
}

#[test]
fn the_sweeper_takes_what_the_dead_left_and_nothing_else() {
    let (_home, store) = store();
    let digest = Hasher::sha256(b"hello");
    let writer = store.begin_blob(&digest, 5).expect("begins").expect("not there");
    let (_, _held) = stage::new_directory(&store.tmp(), "layer").expect("made");
    let (dead, lock) = stage::new_directory(&store.tmp(), "layer").expect("made");
    fs::create_dir(dead.join("fs")).expect("made");
    drop(lock);
    fs::create_dir_all(store.trash().join("a/b/c")).expect("made");
    assert!(store.has_leftovers().expect("looks"));
    assert_eq!(store.sweep().expect("sweeps"), 0);
    assert_eq!(entries(&store.tmp()).len(), 2);
    assert_eq!(entries(&store.trash()), [""; 0]);
    assert!(!store.has_leftovers().expect("looks"), "what is left is locked");
    drop(writer);
    assert!(store.has_leftovers().expect("looks"));
    store.sweep().expect("sweeps");
    assert_eq!(entries(&store.tmp()).len(), 1);
    std::os::unix::fs::symlink("nowhere", store.trash().join("link")).expect("linked");
    assert!(store.has_leftovers().expect("looks"));
    store.sweep().expect("sweeps");
    assert!(!store.has_leftovers().expect("looks"));
}

/// If a link were followed, locking would never end, and on a FIFO it would wait for the other end.
#[test]
fn what_is_no_directory_in_the_place_of_a_half_made_one_is_removed() {
    let (home, store) = store();
    let path = store.tmp().join("layer");
    let elsewhere = home.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("made");
    for what in ["file", "fifo", "link", "dangling link", "directory"] {
        match what {
            "file" => fs::write(&path, "").expect("written"),
            "fifo" => rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RWXU).expect("a FIFO"),
            "link" => fs::symlink(&elsewhere, &path).expect("linked"),
            "directory" => fs::create_dir(&path).expect("made"),
            _ => fs::symlink("/nowhere", &path).expect("linked"),
        }
        assert!(stage::claim_directory(&path).expect("looks").is_none(), "{what}");
        assert!(fs::symlink_metadata(&path).is_err() && elsewhere.exists(), "{what}");
        assert!(stage::claim_directory(&path).expect("claims").is_some(), "{what}");
        fs::remove_dir(&path).expect("there");
    }
}

#[test]
fn an_ingest_without_an_end_leaves_a_mark_until_its_garbage_is_collected() {
    let (_home, store) = store();
    let ingest = store.begin_ingest().expect("begins");
    assert!(!store.has_leftovers().expect("looks") && !store.has_garbage().expect("looks"), "it lives");
    ingest.finish().expect("ends");
    assert_eq!(entries(&store.tmp()), [""; 0]);

    drop(store.begin_ingest().expect("begins"));
    drop(store.begin_ingest().expect("begins"));
    assert_eq!(entries(&store.tmp()).len(), 1, "one mark is enough");
    let garbage = store.put_blob(b"garbage").expect("put");
    store.sweep().expect("sweeps");
    assert!(store.has_leftovers().expect("looks") && store.has_garbage().expect("looks"), "the mark stays");
    let lock = store.lock_exclusive().expect("locks");
    let other = store.begin_ingest().expect("begins");
    assert!(!store.collect(&Reachable::default(), &lock).expect("waits"));
    assert!(store.has_garbage().expect("looks"), "nothing was collected");
    other.finish().expect("ends");
    assert!(store.collect(&Reachable::default(), &lock).expect("collects"));
    assert!(!store.has_blob(&garbage, 7).expect("looks") && !store.has_garbage().expect("looks"));
    store.sweep().expect("sweeps");
    assert!(!store.has_leftovers().expect("looks"));
}

#[test]
fn one_process_sweeps_in_the_background_and_says_when_it_cannot_finish() {
    let (_home, store) = store();
    let sweeping = store.begin_sweep().expect("begins").expect("nobody sweeps");
    assert!(store.begin_sweep().expect("looks").is_none());
    sweeping.finish(true);
    assert!(!store.has_failed_to_sweep());
    store.begin_sweep().expect("begins").expect("nobody sweeps").finish(false);
    assert!(store.has_failed_to_sweep());
    store.begin_sweep().expect("begins").expect("nobody sweeps").finish(true);
    assert!(!store.has_failed_to_sweep());
}

#[test]
fn garbage_is_what_nothing_refers_to_and_nobody_brings_in() {
    let (_home, store) = store();
    let (kept, garbage) = (store.put_blob(b"kept").expect("put"), store.put_blob(b"garbage").expect("put"));
    for digest in [&kept, &garbage] {
        fs::create_dir_all(store.layer_path("map", digest).join("fs")).expect("made");
        fs::write(store.layer_path("map", digest).join("info"), "{}").expect("written");
    }
    let only = std::collections::BTreeSet::from([kept.clone()]);
    let reachable = Reachable { blobs: only.clone(), layers: only };
    let lock = store.lock_exclusive().expect("locks");
    let ingest = store.begin_ingest().expect("locks");
    assert!(!store.collect(&reachable, &lock).expect("waits"));
    drop(ingest);
    assert!(store.collect(&reachable, &lock).expect("collects"));
    assert!(store.has_blob(&kept, 4).expect("looks") && store.has_layer("map", &kept).expect("looks"));
    assert!(!store.has_blob(&garbage, 7).expect("looks") && !store.has_layer("map", &garbage).expect("looks"));
    assert_eq!(entries(&store.trash()).len(), 2, "a blob and a layer");
}
