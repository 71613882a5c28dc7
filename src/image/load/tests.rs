//! The attack cases I1 to I8 of safety.md, by the numbers in the names, and that rc loads what it has saved.

use serde_json::{Value, json};

use super::*;
use crate::image::import;
use crate::image::local::{find_whole, list};
use crate::image::save::{Format, save};
use crate::storage::tests::archive::Archive;
use crate::storage::tests::store;
use crate::storage::{Hasher, Ownership, Reachable};

fn options() -> Options {
    Options {
        policy: Policy::read(&[]).expect("no file"),
        platform: None,
        only: None,
        unnamed: false,
        target: Target { map: "one".to_owned(), ownership: Ownership::Single },
    }
}

fn load_bytes(store: &Store, bytes: &[u8]) -> Result<Vec<Loaded>, Error> {
    load(store, Input::Archive(Box::new(io_cursor(bytes)), None), &options())
}

fn io_cursor(bytes: &[u8]) -> std::io::Cursor<Vec<u8>> {
    std::io::Cursor::new(bytes.to_vec())
}

fn layer(name: &str) -> Vec<u8> {
    Archive::default().file(name, b"content").end()
}

/// The text of a document, with 200 000 nested arrays in place of each string [`DEEP`].
fn text(value: &Value) -> Vec<u8> {
    let nested = || format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let text = value.to_string();
    if text.contains(DEEP) { text.replace(&format!("\"{DEEP}\""), &nested()) } else { text }.into_bytes()
}

const DEEP: &str = "(deep)";

fn blob_name(content: &[u8]) -> String {
    format!("blobs/sha256/{}", Hasher::sha256(content).hex())
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": Hasher::sha256(content), "size": content.len()})
}

/// The parts of an OCI image with one layer, for tests that damage them.
struct Parts {
    layer: Vec<u8>,
    config: Value,
    manifest: Value,
}

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

impl Parts {
    fn new() -> Self {
        let layer = layer("file");
        let config = json!({
            "architecture": Platform::host().architecture, "os": "linux", "config": {"Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": [Hasher::sha256(&layer)]},
        });
        let mut parts = Self { layer, config, manifest: Value::Null };
        parts.describe();
        parts
    }

    /// Updates the manifest for the layer and the configuration.
    fn describe(&mut self) {
        self.manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": descriptor(CONFIG, &text(&self.config)),
            "layers": [descriptor(LAYER, &self.layer)],
        });
    }

    fn archive(&self) -> Vec<u8> {
        let manifest = text(&self.manifest);
        self.archive_with(&json!({"schemaVersion": 2, "manifests": [descriptor(MANIFEST, &manifest)]}), &[])
    }

    fn archive_with(&self, index: &Value, more: &[&[u8]]) -> Vec<u8> {
        let mut archive = Archive::default();
        let (manifest, config) = (text(&self.manifest), text(&self.config));
        archive.file("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#).file("index.json", &text(index));
        for content in [self.layer.as_slice(), &manifest, &config].iter().chain(more) {
            archive.file(&blob_name(content), content);
        }
        archive.end()
    }
}

fn refused(bytes: &[u8]) -> String {
    let (_home, store) = store();
    let error = load_bytes(&store, bytes).expect_err("must be refused").to_string();
    assert_eq!(store.index().expect("reads"), []);
    // The mark that asks for a collection is removed with it.
    let lock = store.lock_exclusive().expect("locks");
    assert!(store.collect(&Reachable::default(), &lock).expect("collects"));
    assert_eq!(fs::read_dir(store.tmp()).expect("lists").count(), 0, "left behind");
    error
}

#[test]
fn what_is_imported_is_saved_and_loaded_again() {
    let (_home, first) = store();
    let target = options().target;
    let import_options = import::Options {
        name: Some("localhost/one:1".parse().expect("a name")),
        changes: vec!["CMD sh".to_owned(), "ENV A=b".to_owned()],
        message: Some("by hand".to_owned()),
        platform: None,
        target,
    };
    let (id, info) = import::import(&first, layer("one").as_slice(), &import_options).expect("imports");
    assert_eq!(info.size, layer("one").len() as u64);
    let packed = zstd::encode_all(layer("two").as_slice(), 3).expect("compresses");
    let unnamed = import::Options { name: None, ..import_options };
    let (second_id, _) = import::import(&first, packed.as_slice(), &unnamed).expect("imports");
    for format in [Format::DockerArchive, Format::OciArchive] {
        let mut bytes = Vec::new();
        let both = ["localhost/one:1", second_id.hex()].map(|name| find_whole(&first, name).expect("there"));
        save(&first, both.into(), format, &mut bytes).expect("saves");
        for bytes in [bytes.clone(), zstd::encode_all(bytes.as_slice(), 3).expect("compresses")] {
            let (_home, other) = store();
            let loaded = load_bytes(&other, &bytes).expect("loads");
            assert_eq!(loaded.iter().map(|image| &image.id).collect::<Vec<_>>(), [&id, &second_id], "{format:?}");
            assert_eq!(loaded[0].names, ["localhost/one:1".parse().expect("a name")]);
            let image = find_whole(&other, "localhost/one:1").expect("there");
            assert_eq!((image.config.config.env.as_slice(), image.config.history.len()), (&["A=b".to_owned()][..], 1));
            let directory = other.layer_path("one", &image.layers[0].diff_id).join("fs");
            assert_eq!(fs::read(directory.join("one")).expect("reads"), b"content");
            assert_eq!(list(&other).expect("lists").0.len(), 2);
        }
    }
}

#[test]
fn an_oci_directory_is_loaded() {
    let (home, store) = store();
    let directory = home.path().join("layout");
    fs::create_dir_all(directory.join("blobs/sha256")).expect("made");
    let parts = Parts::new();
    let manifest = text(&parts.manifest);
    let mut entry = descriptor(MANIFEST, &manifest);
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
    let index = text(&json!({"schemaVersion": 2, "manifests": [entry]}));
    fs::write(directory.join("index.json"), index).expect("written");
    for content in [&parts.layer, &manifest, &text(&parts.config)] {
        fs::write(directory.join(blob_name(content)), content).expect("written");
    }
    let loaded = load(&store, Input::Directory(directory.clone()), &options()).expect("loads");
    assert_eq!(loaded[0].names, ["localhost/latest:latest".parse().expect("a name")]);
    fs::remove_file(directory.join(blob_name(&parts.layer))).expect("removed");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        directory.join(blob_name(&parts.layer)),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .expect("made");
    let error = load(&store, Input::Directory(directory), &options()).expect_err("a pipe").to_string();
    assert!(error.starts_with("the archive has no file `blobs/sha256/"), "{error}");
}

#[test]
fn a_directory_of_skopeo_is_loaded() {
    let (home, store) = store();
    let directory = home.path().join("dir");
    fs::create_dir_all(&directory).expect("made");
    let parts = Parts::new();
    let manifest = text(&parts.manifest);
    let write = |name: &str, content: &[u8]| fs::write(directory.join(name), content).expect("written");
    write("version", b"Directory Transport Version: 1.1\n");
    write("manifest.json", &manifest);
    for content in [&parts.layer, &text(&parts.config)] {
        write(Hasher::sha256(content).hex(), content);
    }
    // Also as an archive of that directory.
    let mut archive = Archive::default();
    archive.file("./version", b"x").file("./manifest.json", &manifest);
    for content in [&parts.layer, &text(&parts.config)] {
        archive.file(Hasher::sha256(content).hex(), content);
    }
    let id = Hasher::sha256(&text(&parts.config));
    for input in [Input::Directory(directory.clone()), Input::Archive(Box::new(io_cursor(&archive.end())), None)] {
        let loaded = load(&store, input, &options()).expect("loads");
        assert_eq!((&loaded[0].id, loaded.len(), loaded[0].names.len()), (&id, 1, 0));
    }
    // Nothing is believed by its name.
    write(Hasher::sha256(&parts.layer).hex(), &layer("evil"));
    let error = load(&store, Input::Directory(directory), &options()).expect_err("another layer").to_string();
    assert!(error.contains("expected"), "{error}");
}

#[test]
fn what_is_not_an_image_is_named() {
    for (bytes, expected) in [
        (b"hello\n".to_vec(), "not an archive: a text file"),
        (Vec::new(), "not an archive: an empty file"),
        (zstd::encode_all(&b"{}"[..], 3).expect("compresses"), "not an archive: a JSON document"),
        (
            Archive::default().file("a", b"x").end(),
            "no image found: there is neither `manifest.json` (docker-archive) nor `index.json` (oci-archive)",
        ),
    ] {
        assert_eq!(refused(&bytes), expected);
    }
    let (_home, store) = store();
    let error = load_bytes(&store, &Archive::default().file("etc/passwd", b"x").end()).expect_err("no image");
    assert!(error.hint().is_some_and(|hint| hint.contains("`rc import`")));
    let target = options().target;
    let options = import::Options { name: None, changes: Vec::new(), message: None, platform: None, target };
    let error = import::import(&store, &b"hello\n"[..], &options).expect_err("a text").to_string();
    assert_eq!(error, "not an archive: a text file");
}

#[test]
fn i1_wrong_digests_and_sizes_are_refused() {
    for size in [json!(1_u64 << 60), json!(-1), json!(2047), json!(2049)] {
        let mut parts = Parts::new();
        parts.manifest["layers"][0]["size"] = size.clone();
        let error = refused(&parts.archive());
        let reasons = ["expected", "cannot be read"];
        assert!(reasons.iter().any(|reason| error.contains(reason)), "{size}: {error}");
    }
    let parts = Parts::new();
    let archive = parts.archive();
    let name = blob_name(&parts.layer);
    // The layer's file has other content of the same length.
    let mut damaged = parts.layer.clone();
    damaged[600] ^= 1;
    let position = archive.windows(name.len()).position(|window| window == name.as_bytes()).expect("there");
    let mut bytes = archive.clone();
    bytes[position + 512 + 600] = damaged[600];
    assert!(refused(&bytes).starts_with("content has digest"));
}

#[test]
fn i2_layers_and_diff_ids_must_fit() {
    let mut parts = Parts::new();
    parts.manifest["layers"] = json!([]);
    assert!(refused(&parts.archive()).contains("it has 0 layers, and its configuration lists 1"));
    let mut parts = Parts::new();
    parts.manifest["layers"][0]["mediaType"] = json!("application/x-thing");
    assert!(refused(&parts.archive()).contains("unsupported media type `application/x-thing`"));
    let mut parts = Parts::new();
    parts.config["rootfs"]["diff_ids"] = json!([Hasher::sha256(b"other")]);
    parts.describe();
    assert!(refused(&parts.archive()).contains("its content has diff ID"));
}

#[test]
fn i3_a_manifest_that_is_also_an_index_is_refused() {
    let mut parts = Parts::new();
    parts.manifest["manifests"] = json!([]);
    assert!(refused(&parts.archive()).contains("ambiguous manifest"));
}

#[test]
fn i4_odd_digests_are_refused() {
    for digest in
        ["md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:abc", "sha256:../../x", &format!("sha256:{}", "A".repeat(64))]
    {
        let mut parts = Parts::new();
        parts.manifest["layers"][0]["digest"] = json!(digest);
        assert!(refused(&parts.archive()).contains("invalid digest"), "{digest}");
    }
}

#[test]
fn i5_large_documents_are_refused() {
    let mut parts = Parts::new();
    parts.config["config"]["Labels"] = json!({"big": "x".repeat(5 << 20)});
    parts.describe();
    assert!(refused(&parts.archive()).contains("more than 4194304"));
    let mut parts = Parts::new();
    parts.manifest["annotations"] = json!({"big": "x".repeat(5 << 20)});
    assert!(refused(&parts.archive()).contains("more than 4194304"));
}

#[test]
fn i6_deep_and_circular_documents_are_refused() {
    let mut archive = Archive::default();
    archive.file("index.json", "[".repeat(200_000).as_bytes());
    assert!(refused(&archive.end()).contains("`index.json` is damaged"));
    let parts = Parts::new();
    let inner = text(
        &json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(MANIFEST, &text(&parts.manifest))]}),
    );
    let outer = text(&json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(INDEX, &inner)]}));
    let top = json!({"schemaVersion": 2, "manifests": [descriptor(INDEX, &outer)]});
    assert!(refused(&parts.archive_with(&top, &[&inner, &outer])).contains("nested deeper"));
    let two = json!({"schemaVersion": 2, "manifests": [descriptor(INDEX, &inner)]});
    let (_home, store) = store();
    load_bytes(&store, &parts.archive_with(&two, &[&inner])).expect("one index below the first is fine");
}

#[test]
fn i6_depth_is_bounded_in_fields_that_nobody_knows() {
    let deep = "nested more than 64 levels deep";
    let mut config = Parts::new();
    config.config["unknown"] = json!(DEEP);
    config.describe();
    let mut manifest = Parts::new();
    manifest.manifest["unknown"] = json!(DEEP);
    for archive in [config.archive(), manifest.archive()] {
        let error = refused(&archive);
        assert!(error.contains(deep), "{error}");
    }
    let parts = Parts::new();
    let entry = descriptor(MANIFEST, &text(&parts.manifest));
    let index = json!({"schemaVersion": 2, "manifests": [entry], "unknown": DEEP});
    assert!(refused(&parts.archive_with(&index, &[])).contains(deep));
    let docker = |items: &Value, config: &Value| {
        let mut archive = Archive::default();
        archive.file("manifest.json", &text(items)).file("c.json", &text(config)).file("l.tar", &parts.layer);
        archive.end()
    };
    let mut item = json!({"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["l.tar"]});
    assert!(refused(&docker(&json!([item]), &config.config)).contains(deep));
    item["unknown"] = json!(DEEP);
    assert!(refused(&docker(&json!([item]), &parts.config)).contains(deep));
}

#[test]
fn i7_names_in_a_docker_archive_lead_nowhere() {
    let config = text(&Parts::new().config);
    let archive = |document: &Value| {
        let mut archive = Archive::default();
        archive.file("config.json", &config).symlink("l/layer.tar", "/etc/passwd").symlink("a", "b").symlink("b", "a");
        archive.file("repositories", br#"{"../x":{}}"#).file("manifest.json", &text(document));
        archive.end()
    };
    for layer in ["../../etc/passwd", "/etc/passwd", "l/layer.tar", "a"] {
        let document = json!([{"Config": "config.json", "Layers": [layer]}]);
        assert!(refused(&archive(&document)).contains("which its `manifest.json` names"), "{layer}");
    }
    let document = json!([{"Config": "../../../etc/passwd", "Layers": []}]);
    assert!(refused(&archive(&document)).contains("the archive has no file `../../../etc/passwd`"));
    let document = json!([{"Config": "config.json", "RepoTags": ["../x"], "Layers": ["a"]}]);
    assert!(refused(&archive(&document)).contains("invalid image reference `../x`"));
}

#[test]
fn i7_links_within_a_docker_archive_are_followed() {
    let (_home, store) = store();
    let parts = Parts::new();
    let mut archive = Archive::default();
    archive
        .file("manifest.json", &text(&json!([{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["id/layer.tar"]}])));
    archive.symlink("id/layer.tar", "../real.tar").file("real.tar", &parts.layer).file("c.json", &text(&parts.config));
    let loaded = load_bytes(&store, &archive.end()).expect("loads");
    assert_eq!(loaded[0].names, ["docker.io/library/x:1".parse().expect("a name")]);
}

#[test]
fn i8_what_is_no_image_is_said_so() {
    let mut parts = Parts::new();
    parts.manifest["schemaVersion"] = json!(1);
    assert!(refused(&parts.archive()).contains("unsupported manifest: schema 1, ask the publisher to re-push"));
    let mut parts = Parts::new();
    parts.manifest["layers"][0]["mediaType"] = json!(format!("{LAYER}+encrypted"));
    assert!(refused(&parts.archive()).contains("is encrypted"));
    let parts = Parts::new();
    let manifest = text(&parts.manifest);
    let platform = Platform::host();
    let mut real = descriptor(MANIFEST, &manifest);
    real["platform"] = json!({"os": "linux", "architecture": platform.architecture, "variant": platform.variant});
    let mut attestation = descriptor(MANIFEST, b"attestation");
    attestation["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [attestation, real]});
    let (_home, store) = store();
    assert_eq!(load_bytes(&store, &parts.archive_with(&index, &[])).expect("loads").len(), 1);
    assert!(matches!(
        load_bytes(&store, &Archive::default().file("x", b"").end()),
        Err(Error::NoImage { is_filesystem: false })
    ));
    assert!(matches!(load_bytes(&store, b"no archive"), Err(Error::NotArchive { .. })));
}

#[test]
fn names_and_links_of_an_archive_are_bounded() {
    let (_home, store) = store();
    let endless = |first: &str| {
        let mut archive = Archive::default();
        archive.file(first, b"x");
        let part = "x".repeat(200);
        // Some quarter of a million would be needed of short names.
        for number in 0..2200 {
            let long = format!("{number}/{}", [part.as_str(); 19].join("/"));
            archive.pax(&[(b"path", long.as_bytes()), (b"linkpath", long.as_bytes())]).symlink("l", "t");
        }
        archive.end()
    };
    let refused = load_bytes(&store, &endless("file")).expect_err("refused");
    assert!(matches!(refused, Error::TooManyNames), "{refused}");
    // A root file system has as many, and is told apart all the same.
    let refused = load_bytes(&store, &endless("etc/passwd")).expect_err("refused");
    assert!(matches!(refused, Error::NoImage { is_filesystem: true }), "{refused}");
}
