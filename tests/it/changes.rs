//! What a container has changed: `rc diff`, `rc export`, `rc commit`.

use serde_json::json;

use crate::support::{Image, Lab, Layer, Output};

/// A lab with a container that has changed some files of its image, and runs.
fn lab() -> Lab {
    let lab = Lab::new();
    let layer = Layer::new()
        .directory("dir/", 0o755)
        .file("dir/gone", 0o644, b"old\n")
        .file("dir/kept", 0o644, b"kept\n")
        .file("dir/same", 0o644, b"same\n")
        .directory("run/", 0o755)
        .bytes();
    let config = json!({
        "Env": ["PATH=/bin", "A=b"], "Entrypoint": ["/payload"], "Cmd": ["hang"], "Labels": { "of": "image" },
    });
    let archive = Image::payload().layer(layer).config(config).oci_archive("localhost/files:latest");
    lab.rc(["load"]).input(archive).run().succeeds();
    let options = ["-v", "data:/v", "-l", "own=1", "-e", "HTTP_PROXY=secret", "-w", "/dir", "--stop-signal", "SIGINT"];
    lab.rc(["run", "-d", "--name", "c", "--network", "none"])
        .args(options)
        .args(["files", "sleep"])
        .run()
        .exits(0)
        .stdout();
    lab.ready("c");
    for words in [&["write", "/dir/kept", "changed"][..], &["write", "/dir/new", "added"], &["write", "/v/x", "volume"]]
    {
        lab.rc(["exec", "c", "/payload"]).args(words).run().succeeds();
    }
    lab.rc(["exec", "c", "/payload", "remove", "/dir/gone"]).run().succeeds();
    lab
}

fn play(lab: &Lab, image: &str, words: &[&str]) -> Output {
    lab.rc(["run", "--rm", "--network", "none", image]).args(words).run()
}

#[test]
fn image_diff_lists_what_the_last_layer_has_changed() {
    let lab = Lab::new();
    let below = Layer::new().directory("etc/", 0o755).file("etc/old", 0o644, b"1").file("etc/kept", 0o644, b"2");
    let above = Layer::new().whiteout("etc/old").file("etc/kept", 0o644, b"3").file("etc/new", 0o644, b"4");
    let image = Image::new().layer(below.bytes()).layer(above.bytes());
    lab.rc(["load", "-q"]).input(image.oci_archive("two:1")).run().succeeds();
    let mut lines: Vec<String> = lab.rc(["image", "diff", "two:1"]).run().text().lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["A /etc/new", "C /etc", "C /etc/kept", "D /etc/old"]);
    let object = lab.rc(["image", "diff", "--format", "json", "two:1"]).run().json();
    assert_eq!(object["deleted"], serde_json::json!(["/etc/old"]), "{object}");
    lab.rc(["image", "diff", "ghost"]).run().fails(125, "rc: no such image: ghost\n");
}

#[test]
fn diff_of_a_name_that_no_container_has_is_that_of_the_image() {
    let lab = Lab::with_payload();
    let expected = lab.rc(["image", "diff", "payload"]).run().text();
    lab.rc(["diff", "payload"]).run().prints(format!("{expected}\n"));
    lab.rc(["create", "--name", "payload", "payload", "/payload"]).run().succeeds();
    lab.rc(["diff", "payload"]).run().prints("");
    lab.rc(["diff", "nothing"]).run().fails(125, "rc: no such container: nothing\n");
    lab.remove_containers();
}

#[test]
fn diff_lists_what_a_container_has_changed_and_nothing_of_rc_s() {
    let lab = lab();
    let list = "C /dir\nD /dir/gone\nC /dir/kept\nA /dir/new\n";
    let shown = lab.rc(["diff", "c"]).run().text();
    let shown: String = shown
        .lines()
        .filter(|line| !line.ends_with("/etc") && !line.ends_with("/v"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(shown, list);
    lab.rc(["stop", "c"]).run().succeeds();
    assert!(lab.rc(["container", "diff", "-l"]).run().text().contains(list));
    let object = lab.rc(["diff", "--format", "json", "c"]).run().json();
    assert_eq!(object["deleted"], json!(["/dir/gone"]));
    for (line, words) in
        [("diff ghost", "no such container"), ("diff", "no container was named"), ("diff --format x c", "only json")]
    {
        assert!(lab.rc(line.split(' ')).run().exits(125).stderr().contains(words), "{line}");
    }
    lab.remove_containers();
}

#[test]
fn an_export_has_all_files_of_a_container_and_nothing_that_is_mounted() {
    let lab = lab();
    let export = || lab.rc(["export", "c"]).run().exits(0).stdout;
    let running = export();
    lab.rc(["stop", "c"]).run().succeeds();
    for archive in [running, export()] {
        let names = lab.program("tar", ["-tf", "-"]).input(archive.clone()).run().text();
        let names: Vec<&str> = names.lines().collect();
        assert!(names.contains(&"dir/new") && names.contains(&"payload") && !names.contains(&"dir/gone"), "{names:?}");
        assert!(!names.iter().any(|name| name.starts_with("proc/") && *name != "proc/" || *name == "v/x"), "{names:?}");
        lab.rc(["import", "-", "localhost/again"]).input(archive).run().exits(0).stdout();
        play(&lab, "localhost/again", &["/payload", "read", "/dir/kept"]).prints("changed\n");
    }
    lab.rc(["export", "-o", "c.tar", "c"]).directory(lab.work("")).run().says_nothing();
    assert!(lab.work("c.tar").exists());
    assert!(lab.rc(["export", "ghost"]).run().exits(125).stderr().contains("no such container: ghost"));
    lab.remove_containers();
}

#[test]
fn a_commit_is_an_image_with_the_changes_and_defaults_of_the_container() {
    let lab = lab();
    let id = lab
        .rc(["commit", "-q", "-a", "Me", "-m", "why", "-c", "LABEL more=2", "--iidfile", "id", "c", "made"])
        .directory(lab.work(""))
        .run()
        .text();
    assert_eq!(std::fs::read_to_string(lab.work("id")).unwrap(), format!("sha256:{}", id.trim()));
    lab.rc(["ps", "--format", "{{.State}}"]).run().prints("running\n");
    play(&lab, "made", &["read", "/dir/kept"]).prints("changed\n");
    play(&lab, "made", &["list", "/dir"]).prints("kept\nnew\nsame\n");
    let image = lab.rc(["image", "inspect", "made"]).run().json()[0].clone();
    let config = &image["Config"];
    assert_eq!(config["Labels"], json!({ "of": "image", "own": "1", "more": "2" }));
    assert_eq!((&config["Entrypoint"], &config["Cmd"]), (&json!(["/payload"]), &json!(["sleep"])));
    assert_eq!((&config["WorkingDir"], &config["StopSignal"]), (&json!("/dir"), &json!("SIGINT")));
    assert_eq!(config["Env"], json!(["PATH=/bin", "A=b"]), "neither rc's own variables nor a proxy's");
    assert_eq!(image["Author"], "Me");
    // It is as good a base as any other, and one layer is enough for all.
    lab.rc(["commit", "--squash", "--include-volumes", "c", "one"]).run().exits(0).stdout();
    play(&lab, "one", &["list", "/dir"]).prints("kept\nnew\nsame\n");
    let image = lab.rc(["image", "inspect", "one"]).run().json()[0].clone();
    assert_eq!(image["RootFS"]["Layers"].as_array().map(Vec::len), Some(1));
    assert_eq!(image["Config"]["Volumes"], json!({ "/v": {} }));
    let merged = json!({
        "Cmd": ["exit", "3"], "Env": ["A=new", "B=1"], "Labels": { "more": "3" }, "ExposedPorts": { "80/tcp": {} },
        "Hostname": "ignored", "Entrypoint": null,
    });
    std::fs::write(lab.work("config.json"), merged.to_string()).expect("a file can be written");
    let config = lab.work("config.json").display().to_string();
    drop(lab.rc(["commit", "--config", &config, "-c", "USER 0", "c", "merged"]).run().exits(0));
    let config_of = |name: &str| lab.rc(["image", "inspect", name]).run().json()[0]["Config"].clone();
    let shown = config_of("merged");
    assert_eq!((&shown["Entrypoint"], &shown["Cmd"]), (&json!(["/payload"]), &json!(["exit", "3"])));
    assert_eq!(shown["Env"], json!(["PATH=/bin", "A=new", "B=1"]));
    assert_eq!(shown["Labels"], json!({ "of": "image", "own": "1", "more": "3" }));
    assert!(shown["ExposedPorts"]["80/tcp"].is_object() && shown["User"] == "0", "{shown}");
    std::fs::write(lab.work("bad.json"), "{\"Comand\": [\"x\"]}").expect("a file can be written");
    lab.rc(["stop", "c"]).run().succeeds();
    lab.rc(["container", "commit", "c"]).run().exits(0).stdout();
    let images = lab.rc(["images", "-q", "--no-trunc"]).run().text().lines().count();
    for (words, message) in [
        (&["commit", "ghost"][..], "no such container: ghost"),
        (&["commit", "-f", "docker", "c"], "`docker` is not supported"),
        (&["commit", "-c", "RUN x", "c", "bad"], "does not change the configuration"),
        (&["commit", "c", "BAD NAME"], "BAD NAME"),
        (&["commit", "--config", "bad.json", "c", "bad"], "`--config`: cannot read `bad.json`: unknown key `Comand`"),
        (&["commit", "--config", "none.json", "c", "bad"], "none.json"),
    ] {
        assert!(lab.rc(words).run().exits(125).stderr().contains(message), "{words:?}");
    }
    assert_eq!(lab.rc(["images", "-q", "--no-trunc"]).run().text().lines().count(), images);
    lab.remove_containers();
}
