//! Volumes, and what else is mounted.

use std::fs;

use serde_json::Value;

use super::{refused, report, run};
use crate::support::{Exit, Image, Lab, Layer, wait};

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

#[test]
fn a_directory_of_the_host_is_bound_and_read_only_when_asked() {
    let lab = Lab::with_payload();
    fs::create_dir(lab.work("shared")).unwrap();
    fs::write(lab.work("shared/file"), "from the host\n").unwrap();
    run(&lab, &["-v", "./shared:/data"], &["read", "/data/file"]).prints("from the host\n");
    run(&lab, &["-v", "./shared:/data"], &["write", "/data/new", "from inside"]).says_nothing();
    assert_eq!(fs::read_to_string(lab.work("shared/new")).unwrap(), "from inside\n");
    assert_ne!(run(&lab, &["-v", "./shared:/data:ro"], &["write", "/data/no", "x"]).exit, Exit::Code(0));
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
    let lab = Lab::with_payload();
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
    let lab = Lab::with_payload();
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
fn a_named_volume_outlives_its_container_and_an_anonymous_one_does_not() {
    let lab = Lab::with_payload();
    run(&lab, &["-v", "kept:/data"], &["write", "/data/file", "kept"]).says_nothing();
    run(&lab, &["-v", "kept:/data"], &["read", "/data/file"]).prints("kept\n");
    run(&lab, &["-v", "/data"], &["write", "/data/file", "gone"]).says_nothing();
    wait::until("the anonymous volume is removed", || {
        let volumes = fs::read_dir(lab.store().join("volumes")).expect("the directory of volumes").flatten();
        let names: Vec<_> = volumes.map(|entry| entry.file_name()).collect();
        (names == ["kept"]).then_some(())
    });
}

#[test]
fn a_new_volume_is_filled_with_the_image_s_files() {
    let lab = Lab::with_payload();
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
    let lab = Lab::with_payload();
    let twice = ["-v", "data:/one", "-v", "data:/two"];
    run(&lab, &twice, &["write", "/one/file", "text"]).succeeds();
    run(&lab, &twice, &["read", "/two/file"]).prints("text\n");
    // Filled from the image at the mount point without `nocopy`.
    run(&lab, &["-v", "full:/one:nocopy", "-v", "full:/etc"], &["list", "/one"])
        .prints("group\nhostname\nhosts\npasswd\nresolv.conf\n");
}

#[test]
fn a_tmpfs_has_the_options_that_were_asked_for() {
    let lab = Lab::with_payload();
    let report = report(
        &lab,
        &["--tmpfs", "/scratch:size=1m,mode=700,exec", "--tmpfs", "/plain", "--tmpfs", "/var/run:rw,noexec,nosuid"],
    );
    let scratch = mount(&report, "/scratch");
    assert_eq!(scratch["type"], "tmpfs");
    let inner = scratch["super"].as_str().unwrap();
    assert!(inner.contains("size=1024k") && inner.contains("mode=700"), "{inner}");
    assert!(!options(scratch).contains(&"noexec"));
    for (path, option) in ["/plain", "/var/run"]
        .into_iter()
        .flat_map(|path| ["rw", "noexec", "nosuid", "nodev"].map(|option| (path, option)))
    {
        assert!(options(mount(&report, path)).contains(&option), "{path}: {option}");
    }
}

#[test]
fn a_read_only_root_keeps_its_scratch_directories() {
    let lab = Lab::with_payload();
    let fails = |options: &[&str], path: &str| run(&lab, options, &["write", path, "x"]).exit != Exit::Code(0);
    assert!(fails(&["--read-only"], "/etc/new"));
    for path in ["/tmp/new", "/var/tmp/new", "/run/new", "/dev/shm/new"] {
        run(&lab, &["--read-only"], &["write", path, "x"]).says_nothing();
    }
    assert!(fails(&["--read-only", "--read-only-tmpfs=false"], "/tmp/new"));
}

#[test]
fn shared_memory_has_the_size_that_was_asked_for() {
    let lab = Lab::with_payload();
    let size = |options: &[&str]| mount(&report(&lab, options), "/dev/shm")["super"].as_str().unwrap().to_owned();
    assert!(size(&[]).contains("size=65536k"), "{}", size(&[]));
    assert!(size(&["--shm-size", "1m"]).contains("size=1024k"));
}

#[test]
fn a_mount_is_described_by_keys_as_well() {
    let lab = Lab::with_payload();
    fs::create_dir(lab.work("with, comma")).unwrap();
    fs::write(lab.work("with, comma/file"), "from the host\n").unwrap();
    let bind = "\"type=bind\",\"src=./with, comma\",dst=/data,readonly";
    run(&lab, &["--mount", bind], &["read", "/data/file"]).prints("from the host\n");
    assert_ne!(run(&lab, &["--mount", bind], &["write", "/data/new", "x"]).exit, Exit::Code(0));
    let volume = "type=volume,src=kept,dst=/data";
    run(&lab, &["--mount", volume], &["write", "/data/file", "kept"]).says_nothing();
    run(&lab, &["-v", "kept:/data"], &["read", "/data/file"]).prints("kept\n");
    let anonymous = ["--mount", "dst=/data,ro"];
    assert_ne!(run(&lab, &anonymous, &["write", "/data/file", "x"]).exit, Exit::Code(0));
    let report = report(&lab, &["--mount", "type=tmpfs,dst=/scratch,tmpfs-size=1m,tmpfs-mode=700"]);
    let inner = mount(&report, "/scratch")["super"].as_str().unwrap().to_owned();
    assert!(inner.contains("size=1024k") && inner.contains("mode=700"), "{inner}");
    for (text, reason) in [
        ("type=image,dst=/y", "needs one (`src=IMAGE`)"),
        ("type=ramfs,dst=/y,tmpfs-size=1m", "use `type=tmpfs`"),
        ("type=bind,src=/tmp,dst=/y,idmap", "an ID map of its own"),
        ("type=bind,src=/tmp,dst=/y,colour=red", "unknown key `colour`"),
        ("type=bind,src=missing,dst=/y", "missing"),
    ] {
        refused(run(&lab, &["--mount", text], &["report"]), reason);
    }
    assert!(!lab.work("missing").exists());
}
