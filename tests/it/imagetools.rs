//! `rc buildx imagetools`: what registries have, and lists of that.

use std::fs;

use serde_json::{Value, json};

use crate::build::lab;
use crate::support::image::hex;
use crate::support::{Lab, Registry};

#[test]
fn what_a_registry_has_is_shown_as_imagetools_show_it() {
    require!(program "docker-registry");
    let lab = lab(&[("Dockerfile", "FROM localhost/base\nENV A=b\n")]);
    let registry = Registry::empty(&lab);
    let (name, list) = (registry.image("made:1"), registry.image("made:all"));
    lab.rc(["build", "-q", "--push", "-t", &name]).arg(lab.work("context")).run().exits(0).stdout();
    lab.rc(["manifest", "create", &list, &format!("docker://{name}")]).run().exits(0).stdout();
    lab.rc(["manifest", "push", &list]).run().exits(0).stdout();
    let tools = |words: &[&str]| lab.rc(["buildx", "imagetools", "inspect"]).args(words).run();
    let raw = tools(&["--raw", &name]).exits(0).stdout;
    let digest = format!("sha256:{}", hex(&raw));
    tools(&[&name, "--format", "{{.Manifest.Digest}}"]).prints(format!("{digest}\n"));
    let manifest = tools(&["--format", "{{json .Manifest}}", &name]).json();
    assert_eq!((&manifest["digest"], &manifest["size"]), (&digest.clone().into(), &raw.len().into()));
    let env = tools(&["--format", "{{json .Image.Config.Env}}", &name]).exits(0).stdout();
    assert!(env.contains("A=b"), "{env}");
    let shown = tools(&[&list]).exits(0).stdout();
    let member = format!("\n\nManifests:\n  Name:      {list}@{digest}\n");
    assert!(shown.starts_with(&format!("Name:      {list}\n")) && shown.contains(&member), "{shown}");
    let each = "{{range .Manifest.Manifests}}{{.Digest}}{{end}} {{range $p, $i := .Image}}{{$i.os}}{{end}}";
    tools(&[&list, "--format", each]).prints(format!("{digest} linux\n"));
    registry.stop();
}

/// Builds an image for a platform into a registry, and returns the digest of its manifest.
#[track_caller]
fn push(lab: &Lab, name: &str, platform: &str, words: &[&str]) -> String {
    let command = lab.rc(["build", "-q", "--push", "-t", name, "--platform", platform, "--metadata-file", "made"]);
    command.args(words).arg(lab.work("context")).run().exits(0).stdout();
    let made: Value = serde_json::from_slice(&fs::read(lab.work("made")).expect("written")).expect("JSON");
    made["containerimage.digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn a_list_is_made_of_what_registries_have() {
    require!(program "docker-registry");
    let lab = lab(&[("Dockerfile", "FROM scratch\nARG TARGETARCH\nENV A=$TARGETARCH\nCOPY Dockerfile /\n")]);
    let registry = Registry::empty(&lab);
    let [amd, arm, all] = ["app:amd", "app:arm", "app:all"].map(|name| registry.image(name));
    let (first, second) = (push(&lab, &amd, "linux/amd64", &[]), push(&lab, &arm, "linux/arm64", &[]));
    let tools = |words: &[&str]| lab.rc(["buildx", "imagetools"]).args(words).run();
    let raw = |name: &str| tools(&["inspect", "--raw", name]).exits(0).stdout;
    let list = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).expect("a list");
    let members = |list: &Value| {
        let member = |it: &Value| (it["digest"].as_str().unwrap().to_owned(), it["platform"]["architecture"].clone());
        list["manifests"].as_array().expect("members").iter().map(member).collect::<Vec<_>>()
    };
    let both = [(first.clone(), json!("amd64")), (second.clone(), json!("arm64"))];

    // What would be pushed is printed, and then pushed; a digest is one of the only repository.
    let shown = tools(&["create", "--dry-run", "-t", &all, &amd, &second]).exits(0).stdout;
    assert!(tools(&["inspect", &all]).exits(125).stderr().contains("app:all"));
    tools(&["create", "-t", &all, &amd, &second]).says_nothing();
    let pushed = raw(&all);
    assert_eq!([&pushed[..], b"\n"].concat(), shown);
    assert_eq!(members(&list(&pushed)), both);
    assert_eq!(list(&pushed)["mediaType"], "application/vnd.oci.image.index.v1+json");
    // A list alone is copied as it is, a single image only if that is asked for; what is named twice is there once.
    let copy = registry.image("app:copy");
    tools(&["create", "--progress=plain", "-t", &copy, &all]).is(0, "", format!("Pushing to {copy}...\n"));
    assert_eq!(raw(&copy), pushed);
    tools(&["create", "-t", &copy, &amd]).says_nothing();
    assert_eq!(members(&list(&raw(&copy))), both[..1]);
    tools(&["create", "--append", "--progress", "none", "-t", &copy, &all]).says_nothing();
    assert_eq!(members(&list(&raw(&copy))), both);
    tools(&["create", "--prefer-index=false", "-t", &copy, &amd]).says_nothing();
    assert_eq!(format!("sha256:{}", hex(&raw(&copy))), first);
    // Sources of files: a descriptor says otherwise for what an image is.
    let platform = json!({ "os": "linux", "architecture": "riscv64" });
    let said = json!({ "digest": first, "size": 0, "platform": platform, "annotations": { "said": "so" } });
    fs::write(lab.work("one"), said.to_string()).expect("written");
    fs::write(lab.work("two"), format!("{arm}\n")).expect("written");
    let notes = ["--annotation", "index:of=all", "--annotation", "index,manifest-descriptor[linux/arm64]:b=c"];
    tools(&[&["create", "-t", &copy, "-f", "one", "--file", "two"], &notes[..]].concat()).says_nothing();
    let made = list(&raw(&copy));
    assert_eq!(made["annotations"], json!({ "of": "all", "b": "c" }));
    assert_eq!(
        (&made["manifests"][0]["platform"], &made["manifests"][0]["annotations"]),
        (&platform, &json!({ "said": "so" }))
    );
    assert_eq!(made["manifests"][1]["annotations"], json!({ "b": "c" }));
    // docker's manifests make docker's list, unless it has annotations, for which that has no place.
    push(&lab, &amd, "linux/amd64", &["--format", "docker"]);
    tools(&["create", "-t", &copy, &amd]).says_nothing();
    assert_eq!(list(&raw(&copy))["mediaType"], "application/vnd.docker.distribution.manifest.list.v2+json");

    for (words, message) in [
        (&["create", "-t", &all][..], "needs a source"),
        (&["create", &all], "the list has no name"),
        (&["create", "--append", "--dry-run", &all], "the list has no name"),
        (&["create", "--dry-run", &first], "no repository is named"),
        (&["create", "--dry-run", "-t", &registry.image("other:1"), &all, &first], "several repositories are named"),
        (&["create", "--dry-run", "-t", &all, "sha256:12"], "sha256:12"),
        (&["create", "--dry-run", "{\"size\":1}"], "missing field `digest`"),
        (&["create", "--dry-run", "--annotation", "a=b", &all], "the images stay as they are"),
        (
            &["create", "--dry-run", "--annotation", "index-descriptor:a=b", &all],
            "must be index or manifest-descriptor",
        ),
        (&["create", "--append", "-t", &registry.image("app:none"), &all], "app:none"),
        (&["create", "--raw", "-t", &all, &all], "no options `--raw` and `--format`"),
        (&["create", "--progress=rawjson", "-t", &all, &all], "no status in JSON"),
        (&["inspect", "--append", &all], "no option `--append`"),
        (&["inspect", "--progress=plain", &all], "no option `--progress`"),
    ] {
        let refused = tools(words).exits(125).stderr();
        assert!(refused.contains(message), "{words:?}: {refused}");
    }
    registry.stop();
}

#[test]
fn what_a_list_names_is_copied_to_other_repositories_and_registries() {
    require!(program "docker-registry");
    let lab = lab(&[("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n")]);
    let [from, to] = [Registry::empty(&lab), Registry::empty(&lab)];
    let [amd, arm] = ["app:amd", "app:arm"].map(|name| from.image(name));
    push(&lab, &amd, "linux/amd64", &[]);
    push(&lab, &arm, "linux/arm64", &["--label", "own=1"]);
    lab.rc(["rmi", "-fa"]).run().exits(0).stdout();
    let (near, far) = (from.image("other:1"), to.image("far/app:1"));
    let words = ["buildx", "imagetools", "create", "-t", &near, "-t", &far, &amd, &arm];
    lab.rc(words).run().says_nothing();
    // One registry takes blobs over from its own repositories, and sends none.
    assert!(from.log().contains("/v2/other/blobs/uploads/?mount=sha256"), "{}", from.log());
    from.stop();
    for architecture in ["amd64", "arm64"] {
        let platform = format!("linux/{architecture}");
        lab.rc(["pull", "-q", "--platform", &platform, &far]).run().exits(0).stdout();
        let shown = lab.rc(["image", "inspect", "--format", "{{.Architecture}}", &far]).run().text();
        assert_eq!(shown, architecture);
    }
    to.stop();
}
