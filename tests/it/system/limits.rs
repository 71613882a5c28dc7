//! Every limit in the kernel's files and in its effect; changes of limits; `stats` and `top` of limited containers.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::command::Command;
use crate::support::{Exit, Lab, Output, wait};

/// rc in a delegated scope of its own, which lasts as long as a process is in it.
fn scope<'lab, A>(lab: &'lab Lab, arguments: A) -> Command<'lab>
where
    A: IntoIterator<Item: AsRef<OsStr>>,
{
    let command = lab.program("systemd-run", ["--user", "--scope", "--quiet", "--collect", "-p", "Delegate=yes"]);
    super::in_unit(lab, command, arguments)
}

fn lab() -> Lab {
    let lab = Lab::in_session();
    lab.payload();
    lab
}

/// `rc run --rm OPTIONS payload /payload read FILE` in a delegated scope: the contents of a file of the container's
/// cgroup.
fn shown(lab: &Lab, options: &[&str], file: &str) -> Output {
    let run = ["run", "--rm", "--network", "none"];
    let words = run.iter().chain(options).chain(&["payload", "/payload", "read"]);
    scope(lab, words).arg(format!("/sys/fs/cgroup/{file}")).run()
}

/// Starts the container `name`, which runs `words`, in a scope of its own; returns its cgroup.
fn started(lab: &Lab, name: &str, options: &[&str], words: &[&str]) -> PathBuf {
    let run = ["run", "-d", "--network", "none", "--name", name];
    let words = run.iter().chain(options).chain(&["payload", "/payload"]).chain(words);
    let id = scope(lab, words).run().text();
    lab.group(&id).expect("a cgroup of its own")
}

/// The contents of a cgroup's file, without whitespace at the end.
#[track_caller]
fn file(group: &Path, name: &str) -> String {
    fs::read_to_string(group.join(name)).unwrap_or_else(|error| panic!("{name}: {error}")).trim_end().to_owned()
}

/// The disk of the machine's root filesystem, if it is one.
fn disk() -> Option<&'static str> {
    ["/dev/ubda", "/dev/vda", "/dev/sda"].into_iter().find(|path| fs::metadata(path).is_ok())
}

#[test]
fn every_limit_is_in_the_kernel_s_file() {
    machine!();
    let lab = lab();
    // Where there is no swap space, its limit is left alone.
    let is_swapless = fs::read_to_string("/proc/swaps").expect("a list").lines().count() <= 1;
    let swap = if is_swapless { "max\n" } else { "33554432\n" };
    for (options, name, value) in [
        (&["--memory", "64m"][..], "memory.max", "67108864\n"),
        (&["--memory-reservation", "32m"], "memory.low", "33554432\n"),
        (&["--memory", "64m", "--memory-swap", "96m"], "memory.swap.max", swap),
        (&["--cpus", "0.5"], "cpu.max", "50000 100000\n"),
        (&["--cpu-quota", "20000", "--cpu-period", "40000"], "cpu.max", "20000 40000\n"),
        (&["--cpu-period", "40000"], "cpu.max", "max 40000\n"),
        (&["--cpu-shares", "512"], "cpu.weight", "59\n"),
        (&["-c", "1024"], "cpu.weight", "100\n"),
        (&["--pids-limit", "77"], "pids.max", "77\n"),
    ] {
        shown(&lab, options, name).prints(value);
    }
    let Some(disk) = disk() else { skip!("the machine has no disk that is known here") };
    let of = |rate: &str| format!("{disk}:{rate}");
    for (options, limits) in [
        (
            ["--device-read-bps", &of("1mb"), "--device-write-iops", &of("100")],
            "rbps=1048576 wbps=max riops=max wiops=100",
        ),
        (
            ["--device-write-bps", &of("2mb"), "--device-read-iops", &of("50")],
            "rbps=max wbps=2097152 riops=50 wiops=max",
        ),
    ] {
        let text = shown(&lab, &options, "io.max").text();
        assert!(text.ends_with(limits), "{text}");
    }
}

#[test]
fn a_controller_that_was_not_delegated_is_named() {
    machine!();
    let lab = lab();
    let group = started(&lab, "web", &[], &["sleep"]);
    let controllers = file(group.parent().expect("a parent"), "cgroup.controllers");
    lab.rc(["rm", "-f", "web"]).run().succeeds();
    if controllers.split(' ').any(|word| word == "cpuset") {
        skip!("cpuset is delegated here");
    }
    let said = shown(&lab, &["--cpuset-cpus", "0"], "cpuset.cpus").exits(125).stderr();
    assert!(
        said.starts_with("rc: cannot set the limit `cpuset.cpus`: the controller `cpuset` is not delegated"),
        "{said}"
    );
}

#[test]
fn a_container_beyond_its_memory_limit_is_killed_and_reported() {
    machine!();
    let lab = lab();
    super::is_killed_for_its_memory(&lab, |words| scope(&lab, words).run());
}

#[test]
fn forks_end_at_the_limit() {
    machine!();
    let lab = lab();
    let group = started(&lab, "bomb", &["--pids-limit", "20"], &["bomb"]);
    wait::until("the limit", || (file(&group, "pids.events") != "max 0").then_some(()));
    assert_eq!(file(&group, "pids.peak"), "20");
    lab.rc(["rm", "-f", "bomb"]).run().succeeds();
    assert!(!group.exists());
}

#[test]
fn two_busy_containers_share_the_cpus_by_weight() {
    machine!();
    let lab = lab();
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    require!(cpus == 1, "with {cpus} CPUs each container has one");
    // Both in one unit; its own processes are in a leaf, as the kernel requires.
    let script = r#"
        for name in heavy:1024 light:128; do
            "$0" run -d --network none --name "${name%:*}" -c "${name#*:}" payload /payload busy >/dev/null
        done
        echo up
        exec cat
    "#;
    let options = ["-p", "Delegate=yes", "-p", "DelegateSubgroup=supervisor"];
    let both = lab.program("systemd-run", ["--user", "--quiet", "--collect", "--wait", "--pipe"]).args(options);
    let variables = lab.environment().into_iter().map(|(name, value)| format!("--setenv={name}={}", value.display()));
    let both = both.args(variables).args(["sh", "-ec", script]).arg(Lab::rc_path()).open_input().start();
    both.line("up\n");
    let group = |name: &str| {
        let id = lab.rc(["inspect", "-f", "{{.Id}}", name]).run().text();
        lab.group(&id).expect("a cgroup of its own")
    };
    let (heavy, light) = (group("heavy"), group("light"));
    let used = |group: &PathBuf| -> u64 {
        let text = file(group, "cpu.stat");
        let line = text.lines().find_map(|line| line.strip_prefix("usage_usec ")).expect("a number");
        line.parse().expect("a number")
    };
    let (first_heavy, first_light) = (used(&heavy), used(&light));
    let (heavy_time, light_time) = wait::until("two seconds of work", || {
        let (heavy, light) = (used(&heavy) - first_heavy, used(&light) - first_light);
        (heavy + light > 2_000_000).then_some((heavy, light))
    });
    // By weight it is 100 to 17.
    assert!(heavy_time > 2 * light_time, "{heavy_time} and {light_time} microseconds");
    lab.remove_containers();
    assert_eq!(both.wait().exit, Exit::Code(0));
}

#[test]
fn a_scope_that_was_made_for_a_container_has_its_weight() {
    machine!();
    let lab = lab();
    // The name of a terminal's scope: rc then asks the manager for another scope.
    let terminal = format!("--unit={}.scope", lab.unique("vte-spawn"));
    let command = lab.program("systemd-run", ["--user", "--scope", "--quiet", "--collect"]).arg(terminal);
    let run = ["run", "-d", "--network", "none", "--name", "web", "-c", "512", "payload", "/payload", "sleep"];
    let id = super::in_unit(&lab, command, run).run().text();
    let group = lab.group(&id).expect("a cgroup of its own");
    let scope = group.parent().expect("a parent").to_owned();
    assert_eq!((file(&group, "cpu.weight"), file(&scope, "cpu.weight")), ("59".to_owned(), "59".to_owned()));
    lab.rc(["update", "-c", "2048", "web"]).run().succeeds();
    assert_eq!((file(&group, "cpu.weight"), file(&scope, "cpu.weight")), ("174".to_owned(), "174".to_owned()));
    lab.remove_containers();
}

#[test]
fn an_update_changes_a_running_container_or_nothing() {
    machine!();
    let lab = lab();
    let group = started(&lab, "web", &["-m", "64m"], &["sleep"]);
    let limits = || ["memory.max", "memory.low", "cpu.max", "cpu.weight", "pids.max"].map(|name| file(&group, name));
    lab.rc([
        "update",
        "-m",
        "128m",
        "--memory-reservation",
        "16m",
        "--cpus",
        "0.3",
        "-c",
        "2048",
        "--pids-limit",
        "9",
        "web",
    ])
    .run()
    .succeeds();
    let changed = ["134217728", "16777216", "30000 100000", "174", "9"].map(str::to_owned);
    assert_eq!(limits(), changed);
    let inspect = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.CpuShares}} {{.HostConfig.PidsLimit}}";
    lab.rc(["inspect", "-f", inspect, "web"]).run().prints("134217728 300000000 2048 9\n");
    // The kernel cannot set the last one: it limits no such device.
    let refused = lab.rc(["update", "-m", "99m", "--cpus", "0.9", "--cpuset-cpus", "4000", "web"]).run().exits(125);
    assert!(refused.stderr().starts_with("rc: cannot set the limit `cpuset.cpus`"), "{refused}");
    assert_eq!(limits(), changed);
    lab.rc(["inspect", "-f", inspect, "web"]).run().prints("134217728 300000000 2048 9\n");
    lab.rc(["update", "-m", "0", "--memory-reservation", "0", "--cpus", "0", "-c", "0", "--pids-limit", "-1", "web"])
        .run()
        .succeeds();
    assert_eq!(limits(), ["max", "0", "max 100000", "100", "max"].map(str::to_owned));
    lab.rc(["update", "-m", "48m", "web"]).run().succeeds();
    lab.rc(["stop", "web"]).run().succeeds();
    scope(&lab, ["start", "web"]).run().succeeds();
    let id = lab.rc(["inspect", "-f", "{{.Id}}", "web"]).run().text();
    assert_eq!(file(&lab.group(&id).expect("a cgroup"), "memory.max"), "50331648");
    lab.remove_containers();
}

#[test]
fn a_paused_container_makes_no_progress_until_it_is_unpaused() {
    machine!();
    let lab = lab();
    let group = started(&lab, "web", &[], &["busy"]);
    let used = || lab.rc(["stats", "--no-stream", "--format", "{{.CPUNano}}", "web"]).run().text();
    lab.rc(["pause", "web"]).run().succeeds();
    assert!(file(&group, "cgroup.events").contains("frozen 1"));
    let before = used();
    // Other processes run meanwhile.
    lab.rc(["run", "--rm", "--network", "none", "payload", "/payload", "spin", "10000000"]).run().succeeds();
    assert_eq!(used(), before);
    lab.rc(["unpause", "web"]).run().succeeds();
    wait::until("progress", || (used() != before).then_some(()));
    lab.remove_containers();
}

#[test]
fn stats_and_top_read_the_container_s_cgroup() {
    machine!();
    let lab = lab();
    let group = started(&lab, "web", &["-m", "64m"], &["sleep"]);
    let format = "{{.PIDs}} {{.MemLimit}} {{.ID}}";
    let id = lab.rc(["inspect", "-f", "{{.Id}}", "web"]).run().text();
    lab.rc(["stats", "--no-stream", "--format", format]).run().prints(format!("1 67108864 {}\n", &id[..12]));
    let top = lab.rc(["top", "web", "hpid", "pid", "user", "comm"]).run().text();
    let row: Vec<&str> = top.lines().nth(1).expect("a process").split_whitespace().collect();
    assert_eq!(row, [&file(&group, "cgroup.procs")[..], "1", "root", "payload"]);
    lab.remove_containers();
}
