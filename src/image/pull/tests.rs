//! Pulls from a hostile server into a store per test. Layers are stored as the user, so no namespace is needed.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::image::progress::{Outcome, Silent};
use crate::registry::test_server::{Ending, Reply, Seen, TestServer};
use crate::registry::{Backoff, Places};
use crate::storage::{Hasher, Ownership};
use crate::sys::fs;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// A tar archive of one file.
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(1);
    archive.append_data(&mut header, name, content).expect("an entry");
    archive.into_inner().expect("an archive")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("bytes");
    encoder.finish().expect("a stream")
}

/// A registry of the repository `app`.
#[derive(Clone, Default)]
struct Shelf(BTreeMap<String, Reply>);

impl Shelf {
    fn blob(&mut self, bytes: &[u8]) -> serde_json::Value {
        let digest = Hasher::sha256(bytes).to_string();
        self.0.insert(format!("/v2/app/blobs/{digest}"), Reply::ok(bytes));
        json!({ "digest": digest, "size": bytes.len() })
    }

    fn reply(&mut self, digest: &serde_json::Value, change: impl FnOnce(&mut Reply)) {
        let path = format!("/v2/app/blobs/{}", digest.as_str().expect("a digest"));
        change(self.0.get_mut(&path).expect("a blob"));
    }

    fn manifest(&mut self, tag: &str, media_type: &str, document: &serde_json::Value) -> serde_json::Value {
        let bytes = document.to_string().into_bytes();
        let digest = Hasher::sha256(&bytes).to_string();
        let reply = Reply::ok(bytes.clone()).with("Content-Type", media_type);
        for selector in [tag, &digest] {
            self.0.insert(format!("/v2/app/manifests/{selector}"), reply.clone());
        }
        json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
    }

    /// An image of these layers (blob and diff ID) for amd64, or another architecture.
    fn image(&mut self, tag: &str, architecture: &str, layers: &[(serde_json::Value, Digest)]) -> serde_json::Value {
        let diff_ids: Vec<_> = layers.iter().map(|(_, diff_id)| diff_id.to_string()).collect();
        let config =
            json!({"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids}});
        let mut config = self.blob(config.to_string().as_bytes());
        config["mediaType"] = json!("application/vnd.oci.image.config.v1+json");
        let layers: Vec<_> = layers.iter().map(|(blob, _)| blob.clone()).collect();
        self.manifest(tag, OCI_MANIFEST, &json!({"schemaVersion": 2, "config": config, "layers": layers}))
    }

    fn layer(&mut self, blob: &[u8], archive: &[u8]) -> (serde_json::Value, Digest) {
        let mut descriptor = self.blob(blob);
        descriptor["mediaType"] = json!(LAYER);
        (descriptor, Hasher::sha256(archive))
    }

    fn serve(self) -> TestServer {
        TestServer::start(move |seen| match self.0.get(&seen.target) {
            Some(reply) if seen.range() > 0 && reply.ending == Ending::Whole => {
                let from = seen.range();
                let range = format!("bytes {from}-{}/{}", reply.body.len() - 1, reply.body.len());
                Reply::new(206, &reply.body[from..]).with("Content-Range", range)
            }
            Some(reply) => reply.clone(),
            None if seen.target == "/v2/" => Reply::ok("{}"),
            None => Reply::new(404, ""),
        })
    }
}

struct World {
    _directory: TempDir,
    store: Store,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let store = Store::open(&directory.path().join("store")).expect("a store");
        Self { _directory: directory, store }
    }

    fn pull(&self, server: &TestServer, rest: &str) -> Result<Pulled, Error> {
        self.pull_with(server, rest, |_| {}, &Silent)
    }

    fn pull_with(
        &self,
        server: &TestServer,
        rest: &str,
        change: impl FnOnce(&mut Options),
        progress: &dyn Progress,
    ) -> Result<Pulled, Error> {
        let registry = registry::Options {
            places: Places::default(),
            backoff: Backoff::Fixed(Duration::from_millis(1)),
            stall: Duration::from_secs(5),
            retries: 0,
            ..registry::Options::default()
        };
        let target = Target { map: "test".to_owned(), ownership: Ownership::Single };
        let places = vec![(reference(server, rest), registry)];
        let mut options = Options {
            places,
            demand: Demand::default(),
            platform: Some("linux/amd64".parse().expect("a platform")),
            target,
        };
        change(&mut options);
        pull(&self.store, &reference(server, rest), &options, progress)
    }

    fn content(&self, diff_id: &Digest, name: &str) -> Vec<u8> {
        fs::read(self.store.layer_path("test", diff_id).join("fs").join(name)).expect("a file of the layer")
    }

    /// The files below `blobs`, `layers` and `tmp`, without the marks that ask for a collection.
    fn leftovers(&self) -> Vec<String> {
        let list = |directory: std::path::PathBuf| fs::read_dir(directory).into_iter().flatten().flatten();
        let names = [self.store.images().join("blobs/sha256"), self.store.root().join("layers/test"), self.store.tmp()];
        let names = names.into_iter().flat_map(list).map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| !name.starts_with("garbage-")).collect()
    }
}

fn reference(server: &TestServer, rest: &str) -> ImageReference {
    format!("{}/{rest}", server.authority()).parse().expect("a reference")
}

/// The digests of the blobs that clients requested from a server.
fn fetched(server: &TestServer) -> Vec<String> {
    let seen = server.seen().into_iter();
    let mut blobs: Vec<_> = seen.filter_map(|seen| Some(seen.target.split_once("/blobs/")?.1.to_owned())).collect();
    blobs.sort();
    blobs
}

fn refused(outcome: Result<Pulled, Error>) -> String {
    outcome.map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
}

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl Notes {
    fn add(&self, note: String) {
        self.0.lock().expect("notes").push(note);
    }
}

impl Progress for Notes {
    fn start(&self, _: &ImageReference) {
        self.add("start".to_owned());
    }
    fn begin(&self, _: &Digest, size: u64) {
        self.add(format!("begin {size}"));
    }
    fn advance(&self, _: &Digest, bytes: u64) {
        if bytes > 0 {
            self.add(format!("advance {bytes}"));
        }
    }
    fn finish(&self, _: &Digest, outcome: Outcome) {
        self.add(format!("finish {outcome:?}"));
    }
}

#[test]
fn layers_of_every_compression_are_unpacked_and_fetched_once() {
    let mut shelf = Shelf::default();
    let archives = [tar("plain", b"1"), tar("gzip", b"2"), tar("zstd", b"3")];
    let layers = [
        shelf.layer(&archives[0], &archives[0]),
        shelf.layer(&gzip(&archives[1]), &archives[1]),
        shelf.layer(&zstd::encode_all(&archives[2][..], 1).expect("a frame"), &archives[2]),
    ];
    let twice = [&layers[..], &layers[..1]].concat();
    shelf.image("1", "amd64", &twice);
    let server = shelf.serve();
    let world = World::new();
    let pulled = world.pull(&server, "app:1").expect("an image");
    assert_eq!(pulled.reference, reference(&server, "app:1"));
    for (name, content, (_, diff_id)) in
        [("plain", b"1", &layers[0]), ("gzip", b"2", &layers[1]), ("zstd", b"3", &layers[2])]
    {
        assert_eq!(world.content(diff_id, name), content);
    }
    let names: Vec<_> = world.store.index().expect("reads").into_iter().map(|entry| entry.reference).collect();
    assert_eq!(names, [Some(reference(&server, "app:1"))]);
    // Three layers and the configuration, each once, and none again in a second pull.
    assert_eq!(fetched(&server).len(), 4);
    assert_eq!(world.pull(&server, "app:1").expect("the same image"), pulled);
    assert_eq!(fetched(&server).len(), 4);
}

#[test]
fn progress_counts_every_byte() {
    let mut shelf = Shelf::default();
    let archive = tar("a", b"1");
    let layer = shelf.layer(&archive, &archive);
    shelf.image("1", "amd64", &[layer]);
    let server = shelf.serve();
    let world = World::new();
    for (last, begins) in [("finish Fetched", 1), ("finish Present", 0)] {
        let notes = Notes::default();
        world.pull_with(&server, "app:1", |_| {}, &notes).expect("an image");
        let notes = notes.0.into_inner().expect("notes");
        let bytes = notes.iter().filter_map(|note| note.strip_prefix("advance ")?.parse::<usize>().ok()).sum::<usize>();
        assert_eq!(bytes, begins * archive.len());
        assert_eq!(notes.iter().filter(|note| **note == format!("begin {}", archive.len())).count(), begins);
        assert_eq!((notes.first().map(String::as_str), notes.last().map(String::as_str)), (Some("start"), Some(last)));
    }
}

#[test]
fn the_platform_of_an_index_is_chosen_and_its_digest_kept() {
    let mut shelf = Shelf::default();
    let (one, two) = (tar("a", b"amd64"), tar("a", b"arm64"));
    let layers = [shelf.layer(&one, &one), shelf.layer(&two, &two)];
    let mut entries = [shelf.image("x", "amd64", &layers[..1]), shelf.image("y", "arm64", &layers[1..])];
    entries[0]["platform"] = json!({"os": "linux", "architecture": "amd64"});
    entries[1]["platform"] = json!({"os": "linux", "architecture": "arm64", "variant": "v8"});
    let index = shelf.manifest("1", OCI_INDEX, &json!({"schemaVersion": 2, "manifests": entries}));
    let server = shelf.serve();
    let world = World::new();
    let arm = |options: &mut Options| options.platform = Some("linux/arm64".parse().expect("a platform"));
    let pulled = world.pull_with(&server, "app:1", arm, &Silent).expect("an image");
    assert_eq!(pulled.manifest.to_string(), entries[1]["digest"]);
    assert_eq!(world.content(&layers[1].1, "a"), b"arm64");
    let entry = &world.store.index().expect("an index")[0];
    assert_eq!(entry.index_digest().map(|digest| digest.to_string()).as_deref(), index["digest"].as_str());
    let other = |options: &mut Options| options.platform = Some("linux/s390x".parse().expect("a platform"));
    let text = refused(world.pull_with(&server, "app:1", other, &Silent));
    assert!(text.ends_with("it has no image for linux/s390x, only for linux/amd64, linux/arm64/v8"), "{text}");
}

#[test]
fn an_image_for_another_platform_is_refused_if_one_was_asked_for_and_told_otherwise() {
    let mut shelf = Shelf::default();
    let archive = tar("a", b"1");
    let layer = shelf.layer(&archive, &archive);
    shelf.image("1", "s390x", &[layer]);
    let server = shelf.serve();
    let world = World::new();
    let text = refused(world.pull(&server, "app:1"));
    assert!(text.ends_with("it is for linux/s390x, not for linux/amd64"), "{text}");
    let pulled = world.pull_with(&server, "app:1", |options| options.platform = None, &Silent).expect("an image");
    assert_eq!(pulled.other_platform.as_deref(), Some("linux/s390x"));
}

#[test]
fn indexes_are_nested_twice_at_most() {
    // I6
    let mut shelf = Shelf::default();
    let mut entry = shelf.image("0", "amd64", &[]);
    for depth in 1..=3 {
        entry = shelf.manifest(&depth.to_string(), OCI_INDEX, &json!({"schemaVersion": 2, "manifests": [entry]}));
    }
    let server = shelf.serve();
    let world = World::new();
    world.pull(&server, "app:2").expect("an image");
    assert!(refused(world.pull(&server, "app:3")).ends_with("indexes are nested deeper than 2"));
}

#[test]
fn layers_that_are_not_what_they_should_be_leave_nothing() {
    // I1, I2
    type Change = fn(&mut (serde_json::Value, Digest), &mut Shelf);
    let cases: [(Change, &str); 5] = [
        (|layer, _| layer.1 = Hasher::sha256(b"another"), "has diff ID"),
        (
            |layer, _| layer.0["size"] = json!(layer.0["size"].as_u64().expect("a size") - 1),
            "has more than its declared",
        ),
        (
            |layer, _| layer.0["size"] = json!(layer.0["size"].as_u64().expect("a size") + 1),
            "has fewer than its declared",
        ),
        (|layer, _| layer.0["size"] = json!(1_u64 << 60), "has fewer than its declared"),
        (|layer, shelf| shelf.reply(&layer.0["digest"].clone(), |reply| reply.body[600] ^= 1), "expected `sha256:"),
    ];
    for (change, reason) in cases {
        let mut shelf = Shelf::default();
        let archive = tar("a", &[1; 5_000]);
        let mut layer = shelf.layer(&archive, &archive);
        change(&mut layer, &mut shelf);
        shelf.image("1", "amd64", &[layer]);
        let server = shelf.serve();
        let world = World::new();
        let text = refused(world.pull(&server, "app:1"));
        assert!(text.starts_with("cannot pull `127.0.0.1:") && text.contains(reason), "{reason}: {text}");
        // The blobs of the manifest and the configuration are right, and may stay.
        assert_eq!(world.leftovers().len(), 2, "{reason}: {:?}", world.leftovers());
        assert!(world.store.index().expect("an index").is_empty());
    }
}

#[test]
fn a_broken_pull_is_taken_up_where_it_stopped() {
    let mut shelf = Shelf::default();
    let archive = tar("a", &[7; 100_000]);
    let layer = shelf.layer(&archive, &archive);
    let digest = layer.0["digest"].clone();
    shelf.image("1", "amd64", std::slice::from_ref(&layer));
    let whole = shelf.clone();
    shelf.reply(&digest, |reply| reply.ending = Ending::Cut(50_000));
    let broken = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let flag = Arc::clone(&broken);
    // One server with two behaviours: the image's name contains its port.
    let server = TestServer::start(move |seen: &Seen| {
        let is_broken = flag.load(std::sync::atomic::Ordering::SeqCst);
        let reply = if is_broken { shelf.0.get(&seen.target) } else { whole.0.get(&seen.target) };
        match reply {
            Some(reply) if seen.range() > 0 => {
                let range = format!("bytes {}-{}/{}", seen.range(), reply.body.len() - 1, reply.body.len());
                Reply::new(206, &reply.body[seen.range()..]).with("Content-Range", range)
            }
            Some(reply) => reply.clone(),
            None => Reply::ok("{}"),
        }
    });
    let world = World::new();
    let text = refused(world.pull(&server, "app:1"));
    assert!(text.contains("broke"), "{text}");
    broken.store(false, std::sync::atomic::Ordering::SeqCst);
    world.pull(&server, "app:1").expect("an image");
    assert_eq!(world.content(&layer.1, "a"), [7; 100_000]);
    let ranges: Vec<usize> = server
        .seen()
        .iter()
        .filter(|seen| seen.target.ends_with(digest.as_str().expect("text")))
        .map(Seen::range)
        .collect();
    assert_eq!(ranges, [0, 50_000]);
}

#[test]
fn pulls_of_the_same_image_join_each_other() {
    let mut shelf = Shelf::default();
    let archives: Vec<_> = (0_u8..6).map(|number| tar("a", &vec![number; 200_000])).collect();
    let layers: Vec<_> = archives.iter().map(|archive| shelf.layer(&gzip(archive), archive)).collect();
    shelf.image("1", "amd64", &layers);
    let server = shelf.serve();
    let world = World::new();
    std::thread::scope(|scope| {
        let pulls: Vec<_> = (0..5).map(|_| scope.spawn(|| world.pull(&server, "app:1").expect("an image"))).collect();
        pulls.into_iter().for_each(|pull| drop(pull.join().expect("no panic")));
    });
    let mut blobs = fetched(&server);
    blobs.retain(|digest| layers.iter().any(|(blob, _)| blob["digest"] == digest.as_str()));
    assert_eq!(blobs.len(), layers.len(), "{blobs:?}");
}

#[test]
fn what_was_damaged_is_fetched_or_unpacked_again() {
    let mut shelf = Shelf::default();
    let archive = tar("a", &[7; 50_000]);
    let layer = shelf.layer(&gzip(&archive), &archive);
    shelf.image("1", "amd64", std::slice::from_ref(&layer));
    let server = shelf.serve();
    let world = World::new();
    let pulled = world.pull(&server, "app:1").expect("an image");
    let blob: Digest = layer.0["digest"].as_str().expect("text").parse().expect("a digest");
    let unpacked = world.store.layer_path("test", &layer.1);
    let check = |damage: &str| {
        assert_eq!(world.pull(&server, "app:1").unwrap_or_else(|error| panic!("{damage}: {error}")), pulled);
        for digest in [&blob, &pulled.id, &pulled.manifest] {
            world.store.check_blob(digest).unwrap_or_else(|error| panic!("{damage}: {error}"));
        }
        assert_eq!(world.content(&layer.1, "a"), [7; 50_000], "{damage}");
        assert_eq!(fs::read_dir(world.store.tmp()).expect("lists").count(), 0, "{damage}");
    };
    for digest in [&blob, &pulled.id, &pulled.manifest] {
        let path = world.store.blob_path(digest);
        let right = fs::read(&path).expect("reads");
        let mut flipped = right.clone();
        flipped[right.len() / 2] ^= 1;
        for (damage, bytes) in [("empty", &right[..0]), ("cut", &right[1..]), ("flipped", &flipped)] {
            fs::write(&path, bytes).expect("damaged");
            // For a blob whose layer exists, only the size is checked; its content is not read.
            if *digest == blob && damage == "flipped" {
                fs::remove_dir_all(&unpacked).expect("removed");
            }
            check(damage);
        }
    }
    world.store.sync_layers().expect("syncs");
    fs::write(unpacked.join("info"), "").expect("damaged");
    check("a layer without what is written last");
    fs::remove_dir_all(&unpacked).expect("removed");
    check("no layer");
}
