//! `system df`, `prune`, `check` and `reset`, `container prune`, `image prune`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::support::{Image, Lab, Layer};

fn load(lab: &Lab, image: &Image, name: &str) {
    let archive = lab.work("archive.tar");
    fs::write(&archive, image.oci_archive(name)).expect("an archive can be written");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
}

/// A container that has ended, and wrote a MiB to a volume and as much to its own files.
fn ended(lab: &Lab, name: &str, more: &[&str]) -> String {
    drop(
        lab.rc(["run", "--name", name, "--network", "none"])
            .args(more)
            .args(["payload", "/payload", "echo", "x"])
            .run()
            .exits(0),
    );
    lab.rc(["inspect", "-f", "{{.Id}}", name]).run().text().trim().to_owned()
}

fn running(lab: &Lab, name: &str, more: &[&str]) -> String {
    let run = lab.rc(["run", "-d", "--name", name, "--network", "none"]).args(more);
    run.args(["payload", "/payload", "hang"]).run().text().trim().to_owned()
}

fn paths(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn df_counts_what_is_shared_once_and_tells_what_is_in_use() {
    let lab = Lab::new();
    lab.rc(["system", "df", "--format", "{{.Type}} {{.Total}} {{.Size}} {{.Reclaimable}}"]).run().prints(
        "Images 0 0B 0B (0%)\nContainers 0 0B 0B (0%)\nLocal Volumes 0 0B 0B (0%)\n\
             Build Cache 0 0B 0B (0%)\n",
    );
    let mebibytes = |name: &str, count: usize| {
        let noise: Vec<u8> = (0_u8..=250).cycle().take(count << 20).collect();
        Layer::new().file(name, 0o644, &noise).bytes()
    };
    for (name, count) in [("one", 1), ("two", 2)] {
        let image = Image::payload().layer(mebibytes("shared", 4)).layer(mebibytes(name, count));
        load(&lab, &image, &format!("localhost/{name}:1"));
    }
    lab.payload();
    ended(&lab, "ended", &["-v", "kept:/v"]);
    running(&lab, "running", &["-v", "used:/v"]);
    lab.rc(["rm", "ended"]).run().succeeds();
    ended(&lab, "ended", &[]);

    let rows = lab.rc(["system", "df", "--format", "json"]).run().json();
    let row = |number: usize, key: &str| rows[number][key].clone();
    for (number, kind, total, active) in [(0, "Images", 3, 1), (1, "Containers", 2, 1), (2, "Local Volumes", 2, 1)] {
        assert_eq!(row(number, "Type"), json!(kind), "{rows}");
        assert_eq!((row(number, "Total"), row(number, "Active")), (json!(total), json!(active)), "{rows}");
        assert_eq!(row(number, "TotalCount"), json!(total), "{rows}");
    }
    let bytes = |number: usize, key: &str| row(number, key).as_u64().expect("a number");
    let unpacked = fs::read_dir(lab.store().join("layers")).expect("maps").count();
    assert_eq!(unpacked, 1);
    // At least the unpacked files, of which 4 MiB are shared.
    assert!(bytes(0, "RawSize") > 7 << 20, "{rows}");
    assert!(bytes(0, "RawReclaimable") > 7 << 20 && bytes(0, "RawReclaimable") < bytes(0, "RawSize"), "{rows}");
    // What a container mounts stays, too.
    let mount = ["--mount", "type=image,src=localhost/one:1,dst=/m"];
    let create = lab.rc(["create", "--name", "mounts", "--network", "none"]).args(mount);
    create.args(["payload", "/payload"]).run().succeeds();
    let now = lab.rc(["system", "df", "--format", "json"]).run().json();
    let reclaimable = now[0]["RawReclaimable"].as_u64().expect("bytes");
    assert!(reclaimable + (5 << 20) <= bytes(0, "RawReclaimable") && now[0]["Active"] == 2, "{now}");
    lab.rc(["rm", "mounts"]).run().succeeds();
    assert!(bytes(1, "RawReclaimable") > 0 && bytes(1, "RawReclaimable") < bytes(1, "RawSize"), "{rows}");

    let table = lab.rc(["system", "df"]).run().text();
    let first: Vec<&str> = table.lines().next().expect("a heading").split_whitespace().collect();
    assert_eq!(first, ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]);
    let docker = "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";
    assert_eq!(lab.rc(["system", "df", "--format", docker]).run().text(), table);

    let verbose = lab.rc(["system", "df", "-v"]).run().text();
    for part in
        ["Images space usage:\n\nREPOSITORY", "\n\nContainers space usage:\n\nCONTAINER ID", "VOLUME NAME  LINKS"]
    {
        assert!(verbose.contains(part), "{part}: {verbose}");
    }
    let line = |begin: &str| verbose.lines().find(|line| line.starts_with(begin)).expect("a line").to_owned();
    let cells: Vec<String> = line("localhost/one").split("  ").map(|cell| cell.trim().to_owned()).collect();
    let cells: Vec<&String> = cells.iter().filter(|cell| !cell.is_empty()).collect();
    assert!(cells[5].ends_with("MB") && cells[5] != "0B", "shared: {cells:?}");
    assert!(cells[6].ends_with("MB"), "one MiB as a file: {cells:?}");
    assert_eq!(cells[7], "0");
    assert!(line("used").contains('1') && line("kept").contains('0'), "{verbose}");
    let object = lab.rc(["system", "df", "-v", "--format", "json"]).run().json();
    assert_eq!(
        (object["Images"].as_array().map(Vec::len), object["BuildCache"].as_array().map(Vec::len)),
        (Some(3), Some(0))
    );
    lab.rc(["rm", "-fa"]).run().succeeds();
}

#[test]
fn prune_asks_and_removes_only_what_is_not_used() {
    let lab = Lab::with_payload();
    load(&lab, &Image::new().config(json!({ "Cmd": ["unused"] })), "localhost/unused:1");
    load(&lab, &Image::new().config(json!({ "Cmd": ["nameless"] })), "localhost/nameless:1");
    lab.rc(["untag", "localhost/nameless:1"]).run().succeeds();
    let dead = ended(&lab, "dead", &["-v", "unused:/v"]);
    let labelled = ended(&lab, "labelled", &["--label", "keep=yes"]);
    running(&lab, "up", &["-v", "used:/v"]);
    let names = || lab.rc(["ps", "-a", "--format", "{{.Names}}", "--sort", "names"]).run().text();

    // Without an answer, and after a no, nothing is removed.
    for (command, warning) in [
        ("container prune", "WARNING! This will remove all non running containers.\n"),
        ("image prune", "WARNING! This command removes all dangling images.\n"),
        (
            "system prune",
            "WARNING! This command removes:\n\t- all stopped containers\n\
             \t- all networks not used by at least one container\n\t- all dangling images\n\
             \t- unused build cache\n\n",
        ),
    ] {
        let question = format!("{warning}Are you sure you want to continue? [y/N] ");
        lab.rc(command.split(' ')).input("n\n").run().prints(&question);
        let none = lab.rc(command.split(' ')).input("").run().exits(125);
        assert_eq!(none.stdout(), question);
        assert_eq!(
            none.stderr(),
            "rc: there is no answer on standard input\nhint: to go on without a question: --force\n"
        );
    }
    assert_eq!(names().lines().count(), 3);
    lab.rc(["container", "prune", "--filter", "name=a", "-f"])
        .run()
        .fails(125, "rc: unknown filter `name`\nhint: filters are label, label!, until\n");
    // What is new stays, volumes too.
    let new = lab
        .rc(["system", "prune", "-a", "--volumes", "--filter", "until=1h", "--filter", "label=keep", "-f"])
        .run()
        .text();
    assert!(new.ends_with("Total reclaimed space: 0B"), "{new}");
    assert_eq!(names().lines().count(), 3);
    lab.rc(["container", "prune", "-f", "--filter", "until=1h"]).run().prints("");
    let yes = lab.rc(["container", "prune", "--filter", "label!=keep"]).input("y\n").run().exits(0);
    assert!(yes.stdout().ends_with(&format!("[y/N] {dead}\n")), "{yes}");
    assert_eq!(names().trim(), "labelled\nup");
    let pruned = lab.rc(["image", "prune", "-f"]).run().text();
    assert_eq!((pruned.lines().count(), pruned.lines().next().map(str::len)), (1, Some(64)), "{pruned}");
    assert_eq!(lab.rc(["images", "-q"]).run().text().lines().count(), 2);

    let before = lab.rc(["system", "df", "--format", "{{.RawSize}}"]).run().text();
    let total = |text: &str| text.lines().map(|line| line.parse::<u64>().expect("a number")).sum::<u64>();
    let pruned = lab.rc(["system", "prune", "-a", "-f", "--volumes"]).run().text();
    let lines: Vec<&str> = pruned.lines().collect();
    assert_eq!((lines[0], lines[1]), ("Deleted Containers", labelled.as_str()), "{pruned}");
    assert_eq!((lines[2], lines[3].len()), ("Deleted Images", 64), "{pruned}");
    assert_eq!(lines[4..6], ["Deleted Volumes", "unused"], "{pruned}");
    let after = lab.rc(["system", "df", "--format", "{{.RawSize}}"]).run().text();
    let freed = total(&before) - total(&after);
    let reported = lines[6].strip_prefix("Total reclaimed space: ").expect("the last line");
    assert!(freed > 0 && reported.ends_with('B') && reported != "0B", "{freed} {pruned}");
    let thousands: u64 = reported.split(['.', 'k']).next().and_then(|text| text.parse().ok()).expect("a number of kB");
    assert!(reported.ends_with("kB") && (thousands * 1000).abs_diff(freed) < 8192, "{freed}: {pruned}");
    lab.rc(["images", "--format", "{{.Repository}}"]).run().prints("docker.io/library/payload\n");
    assert_eq!(names(), "up");
    assert!(lab.store().join("volumes/used").exists() && !lab.store().join("volumes/unused").exists());
    lab.rc(["system", "prune", "-af"]).run().prints("Total reclaimed space: 0B\n");
    lab.rc(["rm", "-fa"]).run().succeeds();
}

/// Damages something, and says what `check` must find.
type Damage = (&'static str, fn(&Lab), &'static str, &'static str);

fn flip(path: &Path) {
    let mut bytes = fs::read(path).expect("a blob can be read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).expect("a blob can be changed");
}

/// The blob of the only layer of `localhost/broken:1`, the largest that is not the payload's.
fn layer_blob(lab: &Lab) -> PathBuf {
    let blobs = paths(&lab.store().join("images/blobs/sha256"));
    let marked = |path: &PathBuf| fs::metadata(path).is_ok_and(|found| found.len() > 3_000 && found.len() < 30_000);
    blobs.into_iter().find(marked).expect("the layer's blob")
}

/// The unpacked layer that has the file `broken`.
fn layer(lab: &Lab) -> PathBuf {
    let layers = paths(&lab.store().join("layers")).into_iter().flat_map(|map| paths(&map));
    layers.into_iter().find(|layer| layer.join("fs/broken").exists()).expect("the layer")
}

fn container_directory(lab: &Lab) -> PathBuf {
    paths(&lab.store().join("containers")).into_iter().next().expect("a container")
}

const DAMAGES: &[Damage] = &[
    ("a missing blob", |lab| fs::remove_file(layer_blob(lab)).expect("removed"), "is missing or has changed", "-r"),
    ("a short blob", |lab| fs::write(layer_blob(lab), "x").expect("written"), "is missing or has changed", "-r"),
    ("a changed blob", |lab| flip(&layer_blob(lab)), "has changed", "-r"),
    ("a half layer", |lab| fs::remove_file(layer(lab).join("info")).expect("removed"), "is an incomplete layer", "-r"),
    ("an empty record of a layer", |lab| fs::write(layer(lab).join("info"), "").expect("written"), "incomplete", "-r"),
    (
        "what no sync followed",
        |lab| {
            let info = layer(lab).join("info");
            let record = r#"{"size":1,"skipped":{"devices":0,"attributes":0},"boot":"another"}"#;
            fs::write(info.with_file_name("unsynced"), record).expect("written");
            fs::remove_file(info).expect("removed");
        },
        "is an incomplete layer",
        "-r",
    ),
    (
        "an unknown directory among layers",
        |lab| fs::create_dir(layer(lab).with_file_name("new")).expect("made"),
        "is not a layer",
        "--force",
    ),
    ("a stranger in the store", |lab| fs::write(lab.store().join("x"), "").expect("written"), "is not rc's", "--force"),
    (
        "no layer and no blob",
        |lab| {
            fs::remove_file(layer_blob(lab)).expect("removed");
            let layer = layer(lab);
            drop(lab.rc(["create", "--name", "lost", "--network", "none", "localhost/broken:1", "/x"]).run().exits(0));
            fs::remove_dir_all(&layer).expect("removed");
        },
        "of its image is missing",
        "--force",
    ),
    (
        "a damaged record of a container",
        |lab| {
            drop(lab.rc(["create", "--network", "none", "payload", "/payload", "echo", "x"]).run().exits(0));
            fs::write(container_directory(lab).join("config.json"), "{").expect("written");
        },
        "is damaged",
        "--force",
    ),
    (
        "a name of nothing",
        |lab| {
            let target = "0".repeat(64);
            std::os::unix::fs::symlink(target, lab.store().join("names/nothing")).expect("linked");
        },
        "names no container",
        "-r",
    ),
    (
        "a lost record of a volume",
        |lab| {
            ended(lab, "c", &["-v", "data:/v"]);
            lab.rc(["rm", "c"]).run().succeeds();
            fs::write(lab.store().join("volumes/data/_data/file"), "data").expect("written");
            fs::write(lab.store().join("volumes/data/volume.json"), "").expect("written");
        },
        "volume `data`",
        "-r",
    ),
    ("what a killed command left", |lab| fs::create_dir(lab.store().join("tmp/x")).expect("made"), "were killed", "-r"),
    (
        "a damaged index",
        |lab| fs::write(lab.store().join("images/index.json"), "{").expect("written"),
        "index",
        "--force",
    ),
    (
        "a blob of no image",
        |lab| {
            let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
            fs::write(lab.store().join("images/blobs/sha256").join(digest), "").expect("written");
        },
        "nothing refers to",
        "-r",
    ),
];

#[test]
fn check_finds_each_damage_and_repairs_it_and_spares_the_rest() {
    for (damage, make, found, how) in DAMAGES {
        let lab = Lab::with_payload();
        let noise: Vec<u8> = (0_u32..4_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        load(&lab, &Image::new().layer(Layer::new().file("broken", 0o644, &noise).bytes()), "localhost/broken:1");
        lab.rc(["system", "check"]).run().prints("");
        make(&lab);
        let max = ["--max", "0s"];
        let check = lab.rc(["system", "check"]).args(max).run().exits(125);
        assert!(check.stdout().contains(found), "{damage}: {check}");
        assert_eq!(
            check.stderr(),
            "rc: damage detected in local storage\nhint: repair it: `rc system check --repair`\n",
            "{damage}"
        );
        if *damage != "a damaged index" {
            lab.play(["echo", "whole"]).prints("whole\n");
        }
        if *how == "--force" {
            let refused = lab.rc(["system", "check", "--repair"]).args(max).run().exits(125);
            assert!(
                refused.stderr().ends_with("hint: to remove what is damaged for good: `rc system check --force`\n")
            );
        }
        let repaired = lab.rc(["system", "check", how]).args(max).run();
        assert!(repaired.exits(0).stdout().lines().all(|line| line.ends_with(" (repaired)")), "{damage}");
        lab.rc(["system", "check"]).args(max).run().prints("");
        if *damage == "a lost record of a volume" {
            assert_eq!(fs::read(lab.store().join("volumes/data/_data/file")).expect("still there"), b"data");
        }
        if *damage != "a damaged index" {
            lab.play(["echo", "whole"]).prints("whole\n");
        }
        lab.rc(["rm", "-fa"]).run().succeeds();
    }
}

#[test]
fn a_quick_check_reads_no_blob() {
    let lab = Lab::with_payload();
    load(&lab, &Image::new().layer(Layer::new().file("broken", 0o644, &[7; 100]).bytes()), "localhost/broken:1");
    let largest = paths(&lab.store().join("images/blobs/sha256")).into_iter();
    flip(&largest.max_by_key(|path| fs::metadata(path).expect("a blob").len()).expect("blobs"));
    lab.rc(["system", "check", "--quick"]).run().prints("");
    drop(lab.rc(["system", "check"]).run().exits(125));
    drop(lab.rc(["system", "check", "--max", "soon"]).run().exits(125));
}

#[test]
fn reset_removes_the_store_and_nothing_that_is_not_rc_s() {
    let lab = Lab::with_payload();
    let store = lab.store();
    running(&lab, "up", &["-v", "data:/v"]);
    ended(&lab, "dead", &[]);
    fs::write(store.join("mine"), "mine").expect("written");
    let question = lab.rc(["system", "reset"]).input("no\n").run().exits(0);
    assert!(question.stdout().contains(&format!("\t- the store: {}\n", store.display())), "{question}");
    drop(lab.rc(["ps", "-q"]).run().exits(0));
    assert!(store.join("volumes/data").exists());
    let reset = lab.rc(["system", "reset", "-f"]).run().exits(0);
    let canary = store.join("mine");
    assert_eq!(reset.stderr(), format!("rc: warning: `{}` is not rc's, and stays\n", canary.display()));
    assert_eq!(paths(&store), std::slice::from_ref(&canary));
    // It is no store any more.
    let again = lab.rc(["system", "reset", "-f"]).run().exits(125);
    assert!(again.stderr().contains("is not a store of rc"), "{again}");
    fs::remove_file(canary).expect("removed");

    // A home directory that somebody names by mistake.
    let home = lab.work("home");
    for path in ["tmp/file", "volumes/file", "images/file", "version/file"] {
        fs::create_dir_all(home.join(path).parent().expect("a parent")).expect("made");
        fs::write(home.join(path), "mine").expect("written");
    }
    let root = home.to_str().expect("text");
    for words in [&["system", "reset", "-f"][..], &["pull", "x"], &["system", "prune", "-af"]] {
        drop(lab.rc(["--root", root]).args(words).run().exits(125));
    }
    for path in ["tmp/file", "volumes/file", "images/file", "version/file"] {
        assert_eq!(fs::read(home.join(path)).expect("still there"), b"mine", "{path}");
    }
    assert_eq!(paths(&home).len(), 4);
    let none = lab.work("none");
    let nothing = lab.rc(["--root", none.to_str().expect("text"), "system", "reset", "-f"]).run().exits(0);
    assert_eq!(nothing.stderr(), "nothing to do: there is no store\n");
    assert!(!none.exists());
    // A store can be made in the same place.
    lab.payload();
    lab.play(["echo", "whole"]).prints("whole\n");
    lab.rc(["system", "reset", "-f"]).run().succeeds();
    assert!(!store.exists());
}

#[test]
fn there_is_nothing_to_migrate_or_to_renumber() {
    let lab = Lab::new();
    for command in ["migrate", "renumber"] {
        let said = lab.rc(["system", command]).run().exits(0);
        assert!(said.stderr().starts_with("nothing to do: ") && said.stdout().is_empty(), "{said}");
    }
    let said = lab.rc(["system", "migrate", "--new-runtime", "crun"]).run().exits(0);
    assert!(said.stderr().starts_with("nothing to do for `crun`: "), "{said}");
}
