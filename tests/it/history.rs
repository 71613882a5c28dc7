//! `rc history` and `rc image tree`.

use std::fs;

use serde_json::json;

use crate::support::{Compression, Image, Lab, Layer};

/// Two layers, and a change of the configuration between them.
fn load(lab: &Lab) -> String {
    let layer = |name: &str| Layer::new().file(name, 0o644, &[7; 5000]).bytes();
    let image = Image::new()
        .packed_layer(layer("one"), Compression::Gzip)
        .packed_layer(layer("two"), Compression::Gzip)
        .history(json!([
            { "created": "2020-01-01T00:00:00Z", "created_by": "ADD one / # long enough to be cut off at the end" },
            { "created": "2020-01-02T00:00:00Z", "created_by": "ENV A=1", "empty_layer": true, "comment": "buildkit" },
            { "created": "2020-01-03T00:00:00Z", "created_by": "ADD two /" },
        ]));
    let archive = lab.work("image.tar");
    fs::write(&archive, image.oci_archive("h.io/app:1")).expect("an archive can be written");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
    lab.rc(["images", "-q", "--no-trunc", "h.io/app:1"]).run().text()
}

#[test]
fn the_history_of_an_image_is_shown_from_the_top() {
    let lab = Lab::new();
    let id = load(&lab);
    let hex = id.strip_prefix("sha256:").expect("a digest");
    let rc = |words: &[&str]| lab.rc(["history"]).args(words).arg("h.io/app:1").run();
    let table = rc(&["-H=false"]).text();
    let lines: Vec<Vec<&str>> =
        table.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    assert_eq!(lines[0], ["ID", "CREATED", "CREATED BY", "SIZE", "COMMENT"]);
    assert_eq!(lines[1], [&hex[..12], "2020-01-03T00:00:00Z", "ADD two /", "6656"]);
    assert_eq!(lines[2], ["<missing>", "2020-01-02T00:00:00Z", "ENV A=1", "0", "buildkit"]);
    assert_eq!(lines[3][2], "ADD one / # long enough to be cut off at t...");
    assert!(rc(&[]).text().contains(" years ago "), "{table}");
    rc(&["-q"]).prints(format!("{}\n<missing>\n<missing>\n", &hex[..12]));
    rc(&["-q", "--no-trunc"]).prints(format!("{hex}\n<missing>\n<missing>\n"));
    rc(&["--format", "{{.CreatedBy}}|{{.Size}}|{{.Comment}}"])
        .prints("ADD two /|6.66 kB|\nENV A=1|0 B|buildkit\nADD one / # long enough to be cut off at t...|6.66 kB|\n");
    let rows = rc(&["--format", "json"]).json();
    assert_eq!(
        rows[0],
        json!({
            "id": hex, "created": "2020-01-03T00:00:00Z", "CreatedBy": "ADD two /", "tags": ["h.io/app:1"],
            "size": 6656, "comment": "",
        })
    );
    lab.rc(["image", "history", "-q", "h.io/app:1"]).run().succeeds();
    lab.rc(["history", "ghost"]).run().fails(125, "rc: no such image: ghost\n");
}

#[test]
fn a_tree_shows_layers_and_the_images_that_end_with_them() {
    let lab = Lab::new();
    let id = load(&lab);
    let tree = lab.rc(["image", "tree", "h.io/app:1"]).run().text();
    let lines: Vec<&str> = tree.lines().collect();
    assert_eq!(lines[0], format!("Image ID: {}", &id[7..19]));
    assert_eq!(lines[1..4], ["Tags:     [h.io/app:1]", "Size:     13.3 kB", "Image Layers"]);
    assert!(lines[4].starts_with("├── ID: ") && lines[4].ends_with(" Size: 6.66 kB"), "{tree}");
    assert!(lines[5].starts_with("└── ID: ") && lines[5].ends_with("Top Layer of: [h.io/app:1]"), "{tree}");
    assert_eq!(lines.len(), 6, "{tree}");
    // The same layers with another configuration.
    let output = lab.rc(["image", "tree", "--whatrequires", "h.io/app:1"]).run().text();
    assert!(output.ends_with("Images on it"), "{output}");
    lab.rc(["image", "tree", "ghost"]).run().fails(125, "rc: no such image: ghost\n");
}
