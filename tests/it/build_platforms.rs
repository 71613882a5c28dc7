//! `rc build --platform`: images for other platforms than the host's, and lists of several.

use std::fs;

use serde_json::Value;

use crate::build::{build, inspect, lab, write};
use crate::support::{Lab, Registry};

/// Another architecture than the host's.
fn other() -> &'static str {
    if cfg!(target_arch = "x86_64") { "arm64" } else { "amd64" }
}

fn own() -> &'static str {
    if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" }
}

/// `localhost/foreign`, an image for the other architecture, without programs.
fn foreign(lab: &Lab) {
    write(lab, "../foreign/Dockerfile", "FROM scratch\nCOPY Dockerfile /file\n");
    let words = ["build", "-q", "--arch", other(), "-t", "localhost/foreign"];
    lab.rc(words).arg(lab.work("foreign")).run().exits(0).stdout();
}

#[test]
fn several_platforms_make_a_list_and_each_has_its_own_files() {
    let text = "FROM --platform=$BUILDPLATFORM localhost/base AS build\nARG TARGETARCH\n\
        RUN echo for $TARGETARCH >/for\nFROM scratch\nCOPY --from=build /for /for\n";
    let lab = lab(&[("Dockerfile", text)]);
    let both = format!("linux/{},linux/{}", own(), other());
    let id =
        build(&lab, &["-q", "--platform", &both, "--iidfile", "id", "--metadata-file", "metadata"]).exits(0).stdout();
    let list = lab.rc(["manifest", "inspect", "localhost/made"]).run().json();
    let architectures: Vec<&str> = list["manifests"]
        .as_array()
        .expect("images")
        .iter()
        .filter_map(|it| it["platform"]["architecture"].as_str())
        .collect();
    assert_eq!(architectures, [own(), other()], "{list}");
    assert_eq!(fs::read_to_string(lab.work("id")).expect("there"), format!("sha256:{}", id.trim()));
    // The name stands for the image of this host.
    assert_eq!(inspect(&lab)["Architecture"], own());
    build(&lab, &["-o", "out", "--platform", &both]).exits(0).stdout();
    for architecture in [own(), other()] {
        let text =
            fs::read_to_string(lab.work("out").join(format!("linux_{architecture}")).join("for")).expect("there");
        assert_eq!(text, format!("for {architecture}\n"));
    }
    // Built again, all of it is in the cache, and the name is that of one list.
    let again = build(&lab, &["--progress", "plain", "--platform", &both]).exits(0);
    assert_eq!(again.stderr().matches(" CACHED").count(), 4, "{}", again.stderr());
    assert_eq!(again.stdout(), id);
    // A cache for others has the steps of all.
    let cache = |key: &str| format!("type=local,{key}={}", lab.work("cache").display());
    build(&lab, &["-q", "--platform", &both, "--cache-to", &cache("dest")]).exits(0).stdout();
    lab.rc(["rmi", "-f", "-a"]).run().exits(0).stdout();
    lab.rc(["manifest", "rm", "localhost/made"]).run().exits(0).stdout();
    lab.rc(["builder", "prune", "-a", "-f"]).run().exits(0).stdout();
    crate::build::base(&lab);
    let anew =
        build(&lab, &["--progress", "plain", "--platform", &both, "--cache-from", &cache("src")]).exits(0).stderr();
    assert_eq!(anew.matches(" cache from ").count(), 2, "the steps of the result: {anew}");
    // Its parts are those of the command line, too.
    build(&lab, &["-q", "--arch", other(), "-t", "localhost/one"]).exits(0).stdout();
    let one = lab.rc(["image", "inspect", "localhost/one"]).run().json()[0].clone();
    assert_eq!(one["Architecture"], other());
    for (words, message) in [
        (&["--platform", &both, "-o", "type=oci,dest=x"][..], "one platform"),
        (&["--platform", &both, "-o", "-"], "the files of one platform"),
        (&["--platform", "linux/amd64/v1/x"], "--platform"),
        (&["--annotation", "index:a=b"], "needs several platforms"),
    ] {
        let refused = build(&lab, words).exits(125).stderr();
        assert!(refused.contains(message), "{words:?}: {refused}");
    }
}

#[test]
fn a_list_is_pushed_with_all_of_its_images() {
    require!(program "docker-registry");
    let text = "FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /file\n";
    let lab = lab(&[("Dockerfile", text), ("amd64", "x86"), ("arm64", "arm")]);
    let registry = Registry::empty(&lab);
    let name = registry.image("made:1");
    let both = format!("linux/{},linux/{}", own(), other());
    let words = ["build", "-q", "--push", "-t", &name, "--annotation", "index:a=b", "--metadata-file", "metadata"];
    lab.rc(words).args(["--platform", &both]).arg(lab.work("context")).run().exits(0).stdout();
    let metadata: Value = serde_json::from_slice(&fs::read(lab.work("metadata")).expect("there")).expect("JSON");
    lab.rc(["rmi", "-f", "-a"]).run().exits(0).stdout();
    lab.rc(["manifest", "rm", &name]).run().exits(0).stdout();
    let list = lab.rc(["manifest", "inspect", &name]).run().json();
    assert_eq!(list["annotations"]["a"], "b", "{list}");
    for architecture in [own(), other()] {
        lab.rc(["pull", "-q", "--platform", &format!("linux/{architecture}"), &name]).run().exits(0).stdout();
        let found = lab.rc(["image", "inspect", &name]).run().json()[0].clone();
        assert_eq!(found["Architecture"], architecture);
    }
    let digest = metadata["containerimage.digest"].as_str().expect("a digest");
    lab.rc(["pull", "-q", &format!("{name}@{digest}")]).run().exits(0).stdout();
    registry.stop();
}

#[test]
fn a_stage_for_the_host_and_one_for_the_target_have_each_their_own_base() {
    let lab = lab(&[]);
    foreign(&lab);
    let text = "FROM localhost/foreign AS target\nFROM --platform=$BUILDPLATFORM localhost/base AS build\n\
        RUN echo built >/f\nFROM target\nCOPY --from=build /f /f\n";
    write(&lab, "Dockerfile", text);
    build(&lab, &["-q", "--platform", &format!("linux/{}", other())]).exits(0).stdout();
    assert_eq!(inspect(&lab)["Architecture"], other());
    let archive = lab.rc(["save", "localhost/made"]).run().exits(0).stdout;
    let listed = lab.program("tar", ["-tf", "-"]).input(archive).run().text();
    assert!(listed.lines().count() > 2, "{listed}");
}

#[test]
fn programs_of_another_architecture_need_an_emulator_and_nothing_runs_without_one() {
    let is_emulated = fs::read_dir("/proc/sys/fs/binfmt_misc")
        .is_ok_and(|all| all.flatten().any(|one| one.file_name().to_string_lossy().starts_with("qemu-")));
    require!(!is_emulated, "this host has emulators");
    let text =
        "FROM localhost/base AS own\nRUN echo never >/x\nFROM localhost/foreign\nCOPY --from=own /x /\nRUN true\n";
    let lab = lab(&[("Dockerfile", text)]);
    foreign(&lab);
    let refused = build(&lab, &["--progress", "plain"]).exits(125).stderr();
    assert!(refused.contains(&format!("a step runs programs for {}", other())), "{refused}");
    assert!(refused.contains("qemu-user") && refused.contains(">>> RUN true"), "{refused}");
    assert!(!refused.contains("not cached"), "nothing runs: {refused}");
}
