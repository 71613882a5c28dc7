//! Every option of `run`, by its effect on the program.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Image, Lab, Layer, Output, Signal};

/// The default capabilities of a container, as `/proc/self/status` writes them.
const DEFAULT_CAPABILITIES: &str = "00000000800405fb";

/// `rc run --rm --network none OPTIONS payload /payload WORDS`.
fn run(lab: &Lab, options: &[&str], words: &[&str]) -> Output {
    lab.rc(["run", "--rm", "--network", "none"]).args(options).args(["payload", "/payload"]).args(words).run()
}

/// The report of a program that runs with these options.
#[track_caller]
fn report(lab: &Lab, options: &[&str]) -> Value {
    run(lab, options, &["report"]).json()
}

/// The mount at `path` in a report.
#[track_caller]
fn mount<'a>(report: &'a Value, path: &str) -> &'a Value {
    let mounts = report["mounts"].as_array().expect("a list of mounts");
    // The last mount at a path is visible.
    mounts.iter().rev().find(|mount| mount["path"] == path).unwrap_or_else(|| panic!("no mount at {path}: {mounts:#?}"))
}

/// The options of a mount as words.
fn options(mount: &Value) -> Vec<&str> {
    mount["options"].as_str().unwrap_or_default().split(',').collect()
}

/// One object of `rc inspect`.
#[track_caller]
fn inspect(lab: &Lab, name: &str) -> Value {
    lab.rc(["inspect", name]).run().json()[0].take()
}

/// Loads the payload with a configuration of its own, as `localhost/configured`.
#[track_caller]
fn load(lab: &Lab, config: Value) {
    let archive = lab.work("configured.tar");
    fs::write(&archive, Image::payload().config(config).oci_archive("localhost/configured:latest"))
        .expect("an archive can be written");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
}

/// Asserts exit code 125, no output, and an error that contains `text`.
#[track_caller]
fn refused(output: Output, text: &str) {
    let output = output.exits(125);
    assert!(output.stdout.is_empty() && output.stderr().contains(text), "{output}");
}

#[test]
fn the_environment_is_rcs_then_the_images_then_the_callers() {
    let lab = Lab::new();
    lab.payload();
    load(&lab, json!({ "Env": ["PATH=/image", "A=image", "B=image", "SECRET", "SEC*"] }));
    fs::write(lab.work("vars"), "# comment\nB=file\nC=file\nTAKEN\n").unwrap();
    let report = lab
        .rc(["run", "--rm", "--network", "none", "--env-file", "vars", "-e", "C=asked", "-e", "PRE*", "-h", "box"])
        .args(["configured", "/payload", "report"])
        .env("SECRET", "s3cret")
        .env("TAKEN", "caller")
        .env("PREFIXED", "caller")
        .run()
        .json();
    let expected = json!({
        "A": "image", "B": "file", "C": "asked", "HOME": "/root", "HOSTNAME": "box", "PATH": "/image",
        "PREFIXED": "caller", "TAKEN": "caller", "container": "oci",
    });
    assert_eq!(report["env"], expected);
}

#[test]
fn values_of_the_environment_are_in_no_command_line() {
    let lab = Lab::new();
    lab.payload();
    // Not those of other tests or of earlier runs.
    let value = lab.unique("hunter");
    let token = format!("TOKEN={value}");
    let container = ["run", "-d", "--network", "none", "--name", "box", "-e", &token, "payload", "/payload", "sleep"];
    lab.rc(container).run().succeeds();
    let command = inspect(&lab, "box")["Config"]["CreateCommand"].to_string();
    assert!(command.contains("TOKEN") && !command.contains(&value), "{command}");
    for process in fs::read_dir("/proc").unwrap().flatten() {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        // The supervisor has the test's own command line.
        assert!(!line.contains(&value) || line.contains("\0supervise\0"), "{line:?}");
    }
    lab.remove_containers();
}

#[test]
fn the_working_directory_is_made_and_entered() {
    let lab = Lab::new();
    lab.payload();
    assert_eq!(report(&lab, &[])["cwd"], "/");
    assert_eq!(report(&lab, &["-w", "/not/yet"])["cwd"], "/not/yet");
    refused(run(&lab, &["-w", "relative"], &["report"]), "`--workdir`");
}

#[test]
fn a_user_may_be_in_a_directory_that_only_root_can_enter() {
    only!(Full | Root);
    let lab = Lab::new();
    lab.payload();
    assert_eq!(report(&lab, &["-u", "1000", "-w", "/root"])["cwd"], "/root");
}

#[test]
fn a_user_is_a_name_or_exactly_that_number() {
    only!(Full | Root);
    let lab = Lab::new();
    lab.payload();
    let ids = |options: &[&str]| {
        let report = report(&lab, options);
        (report["uids"][1].clone(), report["gids"][1].clone(), report["groups"].clone(), report["env"]["HOME"].clone())
    };
    assert_eq!(ids(&["-u", "1234:5678"]), (json!(1234), json!(5678), json!([5678]), json!("/")));
    let named = ids(&["-u", "user"]);
    assert_eq!((named.0, named.1), (json!(1000), json!(1000)));
    assert_eq!(ids(&["-u", "1000:0", "--group-add", "44"]).2, json!([0, 44]));
    refused(run(&lab, &["-u", "nosuchuser"], &["report"]), "nosuchuser");
    for wrong in ["-1", "4294967296", "4294967295"] {
        refused(run(&lab, &["-u", wrong], &["report"]), "`--user`");
    }
}

#[test]
fn an_entry_point_hides_the_images_command() {
    let lab = Lab::new();
    lab.payload();
    load(&lab, json!({ "Entrypoint": ["/payload", "echo"], "Cmd": ["image"] }));
    let run = |options: &[&str], words: &[&str]| {
        lab.rc(["run", "--rm", "--network", "none"]).args(options).arg("configured").args(words).run()
    };
    run(&[], &[]).prints("image\n");
    run(&[], &["asked"]).prints("asked\n");
    run(&["--entrypoint", "/payload"], &["echo", "a b"]).prints("a b\n");
    run(&["--entrypoint", r#"["/payload","echo","json"]"#], &[]).prints("json\n");
    run(&["--entrypoint", ""], &["/payload", "echo", "bare"]).prints("bare\n");
    refused(run(&["--entrypoint", ""], &[]), "has no command");
}

#[test]
fn the_host_name_is_in_all_three_places() {
    let lab = Lab::new();
    lab.payload();
    let named = ["--hostname", "box.example"];
    assert_eq!(report(&lab, &named)["hostname"], "box.example");
    run(&lab, &named, &["read", "/etc/hostname"]).prints("box.example\n");
    let hosts = run(&lab, &named, &["read", "/etc/hosts"]).text();
    assert!(hosts.lines().any(|line| line.split_whitespace().any(|word| word == "box.example")), "{hosts}");
    refused(run(&lab, &["--hostname", "a\nb"], &["report"]), "`--hostname`");
}

#[test]
fn hosts_and_resolver_files_have_the_requested_entries() {
    let lab = Lab::new();
    lab.payload();
    let added = ["--add-host", "db:10.1.2.3", "--add-host", "six:fd00::1"];
    let hosts = run(&lab, &added, &["read", "/etc/hosts"]).text();
    for (address, name) in [("10.1.2.3", "db"), ("fd00::1", "six")] {
        let found = hosts.lines().any(|line| line.split_whitespace().collect::<Vec<_>>() == [address, name]);
        assert!(found, "{name}: {hosts}");
    }
    require!(program "slirp4netns");
    let words = ["--dns", "192.0.2.53", "--dns-search", "example.org", "--dns-option", "ndots:3"];
    let resolver = lab
        .rc(["run", "--rm", "--network", "slirp4netns"])
        .args(words)
        .args(["payload", "/payload", "read", "/etc/resolv.conf"])
        .run()
        .text();
    for line in ["nameserver 192.0.2.53", "search example.org", "options ndots:3"] {
        assert!(resolver.lines().any(|found| found == line), "{line}: {resolver}");
    }
    refused(run(&lab, &["--dns", "not-an-address"], &["report"]), "`--dns`");
}

#[test]
fn hosts_and_resolver_files_are_rewritten_at_each_start() {
    let lab = Lab::new();
    lab.payload();
    lab.rc(["create", "--name", "web", "--network", "none", "payload", "/payload", "read", "/etc/hosts"])
        .run()
        .succeeds();
    let first = lab.rc(["start", "-a", "web"]).run().text();
    assert!(first.contains("localhost"), "{first}");
    // Whatever the container, or the host's network, did to them.
    let directory =
        fs::read_dir(lab.store().join("containers")).expect("containers").next().expect("one").expect("read").path();
    fs::write(directory.join("hosts"), "10.0.0.1 old\n").expect("written");
    let unreadable = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    fs::set_permissions(directory.join("hosts"), unreadable).expect("its mode is changed");
    assert_eq!(lab.rc(["start", "-a", "web"]).run().text(), first);
    lab.remove_containers();
}

#[test]
fn a_network_is_the_containers_own_or_the_hosts() {
    let lab = Lab::new();
    lab.payload();
    let network = |mode: &str| {
        let line = ["run", "--rm", "--network", mode, "payload", "/payload", "report"];
        lab.rc(line).run().json()["namespaces"]["net"].clone()
    };
    let host = json!(fs::read_link("/proc/self/ns/net").unwrap().to_string_lossy());
    assert_ne!(network("none"), host);
    assert_eq!(network("host"), host);
    for (mode, reason) in
        [("bridge", "no bridge networks"), ("container:x", "cannot be joined"), ("backend", "neither none")]
    {
        refused(lab.rc(["run", "--rm", "--network", mode, "payload", "/payload", "report"]).run(), reason);
    }
}

#[test]
fn a_published_port_is_answered_from_inside() {
    let lab = Lab::new();
    lab.payload();
    for (mode, program) in [("slirp4netns", "slirp4netns"), ("pasta", "pasta")] {
        require!(program program);
        let line =
            ["run", "-d", "--name", mode, "--network", mode, "-p", "127.0.0.1::80", "payload", "/payload", "tcp", "80"];
        lab.rc(line).run().succeeds();
        let port = inspect(&lab, mode)["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"].clone();
        let address = format!("127.0.0.1:{}", port.as_str().expect("a host port"));
        crate::support::wait::until("the published port answers", || {
            let answer = lab.program(Lab::payload_path(), ["ask", "tcp", &address, "hello"]).run();
            (answer.stdout() == "hello\n" || answer.stdout() == "hello").then_some(())
        });
    }
    lab.remove_containers();
}

#[test]
fn a_directory_of_the_host_is_bound_and_read_only_when_asked() {
    let lab = Lab::new();
    lab.payload();
    fs::create_dir(lab.work("shared")).unwrap();
    fs::write(lab.work("shared/file"), "from the host\n").unwrap();
    run(&lab, &["-v", "./shared:/data"], &["read", "/data/file"]).prints("from the host\n");
    run(&lab, &["-v", "./shared:/data"], &["write", "/data/new", "from inside"]).says_nothing();
    assert_eq!(fs::read_to_string(lab.work("shared/new")).unwrap(), "from inside\n");
    assert_ne!(
        run(&lab, &["-v", "./shared:/data:ro"], &["write", "/data/no", "x"]).exit,
        crate::support::Exit::Code(0)
    );
    assert!(!lab.work("shared/no").exists());
    let report = report(&lab, &["-v", "./shared:/data:ro,noexec"]);
    let options = options(mount(&report, "/data"));
    for option in ["ro", "noexec", "nosuid", "nodev"] {
        assert!(options.contains(&option), "{option}: {options:?}");
    }
    refused(run(&lab, &["-v", "./missing:/data"], &["report"]), "missing");
    assert!(!lab.work("missing").exists(), "a missing source is not made");
    refused(run(&lab, &["-v", "a:b:c:d"], &["report"]), "`--volume`");
}

#[test]
fn mounts_below_a_read_only_bind_are_read_only_too() {
    let lab = Lab::new();
    lab.payload();
    // Mounts that hide a part of the host's tree are copied with it (mount_namespaces(7)), even without a request.
    for kind in ["/dev:/host:bind,ro", "/dev:/host:ro"] {
        let report = report(&lab, &["-v", kind]);
        let mounts = report["mounts"].as_array().expect("a list of mounts");
        let below: Vec<_> = mounts
            .iter()
            .filter(|mount| mount["path"].as_str().is_some_and(|path| path.starts_with("/host")))
            .collect();
        assert!(!below.is_empty() && below.iter().all(|mount| options(mount).contains(&"ro")), "{below:#?}");
    }
}

#[test]
fn the_caller_s_mask_is_not_the_container_s() {
    let lab = Lab::new();
    lab.payload();
    for mask in ["077", "0"] {
        let script = format!("umask {mask}; exec \"$@\"");
        let shell = lab.program("/bin/sh", ["-c", script.as_str(), "sh"]).arg(Lab::rc_path());
        let run = ["run", "--rm", "--network", "none", "-u", "1000:1000", "-w", "/made/here", "-v", "data:/deep/place"];
        let tree = shell
            .args(run)
            .args(["payload", "/payload", "tree", "/", "payload", "proc", "sys", "dev", "root"])
            .run()
            .text();
        for directory in ["made", "made/here", "deep", "deep/place"] {
            let expected = format!("./{directory} d 0755 ");
            assert!(tree.lines().any(|line| line.starts_with(&expected)), "umask {mask}, {directory}: {tree}");
        }
    }
}

#[test]
fn words_as_long_as_a_book_and_words_that_are_no_text_are_refused_in_a_line() {
    let lab = Lab::new();
    lab.payload();
    let long = "a".repeat(100_000);
    let short = |output: Output, code: i32, part: &str| {
        let output = output.exits(code);
        assert!(output.stderr.len() < 5000 && output.stderr().contains(part), "{output}");
    };
    let rc = || lab.rc(["run", "--rm", "--network", "none"]);
    short(rc().args(["payload", &long]).run(), 127, "not found in the container's PATH");
    short(rc().args(["payload", &format!("/{long}")]).run(), 126, "cannot run `/aaa");
    short(rc().args(["-u", &long, "payload", "/payload"]).run(), 125, "user `aaa");
    short(rc().args(["-w", &format!("/{long}"), "payload", "/payload"]).run(), 125, "file name too long");
    let echo = rc().args(["payload", "/payload", "echo", &long]).run();
    echo.prints(format!("{long}\n"));
    let script = "exec \"$@\" \"$(printf '\\377')\"";
    let no_text = lab.program("/bin/sh", ["-c", script, "sh"]).arg(Lab::rc_path());
    short(no_text.args(["run", "--rm", "payload", "/payload", "echo"]).run(), 125, "is not UTF-8");
}

#[test]
fn a_named_volume_outlives_its_container_and_an_anonymous_one_does_not() {
    let lab = Lab::new();
    lab.payload();
    run(&lab, &["-v", "kept:/data"], &["write", "/data/file", "kept"]).says_nothing();
    run(&lab, &["-v", "kept:/data"], &["read", "/data/file"]).prints("kept\n");
    run(&lab, &["-v", "/data"], &["write", "/data/file", "gone"]).says_nothing();
    crate::support::wait::until("the anonymous volume is removed", || {
        let volumes = fs::read_dir(lab.store().join("volumes")).expect("the directory of volumes").flatten();
        let names: Vec<_> = volumes.map(|entry| entry.file_name()).collect();
        (names == ["kept"]).then_some(())
    });
}

#[test]
fn a_new_volume_is_filled_with_the_image_s_files() {
    let lab = Lab::new();
    lab.payload();
    let passwd = run(&lab, &[], &["read", "/etc/passwd"]).text();
    assert_eq!(run(&lab, &["-v", "filled:/etc"], &["read", "/etc/passwd"]).text(), passwd);
    assert!(run(&lab, &["-v", "empty:/etc:nocopy"], &["read", "/etc/passwd"]).stdout().is_empty());
}

#[test]
fn a_volume_s_files_have_the_image_s_attributes_and_holes() {
    use std::os::unix::fs::MetadataExt as _;
    const SIZE: u64 = 8 << 30;
    let lab = Lab::new();
    let size = SIZE.to_string();
    let sparse =
        [("GNU.sparse.name", &b"data/big"[..]), ("GNU.sparse.size", size.as_bytes()), ("GNU.sparse.map", b"0,1")];
    let layer = Layer::new().directory("data", 0o755).extended([("SCHILY.xattr.user.note", &b"kept"[..])]);
    let layer = layer.file("data/small", 0o644, b"text").extended(sparse).file("data/x", 0o644, b"a");
    let archive = lab.work("image.tar");
    fs::write(&archive, Image::payload().layer(layer.bytes()).oci_archive("localhost/data:latest"))
        .expect("an archive");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
    let run = ["run", "--rm", "--network", "none", "-v", "filled:/data", "localhost/data", "/payload"];
    lab.rc(run).args(["read", "/data/small"]).run().prints("text");
    let directory = lab.store().join("volumes/filled/_data");
    let mut value = [0; 16];
    let length = rustix::fs::lgetxattr(directory.join("small"), "user.note", &mut value[..]).expect("an attribute");
    assert_eq!(&value[..length], b"kept");
    let big = fs::metadata(directory.join("big")).expect("a file");
    assert!(big.len() == SIZE && big.blocks() < 1024, "{} bytes in {} blocks", big.len(), big.blocks());
}

#[test]
fn a_new_volume_can_be_mounted_at_two_places() {
    let lab = Lab::new();
    lab.payload();
    let twice = ["-v", "data:/one", "-v", "data:/two"];
    run(&lab, &twice, &["write", "/one/file", "text"]).succeeds();
    run(&lab, &twice, &["read", "/two/file"]).prints("text\n");
    // Filled from the image at the mount point without `nocopy`.
    run(&lab, &["-v", "full:/one:nocopy", "-v", "full:/etc"], &["list", "/one"])
        .prints("group\nhostname\nhosts\npasswd\nresolv.conf\n");
}

#[test]
fn a_tmpfs_has_the_options_that_were_asked_for() {
    let lab = Lab::new();
    lab.payload();
    let report = report(&lab, &["--tmpfs", "/scratch:size=1m,mode=700,exec", "--tmpfs", "/plain"]);
    let scratch = mount(&report, "/scratch");
    assert_eq!(scratch["type"], "tmpfs");
    let inner = scratch["super"].as_str().unwrap();
    assert!(inner.contains("size=1024k") && inner.contains("mode=700"), "{inner}");
    assert!(!options(scratch).contains(&"noexec"));
    for option in ["noexec", "nosuid", "nodev"] {
        assert!(options(mount(&report, "/plain")).contains(&option), "{option}");
    }
}

#[test]
fn a_read_only_root_keeps_its_scratch_directories() {
    let lab = Lab::new();
    lab.payload();
    let fails =
        |options: &[&str], path: &str| run(&lab, options, &["write", path, "x"]).exit != crate::support::Exit::Code(0);
    assert!(fails(&["--read-only"], "/etc/new"));
    for path in ["/tmp/new", "/var/tmp/new", "/run/new", "/dev/shm/new"] {
        run(&lab, &["--read-only"], &["write", path, "x"]).says_nothing();
    }
    assert!(fails(&["--read-only", "--read-only-tmpfs=false"], "/tmp/new"));
}

#[test]
fn shared_memory_has_the_size_that_was_asked_for() {
    let lab = Lab::new();
    lab.payload();
    let size = |options: &[&str]| mount(&report(&lab, options), "/dev/shm")["super"].as_str().unwrap().to_owned();
    assert!(size(&[]).contains("size=65536k"), "{}", size(&[]));
    assert!(size(&["--shm-size", "1m"]).contains("size=1024k"));
}

#[test]
fn capabilities_are_the_default_ones_with_what_was_added_and_dropped() {
    let lab = Lab::new();
    lab.payload();
    let sets = |options: &[&str]| {
        let caps = report(&lab, options)["caps"].take();
        assert_eq!(
            (&caps["inh"], &caps["amb"]),
            (&json!("0000000000000000"), &json!("0000000000000000")),
            "{options:?}"
        );
        (caps["eff"].clone(), caps["prm"].clone(), caps["bnd"].clone())
    };
    let all_three = |mask: &str| (json!(mask), json!(mask), json!(mask));
    assert_eq!(sets(&[]), all_three(DEFAULT_CAPABILITIES));
    assert_eq!(sets(&["--cap-drop", "ALL"]), all_three("0000000000000000"));
    assert_eq!(sets(&["--cap-drop", "all", "--cap-add", "chown"]), all_three("0000000000000001"));
    assert_eq!(sets(&["--cap-drop", "CAP_CHOWN", "--cap-add", "NET_RAW"]), all_three("00000000800425fa"));
    refused(run(&lab, &["--cap-add", "SYS_ADMINN"], &["report"]), "SYS_ADMINN");
}

#[test]
fn security_options() {
    let lab = Lab::new();
    lab.payload();
    let state = |options: &[&str]| {
        let report = report(&lab, options);
        (report["no_new_privs"].clone(), report["seccomp"].clone())
    };
    assert_eq!(state(&[]), (json!("0"), json!("2")));
    assert_eq!(state(&["--security-opt", "no-new-privileges"]), (json!("1"), json!("2")));
    assert_eq!(state(&["--security-opt", "seccomp=unconfined"]), (json!("0"), json!("0")));
    refused(run(&lab, &["--security-opt", "label=disable"], &["report"]), "`--security-opt`");
}

#[test]
fn limits_are_set_in_the_container_s_cgroup() {
    let lab = Lab::new();
    lab.payload();
    let limits = ["--memory", "64m", "--cpus", "1.5", "--pids-limit", "33"];
    let read = |file: &str| run(&lab, &limits, &["read", file]);
    let first = read("/sys/fs/cgroup/memory.max");
    if first.exit == crate::support::Exit::Code(125) {
        // Without delegated controllers the limit is an error that names one (see `cgroups.rs`).
        assert!(first.stderr().contains("the controller `memory`"), "{}", first.stderr());
        return;
    }
    first.prints("67108864\n");
    read("/sys/fs/cgroup/cpu.max").prints("150000 100000\n");
    read("/sys/fs/cgroup/pids.max").prints("33\n");
}

#[test]
fn resource_limits_reach_the_program() {
    let lab = Lab::new();
    lab.payload();
    let report = report(&lab, &["--ulimit", "nofile=100:200", "--ulimit", "core=0"]);
    let lines: Vec<Vec<&str>> = report["limits"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap().split_whitespace().collect())
        .collect();
    assert!(lines.contains(&vec!["Max", "open", "files", "100", "200", "files"]), "{lines:?}");
    assert!(lines.contains(&vec!["Max", "core", "file", "size", "0", "0", "bytes"]), "{lines:?}");
}

#[test]
fn labels_are_the_images_and_the_callers() {
    let lab = Lab::new();
    lab.payload();
    load(&lab, json!({ "Labels": { "a": "image", "b": "image" } }));
    fs::write(lab.work("labels"), "c=file\n").unwrap();
    lab.rc(["create", "--name", "box", "-l", "b=asked", "--label-file", "labels", "configured", "/payload"])
        .run()
        .succeeds();
    assert_eq!(inspect(&lab, "box")["Config"]["Labels"], json!({ "a": "image", "b": "asked", "c": "file" }));
    lab.remove_containers();
}

#[test]
fn init_is_process_one_and_keeps_the_exit_code() {
    let lab = Lab::new();
    lab.payload();
    assert_eq!(report(&lab, &[])["pid"], 1);
    let report = report(&lab, &["--init"]);
    assert_ne!(report["pid"], 1);
    assert_eq!(report["ppid"], 1);
    run(&lab, &["--init"], &["exit", "7"]).fails(7, "");
    run(&lab, &["--init"], &["raise", "SIGTERM"]).fails(143, "");
    run(&lab, &["--init"], &["raise", "SIGKILL"]).fails(137, "");
}

#[test]
fn a_name_is_taken_once_unless_replaced() {
    let lab = Lab::new();
    lab.payload();
    let create = |options: &[&str]| {
        lab.rc(["create", "--name", "box"]).args(options).args(["payload", "/payload", "sleep"]).run()
    };
    let first = create(&[]).text();
    refused(create(&[]), "box");
    let second = create(&["--replace"]).text();
    assert_ne!(first, second);
    assert_eq!(inspect(&lab, "box")["Id"], json!(second));
    for wrong in ["", "..", "-rf", "a/b", "a\nb"] {
        refused(lab.rc(["create", "--name", wrong, "payload", "/payload"]).run(), "name");
    }
    lab.remove_containers();
}

#[test]
fn the_id_is_written_to_a_new_file() {
    let lab = Lab::new();
    lab.payload();
    let create = || lab.rc(["create", "--cidfile", "id", "payload", "/payload"]).run();
    let id = create().text();
    assert_eq!(fs::read_to_string(lab.work("id")).unwrap().trim_end(), id);
    refused(create(), "id");
    lab.remove_containers();
}

#[test]
fn stop_sends_the_signal_that_was_asked_for_and_waits_as_long() {
    let lab = Lab::new();
    lab.payload();
    let start = |name: &str, options: &[&str], words: &[&str]| {
        lab.rc(["run", "-d", "--network", "none", "--name", name])
            .args(options)
            .args(["payload", "/payload"])
            .args(words)
            .run()
            .succeeds();
        crate::support::wait::until("the program is ready", || {
            lab.rc(["logs", name]).run().stdout().starts_with("ready").then_some(())
        });
    };
    start("polite", &["--stop-signal", "USR1"], &["signals", "1"]);
    lab.rc(["stop", "polite"]).run().succeeds();
    let log = lab.rc(["logs", "polite"]).run().stdout();
    assert!(log.contains("USR1"), "{log}");
    start("stubborn", &["--stop-timeout", "0"], &["stubborn"]);
    lab.rc(["stop", "stubborn"]).run().succeeds();
    assert_eq!(inspect(&lab, "stubborn")["State"]["ExitCode"], 137);
    assert_eq!(inspect(&lab, "polite")["Config"]["StopSignal"], "SIGUSR1");
    lab.remove_containers();
}

#[test]
fn an_image_that_may_not_be_fetched_is_missing() {
    let lab = Lab::new();
    let line = ["run", "--rm", "--pull", "never", "localhost/nowhere:latest", "true"];
    refused(lab.rc(line).run(), "localhost/nowhere:latest");
    refused(lab.rc(["run", "--pull", "sometimes", "x"]).run(), "sometimes");
}

#[test]
fn standard_input_is_open_only_when_asked() {
    let lab = Lab::new();
    lab.payload();
    let cat = |options: &[&str]| {
        lab.rc(["run", "--rm", "--network", "none"])
            .args(options)
            .args(["payload", "/payload", "cat"])
            .input("typed")
            .run()
    };
    cat(&["-i"]).prints("typed");
    cat(&[]).prints("");
    assert_eq!(report(&lab, &["-i"])["tty"], false);
}

#[test]
fn a_terminal_is_the_programs_and_is_left_by_its_keys() {
    let lab = Lab::new();
    lab.payload();
    let line = [
        "run",
        "-it",
        "--network",
        "none",
        "--name",
        "box",
        "--detach-keys",
        "ctrl-x,x",
        "payload",
        "/payload",
        "report",
    ];
    let terminal = lab.rc(line).start_on_terminal(24, 80);
    let shown = terminal.wait().exits(0).stdout();
    let report: Value = serde_json::from_str(&shown).expect("a report");
    assert_eq!((&report["tty"], &report["env"]["TERM"]), (&json!(true), &json!("xterm")));
    let line = ["run", "-it", "--network", "none", "--detach-keys", "ctrl-x,x", "payload", "/payload", "sleep"];
    let mut terminal = lab.rc(line).start_on_terminal(24, 80);
    terminal.line("ready");
    terminal.send("\u{18}x");
    terminal.wait().succeeds();
    lab.remove_containers();
}

#[test]
fn a_detached_container_prints_its_id_and_is_removed_at_its_end() {
    let lab = Lab::new();
    lab.payload();
    let line = ["run", "-d", "--rm", "--network", "none", "payload", "/payload", "sleep"];
    let id = lab.rc(line).run().text();
    assert_eq!(id.len(), 64);
    lab.rc(["stop", &id]).run().succeeds();
    crate::support::wait::until("the container is removed", || (!lab.container(&id).exists()).then_some(()));
}

#[test]
fn exit_codes_are_exact() {
    let lab = Lab::new();
    lab.payload();
    run(&lab, &[], &["exit", "3"]).fails(3, "");
    run(&lab, &[], &["exit", "125"]).fails(125, "");
    let program = |path: &str| lab.rc(["run", "--rm", "--network", "none", "payload", path]).run();
    for (path, code) in [("/nowhere", 127), ("nowhere", 127), ("/etc/passwd", 126), ("/etc", 126)] {
        let output = program(path).exits(code);
        assert!(output.stdout.is_empty() && output.stderr().contains(path), "{output}");
    }
}

#[test]
fn a_signal_is_passed_on() {
    let lab = Lab::new();
    lab.payload();
    let line = ["run", "--rm", "--network", "none", "payload", "/payload", "signals", "2"];
    let running = lab.rc(line).start();
    running.line("ready");
    running.kill(Signal::USR1);
    running.line("USR1");
    running.kill(Signal::TERM);
    running.line("TERM");
    running.wait().succeeds();
}

#[test]
fn options_that_rc_has_not_are_refused() {
    let lab = Lab::new();
    for option in ["--privileged", "--mount=type=tmpfs,dst=/x", "--pid=host", "-P"] {
        let output = lab.rc(["run", "--rm", option, "payload", "true"]).run();
        refused(output, option.split('=').next().unwrap_or(option));
    }
}
