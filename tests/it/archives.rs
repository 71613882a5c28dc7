//! `rc save` and `rc load`: rc and other tools load what rc saves, unchanged.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::image::hex;
use crate::support::{Compression, Image, Lab, Layer};

/// An image with every kind of compression, and a layer that removes a file of another.
fn image() -> Image {
    Image::payload()
        .packed_layer(
            Layer::new()
                .directory("data", 0o1777)
                .file("data/a", 0o640, b"one")
                .file("data/gone", 0o644, b"gone")
                .link("data/b", "data/a")
                .symlink("data/c", "a")
                .extended([("path", "data/new\nline \u{1b}[2J".as_bytes())])
                .file("x", 0o4755, b"name")
                .bytes(),
            Compression::Zstd,
        )
        .packed_layer(Layer::new().whiteout("data/gone").file("data/d", 0o600, b"two").bytes(), Compression::None)
        .config(json!({ "Env": ["A=1"], "Cmd": ["/payload", "echo", "hi"], "Labels": { "l": "v" }, "User": "0:0" }))
}

fn load(lab: &Lab, archive: &Path) {
    lab.rc(["load", "-q", "-i"]).arg(archive).run().succeeds();
}

/// Id, layers and configuration.
fn facts(lab: &Lab) -> Value {
    let image = lab.rc(["inspect", "--type", "image", "round:trip"]).run().json()[0].take();
    json!([image["Id"], image["RootFS"], image["Config"], image["Architecture"], image["Os"]])
}

fn tree(lab: &Lab) -> String {
    lab.rc(["run", "--rm", "--network", "none", "round:trip", "/payload", "tree", "/data"]).run().text()
}

#[test]
fn an_image_is_unchanged_by_saving_and_loading_in_both_formats() {
    let lab = Lab::new();
    let first = lab.work("first.tar");
    fs::write(&first, image().oci_archive("round:trip")).expect("an archive can be written");
    load(&lab, &first);
    let (expected, files) = (facts(&lab), tree(&lab));
    assert!(files.contains("new\\nline"), "{files}");
    assert!(!files.contains("gone"), "{files}");
    let manifest = hex(image().parts().manifest.to_string().as_bytes());
    for format in ["oci-archive", "docker-archive"] {
        let saved = lab.work(format);
        lab.rc(["save", "-q", "--format", format, "-o"]).arg(&saved).arg("round:trip").run().succeeds();
        // An archive does not depend on when and by whom it was saved.
        let again = lab.rc(["save", "-q", "--format", format, "round:trip"]).run().exits(0);
        assert!(again.stdout == fs::read(&saved).expect("an archive can be read"), "{format} is not the same twice");

        let directory = lab.work(format!("{format}.d"));
        fs::create_dir(&directory).expect("a directory can be made");
        lab.program("tar", ["-x", "-f"]).arg(&saved).arg("-C").arg(&directory).run().says_nothing();
        if format == "oci-archive" {
            let blobs = directory.join("blobs/sha256");
            for blob in fs::read_dir(&blobs).expect("blobs").flatten() {
                assert_eq!(hex(&fs::read(blob.path()).expect("a blob")), blob.file_name().to_string_lossy());
            }
            // The manifest is unchanged, byte for byte, and so is everything that it names.
            assert!(blobs.join(&manifest).exists(), "{manifest} is not in the archive");
        }
        let other = Lab::new();
        load(&other, &saved);
        assert_eq!(facts(&other), expected, "{format}");
        assert_eq!(tree(&other), files, "{format}");
        other.rc(["rmi", "round:trip"]).run().succeeds();
        assert_eq!(fs::read_dir(other.store().join("images/blobs/sha256")).expect("blobs").count(), 0);
    }
}

#[test]
fn skopeo_reads_the_same_image_out_of_both_formats() {
    require!(program "skopeo");
    let lab = Lab::new();
    let first = lab.work("first.tar");
    fs::write(&first, image().oci_archive("round:trip")).expect("an archive can be written");
    load(&lab, &first);
    let id = lab.rc(["images", "--no-trunc", "-q", "round:trip"]).run().text();
    let id = id.trim_start_matches("sha256:").to_owned();
    let config = String::from_utf8(image().parts().config).expect("text");
    assert_eq!(id, hex(config.as_bytes()));
    for format in ["oci-archive", "docker-archive"] {
        let saved = lab.work(format);
        lab.rc(["save", "-q", "--format", format, "-o"]).arg(&saved).arg("round:trip").run().succeeds();
        let source = if format == "oci-archive" {
            // skopeo would give the extracted files to root, which only root can do.
            let directory = lab.work("layout");
            fs::create_dir(&directory).expect("a directory can be made");
            lab.program("tar", ["-x", "-f"]).arg(&saved).arg("-C").arg(&directory).run().says_nothing();
            format!("oci:{}", directory.display())
        } else {
            format!("{format}:{}", saved.display())
        };
        // The ID is the digest of the raw configuration.
        let seen = lab.program("skopeo", ["inspect", "--config", "--raw", &source]).run().exits(0);
        assert_eq!(seen.stdout().trim_end(), config, "{format}");
    }
}

/// Everything that an archive can have beside plain files: owners, links, a FIFO, attributes, whiteouts.
fn manifold() -> Image {
    let lower = Layer::new()
        .directory("data", 0o755)
        .owner(33, 65534)
        .directory("data/theirs", 0o2775)
        .file("data/theirs/tool", 0o6755, b"#!/bin/sh\n")
        .extended([("SCHILY.xattr.user.note", b"a value".as_slice()), ("mtime", b"981173106.789012345".as_slice())])
        .file("data/theirs/noted", 0o640, b"noted")
        .link("data/theirs/linked", "data/theirs/noted")
        .entry("data/fifo", 0o600, tar::EntryType::Fifo, None, &[])
        .directory("data/covered", 0o700)
        .file("data/covered/old", 0o644, b"old")
        .file("data/gone", 0o644, b"gone")
        .symlink("data/lost", "/nowhere")
        .extended([("path", "data/Größe \t und\nmehr".as_bytes())])
        .file("x", 0o644, &vec![7; 200_000]);
    let upper = Layer::new()
        .directory("data", 0o755)
        .owner(33, 33)
        .whiteout("data/gone")
        .directory("data/covered", 0o750)
        .opaque("data/covered")
        .file("data/covered/new", 0o600, b"new")
        .directory("data/lost", 0o711)
        .file("data/lost/found", 0o444, b"found");
    Image::payload().packed_layer(lower.bytes(), Compression::Zstd).packed_layer(upper.bytes(), Compression::Gzip)
}

#[test]
fn umoci_unpacks_the_same_files_from_both_formats() {
    only!(Full | Root);
    require!(program "skopeo");
    require!(program "umoci");
    let lab = Lab::new();
    let first = lab.work("first.tar");
    fs::write(&first, manifold().oci_archive("round:trip")).expect("an archive can be written");
    load(&lab, &first);
    let expected = tree(&lab);
    assert!(expected.contains("noted") && !expected.contains("covered/old"), "{expected}");
    for format in ["oci-archive", "docker-archive"] {
        let (saved, layout, bundle) = (lab.work(format), lab.work(format!("{format}.d")), lab.work("bundle"));
        lab.rc(["save", "-q", "--format", format, "-o"]).arg(&saved).arg("round:trip").run().succeeds();
        let source = if format == "oci-archive" {
            // skopeo would give the extracted files to root, which only root can do.
            fs::create_dir(&layout).expect("a directory can be made");
            lab.program("tar", ["-x", "-f"]).arg(&saved).arg("-C").arg(&layout).run().says_nothing();
            format!("oci:{}", layout.display())
        } else {
            format!("{format}:{}", saved.display())
        };
        // umoci needs a tag, and does not support zstd.
        let plain = lab.work(format!("{format}.plain"));
        let copy = ["--insecure-policy", "copy", "-q", "--dest-compress-format", "gzip"];
        let target = format!("oci:{}:tag", plain.display());
        lab.program("skopeo", copy).arg(source).arg(target).run().says_nothing();
        // In the user's root namespace, in which owners are those of the image.
        let unpack = lab.rc(["unshare", "umoci", "unpack", "--image"]).arg(format!("{}:tag", plain.display()));
        drop(unpack.arg(&bundle).run().exits(0));
        let found = lab.rc(["unshare"]).arg(Lab::payload_path()).arg("tree").arg(bundle.join("rootfs/data")).run();
        assert_eq!(found.text(), expected, "{format}");
        lab.rc(["unshare", "rm", "-r"]).arg(&bundle).run().succeeds();
    }
}

#[test]
fn t14_no_program_is_started_to_unpack_or_to_pack() {
    require!(program "strace");
    let lab = Lab::new();
    let archive = lab.work("image.tar");
    fs::write(&archive, image().oci_archive("round:trip")).expect("an archive can be written");
    let packed = lab.work("image.tar.gz");
    fs::write(&packed, crate::support::image::gzip(&fs::read(&archive).expect("an archive"))).expect("written");
    let trace = lab.work("trace");
    let traced = |words: &[&str]| {
        // With one ID, rc does not even need newuidmap.
        let strace = lab.program("strace", ["-f", "-qq", "-e", "trace=execve,execveat", "-e", "signal=none", "-o"]);
        strace.arg(&trace).arg(Lab::rc_path()).args(words).env("RC_SINGLE_ID", "1").run().succeeds();
        let calls = fs::read_to_string(&trace).expect("a trace");
        assert_eq!(calls.matches("exec").count(), calls.matches("execve(\"").count(), "{calls}");
        assert_eq!(calls.matches("execve(\"").count(), 1, "`rc {}`:\n{calls}", words.join(" "));
    };
    for archive in [&archive, &packed] {
        traced(&["load", "-q", "-i", archive.to_str().expect("text")]);
    }
    traced(&["save", "-q", "-o", lab.work("out").to_str().expect("text"), "round:trip"]);
    fs::write(lab.work("layer.tar.gz"), crate::support::image::gzip(&crate::support::image::payload_layer()))
        .expect("written");
    traced(&["import", "-q", lab.work("layer.tar.gz").to_str().expect("text"), "imported"]);
}

/// Attributes of an image for fuse-overlayfs have no effect: its files are the same with each driver.
#[test]
fn t8_attributes_of_an_image_do_not_control_a_driver() {
    require!(program "fuse-overlayfs");
    let lab = Lab::new();
    let attributes = [
        ("SCHILY.xattr.user.fuseoverlayfs.opaque", &b"y"[..]),
        ("SCHILY.xattr.user.fuseoverlayfs.override_stat", b"0:0:4777"),
        ("SCHILY.xattr.user.containers.override_stat", b"0:0:4777"),
        ("SCHILY.xattr.user.overlay.opaque", b"y"),
        ("SCHILY.xattr.user.kept", b"yes"),
    ];
    let below = Layer::new().directory("d", 0o755).file("d/below", 0o644, b"below").bytes();
    let above = Layer::new()
        .extended(attributes)
        .directory("./", 0o755)
        .extended(attributes)
        .directory("d", 0o750)
        .extended(attributes)
        .file("d/above", 0o600, b"above");
    let archive = lab.work("steering.tar");
    let image = Image::payload().layer(below).layer(above.bytes());
    fs::write(&archive, image.oci_archive("round:trip")).expect("an archive can be written");
    load(&lab, &archive);
    let trees = ["overlay", "fuse-overlayfs"].map(|driver| {
        let directory = lab.root().join("config/rc");
        fs::create_dir_all(&directory).expect("a directory for rc.toml");
        let settings = format!("[storage]\ndriver = \"{driver}\"\n");
        fs::write(directory.join("rc.toml"), settings).expect("rc.toml can be written");
        lab.rc(["run", "--rm", "--network", "none", "round:trip", "/payload", "tree", "/d"]).run().text()
    });
    assert_eq!(trees[0], trees[1]);
    assert!(trees[0].contains("./below f 0644 0:0") && trees[0].contains("./above f 0600 0:0"), "{}", trees[0]);
    assert!(trees[0].contains("user.kept=yes") && trees[0].lines().next().is_some_and(|top| top.contains(" 0750 ")));
}

/// A layer that an older rc unpacked may still have such attributes.
#[test]
fn t8_attributes_that_control_a_driver_do_not_get_into_a_volume() {
    let lab = Lab::new();
    let layer = Layer::new().directory("d", 0o755).file("d/file", 0o644, b"");
    let archive = lab.work("steering.tar");
    fs::write(&archive, Image::payload().layer(layer.bytes()).oci_archive("round:trip")).expect("an archive");
    load(&lab, &archive);
    let map = fs::read_dir(lab.store().join("layers")).expect("layers").next().expect("a map").expect("a map").path();
    let layers = fs::read_dir(map).expect("layers").map(|layer| layer.expect("a layer").path().join("fs/d/file"));
    let file = layers.into_iter().find(|file| file.exists()).expect("the file");
    for name in ["user.kept", "user.fuseoverlayfs.origin", "user.containers.override_stat"] {
        rustix::fs::setxattr(&file, name, b"x", rustix::fs::XattrFlags::empty()).expect("an attribute");
    }
    let run = ["run", "--rm", "--network", "none", "-v", "new:/d", "round:trip", "/payload", "tree", "/d"];
    let tree = lab.rc(run).run().text();
    assert!(tree.contains("user.kept=x") && !tree.contains("fuseoverlayfs"), "{tree}");
    assert!(!tree.contains("user.containers"), "{tree}");
}

#[test]
fn an_archive_that_cannot_be_loaded_is_the_error_although_the_sweep_fails_too() {
    // Root may read every directory.
    only!(Full | One);
    let lab = Lab::with_payload();
    let (trash, file) = (lab.store().join("trash"), lab.work("file.tar"));
    fs::write(&file, Layer::new().file("a", 0o644, b"a").bytes()).expect("written");
    let set_mode = |mode| fs::set_permissions(&trash, fs::Permissions::from_mode(mode)).expect("set");
    set_mode(0);
    let pulled = format!("docker-archive:{}", file.display());
    let file = file.display().to_string();
    for words in [["pull", "-q", &pulled].as_slice(), &["load", "-q", "-i", &file]] {
        let refused = lab.rc(words).run().exits(125).stderr();
        assert!(refused.starts_with("rc: no image found: "), "{words:?}: {refused}");
    }
    set_mode(0o700);
}
