//! Attacks that never succeeded, so that they never will: trees of any depth, damaged records, and execs that the
//! monitor does not forget. The others are with their subject; ARCHITECTURE.md has the table.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::damage::on_a_small_disk;
use crate::kill_storm::monitor;
use crate::support::command::Command;
use crate::support::image::hex;
use crate::support::{Chance, Exit, Image, Lab, Layer, chance, wait};

/// The depth of a tree: too deep for a path, for the descriptor table, and for a stack.
fn depth() -> u32 {
    chance::count("RC_TEST_DEPTH", 40_000)
}

#[test]
fn a_tree_of_any_depth_in_a_container_or_a_volume_can_be_removed() {
    let lab = Lab::new();
    fs::write(lab.work("image.tar"), Image::payload().oci_archive("image:latest")).expect("an archive can be written");
    // In memory: a busy disk takes minutes for so many directories.
    let script = "
        rc load -q -i image.tar >/dev/null || exit
        before=$(used)
        deep() { name=$1; shift; rc run --network none -v /volume --name $name \"$@\"; echo $name $?; }
        deep upper image /payload deep /work $DEPTH
        rc start -a upper; rc rm -v upper; echo $?
        deep volume image /payload deep /volume $DEPTH
        rc start -a volume; rc rm -v volume; echo $?
        deep gone --rm image /payload deep /volume $DEPTH
        until [ \"$(ls -A \"$XDG_DATA_HOME\"/rc/volumes \"$XDG_DATA_HOME\"/rc/trash | grep -v :)\" = '' ]; do :; done";
    let depth = depth().to_string();
    let output = on_a_small_disk(&lab, "400m", 400_000, script).env("DEPTH", &depth).run();
    let each = |name: &str| format!("{depth}\n{name} 0\n{depth}\n{name}\n0\n");
    assert_eq!(output.stdout(), format!("{}{}{depth}\ngone 0\n", each("upper"), each("volume")), "{output}");
}

/// A layer with a tree of `depth` directories below `data`. No entry can name all of it: each part begins at a link to
/// the end of the part before.
fn ladder(depth: u32) -> Vec<u8> {
    const RUNG: u32 = 1500;
    let mut layer = Layer::new().directory("data", 0o755);
    let mut start = "data".to_owned();
    let mut left = depth;
    while left > 0 {
        let end = format!("{start}{}", "/d".repeat(left.min(RUNG) as usize));
        layer = layer.extended([("path", format!("{end}/").as_bytes())]).directory("short", 0o755);
        left -= left.min(RUNG);
        start = format!("rung{left}");
        layer = layer.extended([("linkpath", end.as_bytes())]).symlink(&start, "short");
    }
    layer.bytes()
}

#[test]
fn a_deep_tree_of_an_image_is_copied_into_a_volume_or_refused() {
    let lab = Lab::new();
    for (name, depth) in [("deep", 1800), ("deeper", 6000)] {
        let image = Image::payload().layer(ladder(depth)).config(serde_json::json!({ "Volumes": { "/data": {} } }));
        let archive = image.oci_archive(&format!("{name}:latest"));
        fs::write(lab.work(format!("{name}.tar")), archive).expect("an archive can be written");
    }
    let script = "
        for image in deep deeper; do rc load -q -i $image.tar >/dev/null; echo $?; done
        rc run --rm --network none deep /payload depth /data; echo $?
        rc rmi deep >/dev/null; echo $?";
    let output = on_a_small_disk(&lab, "400m", 400_000, script).run();
    assert_eq!(output.stdout(), "0\n125\n1800\n0\n0\n", "{output}");
    let said = output.stderr();
    assert!(
        said.contains("cannot open directory `rung") && said.trim_end().ends_with("file name too long"),
        "{output}"
    );
}

/// Damages the record `path` in each of the usual ways, and calls `check` each time.
#[track_caller]
fn damage(path: &PathBuf, check: impl Fn(&str)) {
    let whole = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let garbage: Vec<u8> = (0..4096_u32).map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()[3]).collect();
    let other = br#"{"version":[1,2,{"x":null}]}"#.to_vec();
    for (how, bytes) in
        [("empty", vec![]), ("cut", whole[..whole.len() / 2].to_vec()), ("garbage", garbage), ("other JSON", other)]
    {
        fs::write(path, bytes).expect("a record can be damaged");
        check(&format!("{how}: {}", path.display()));
        fs::write(path, &whole).expect("a record can be repaired");
    }
}

/// Asserts that a command does its work or exits with an error of rc: no signal, no hang, no panic.
#[track_caller]
fn is_orderly(what: &str, command: Command<'_>) {
    let output = command.deadline(wait::PATIENCE).run();
    assert!(matches!(output.exit, Exit::Code(0 | 1 | 125)), "{what}: {output}");
    assert!(!output.stderr().contains("panicked"), "{what}: {output}");
}

#[test]
fn a_damaged_record_of_a_container_is_no_harm_to_others() {
    let lab = Lab::with_payload();
    let run = |name: &str| {
        let words = ["run", "-d", "--network", "none", "-v", "data:/data", "--name", name];
        lab.rc(words).args(["payload", "/payload", "sleep"]).run().text()
    };
    let (ended, alive, other) = (run("ended"), run("alive"), run("other"));
    lab.rc(["stop", "-t", "0", "ended"]).run().succeeds();
    lab.rc(["update", "--pids-limit", "100", "ended"]).run().succeeds();
    let records = ["config.json", "state.json", "exit", "updated.json"].map(|name| lab.container(&ended).join(name));
    let records = records.into_iter().chain(["config.json", "state.json"].map(|name| lab.container(&alive).join(name)));
    for record in records {
        damage(&record, |what| {
            let listed = lab.rc(["ps", "-a", "-q", "--no-trunc"]).run().exits(0);
            assert!(listed.stdout().contains(&other), "{what}: {listed}");
            for word in ["ended", "alive"] {
                is_orderly(what, lab.rc(["inspect", word]));
                is_orderly(what, lab.rc(["logs", word]));
                is_orderly(what, lab.rc(["exec", word, "/payload", "exit", "1"]));
            }
            is_orderly(what, lab.rc(["start", "ended"]));
            is_orderly(what, lab.rc(["stop", "-t", "0", "ended"]));
            lab.play(["exit", "0"]).succeeds();
        });
    }
    damage(&lab.store().join("volumes/data/volume.json"), |what| {
        is_orderly(
            what,
            lab.rc(["run", "--rm", "--network", "none", "-v", "data:/data", "payload", "/payload"]).args(["exit", "0"]),
        );
        lab.play(["exit", "0"]).succeeds();
    });
    lab.remove_containers();
}

#[test]
fn a_damaged_record_of_an_image_is_no_harm_to_others() {
    let lab = Lab::with_payload();
    let image = Image::payload().config(serde_json::json!({ "Cmd": ["/payload", "exit", "0"] }));
    let parts = image.parts();
    fs::write(lab.work("image.tar"), image.oci_archive("image:latest")).expect("an archive can be written");
    lab.rc(["load", "-q", "-i", "image.tar"]).run().succeeds();
    let blobs = lab.store().join("images/blobs/sha256");
    let manifest = parts.manifest.to_string().into_bytes();
    let layers = lab.store().join("layers");
    let map = fs::read_dir(&layers).expect("layers").next().expect("a map").expect("a map").path();
    let info = fs::read_dir(map).expect("layers").next().expect("a layer").expect("a layer").path().join("info");
    for record in [blobs.join(hex(&manifest)), blobs.join(hex(&parts.config))] {
        damage(&record, |what| {
            for words in
                [&["images"][..], &["inspect", "image"], &["run", "--rm", "image"], &["save", "-o", "x", "image"]]
            {
                is_orderly(what, lab.rc(words));
            }
            lab.play(["exit", "0"]).succeeds();
        });
    }
    for record in [lab.store().join("images/index.json"), info, lab.store().join("version")] {
        damage(&record, |what| {
            for words in
                [&["images"][..], &["ps"], &["tag", "image", "more"], &["run", "--rm", "image"], &["rm", "-fa"]]
            {
                is_orderly(what, lab.rc(words));
            }
        });
    }
    lab.play(["exit", "0"]).succeeds();
    lab.rc(["rmi", "-f", "-a"]).run().succeeds();
}

/// The numbers of a process' descriptors and children.
fn holdings(pid: i32) -> (usize, usize) {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("the monitor's descriptors").count();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("the monitor's children");
    (descriptors, children.split_whitespace().count())
}

#[test]
fn a_monitor_keeps_nothing_of_execs_although_every_third_is_killed() {
    let lab = Lab::with_payload();
    let id = lab.rc(["run", "-d", "--network", "none", "payload", "/payload", "sleep"]).run().text();
    let pid = monitor(&lab, &id).expect("the monitor lives");
    let exec = || lab.rc(["exec", "-i", &id, "/payload", "cat"]);
    exec().input("one").run().prints("one");
    let before = wait::until("the end of the first exec", || (holdings(pid).1 == 1).then(|| holdings(pid)));
    let mut chance = Chance::new();
    for number in 0..chance::count("RC_TEST_EXECS", 60) {
        if number % 3 == 0 {
            let running = exec().open_input().start();
            chance.pass(Duration::from_millis(30));
            running.kill_if_alive();
            drop(running.wait());
        } else {
            exec().input("word").run().prints("word");
        }
    }
    // The programs of killed execs exit by themselves, since their input has ended.
    let is_back = |now: (usize, usize)| now.0 <= before.0 && now.1 <= before.1;
    let end = Instant::now() + wait::PATIENCE;
    while !is_back(holdings(pid)) && Instant::now() < end {
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let descriptors = || lab.program("ls", ["-l", &format!("/proc/{pid}/fd")]).run().text();
    assert!(is_back(holdings(pid)), "{:?}, after one exec {before:?}:\n{}", holdings(pid), descriptors());
    lab.remove_containers();
}

#[test]
fn only_the_mounts_of_a_container_that_leaves_nothing_outlive_its_program() {
    let lab = Lab::with_payload();
    let volume = lab.work("volume");
    fs::create_dir(&volume).expect("a directory");
    let volume = format!("{}:/volume", volume.display());
    for (options, outlive) in
        [(&["--rm"][..], true), (&["--rm", "-v", volume.as_str()], false), (&["--restart", "no"], false)]
    {
        let words = [&["run", "-d", "--network", "none"], options, &["payload", "/payload", "sleep"]].concat();
        let id = lab.rc(words).run().text();
        let pid = monitor(&lab, &id).expect("the monitor lives");
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("the monitor's descriptors");
        let targets = descriptors.filter_map(|descriptor| fs::read_link(descriptor.ok()?.path()).ok());
        let namespaces = targets.filter(|target| target.to_string_lossy().starts_with("mnt:")).count();
        assert_eq!(namespaces, usize::from(outlive), "{options:?}");
        lab.rc(["rm", "-f", "-t", "0", &id]).run().succeeds();
        wait::until("the monitor ends", || monitor(&lab, &id).is_none().then_some(()));
    }
}
