//! policy.json, and `rc image trust`.

use std::fs;

use serde_json::json;

use crate::support::registry::Registry;
use crate::support::{Image, Lab};

#[test]
fn the_policy_says_what_may_be_pulled_and_loaded() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    let archive = lab.work("image.tar");
    fs::write(&archive, Image::payload().oci_archive("first:1")).expect("an archive can be written");
    let load = || lab.rc(["load", "-q", "-i"]).arg(&archive).run();
    load().succeeds();
    let [good, bad] = ["good/app:1", "bad/app:1"].map(|name| registry.image(name));
    for name in [&good, &bad] {
        lab.rc(["push", "-q", "first:1", name]).run().says_nothing();
    }
    lab.rc(["rmi", "-fa"]).run().succeeds();
    let trust = |words: &[&str]| lab.rc(["image", "trust"]).args(words).run();
    let host = &registry.address;
    trust(&["set", "--type", "reject", "default"]).says_nothing();
    trust(&["set", "-t", "accept", &format!("{host}/good")]).says_nothing();
    let file = lab.root().join("config/containers/policy.json");
    lab.rc(["pull", "-q", &good]).run().succeeds();
    let refused = format!(
        "rc: `{bad}` is rejected by `{}` (default)\nhint: `rc image trust show` lists what is accepted\n",
        file.display()
    );
    lab.rc(["pull", "-q", &bad]).run().fails(125, &refused);
    lab.rc(["run", "-q", "--rm", &bad, "/payload"]).run().fails(125, &refused);
    assert!(load().exits(125).stderr().starts_with("rc: `the archive` is rejected by"));
    let lines = trust(&["show", "--noheading"]).text();
    let words: Vec<Vec<&str>> = lines.lines().map(|line| line.split_whitespace().take(3).collect()).collect();
    assert_eq!(words, [vec!["all", "default", "reject"], vec!["repository", &format!("{host}/good"), "accept"]]);
    assert!(trust(&["show"]).text().starts_with("TRANSPORT   NAME"));
    assert_eq!(trust(&["show", "--json"]).json()[0]["type"], "reject");
    assert_eq!(trust(&["show", "--raw"]).json()["default"], json!([{ "type": "reject" }]));
    let signed = json!({ "default": [{ "type": "sigstoreSigned", "keyPath": "/k" }] });
    fs::write(&file, signed.to_string()).expect("a file can be written");
    let output = lab.rc(["pull", "-q", &bad]).run().exits(125);
    assert!(output.stderr().contains(&format!("requires `sigstoreSigned` of `{bad}` (default), which rc does not")));
    fs::write(&file, "{}").expect("a file can be written");
    let output = lab.rc(["pull", "-q", &bad]).run().exits(125);
    assert!(output.stderr().starts_with(&format!("rc: cannot read `{}`: missing field", file.display())), "{output}");
    drop(trust(&["set", "--type", "signedBy", "default"]).exits(125));
    registry.stop();
}
