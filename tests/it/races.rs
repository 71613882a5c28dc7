//! Races between a start and a container that exchanges paths on a shared volume: the cases X3 and X6 of safety.md,
//! each test named by its number. `RC_TEST_RACES` sets how many starts each tries.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Exit, Lab, Output, Running, chance};

/// The number of starts in each race, unless `RC_TEST_RACES` sets it.
const USUAL: u32 = 60;

/// A lab with a canary directory on the host and the volume `shared`, on which a container exchanges paths.
struct Race {
    lab: Lab,
    canary: PathBuf,
}

impl Race {
    fn new() -> Self {
        let lab = Lab::with_payload();
        let canary = lab.work("canary");
        fs::create_dir(&canary).expect("a directory can be made");
        fs::write(canary.join("file"), "untouched\n").expect("a file can be written");
        Self { lab, canary }
    }

    /// Puts a link to `target` beside `name` in the volume's directory, and exchanges the two from now on.
    fn swap(&self, name: &str, target: &Path) -> Running {
        let link = format!("{name}.link");
        std::os::unix::fs::symlink(target, self.shared().join(&link)).expect("a link can be made");
        let (one, other) = (format!("/shared/{name}"), format!("/shared/{link}"));
        let run = ["run", "--rm", "--network", "none", "-v", "shared:/shared", "payload", "/payload", "swap"];
        let swapper = self.lab.rc(run).arg(one).arg(other).deadline(std::time::Duration::from_secs(600)).start();
        swapper.line("ready");
        swapper
    }

    /// The volume's files on the host.
    fn shared(&self) -> PathBuf {
        self.lab.store().join("volumes/shared/_data")
    }

    /// Creates the volume, with these directories in it.
    fn prepare(&self, directories: &[&str]) {
        self.lab
            .rc(["run", "--rm", "--network", "none", "-v", "shared:/shared", "payload", "/payload", "exit", "0"])
            .run()
            .succeeds();
        for directory in directories {
            fs::create_dir(self.shared().join(directory)).expect("a directory can be made");
        }
    }

    /// Asserts that nothing on the host has changed.
    #[track_caller]
    fn is_untouched(&self, number: u32) {
        let names: BTreeSet<_> =
            fs::read_dir(&self.canary).expect("a directory").flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(names, BTreeSet::from(["file".into()]), "start {number}");
        let file = fs::read_to_string(self.canary.join("file")).expect("a file");
        assert_eq!(file, "untouched\n", "start {number}");
    }

    fn end(self, swappers: Vec<Running>) {
        self.lab.remove_containers();
        for swapper in swappers {
            drop(swapper.wait().exits(137));
        }
    }
}

/// The report of a successful start; a refused start must print one line.
#[track_caller]
fn outcome(number: u32, output: Output) -> Option<Value> {
    if output.exit == Exit::Code(125) {
        assert!(output.stdout.is_empty() && output.stderr().starts_with("rc: cannot "), "start {number}: {output}");
        return None;
    }
    Some(output.json())
}

fn paths(report: &Value) -> Vec<&str> {
    report["mounts"].as_array().expect("mounts").iter().filter_map(|mount| mount["path"].as_str()).collect()
}

#[test]
fn x6_a_mount_never_lands_outside_while_its_place_is_exchanged() {
    let race = Race::new();
    race.prepare(&["target"]);
    let inside = race.lab.work("inside");
    fs::create_dir(&inside).expect("a directory can be made");
    fs::write(inside.join("mark"), "here\n").expect("a file can be written");
    let swapper = race.swap("target", &race.canary);
    let volume = format!("{}:/shared/target/sub", inside.display());
    let mut started = 0;
    let rounds = chance::count("RC_TEST_RACES", USUAL);
    for number in 0..rounds {
        let run = ["run", "--rm", "--network", "none", "-v", "shared:/shared", "-v", &volume];
        let output = race.lab.rc(run).args(["payload", "/payload", "report"]).run();
        if let Some(report) = outcome(number, output) {
            // The mount is in the container: at its path, or where the link leads beneath the container's root.
            let link = race.canary.join("sub");
            let places = ["/shared/target/sub", "/shared/target.link/sub", link.to_str().expect("text")];
            let found: Vec<_> = paths(&report).into_iter().filter(|path| places.contains(path)).collect();
            assert_eq!(found.len(), 1, "start {number}: {:#?}", report["mounts"]);
            started += 1;
        }
        race.is_untouched(number);
    }
    assert!(started > 0, "no start succeeded of {rounds}");
    race.end(vec![swapper]);
}

#[test]
fn x3_masked_paths_stay_masked_while_device_paths_are_exchanged() {
    let race = Race::new();
    race.prepare(&["pts", "shm", "mqueue"]);
    // Like `/dev/null` and `/dev/pts`, which other runtimes used by path after the container could have changed them.
    fs::write(race.shared().join("null"), "").expect("a file can be written");
    let swappers = vec![race.swap("null", &race.canary.join("file")), race.swap("pts", &race.canary)];
    let sysctl = Path::new("/proc/sys/kernel/core_pattern");
    let before = fs::read(sysctl).expect("a sysctl can be read");
    let masked = race.lab.play(["report"]).json();
    let masked: Vec<String> = paths(&masked)
        .into_iter()
        .filter(|path| path.starts_with("/proc/") || path.starts_with("/sys/"))
        .map(str::to_owned)
        .collect();
    assert!(masked.iter().any(|path| path == "/proc/kcore" || path == "/proc/keys"), "{masked:?}");
    for number in 0..chance::count("RC_TEST_RACES", USUAL) {
        let run = ["run", "--rm", "--network", "none", "-v", "shared:/dev", "payload", "/payload", "report"];
        if let Some(report) = outcome(number, race.lab.rc(run).run()) {
            let found = paths(&report);
            let open: Vec<_> = masked.iter().filter(|path| !found.contains(&path.as_str())).collect();
            assert!(open.is_empty(), "start {number}: {open:?} are not masked");
        }
        race.is_untouched(number);
    }
    assert_eq!(fs::read(sysctl).expect("a sysctl can be read"), before);
    race.end(swappers);
}

/// A process that failed before the monitor knew it was never reaped, and a container could not be removed if its
/// process 1 waited for it forever.
#[test]
fn programs_that_cannot_be_run_cost_their_container_nothing() {
    let lab = Lab::with_payload();
    lab.rc(["run", "-d", "--network", "none", "--name", "box", "payload", "/payload", "sleep"]).run().succeeds();
    for _ in 0..10 {
        let execs: Vec<_> = (0..12).map(|_| lab.rc(["exec", "box", "/nothing"]).start()).collect();
        for exec in execs {
            exec.wait().fails(127, "rc: cannot run `/nothing`: no such file or directory\n");
        }
    }
    lab.rc(["rm", "-f", "-t", "0", "box"]).run().within(crate::support::wait::PATIENCE).prints("box\n");
}
