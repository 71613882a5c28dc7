use serde_json::json;

use super::*;
use crate::storage::Hasher;
use crate::sys::fs;

fn store() -> (tempfile::TempDir, Store) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let store = Store::open(&home.path().join("store")).expect("a new store");
    (home, store)
}

fn reference(text: &str) -> ImageReference {
    text.parse().expect("a reference")
}

/// An image of one layer whose content is `text`, with these names. The layer is not unpacked.
fn make(store: &Store, text: &str, names: &[&str]) -> Descriptor {
    let layer = store.put_blob(text.as_bytes()).expect("put");
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": {"Cmd": ["sh"], "Env": ["A=b"], "ExposedPorts": {"80/tcp": {}}, "StopSignal": "SIGINT"},
        "rootfs": {"type": "layers", "diff_ids": [layer]},
    });
    let config_bytes = serde_json::to_vec(&config).expect("writes");
    let config = store.put_blob(&config_bytes).expect("put");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": config_bytes.len()
        },
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": text.len()}],
    });
    let bytes = serde_json::to_vec(&manifest).expect("writes");
    let digest = store.put_blob(&bytes).expect("put");
    let descriptor = Descriptor::new("application/vnd.oci.image.manifest.v1+json", digest, bytes.len() as u64);
    for name in names {
        store.tag(&reference(name), &descriptor, None).expect("tags");
    }
    if names.is_empty() {
        store.add_unnamed(&descriptor).expect("keeps");
    }
    descriptor
}

fn read_json(store: &Store, blob: &Digest) -> serde_json::Value {
    json::from_slice(&store.read_blob(blob, MANIFEST_LIMIT).expect("reads")).expect("JSON")
}

#[test]
fn images_are_found_by_name_digest_and_id() {
    let (_home, store) = store();
    let one = make(&store, "one", &["busybox", "localhost/mine:1"]);
    let index = Hasher::sha256(b"index");
    store.tag(&reference("ghcr.io/a/b:2"), &one, Some(&index)).expect("tags");
    let two = make(&store, "two", &[]);
    let image = find_whole(&store, "busybox").expect("by its short name");
    assert_eq!(image.reference, Some(reference("docker.io/library/busybox:latest")));
    assert_eq!(image.manifest.digest, one.digest);
    assert_eq!(image.names.len(), 3);
    let id = image.id.to_string();
    for name in [
        "docker.io/library/busybox:latest",
        "mine:1",
        "localhost/mine:1",
        &format!("busybox@{}", one.digest),
        &format!("ghcr.io/a/b@{index}"),
        &id,
        &id[7..],
        &id[7..20],
    ] {
        assert_eq!(find_whole(&store, name).map(|image| image.id.to_string()).ok(), Some(id.clone()), "{name}");
    }
    assert!(image.digests().contains(&format!("ghcr.io/a/b@{index}")));
    for name in ["nothing", "mine", "busybox:2", "", "g", "../x", &format!("other@{}", one.digest)] {
        assert!(matches!(find_whole(&store, name), Err(Error::NotFound { .. })), "{name}");
    }
    let all = list(&store).expect("lists").0;
    assert_eq!(all.iter().map(|image| &image.manifest.digest).collect::<Vec<_>>(), [&one.digest, &two.digest]);
    let defaults = image.defaults("busybox");
    assert_eq!(defaults.source.exposed_ports, ["80/tcp"]);
    assert_eq!(
        (defaults.command, defaults.env, defaults.stop_signal),
        (vec!["sh".into()], vec!["A=b".into()], Some("SIGINT".into()))
    );
}

#[test]
fn an_id_that_begins_two_images_is_refused() {
    let (_home, store) = store();
    // With 17 images two IDs share their first digit.
    for number in 0..17 {
        make(&store, &number.to_string(), &[]);
    }
    let ids: Vec<_> = list(&store).expect("lists").0.into_iter().map(|image| image.id.hex().to_owned()).collect();
    let twice = ids.iter().map(|id| &id[..1]).find(|first| ids.iter().filter(|id| id.starts_with(*first)).count() > 1);
    assert!(matches!(find_whole(&store, twice.expect("17 ids, 16 digits")), Err(Error::Ambiguous { .. })));
}

#[test]
fn the_last_name_takes_the_image_with_it() {
    let (_home, store) = store();
    make(&store, "one", &["a", "b"]);
    let image = find_whole(&store, "a").expect("there");
    let none = InUse::default();
    let mut used = InUse::default();
    used.add(&image.defaults("a").source, "web");
    {
        let removal = Removal::begin(&store).expect("begins");
        let by_id = removal.remove(&LazyRegistries::default(), image.id.hex(), &none, false);
        assert!(matches!(by_id, Err(Error::SeveralNames { .. })));
        let removed = removal.remove(&LazyRegistries::default(), "a", &used, false).expect("one of two names");
        assert_eq!(removed, Removed { untagged: vec![reference("a")], deleted: vec![] });
        let error = removal.remove(&LazyRegistries::default(), "b", &used, true).expect_err("in use").to_string();
        assert_eq!(error, "image `b` is in use by container `web`");
        let removed = removal.remove(&LazyRegistries::default(), "b", &none, false).expect("removes");
        assert_eq!(removed, Removed { untagged: vec![reference("b")], deleted: vec![image.id.clone()] });
        assert!(removal.collect(&none).expect("collects"));
    }
    assert_eq!(list(&store).expect("lists").0, []);
    for digest in [&image.id, &image.manifest.digest, &image.layers[0].blob.digest] {
        assert!(!store.blob_path(digest).exists());
    }
}

#[test]
fn an_id_stays_until_its_last_name_is_removed_whatever_forms_the_image_has() {
    let (_home, store) = store();
    let first = make(&store, "one", &["a"]);
    // The same configuration in another manifest, as after a pull in another compression.
    let mut manifest: serde_json::Value = read_json(&store, &first.digest);
    manifest["annotations"] = json!({ "form": "second" });
    let bytes = serde_json::to_vec(&manifest).expect("writes");
    let digest = store.put_blob(&bytes).expect("put");
    let second = Descriptor::new(first.media_type.clone(), digest, bytes.len() as u64);
    store.tag(&reference("b"), &second, None).expect("tags");
    let image = find_whole(&store, "a").expect("there");
    assert_eq!(find_whole(&store, "b").expect("there").id, image.id);
    let none = InUse::default();
    let mut used = InUse::default();
    used.add(&image.defaults("a").source, "web");
    let removal = Removal::begin(&store).expect("begins");
    let by_id = removal.remove(&LazyRegistries::default(), image.id.hex(), &none, false);
    assert!(matches!(by_id, Err(Error::SeveralNames { names, .. }) if names == [reference("a"), reference("b")]));
    let removed = removal.remove(&LazyRegistries::default(), "a", &used, false).expect("one of two names");
    assert_eq!(removed, Removed { untagged: vec![reference("a")], deleted: vec![] });
    assert!(matches!(removal.remove(&LazyRegistries::default(), "b", &used, false), Err(Error::InUse { .. })));
    let removed = removal.remove(&LazyRegistries::default(), "b", &none, false).expect("removes");
    assert_eq!(removed, Removed { untagged: vec![reference("b")], deleted: vec![image.id.clone()] });
    assert!(store.index().expect("reads").is_empty());
    drop(removal);
    // A form without a name goes with the last name.
    store.add_unnamed(&first).expect("keeps");
    store.tag(&reference("b"), &second, None).expect("tags");
    let removed = Removal::begin(&store)
        .and_then(|removal| removal.remove(&LazyRegistries::default(), "b", &none, false))
        .expect("removes");
    assert_eq!(removed, Removed { untagged: vec![reference("b")], deleted: vec![image.id] });
    assert!(store.index().expect("reads").is_empty());
}

#[test]
fn what_two_images_share_stays_with_the_other() {
    let (_home, store) = store();
    make(&store, "shared", &["a"]);
    let layer = find_whole(&store, "a").expect("there").layers[0].blob.digest.clone();
    make(&store, "garbage", &[]);
    let other = find_whole(&store, "a").expect("there");
    tag(&store, &other, &reference("b")).expect("tags");
    let removal = Removal::begin(&store).expect("begins");
    removal.remove(&LazyRegistries::default(), "a", &InUse::default(), false).expect("removes");
    removal.collect(&InUse::default()).expect("collects");
    assert!(store.blob_path(&layer).exists());
    // The one with the other name, and the one that never had a name.
    assert_eq!(list(&store).expect("lists").0.len(), 2);
}

#[test]
fn a_damaged_image_is_named_and_can_be_removed() {
    let (_home, store) = store();
    let manifest = make(&store, "one", &["a"]);
    make(&store, "two", &["b"]);
    fs::write(store.blob_path(&manifest.digest), "{}").expect("damaged");
    let (images, damaged) = list(&store).expect("lists");
    assert_eq!((images.len(), damaged.len()), (1, 1));
    assert!(find_whole(&store, "a").is_err());
    let removal = Removal::begin(&store).expect("begins");
    removal.remove(&LazyRegistries::default(), "a", &InUse::default(), false).expect("removes");
    assert!(find_name(&store.index().expect("reads"), &LazyRegistries::default(), "a").expect("looks").is_none());
}

#[test]
fn a_name_by_digest_is_no_tag() {
    let (_home, store) = store();
    let manifest = make(&store, "one", &["a"]);
    let image = find_whole(&store, "a").expect("there");
    assert!(tag(&store, &image, &reference(&format!("b@{}", manifest.digest))).is_err());
    assert_eq!(untag(&store, &LazyRegistries::default(), "a").expect("untags"), reference("a"));
    assert!(matches!(untag(&store, &LazyRegistries::default(), "a"), Err(Error::NotFound { .. })));
}
