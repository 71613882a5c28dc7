//! Communication with a service manager: readiness, pid files, descriptors.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;

use crate::support::{Lab, wait};

/// A service manager's socket.
struct Manager(UnixDatagram);

impl Manager {
    fn new(lab: &Lab) -> Self {
        let socket = UnixDatagram::bind(lab.work("notify")).expect("a socket can be bound");
        socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket takes a timeout");
        Self(socket)
    }

    /// The next message.
    #[track_caller]
    fn hears(&self) -> String {
        let mut space = [0; 4096];
        let length = self.0.recv(&mut space).expect("the manager is told something");
        String::from_utf8_lossy(&space[..length]).into_owned()
    }

    /// Asserts that there is no further message; every possible sender has exited.
    #[track_caller]
    fn hears_nothing(&self) {
        self.0.set_nonblocking(true).expect("a socket takes a flag");
        let mut space = [0; 4096];
        let length = self.0.recv(&mut space).unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(&space[..length]), "");
    }
}

/// The name of a process.
fn name_of(pid: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

#[test]
fn a_program_reports_that_it_is_ready_but_not_the_main_process() {
    let lab = Lab::with_payload();
    let manager = Manager::new(&lab);
    lab.rc(["run", "-d", "--name", "web", "--network", "none", "payload", "/payload", "notify"])
        .args(["MAINPID=1|READY=1|STATUS=up", "FDSTORE=1", "WATCHDOG=1"])
        .env("NOTIFY_SOCKET", lab.work("notify"))
        .run()
        .succeeds();
    let mut heard = [manager.hears(), manager.hears(), manager.hears()];
    heard.sort();
    let [main, ready, watchdog] = heard;
    let pid = main.strip_prefix("MAINPID=").expect("the main process");
    assert_eq!(name_of(pid), "rc: web");
    assert_eq!((ready.as_str(), watchdog.as_str()), ("READY=1\nSTATUS=up", "WATCHDOG=1"));
    lab.rc(["stop", "web"]).run().succeeds();
    // One that waits for its start is prepared anew, with the socket.
    lab.rc(["init", "web"]).run().succeeds();
    lab.rc(["start", "web"]).env("NOTIFY_SOCKET", lab.work("notify")).run().succeeds();
    let heard = [manager.hears(), manager.hears(), manager.hears()];
    assert!(heard.iter().any(|message| message == "READY=1\nSTATUS=up"), "{heard:?}");
    lab.rc(["stop", "web"]).run().succeeds();
    manager.hears_nothing();
    // A second start has a socket again, and a missing manager is an error.
    lab.rc(["start", "web"]).env("NOTIFY_SOCKET", lab.work("notify")).run().succeeds();
    lab.rc(["stop", "web"]).run().succeeds();
    let refused = lab.rc(["start", "web"]).env("NOTIFY_SOCKET", lab.work("gone")).run().exits(125);
    assert!(refused.stderr().contains("cannot reach the service manager"), "{refused}");
    lab.remove_containers();
}

#[test]
fn rc_reports_that_the_program_runs_and_the_socket_stays_outside() {
    let lab = Lab::with_payload();
    let manager = Manager::new(&lab);
    let play = |options: &[&str]| {
        lab.rc(["run", "--rm", "--network", "none"])
            .args(options)
            .args(["payload", "/payload", "report"])
            .env("NOTIFY_SOCKET", lab.work("notify"))
            .env("WATCHDOG_USEC", "5000000")
            .run()
    };
    let report = play(&["--sdnotify=conmon"]).json();
    assert_eq!(report["env"].get("NOTIFY_SOCKET"), None);
    assert_eq!(manager.hears(), "READY=1");
    let report = play(&["--sdnotify", "ignore"]).json();
    assert_eq!((report["env"].get("NOTIFY_SOCKET"), report["env"].get("WATCHDOG_USEC")), (None, None));
    let report = play(&["--init"]).json();
    assert_eq!(report["env"]["NOTIFY_SOCKET"], "/run/notify/notify.sock");
    assert_eq!((&report["env"]["WATCHDOG_USEC"], &report["env"]["WATCHDOG_PID"]), (&"5000000".into(), &"2".into()));
    manager.hears_nothing();

    lab.rc([
        "run",
        "-d",
        "--rm",
        "--name",
        "web",
        "--network",
        "none",
        "--sdnotify=conmon",
        "payload",
        "/payload",
        "sleep",
    ])
    .env("NOTIFY_SOCKET", lab.work("notify"))
    .run()
    .succeeds();
    let heard = manager.hears();
    let pid = heard.strip_prefix("MAINPID=").and_then(|rest| rest.strip_suffix("\nREADY=1")).expect("both at once");
    assert_eq!(name_of(pid), "rc: web");
    lab.remove_containers();
}

#[test]
fn the_monitor_reports_that_the_container_is_healthy() {
    let lab = Lab::with_payload();
    let manager = Manager::new(&lab);
    let check = r#"--health-cmd=["/payload", "read", "/tmp/well"]"#;
    lab.rc(["run", "-d", "--name", "web", "--network", "none", "--sdnotify=healthy", check])
        .args(["--health-interval=10ms", "payload", "/payload", "sleep"])
        .env("NOTIFY_SOCKET", lab.work("notify"))
        .run()
        .succeeds();
    assert_eq!(name_of(manager.hears().strip_prefix("MAINPID=").expect("the main process")), "rc: web");
    lab.rc(["wait", "--condition=unhealthy", "web"]).run().succeeds();
    lab.rc(["exec", "web", "/payload", "write", "/tmp/well", "yes"]).run().succeeds();
    assert_eq!(manager.hears(), "READY=1");
    lab.rc(["stop", "web"]).run().succeeds();
    manager.hears_nothing();
    lab.remove_containers();
}

#[test]
fn a_monitor_that_ends_too_soon_to_be_the_main_process_leaves_its_exit_code() {
    let lab = Lab::with_payload();
    let manager = Manager::new(&lab);
    let script = "SYSTEMD_EXEC_PID=$$ exec \"$@\"";
    let command = lab
        .program("/bin/sh", ["-c", script, "sh"])
        .arg(Lab::rc_path())
        .args(["run", "-d", "--rm", "--network", "none", "--sdnotify=conmon", "payload", "/payload", "exit", "7"])
        .env("NOTIFY_SOCKET", lab.work("notify"))
        .start();
    let heard = manager.hears();
    // Without a main process the monitor would have exited before.
    if let Some(pid) = heard.strip_prefix("MAINPID=").and_then(|rest| rest.strip_suffix("\nREADY=1")) {
        wait::until("the monitor to end", || (!name_of(pid).starts_with("rc: ")).then_some(()));
    } else {
        assert_eq!(heard, "READY=1");
    }
    // The descriptor that comes with it is closed on receipt.
    assert_eq!(manager.hears(), "BARRIER=1");
    assert_eq!(command.wait().exits(7).stdout().trim().len(), 64);
    assert_eq!(lab.rc(["ps", "-aq"]).run().stdout(), "");
}

#[test]
fn pid_files_name_monitor_and_program_while_they_live() {
    let lab = Lab::with_payload();
    let command = ["run", "-d", "--name", "web", "--network", "none", "--pidfile", "init", "--conmon-pidfile"];
    lab.rc(command).arg(lab.work("monitor")).args(["payload", "/payload", "sleep"]).run().succeeds();
    let read = |name: &str| fs::read_to_string(lab.work(name)).expect("a pid file");
    let (init, monitor) = (read("init"), read("monitor"));
    assert_eq!(name_of(&monitor), "rc: web");
    assert_eq!(name_of(&init), "payload");
    let shown = lab.rc(["inspect", "web"]).run().json();
    assert_eq!(shown[0]["State"]["Pid"].to_string(), init);
    lab.rc(["stop", "web"]).run().succeeds();
    // rc removes the files before it reports the program's end.
    assert!(!lab.work("init").exists() && !lab.work("monitor").exists());
    let refused = lab
        .rc(["run", "--rm", "--network", "none", "--pidfile", "no/directory", "payload", "/payload", "exit", "0"])
        .run()
        .exits(125);
    assert!(refused.stderr().contains("no/directory"), "{refused}");
    lab.remove_containers();
}

/// A shell that opens descriptors of the test's directory, and executes `rc WORDS`.
fn with_descriptors(lab: &Lab, opened: &str, words: &[&str]) -> crate::support::Output {
    let script = format!("exec {opened}; exec \"$@\"");
    let rc = Lab::rc_path().to_str().expect("a path");
    lab.program("/bin/sh", ["-c", &script, "sh", rc]).args(words).env("LISTEN_FDNAMES", "http:admin").run()
}

/// The descriptors of a report above the standard ones, with the names of their files.
fn further(report: &serde_json::Value) -> Vec<(String, String)> {
    let all = report["fds"].as_object().expect("descriptors").iter();
    let name = |path: &str| Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned();
    all.map(|(number, path)| (number.clone(), name(path.as_str().unwrap_or_default())))
        .filter(|(number, _)| number.parse::<i32>().is_ok_and(|number| number > 2))
        .collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(number, name)| ((*number).to_owned(), (*name).to_owned())).collect()
}

#[test]
fn descriptors_that_are_handed_over_keep_their_numbers_and_nothing_else_gets_in() {
    let lab = Lab::with_payload();
    for name in ["a", "b", "c"] {
        fs::write(lab.work(name), name).unwrap();
    }
    let opened = "3<a 4<b 5<c 9<c";
    let run = |options: &[&str]| {
        let words = [&["run", "--rm", "--network", "none"], options, &["payload", "/payload", "report"]].concat();
        with_descriptors(&lab, opened, &words)
    };
    assert_eq!(further(&run(&[]).json()), []);
    assert_eq!(further(&run(&["--preserve-fds=2"]).json()), pairs(&[("3", "a"), ("4", "b")]));
    assert_eq!(
        further(&run(&["--preserve-fd=5,3", "--preserve-fd", "9"]).json()),
        pairs(&[("3", "a"), ("5", "c"), ("9", "c")])
    );
    let init = run(&["--init", "--preserve-fd", "4"]).json();
    assert_eq!(further(&init), pairs(&[("4", "b")]));
    for (option, text) in [
        ("--preserve-fds=4", "file descriptor 6 is not available"),
        ("--preserve-fd=7", "file descriptor 7 is not available"),
        ("--preserve-fd=2147483647", "file descriptor 2147483647 is not available"),
        ("--preserve-fd=1", "--preserve-fd"),
    ] {
        let refused = run(&[option]).exits(125);
        assert!(refused.stderr().contains(text), "{refused}");
    }

    lab.rc(["run", "-d", "--name", "web", "--network", "none", "payload", "/payload", "sleep"]).run().succeeds();
    let words = ["exec", "--preserve-fd=4,9", "web", "/payload", "report"];
    assert_eq!(further(&with_descriptors(&lab, opened, &words).json()), pairs(&[("4", "b"), ("9", "c")]));
    lab.remove_containers();
}

#[test]
fn the_pod_that_a_member_starts_has_no_descriptor_of_the_member() {
    let lab = Lab::with_payload();
    fs::write(lab.work("a"), "A=a").unwrap();
    let pod = lab.rc(["pod", "create", "--network", "none", "--name", "p"]).run().text();
    let own =
        ["run", "-d", "--pod", "p", "--preserve-fd", "4", "--env-file", "/dev/fd/3", "payload", "/payload", "sleep"];
    with_descriptors(&lab, "3<a 4<a", &own).succeeds();
    let monitor = crate::kill_storm::monitor(&lab, pod.trim()).expect("the monitor holds the lock");
    for descriptor in fs::read_dir(format!("/proc/{monitor}/fd")).unwrap().flatten() {
        assert_ne!(fs::read_link(descriptor.path()).ok(), Some(lab.work("a")), "{descriptor:?}");
    }
    lab.rc(["pod", "rm", "-f", "-t", "0", "p"]).run().succeeds();
}

#[test]
fn listening_descriptors_reach_the_program_with_its_own_pid() {
    let lab = Lab::with_payload();
    fs::write(lab.work("a"), "a").unwrap();
    let run = |options: &[&str], pid: &str| {
        let script = format!("exec 3<a 4<a 5<a; LISTEN_PID={pid} exec \"$@\"");
        let rc = Lab::rc_path().to_str().expect("a path");
        lab.program("/bin/sh", ["-c", &script, "sh", rc, "run", "--rm", "--network", "none"])
            .args(options)
            .args(["payload", "/payload", "report"])
            .env("LISTEN_FDS", "2")
            .env("LISTEN_FDNAMES", "http:admin")
            .run()
            .json()
    };
    let report = run(&[], "$$");
    assert_eq!(further(&report), pairs(&[("3", "a"), ("4", "a")]));
    let told = |report: &serde_json::Value| {
        ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"]
            .map(|name| report["env"][name].as_str().unwrap_or("-").to_owned())
    };
    assert_eq!(told(&report), ["2", "1", "http:admin"]);
    let report = run(&["--init"], "$$");
    assert_eq!((told(&report), &report["pid"]), (["2", "2", "http:admin"].map(str::to_owned), &serde_json::json!(2)));
    // A number that cannot be true is refused at once, however large.
    for count in ["4", "2000000000", "18446744073709551615"] {
        let script = format!("exec 3<a 4<a 5<a; LISTEN_FDS={count} LISTEN_PID=$$ exec \"$@\"");
        let rc = Lab::rc_path().to_str().expect("a path");
        let words = ["-c", &script, "sh", rc, "run", "--rm", "--network", "none", "payload", "/payload", "exit", "0"];
        let refused = lab.program("/bin/sh", words).run().exits(125).stderr();
        assert!(refused.contains("is not available\nhint: LISTEN_FDS promises it"), "{count}: {refused}");
    }
    // Another process' descriptors are not for rc.
    let report = run(&[], "1");
    assert_eq!((told(&report), further(&report)), (["-", "-", "-"].map(str::to_owned), vec![]));
}

#[test]
fn output_goes_where_the_log_driver_says() {
    let lab = Lab::with_payload();
    let run = |options: &[&str]| {
        lab.rc(["run", "--network", "none", "--name", "box"])
            .args(options)
            .args(["payload", "/payload", "echo", "hello"])
            .run()
    };
    // The program has the command's own descriptors even if nobody attaches.
    let detached = run(&["-d", "--log-driver=passthrough"]);
    lab.rc(["wait", "box"]).run().succeeds();
    assert!(detached.stdout().contains("hello\n"), "{detached}");
    for command in [&["logs", "box"][..], &["logs", "-f", "box"]] {
        let refused = lab.rc(command).run().exits(125);
        assert!(refused.stderr().contains("container `box` has no log"), "{refused}");
    }
    lab.rc(["rm", "box"]).run().succeeds();

    assert_eq!(run(&["--log-driver=none"]).stdout(), "hello\n");
    assert!(lab.rc(["logs", "box"]).run().exits(125).stderr().contains("has no log"));
    lab.rc(["rm", "box"]).run().succeeds();

    assert_eq!(run(&["--rm=false", "--log-driver", "json-file", "--log-opt", "max-size=1m"]).stdout(), "hello\n");
    assert_eq!(lab.rc(["logs", "box"]).run().stdout(), "hello\n");
    lab.rc(["rm", "box"]).run().succeeds();

    for (options, text) in [
        (&["--log-driver=fluentd"][..], "log driver `fluentd` must be k8s-file"),
        (&["-t", "--log-driver=passthrough"], "cannot be used with --tty"),
        (&["--log-opt=labels=a"], "log option `labels=a` must be max-size"),
        (&["--log-driver=passthrough-tty", "--security-opt=seccomp=unconfined"], "needs the system call filter"),
    ] {
        let refused = run(options).exits(125);
        assert!(refused.stderr().contains(text), "{refused}");
    }
    if !Path::new("/run/systemd/journal/socket").exists() {
        let refused = run(&["--log-driver=journald"]).exits(125);
        assert!(refused.stderr().contains("cannot reach the system's journal"), "{refused}");
    }
}

#[test]
fn nobody_attaches_to_streams_that_pass_through() {
    let lab = Lab::with_payload();
    let script = "exec \"$@\" >/dev/null 2>&1";
    lab.program("/bin/sh", ["-c", script, "sh"])
        .arg(Lab::rc_path())
        .args(["run", "-d", "--log-driver=passthrough", "--name", "box", "--network", "none"])
        .args(["payload", "/payload", "sleep"])
        .run()
        .succeeds();
    let refused = lab.rc(["attach", "box"]).run().exits(125);
    assert!(refused.stderr().contains("its log driver is `passthrough`"), "{refused}");
    lab.remove_containers();
}

#[test]
fn a_generated_unit_creates_and_controls_the_container() {
    let lab = Lab::with_payload();
    let create =
        ["create", "--rm", "--name", "web", "-e", "TOKEN=a $b", "--network=none", "payload", "/payload", "echo", "50%"];
    lab.rc(create).run().succeeds();
    let shown = lab.rc(["generate", "systemd", "--new", "--name", "--no-header", "-t", "7", "web"]).run().stdout();
    let rc = Lab::rc_path().canonicalize().unwrap();
    let start = format!(
        "ExecStart={} run -d --rm --replace --name web --sdnotify=conmon --cgroups=no-conmon --env=TOKEN \
         --network=none --stop-timeout=7 payload /payload echo 50%%\n",
        rc.display()
    );
    assert!(shown.contains(&start), "{shown}");
    for line in ["Environment=\"TOKEN=a $b\"\n", "Type=notify\n", "TimeoutStopSec=67\n", "SuccessExitStatus=143\n"] {
        assert!(shown.contains(line), "{line}{shown}");
    }
    let path = lab.rc(["generate", "systemd", "--files", "--name", "--restart-policy=always", "web"]).run().stdout();
    assert_eq!(path.trim(), lab.work("container-web.service").display().to_string());
    let text = fs::read_to_string(lab.work("container-web.service")).unwrap();
    assert!(text.contains("rc start --attach web\n") && text.contains("Restart=always\n"), "{text}");
    assert!(text.starts_with("# container-web.service\n# autogenerated by rc "), "{text}");
    // systemd restarts it, not rc, in a container that removes itself.
    let kept = ["create", "--name", "kept", "--restart=on-failure:3", "--network=none", "payload", "/payload", "sleep"];
    lab.rc(kept).run().succeeds();
    let shown = lab.rc(["generate", "systemd", "--new", "--name", "kept"]).run().stdout();
    assert!(shown.contains("\nRestart=on-failure\n") && shown.contains("\nStartLimitBurst=3\n"), "{shown}");
    assert!(!shown.contains("--restart"), "{shown}");
    let shown = lab.rc(["generate", "systemd", "--new", "--restart-policy=no", "kept"]).run().stdout();
    assert!(shown.contains("\nRestart=no\n") && !shown.contains("StartLimit"), "{shown}");
    for wrong in [["--restart-policy=sometimes", "web"], ["--pod-prefix=x", "web"], ["--name", "nobody"]] {
        assert!(lab.rc(["generate", "systemd"]).args(wrong).run().exits(125).stdout().is_empty());
    }
    lab.remove_containers();
}
