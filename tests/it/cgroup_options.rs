//! `--cgroups`, `--cgroupns`, `--cgroup-parent` and `--cgroup-conf`, on a host without systemd; with it:
//! `system/scope.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Lab, Output, Signal, wait};

fn run(lab: &Lab, options: &[&str], words: &[&str]) -> Output {
    lab.rc(["run", "--rm", "--network", "none"]).args(options).args(["payload", "/payload"]).args(words).run()
}

/// Whether a container gets a cgroup of its own here.
fn has_group(lab: &Lab) -> bool {
    lab.rc(["info", "-f", "{{.Host.CgroupManager}}"]).run().text().trim() == "cgroupfs"
}

/// One field of `rc inspect`.
fn inspect(lab: &Lab, name: &str, field: &str) -> String {
    lab.rc(["inspect", "-f", field, name]).run().text().trim().to_owned()
}

#[test]
fn a_container_without_a_cgroup_has_none_and_no_limits() {
    let lab = Lab::with_payload();
    lab.rc(["run", "-d", "--name=c", "--network=none", "--cgroups=disabled", "payload", "/payload", "hang"])
        .run()
        .succeeds();
    assert_eq!(inspect(&lab, "c", "<{{.State.CgroupPath}}> {{.HostConfig.Cgroups}}"), "<> disabled");
    lab.rc(["rm", "-ft0", "c"]).run().succeeds();
    let refused = run(&lab, &["--cgroups=disabled", "-m", "64m"], &["echo", "started"]).exits(125);
    assert_eq!(refused.stderr(), "rc: `--cgroups`: invalid mode `disabled`: without a cgroup there are no limits\n");
}

#[test]
fn a_cgroup_can_be_split_or_is_an_error() {
    let lab = Lab::with_payload();
    let split = run(&lab, &["--cgroups=split"], &["echo", "started"]);
    if has_group(&lab) {
        split.prints("started\n");
    } else {
        let said = split.exits(125).stderr();
        assert!(
            said.starts_with("rc: cannot create a cgroup in `") && said.contains("`: it is not delegated to rc\n"),
            "{said}"
        );
    }
}

#[test]
fn a_container_without_a_cgroup_namespace_sees_the_host_s_cgroups() {
    let lab = Lab::with_payload();
    let own = fs::read_to_string("/proc/self/cgroup").expect("/proc");
    let Some(own) = own.lines().find_map(|line| line.strip_prefix("0::")) else { skip!("there is no cgroup v2") };
    let words = ["payload", "/payload", "hang"];
    lab.rc(["run", "-d", "--name=c", "--network=none", "--cgroupns=host"]).args(words).run().succeeds();
    let expected = match inspect(&lab, "c", "{{.State.CgroupPath}}") {
        none if none.is_empty() => own.to_owned(),
        path => path,
    };
    let seen = lab.rc(["exec", "c", "/payload", "read", "/proc/self/cgroup"]).run().text();
    assert!(seen.lines().any(|line| line == format!("0::{expected}")), "{expected}: {seen}");
    assert_eq!(inspect(&lab, "c", "{{.HostConfig.CgroupMode}}"), "host");
    let file = "/sys/fs/cgroup/cgroup.procs";
    let there = lab.rc(["exec", "c", "/payload", "read", file]).run().text();
    assert!(!there.is_empty(), "the root of the host's cgroups has processes");
    lab.rc(["rm", "-ft0", "c"]).run().succeeds();
    let private = run(&lab, &["--cgroupns=private"], &["read", "/proc/self/cgroup"]).text();
    assert!(private.lines().any(|line| line == "0::/"), "{private}");
}

#[test]
fn exec_goes_where_the_first_process_is() {
    only!(Root);
    let Some(mount) = crate::cgroups::mount() else { skip!("cgroup v2 is not mounted") };
    let lab = Lab::with_payload();
    let words = ["run", "-d", "--name=c", "--network=none", "--cgroupns=private", "payload", "/payload", "hang"];
    lab.rc(words).run().succeeds();
    let own = PathBuf::from(format!("{}{}", mount.display(), inspect(&lab, "c", "{{.State.CgroupPath}}")));
    require!(
        own.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rc-")),
        "it has a cgroup of its own"
    );
    let seen = || lab.rc(["exec", "c", "/payload", "read", "/proc/self/cgroup"]).run().text();
    assert!(seen().lines().any(|line| line == "0::/"), "{}", seen());
    // As systemd does before it enables controllers for the cgroups of its units, which a process beside it prevents.
    fs::create_dir(own.join("init.scope")).expect("root can create a cgroup");
    fs::write(own.join("init.scope/cgroup.procs"), inspect(&lab, "c", "{{.State.Pid}}")).expect("it can be moved");
    assert!(seen().lines().any(|line| line == "0::/init.scope"), "{}", seen());
    lab.rc(["rm", "-ft0", "c"]).run().succeeds();
    assert!(!own.exists(), "{}", own.display());
}

/// A new cgroup for `--cgroup-parent`, by its path in the hierarchy and on the host.
fn new_parent(lab: &Lab, mount: &Path) -> (String, PathBuf) {
    let path = format!("/{}", lab.unique("rc-it-parent"));
    let parent = PathBuf::from(format!("{}{path}", mount.display()));
    fs::create_dir(&parent).expect("root can create a cgroup");
    (path, parent)
}

#[test]
fn a_cgroup_parent_must_exist_and_be_delegated() {
    only!(Root);
    let Some(mount) = crate::cgroups::mount() else { skip!("cgroup v2 is not mounted") };
    let lab = Lab::with_payload();
    let (path, parent) = new_parent(&lab, &mount);
    let option = format!("--cgroup-parent={path}");
    let words = ["payload", "/payload", "hang"];
    let id = lab.rc(["run", "-d", "--name=c", "--network=none", &option]).args(words).run().text();
    assert_eq!(
        inspect(&lab, "c", "{{.State.CgroupPath}} {{.HostConfig.CgroupParent}}"),
        format!("{path}/rc-{} {path}", id.trim())
    );
    assert!(parent.join(format!("rc-{}", id.trim())).exists());
    lab.rc(["rm", "-ft0", "c"]).run().succeeds();
    // A step of a build, too.
    crate::build::base(&lab);
    crate::build::write(&lab, "Dockerfile", "FROM localhost/base\nRUN cat /proc/self/cgroup >/out\n");
    crate::build::build(&lab, &["-q", "--cgroupns=host", &option]).exits(0).stdout();
    let seen = crate::build::play(&lab, &["cat", "/out"]).exits(0).stdout();
    assert!(seen.lines().any(|line| line.starts_with(&format!("0::{path}/rc-"))), "{seen}");
    fs::remove_dir(&parent).expect("the container's cgroup is removed");
    let gone = run(&lab, &[&option], &["echo", "started"]).exits(125);
    assert_eq!(gone.stderr(), format!("rc: cannot create a cgroup in `{path}`: no such cgroup\n"));
}

#[test]
fn a_cgroup_is_removed_although_its_last_process_ends_late() {
    only!(Root);
    let Some(_) = crate::cgroups::mount() else { skip!("cgroup v2 is not mounted") };
    let lab = Lab::with_payload();
    let words = ["run", "-d", "--rm", "--name=c", "--network=none", "payload", "/payload", "hang"];
    let id = lab.rc(words).run().text();
    let group = lab.group(id.trim()).expect("a cgroup");
    // A process of the host: the end of the container's PID namespace does not end it, as a busy disk delays that.
    let mut late = std::process::Command::new("sleep").arg("60").spawn().expect("a process");
    fs::write(group.join("cgroup.procs"), late.id().to_string()).expect("root can move it");
    lab.rc(["kill", "c"]).run().succeeds();
    wait::until("the end of the records", || (!lab.container(id.trim()).exists()).then_some(()));
    assert!(group.exists());
    late.kill().expect("it runs");
    late.wait().expect("it ends");
    wait::until("the end of the cgroup", || (!group.exists()).then_some(()));
}

#[test]
fn a_step_whose_monitor_is_killed_leaves_no_cgroup() {
    only!(Root);
    let Some(mount) = crate::cgroups::mount() else { skip!("cgroup v2 is not mounted") };
    let lab = Lab::with_payload();
    let (path, parent) = new_parent(&lab, &mount);
    let context = lab.work("context");
    fs::create_dir(&context).expect("made");
    fs::write(context.join("Dockerfile"), "FROM payload\nRUN [\"/payload\", \"hang\"]\n").expect("written");
    let option = format!("--cgroup-parent={path}");
    for all in [false, true] {
        let build = lab.rc(["build", "-q", "--network", "none", &option]).arg(&context).start();
        let process: u32 = wait::until("the step", || {
            let group = fs::read_dir(&parent).expect("a cgroup").flatten().find(|entry| entry.path().is_dir())?;
            let processes = fs::read_to_string(group.path().join("cgroup.procs")).ok()?;
            let process: u32 = processes.lines().next()?.parse().ok()?;
            let words = fs::read(format!("/proc/{process}/cmdline")).ok()?;
            words.starts_with(b"/payload").then_some(process)
        });
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
        let monitor =
            status.lines().find_map(|line| line.strip_prefix("PPid:")).and_then(|pid| pid.trim().parse().ok());
        let monitor = monitor.and_then(rustix::process::Pid::from_raw).expect("a parent");
        if all {
            // Nobody is left who knows of the step; the next command that writes looks for what is left.
            let pids: Vec<_> = [build.pid()].into_iter().chain([monitor.as_raw_nonzero().get()]).collect();
            for pid in &pids {
                let pid = rustix::process::Pid::from_raw(*pid).expect("a PID");
                rustix::process::kill_process(pid, Signal::STOP).expect("it runs");
            }
            pids.into_iter().for_each(crate::support::processes::kill);
        } else {
            rustix::process::kill_process(monitor, Signal::KILL).expect("it runs");
        }
        let output = build.wait();
        assert!(output.exit != crate::support::Exit::Code(0), "{output}");
        let is_empty = || fs::read_dir(&parent).expect("a cgroup").flatten().all(|entry| !entry.path().is_dir());
        assert!(all || is_empty());
        if all {
            // The step's own process may end a little later, and have the build's lock until then.
            wait::until("the end of the cgroup", || {
                lab.rc(["system", "prune", "-f"]).run().succeeds();
                is_empty().then_some(())
            });
        }
    }
    fs::remove_dir(&parent).expect("the cgroup of the step is gone");
}

#[test]
fn records_among_the_files_of_images_and_contexts_end_no_container() {
    only!(Root);
    let Some(_) = crate::cgroups::mount() else { skip!("cgroup v2 is not mounted") };
    let lab = Lab::with_payload();
    let words = ["run", "-d", "--name=c", "--network=none", "payload", "/payload", "hang"];
    let id = lab.rc(words).run().text().trim().to_owned();
    lab.group(&id).expect("a cgroup");
    let tmp = lab.store().join("tmp");
    let record = |file: &str| fs::read_to_string(lab.container(&id).join(file)).expect("a record");
    let forge = |place: &str, config: &str| {
        fs::create_dir_all(tmp.join(place)).expect("made");
        fs::write(tmp.join(place).join("config.json"), config).expect("written");
        fs::write(tmp.join(place).join("state.json"), record("state.json")).expect("written");
    };
    // An image that is being unpacked, documents of a Dockerfile, a context: those who made them have chosen the names.
    for place in ["layer-1-0/fs", "scratch-1-0/documents-1-1", "scratch-1-0/files", "layer-1-0/step-1-1"] {
        forge(place, &record("config.json"));
    }
    // The directory of a step, whose record names the cgroup of another.
    forge("scratch-1-0/step-1-1", &record("config.json").replace(&id, &"0".repeat(id.len())));
    lab.rc(["create", "--name=d", "--network=none", "payload", "/payload", "hang"]).run().succeeds();
    lab.rc(["rm", "d"]).run().succeeds();
    // `create` has started a process that sweeps, too.
    let is_swept = || !tmp.join("layer-1-0").exists() && !tmp.join("scratch-1-0").exists();
    wait::until("the end of the sweep", || is_swept().then_some(()));
    assert_eq!(inspect(&lab, "c", "{{.State.Status}} {{.State.ExitCode}}"), "running 0");
    lab.rc(["rm", "-ft0", "c"]).run().succeeds();
}

#[test]
fn a_slice_is_an_error_without_a_service_manager() {
    let lab = Lab::with_payload();
    require!(!PathBuf::from("/run/systemd/system").exists(), "systemd runs");
    let said = run(&lab, &["--cgroup-parent=web.slice"], &["echo", "started"]).exits(125).stderr();
    assert!(said.starts_with("rc: cannot create a cgroup in `web.slice`: no service manager answers at `"), "{said}");
    lab.rc(["ps", "-aq"]).run().says_nothing();
}

#[test]
fn a_restart_sets_what_cgroup_conf_has_set() {
    only!(Root);
    let Some(mount) = crate::cgroups::mount() else { skip!("cgroup v2 is not mounted") };
    let Some((controller, _, file, value)) = crate::cgroups::supported_limit() else {
        skip!("cgroup v2 has neither pids nor hugetlb here");
    };
    let lab = Lab::with_payload();
    let path = format!("/{}", lab.unique("rc-it-parent"));
    let parent = PathBuf::from(format!("{}{path}", mount.display()));
    fs::write(mount.join("cgroup.subtree_control"), format!("+{controller}")).expect("root can enable a controller");
    fs::create_dir(&parent).expect("root can make a cgroup");
    let (parent_option, conf) = (format!("--cgroup-parent={path}"), format!("--cgroup-conf={file}={value}"));
    let options = ["--name=c", "--network=none", "--restart=always", &parent_option, &conf];
    let id = lab.rc(["run", "-d"]).args(options).args(["payload", "/payload", "hang"]).run().text();
    let limit = parent.join(format!("rc-{}", id.trim())).join(file);
    let read = || fs::read_to_string(&limit).unwrap_or_default().trim().to_owned();
    assert_eq!(read(), value);
    let pid = inspect(&lab, "c", "{{.State.Pid}}").parse().ok().and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(pid.expect("a pid"), Signal::KILL).expect("it runs");
    wait::until("the restart", || {
        (inspect(&lab, "c", "{{.RestartCount}} {{.State.Status}}") == "1 running").then_some(())
    });
    assert_eq!(read(), value);
    lab.rc(["rm", "-ft0", "c"]).run().succeeds();
    fs::remove_dir(&parent).expect("the container's cgroup is removed");
}
