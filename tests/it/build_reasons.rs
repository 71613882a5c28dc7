//! Why a step of a build is not in the cache: in every display, in `--metadata-file`, and with `--explain`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::build::{base, build, lab, write};
use crate::support::{Image, Lab, Layer};

/// The lines that say why, of a build with plain lines.
fn reasons(lab: &Lab, words: &[&str]) -> Vec<String> {
    let said = build(lab, &[&["--progress", "plain"], words].concat()).exits(0).stderr();
    let lines = said.lines().filter_map(|line| line.split_once(" not cached: "));
    lines.map(|(step, reason)| format!("{step} {reason}")).collect()
}

/// What `--explain` says: the step, whether it is cached, and why not.
fn explained(lab: &Lab, words: &[&str]) -> Vec<(String, bool, String)> {
    let object = build(lab, &[&["--explain=json"], words].concat()).json();
    let steps = object["Steps"].as_array().expect("steps").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    steps.map(|step| (text(&step["Instruction"]), step["Cached"] == true, text(&step["Reason"]))).collect()
}

const DOCKERFILE: &str = "FROM localhost/base\nARG V=1\nRUN echo $V >/v\nCOPY src /src\nRUN cat /src/a >/copy\n";

#[test]
fn every_step_that_is_not_in_the_cache_says_why() {
    let lab = lab(&[("Dockerfile", DOCKERFILE), ("src/a", "1"), ("src/b", "1"), ("src/c", "1")]);
    assert_eq!(reasons(&lab, &[]), ["#1 first build here", "#2 first build here", "#3 first build here"]);
    assert_eq!(reasons(&lab, &[]), [""; 0]);
    write(&lab, "src/a", "2");
    write(&lab, "src/new", "2");
    fs::remove_file(lab.work("context/src/b")).expect("removed");
    fs::set_permissions(lab.work("context/src/c"), fs::Permissions::from_mode(0o755)).expect("set");
    let files = "files: 4 of 4: src/a changed, src/new new, src/b removed and 1 more";
    assert_eq!(reasons(&lab, &[]), [format!("#2 {files}"), "#3 after step 2".to_owned()]);
    fs::set_permissions(lab.work("context/src/c"), fs::Permissions::from_mode(0o644)).expect("set");
    assert_eq!(reasons(&lab, &[])[0], "#2 files: 1 of 4: src/c mode 755 → 644");
    // An argument, and the layer is another one.
    assert_eq!(
        reasons(&lab, &["--build-arg", "V=2"]),
        ["#1 V changed: 1 → 2", "#2 after step 1", "#3 V changed: 1 → 2"]
    );
    // What is made anew and is the same makes no other step miss.
    write(&lab, "Dockerfile", &DOCKERFILE.replace("echo $V >/v", "echo $V > /v"));
    let changed = reasons(&lab, &["--build-arg", "V=2", "--timestamp", "5"]);
    assert_eq!(changed[0], "#1 instruction changed: RUN echo $V >/v → RUN echo $V > /v");
    assert_eq!(reasons(&lab, &["--no-cache", "--build-arg", "V=2"])[0], "#1 --no-cache");
    lab.rc(["rmi", "-f", "-a"]).run().exits(0).stdout();
    lab.rc(["builder", "prune", "-a", "-f"]).run().exits(0).stdout();
    base(&lab);
    let pruned = reasons(&lab, &["--build-arg", "V=2"]);
    assert!(
        pruned[0].starts_with("#1 removed from the cache on 20") && pruned[0].ends_with(" by a prune"),
        "{pruned:?}"
    );
}

#[test]
fn what_looks_like_a_secret_is_named_and_not_shown() {
    let lab = lab(&[("Dockerfile", "FROM localhost/base\nARG API_TOKEN\nRUN echo x >/x\n")]);
    reasons(&lab, &["--build-arg", "API_TOKEN=k7Xq9w"]);
    assert_eq!(reasons(&lab, &["--build-arg", "API_TOKEN=other"]), ["#1 API_TOKEN changed"]);
    let kept = lab.program("grep", ["-rl", "k7Xq9w"]).arg(lab.store().join("cache/slots")).run();
    assert_eq!(kept.stdout(), "");
}

#[test]
fn a_base_that_moved_is_named_with_both_digests() {
    let lab = lab(&[("Dockerfile", "FROM localhost/base AS one\nRUN echo x >/x\nFROM one\nRUN echo y >/y\n")]);
    reasons(&lab, &[]);
    let busybox = fs::read("/bin/busybox").expect("busybox-static is installed");
    let layer = Layer::new().directory("bin/", 0o755).file("bin/busybox", 0o755, &busybox);
    let layer = layer.symlink("bin/sh", "busybox").file("other", 0o644, b"").bytes();
    let config = serde_json::json!({ "Env": ["PATH=/bin", "OF=base"] });
    let archive = Image::new().layer(layer).config(config).oci_archive("localhost/base:latest");
    lab.rc(["load", "-q"]).input(archive).run().exits(0).stdout();
    let found = reasons(&lab, &[]);
    assert!(found[0].starts_with("#1 base localhost/base:latest moved: sha256:"), "{found:?}");
    assert_eq!(found[1], "#2 after step 1 of one");
}

#[test]
fn explain_runs_nothing_and_says_what_would_be_taken() {
    let lab = lab(&[("Dockerfile", DOCKERFILE), ("src/a", "1")]);
    let first = |text: &str| (text.to_owned(), false, "first build here".to_owned());
    let hit = |text: &str| (text.to_owned(), true, String::new());
    let texts = ["RUN echo $V >/v", "COPY src /src", "RUN cat /src/a >/copy"];
    assert_eq!(explained(&lab, &[]), texts.map(first));
    lab.rc(["image", "exists", "localhost/made"]).run().fails(1, "");
    build(&lab, &["-q"]).exits(0).stdout();
    assert_eq!(explained(&lab, &[]), texts.map(hit));
    write(&lab, "src/a", "2");
    let miss = |text: &str, why: &str| (text.to_owned(), false, why.to_owned());
    let expected = [hit(texts[0]), miss(texts[1], "files: 1 of 2: src/a changed"), miss(texts[2], "after step 2")];
    assert_eq!(explained(&lab, &[]), expected);
    assert_eq!(explained(&lab, &[]), expected, "it has changed nothing");
    let table = build(&lab, &["--explain"]).exits(0).stdout();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("STEP") && lines[0].ends_with("REASON"), "{table}");
    assert!(lines[1].starts_with("[stage-0 1/3] RUN echo $V >/v") && lines[1].contains(" yes "), "{table}");
    assert!(lines[2].contains(" no ") && lines[2].ends_with("files: 1 of 2: src/a changed"), "{table}");
    // Files of a stage that is not built yet are not known.
    write(
        &lab,
        "Dockerfile",
        "FROM localhost/base AS one\nRUN echo 1 >/x\nFROM scratch AS two\nCOPY --from=one /x /\n",
    );
    build(&lab, &["-q"]).exits(0).stdout();
    write(
        &lab,
        "Dockerfile",
        "FROM localhost/base AS one\nRUN echo 2 >/x\nFROM scratch AS two\nCOPY --from=one /x /\n",
    );
    assert_eq!(
        explained(&lab, &[]),
        [
            miss("RUN echo 2 >/x", "instruction changed: RUN echo 1 >/x → RUN echo 2 >/x"),
            miss("COPY --from=one /x /", "after step 1 of one")
        ]
    );
    // A base that is not here is not pulled.
    write(&lab, "Dockerfile", "FROM localhost/nowhere\nRUN true\n");
    assert!(build(&lab, &["--explain"]).exits(125).stderr().contains("localhost/nowhere"));
}

#[test]
fn the_metadata_file_has_each_step_and_its_reason() {
    let lab = lab(&[("Dockerfile", DOCKERFILE), ("src/a", "1")]);
    build(&lab, &["-q"]).exits(0).stdout();
    write(&lab, "src/a", "2");
    let path = lab.work("metadata");
    build(&lab, &["-q", "--metadata-file", &path.display().to_string()]).exits(0).stdout();
    let written: Value = serde_json::from_slice(&fs::read(&path).expect("written")).expect("JSON");
    let steps = &written["rc.build.steps"];
    assert_eq!(steps[0]["Cached"], true);
    assert_eq!(steps[1]["Reason"], "files: 1 of 2: src/a changed");
    assert_eq!(steps[1]["Cause"]["files"]["changed"][0], "src/a");
    assert!(steps[1]["Milliseconds"].is_u64(), "{steps}");
    assert_eq!(steps[2]["Cause"]["after"], "step 2");
}

#[test]
fn explain_looks_at_the_caches_of_others_and_fetches_no_layer() {
    let text =
        "FROM localhost/base AS one\nRUN echo 1 >/x\nFROM localhost/base\nRUN echo 2 >/y\nCOPY --from=one /x /\n";
    let first = lab(&[("Dockerfile", text)]);
    let cache = first.work("cache").display().to_string();
    build(&first, &["-q", "--cache-to", &format!("type=local,dest={cache},mode=max")]).exits(0).stdout();
    let second = lab(&[("Dockerfile", text)]);
    let from = ["--cache-from", &format!("type=local,src={cache}")].map(str::to_owned);
    let words = ["--explain=json", &from[0], &from[1]];
    let object = build(&second, &words).json();
    let steps = object["Steps"].as_array().expect("steps");
    for step in &steps[..2] {
        assert_eq!((&step["Cached"], step["From"].as_str()), (&Value::Bool(true), Some(cache.as_str())), "{object}");
    }
    assert_eq!(steps[2]["Reason"], "not known before the files that it copies are fetched");
    assert_eq!(steps[2]["Cause"], "unfetched");
    assert!(second.rc(["builder", "du", "--format", "{{.ID}}"]).run().text().is_empty());
}
