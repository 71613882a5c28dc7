//! `--mount` of images, patterns and the kernel's filesystems, and overlays on volumes (`:O`).

use std::fs;

use crate::support::{Lab, run};

/// The lines of `/proc/mounts` whose mount point is `/m`, or below.
fn mounted(lab: &Lab, options: &[&str]) -> String {
    let text = run(lab, options, &["read", "/proc/self/mounts"]).text();
    text.lines().filter(|line| line.contains(" /m")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn an_overlay_takes_what_is_written_and_each_start_begins_anew() {
    only!(Full | Root);
    let lab = Lab::with_payload();
    let source = lab.work("source");
    fs::create_dir(&source).expect("a directory");
    fs::write(source.join("file"), "of the host\n").expect("a file");
    let volume = format!("{}:/m:O", source.display());
    let create = ["create", "--name", "c", "--network", "none", "-v", &volume, "payload", "/payload", "hang"];
    lab.rc(create).run().succeeds();
    lab.rc(["start", "c"]).run().succeeds();
    lab.rc(["exec", "c", "/payload", "write", "/m/file", "changed"]).run().says_nothing();
    lab.rc(["exec", "c", "/payload", "read", "/m/file"]).run().prints("changed\n");
    assert_eq!(fs::read_to_string(source.join("file")).expect("a file"), "of the host\n");
    lab.rc(["restart", "-t", "0", "c"]).run().succeeds();
    lab.rc(["exec", "c", "/payload", "read", "/m/file"]).run().prints("of the host\n");
    lab.rc(["rm", "-f", "-t", "0", "c"]).run().succeeds();
    // A named volume, too.
    run(&lab, &["-v", "data:/m"], &["write", "/m/kept", "first"]).says_nothing();
    run(&lab, &["-v", "data:/m:O"], &["write", "/m/kept", "second"]).says_nothing();
    run(&lab, &["-v", "data:/m:O,ro"], &["read", "/m/kept"]).prints("first\n");
}

#[test]
fn directories_of_the_user_s_keep_what_is_written_to_an_overlay() {
    only!(Full | Root);
    let lab = Lab::with_payload();
    let path = |name: &str| {
        let path = lab.work(name);
        fs::create_dir(&path).expect("a directory");
        path.display().to_string()
    };
    // The kernel's words for options have commas and colons in them.
    let (source, upper, work) = (path("source"), path("upper"), path("work"));
    let volume = format!("{source}:/m:O,upperdir={upper},workdir={work}");
    run(&lab, &["-v", &volume], &["write", "/m/file", "kept"]).says_nothing();
    run(&lab, &["-v", &volume], &["read", "/m/file"]).prints("kept\n");
    assert_eq!(fs::read_to_string(lab.work("upper").join("file")).expect("a file"), "kept\n");
    for (options, words) in
        [("upperdir=/a", "add `O`"), ("O,upperdir=/a", "are given together"), ("O,nocopy", "contradict each other")]
    {
        let output = run(&lab, &["-v", &format!("{source}:/m:{options}")], &["exit", "0"]).exits(125);
        assert!(output.stderr().contains(words), "{options}: {output}");
    }
}

#[test]
fn ids_of_the_container_s_own_see_an_overlay_and_an_image() {
    only!(Full);
    let lab = Lab::with_payload();
    let source = lab.work("source");
    fs::create_dir(&source).expect("a directory");
    fs::write(source.join("file"), "of the host\n").expect("a file");
    let volume = format!("{}:/o:O", source.display());
    for mode in ["keep-id", "nomap"] {
        let options = ["--userns", mode, "-v", &volume, "--mount", "type=image,src=payload,dst=/m"];
        run(&lab, &options, &["read", "/o/file"]).prints("of the host\n");
        assert!(run(&lab, &options, &["read", "/m/etc/passwd"]).text().contains("root"), "{mode}");
    }
}

#[test]
fn an_image_is_mounted_to_be_read_or_with_a_layer_that_is_new_at_each_start() {
    only!(Full | Root);
    let lab = Lab::with_payload();
    lab.rc(["tag", "payload", "other"]).run().succeeds();
    let image = |more: &str| format!("type=image,src=other,dst=/m{more}");
    assert!(run(&lab, &["--mount", &image("")], &["read", "/m/etc/passwd"]).text().contains("root"));
    let output = run(&lab, &["--mount", &image("")], &["write", "/m/new", "x"]).exits(99);
    assert!(output.stderr().contains("Read-only"), "{output}");
    let mount = image(",rw=true");
    let create = ["create", "--name", "c", "--network", "none", "--mount", &mount, "payload", "/payload", "list", "/m"];
    lab.rc(create).run().succeeds();
    for _ in 0..2 {
        assert!(lab.rc(["start", "-a", "c"]).run().text().contains("payload"));
    }
    run(&lab, &["--mount", &mount], &["write", "/m/new", "x"]).says_nothing();
    assert!(run(&lab, &["--mount", &image(",subpath=etc")], &["read", "/m/passwd"]).text().contains("root"));
    let output = run(&lab, &["--pull", "never", "--mount", "type=image,src=ghost,dst=/m"], &["exit", "0"]).exits(125);
    assert!(output.stderr().contains("ghost"), "{output}");
    // The container needs the image.
    lab.rc(["rmi", "payload"]).run().succeeds();
    assert!(lab.rc(["rmi", "other"]).run().exits(2).stderr().contains("`c`"));
    lab.rc(["rm", "c"]).run().succeeds();
}

#[test]
fn the_kernel_s_filesystems_have_the_options_that_were_asked_for() {
    let lab = Lab::with_payload();
    let ramfs = mounted(&lab, &["--mount", "type=ramfs,dst=/m,tmpfs-mode=700,exec"]);
    assert!(ramfs.contains(" /m ramfs rw,nosuid,nodev,relatime,") && ramfs.contains("mode=700"), "{ramfs}");
    let devpts = mounted(&lab, &["--mount", "type=devpts,dst=/m,mode=600,max=7"]);
    assert!(devpts.contains(" /m devpts rw,nosuid,noexec,") && devpts.contains("max=7"), "{devpts}");
    assert!(devpts.contains("mode=600"), "{devpts}");
    let output = run(&lab, &["--mount", "type=ramfs,dst=/m,tmpfs-size=1m"], &["exit", "0"]).exits(125);
    assert!(output.stderr().contains("a ramfs has no limit of its size"), "{output}");
    // With its options a volume is made by the mount.
    let volume = "type=volume,src=v,dst=/m,volume-label=a=b,volume-opt=type=tmpfs,\"volume-opt=o=size=4096\"";
    let tmpfs = mounted(&lab, &["--mount", volume]);
    assert!(tmpfs.contains("size=4k"), "{tmpfs}");
    lab.rc(["volume", "inspect", "-f", "{{.Labels.a}} {{.Options.type}}", "v"]).run().prints("b tmpfs\n");
}

#[test]
fn a_pattern_mounts_each_file_and_a_link_can_be_copied() {
    let lab = Lab::with_payload();
    let source = lab.work("source");
    fs::create_dir(&source).expect("a directory");
    for name in ["a.so", "b.so", "c.txt"] {
        fs::write(source.join(name), format!("{name}\n")).expect("a file");
    }
    std::os::unix::fs::symlink("b.so", source.join("link")).expect("a link");
    let pattern = format!("type=glob,src={}/*.so,ro", source.display());
    let places = mounted(&lab, &["--mount", &format!("{pattern},dst=/m")]);
    assert!(places.contains(" /m/a.so ") && places.contains(" /m/b.so ") && !places.contains("c.txt"), "{places}");
    let same = source.join("a.so").display().to_string();
    run(&lab, &["--mount", &pattern], &["read", &same]).prints("a.so\n");
    let none = format!("type=glob,src={}/*.none", source.display());
    assert!(run(&lab, &["--mount", &none], &["exit", "0"]).exits(125).stderr().contains("no file of the host matches"));
    let link = format!("type=bind,src={}/link,dst=/m/link,no-dereference", source.display());
    let whole = format!("{}:/m", source.join("b.so").display()).replace("/m", "/m/b.so");
    run(&lab, &["-v", &whole, "--mount", &link], &["read", "/m/link"]).prints("b.so\n");
}
