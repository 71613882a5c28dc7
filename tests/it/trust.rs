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
    let of_archive = format!("rc: `{}` is rejected by", archive.display());
    assert!(load().exits(125).stderr().starts_with(&of_archive));
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

#[test]
fn the_format_and_the_place_of_an_archive_decide_and_not_what_it_is_called() {
    let lab = Lab::new();
    let (oci, docker) = (lab.work("oci.tar"), lab.work("docker.tar"));
    fs::write(&oci, Image::payload().oci_archive("oci:1")).expect("an archive can be written");
    fs::write(&docker, Image::payload().docker_archive("docker:1")).expect("an archive can be written");
    fs::create_dir_all(lab.root().join("config/containers")).expect("a directory can be made");
    let accept = json!([{ "type": "insecureAcceptAnything" }]);
    let policy = |transport: &str, scope: &str| {
        let text = json!({ "default": [{ "type": "reject" }], "transports": { transport: { scope: accept } } });
        fs::write(lab.root().join("config/containers/policy.json"), text.to_string()).expect("written");
    };
    let load = |path: &std::path::Path| lab.rc(["load", "-q", "-i"]).arg(path).run();
    policy("docker-archive", "");
    load(&docker).succeeds();
    load(&oci).exits(125).stderr();
    // By another transport's name it is what it is.
    lab.rc(["pull", "-q"]).arg(format!("docker-archive:{}", oci.display())).run().exits(125).stderr();
    lab.rc(["load", "-q"]).input(fs::read(&oci).expect("an archive")).run().exits(125).stderr();
    let place = oci.display().to_string();
    policy("oci-archive", &place);
    load(&oci).succeeds();
    load(&docker).exits(125).stderr();
    policy("oci-archive", "/elsewhere");
    assert!(load(&oci).exits(125).stderr().starts_with(&format!("rc: `{place}` is rejected by")));
    let names = lab.rc(["images", "--format", "{{.Names}}"]).run().text();
    assert!(names.contains("docker:1") && names.contains("oci:1"), "{names}");
}
