//! What `ps`, `images` and `info` print for people and for scripts.

use crate::support::{Exit, Lab, Signal};

#[test]
fn quiet_and_noheading_go_with_every_format() {
    let lab = Lab::with_payload();
    let create = ["create", "--name", "c", "--network", "none", "payload", "/payload"];
    let container = lab.rc(create).run().text();
    let image = lab.rc(["images", "-q"]).run().text();
    for (line, expected) in [
        // As in podman and docker.
        ("ps -aq", &container[..12]),
        ("ps -a -q --format {{.Names}}", "c"),
        ("ps -a --noheading --format table_{{.Names}}", "c"),
        ("ps -a --format table_{{.Names}}", "NAMES\nc"),
        ("images --noheading --format table_{{.Tag}}", "latest"),
        ("images --format table_{{.Tag}}", "TAG\nlatest"),
        // As in podman; in docker the format prevails here, too.
        ("images -q --format {{.Repository}}", &image),
    ] {
        let words = line.split(' ').map(|word| word.replace("table_", "table "));
        assert_eq!(lab.rc(words).run().text(), expected, "{line}");
    }
    assert_eq!(lab.rc(["ps", "-aq", "--format", "json"]).run().json()[0]["Names"][0], "c");
    assert_eq!(lab.rc(["images", "-q", "--format", "json"]).run().json().as_array().map(Vec::len), Some(1));
    lab.rc(["rm", "c"]).run().succeeds();
}

#[test]
fn info_has_every_log_driver_and_a_line_for_each_value() {
    let lab = Lab::new();
    let info = lab.rc(["info"]).run().text();
    for driver in ["k8s-file", "json-file", "journald", "none", "passthrough", "passthrough-tty"] {
        assert!(info.contains(&format!("\n  - {driver}\n")), "{driver}: {info}");
    }
    for line in info.lines() {
        let item = line.trim_start().trim_start_matches("- ");
        let is_pair = item.ends_with(':') || item.contains(": ");
        assert!(is_pair || line.trim_start().starts_with("- "), "{line}");
    }
}

#[test]
fn the_size_of_a_container_is_what_it_has_written_and_with_its_image() {
    let lab = Lab::with_payload();
    let run = ["run", "--name", "c", "--user", "1000", "--network", "none", "payload", "/payload"];
    // Nobody but that user of the container can read it.
    lab.rc(run).args(["write", "/tmp/f", "0123456789"]).run().succeeds();
    let size = lab.rc(["ps", "-a", "--format", "{{.Size}}"]).run().text();
    let whole = size.strip_prefix("11B (virtual ").and_then(|rest| rest.strip_suffix("MB)"));
    assert!(whole.is_some_and(|megabytes| megabytes.parse::<f32>().is_ok_and(|size| size > 0.1)), "{size}");
    let row = lab.rc(["ps", "-a", "--size", "--format", "json"]).run().json()[0].take();
    assert_eq!(row["Size"]["rwSize"], 11, "{row}");
    assert!(row["Size"]["rootFsSize"].as_u64().is_some_and(|bytes| bytes > 100_000), "{row}");
    assert!(lab.rc(["ps", "-a", "--format", "json"]).run().json()[0]["Size"].is_null());
    let table = lab.rc(["ps", "-as"]).run().text();
    let mut lines = table.lines();
    assert!(lines.next().is_some_and(|headings| headings.ends_with("SIZE")), "{table}");
    assert!(lines.next().is_some_and(|line| line.ends_with(&size)), "{table}");
    // By their sizes, which the table does not show for that.
    lab.rc(["create", "--name", "small", "--network", "none", "payload", "/payload"]).run().succeeds();
    let sorted = lab.rc(["ps", "-a", "--sort", "size"]).run().text();
    let names = sorted.lines().map(|line| line.split_whitespace().last().unwrap_or_default());
    assert_eq!(names.collect::<Vec<_>>(), ["NAMES", "small", "c"]);
    lab.rc(["rm", "c", "small"]).run().succeeds();
}

#[test]
fn ps_shows_namespaces_and_comes_again_and_again() {
    let lab = Lab::with_payload();
    for name in ["a", "b"] {
        let network = if name == "a" { "none" } else { "container:a" };
        lab.rc(["run", "-d", "--name", name, "--network", network])
            .args(["payload", "/payload", "sleep"])
            .run()
            .succeeds();
    }
    lab.rc(["create", "--name", "c", "--network", "none", "payload", "/payload"]).run().succeeds();
    let table = lab.rc(["ps", "-a", "--ns"]).run().text();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][2..].join(" "), "NAMES PID CGROUPNS IPC MNT NET PIDNS USERNS UTS", "{table}");
    assert_eq!((rows[1].len(), rows[2].len(), rows[3][1..].join(" ")), (10, 10, "c 0".to_owned()), "{table}");
    assert_ne!(rows[1][5], rows[2][5], "mounts: {table}");
    assert_eq!(rows[1][6], rows[2][6], "the network: {table}");
    let pid = lab.rc(["inspect", "-f", "{{.State.Pid}}", "a"]).run().text();
    assert_eq!(rows[1][2], pid);
    // What another program reads, with the same rights.
    lab.rc(["unshare", "readlink", &format!("/proc/{pid}/ns/net")]).run().prints(format!("net:[{}]\n", rows[1][6]));
    let row = lab.rc(["ps", "--namespace", "--format", "json"]).run().json()[0].take();
    assert_eq!(row["Namespaces"]["Net"], rows[1][6]);
    lab.rc(["ps", "--format", "{{.NET}}", "-f", "name=a"]).run().prints(format!("{}\n", rows[1][6]));
    let said = lab.rc(["ps", "--ns", "--size"]).run().exits(125).stderr();
    assert!(said.starts_with("rc: --ns shows neither sizes nor pods"), "{said}");
    let watched = lab.rc(["ps", "-w", "1", "-f", "name=a", "--format", "{{.Names}}"]).start();
    watched.line("a\na\n");
    watched.kill(Signal::INT);
    assert_eq!(watched.wait().exit, Exit::Signal(2));
    lab.remove_containers();
}
