//! If any step of rc dies or fails, the next commands show the truth, clean up, and work. The points are those of
//! `src/sys/failpoint.rs`; in each run one of them kills its process or fails with EIO or ENOSPC.
//!
//! `RC_TEST_FAILPOINTS=1` tries every point; otherwise the tests try some of them, from a random first one.

use std::cell::Cell;
use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::support::command::Command;
use crate::support::{Chance, Exit, Image, Lab, Output, chance, wait};

/// The size of the page of memory that rc maps.
const PAGE: u64 = 4096;

/// Runs `command` repeatedly, each time with `kind` at a later point, until it passes all points. After each run,
/// `check` asserts that all is well.
///
/// Without `RC_TEST_FAILPOINTS` it tries every `step`th point. A command passes at least `least` points.
fn each_point<'a>(
    lab: &'a Lab,
    (kind, step, least): (&str, u32, u32),
    command: impl Fn() -> Command<'a>,
    check: impl Fn(&str, Output),
) {
    let step = chance::count("RC_TEST_FAILPOINTS", step);
    let mut number = 1 + u32::try_from(Chance::new().below(u64::from(step))).unwrap_or(0);
    let page = lab.work(format!("page-{kind}"));
    let mut tried = 0;
    loop {
        fs::File::create(&page).and_then(|file| file.set_len(PAGE)).expect("a page can be made");
        let plan = format!("{number}:{kind}:{}", page.display());
        let output = command().env("RC_FAILPOINT", &plan).run();
        // Background processes reach the point, or exit, before the next command looks.
        let label = format!("{kind} at point {number}");
        check(&label, output);
        let (passed, place) = read(&page);
        if passed < number {
            break;
        }
        // A process in the background may just have reached it, and not have written yet where it is; or it was killed
        // there, with the command to which it belonged.
        let mut place = place;
        if place.is_empty() {
            wait::until("the place of the point", || {
                let is_last = lab.processes().is_empty();
                place = read(&page).1;
                (is_last || !place.is_empty()).then_some(())
            });
        }
        assert!(place.is_empty() || place.starts_with("src/"), "{label}: {place}");
        tried += u32::from(!place.is_empty());
        number += step;
    }
    assert!(tried >= least / step, "only {tried} points were reached");
}

/// The number of points that were passed, and the place of the one that was hit.
fn read(page: &PathBuf) -> (u32, String) {
    let bytes = fs::read(page).expect("the page can be read");
    let passed = u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    (passed, String::from_utf8_lossy(&bytes[4..]).trim_end_matches('\0').to_owned())
}

/// Asserts that the other commands work and remove everything, and that a container runs.
#[track_caller]
fn all_is_well(lab: &Lab, label: &str) {
    let ps = lab.rc(["ps", "-a"]).run();
    assert!(ps.exit == Exit::Code(0), "{label}: {ps}");
    let remove = lab.rc(["rm", "-f", "-a"]).run();
    assert!(remove.exit == Exit::Code(0), "{label}: {remove}");
    let left = lab.rc(["ps", "-a", "-q"]).run();
    assert!(left.stdout.is_empty(), "{label}: {left}");
    let run = lab.play(["exit", "7"]);
    assert!(run.exit == Exit::Code(7), "{label}: {run}");
}

/// A command that was hit has done its work, or reports that it has not, or is dead; it never reports anything else.
#[track_caller]
fn is_honest(label: &str, output: &Output, done: i32) {
    let allowed = [Exit::Code(done), Exit::Code(125), Exit::Code(137), Exit::Signal(9)];
    assert!(allowed.contains(&output.exit), "{label}: {output}");
}

/// Whether a container of this ID, whose records are gone, has a cgroup in that of the tests.
fn has_cgroup(id: &str) -> bool {
    let own = fs::read_to_string("/proc/self/cgroup").expect("the cgroup of the tests can be read");
    let own = own.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let mounts = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(Path::new);
    mounts.into_iter().any(|mount| mount.join(own).join(format!("rc-{}", id.trim_end())).exists())
}

#[test]
fn a_run_that_fails_anywhere_leaves_nothing_wrong() {
    require!(cfg!(debug_assertions), "this build of rc has no points to fail at");
    let lab = Lab::with_payload();
    let runs = Cell::new(0);
    let id_file = || lab.work(format!("id-{}", runs.get()));
    for kind in ["kill", "eio", "enospc"] {
        let run = || {
            runs.set(runs.get() + 1);
            let command = lab.rc(["run", "--rm", "--network", "none", "--cidfile"]).arg(id_file());
            command.args(["payload", "/payload", "exit", "3"])
        };
        each_point(&lab, (kind, 10, 40), run, |label, output| {
            is_honest(label, &output, 3);
            all_is_well(&lab, label);
            if let Ok(id) = fs::read_to_string(id_file()) {
                assert!(!has_cgroup(&id), "{label}: its cgroup is left");
            }
        });
    }
}

#[test]
fn a_removal_that_fails_anywhere_can_be_finished() {
    require!(cfg!(debug_assertions), "this build of rc has no points to fail at");
    let lab = Lab::with_payload();
    for kind in ["kill", "eio", "enospc"] {
        // The points of the monitor count as well.
        let run = || {
            lab.rc(["rm", "-f", "-a"]).run().succeeds();
            let run = ["run", "-d", "--network", "none", "-v", "data:/data", "payload", "/payload", "sleep"];
            lab.rc(run).run().succeeds();
            lab.rc(["rm", "-f", "-a"])
        };
        each_point(&lab, (kind, 1, 4), run, |label, output| {
            // 2: a container could not be ended, and still runs.
            if output.exit != Exit::Code(2) {
                is_honest(label, &output, 0);
            }
            all_is_well(&lab, label);
        });
    }
}

#[test]
fn a_load_that_fails_anywhere_leaves_nothing_half_made() {
    require!(cfg!(debug_assertions), "this build of rc has no points to fail at");
    let lab = Lab::with_payload();
    let archive = lab.work("image.tar");
    fs::write(&archive, Image::payload().oci_archive("image:latest")).expect("an archive can be written");
    for kind in ["kill", "eio", "enospc"] {
        let load = || {
            drop(lab.rc(["rmi", "-f", "image"]).run());
            lab.rc(["load", "-q", "-i"]).arg(&archive)
        };
        each_point(&lab, (kind, 4, 24), load, |label, output| {
            is_honest(label, &output, 0);
            lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
            let run = lab.rc(["run", "--rm", "--network", "none", "image", "/payload", "exit", "7"]).run();
            assert!(run.exit == Exit::Code(7), "{label}: {run}");
        });
    }
    lab.rc(["rmi", "image"]).run().succeeds();
}

#[test]
fn a_build_that_fails_anywhere_can_be_built_again() {
    require!(cfg!(debug_assertions), "this build of rc has no points to fail at");
    let lab = Lab::with_payload();
    let context = lab.work("context");
    fs::create_dir(&context).expect("made");
    fs::write(context.join("a"), "x").expect("written");
    let text = "FROM payload\nRUN [\"/payload\", \"write\", \"/w\", \"x\"]\nCOPY a /a\nWORKDIR /d\n";
    fs::write(context.join("Dockerfile"), text).expect("written");
    for kind in ["kill", "eio", "enospc"] {
        let build = || {
            drop(lab.rc(["rmi", "-f", "localhost/made"]).run());
            drop(lab.rc(["builder", "prune", "-a", "-f"]).run());
            lab.rc(["build", "-q", "--network", "none", "-t", "localhost/made"]).arg(&context)
        };
        each_point(&lab, (kind, 16, 60), build, |label, output| {
            is_honest(label, &output, 0);
            let again = lab.rc(["build", "-q", "--network", "none", "-t", "localhost/made"]).arg(&context).run();
            assert!(again.exit == Exit::Code(0), "{label}: {again}");
            let run = lab.rc(["run", "--rm", "--network", "none", "localhost/made", "/payload", "read", "/a"]).run();
            assert!(run.exit == Exit::Code(0) && run.stdout == b"x", "{label}: {run}");
        });
    }
}

/// A number that no container reaches: the test sets how many points were passed.
const FAR: u32 = 1 << 20;

#[test]
fn a_connection_to_a_network_that_fails_anywhere_leaves_no_second_address() {
    require!(cfg!(debug_assertions), "this build of rc has no points to fail at");
    let lab = Lab::with_payload();
    for network in ["app", "web"] {
        lab.rc(["network", "create", network]).run().succeeds();
    }
    let leases = || {
        let all = fs::read_dir(lab.store().join("networks/web/leases")).expect("leases");
        let names = all.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        // What is being written has another name.
        names.filter(|name| name.parse::<IpAddr>().is_ok()).count()
    };
    for kind in ["kill", "eio", "enospc"] {
        let page = lab.work(format!("page-{kind}"));
        let file = fs::File::create(&page).expect("a page can be made");
        file.set_len(PAGE).expect("has a length");
        let pass = |passed: u32| file.write_all_at(&passed.to_ne_bytes(), 0).expect("written");
        let plan = format!("{FAR}:{kind}:{}", page.display());
        let run = lab.rc(["run", "-d", "--name", "one", "--network", "app", "payload", "/payload", "sleep"]);
        run.env("RC_FAILPOINT", &plan).run().succeeds();
        let step = chance::count("RC_TEST_FAILPOINTS", 6);
        let mut number = 1 + u32::try_from(Chance::new().below(u64::from(step))).unwrap_or(0);
        let mut tried = 0;
        loop {
            pass(FAR - number);
            let output = lab.rc(["network", "connect", "web", "one"]).run();
            let label = format!("{kind} at point {number}");
            is_honest(&label, &output, 0);
            let (passed, _) = read(&page);
            pass(FAR);
            wait::until("its program has ended with its monitor", || {
                let status = lab.rc(["inspect", "--format", "{{.State.Status}}", "one"]).run().text();
                ["running", "exited"].contains(&status.as_str()).then_some(())
            });
            let again = lab.rc(["network", "connect", "web", "one"]).run();
            let is_in = again.exit == Exit::Code(0) || again.stderr().contains("is in the network `web` already");
            assert!(is_in, "{label}, {}: {output} {again}", read(&page).1);
            // If its monitor was killed, its next start gives back what that has left.
            lab.rc(["start", "one"]).env("RC_FAILPOINT", &plan).run().succeeds();
            assert_eq!(leases(), 1, "{label}");
            lab.rc(["network", "disconnect", "web", "one"]).run().succeeds();
            assert_eq!(leases(), 0, "{label}");
            if passed < FAR {
                break;
            }
            tried += 1;
            number += step;
        }
        assert!(tried >= 24 / step, "only {tried} points were reached");
        lab.rc(["rm", "-f", "one"]).run().succeeds();
    }
}
