//! Real images, pulled from Debian's registry: every format, and the unpacked files, compared with those of `umoci`.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use crate::support::registry::test_images;
use crate::support::{Lab, Registry, wait};

/// Files that rc adds to every container, and `payload`, which is mounted to list the others.
const NOT_THE_IMAGE: [&str; 10] = [
    "dev",
    "proc",
    "sys",
    "payload",
    "etc/hosts",
    "etc/hostname",
    "etc/resolv.conf",
    "etc/mtab",
    "run/.containerenv",
    ".dockerenv",
];

/// Skips the test if the registry or its images do not exist.
macro_rules! require_images {
    () => {
        require!(program "docker-registry");
        require!(test_images().is_some(), "the test images are not made");
    };
}

#[test]
fn every_format_is_pulled_and_runs() {
    require_images!();
    let lab = Lab::new();
    let registry = Registry::of_test_images(&lab);
    for tag in ["latest", "zstd", "schema2", "index"] {
        let name = registry.image(&format!("busybox:{tag}"));
        lab.rc(["pull", "-q", &name]).run().exits(0).stderr().is_empty().then_some(()).expect("a silent pull");
        let run = lab.rc(["run", "--rm", "--network", "none", "--pull", "never", &name, "cat", "/www/index.html"]);
        run.run().prints("served by busybox\n");
    }
    let names = lab.rc(["images", "--format", "{{.Tag}}"]).run().text();
    let names: BTreeSet<&str> = names.lines().collect();
    assert_eq!(names, BTreeSet::from(["index", "latest", "schema2", "zstd"]));
    registry.stop();
}

#[test]
fn run_pulls_a_missing_image_and_no_layer_twice() {
    require_images!();
    let lab = Lab::new();
    let registry = Registry::of_test_images(&lab);
    let name = registry.image("busybox:latest");
    let run = lab.rc(["run", "--rm", "--network", "none", "-q", &name, "echo", "here"]).run().exits(0);
    assert_eq!(run.stdout(), "here\n");
    let fetched = |log: &str| log.matches("\"GET /v2/busybox/blobs/").count();
    // The configuration and the layer; the registry writes its log after it answers.
    wait::until("the registry's log to show both", || (fetched(&registry.log()) == 2).then_some(()));
    lab.rc(["run", "--rm", "--network", "none", &name, "echo", "again"]).run().prints("again\n");
    lab.rc(["pull", "-q", &name]).run().succeeds();
    assert_eq!(fetched(&registry.log()), 2);
    registry.stop();
}

#[test]
fn twenty_pulls_at_once_fetch_each_blob_once() {
    require_images!();
    let lab = Lab::new();
    let registry = Registry::of_test_images(&lab);
    let name = registry.image("debian:layers");
    let pulls: Vec<_> =
        (0..20).map(|_| lab.rc(["pull", "-q", &name]).deadline(Duration::from_secs(120)).start()).collect();
    let ids: BTreeSet<String> = pulls.into_iter().map(|pull| pull.wait().exits(0).stdout()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let log = registry.log();
    let blobs: Vec<&str> =
        log.lines().filter_map(|line| line.split_once("\"GET /v2/debian/blobs/")?.1.split(' ').next()).collect();
    let distinct: BTreeSet<&&str> = blobs.iter().collect();
    assert_eq!(blobs.len(), distinct.len(), "{blobs:#?}");
    registry.stop();
}

/// Compares the output of `payload tree` in a container of the image with that for umoci's files.
fn compare_with_umoci(image: &str, tree: &str) {
    let lab = Lab::new();
    let registry = Registry::of_test_images(&lab);
    let name = registry.image(image);
    lab.rc(["pull", "-q", &name]).run().succeeds();
    let mount = format!("{}:/payload:ro", Lab::payload_path().display());
    let run = lab.rc([
        "run",
        "--rm",
        "--network",
        "none",
        "-u",
        "0",
        "-w",
        "/",
        "-v",
        &mount,
        &name,
        "/payload",
        "tree",
        "/",
    ]);
    let found = run.args(NOT_THE_IMAGE).run().text();
    let directory = test_images().expect("the test images are made");
    let expected = fs::read_to_string(directory.join(tree)).expect("what umoci unpacked was listed");
    let found: BTreeSet<&str> = lines_of_the_image(&found);
    let expected: BTreeSet<&str> = lines_of_the_image(&expected);
    let missing: Vec<&&str> = expected.difference(&found).take(20).collect();
    let wrong: Vec<&&str> = found.difference(&expected).take(20).collect();
    assert!(missing.is_empty() && wrong.is_empty(), "umoci has\n{missing:#?}\nand rc has\n{wrong:#?}");
    assert!(found.len() > 5000, "only {} files were compared", found.len());
    registry.stop();
}

/// The lines of a list, without the files that are not the image's, and without the times of their directories.
fn lines_of_the_image(list: &str) -> BTreeSet<&str> {
    let skipped = |line: &&str| {
        let path = line[2..].split(' ').next().unwrap_or_default();
        NOT_THE_IMAGE.iter().any(|name| path == *name || path.starts_with(&format!("{name}/")))
    };
    let directory_above =
        |path: &str| path.is_empty() || NOT_THE_IMAGE.iter().any(|name| name.starts_with(&format!("{path}/")));
    list.lines()
        .filter(|line| !skipped(line))
        .map(|line| {
            let path = line[2..].split(' ').next().unwrap_or_default();
            if directory_above(path) { line.split(" time ").next().unwrap_or(line) } else { line }
        })
        .collect()
}

#[test]
fn a_debian_is_unpacked_as_umoci_does() {
    only!(Full | Root);
    require_images!();
    compare_with_umoci("debian:latest", "debian-latest.tree");
}

#[test]
fn deletions_opaque_directories_links_owners_and_attributes_are_unpacked_as_umoci_does() {
    only!(Full | Root);
    require_images!();
    compare_with_umoci("debian:layers", "debian-layers.tree");
}

#[test]
fn layers_of_zstd_hold_the_same_files() {
    only!(Full | Root);
    require_images!();
    compare_with_umoci("debian:zstd", "debian-layers.tree");
}

#[test]
fn the_image_s_user_directory_and_environment_are_taken_over() {
    only!(Full | Root);
    require_images!();
    let lab = Lab::new();
    let registry = Registry::of_test_images(&lab);
    let name = registry.image("debian:layers");
    let run = lab
        .rc(["run", "--rm", "-q", "--network", "none", &name, "sh", "-c", "id -un; pwd; echo $LAYERS; cat a"])
        .run()
        .exits(0);
    assert_eq!(run.stdout(), "www-data\n/srv/data\n5\none\n");
    registry.stop();
}

#[test]
fn other_tools_read_the_store_and_saved_archives() {
    require_images!();
    require!(program "skopeo");
    let lab = Lab::new();
    let registry = Registry::of_test_images(&lab);
    let name = registry.image("busybox:latest");
    lab.rc(["pull", "-q", &name]).run().succeeds();
    let layout = format!("oci:{}:{name}", lab.store().join("images").display());
    let seen = lab.program("skopeo", ["inspect", &layout]).run().json();
    assert_eq!(seen["Layers"].as_array().map(Vec::len), Some(1));
    for format in ["oci-archive", "docker-archive"] {
        let archive = lab.work(format);
        lab.rc(["save", "-q", "--format", format, "-o"]).arg(&archive).arg(&name).run().succeeds();
        let source = if format == "oci-archive" {
            // skopeo would give the extracted files to root, which only root can do.
            let directory = lab.work("layout");
            fs::create_dir(&directory).expect("a directory can be made");
            lab.program("tar", ["-x", "-f"]).arg(&archive).arg("-C").arg(&directory).run().says_nothing();
            format!("oci:{}", directory.display())
        } else {
            format!("{format}:{}", archive.display())
        };
        let seen = lab.program("skopeo", ["inspect", &source]).run().json();
        assert_eq!(seen["Layers"].as_array().map(Vec::len), Some(1), "{format}");
        lab.rc(["rmi", "-f", &name]).run().succeeds();
        lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
        lab.rc(["run", "--rm", "--network", "none", "--pull", "never", &name, "echo", format])
            .run()
            .prints(format!("{format}\n"));
    }
    registry.stop();
}
