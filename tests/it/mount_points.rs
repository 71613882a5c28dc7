//! Places of mounts that an image leaves open: links that lead nowhere, and directories that hold files.

use std::fs;

use crate::support::{Image, Lab, Layer, Output};

/// Loads the payload with this layer, as `localhost/box`.
fn load(lab: &Lab, layer: Layer) {
    let archive = lab.work("box.tar");
    fs::write(&archive, Image::payload().layer(layer.bytes()).oci_archive("localhost/box:latest"))
        .expect("an archive can be written");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
}

/// `rc run --rm --network none OPTIONS box /payload WORDS`.
fn run(lab: &Lab, options: &[&str], words: &[&str]) -> Output {
    lab.rc(["run", "--rm", "--network", "none"]).args(options).args(["box", "/payload"]).args(words).run()
}

/// systemd-resolved, debootstrap and cloud images have `/etc/resolv.conf` as such a link.
#[test]
fn a_mount_is_created_where_a_link_leads_that_leads_nowhere() {
    let lab = Lab::new();
    let layer = Layer::new()
        .directory("etc", 0o755)
        .symlink("etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
        .symlink("etc/hosts", "/nowhere/hosts")
        .symlink("etc/hostname", "first")
        .symlink("etc/first", "/etc/second")
        .symlink("data", "missing/data")
        .symlink("conf", "/target/conf")
        .symlink("cache", "/var/cache/box")
        .symlink("work", "home/new")
        .symlink("up", "../../../../outside")
        .symlink("loop", "loop");
    load(&lab, layer);
    let source = lab.work("source");
    fs::create_dir(&source).expect("a directory can be created");
    fs::write(source.join("file"), "of the host\n").expect("a file can be written");
    let source = source.to_str().expect("the lab's paths are text");
    let file = |place: &str| format!("{source}/file:{place}");
    let directory = |place: &str| format!("{source}:{place}");

    let hosts = run(&lab, &["-h", "web"], &["read", "/nowhere/hosts"]).text();
    assert!(hosts.contains("web"), "{hosts}");
    run(&lab, &["-h", "web"], &["read", "/etc/second"]).prints("web\n");
    let resolver = run(&lab, &["--read-only"], &["read", "/run/systemd/resolve/stub-resolv.conf"]);
    assert_eq!(resolver.exits(0).stderr(), "");
    run(&lab, &["-v", &file("/conf")], &["read", "/target/conf"]).prints("of the host\n");
    run(&lab, &["-v", &directory("/data")], &["read", "/missing/data/file"]).prints("of the host\n");
    run(&lab, &["-v", &directory("/data/below")], &["read", "/missing/data/below/file"]).prints("of the host\n");
    run(&lab, &["-v", &directory("/up")], &["read", "/outside/file"]).prints("of the host\n");
    run(&lab, &["--tmpfs", "/cache"], &["list", "/var/cache/box"]).prints("");
    run(&lab, &["-w", "/work"], &["list", "/home"]).prints("new\n");
    let refused = run(&lab, &["--tmpfs", "/loop"], &["exit", "0"]).exits(125);
    assert!(refused.stderr().contains("/loop"), "{refused}");
}

/// Links of an image must not make rc create files on the kernel's filesystems.
#[test]
fn a_link_that_leads_nowhere_does_not_reach_the_kernels_filesystems() {
    let lab = Lab::new();
    let source = lab.work("source");
    fs::write(&source, "").expect("a file can be written");
    for target in ["/dev/mqueue/new", "/sys/fs/cgroup/new", "/proc/new", "/dev/mqueue/new/below"] {
        load(&lab, Layer::new().symlink("leak", target));
        let file = format!("{}:/leak", source.display());
        for options in [["-v", &file], ["-v", "named:/leak"], ["--tmpfs", "/leak"], ["-w", "/leak"]] {
            let refused = run(&lab, &options, &["exit", "0"]).exits(125);
            assert!(refused.stderr().contains("/leak"), "{target}: {refused}");
        }
    }
}

/// With `--read-only` they stay writable, and keep what the image has there. Source: podman-run(1),
/// `--read-only-tmpfs`.
#[test]
fn directories_that_stay_writable_keep_the_files_of_the_image() {
    let lab = Lab::new();
    let layer = Layer::new()
        .directory("run", 0o755)
        .directory("run/app", 0o750)
        .file("run/app/socket-directory", 0o644, b"here\n")
        .directory("var", 0o755)
        .directory("var/tmp", 0o1777)
        .file("var/tmp/left", 0o644, b"left\n");
    load(&lab, layer);
    run(&lab, &["--read-only"], &["read", "/run/app/socket-directory"]).prints("here\n");
    run(&lab, &["--read-only"], &["read", "/var/tmp/left"]).prints("left\n");
    run(&lab, &["--tmpfs", "/var/tmp"], &["list", "/var/tmp"]).prints("");
    run(&lab, &["--tmpfs", "/var/tmp:tmpcopyup"], &["list", "/var/tmp"]).prints("left\n");
}

/// They lie in a layer of rc's own, below the image: a start need not make them, and a removal need not remove them.
#[test]
fn the_usual_mount_points_take_no_place_in_the_writable_layer() {
    let lab = Lab::new();
    load(&lab, Layer::new().directory("srv", 0o755));
    let made = |path: &[&str], options: &[&str]| {
        let words = ["run", "--name", "web", "--network", "none"];
        lab.rc(words).args(options).args(["box", "/payload", "read"]).args(path).run().succeeds();
        let id = lab.rc(["inspect", "-f", "{{.Id}}", "web"]).run().text();
        let upper = lab.container(id.trim_end()).join("upper");
        let mut names: Vec<_> =
            fs::read_dir(upper).expect("it can be listed").flatten().map(|it| it.file_name()).collect();
        names.sort();
        lab.rc(["rm", "web"]).run().succeeds();
        names
    };
    assert_eq!(made(&["/etc/hosts"], &[]), [""; 0]);
    assert_eq!(made(&["/run/.containerenv"], &[]), [""; 0]);
    // Others are made, and those that the image hides.
    assert_eq!(made(&["/etc/hosts"], &["--tmpfs", "/scratch"]), ["scratch"]);
    load(&lab, Layer::new().directory("etc", 0o755).opaque("etc").directory("run", 0o755));
    assert_eq!(made(&["/etc/hosts"], &[]), ["etc"]);
}
