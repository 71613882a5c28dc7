//! `rc search`.

use serde_json::json;

use crate::support::registry::Registry;
use crate::support::{Image, Lab, Layer, Page, Web};

/// A server that answers `/v1/search` as docker.io does, and nothing else.
fn docker_io() -> Web {
    let long = "A very small image, whose description is much too long for a table";
    let results = json!({ "results": [
        { "name": "alpine", "description": long, "star_count": 100, "is_official": true, "is_automated": false },
        { "name": "me/alpine\u{1b}[2J", "description": null, "star_count": 3, "is_official": false },
    ] });
    let web = Web::new();
    web.page("/v1/search?q=alp&n=*", Page { body: results.to_string().into_bytes(), ..Page::default() });
    web
}

#[test]
fn a_registry_with_a_search_of_its_own_is_asked() {
    let lab = Lab::new();
    let web = docker_io();
    let host = &web.address;
    let search = |words: &[&str]| lab.rc(["search"]).args(words).arg(format!("{host}/alp")).run();
    let table = search(&["--compatible"]).text();
    let lines: Vec<Vec<&str>> =
        table.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    assert_eq!(lines[0], ["NAME", "DESCRIPTION", "STARS", "OFFICIAL", "AUTOMATED"]);
    let name = format!("{host}/alpine");
    assert_eq!(lines[1], [&name, "A very small image, whose description is muc...", "100", "[OK]"]);
    // What a registry says is harmless for the terminal.
    assert_eq!(lines[2], [&format!("{host}/me/alpine\\x1b[2J"), "3"]);
    assert!(search(&[]).text().starts_with("NAME "));
    search(&["--filter", "stars=10", "--format", "{{.Name}} {{.Stars}}"]).prints(format!("{name} 100\n"));
    search(&["-f", "is-official=false", "--format", "{{.Stars}}"]).prints("3\n");
    search(&["--limit", "1", "--format", "{{.Stars}}"]).prints("100\n");
    let rows = search(&["--format", "json", "--no-trunc", "--limit", "1"]).json();
    assert_eq!(rows[0]["Index"], **host);
    assert!(rows[0]["Description"].as_str().is_some_and(|text| text.ends_with("for a table")), "{rows}");
    for (words, message) in [
        ("--filter ghost=1 x", "the keys are stars, is-official and is-automated"),
        ("--limit 0 x", "`--limit`"),
        ("127.0.0.1:1/x", "cannot search `127.0.0.1:1`: cannot reach `127.0.0.1:1`: connection refused"),
        ("--list-tags 127.0.0.1:1/x", "cannot list the tags of `127.0.0.1:1/x`"),
    ] {
        let output = lab.rc(["search"]).args(words.split(' ')).run().exits(125);
        assert!(output.stderr().contains(message), "{output}");
    }
}

#[test]
fn repositories_and_tags_of_a_plain_registry_are_listed() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let registry = Registry::with_password(&lab);
    let image = Image::new().layer(Layer::new().file("a", 0o644, b"1").bytes());
    let archive = lab.work("image.tar");
    std::fs::write(&archive, image.oci_archive("first:1")).expect("an archive can be written");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
    lab.rc(["login", "-u", "me", "-p", "secret", &registry.address]).run().succeeds();
    for name in ["team/app:1", "team/app:2", "other:1"] {
        lab.rc(["push", "-q", "first:1", &registry.image(name)]).run().says_nothing();
    }
    let search = |words: &[&str], term: &str| lab.rc(["search"]).args(words).arg(registry.image(term)).run();
    let names = ["--format", "{{.Name}}"];
    search(&names, "").prints(format!("{}\n{}\n", registry.image("other"), registry.image("team/app")));
    search(&names, "app").prints(format!("{}\n", registry.image("team/app")));
    search(&[], "ghost").says_nothing();
    let app = registry.image("team/app");
    search(&["--list-tags", "--format", "{{.Name}}:{{.Tag}}"], "team/app").prints(format!("{app}:1\n{app}:2\n"));
    let tags = search(&["--list-tags", "--format", "json"], "team/app").json();
    assert_eq!(tags, json!([{ "Name": app, "Tags": ["1", "2"] }]));
    let output = search(&["--list-tags"], "ghost").exits(125);
    assert!(output.stderr().contains("not found in the registry"), "{output}");
    registry.stop();
}
