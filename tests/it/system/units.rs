//! Containers as units of the user's own manager.

use std::fs;

use super::in_unit;
use crate::support::command::Command;
use crate::support::{Lab, wait};

/// A unit of this name and of these options, which outlives the command that starts it; started when systemd says so.
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
    lab.program("systemctl", ["--user", "stop", unit]).run().succeeds();
}

fn name_of(pid: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
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
        wait::until("the program to be ready for a signal", || {
            let shown = lab.rc(["inspect", "-f", "{{.State.Pid}}", "web"]).run().stdout();
            (name_of(shown.trim()) == "payload").then_some(())
        });
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
    assert_eq!(output.stdout().trim().len(), 64, "{output}");
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
