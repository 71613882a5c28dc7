//! Images with hostile configurations and files: the cases I9–I13 of safety.md, each test named by its number.

use std::fs;

use serde_json::{Value, json};

use crate::support::wait::PATIENCE;
use crate::support::{Image, Lab, Layer, Output, Set};

const RUN: [&str; 4] = ["run", "--rm", "--network", "none"];

/// Loads an image under the name `hostile`, in place of the previous one.
fn load(lab: &Lab, image: &Image) {
    let archive = lab.work("hostile.tar");
    fs::write(&archive, image.oci_archive("hostile:latest")).expect("an archive can be written");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
}

fn report(lab: &Lab, options: &[&str]) -> Value {
    lab.rc(RUN).args(options).args(["hostile", "/payload", "report"]).run().json()
}

/// Asserts that rc refused at once, in one line that contains `part`.
#[track_caller]
fn refused(output: Output, part: &str) {
    let output = output.exits(125).within(PATIENCE);
    let first = output.stderr().lines().next().unwrap_or_default().to_owned();
    assert!(first.contains(part) && !first.contains('\u{1b}'), "{output}expected one line with `{part}`");
    assert_eq!(output.stdout(), "");
}

#[test]
fn i9_labels_and_annotations_of_an_image_control_nothing() {
    let lab = Lab::new();
    let facts = |report: &Value| {
        let mounts: Vec<Value> = report["mounts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|mount| json!([mount["path"], mount["options"], mount["type"]]))
            .collect();
        json!([
            report["caps"],
            report["seccomp"],
            report["no_new_privs"],
            report["uid_map"],
            report["env"]["PATH"],
            mounts
        ])
    };
    load(&lab, &Image::payload());
    let plain = facts(&report(&lab, &[]));
    let labels: Value = [
        "io.podman.annotations.privileged",
        "io.podman.annotations.seccomp",
        "io.podman.annotations.userns",
        "io.podman.annotations.init",
        "io.podman.annotations.checkpoint",
        "io.container.manager",
        "run.oci.keep_original_groups",
        "run.oci.handler",
        "run.oci.systemd.force_cgroup_v1",
        "run.oci.hooks.stdout",
        "containerd.io/restart.status",
        "nerdctl/network-namespace",
        "nerdctl/mounts",
        "rc.privileged",
        "rc/privileged",
        "org.systemd.property.DeviceAllow",
        "security.selinux",
    ]
    .map(|name| (name, json!("TRUE")))
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect::<serde_json::Map<_, _>>()
    .into();
    load(&lab, &Image::payload().config(json!({ "Labels": labels })));
    assert_eq!(facts(&report(&lab, &[])), plain);
}

#[test]
fn i10_variables_without_a_value_take_none_from_the_host() {
    let lab = Lab::new();
    load(&lab, &Image::payload().config(json!({ "Env": ["SECRET", "SEC*", "GOOD=1"] })));
    let run = lab.rc(RUN).args(["hostile", "/payload", "report"]).env("SECRET", "hunter2").env("SECOND", "hunter2");
    let output = run.run();
    assert!(!output.stdout().contains("hunter2"), "{output}");
    if output.stdout().is_empty() {
        refused(output, "SEC");
    }
    // rc leaves out what it cannot pass on.
    load(&lab, &Image::payload().config(json!({ "Env": ["A=b\0c", "GOOD=1"] })));
    let env = report(&lab, &[])["env"].clone();
    assert_eq!((&env["A"], &env["GOOD"]), (&Value::Null, &json!("1")));
}

#[test]
fn i10_a_number_is_that_user_and_never_a_name() {
    let lab = Lab::new();
    let passwd = b"root:x:0:0:root:/root:/payload\n1000:x:0:0::/evil:/payload\n1:x:0:0::/evil:/payload\n";
    let layer = || Layer::new().directory("etc", 0o755).file("etc/passwd", 0o644, passwd).bytes();
    for user in ["4294967296", "4294967295", "-1", "0:-1", "99999999999999999999"] {
        load(&lab, &Image::payload().layer(layer()).config(json!({ "User": user })));
        refused(lab.rc(RUN).args(["hostile", "/payload", "exit", "0"]).run(), user);
        refused(lab.rc(RUN).args([&format!("--user={user}"), "hostile", "/payload", "exit", "0"]).run(), user);
    }
    only!(Full | Root);
    load(&lab, &Image::payload().layer(layer()).config(json!({ "User": "1000" })));
    let found = report(&lab, &[]);
    assert_eq!((&found["uids"][0], &found["env"]["HOME"]), (&json!(1000), &json!("/")));
    lab.rc(["run", "-d", "--network", "none", "--name", "box", "hostile", "/payload", "sleep"]).run().succeeds();
    let exec = lab.rc(["exec", "-u", "1", "box", "/payload", "report"]).run().json();
    assert_eq!(exec["uids"], json!([1, 1, 1, 1]));
    assert_eq!(exec["caps"]["eff"], "0000000000000000");
    lab.remove_containers();
}

#[test]
fn i11_special_files_in_etc_block_nobody() {
    let lab = Lab::new();
    let fifo = |layer: Layer, path| layer.entry(path, 0o644, tar::EntryType::Fifo, None, &[]);
    let outside = |layer: Layer, path| layer.symlink(path, "../../../../../../etc/passwd");
    for make in [&fifo as &dyn Fn(Layer, &'static str) -> Layer, &outside] {
        for path in ["etc/passwd", "etc/group"] {
            let layer = make(Layer::new().whiteout(path), path);
            load(&lab, &Image::payload().layer(layer.bytes()));
            let run = |user: &str| {
                lab.rc(RUN).args(["--user", user, "hostile", "/payload", "echo", "in"]).run().within(PATIENCE)
            };
            run("0:0").prints("in\n");
            if path == "etc/passwd" {
                refused(run("user"), "etc/passwd");
            } else {
                refused(run("0:extra"), "etc/group");
            }
        }
    }
    // The kernel's files are regular, and describe the process that reads them.
    let shown = Layer::new().whiteout("etc/passwd").symlink("etc/passwd", "/proc/self/status");
    load(&lab, &Image::payload().layer(shown.bytes()));
    // With one ID the user is looked up before /proc exists, to which the link could lead.
    let said = if Set::current() == Set::One { "user `user` not found" } else { "not a regular file" };
    refused(lab.rc(RUN).args(["--user", "user", "hostile", "/payload", "echo", "in"]).run(), said);
    for path in ["etc/hosts", "etc/hostname", "etc/resolv.conf"] {
        load(&lab, &Image::payload().layer(fifo(Layer::new(), path).bytes()));
        let output = lab.rc(RUN).args(["hostile", "/payload", "echo", "in"]).run().within(PATIENCE);
        if output.stdout().is_empty() { refused(output, path) } else { output.prints("in\n") }
    }
}

#[test]
fn i12_the_working_directory_is_inside_the_root() {
    let lab = Lab::new();
    let canary = lab.work("canary");
    fs::create_dir(&canary).expect("a directory can be made");
    let target = canary.join("made").to_str().expect("the lab's paths are text").to_owned();
    let layer = || Layer::new().symlink("link", &target).symlink("up", "../../../..").bytes();
    for (directory, expected) in
        [("/../../work", Some("/work")), ("/up", Some("/")), ("/new/directory", Some("/new/directory"))]
    {
        load(&lab, &Image::payload().layer(layer()).config(json!({ "WorkingDir": directory })));
        assert_eq!(report(&lab, &[])["cwd"].as_str(), expected, "{directory}");
    }
    // A directory that exists only on the host: created below the root, or refused.
    for directory in ["/link", "/link/deeper", "/proc/self/fd/7", "/proc/self/fd/7/.."] {
        load(&lab, &Image::payload().layer(layer()).config(json!({ "WorkingDir": directory })));
        let output = lab.rc(RUN).args(["hostile", "/payload", "report"]).run();
        if output.stdout().is_empty() {
            refused(output, directory);
        } else {
            assert!(output.json()["cwd"].as_str().unwrap().starts_with('/'), "{directory}");
        }
        assert_eq!(fs::read_dir(&canary).unwrap().count(), 0, "{directory}");
    }
}

#[test]
fn i13_volumes_hide_nothing_that_confines() {
    let lab = Lab::new();
    for path in ["/", "/proc", "/sys", "/dev", "/..", "//proc/"] {
        load(&lab, &Image::payload().config(json!({ "Volumes": { path: {} } })));
        refused(lab.rc(RUN).args(["hostile", "/payload", "exit", "0"]).run(), path.trim_end_matches('/'));
    }
    let canary = lab.work("canary");
    fs::create_dir(&canary).expect("a directory can be made");
    let target = canary.join("made").to_str().expect("the lab's paths are text").to_owned();
    for path in ["/../../inside", "/link"] {
        let image = Image::payload().layer(Layer::new().symlink("link", &target).bytes());
        load(&lab, &image.config(json!({ "Volumes": { path: {} } })));
        let output = lab.rc(RUN).args(["hostile", "/payload", "echo", "in"]).run();
        if output.stdout().is_empty() {
            refused(output, path)
        } else {
            output.prints("in\n")
        }
        assert_eq!(fs::read_dir(&canary).unwrap().count(), 0, "{path}");
    }
}

/// A mount there would hide files of the kernel, and a volume would be filled with them: `/proc/1/fd` shows host paths.
#[test]
fn i13_links_into_kernel_filesystems_are_refused_as_mount_points() {
    let lab = Lab::new();
    let source = lab.work("source");
    fs::create_dir(&source).expect("a directory can be made");
    fs::write(source.join("file"), "of the host").expect("a file can be written");
    let text = |path: std::path::PathBuf| path.to_str().expect("the lab's paths are text").to_owned();
    let (directory, file) = (text(source.clone()), text(source.join("file")));
    let directories = [
        "/proc",
        "/proc/1/fd",
        "/proc/self/ns",
        "/proc/new",
        "/sys",
        "/sys/kernel",
        "/sys/fs/cgroup",
        "/sys/fs/cgroup/new",
        "/dev/pts",
        "/dev/mqueue",
        "/dev/mqueue/new",
        "/dev",
        "/",
    ];
    for target in directories {
        let layer = || Layer::new().directory("a", 0o755).symlink("a/leak", target).bytes();
        load(&lab, &Image::payload().layer(layer()).config(json!({ "Volumes": { "/a/leak": {} } })));
        refused(lab.rc(RUN).args(["hostile", "/payload", "exit", "0"]).run(), "/a/leak");
        load(&lab, &Image::payload().layer(layer()));
        for option in [["-v", "named:/a/leak"], ["-v", &format!("{directory}:/a/leak")], ["--tmpfs", "/a/leak"]] {
            refused(lab.rc(RUN).args(option).args(["hostile", "/payload", "exit", "0"]).run(), "/a/leak");
        }
    }
    for target in ["/proc/sys/kernel/domainname", "/proc/1/environ", "/proc/new", "/dev/mqueue/new", "/dev/pts/ptmx"] {
        load(&lab, &Image::payload().layer(Layer::new().symlink("leak", target).bytes()));
        let option = format!("{file}:/leak");
        refused(lab.rc(RUN).args(["-v", &option, "hostile", "/payload", "exit", "0"]).run(), "/leak");
    }
    // Nothing is created there either.
    for target in ["/dev/mqueue", "/sys/fs/cgroup", "/proc/1"] {
        load(&lab, &Image::payload().layer(Layer::new().symlink("leak", target).bytes()));
        refused(lab.rc(RUN).args(["-w", "/leak/new", "hostile", "/payload", "exit", "0"]).run(), "/leak/new");
    }
    assert_eq!(fs::read_dir(&source).unwrap().count(), 1);
}

/// If the whole host is mounted in a directory, the host's own /proc is below it.
#[test]
fn i13_a_link_of_an_image_does_not_lead_below_a_mount_of_the_user() {
    let lab = Lab::new();
    let image = || Image::payload().layer(Layer::new().symlink("leak", "/host/proc/self/fd").bytes());
    for volume in ["/leak", "/host/proc/self/fd"] {
        load(&lab, &image().config(json!({ "Volumes": { volume: {} } })));
        refused(lab.rc(RUN).args(["-v", "/:/host:ro", "hostile", "/payload", "exit", "0"]).run(), volume);
    }
}

#[test]
fn i13_links_to_files_and_plain_names_are_mount_points() {
    let lab = Lab::new();
    let source = lab.work("source");
    fs::create_dir(&source).expect("a directory can be made");
    fs::write(source.join("file"), "of the host\n").expect("a file can be written");
    let source = source.to_str().expect("the lab's paths are text");
    let layer = Layer::new()
        .directory("run", 0o755)
        .directory("var", 0o755)
        .symlink("var/run", "/run")
        .symlink("shm", "/dev/shm");
    load(&lab, &Image::payload().layer(layer.bytes()).config(json!({ "Volumes": { "/var/run/data": {} } })));
    let read =
        |options: &[&str], path: &str| lab.rc(RUN).args(options).args(["hostile", "/payload", "read", path]).run();
    let file = |place: &str| format!("{source}/file:{place}");
    read(&["-v", &file("/proc/cpuinfo")], "/proc/cpuinfo").prints("of the host\n");
    read(&["-v", &file("/var/run/new/file")], "/run/new/file").prints("of the host\n");
    read(&["--tmpfs", "/run", "-v", &file("/var/run/new/file")], "/run/new/file").prints("of the host\n");
    read(&["-v", &file("/shm/file")], "/dev/shm/file").prints("of the host\n");
    read(&["-v", "/:/host:ro", "-v", &format!("{source}:/host/mnt")], "/host/mnt/file").prints("of the host\n");
    // Monitoring agents are started like this: a mount over all of the host's /proc hides no part of it.
    let whole = ["-v", "/:/host:ro", "-v", "/proc:/host/proc:ro", "-v", "/sys:/host/sys:ro"];
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("there");
    read(&whole, "/host/proc/sys/kernel/random/boot_id").prints(boot);
    read(&["-v", "/:/host:ro", "-v", &format!("{source}:/host/proc")], "/host/proc/file").prints("of the host\n");
}

#[test]
fn i13_a_volume_is_filled_from_the_image_and_not_from_a_mount() {
    let lab = Lab::new();
    let source = lab.work("source");
    fs::create_dir(&source).expect("a directory can be made");
    fs::write(source.join("secret"), "of the host").expect("a file can be written");
    let layer =
        Layer::new().directory("a", 0o755).file("a/own", 0o644, b"").directory("b", 0o755).directory("b/c", 0o755);
    load(&lab, &Image::payload().layer(layer.symlink("b/c/d", "/a").bytes()));
    let mount = format!("{}:/a/host", source.display());
    lab.rc(RUN).args(["-v", &mount, "-v", "new:/b/c/d", "hostile", "/payload", "list", "/b/c/d"]).run().prints("own\n");
}
