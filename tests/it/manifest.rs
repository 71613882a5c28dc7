//! `rc manifest`: lists of images for several platforms.

use std::fs;

use serde_json::{Value, json};

use crate::support::image::descriptor;
use crate::support::registry::Registry;
use crate::support::{Image, Lab, Layer};

/// Loads an image for an architecture as `name`, and returns the digest of its manifest.
#[track_caller]
fn load(lab: &Lab, name: &str, architecture: &str) -> String {
    let layer = Layer::new().file("arch", 0o644, architecture.as_bytes()).bytes();
    let image = Image::new().layer(layer);
    let mut parts = image.parts();
    let mut config: Value = serde_json::from_slice(&parts.config).expect("a configuration");
    config["architecture"] = json!(architecture);
    parts.config = config.to_string().into_bytes();
    parts.manifest["config"] = descriptor("application/vnd.oci.image.config.v1+json", &parts.config);
    lab.rc(["load", "-q"]).input(parts.oci_archive(name)).run().succeeds();
    lab.rc(["images", "--no-trunc", "--format", "{{.Digest}}", name]).run().text()
}

fn list(lab: &Lab, name: &str) -> Value {
    lab.rc(["manifest", "inspect", name]).run().json()
}

#[test]
fn a_list_is_made_changed_and_removed_and_its_images_stay() {
    let lab = Lab::new();
    let [one, other] = [load(&lab, "one:1", "amd64"), load(&lab, "other:1", "arm64")];
    let rc = |line: &str| lab.rc(["manifest"]).args(line.split(' ')).run();
    let id = rc("create all:1 one:1").text();
    assert_eq!(id.len(), 64);
    rc("create all:1").fails(125, "rc: a list `docker.io/library/all:1` exists\nhint: add to it with `--amend`\n");
    rc("create --amend --annotation by=me all:1").succeeds();
    rc("add --annotation a=b all:1 other:1").succeeds();
    let shown = list(&lab, "all:1");
    assert_eq!(shown["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(shown["annotations"], json!({ "by": "me" }));
    assert_eq!(shown["manifests"][0]["digest"], *one);
    assert_eq!(shown["manifests"][1]["digest"], *other);
    assert_eq!(shown["manifests"][1]["platform"], json!({ "architecture": "arm64", "os": "linux" }));
    assert_eq!(shown["manifests"][1]["annotations"], json!({ "a": "b" }));
    rc(&format!("annotate --variant v9 --os-version 7 all:1 {other}")).succeeds();
    rc("annotate --arch riscv64 all:1 one:1").succeeds();
    let shown = list(&lab, "all:1");
    let platform = |at: usize| shown["manifests"][at]["platform"].clone();
    assert_eq!(platform(0)["architecture"], "riscv64");
    assert_eq!(platform(1), json!({ "architecture": "arm64", "os": "linux", "variant": "v9", "os.version": "7" }));
    rc(&format!("remove all:1 {one}")).succeeds();
    assert_eq!(list(&lab, "all:1")["manifests"].as_array().map(Vec::len), Some(1));
    let output = rc(&format!("remove all:1 {one}")).exits(125);
    assert!(output.stderr().contains("has no image `sha256:"), "{output}");
    // It is no image, and the store is whole with it, also after images have been removed.
    assert_eq!(lab.rc(["images", "--format", "{{.Repository}}"]).run().text().lines().count(), 2);
    lab.rc(["rmi", "one:1"]).run().succeeds();
    lab.rc(["system", "check"]).run().says_nothing();
    drop(rc("exists all:1").exits(0));
    rc("create two:1 other:1").succeeds();
    let user = lab.rc(["create", "--pull", "never", "--platform", "linux/arm64", "other:1", "/x"]).run();
    let removed = lab.rc(["rmi", "-f", "two:1"]).run().text();
    assert!(removed.starts_with("Untagged: docker.io/library/two:1\nDeleted: "), "{removed}");
    lab.rc(["ps", "-a", "-q", "--no-trunc"]).run().prints(user.stdout());
    lab.rc(["image", "exists", "other:1"]).run().says_nothing();
    lab.remove_containers();
    lab.rc(["rmi", "two:1"]).run().fails(1, "rc: no such image: two:1\n");
    // A command that needs an image takes the one for this host.
    let own = std::env::consts::ARCH;
    if own == "x86_64" || own == "aarch64" {
        let [amd, arm] = ["amd64", "arm64"].map(|arch| load(&lab, &format!("host-{arch}:1"), arch));
        rc("create host:1 host-amd64:1 host-arm64:1").succeeds();
        let wanted = if own == "x86_64" { amd } else { arm };
        lab.rc(["image", "inspect", "--format", "{{.Digest}}", "host:1"]).run().prints(format!("{wanted}\n"));
        rc("rm host:1").succeeds();
        lab.rc(["rmi", "host-amd64:1", "host-arm64:1"]).run().succeeds();
    }
    drop(rc("exists ghost").exits(1));
    let removed = rc("rm all:1").text();
    assert!(removed.starts_with("Untagged: docker.io/library/all:1\nDeleted: sha256:"), "{removed}");
    drop(rc("exists all:1").exits(1));
    rc("rm all:1").fails(125, "rc: no such list of images: all:1\nhint: make one with `rc manifest create`\n");
    rc("rm --ignore all:1").says_nothing();
    lab.rc(["image", "exists", "other:1"]).run().says_nothing();
    lab.rc(["system", "check"]).run().says_nothing();
}

#[test]
fn a_list_is_pushed_with_its_images_and_pulled_for_each_platform() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    let [one, other] = [load(&lab, "one:1", "amd64"), load(&lab, "other:1", "arm64")];
    let name = registry.image("team/all:1");
    lab.rc(["manifest", "create", &name, "one:1", "other:1"]).run().succeeds();
    let said = lab.rc(["manifest", "push", "--digestfile", "digest", &name]).run().exits(0).stdout();
    let digest = fs::read_to_string(lab.work("digest")).expect("a file");
    assert!(said.starts_with(&format!("1: digest: {digest} size: ")), "{said}");
    // What goldens of other tools do: a list of what is in a registry, and nothing of it here.
    let root = lab.work("other-root");
    let elsewhere = |words: &[&str]| lab.rc(["--root"]).arg(&root).args(words).run();
    let shown = elsewhere(&["manifest", "inspect", &name]).json();
    let digests: Vec<&str> =
        shown["manifests"].as_array().into_iter().flatten().filter_map(|member| member["digest"].as_str()).collect();
    assert_eq!(digests, [&one, &other]);
    for (platform, architecture) in [("linux/amd64", "amd64"), ("linux/arm64", "arm64")] {
        elsewhere(&["pull", "-q", "--platform", platform, &name]).succeeds();
        let found = elsewhere(&["image", "inspect", "--format", "{{.Architecture}}", &name]).text();
        assert_eq!(found, architecture);
    }
    elsewhere(&["rmi", "-fa"]).succeeds();
    let [first, second] = [&one, &other].map(|digest| format!("{}@{digest}", registry.image("team/all")));
    let again = registry.image("team/all:2");
    elsewhere(&["manifest", "create", &again, &first]).succeeds();
    elsewhere(&["manifest", "add", &again, &format!("docker://{second}")]).succeeds();
    elsewhere(&["manifest", "add", "--all", &again, &name]).succeeds();
    elsewhere(&["manifest", "push", "-q", "--rm", &again, &format!("docker://{again}")]).says_nothing();
    drop(elsewhere(&["manifest", "exists", "ghost"]).exits(1));
    elsewhere(&["pull", "-q", "--platform", "linux/arm64", &again]).succeeds();
    elsewhere(&["rmi", "-fa"]).succeeds();
    // As docker prints it, from the registry and from the store.
    let described = |shown: Value| {
        let images = shown.as_array().cloned().expect("images");
        assert!(images.iter().all(|image| image["OCIManifest"]["config"].is_object()), "{images:?}");
        let digests: Vec<String> =
            images.iter().filter_map(|image| image["Descriptor"]["digest"].as_str().map(str::to_owned)).collect();
        (digests, images[0]["Ref"].as_str().expect("a name").to_owned())
    };
    let both = vec![one.clone(), other.clone()];
    let shown = described(elsewhere(&["manifest", "inspect", "-v", &name]).json());
    assert_eq!(shown, (both.clone(), format!("{name}@{one}")));
    assert_eq!(described(lab.rc(["manifest", "inspect", "-v", &name]).run().json()).0, both);
    let alone = elsewhere(&["manifest", "inspect", "--verbose", &first]).json();
    assert_eq!((&alone["Ref"], &alone["Descriptor"]["digest"]), (&json!(first), &json!(one)));
    // Compressed anew, the images have other digests, which the list names.
    let packed = registry.image("team/packed:1");
    let push = ["manifest", "push", "-q", "--compression-format", "zstd", "--compression-level", "3"];
    lab.rc(push).args([&name, &packed]).run().says_nothing();
    let shown = elsewhere(&["manifest", "inspect", "-v", &packed]).json();
    for (image, before) in shown.as_array().expect("images").iter().zip(&both) {
        assert_ne!(image["Descriptor"]["digest"], **before);
        let layer = image["OCIManifest"]["layers"][0]["mediaType"].as_str();
        assert_eq!(layer, Some("application/vnd.oci.image.layer.v1.tar+zstd"));
    }
    elsewhere(&["pull", "-q", "--platform", "linux/arm64", &packed]).succeeds();
    elsewhere(&["rmi", "-fa"]).succeeds();
    let output = lab.rc(push).args(["--compression-level", "30", &name]).run().exits(125);
    assert!(output.stderr().starts_with("rc: `--compression-level`: "), "{output}");
    let output = lab.rc(["manifest", "push", "-q", &name, "127.0.0.1:1/x:1"]).run().exits(125);
    assert!(output.stderr().starts_with("rc: cannot push to `127.0.0.1:1/x"), "{output}");
    registry.stop();
}
