//! `kill -9` of any rc process at any moment: the next command shows the truth, and one `rc rm -f -a` leaves nothing,
//! which the lab's drop checks.

use std::collections::BTreeSet;
use std::fs;
use std::time::Instant;

use nix::fcntl::{FcntlArg, fcntl};

use crate::support::command::Command;
use crate::support::wait::PATIENCE;
use crate::support::{Chance, Compression, Exit, Image, Lab, Registry, Signal};

/// Kills `kills` commands made by `start` at random moments of their lives.
///
/// Their lifetime depends on the load of the host: the span of the moments grows with each killed command and shrinks
/// with each that had exited before, so that three of ten had.
fn storm<'a>(kills: u32, start: impl Fn(u32) -> Command<'a>, after_each: impl Fn()) {
    let mut chance = Chance::new();
    let whole = start(0).run();
    let mut span = whole.elapsed;
    whole.succeeds();
    after_each();
    let mut ended = 0;
    for number in 1..=kills {
        let running = start(number).start();
        chance.pass(span);
        running.kill_if_alive();
        span = match running.wait().exit {
            Exit::Signal(9) => span.mul_f64(1.15),
            Exit::Code(0) => {
                ended += 1;
                span.mul_f64(0.7)
            }
            exit => panic!("kill {number}: {exit:?}"),
        };
        after_each();
    }
    // The moments must be spread over the command's life.
    assert!(ended < kills * 9 / 10, "{ended} of {kills} had ended before they were killed");
}

/// Kills `run -d` with the network `network`, `kills` times.
fn run_storm(kills: u32, network: &str) {
    let lab = Lab::with_payload();
    storm(kills, |_| lab.rc(["run", "-d", "--network", network, "payload", "/payload", "sleep"]), || {});
    // The commands show the truth, whatever state each container is in.
    lab.rc(["ps", "-a"]).run().exits(0).stderr().is_empty().then_some(()).expect("`ps` has nothing to complain of");
    lab.remove_containers();
    lab.rc(["ps", "-a", "-q"]).run().prints("");
    lab.rc(["run", "--rm", "--network", network, "payload", "/payload", "echo", "alive"]).run().prints("alive\n");
}

#[test]
fn two_hundred_kills_of_run_without_a_network_leave_nothing() {
    run_storm(200, "none");
}

#[test]
fn a_hundred_kills_of_run_with_a_network_leave_nothing() {
    require!(program "slirp4netns");
    run_storm(100, "slirp4netns");
}

#[test]
fn twenty_kills_of_pull_leave_nothing_half_made() {
    require!(program "docker-registry");
    require!(crate::support::registry::test_images().is_some(), "the test images are not made");
    let lab = Lab::new();
    let registry = Registry::of_test_images(&lab);
    let name = registry.image("debian:layers");
    let remove = || drop(lab.rc(["rmi", "-f", &name]).run());
    storm(20, |_| lab.rc(["pull", "-q", &name]), remove);
    lab.rc(["pull", "-q", &name]).run().succeeds();
    lab.rc(["rmi", &name]).run().succeeds();
    registry.stop();
}

#[test]
fn twenty_kills_of_load_leave_nothing_half_made() {
    let lab = Lab::new();
    let noise: Vec<u8> = {
        let mut chance = Chance::new();
        (0..20_000_000 / 4).flat_map(|_| u32::try_from(chance.below(1 << 31)).unwrap_or(0).to_le_bytes()).collect()
    };
    let layer = crate::support::image::Layer::new().file("noise", 0o644, &noise).bytes();
    let archive = lab.work("image.tar");
    let image = Image::payload().packed_layer(layer, Compression::None);
    fs::write(&archive, image.oci_archive("noise:latest")).expect("the archive can be written");
    let remove = || drop(lab.rc(["rmi", "-f", "noise"]).run());
    storm(20, |_| lab.rc(["load", "-q", "-i"]).arg(&archive), remove);
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
    lab.rc(["run", "--rm", "--network", "none", "noise", "/payload", "echo", "whole"]).run().prints("whole\n");
    lab.rc(["rmi", "noise"]).run().succeeds();
}

#[test]
fn a_hundred_kills_of_build_leave_nothing_running_and_no_step_is_lost() {
    let lab = Lab::with_payload();
    let context = lab.work("context");
    fs::create_dir_all(&context).expect("made");
    fs::write(context.join("file"), "content").expect("written");
    let build = |number: u32| {
        // Each build has steps of its own, after one that all share, and two stages side by side.
        let text = format!(
            "FROM payload AS one\nRUN [\"/payload\", \"write\", \"/shared\", \"x\"]\n\
             RUN [\"/payload\", \"write\", \"/one\", \"{number}\"]\nCOPY file /{number}\n\
             FROM payload AS two\nRUN [\"/payload\", \"write\", \"/two\", \"{number}\"]\n\
             FROM payload\nCOPY --from=one /one /\nCOPY --from=two /two /\n"
        );
        fs::write(context.join("Dockerfile"), text).expect("written");
        lab.rc(["build", "-q", "--network", "none", "-t", "built"]).arg(&context)
    };
    storm(100, build, || {});
    lab.rc(["build", "-q", "--network", "none", "-t", "built"]).arg(&context).run().exits(0).stdout();
    let shared = lab.rc(["build", "--progress", "plain", "--network", "none"]).arg(&context).run().exits(0).stderr();
    assert!(!shared.contains("DONE"), "{shared}");
    lab.rc(["run", "--rm", "--network", "none", "built", "/payload", "read", "/two"]).run().prints("100\n");
}

/// The process that holds the lock of the container `id`: its monitor.
pub(crate) fn monitor(lab: &Lab, id: &str) -> Option<i32> {
    let file = fs::File::open(lab.container(id).join("lock")).ok()?;
    let mut lock = libc::flock { l_type: 1, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
    fcntl(&file, FcntlArg::F_GETLK(&mut lock)).ok()?;
    // F_UNLCK: nobody holds it.
    (lock.l_type != 2).then_some(lock.l_pid)
}

#[test]
fn twenty_kills_of_the_monitor_end_in_137() {
    let lab = Lab::with_payload();
    let mut chance = Chance::new();
    for number in 0..20 {
        let started = Instant::now();
        let id = lab.rc(["run", "-d", "--network", "none", "payload", "/payload", "hang"]).run().text();
        chance.pass(started.elapsed());
        let pid = monitor(&lab, &id).unwrap_or_else(|| panic!("kill {number}: nobody holds the lock of {id}"));
        let pid = rustix::process::Pid::from_raw(pid).expect("a pid is not 0");
        rustix::process::kill_process(pid, Signal::KILL).expect("the monitor can be killed");
        if number % 2 == 0 {
            let stop = lab.rc(["stop", "-t", "50", &id]).run().within(PATIENCE);
            stop.is(0, format!("{id}\n"), "");
            let code = lab.rc(["inspect", "--format", "{{.State.ExitCode}}", &id]).run().text();
            assert_eq!(code, "137", "kill {number}");
            lab.rc(["rm", &id]).run().prints(format!("{id}\n"));
        } else {
            lab.rc(["rm", "-f", &id]).run().prints(format!("{id}\n"));
        }
    }
    lab.rc(["ps", "-a", "-q"]).run().prints("");
}

/// The entries of a directory of the store.
fn names(lab: &Lab, directory: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(lab.store().join(directory)).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Everything in the store that no image, container or living process needs, one line each.
fn leftovers(lab: &Lab) -> Vec<String> {
    let blobs = lab.store().join("images/blobs/sha256");
    let read = |digest: &str| -> serde_json::Value {
        let bytes = fs::read(blobs.join(digest)).expect("a blob that an image needs is there");
        serde_json::from_slice(&bytes).expect("a manifest or a configuration")
    };
    let hex = |value: &serde_json::Value| value.as_str().expect("a digest").trim_start_matches("sha256:").to_owned();
    let index = fs::read(lab.store().join("images/index.json")).expect("the index");
    let index: serde_json::Value = serde_json::from_slice(&index).expect("the index is JSON");
    let (mut needed, mut layers) = (BTreeSet::new(), BTreeSet::new());
    for manifest in index["manifests"].as_array().expect("a list").iter().map(|entry| hex(&entry["digest"])) {
        let image = read(&manifest);
        let config = hex(&image["config"]["digest"]);
        needed.extend(image["layers"].as_array().expect("a list").iter().map(|layer| hex(&layer["digest"])));
        let unpacked = read(&config);
        let diff_ids = unpacked["rootfs"]["diff_ids"].as_array().expect("a list").iter();
        layers.extend(diff_ids.map(|diff_id| format!("sha256-{}", hex(diff_id))));
        needed.extend([config, manifest]);
    }
    let mut left: Vec<String> =
        names(lab, "images/blobs/sha256").difference(&needed).map(|blob| format!("blob {blob}")).collect();
    for map in names(lab, "layers") {
        left.extend(names(lab, &format!("layers/{map}")).difference(&layers).map(|layer| format!("layer {layer}")));
    }
    for directory in ["tmp", "trash", "containers", "names", "volumes"] {
        left.extend(names(lab, directory).iter().map(|name| format!("{directory}/{name}")));
    }
    let known = [
        "version",
        "lock",
        "ingest.lock",
        "sweep.lock",
        "cache",
        "events.log",
        "secrets",
        "images",
        "layers",
        "containers",
        "names",
        "networks",
        "volumes",
    ];
    let known = known.into_iter().chain(["tmp", "trash", "empty"]).map(str::to_owned).collect();
    left.extend(names(lab, "").difference(&known).map(|name| format!("unknown: {name}")));
    left
}

/// Kills commands and all their processes at random moments, until they have left something behind `least` times. The
/// image that they create, if any, does not exist at first.
#[track_caller]
fn leave_something<'a>(lab: &'a Lab, least: u32, image: &str, start: impl Fn() -> Command<'a>) {
    let mut chance = Chance::new();
    let whole = start().run();
    let mut span = whole.elapsed;
    whole.succeeds();
    drop(lab.rc(["rmi", "-f", image]).run());
    lab.settle();
    assert_eq!(leftovers(lab), [""; 0], "a command that ends well leaves nothing");
    let (mut kills, mut left) = (0, 0);
    while left < least {
        let running = start().start();
        chance.pass(span);
        running.kill_if_alive();
        let ended = running.wait();
        lab.kill_everything();
        if leftovers(lab).is_empty() {
            // A busy host may have been slow the first time, or be slow now.
            span = if ended.exit == Exit::Code(0) { span * 4 / 5 } else { span * 9 / 8 };
            // A command that was faster than the first one has made the image, and the next would have nothing to do.
            drop(lab.rc(["rmi", "-f", image]).run());
            lab.settle();
        } else {
            left += 1;
        }
        kills += 1;
        assert!(kills < 100 * least, "{kills} kills have left something {left} times");
    }
}

#[test]
fn after_kills_one_command_later_the_store_is_as_large_as_before() {
    let lab = Lab::with_payload();
    let noise: Vec<u8> = (0..4_000_000_u32).flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    let layer = crate::support::Layer::new().file("noise", 0o644, &noise).bytes();
    let path = |name: &str, bytes: &[u8]| {
        fs::write(lab.work(name), bytes).expect("an archive can be written");
        lab.work(name)
    };
    let small = path("small.tar", &Image::payload().oci_archive("small:latest"));
    let large =
        path("large.tar", &Image::payload().packed_layer(layer.clone(), Compression::None).oci_archive("large:latest"));
    let layer = path("layer.tar", &layer);
    let volume = Image::payload().config(serde_json::json!({ "Volumes": { "/data": {} } }));
    lab.rc(["load", "-q", "-i"]).arg(path("volume.tar", &volume.oci_archive("volume:latest"))).run().succeeds();
    let load = || lab.rc(["load", "-q", "-i"]).arg(&large);
    let import = || lab.rc(["import", "-q"]).arg(&layer).arg("imported");
    let run = || lab.rc(["run", "--rm", "--network", "none", "volume", "/payload", "exit", "0"]);
    for then in ["run", "load"] {
        let next = || if then == "run" { run() } else { lab.rc(["load", "-q", "-i"]).arg(&small) };
        leave_something(&lab, 2, "large", load);
        next().run().succeeds();
        lab.settle();
        assert_eq!(leftovers(&lab), [""; 0], "after kills of `load`");
        leave_something(&lab, 2, "imported", import);
        next().run().succeeds();
        lab.settle();
        assert_eq!(leftovers(&lab), [""; 0], "after kills of `import`");
        leave_something(&lab, 4, "none", run);
        next().run().succeeds();
        lab.settle();
        assert_eq!(leftovers(&lab), [""; 0], "after kills of `run`");
    }
}

#[test]
fn after_kills_of_pull_one_pull_of_another_image_leaves_nothing_of_it() {
    require!(program "docker-registry");
    require!(crate::support::registry::test_images().is_some(), "the test images are not made");
    // The registry must outlive the kills.
    let (lab, servers) = (Lab::new(), Lab::new());
    let registry = Registry::of_test_images(&servers);
    let (name, other) = (registry.image("debian:layers"), registry.image("busybox:latest"));
    leave_something(&lab, 3, &name, || lab.rc(["pull", "-q", &name]));
    lab.rc(["pull", "-q", &other]).run().succeeds();
    assert_eq!(leftovers(&lab), [""; 0]);
    registry.stop();
}

#[test]
fn the_next_run_cleans_up_after_killed_monitors_and_spares_the_living() {
    let lab = Lab::with_payload();
    let rm = ["run", "-d", "--rm", "--network", "none", "-v", "/data"];
    lab.rc(rm).args(["payload", "/payload", "hang"]).run().succeeds();
    lab.kill_everything();
    lab.rc(rm).args(["--name", "alive", "payload", "/payload", "sleep"]).run().succeeds();
    let each = ["containers", "names", "volumes"];
    // The second `run` has removed what the first left.
    crate::support::wait::until("a sweep", || {
        each.iter().all(|directory| names(&lab, directory).len() == 1).then_some(())
    });
    lab.rc(["stop", "-t", "0", "alive"]).run().succeeds();
    lab.settle();
    assert_eq!(leftovers(&lab), [""; 0]);
}

#[test]
fn a_start_that_fails_leaves_no_volume() {
    let lab = Lab::with_payload();
    let run = ["run", "--rm", "--network", "none", "-v", "/data", "--name"];
    drop(lab.rc(run).args(["box", "payload", "/nothing"]).run().exits(127));
    lab.settle();
    assert_eq!(leftovers(&lab), [""; 0], "a program that is not there");
    lab.rc(["create", "--name", "taken", "payload", "/payload"]).run().succeeds();
    drop(lab.rc(run).args(["taken", "payload", "/payload", "exit", "0"]).run().exits(125));
    lab.settle();
    assert_eq!(names(&lab, "volumes"), BTreeSet::new(), "a name that is taken");
    lab.rc(["rm", "taken"]).run().succeeds();
}

#[test]
fn a_sweep_that_cannot_finish_is_not_tried_by_every_run() {
    let lab = Lab::with_payload();
    let image = Image::payload().config(serde_json::json!({ "Cmd": ["/payload"] }));
    fs::write(lab.work("image.tar"), image.oci_archive("image:latest")).expect("an archive can be written");
    lab.rc(["load", "-q", "-i", "image.tar"]).run().succeeds();
    // As long as an image cannot be read, nobody knows which blobs it needs.
    let manifest = crate::support::image::hex(image.parts().manifest.to_string().as_bytes());
    fs::write(lab.store().join("images/blobs/sha256").join(manifest), "damaged").expect("a blob can be changed");
    fs::write(lab.store().join("tmp/garbage-1-0"), "").expect("a mark can be left");
    let tried = || {
        lab.play(["exit", "0"]).succeeds();
        lab.settle();
        let lock = fs::metadata(lab.store().join("sweep.lock")).expect("somebody has swept");
        (lock.len() > 0, lock.modified().expect("a time"))
    };
    let first = tried();
    assert!(first.0, "the sweep could not finish");
    assert_eq!(tried(), first, "and is left alone for a while");
    lab.rc(["rmi", "image"]).run().succeeds();
    assert_eq!(leftovers(&lab), [""; 0]);
}
