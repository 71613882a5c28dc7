//! Where rc creates the container's cgroup: in a scope for a command from a terminal, in the unit's cgroup for one in a
//! unit. Real sessions are in `tests/vm/scenes/sessions`.

use std::path::PathBuf;

use super::unit;
use crate::support::wait::until;
use crate::support::{Exit, Lab, Output};

/// rc as from a terminal: in a scope that the desktop created for the terminal.
fn terminal(lab: &Lab, words: &[&str]) -> Output {
    let name = format!("--unit=vte-spawn-{}.scope", lab.unique("it"));
    let command = lab.program("systemd-run", ["--user", "--scope", "--quiet", "--collect", &name, "--"]);
    command.arg(Lab::rc_path()).args(words).run()
}

/// The words of a container that only waits.
const WAITING: [&str; 7] = ["run", "-d", "--name=c", "--network=none", "-m64m", "payload", "/payload"];

/// The path of the container's cgroup.
fn group(lab: &Lab) -> String {
    lab.rc(["inspect", "-f", "{{.State.CgroupPath}}", "c"]).run().text().trim().to_owned()
}

fn directory(group: &str) -> PathBuf {
    PathBuf::from(format!("/sys/fs/cgroup{group}"))
}

#[test]
fn a_terminal_gets_a_scope_that_ends_with_its_last_process() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let words: Vec<&str> = WAITING.into_iter().chain(["hang"]).collect();
    let id = terminal(&lab, &words).text();
    let id = id.trim();
    let path = group(&lab);
    let scope = format!("/user.slice/rc-{id}.scope");
    assert!(path.ends_with(&format!("{scope}/rc-{id}")) && path.contains("/user@"), "{path}");
    assert_eq!(std::fs::read_to_string(directory(&path).join("memory.max")).expect("the limit"), "67108864\n");
    let manager = lab.rc(["inspect", "-f", "{{.HostConfig.CgroupManager}}", "c"]).run();
    manager.prints("systemd\n");
    // It is called as the container is.
    let described = || {
        let unit = format!("rc-{id}.scope");
        lab.program("systemctl", ["--user", "show", "--value", "-p", "Description", &unit]).run().text()
    };
    assert_eq!(described(), "rc: c");
    lab.rc(["rename", "c", "d"]).run().succeeds();
    assert_eq!(described(), "rc: d");
    lab.rc(["rm", "-ft0", "d"]).run().succeeds();
    let scope = directory(&path).with_file_name("");
    until("the scope's group is gone", || (!scope.exists()).then_some(()));
}

#[test]
fn a_scope_ends_even_if_its_monitor_is_killed() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let words: Vec<&str> = WAITING.into_iter().chain(["hang"]).collect();
    let id = terminal(&lab, &words).text();
    let scope = directory(&group(&lab)).with_file_name("");
    let monitor = crate::kill_storm::monitor(&lab, id.trim()).expect("the monitor holds the lock");
    let monitor = rustix::process::Pid::from_raw(monitor).expect("a pid is not 0");
    rustix::process::kill_process(monitor, rustix::process::Signal::KILL).expect("it can be killed");
    lab.rc(["rm", "-f", "c"]).run().succeeds();
    until("the scope's group is gone", || (!scope.exists()).then_some(()));
}

#[test]
fn a_slice_is_where_the_scope_is_made() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let words = ["run", "-d", "--name=c", "--network=none", "--cgroup-parent=web.slice", "payload", "/payload", "hang"];
    terminal(&lab, &words).succeeds();
    let path = group(&lab);
    assert!(path.contains("/web.slice/rc-"), "{path}");
    let slice = path.split_once("/rc-").map(|(slice, _)| slice).expect("the slice");
    let refused = ["run", "--rm", "--network=none", "--cgroup-parent", slice, "payload", "/payload", "echo", "started"];
    let said = terminal(&lab, &refused).exits(125).stderr();
    assert!(said.ends_with("hint: name the slice alone, for a scope in it: `--cgroup-parent=web.slice`\n"), "{said}");
    lab.rc(["rm", "-ft0", "c"]).run().succeeds();
}

#[test]
fn a_monitor_that_stays_in_a_session_has_no_cgroup_and_no_limits() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let words = |option: &'static str| {
        ["run", "--rm", "--network=none", "--cgroupns=host", "--cgroups=no-conmon", option, "payload", "/payload"]
    };
    let run = |option| terminal(&lab, &[&words(option)[..], &["read", "/proc/self/cgroup"]].concat());
    let seen = run("--init=false").text();
    assert!(seen.trim_end().ends_with(".scope") && seen.contains("/vte-spawn-"), "{seen}");
    run("--memory=64m").fails(
        125,
        "rc: cannot set the limit `memory.max`: the controller `memory` needs a cgroup that is delegated to rc, and \
         `--cgroups=no-conmon` keeps the monitor out of the scope that there would be\n\
         hint: leave `--cgroups=no-conmon` out, or run it in a unit with `Delegate=yes`: \
         `systemd-run --user -p Delegate=yes rc run …`\n",
    );
}

#[test]
fn a_container_in_an_undelegated_unit_stays_there_and_has_no_limits() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let file = "/proc/self/cgroup";
    let words = |option: &'static str| {
        ["run", "--rm", "--network=none", "--cgroupns=host", option, "payload", "/payload", "read", file]
    };
    let name = format!("{}.service", lab.unique("web"));
    let plain = unit(&lab, ["--unit", name.as_str()], words("--init=false")).run().text();
    assert!(plain.trim_end().ends_with(&format!("/app.slice/{name}")), "{plain}");
    unit(&lab, ["--unit", name.as_str()], words("--memory=64m")).run().fails(
        125,
        format!(
            "rc: cannot set the limit `memory.max`: the controller `memory` needs a cgroup that is delegated to rc, \
             and `{name}` is not\nhint: add `Delegate=yes` to the section `[Service]` of `{name}`\n"
        ),
    );
}

#[test]
fn a_delegated_unit_is_divided_in_place() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let words = [
        "run",
        "--rm",
        "--network=none",
        "--cgroupns=host",
        "-m64m",
        "payload",
        "/payload",
        "read",
        "/proc/self/cgroup",
    ];
    for subgroup in ["", "supervisor", "other"] {
        let name = format!("{}.service", lab.unique("web"));
        let subgroup = format!("DelegateSubgroup={subgroup}");
        let options = ["--unit", &name, "-p", "Delegate=yes", "-p", &subgroup];
        let seen = unit(&lab, options, words).run().text();
        assert!(seen.contains(&format!("/app.slice/{name}/rc-")), "{subgroup}: {seen}");
    }
}

#[test]
fn limits_of_the_unit_apply_to_its_container() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let words = ["run", "--rm", "--network=none", "payload", "/payload", "eat", "100000000"];
    for delegate in ["Delegate=no", "Delegate=yes"] {
        let output = unit(&lab, ["-p", "MemoryMax=48M", "-p", "MemorySwapMax=0", "-p", delegate], words).run();
        assert_ne!(output.exit, Exit::Code(0), "{delegate}: {output}");
        lab.rc(["rm", "-fa"]).run().succeeds();
    }
}

#[test]
fn other_processes_in_a_delegated_unit_are_an_error_only_with_a_limit() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let rc = Lab::rc_path();
    let run = |option: &str| {
        let line = format!("{} run --rm --network=none {option} payload /payload echo started; exit $?", rc.display());
        let options = ["--user", "--quiet", "--collect", "--wait", "--pipe", "-p", "Delegate=yes"];
        let variables =
            lab.environment().into_iter().map(|(name, value)| format!("--setenv={name}={}", value.display()));
        lab.program("systemd-run", options).args(variables).args(["sh", "-c", &line]).run()
    };
    run("").prints("started\n");
    let said = run("-m64m").exits(125).stderr();
    assert!(said.contains("holds processes that are not rc's: ") && said.contains(" (sh)"), "{said}");
}

#[test]
fn containers_of_one_delegated_unit_make_room_for_each_other_s_limits() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    // While the shell exists no controller can be enabled: the first monitor and its network helper stay in the
    // unit's own cgroup, beside the second command, which replaces the shell.
    let script = r#"
        "$0" run -d --name first payload /payload sleep >/dev/null
        exec "$0" run --rm --network none --cgroupns host "$@" payload /payload read /proc/self/cgroup
    "#;
    let run = |option: &str| {
        let options = ["--user", "--quiet", "--collect", "--wait", "--pipe", "-p", "Delegate=yes"];
        let variables =
            lab.environment().into_iter().map(|(name, value)| format!("--setenv={name}={}", value.display()));
        let command = lab.program("systemd-run", options).args(variables).args(["sh", "-ec", script]);
        let seen = command.arg(Lab::rc_path()).arg(option).run().text();
        lab.rc(["rm", "-f", "first"]).run().succeeds();
        seen
    };
    for option in ["--memory=64m", "--cpu-shares=512"] {
        let seen = run(option);
        assert!(seen.contains(".service/rc-"), "{option}: {seen}");
    }
}

#[test]
fn a_scope_of_systemd_run_is_a_unit_like_others() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let run = |property: &str| {
        let command = lab.program("systemd-run", ["--user", "--scope", "--quiet", "-p", property, "--"]);
        let words = ["run", "--rm", "--network=none", "-m64m", "payload", "/payload", "echo", "started"];
        command.arg(Lab::rc_path()).args(words).run()
    };
    run("Delegate=yes").prints("started\n");
    let said = run("Delegate=no").exits(125).stderr();
    assert!(
        said.contains("hint: start it in a cgroup of its own: `systemd-run --user --scope -p Delegate=yes"),
        "{said}"
    );
}
