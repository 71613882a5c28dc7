//! A damaged store: incomplete directories, FIFOs and links in place of files; a read-only home; and the records of an
//! earlier version.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::Value;

use crate::support::wait::{self, PATIENCE};
use crate::support::{Lab, Output, port};

/// The damage to a record.
const DAMAGES: [&str; 6] = ["missing", "fifo", "directory", "link", "dangling link", "socket"];

fn damage(path: &Path, how: &str) {
    let aside = path.with_extension("aside");
    fs::rename(path, &aside).expect("a record can be moved");
    match how {
        "fifo" => mkfifoat(CWD, path, Mode::from_raw_mode(0o600)).expect("a FIFO"),
        "directory" => fs::create_dir_all(path.join("full")).expect("a directory"),
        "link" => std::os::unix::fs::symlink(&aside, path).expect("a link"),
        "dangling link" => std::os::unix::fs::symlink("/nowhere", path).expect("a link"),
        "socket" => drop(std::os::unix::net::UnixListener::bind_addr(&short(path)).expect("a socket")),
        _ => {}
    }
}

/// The address of a socket with a path that is too long for a socket address.
fn short(path: &Path) -> std::os::unix::net::SocketAddr {
    let directory = fs::File::open(path.parent().expect("a parent")).expect("a directory");
    let name = path.file_name().expect("a name").to_str().expect("text");
    let path = format!("/proc/self/fd/{}/{name}", std::os::fd::AsRawFd::as_raw_fd(&directory));
    // The descriptor must outlive the call that uses it.
    std::mem::forget(directory);
    std::os::unix::net::SocketAddr::from_pathname(path).expect("a path")
}

/// Asserts that it exited at once, with this code.
#[track_caller]
fn answer(output: Output, code: i32) -> Output {
    output.within(PATIENCE).exits(code)
}

/// As [`answer`], whatever it printed.
#[track_caller]
fn at_once(output: Output, code: i32) {
    drop(answer(output, code));
}

#[track_caller]
fn create(lab: &Lab, name: &str) -> String {
    lab.rc(["create", "--network", "none", "--name", name, "payload", "/payload", "exit", "7"]).run().text()
}

#[test]
fn a_container_that_lacks_a_record_is_listed_as_damaged_keeps_its_name_and_is_removed() {
    let lab = Lab::with_payload();
    let good = create(&lab, "good");
    let mut ways = [["name"], ["id"], ["beginning"]].into_iter().flatten().cycle();
    for record in ["lock", "config.json", "state.json"] {
        for how in DAMAGES {
            let what = format!("{record}: {how}");
            let id = create(&lab, "bad");
            let short = &id[..12];
            damage(&lab.container(&id).join(record), how);
            let warning = format!("container `{short}` is damaged: cannot open `");
            for options in [&["ps", "-a", "-q"][..], &["ps", "-a", "-q", "--no-trunc"]] {
                let listed = answer(lab.rc(options).run(), 0);
                assert!(listed.stderr().contains(&warning), "{what}: {listed}");
                assert!(listed.stderr().contains(&format!("remove it with `rc rm {short}`")), "{what}: {listed}");
                let shown = listed.stdout();
                let lines: Vec<&str> = shown.lines().collect();
                assert!(lines.len() == 2 && good.starts_with(lines[0]) && id.starts_with(lines[1]), "{what}: {listed}");
            }
            for command in ["inspect", "start", "logs"] {
                let output = answer(lab.rc([command, "bad"]).run(), 125);
                assert!(output.stderr().contains(&warning), "{what}: {output}");
            }
            let run = ["run", "--rm", "--network", "none", "--name", "bad", "payload", "/payload", "exit", "0"];
            let output = answer(lab.rc(run).run(), 125);
            let taken = format!("the name `bad` is already in use by container {short}");
            assert!(output.stderr().contains(&taken), "{what}: {output}");
            let word = match ways.next() {
                Some("name") => "bad",
                Some("id") => &id,
                _ => short,
            };
            let removed = answer(lab.rc(["rm", word]).run(), 0);
            assert_eq!((removed.stdout(), removed.stderr()), (format!("{word}\n"), String::new()), "{what}");
            assert!(!lab.container(&id).exists() && !lab.store().join("names/bad").is_symlink(), "{what}");
            at_once(lab.rc(run).run(), 0);
        }
    }
    // All at once; and one that a new container replaces.
    for (number, how) in DAMAGES.into_iter().enumerate() {
        let id = create(&lab, &format!("bad{number}"));
        damage(&lab.container(&id).join("config.json"), how);
    }
    let replace =
        ["run", "--rm", "--replace", "--network", "none", "--name", "bad0", "payload", "/payload", "exit", "7"];
    at_once(lab.rc(replace).run(), 7);
    assert_eq!(answer(lab.rc(["rm", "-f", "-a"]).run(), 0).stdout().lines().count(), DAMAGES.len());
    lab.rc(["ps", "-a", "-q"]).run().prints("");
}

#[test]
fn whatever_has_the_place_of_a_container_is_listed_and_removed() {
    let lab = Lab::with_payload();
    let good = create(&lab, "good");
    let id = "0123456789ab".repeat(6)[..64].to_owned();
    let path = lab.container(&id);
    for what in ["empty", "file", "fifo", "link", "dangling link", "copy"] {
        match what {
            "empty" => fs::create_dir(&path).expect("a directory"),
            "file" => fs::write(&path, "").expect("a file"),
            "fifo" => mkfifoat(CWD, &path, Mode::from_raw_mode(0o600)).expect("a FIFO"),
            "link" => std::os::unix::fs::symlink(lab.container(&good), &path).expect("a link"),
            "dangling link" => std::os::unix::fs::symlink("/nowhere", &path).expect("a link"),
            _ => {
                fs::create_dir(&path).expect("a directory");
                for name in ["config.json", "state.json", "lock", "exit"] {
                    fs::copy(lab.container(&good).join(name), path.join(name)).expect("a copy");
                }
            }
        }
        let listed = answer(lab.rc(["ps", "-a", "-q", "--no-trunc"]).run(), 0);
        assert_eq!(listed.stdout(), format!("{good}\n{id}\n"), "{what}");
        assert!(listed.stderr().contains("container `0123456789ab` is damaged: "), "{what}: {listed}");
        at_once(lab.rc(["rm", "0123"]).run(), 0);
        assert!(!path.is_symlink() && !path.exists(), "{what}");
        at_once(lab.rc(["start", "-a", "good"]).run(), 7);
    }
    lab.remove_containers();
}

/// A copy by a backup program: with hard links, its lock and its socket are the container's own.
#[test]
fn removing_a_copy_of_a_running_container_does_not_stop_it() {
    let lab = Lab::with_payload();
    let run = ["run", "-d", "--network", "none", "--name", "box", "payload", "/payload", "sleep"];
    let id = lab.rc(run).run().text();
    let pid = lab.rc(["inspect", "--format", "{{.State.Pid}}", "box"]).run().text();
    let copy = lab.container(&"0123456789ab".repeat(6)[..64]);
    for (program, options) in [("cp", "-a"), ("cp", "-al"), ("ln", "-s")] {
        // Mounts and files of other IDs need not be in it.
        drop(lab.program(program, [options]).arg(lab.container(&id)).arg(&copy).run());
        assert!(copy.join("config.json").exists(), "{program} {options}");
        at_once(lab.rc(["rm", "-f", "0123"]).run(), 0);
        assert!(!copy.is_symlink() && !copy.exists(), "{program} {options}");
        lab.rc(["inspect", "--format", "{{.State.Status}} {{.State.Pid}}", "box"])
            .run()
            .prints(format!("running {pid}\n"));
        at_once(lab.rc(["exec", "box", "/payload", "exit", "3"]).run(), 3);
    }
    at_once(lab.rc(["rm", "-f", "box"]).run(), 0);
}

#[test]
fn a_container_with_a_record_too_large_to_read_is_not_created() {
    let lab = Lab::with_payload();
    let labels: String = (0..180).map(|n| format!("l{n}={}\n", "x".repeat(100_000))).collect();
    fs::write(lab.work("labels"), labels).expect("written");
    for command in ["create", "run"] {
        let command =
            lab.rc([command, "--network", "none", "--label-file", "labels", "payload", "/payload", "exit", "0"]);
        let output = answer(command.run(), 125);
        assert!(output.stderr().contains("/config.json`: file too large"), "{output}");
        lab.rc(["ps", "-a", "-q"]).run().prints("");
    }
}

#[test]
fn a_container_without_permissions_is_removed_nevertheless() {
    let lab = Lab::with_payload();
    let close = |path: &Path| fs::set_permissions(path, PermissionsExt::from_mode(0o000)).expect("closed");
    for record in ["", "lock", "config.json", "state.json"] {
        let id = create(&lab, "box");
        close(&lab.container(&id).join(record));
        at_once(lab.rc(["rm", "box"]).run(), 0);
        assert!(!lab.container(&id).exists() && !lab.store().join("names/box").is_symlink(), "{record}");
        let run = ["run", "-d", "--network", "none", "--name", "box", "payload", "/payload", "sleep"];
        let id = lab.rc(run).run().text();
        let pid = lab.rc(["inspect", "--format", "{{.State.Pid}}", "box"]).run().text();
        close(&lab.container(&id).join(record));
        at_once(lab.rc(["rm", "box"]).run(), 2);
        assert!(Path::new(&format!("/proc/{pid}")).exists(), "{record}");
        at_once(lab.rc(["rm", "-f", "box"]).run(), 0);
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{record}: the program lives");
        assert!(!lab.container(&id).exists(), "{record}");
    }
}

#[test]
fn a_name_that_is_not_a_link_is_reported() {
    let lab = Lab::with_payload();
    let name = lab.store().join("names/box");
    let run = ["run", "--rm", "--network", "none", "--name", "box", "payload", "/payload", "exit", "7"];
    for what in ["file", "fifo", "directory"] {
        match what {
            "file" => fs::write(&name, "").expect("a file"),
            "fifo" => mkfifoat(CWD, &name, Mode::from_raw_mode(0o600)).expect("a FIFO"),
            _ => fs::create_dir(&name).expect("a directory"),
        }
        let output = answer(lab.rc(run).run(), 125);
        let said = format!("rc: `{}` is not a link to a container\n", name.display());
        assert!(output.stderr().starts_with(&said), "{what}: {output}");
        at_once(lab.rc(["ps", "-a"]).run(), 0);
        lab.program("rm", ["-r"]).arg(&name).run().succeeds();
        at_once(lab.rc(run).run(), 7);
    }
}

#[test]
fn a_running_container_without_records_is_removed_only_by_force() {
    let lab = Lab::with_payload();
    for (record, how) in [
        ("lock", "missing"),
        ("lock", "fifo"),
        ("config.json", "missing"),
        ("config.json", "fifo"),
        ("state.json", "missing"),
        ("state.json", "fifo"),
        ("ctl", "missing"),
        ("exit", "fifo"),
        ("state.json", "garbage"),
    ] {
        let run = ["run", "-d", "--network", "none", "--name", "box", "payload", "/payload", "sleep"];
        let id = lab.rc(run).run().text();
        let pid: u32 = lab.rc(["inspect", "--format", "{{.State.Pid}}", "box"]).run().text().parse().expect("a pid");
        let path = lab.container(&id).join(record);
        if record == "ctl" {
            // There is no monitor to ask, and no record of the container.
            fs::remove_file(lab.container(&id).join("config.json")).expect("removed");
        }
        match how {
            "garbage" => fs::write(&path, "garbage").expect("written"),
            _ => damage(&path, how),
        }
        let refused = answer(lab.rc(["rm", "box"]).run(), 2);
        assert!(refused.stderr().contains("cannot remove `"), "{record} {how}: {refused}");
        assert!(Path::new(&format!("/proc/{pid}")).exists(), "{record} {how}");
        at_once(lab.rc(["rm", "-f", "box"]).run(), 0);
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{record} {how}: the program lives");
        assert!(!lab.container(&id).exists(), "{record} {how}");
        at_once(lab.rc(["ps", "-a"]).run(), 0);
    }
}

#[test]
fn special_files_in_place_of_records_are_not_waited_for() {
    let lab = Lab::with_payload();
    let run = |options: &[&str]| {
        let command = lab.rc(["run", "--rm", "--network", "none"]).args(options);
        command.args(["payload", "/payload", "exit", "7"]).run()
    };
    let index = lab.store().join("images/index.json");
    for how in DAMAGES {
        damage(&index, how);
        let output = lab.rc(["images", "-q"]).run().within(PATIENCE);
        // A missing file means an empty store, as before the first image.
        assert_eq!(output.stderr().contains("/index.json`: not a regular file"), how != "missing", "{how}: {output}");
        lab.program("rm", ["-rf"]).arg(&index).run().succeeds();
        fs::rename(index.with_extension("aside"), &index).expect("moved back");
    }
    // rc unpacks a layer again if its record is not a file.
    let layers =
        lab.rc(["unshare", "sh", "-c"]).arg(format!("ls -d {}/layers/*/*", lab.store().display())).run().text();
    let info = Path::new(layers.lines().next().expect("a layer")).join("info");
    for how in ["fifo", "directory", "link", "dangling link"] {
        damage(&info, how);
        at_once(run(&[]), 7);
        // A process in the background syncs the layer before that is its record.
        let is_record = || info.symlink_metadata().is_ok_and(|found| found.is_file()).then_some(());
        wait::until(&format!("the layer's record, after a {how}"), is_record);
    }
    // A blob that is not a file counts as missing, and is pulled again.
    let blobs = lab.store().join("images/blobs/sha256");
    let blobs: Vec<_> = fs::read_dir(blobs).expect("blobs").map(|blob| blob.expect("a blob").path()).collect();
    let archive = lab.work("image.tar");
    lab.rc(["save", "-q", "-o"]).arg(&archive).arg("payload").run().says_nothing();
    for how in ["fifo", "link"] {
        for blob in &blobs {
            damage(blob, how);
        }
        let output = answer(run(&["--pull=never"]), 125);
        assert!(!output.stderr().is_empty(), "{how}");
        at_once(lab.rc(["save", "-q", "-o", "/dev/null", "payload"]).run(), 125);
        at_once(lab.rc(["load", "-q", "-i"]).arg(&archive).run(), 0);
        at_once(run(&["--pull=never"]), 7);
    }
    // Volumes have data that the user cannot recover: rc reports the damage and changes nothing.
    at_once(run(&["-v", "data:/data"]), 7);
    let volume = lab.store().join("volumes/data");
    for (record, how) in [("volume.json", "fifo"), ("volume.json", "missing"), ("lock", "fifo"), ("lock", "link")] {
        let path = volume.join(record);
        if record == "lock" {
            fs::remove_file(volume.join("used")).expect("removed");
        }
        damage(&path, how);
        let output = answer(run(&["-v", "data:/data"]), 125);
        assert!(output.stderr().contains(&format!("/volumes/data/{record}`: ")), "{record} {how}: {output}");
        drop(fs::remove_file(&path));
        fs::rename(path.with_extension("aside"), &path).expect("moved back");
        at_once(run(&["-v", "data:/data"]), 7);
    }
    // The old files of the layer stay in the trash until the next removal.
    lab.remove_containers();
}

#[test]
fn commands_that_only_read_work_in_a_read_only_home() {
    let lab = Lab::new();
    let single = |words: &[&str]| lab.rc(words).env("RC_SINGLE_ID", "1");
    fs::write(lab.work("payload.tar"), crate::support::image::payload_layer()).expect("written");
    single(&["import", "-q", "payload.tar", "payload"]).run().succeeds();
    let run = |name: &str, words: &[&str]| {
        single(&["run", "-d", "--network", "none", "--name", name, "payload", "/payload"]).args(words).run().succeeds();
    };
    run("ended", &["echo", "said"]);
    run("box", &["sleep"]);
    single(&["wait", "ended"]).run().succeeds();
    // In a namespace of its own, in which the data is read-only for everybody, even root.
    let script = lab.script(
        "script",
        "set -u\n\
         mount --bind \"$XDG_DATA_HOME\" \"$XDG_DATA_HOME\" || exit 77\n\
         mount -o remount,bind,ro \"$XDG_DATA_HOME\" || exit 77\n\
         ! touch \"$XDG_DATA_HOME/rc/written\" 2>/dev/null || exit 78\n\
         for words in 'ps -a --format {{.Names}}:{{.State}}' 'inspect --format {{.State.Status}} box ended' \
             'logs ended' 'images --format {{.Repository}}' 'inspect --format {{.Size}} payload' \
             'info --format {{.Store.ContainerStore.Number}}'; do\n\
             $RC $words || echo \"$words: $?\"\n\
         done\n\
         $RC doctor 2>&1; echo $?\n",
    );
    let output = lab
        .program("unshare", ["--user", "--map-root-user", "--mount", "bash"])
        .arg(script)
        .env("RC_SINGLE_ID", "1")
        .env("RC", Lab::rc_path())
        .run();
    let expected = "ended:exited\nbox:running\nrunning\nexited\nsaid\ndocker.io/library/payload\n";
    let shown = output.stdout();
    let rest = shown.strip_prefix(expected).unwrap_or_else(|| panic!("{output}"));
    let [size, containers, doctor @ ..] = &*rest.lines().collect::<Vec<_>>() else { panic!("{output}") };
    assert!(size.parse::<u64>().is_ok_and(|size| size > 0) && *containers == "2", "{output}");
    assert!(doctor.contains(&"    disables: pull and run; ps, logs, inspect and images work"), "{output}");
    assert_eq!((doctor.last(), output.stderr()), (Some(&"1"), String::new()), "{output}");
    lab.remove_containers();
}

/// A file of `tests/fixtures/records-5070e77`, with the host port that its containers publish replaced.
fn earlier(name: &str, port: u16) -> String {
    let path = Lab::source_path().join("tests/fixtures/records-5070e77").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.replace("28080", &port.to_string()).replace("28081", &port.to_string())
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Puts a container of that version into the store, with an existing image, and returns its ID.
fn put(lab: &Lab, name: &str, image: &Value, port: u16) -> String {
    let mut config = parsed(&earlier(&format!("{name}/config.json"), port));
    config["image"] = image.clone();
    let id = config["id"].as_str().expect("an id").to_owned();
    let directory = lab.container(&id);
    for part in ["", "upper", "work", "merged"] {
        fs::create_dir(directory.join(part)).expect("a directory");
        let mode = if part == "upper" { 0o755 } else { 0o700 };
        fs::set_permissions(directory.join(part), PermissionsExt::from_mode(mode)).expect("a mode");
    }
    fs::write(directory.join("lock"), "").expect("written");
    fs::write(directory.join("config.json"), config.to_string()).expect("written");
    for record in ["state.json", "exit"] {
        fs::write(directory.join(record), earlier(&format!("{name}/{record}"), port)).expect("written");
    }
    if name == "limited" {
        fs::write(directory.join("updated.json"), earlier("limited/updated.json", port)).expect("written");
    }
    std::os::unix::fs::symlink(&id, lab.store().join("names").join(name)).expect("a link");
    id
}

/// Asserts that `now` has every value of `before`.
#[track_caller]
fn says_as_before(before: &Value, now: &Value, path: &str) {
    match before {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(name, value)| says_as_before(value, &now[name], &format!("{path}/{name}")));
        }
        _ => assert_eq!(now, before, "{path}"),
    }
}

#[test]
fn containers_of_an_earlier_version_are_shown_started_and_removed() {
    let lab = Lab::with_payload();
    let template = create(&lab, "template");
    let config = fs::read_to_string(lab.container(&template).join("config.json")).expect("read");
    let image = parsed(&config)["image"].take();
    lab.rc(["rm", "template"]).run().succeeds();
    let volume = lab.store().join("volumes/data");
    fs::create_dir_all(volume.join("_data")).expect("a directory");
    for (name, text) in [("volume.json", &*earlier("volume/volume.json", 0)), ("used", ""), ("lock", "")] {
        fs::write(volume.join(name), text).expect("written");
    }

    let port = port::take(1);
    let names = ["plain", "made", "served", "limited", "hostnet"];
    let ids = names.map(|name| put(&lab, name, &image, port));
    lab.rc(["ps", "-a", "--format", "{{.Names}} {{.State}} {{.ExitCode}} {{.Networks}} {{.Ports}}"]).run().prints(
        format!(
            "plain exited 7 none \nmade created 0 pasta \nserved exited 4 slirp4netns 127.0.0.1:{port}->7/tcp\n\
         limited created 0 pasta 127.0.0.1:18080->80/tcp, [::1]:18081->81/udp\nhostnet exited 0 host \n"
        ),
    );
    lab.rc(["ps", "-a", "-q", "--filter", "network=host"]).run().prints(format!("{}\n", &ids[4][..12]));
    for name in names {
        let now = lab.rc(["inspect", name]).run().json();
        says_as_before(&parsed(&earlier(&format!("{name}/shown.json"), port)), &now[0], name);
    }

    for (name, code) in [("plain", 7), ("made", 3), ("served", 4), ("hostnet", 0)] {
        // Without pasta, the error says so.
        let code = if name == "made" && !crate::support::skip::has_program("pasta") { 125 } else { code };
        at_once(lab.rc(["start", "-a", name]).run(), code);
    }
    // It is restarted a few times.
    let status = || lab.rc(["inspect", "--format", "{{.State.Status}}", "served"]).run().text();
    wait::until("its last end", || (status() == "exited").then_some(()));
    lab.rc(["wait", "served"]).run().prints("4\n");
    let state = parsed(&fs::read_to_string(lab.container(&ids[2]).join("state.json")).expect("read"));
    assert_eq!(state["network"]["format"], 1, "{state}");
    assert_eq!(state["network"]["endpoints"][0]["addresses"][0], "10.0.2.100/24", "{state}");
    assert_eq!(state["network"]["endpoints"][0]["ports"][0]["hostPort"], port, "{state}");
    for name in names {
        lab.rc(["rm", name]).run().prints(format!("{name}\n"));
    }
    lab.rc(["ps", "-a", "-q"]).run().says_nothing();
    assert!(volume.join("_data").exists(), "a named volume stays");
}

#[test]
fn the_network_that_a_monitor_of_an_earlier_version_recorded_is_shown() {
    let lab = Lab::with_payload();
    let port = port::take(1);
    let published = format!("127.0.0.1:{port}:7");
    let run = ["run", "-d", "--name", "running", "-p", &published, "payload", "/payload", "sleep"];
    let id = lab.rc(run).run().text();
    let path = lab.container(&id).join("state.json");
    let mut state = parsed(&earlier("running/state.json", port));
    state["init"] = parsed(&fs::read_to_string(&path).expect("read"))["init"].take();
    fs::write(&path, state.to_string()).expect("written");
    let now = lab.rc(["inspect", "running"]).run().json();
    let mut before = parsed(&earlier("running/shown.json", port))["NetworkSettings"].take();
    // That version did not show it.
    before["SandboxKey"] = format!("/proc/{}/ns/net", now[0]["State"]["Pid"]).into();
    says_as_before(&before, &now[0]["NetworkSettings"], "running");
    let format = "{{.State}} {{.Ports}}";
    lab.rc(["ps", "--format", format]).run().prints(format!("running 127.0.0.1:{port}->7/tcp\n"));
    at_once(lab.rc(["exec", "running", "/payload", "exit", "3"]).run(), 3);
    at_once(lab.rc(["rm", "-f", "running"]).run(), 0);
}

#[test]
fn the_end_of_a_run_is_not_that_of_a_later_one_after_a_power_cut() {
    let lab = Lab::with_payload();
    let create = ["create", "--name", "web", "--network", "none", "payload", "/payload", "sleep"];
    let id = lab.rc(create).run().text();
    let state = lab.container(&id).join("state.json");
    let shown = || lab.rc(["inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "web"]).run().text();
    let before = fs::read(&state).expect("a state");
    fs::write(&state, "").expect("written");
    assert_eq!(shown(), "exited 255", "nothing tells that it was never started");
    // What was on the disk before the start, which is not synced; or nothing.
    for left in [&before[..], b""] {
        lab.rc(["start", "web"]).run().succeeds();
        lab.rc(["stop", "-t", "0", "web"]).run().succeeds();
        assert_eq!(shown(), "exited 137");
        fs::write(&state, left).expect("written");
        assert_eq!(shown(), "exited 137");
        lab.rc(["start", "web"]).run().succeeds();
        assert_eq!(shown(), "running 0");
        lab.rc(["stop", "-t", "0", "web"]).run().succeeds();
    }
    lab.remove_containers();
}
