//! `rc push`, to Debian's registry, to archives and to directories.

use std::fs;

use serde_json::{Value, json};

use crate::support::image::hex;
use crate::support::registry::Registry;
use crate::support::{Compression, Exit, Image, Lab, Layer};

/// An image with a layer of each compression.
fn image() -> Image {
    let layer = |name: &str| Layer::new().file(name, 0o644, &name.as_bytes().repeat(10_000)).bytes();
    Image::new()
        .packed_layer(layer("gzip"), Compression::Gzip)
        .packed_layer(layer("zstd"), Compression::Zstd)
        .config(json!({ "Cmd": ["true"], "Labels": { "l": "v" } }))
}

/// Loads an image as `name`; returns its ID.
#[track_caller]
fn load(lab: &Lab, image: &Image, name: &str) -> String {
    let archive = lab.work("image.tar");
    fs::write(&archive, image.oci_archive("first:1")).expect("an archive can be written");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
    lab.rc(["tag", "first:1", name]).run().succeeds();
    lab.rc(["images", "-q", "--no-trunc", name]).run().text()
}

/// What another store gets when it pulls `name`: the ID and the manifest's digest.
#[track_caller]
fn pulled(lab: &Lab, number: usize, name: &str, more: &[&str]) -> (String, String) {
    let root = lab.work(format!("other-{number}"));
    let rc = |words: &[&str]| lab.rc(["--root"]).arg(&root).args(words);
    let id = rc(&["pull", "-q"]).args(more).arg(name).run().text();
    let digest = rc(&["images", "--format", "{{.Digest}}", name]).run().text();
    rc(&["rmi", "-fa"]).run().succeeds();
    (format!("sha256:{id}"), digest)
}

/// How many requests of a method the registry has answered for blobs.
fn requests(registry: &Registry, method: &str) -> usize {
    registry.log().lines().filter(|line| line.contains(&format!("\"{method} /v2/")) && line.contains("/blobs/")).count()
}

/// The digest in `TAG: digest: DIGEST size: N`.
#[track_caller]
fn digest(output: &str, tag: &str) -> String {
    let rest = output.strip_prefix(&format!("{tag}: digest: ")).unwrap_or_else(|| panic!("{output}"));
    rest.split(' ').next().expect("a word").to_owned()
}

#[test]
fn an_image_comes_back_as_it_was_pushed() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    let name = registry.image("team/app:1");
    let id = load(&lab, &image(), &name);
    let output = lab.rc(["push", "--digestfile", "digest"]).arg(&name).run().exits(0);
    let unchanged = hex(image().parts().manifest.to_string().as_bytes());
    assert_eq!(digest(&output.stdout(), "1"), format!("sha256:{unchanged}"));
    assert_eq!(fs::read_to_string(lab.work("digest")).expect("a file"), format!("sha256:{unchanged}"));
    assert!(output.stderr().starts_with(&format!("Pushing to {name}...\nCopying blob ")), "{output}");
    assert_eq!(pulled(&lab, 0, &name, &[]), (id.clone(), format!("sha256:{unchanged}")));
    let sent = requests(&registry, "PATCH");
    assert_eq!(sent, 3, "{}", registry.log());
    // Nothing is sent twice, also under another name; a quiet push says nothing.
    lab.rc(["push", "-q", &name]).run().says_nothing();
    for target in ["team/app:2", "docker://team/app:3"] {
        let target = match target.strip_prefix("docker://") {
            Some(rest) => format!("docker://{}", registry.image(rest)),
            None => registry.image(target),
        };
        lab.rc(["push", "-q", &name, &target]).run().says_nothing();
    }
    assert_eq!(requests(&registry, "PATCH"), sent, "{}", registry.log());
    assert_eq!(pulled(&lab, 1, &registry.image("team/app:3"), &[]).0, id);
    // What the store knows to be in another repository is mounted from there.
    lab.rc(["push", "-q", &name, &registry.image("elsewhere:1")]).run().says_nothing();
    assert_eq!(requests(&registry, "PATCH"), sent, "{}", registry.log());
    assert_eq!(pulled(&lab, 2, &registry.image("elsewhere:1"), &[]).0, id);
    registry.stop();
}

#[test]
fn layers_and_manifests_take_the_format_that_is_asked_for() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    let plain = Layer::new().file("plain", 0o644, &b"plain".repeat(10_000)).bytes();
    let id = load(&lab, &image().packed_layer(plain, Compression::None), &registry.image("app:1"));
    for (number, (words, media_type, layers)) in [
        (&[][..], "oci", ["gzip", "zstd", "gzip"]),
        (&["--format", "v2s2"], "docker", ["gzip"; 3]),
        (&["-f", "oci", "--compression-format", "zstd"], "oci", ["zstd"; 3]),
        (&["--compression-format=gzip", "--compression-level=1"], "oci", ["gzip"; 3]),
        (&["--compression-format=zstd", "--force-compression=false"], "oci", ["gzip", "zstd", "zstd"]),
    ]
    .into_iter()
    .enumerate()
    {
        let name = registry.image(&format!("app{number}:1"));
        let output = lab.rc(["push"]).args(words).arg(registry.image("app:1")).arg(&name).run().exits(0);
        let (back, found) = pulled(&lab, number, &name, &[]);
        assert_eq!((back, found.clone()), (id.clone(), digest(&output.stdout(), "1")), "{words:?}");
        let (algorithm, hex) = found.split_once(':').expect("a digest");
        let file = lab.root().join("registry/docker/registry/v2/blobs").join(algorithm);
        let manifest = fs::read(file.join(&hex[..2]).join(hex).join("data")).expect("the registry's blob");
        let manifest: Value = serde_json::from_slice(&manifest).expect("JSON");
        assert!(manifest["mediaType"].as_str().is_some_and(|text| text.contains(media_type)), "{manifest}");
        for (layer, kind) in manifest["layers"].as_array().expect("layers").iter().zip(layers) {
            assert!(layer["mediaType"].as_str().is_some_and(|text| text.ends_with(kind)), "{words:?}: {manifest}");
        }
    }
    for (words, message) in [
        ("--format v2s1", "rc: `--format`: invalid value `v2s1`"),
        ("--compression-format zstd:chunked", "rc: `--compression-format`: invalid value `zstd:chunked`"),
        ("--format v2s2 --compression-format zstd", "rc: manifests of the type v2s2 have no layers with zstd"),
        ("--compression-level 12", "rc: `--compression-level` of gzip must be between 1 and 9"),
        ("--sign-by-sigstore me", "rc: `rc push` has no option `--sign-by-sigstore`"),
        ("--sign-passphrase-file /x", "rc: `rc push` needs"),
    ] {
        let output = lab.rc(["push"]).args(words.split(' ')).arg(registry.image("app:1")).run().exits(125);
        assert!(output.stderr().starts_with(message), "{output}");
    }
    registry.stop();
}

#[test]
fn a_registry_that_asks_for_a_password_gets_it_from_an_option_or_a_login() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let registry = Registry::with_password(&lab);
    let name = registry.image("app:1");
    load(&lab, &image(), &name);
    let push = |words: &[&str]| lab.rc(["push", "-q"]).args(words).arg(&name).run();
    let output = push(&[]).exits(125);
    assert!(output.stderr().starts_with(&format!("rc: cannot push to `{name}`: access to ")), "{output}");
    assert!(
        output.stderr().ends_with("hint: log in with `rc login`, or give credentials with `--creds USER:PASSWORD`\n")
    );
    let output = push(&["--creds", "me:guess"]).exits(125);
    assert!(output.stderr().contains("refused the user name or the password"), "{output}");
    assert!(!output.stderr().contains("guess"), "{output}");
    push(&["--creds", "me:secret"]).says_nothing();
    lab.rc(["login", "-u", "me", "-p", "secret", &registry.address]).run().succeeds();
    push(&[]).says_nothing();
    drop(pulled(&lab, 0, &name, &[]));
    registry.stop();
}

#[test]
fn a_registry_with_a_certificate_of_its_own_is_pushed_to() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let registry = Registry::with_certificate(&lab, &own.cert.pem(), &own.signing_key.serialize_pem());
    let name = registry.image("app:1");
    let id = load(&lab, &image(), &name);
    let output = lab.rc(["push", "-q", &name]).run().exits(125);
    assert!(output.stderr().contains("cannot trust"), "{output}");
    let certificates = lab.work("certificates");
    fs::create_dir(&certificates).expect("a directory");
    fs::write(certificates.join("ca.crt"), own.cert.pem()).expect("a certificate");
    lab.rc(["push", "-q", "--cert-dir"]).arg(&certificates).arg(&name).run().says_nothing();
    lab.rc(["push", "-q", "--tls-verify=false", &name]).run().says_nothing();
    assert_eq!(pulled(&lab, 0, &name, &["--tls-verify=false"]).0, id);
    registry.stop();
}

#[test]
fn pushes_at_once_and_killed_ones_leave_nothing_and_the_next_one_works() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    let name = registry.image("app:1");
    let noise: Vec<u8> = (0..2_u32 << 20).flat_map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
    let layer = Layer::new().file("noise", 0o644, &noise).bytes();
    let id = load(&lab, &Image::new().packed_layer(layer, Compression::None), &name);
    let was_killed = (0..5).any(|_| {
        let push = lab.rc(["push", "--compression-level=1", &name]).start();
        push.error_line("Pushing to");
        push.kill_if_alive();
        push.wait().exit == Exit::Signal(9)
    });
    assert!(was_killed);
    let pushes: Vec<_> = (0..4).map(|_| lab.rc(["push", "-q", &name]).start()).collect();
    for push in pushes {
        let output = push.wait();
        // The registry may answer 500 or 400 to pushes of one blob at the same moment.
        let is_retry =
            |line: &str| line.contains("answered 500: trying again") || line.ends_with("going on where it stopped");
        assert!(output.exit == Exit::Code(0) && output.stderr().lines().all(is_retry), "{output}");
    }
    assert_eq!(pulled(&lab, 0, &name, &[]).0, id);
    lab.rc(["rmi", "-fa"]).run().succeeds();
    let left = fs::read_dir(lab.store().join("tmp")).expect("the directory is there").count();
    assert_eq!(left, 0);
    registry.stop();
}

#[test]
fn all_tags_of_a_repository_are_pushed() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    load(&lab, &image(), &registry.image("app:1"));
    lab.rc(["tag", "first:1", &registry.image("app:2"), &registry.image("other:1")]).run().succeeds();
    let output = lab.rc(["push", "--all-tags", &registry.image("app")]).run().exits(0).stdout();
    let tags: Vec<&str> = output.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(tags, ["1", "2"], "{output}");
    drop(pulled(&lab, 0, &registry.image("app:2"), &[]));
    let none = registry.image("none");
    lab.rc(["push", "-a", &none]).run().fails(125, format!("rc: no such image: {none}\n"));
    registry.stop();
}

#[test]
fn archives_and_directories_take_an_image_and_give_it_back() {
    let lab = Lab::new();
    let id = load(&lab, &image(), "h.io/app:1");
    for (number, target) in
        ["oci:layout:h.io/app:2", "oci:layout", "oci-archive:a.tar:h.io/app:2", "docker-archive:b.tar", "dir:directory"]
            .into_iter()
            .enumerate()
    {
        lab.rc(["push", "-q", "h.io/app:1", target]).run().says_nothing();
        let path = target.split(':').nth(1).expect("a path");
        let root = lab.work(format!("other-{number}"));
        let rc = |words: &[&str]| lab.rc(["--root"]).arg(&root).args(words);
        rc(&["load", "-q", "-i", path]).run().succeeds();
        assert_eq!(rc(&["images", "-q", "--no-trunc"]).run().text(), id, "{target}");
        rc(&["rmi", "-fa"]).run().succeeds();
        // `pull` takes what `push` has written, by the same words.
        let pulled = rc(&["pull", "-q", target]).run().text();
        assert!(pulled.lines().all(|line| format!("sha256:{line}") == id), "{target}: {pulled}");
        rc(&["rmi", "-fa"]).run().succeeds();
    }
    // A second image joins the layout, one of the same name is replaced.
    lab.rc(["push", "-q", "h.io/app:1", "oci:layout:h.io/app:2"]).run().says_nothing();
    lab.rc(["push", "-q", "h.io/app:1", "oci:layout:h.io/app:3"]).run().says_nothing();
    let index: Value = serde_json::from_slice(&fs::read(lab.work("layout/index.json")).expect("a file")).expect("JSON");
    let name = |entry: &Value| entry["annotations"]["org.opencontainers.image.ref.name"].as_str().map(str::to_owned);
    let names: Vec<_> = index["manifests"].as_array().expect("an array").iter().map(name).collect();
    assert_eq!(names, [None, Some("h.io/app:2".to_owned()), Some("h.io/app:3".to_owned())]);

    for (words, message) in [
        ("h.io/app:1 containers-storage:x", "podman save"),
        ("h.io/app:1 docker-daemon:x:1", "docker load"),
        ("h.io/app:1 oci:", "needs a path"),
        ("--format oci h.io/app:1 dir:d", "for registries"),
        ("h.io/app:1 oci-archive:missing/a.tar", "missing/a.tar"),
        ("ghost", "no such image: ghost"),
    ] {
        let output = lab.rc(["push"]).args(words.split(' ')).run().exits(125);
        assert!(output.stderr().contains(message), "{output}");
    }
    for (source, message) in [
        ("oci:layout:ghost", "rc: the archive has no image `ghost`\n"),
        ("docker-archive:b.tar:h.io/ghost", "rc: the archive has no image `h.io/ghost:latest`\n"),
        ("containers-storage:x", "podman save"),
        ("oci:missing", "missing"),
    ] {
        let output = lab.rc(["pull", "-q", source]).run().exits(125);
        assert!(output.stderr().contains(message), "{output}");
    }
    let short = &id[7..19];
    let output = lab.rc(["push", short]).run().exits(125);
    assert!(output.stderr().contains("no destination was given"), "{output}");
}
