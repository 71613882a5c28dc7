//! Volumes of other containers, parts of sources, and their owners.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

use serde_json::json;

use crate::support::{Image, Lab, run};

fn create(lab: &Lab, options: &[&str]) {
    lab.rc(["create", "--network", "none"]).args(options).args(["payload", "/payload", "sleep"]).run().succeeds();
}

#[test]
fn volumes_and_binds_of_other_containers_are_mounted() {
    let lab = Lab::with_payload();
    let shared = lab.work("shared");
    fs::create_dir(&shared).expect("a directory can be created");
    let bind = format!("{}:/shared", shared.display());
    create(&lab, &["--name", "web", "-v", "db:/db", "-v", &bind, "-v", "/own"]);
    for path in ["/db/a", "/shared/b", "/own/c"] {
        run(&lab, &["--volumes-from", "web"], &["write", path, "x"]).succeeds();
    }
    assert!(shared.join("b").exists());
    run(&lab, &["--volumes-from", "web:ro"], &["read", "/own/c"]).prints("x\n");
    drop(run(&lab, &["--volumes-from", "web:ro"], &["write", "/db/a", "x"]).exits(99));
    // What is asked for by itself is there instead.
    run(&lab, &["--volumes-from", "web", "--tmpfs", "/db"], &["list", "/db"]).prints("");
    let refused = run(&lab, &["--volumes-from", "gone"], &["exit", "0"]).exits(125);
    assert!(refused.stderr().contains("no such container"), "{refused}");
    create(&lab, &["--name", "side", "--volumes-from", "web:ro"]);
    let inspected = lab.rc(["inspect", "side"]).run().json()[0].take();
    assert_eq!(inspected["HostConfig"]["VolumesFrom"], json!(["web:ro"]));
    lab.remove_containers();
    lab.rc(["volume", "prune", "-f", "-a"]).run().exits(0).stderr();
}

#[test]
fn a_part_of_a_source_never_leads_out_of_it() {
    let lab = Lab::with_payload();
    let source = lab.work("source");
    fs::create_dir_all(source.join("a/b")).expect("directories can be created");
    fs::write(source.join("a/b/file"), "content\n").expect("a file can be written");
    symlink("a/b", source.join("inside")).expect("a link");
    symlink("/etc", source.join("outside")).expect("a link");
    symlink("../../../../../../etc", source.join("up")).expect("a link");
    let mount = |path: &str| format!("type=bind,src={},dst=/part,subpath={path}", source.display());
    run(&lab, &["--mount", &mount("a/b")], &["list", "/part"]).prints("file\n");
    run(&lab, &["--mount", &mount("inside")], &["read", "/part/file"]).prints("content\n");
    run(&lab, &["--mount", &mount("a/b/file")], &["read", "/part"]).prints("content\n");
    for path in ["outside", "up", "missing"] {
        let refused = run(&lab, &["--mount", &mount(path)], &["list", "/part"]).exits(125);
        assert!(refused.stderr().contains("below the source"), "{refused}");
    }
    run(&lab, &["-v", "db:/db"], &["write", "/db/file", "x"]).succeeds();
    run(&lab, &["--mount", "type=volume,src=db,dst=/f,volume-subpath=file"], &["read", "/f"]).prints("x\n");
    lab.rc(["volume", "rm", "db"]).run().succeeds();
}

#[test]
fn a_source_gets_the_program_s_user_as_its_owner() {
    only!(Full | Root);
    let lab = Lab::with_payload();
    let source = lab.work("source");
    fs::create_dir_all(source.join("below")).expect("directories can be created");
    fs::write(source.join("below/file"), "x").expect("a file can be written");
    let outside = lab.work("outside");
    fs::write(&outside, "x").expect("a file can be written");
    symlink(&outside, source.join("link")).expect("a link");
    let volume = format!("{}:/source:U", source.display());
    let tree = run(&lab, &["-u", "33:34", "-v", &volume], &["tree", "/source"]).text();
    assert_eq!(tree.matches(" 33:34 ").count() + tree.matches(" 33:34\n").count(), 4, "{tree}");
    assert_eq!(fs::metadata(&outside).expect("it is there").uid(), rustix::process::getuid().as_raw());
    // And back, so that the test can remove it.
    run(&lab, &["-v", &volume], &["exit", "0"]).succeeds();
}

#[test]
fn volumes_of_the_image_may_be_something_else() {
    let lab = Lab::new();
    let archive = lab.work("image.tar");
    let image = Image::payload().config(json!({ "Volumes": { "/data": {} } }));
    fs::write(&archive, image.oci_archive("localhost/payload:latest")).expect("an archive can be written");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
    let kind = |mode: &str| {
        let report = run(&lab, &["--image-volume", mode], &["report"]).json();
        let mounts = report["mounts"].as_array().expect("mounts").clone();
        mounts.iter().find(|mount| mount["path"] == "/data").map(|mount| mount["type"].clone())
    };
    assert_eq!(kind("tmpfs"), Some(json!("tmpfs")));
    assert_eq!(kind("ignore"), None);
    assert!(kind("bind").is_some_and(|kind| kind != "tmpfs"));
    run(&lab, &["--image-volume", "x"], &["exit", "0"]).exits(125).stderr();
}

#[test]
fn a_program_may_run_for_so_many_seconds() {
    let lab = Lab::with_payload();
    run(&lab, &["--timeout", "1"], &["sleep"]).exits(137).within(crate::support::wait::PATIENCE).stderr();
    run(&lab, &["--timeout", "60"], &["exit", "3"]).exits(3).stderr();
}

#[test]
fn a_container_has_a_time_zone_of_the_host() {
    let lab = Lab::with_payload();
    let zone = "/usr/share/zoneinfo/Etc/UTC";
    require!(fs::exists(zone).unwrap_or(false), "the host has no time zones");
    assert_eq!(run(&lab, &["--tz", "Etc/UTC"], &["read", "/etc/localtime"]).exits(0).stdout[..4], *b"TZif");
    for (zone, reason) in [("../etc/passwd", "must be a name"), ("Moon/Sea", "the host has no `/usr/share/zoneinfo")] {
        let refused = run(&lab, &["--tz", zone], &["exit", "0"]).exits(125);
        assert!(refused.stderr().contains(reason), "{refused}");
    }
}

#[test]
fn groups_of_the_caller_may_be_kept() {
    let lab = Lab::with_payload();
    let report = run(&lab, &["--group-add", "keep-groups"], &["report"]).json();
    let own = rustix::process::getgroups().expect("groups").len();
    let kept = report["groups"].as_array().map_or(0, Vec::len);
    assert!(kept == own || own == 1 && kept <= 1, "{report}");
    let refused = run(&lab, &["--group-add", "keep-groups", "--group-add", "5"], &["exit", "0"]).exits(125);
    assert!(refused.stderr().contains("no other group can be added"), "{refused}");
}

#[test]
fn exec_may_have_all_capabilities() {
    let lab = Lab::with_payload();
    lab.rc(["run", "-d", "--network", "none", "--name", "box", "payload", "/payload", "sleep"]).run().succeeds();
    let effective = |options: &[&str]| {
        let report = lab.rc(["exec"]).args(options).args(["box", "/payload", "report"]).run().json();
        u64::from_str_radix(report["caps"]["eff"].as_str().unwrap_or_default(), 16).expect("a mask").count_ones()
    };
    assert_eq!((effective(&[]), effective(&["--privileged"])), (11, 41));
    lab.remove_containers();
}
