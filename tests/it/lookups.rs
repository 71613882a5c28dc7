//! Small questions about containers and images: `exists`, `inspect`, `port`; and `rename`.

use serde_json::json;

use crate::support::processes::processes;
use crate::support::{Exit, Lab};

/// A lab with the image `payload` and the container `web`, which was created with these options.
fn lab(options: &[&str]) -> Lab {
    let lab = Lab::with_payload();
    lab.rc(["create", "--name", "web"]).args(options).args(["payload", "/payload", "sleep"]).run().succeeds();
    lab
}

#[test]
fn exists_answers_by_its_exit_code_alone() {
    let lab = lab(&["--network", "none"]);
    for (line, code) in [
        ("container exists web", 0),
        ("container exists --external web", 0),
        ("container exists ghost", 1),
        ("image exists payload", 0),
        ("image exists ghost", 1),
        ("volume exists ghost", 1),
    ] {
        lab.rc(line.split(' ')).run().is(code, "", "");
    }
    drop(lab.rc(["container", "exists"]).run().exits(125));
    lab.remove_containers();
}

#[test]
fn inspect_of_a_group_finds_only_what_belongs_to_it() {
    let lab = lab(&["--network", "none", "-v", "data:/v"]);
    lab.rc(["volume", "create", "web"]).run().succeeds();
    lab.rc(["container", "inspect", "-f", "{{.Name}} {{.State.Status}}", "web"]).run().prints("web created\n");
    lab.rc(["image", "inspect", "-f", "{{.Os}}", "payload"]).run().prints("linux\n");
    lab.rc(["inspect", "--type", "volume", "-f", "{{.Driver}}", "web"]).run().prints("local\n");
    for (line, words) in [
        ("container inspect payload", "no such container: payload"),
        ("image inspect web", "no such image: web"),
        ("volume inspect payload", "no such volume: payload"),
        ("inspect --type volume ghost", "no such volume: ghost"),
        ("inspect", "nothing was named"),
        ("container inspect", "nothing was named"),
    ] {
        let output = lab.rc(line.split(' ')).run().exits(125);
        assert!(output.stderr().contains(words), "{line}: {output}");
    }
    // Without a type a container comes first, and a volume is found, too.
    lab.rc(["volume", "create", "alone"]).run().succeeds();
    lab.rc(["inspect", "-f", "{{.Name}}", "web", "alone"]).run().prints("web\nalone\n");
    lab.rc(["inspect", "-l", "-f", "{{.Name}}"]).run().prints("web\n");
    let sized = lab.rc(["container", "inspect", "-l", "--size"]).run().json();
    assert_eq!(sized[0]["SizeRw"], json!(0));
    assert!(sized[0]["SizeRootFs"].as_u64().is_some_and(|size| size > 1000), "{}", sized[0]["SizeRootFs"]);
    assert!(lab.rc(["inspect", "web"]).run().json()[0].get("SizeRw").is_none());
    lab.remove_containers();
}

#[test]
fn a_renamed_container_has_its_new_name_everywhere_whether_it_runs_or_not() {
    let lab = lab(&["--network", "none", "--rm"]);
    lab.rc(["rename", "web", "/second"]).run().says_nothing();
    lab.rc(["ps", "-a", "--format", "{{.Names}}"]).run().prints("second\n");
    assert!(lab.rc(["inspect", "web"]).run().exits(125).stderr().contains("no such"));
    lab.rc(["start", "second"]).run().prints("second\n");
    lab.ready("second");
    let monitors = |name: &str| processes(&lab, &format!("rc: {name}"));
    let monitor = monitors("second");
    lab.rc(["container", "rename", "second", "third"]).run().says_nothing();
    assert_eq!((monitor.len(), monitors("third"), monitors("second")), (1, monitor, Vec::new()));
    drop(lab.rc(["update", "--pids-limit", "100", "third"]).run());
    lab.rc(["ps", "--format", "{{.Names}}"]).run().prints("third\n");
    // The old names are free, and the monitor removes the container under its new one.
    lab.rc(["create", "--name", "web", "--network", "none", "payload", "/payload", "hang"]).run().succeeds();
    for (line, words) in [
        ("rename third web", "the name `web` is already in use"),
        ("rename ghost other", "no such container"),
        ("rename third a/b", "must match"),
        ("rename third", ""),
    ] {
        assert!(lab.rc(line.split(' ')).run().exits(125).stderr().contains(words), "{line}");
    }
    lab.rc(["rename", "third", "third"]).run().says_nothing();
    lab.rc(["stop", "third"]).run().prints("third\n");
    lab.rc(["ps", "-a", "--format", "{{.Names}}"]).run().prints("web\n");
    lab.rc(["create", "--name", "third", "--network", "none", "payload", "/payload", "hang"]).run().succeeds();
    assert_eq!(std::fs::read_dir(lab.store().join("names")).unwrap().count(), 2);
    lab.remove_containers();
}

#[test]
fn ports_are_listed_as_podman_does_it() {
    let publish = ["-p", "127.0.0.1:18080:80", "-p", "18081:80", "-p", "18053:53/udp"];
    let lab = lab(&publish);
    let all = "53/udp -> 0.0.0.0:18053\n80/tcp -> 127.0.0.1:18080\n80/tcp -> 0.0.0.0:18081\n";
    lab.rc(["port", "web"]).run().prints(all);
    lab.rc(["container", "port", "-l"]).run().prints(all);
    lab.rc(["port", "web", "80"]).run().prints("127.0.0.1:18080\n0.0.0.0:18081\n");
    lab.rc(["port", "--latest", "53/udp"]).run().prints("0.0.0.0:18053\n");
    // Only of containers that run.
    lab.rc(["port", "--all"]).run().prints("");
    for (line, words) in [
        ("port web 53", "does not publish port 53/tcp"),
        ("port web http", "invalid port `http`"),
        ("port web 80/sctp", "invalid port"),
        ("port -a web", "--all"),
        ("port ghost", "no such container"),
        ("port", "no container was named"),
    ] {
        let output = lab.rc(line.split(' ')).run().exits(125);
        assert!(output.stderr().contains(words), "{line}: {output}");
    }
    lab.remove_containers();
}

#[test]
fn the_latest_container_needs_no_name() {
    let lab = lab(&["--network", "none"]);
    let run = ["run", "-d", "--name", "new", "--network", "none", "--cidfile"];
    let file = lab.work("id");
    lab.rc(run).arg(&file).args(["payload", "/payload", "sleep"]).run().succeeds();
    lab.ready("new");
    let id = lab.rc(["ps", "-lq", "--no-trunc"]).run().text();
    lab.rc(["exec", "-l", "/payload", "echo", "hello"]).run().prints("hello\n");
    lab.rc(["exec", "--cidfile"]).arg(&file).args(["/payload", "echo", "you"]).run().prints("you\n");
    lab.rc(["stats", "-l", "--no-stream", "--format", "{{.Name}}"]).run().prints("new\n");
    lab.rc(["update", "--latest", "--env", "A=1"]).run().prints(format!("{id}\n"));
    for line in ["update -l web", "attach -l web", "stats -l web", "kill -l web", "rm -l web"] {
        let said = lab.rc(line.split(' ')).run().exits(125).stderr();
        assert!(said.contains("containers cannot be named together with --latest"), "{line}: {said}");
    }
    for line in ["update", "attach"] {
        let said = lab.rc([line]).run().exits(125).stderr();
        assert!(said.contains("no container was named"), "{line}: {said}");
    }
    let attached = lab.rc(["attach", "--latest", "--no-stdin"]).start();
    lab.rc(["kill", "-l"]).run().prints(format!("{id}\n"));
    assert_eq!(attached.wait().exit, Exit::Code(137));
    lab.rc(["rm", "--latest"]).run().prints(format!("{id}\n"));
    lab.rc(["ps", "-a", "--format", "{{.Names}}"]).run().prints("web\n");
    lab.remove_containers();
}
