//! `rc images` and `rc rmi`: names, tags and IDs.

use std::fs;

use serde_json::{Value, json};

use crate::support::Lab;
use crate::support::image::{Compression, Image, Layer};

fn load(lab: &Lab, image: &Image, name: &str) {
    let archive = lab.work("archive.tar");
    fs::write(&archive, image.oci_archive(name)).expect("an archive can be written");
    lab.rc(["load", "-i"]).arg(&archive).run().succeeds();
}

#[test]
fn a_name_with_a_tag_lists_that_tag_and_an_id_its_image() {
    let lab = Lab::new();
    load(&lab, &Image::new().config(json!({ "Cmd": ["one"] })), "docker.io/library/one:1");
    load(&lab, &Image::new().config(json!({ "Cmd": ["two"] })), "docker.io/library/two:1");
    lab.rc(["tag", "one:1", "one:2", "other/one:1"]).run().succeeds();
    // All names or none.
    let digest = format!("one@sha256:{}", "0".repeat(64));
    let refused = lab.rc(["tag", "one:1", "one:3", &digest]).run().exits(125);
    assert!(refused.stderr().contains("an image is named by a tag, not by a digest"), "{refused}");
    let id = lab.rc(["images", "-q", "one:1"]).run().text();
    assert_eq!(id.len(), 12, "{id}");
    for (line, expected) in [
        ("one:1", "docker.io/library/one:1"),
        ("one", "docker.io/library/one:1 docker.io/library/one:2"),
        ("other/one", "docker.io/other/one:1"),
        ("*/one", "docker.io/library/one:1 docker.io/library/one:2 docker.io/other/one:1"),
        ("library/one", "docker.io/library/one:1 docker.io/library/one:2"),
        ("--filter reference=one:2", "docker.io/library/one:2"),
        (&id, "docker.io/library/one:1 docker.io/library/one:2 docker.io/other/one:1"),
        (&format!("sha256:{}", &id[..6]), "docker.io/library/one:1 docker.io/library/one:2 docker.io/other/one:1"),
        ("none", ""),
    ] {
        let words = ["images", "--sort", "repository", "--format", "{{.Repository}}:{{.Tag}}"];
        let listed = lab.rc(words).args(line.split(' ')).run().text();
        assert_eq!(listed.lines().collect::<Vec<_>>().join(" "), expected, "{line}");
    }
    // An object for each image, with all its names.
    let objects = lab.rc(["images", "--format", "json", "one:1"]).run().json();
    assert_eq!(objects.as_array().map(Vec::len), Some(1), "{objects}");
    assert_eq!(objects[0]["Names"].as_array().map(Vec::len), Some(3), "{objects}");
}

#[test]
fn an_image_knows_the_names_that_it_has_had() {
    let lab = Lab::new();
    load(&lab, &Image::new().config(json!({ "Cmd": ["one"] })), "docker.io/library/one:1");
    lab.rc(["tag", "one:1", "one:2"]).run().succeeds();
    load(&lab, &Image::new().config(json!({ "Cmd": ["two"] })), "docker.io/library/one:1");
    lab.rc(["untag", "one:2"]).run().succeeds();
    let listed = |words: &[&str]| lab.rc(["images", "--sort", "tag"]).args(words).run().text();
    let (one, both) = ("docker.io/library/one:1", "docker.io/library/one:2, docker.io/library/one:1");
    assert_eq!(listed(&["--format", "{{.Tag}}: {{.History}}"]), format!("1: {one}\n<none>: {both}"));
    let table = listed(&["--history"]);
    let ends: Vec<&str> = table.lines().filter_map(|line| Some(line.rsplit_once("  ")?.1)).collect();
    assert_eq!(ends, ["HISTORY", one, both], "{table}");
    let listed = lab.rc(["images", "--format", "json", "-f", "dangling=true"]).run().json();
    assert_eq!(listed[0]["History"], json!(["docker.io/library/one:2", one]));
    let id = listed[0]["Id"].as_str().expect("an ID");
    let object = lab.rc(["inspect", id]).run().json();
    assert_eq!(object[0]["NamesHistory"], json!(["docker.io/library/one:2", one]));
    lab.rc(["rmi", id]).run().exits(0).stdout();
}

#[test]
fn an_image_in_two_forms_is_one_until_its_last_name_is_removed() {
    let lab = Lab::new();
    let layer = Layer::new().file("a", 0o644, b"1").bytes();
    let form = |packed| Image::new().packed_layer(layer.clone(), packed).config(json!({ "Cmd": ["same"] }));
    load(&lab, &form(Compression::Gzip), "docker.io/library/same:gzip");
    load(&lab, &form(Compression::None), "docker.io/library/same:plain");
    let ids = lab.rc(["images", "-q", "--no-trunc"]).run().text();
    assert_eq!(ids.lines().count(), 1, "the forms have different IDs: {ids}");
    let rows = lab.rc(["images", "--sort", "tag", "--noheading", "--format", "{{.Tag}} {{.Digest}}"]).run().text();
    let rows: Vec<(&str, &str)> = rows.lines().filter_map(|line| line.split_once(' ')).collect();
    assert!(matches!(rows[..], [("gzip", first), ("plain", second)] if first != second), "{rows:?}");
    let id = ids.trim_start_matches("sha256:");
    let object = lab.rc(["inspect", "same:plain"]).run().json()[0].take();
    let tags = json!(["docker.io/library/same:gzip", "docker.io/library/same:plain"]);
    assert_eq!((&object["RepoTags"], &object["NamesHistory"]), (&tags, &tags));
    let names = |digest: &str| format!("docker.io/library/same@{digest}");
    assert_eq!(object["RepoDigests"], json!([names(rows[0].1), names(rows[1].1)]));
    assert_eq!(object["Digest"], json!(rows[1].1), "the form that was asked for");
    // A name that both have had is one.
    load(&lab, &form(Compression::None), "docker.io/library/same:gzip");
    load(&lab, &form(Compression::Gzip), "docker.io/library/same:gzip");
    let sorted = |names: &Value| {
        let names = names.as_array().expect("names").iter().filter_map(Value::as_str);
        names.map(str::to_owned).collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    let objects = [&["inspect", "same:plain"][..], &["images", "--format", "json"]].map(|it| lab.rc(it).run().json());
    for names in [&objects[0][0]["NamesHistory"], &objects[1][0]["History"]] {
        assert_eq!((json!(sorted(names)), names.as_array().map(Vec::len)), (tags.clone(), Some(2)), "{names}");
    }
    lab.rc(["rmi", "same:gzip"]).run().prints("Untagged: docker.io/library/same:gzip\n");
    lab.rc(["images", "-q", "--no-trunc"]).run().prints(format!("{ids}\n"));
    lab.rc(["rmi", "same:plain"]).run().prints(format!("Untagged: docker.io/library/same:plain\nDeleted: {id}\n"));
    lab.rc(["images", "-q"]).run().prints("");
}

#[test]
fn all_names_of_an_image_in_two_forms_are_taken_at_once() {
    let lab = Lab::new();
    let layer = Layer::new().file("a", 0o644, b"1").bytes();
    let form = |packed| Image::new().packed_layer(layer.clone(), packed).config(json!({ "Cmd": ["same"] }));
    load(&lab, &form(Compression::Gzip), "docker.io/library/same:gzip");
    load(&lab, &form(Compression::None), "docker.io/library/same:plain");
    lab.rc(["untag", "same:gzip"]).run().succeeds();
    lab.rc(["images", "--noheading", "--format", "{{.Repository}} {{.Tag}}"]).run().prints("<none> <none>\n");
    let id = lab.rc(["images", "-q"]).run().text();
    assert_eq!(lab.rc(["inspect", "-f", "{{len .RepoTags}}", &id]).run().text(), "0");
    lab.rc(["rmi", &id]).run().succeeds();
    lab.rc(["images", "-q"]).run().prints("");
}
