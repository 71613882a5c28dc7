//! Containers as units of the user's manager.

use std::fs;
use std::path::{Path, PathBuf};

use super::in_unit;
use crate::support::command::Command;
use crate::support::{Lab, wait};

/// A unit with this name and these options, which outlives the command that starts it; returns when systemd reports the
/// start.
fn service<'lab>(lab: &'lab Lab, name: &str, options: &[&str], arguments: &[&str]) -> Command<'lab> {
    let command = lab.program("systemd-run", ["--user", "--quiet", "--collect", "--unit", name]);
    let always = ["-p", "Delegate=yes", "-p", "KillMode=mixed", "-p", "SuccessExitStatus=143"];
    in_unit(lab, command.args(always).args(options), arguments.iter().copied())
}

/// One property of a unit.
fn property(lab: &Lab, unit: &str, name: &str) -> String {
    lab.program("systemctl", ["--user", "show", unit, "--value", "-p", name]).run().stdout().trim().to_owned()
}

fn stop(lab: &Lab, unit: &str) {
    manage(lab, "stop", &[unit]);
}

fn name_of(pid: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

/// The process ID of the container's program, once it sleeps, as it does while it waits for SIGTERM.
fn program(lab: &Lab) -> Option<String> {
    let shown = lab.rc(["inspect", "-f", "{{.State.Pid}}", "web"]).run().stdout();
    let pid = shown.trim().to_owned();
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    (status.starts_with("Name:\tpayload\n") && status.contains("\nState:\tS")).then_some(pid)
}

/// Installs the output of `rc generate systemd` for the container `web` in the user's manager: the unit's name and its
/// file.
fn generated(lab: &Lab, options: &[&str]) -> (String, PathBuf) {
    let prefix = lab.unique("generated");
    // The manager does not know the lab's directories.
    let directories = ["--env=HOME", "--env=XDG_DATA_HOME", "--env=XDG_CONFIG_HOME", "--env=XDG_CACHE_HOME"];
    let command =
        lab.rc(["generate", "systemd", "--name", "--container-prefix", &prefix]).args(directories).args(options);
    let text = command.run().stdout();
    let directory = PathBuf::from(std::env::var_os("XDG_RUNTIME_DIR").expect("a session")).join("systemd/user");
    fs::create_dir_all(&directory).expect("a directory for units");
    let name = format!("{prefix}-web.service");
    let file = directory.join(&name);
    fs::write(&file, text).expect("a unit");
    manage(lab, "daemon-reload", &[]);
    (name, file)
}

fn manage(lab: &Lab, verb: &str, units: &[&str]) {
    lab.program("systemctl", ["--user", verb]).args(units).run().succeeds();
}

#[test]
fn a_service_is_ready_with_its_container_and_stops_with_it() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let file = lab.work("pid").display().to_string();
    let pid_file = format!("PIDFile={file}");
    let kinds: [(&str, &[&str], &[&str], &str); 3] = [
        ("notify", &["-p", "Type=notify"], &["-d", "--sdnotify=conmon"], "rc: web"),
        ("forking", &["-p", "Type=forking", "-p", &pid_file], &["-d", "--conmon-pidfile", &file], "rc: web"),
        ("exec", &["-p", "Type=exec"], &[], "rc"),
    ];
    for (kind, options, own, main) in kinds {
        let unit = lab.unique(kind);
        let run =
            [&["run", "--rm", "--name", "web", "--network", "none"], own, &["payload", "/payload", "sleep"]].concat();
        service(&lab, &unit, &[options, &["-p", "MemoryMax=64M"]].concat(), &run).run().succeeds();
        assert_eq!(property(&lab, &unit, "ActiveState"), "active", "{kind}");
        assert_eq!(name_of(&property(&lab, &unit, "MainPID")), main, "{kind}");
        wait::until("the container to run", || {
            let shown = lab.rc(["inspect", "-f", "{{.State.Pid}}", "web"]).run().stdout();
            let group = fs::read_to_string(format!("/proc/{}/cgroup", shown.trim())).ok()?;
            // Beneath the unit, so that its limits bound the container.
            group.contains(&format!("{}/rc-", property(&lab, &unit, "ControlGroup"))).then_some(())
        });
        wait::until("the program to be ready for a signal", || program(&lab));
        stop(&lab, &unit);
        assert_eq!(lab.rc(["ps", "-aq"]).run().stdout(), "", "{kind}");
        assert_eq!(fs::read_dir(lab.store().join("trash")).map_or(0, Iterator::count), 0, "{kind}");
    }
}

#[test]
fn a_service_ends_as_its_program_does() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let run = ["run", "--rm", "-d", "--sdnotify=conmon", "--network", "none", "payload", "/payload", "exit", "7"];
    let output = super::unit(&lab, ["-p", "Delegate=yes", "-p", "Type=notify"], run).run().exits(7);
    // The main process is the monitor: when it has ended the manager ends the command too, which may not have printed
    // the id.
    assert!([0, 64].contains(&output.stdout().trim().len()), "{output}");
    let create =
        ["create", "--name", "web", "--sdnotify=conmon", "--network", "none", "payload", "/payload", "exit", "8"];
    lab.rc(create).run().succeeds();
    for verb in ["start", "restart"] {
        drop(super::unit(&lab, ["-p", "Delegate=yes", "-p", "Type=notify"], [verb, "web"]).run().exits(8));
    }
    lab.rc(["rm", "web"]).run().succeeds();
}

#[test]
fn a_program_s_words_reach_the_manager() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let unit = lab.unique("told");
    let options = ["-p", "Type=notify", "-p", "NotifyAccess=all", "-p", "WatchdogSec=600"];
    let run = ["run", "--rm", "-d", "--name", "web", "--network", "none", "payload", "/payload", "notify"];
    let words = ["STATUS=warming up", "WATCHDOG=1", "MAINPID=1|READY=1"];
    service(&lab, &unit, &options, &[&run[..], &words].concat()).run().succeeds();
    assert_eq!(property(&lab, &unit, "StatusText"), "warming up");
    assert_ne!(property(&lab, &unit, "WatchdogTimestampMonotonic"), "0");
    assert_eq!(name_of(&property(&lab, &unit, "MainPID")), "rc: web");
    stop(&lab, &unit);
    assert_eq!(lab.rc(["ps", "-aq"]).run().stdout(), "");
}

#[test]
fn the_first_connection_starts_the_container_with_the_socket() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let unit = lab.unique("web");
    let socket = lab.work("socket");
    let listen = format!("--socket-property=ListenStream={}", socket.display());
    let run = ["run", "--rm", "--name", "web", "--network", "none", "payload", "/payload", "sleep"];
    service(&lab, &unit, &[&listen], &run).run().succeeds();
    assert_eq!(lab.rc(["ps", "-aq"]).run().stdout(), "");
    let connection = std::os::unix::net::UnixStream::connect(&socket).expect("systemd listens");
    wait::until("the program to have the socket", || {
        let shown = lab.rc(["inspect", "-f", "{{.State.Pid}}", "web"]).run().stdout();
        let environment = lab.rc(["exec", "web", "/payload", "list", "/proc/1/fd"]).run().stdout();
        (!shown.is_empty() && environment.lines().any(|number| number == "3")).then_some(())
    });
    stop(&lab, &format!("{unit}.socket"));
    stop(&lab, &format!("{unit}.service"));
    drop(connection);
    assert_eq!(lab.rc(["ps", "-aq"]).run().stdout(), "");
}

#[test]
fn generated_units_start_restart_and_stop_the_container() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let kinds: [(&str, &[&str], &[&str], &str); 3] = [
        ("made anew", &["--new", "web"], &[], "rc: web"),
        ("kept", &["web"], &[], "rc"),
        ("kept, notifies", &["web"], &["--sdnotify=conmon"], "rc: web"),
    ];
    for (kind, options, own, main) in kinds {
        let create = lab.rc(["create", "--name", "web", "--network", "none"]).args(own);
        create.args(["payload", "/payload", "sleep"]).run().succeeds();
        let (unit, file) = generated(&lab, options);
        let states = || ["ActiveState", "SubState", "Result"].map(|name| property(&lab, &unit, name));
        let mut before = None;
        for verb in ["start", "restart"] {
            manage(&lab, verb, &[&unit]);
            assert_eq!(states(), ["active", "running", "success"], "{kind}: {verb}");
            assert_eq!(name_of(&property(&lab, &unit, "MainPID")), main, "{kind}: {verb}");
            let pid = wait::until("the program to be ready for a signal", || program(&lab));
            let group = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("the program runs");
            assert!(group.contains(&format!("{}/rc-", property(&lab, &unit, "ControlGroup"))), "{kind}: {group}");
            assert_ne!(before.replace(pid.clone()), Some(pid), "{kind}: {verb}");
        }
        let group = format!("/sys/fs/cgroup{}", property(&lab, &unit, "ControlGroup"));
        stop(&lab, &unit);
        assert_eq!(states(), ["inactive", "dead", "success"], "{kind}");
        let is_kept = !options.contains(&"--new");
        assert_eq!(lab.rc(["ps", "-a", "--format", "{{.Names}}"]).run().stdout(), if is_kept { "web\n" } else { "" });
        assert_eq!(lab.rc(["ps", "-q"]).run().stdout(), "", "{kind}");
        wait::until("the unit's group to go", || (!Path::new(&group).exists()).then_some(()));
        lab.remove_containers();
        fs::remove_file(file).expect("the unit");
    }
    manage(&lab, "daemon-reload", &[]);
}

#[test]
fn a_unit_gets_an_image_that_is_newer_and_the_old_one_back_if_it_fails() {
    machine!();
    let lab = Lab::in_session();
    let image = lab.payload();
    let label = ["--label", "io.containers.autoupdate=local"];
    let create = ["create", "--name", "web", "--sdnotify=conmon", "--network", "none"];
    lab.rc(create).args(label).args([&image, "/payload", "sleep"]).run().succeeds();
    let (unit, file) = generated(&lab, &["--new", "web"]);
    lab.rc(["rm", "web"]).run().succeeds();
    manage(&lab, "start", &[&unit]);
    let shown = || lab.rc(["inspect", "-f", "{{.Image}}", "web"]).run().text();
    let change = |words: &[&str]| {
        lab.rc(["run", "--name", "other", "--network", "none", &image, "/payload"]).args(words).run().exits(0).stdout();
        lab.rc(["commit", "-q", "other", &image]).run().succeeds();
        lab.rc(["rm", "other"]).run().succeeds();
    };
    let update = || lab.rc(["auto-update", "--format", "{{.Unit}} {{.Updated}}"]).run().exits(0).stdout();
    let first = shown();
    assert_eq!(update(), format!("{unit} false\n"));
    change(&["write", "/new", "x"]);
    assert_eq!(update(), format!("{unit} true\n"));
    let second = shown();
    assert_ne!(first, second);
    // Without its program the container cannot start.
    change(&["remove", "/payload"]);
    assert_eq!(update(), format!("{unit} rolled back\n"));
    assert_eq!(shown(), second);
    stop(&lab, &unit);
    lab.remove_containers();
    fs::remove_file(file).expect("the unit");
    manage(&lab, "daemon-reload", &[]);
}

#[test]
fn a_program_that_fails_is_started_again_by_the_manager() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let create = ["create", "--name", "web", "--network", "none", "--restart=on-failure:3", "payload", "/payload"];
    lab.rc(create).args(["exit", "7"]).run().succeeds();
    let (unit, file) = generated(&lab, &["--new", "web"]);
    assert_eq!(property(&lab, &unit, "StartLimitBurst"), "3");
    // The manager counts within ten seconds unless told otherwise, and a busy machine may take longer for three starts.
    let text = fs::read_to_string(&file).expect("the unit");
    let patient = text.replace("StartLimitBurst=3\n", "StartLimitBurst=3\nStartLimitIntervalSec=10min\n");
    fs::write(&file, patient).expect("the unit");
    manage(&lab, "daemon-reload", &[]);
    // Systemd may know whether the first start succeeded before or after the program exits.
    drop(lab.program("systemctl", ["--user", "start", &unit]).run());
    wait::until("the manager to see the failure and to start again", || {
        let restarts = property(&lab, &unit, "NRestarts").parse::<u32>().unwrap_or_default();
        (restarts >= 1 && property(&lab, &unit, "ExecMainStatus") == "7").then_some(())
    });
    wait::until("the manager to give up", || (property(&lab, &unit, "ActiveState") == "failed").then_some(()));
    assert_eq!(lab.rc(["ps", "-aq"]).run().stdout(), "");
    manage(&lab, "reset-failed", &[&unit]);
    fs::remove_file(file).expect("the unit");
    manage(&lab, "daemon-reload", &[]);
}

#[test]
fn the_limits_of_the_unit_apply_to_the_container() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    let options = ["-p", "Delegate=yes", "-p", "MemoryMax=48M", "-p", "MemorySwapMax=0"];
    let eat = |bytes| ["run", "--rm", "--network", "none", "payload", "/payload", "eat", bytes];
    let output = super::unit(&lab, options, eat("200000000")).run().exits(137);
    assert!(output.stdout().is_empty(), "{output}");
    assert_eq!(lab.rc(["ps", "-aq"]).run().stdout(), "");
}

#[test]
fn the_journal_has_the_program_s_output_under_the_unit() {
    machine!();
    let lab = Lab::in_session();
    lab.payload();
    for (driver, field) in [("journald", Some("CONTAINER_NAME=web")), ("passthrough", None)] {
        let unit = lab.unique(driver);
        let run =
            ["run", "--rm", "-d", "--name", "web", "--network", "none", "--sdnotify=conmon", "--log-driver", driver];
        service(&lab, &unit, &["-p", "Type=notify"], &[&run[..], &["payload", "/payload", "sleep"]].concat())
            .run()
            .succeeds();
        wait::until("the journal to show it", || {
            let journal = lab.program("journalctl", ["-q", "-o", "cat", "--user-unit", &unit, "MESSAGE=ready"]);
            (journal.args(field).run().stdout() == "ready\n").then_some(())
        });
        if driver == "journald" {
            assert_eq!(lab.rc(["logs", "web"]).run().stdout(), "ready\n");
        }
        stop(&lab, &unit);
        assert_eq!(lab.rc(["ps", "-aq"]).run().stdout(), "", "{driver}");
    }
}
