//! `kill -9` of any rc process at any moment: the next command shows the truth, and one `rc rm -f -a` leaves nothing. That
//! nothing is left is what the lab's drop looks for.

use std::fs;
use std::time::Instant;

use nix::fcntl::{FcntlArg, fcntl};

use crate::support::wait::PATIENCE;
use crate::support::{Chance, Compression, Exit, Image, Lab, Registry, Signal};

/// Kills `kills` commands made by `start` at random moments of their lives.
///
/// How long they live changes with what else the machine does: the span of the moments grows with each that was killed and
/// shrinks with each that had ended before, so that three of ten do.
fn storm<'a>(kills: u32, start: impl Fn(u32) -> crate::support::command::Command<'a>, after_each: impl Fn()) {
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
    // The moments have to be spread over the command's life.
    assert!(ended < kills * 9 / 10, "{ended} of {kills} had ended before they were killed");
}

/// Kills `kills` of `run -d`, with the network `network`.
fn run_storm(kills: u32, network: &str) {
    let lab = Lab::new();
    lab.payload();
    storm(kills, |_| lab.rc(["run", "-d", "--network", network, "payload", "/payload", "sleep"]), || {});
    // The truth can be shown, whatever state each of them is in.
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
    let lab = Lab::new();
    lab.payload();
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
