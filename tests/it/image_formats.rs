//! Compressions and formats of archives and directories with images.

use std::fs;
use std::io::Write as _;

use crate::support::processes::waits_for_lock;
use crate::support::{Image, Lab, Layer};

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).expect("a writer");
    encoder.write_all(bytes).expect("compresses");
    encoder.finish().expect("compresses")
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).expect("compresses");
    encoder.finish().expect("compresses")
}

#[test]
fn xz_and_bzip2_are_read_wherever_an_archive_is() {
    let lab = Lab::new();
    let image = Image::payload().config(serde_json::json!({ "Cmd": ["/payload", "exit", "3"] }));
    let root = crate::support::image::payload_layer();
    for (name, pack) in [("xz", xz as fn(&[u8]) -> Vec<u8>), ("bzip2", bzip2)] {
        lab.rc(["load", "-q"])
            .input(pack(&image.oci_archive("first:1")))
            .run()
            .prints("Loaded image: localhost/first:1\n");
        drop(lab.rc(["run", "--rm", "--network", "none", "first:1"]).run().exits(3));
        lab.rc(["rmi", "-fa"]).run().succeeds();
        lab.rc(["import", "-q", "-", name]).input(pack(&root)).run().succeeds();
        drop(lab.rc(["run", "--rm", "--network", "none", name, "/payload", "exit", "4"]).run().exits(4));
        // What others get is a layer as they know it.
        lab.rc(["save", "-q", "--format", "oci-archive", "-o", "saved.tar", name]).run().says_nothing();
        let saved = fs::read(lab.work("saved.tar")).expect("an archive");
        let magic = pack(&root)[..6].to_vec();
        assert!(!saved.windows(6).any(|bytes| bytes == magic), "{name}");
        // A damaged one is refused, and nothing of it stays.
        let half = pack(&root);
        let output = lab.rc(["import", "-q", "-", "half"]).input(&half[..half.len() / 2]).run().exits(125);
        assert!(output.stderr().contains("cannot read the archive: "), "{output}");
        lab.rc(["rmi", "-fa"]).run().succeeds();
    }
}

#[test]
fn layers_of_docker_archives_may_have_any_compression() {
    let lab = Lab::new();
    let layer = crate::support::image::payload_layer();
    let config = serde_json::json!({
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": { "type": "layers", "diff_ids": [crate::support::image::digest(&layer)] },
    });
    for (name, packed) in [("xz", xz(&layer)), ("bzip2", bzip2(&layer))] {
        let manifest =
            serde_json::json!([{ "Config": "c.json", "RepoTags": [format!("{name}:1")], "Layers": ["l.tar"] }]);
        let archive = Layer::new()
            .file("manifest.json", 0o644, manifest.to_string().as_bytes())
            .file("c.json", 0o644, config.to_string().as_bytes())
            .file("l.tar", 0o644, &packed)
            .bytes();
        lab.rc(["load", "-q"]).input(archive).run().succeeds();
        drop(
            lab.rc(["run", "--rm", "--network", "none", &format!("{name}:1"), "/payload", "exit", "5"]).run().exits(5),
        );
        lab.rc(["rmi", "-fa"]).run().succeeds();
    }
}

#[test]
fn images_are_saved_to_directories_and_loaded_from_them() {
    let lab = Lab::new();
    for (name, word) in [("first:1", "1"), ("second:1", "2")] {
        let image = Image::payload().config(serde_json::json!({ "Cmd": ["/payload", "exit", word] }));
        lab.rc(["load", "-q"]).input(image.oci_archive(name)).run().succeeds();
    }
    lab.rc(["save", "--format", "oci-dir", "--uncompressed", "-o", "both", "first:1", "second:1"]).run().says_nothing();
    lab.rc(["save", "--format", "docker-dir", "-o", "one", "second:1"]).run().says_nothing();
    // Who adds to a directory waits for who changes its index.
    lab.rc(["save", "--format", "oci-dir", "-o", "late", "second:1"]).run().says_nothing();
    let held = fs::File::open(lab.work("late")).expect("a directory");
    held.lock().expect("locked");
    let adding = lab.rc(["save", "--format", "oci-dir", "-o", "late", "first:1"]).start();
    waits_for_lock(adding.pid());
    drop(held);
    adding.wait().says_nothing();
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(lab.work("late/index.json")).expect("read")).expect("JSON");
    assert_eq!(index["manifests"].as_array().expect("entries").len(), 2, "{index}");
    assert!(lab.work("both/oci-layout").exists() && lab.work("one/version").exists());
    lab.rc(["save", "--format", "docker-dir", "-o", "two", "first:1", "second:1"]).run().fails(
        125,
        "rc: a directory of this format holds one image\n\
         hint: use `--format oci-dir`, or one directory for each image\n",
    );
    assert!(!lab.work("two").exists());
    lab.rc(["save", "--format", "oci-dir", "first:1"])
        .run()
        .fails(125, "rc: a directory cannot be written to standard output\nhint: use `--output DIR`\n");
    lab.rc(["import", "-q", "-", "plain"]).input(crate::support::image::payload_layer()).run().succeeds();
    let compress = |name: &str| lab.rc(["save", "--compress", "--format", "docker-dir", "-o", "three", name]).run();
    compress("first:1").says_nothing();
    let output = compress("plain").exits(125);
    assert!(output.stderr().contains("is not compressed, and `save` writes layers as they are"), "{output}");
    lab.rc(["save", "--compress", "first:1"]).run().fails(125, "rc: `--compress` needs `--format docker-dir`\n");
    lab.rc(["rmi", "-fa"]).run().succeeds();
    lab.rc(["load", "-q", "-i", "both"])
        .run()
        .prints("Loaded image: localhost/first:1\nLoaded image: localhost/second:1\n");
    drop(lab.rc(["run", "--rm", "--network", "none", "second:1"]).run().exits(2));
    lab.rc(["rmi", "-fa"]).run().succeeds();
    let id = lab.rc(["load", "-q", "-i", "one"]).run().text();
    let id = id.strip_prefix("Loaded image: ").expect("its ID").to_owned();
    drop(lab.rc(["run", "--rm", "--network", "none", &id]).run().exits(2));
}

#[test]
fn an_image_is_for_a_platform_that_can_be_set_and_asked_for() {
    let lab = Lab::new();
    let root = crate::support::image::payload_layer();
    let import = ["import", "-q", "--os", "linux", "--arch", "arm", "--variant", "v6", "-", "armv6"];
    lab.rc(import).input(root).run().succeeds();
    let platform = "{{.Os}}/{{.Architecture}}/{{.Variant}}";
    lab.rc(["image", "inspect", "--format", platform, "armv6"]).run().prints("linux/arm/v6\n");
    for words in [&["history"][..], &["image", "inspect"]] {
        lab.rc(words).args(["--platform", "linux/arm/v6", "armv6"]).run().succeeds();
        let output = lab.rc(words).args(["--platform", "linux/s390x", "armv6"]).run().exits(125);
        assert!(output.stderr().starts_with("rc: image `armv6` is for linux/arm/v6, not for linux/s390x"), "{output}");
    }
    lab.rc(["image", "prune", "-f", "--build-cache", "--external"]).run().says_nothing();
    lab.rc(["rmi", "--no-prune", "armv6"]).run().succeeds();
    lab.rc(["volume", "create", "unused"]).run().succeeds();
    lab.rc(["volume", "prune", "--dry-run"]).run().prints("unused\n");
    lab.rc(["volume", "rm", "unused"]).run().prints("unused\n");
}
