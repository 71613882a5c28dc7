//! rc under the names docker and podman, and how it gets them.

use std::fs;

use crate::support::Lab;
use crate::support::command::Command;

/// rc, called by this name.
pub(crate) fn called<'a>(lab: &'a Lab, name: &str, words: &str) -> Command<'a> {
    lab.called(name, words.split(' ').map(|word| word.replace('_', " ")))
}

#[test]
fn tools_find_what_they_parse_under_the_name_that_they_call() {
    let lab = Lab::new();
    let own = env!("CARGO_PKG_VERSION");
    for (name, words, expected) in [
        ("docker", "-v", format!("Docker version 28.5.2, build rc-{own}")),
        ("docker", "--version", format!("Docker version 28.5.2, build rc-{own}")),
        ("podman", "-v", "podman version 5.8.6".to_owned()),
        // podman-compose types an empty argument.
        ("podman", "--version ", "podman version 5.8.6".to_owned()),
        ("rc", "--version", format!("rc version {own} (podman 5.8.6, docker 28.5.2 compatible)")),
        ("docker", "version --format {{.Server.APIVersion}},{{.Client.APIVersion}}", "1.44,1.44".to_owned()),
        ("docker", "version -f {{_.Server.Os_}},,,{{_.Server.Arch_}}", format!("linux,,,{}", go_arch())),
        ("docker", "info -f {{.SecurityOptions}}", "[name=seccomp,profile=default name=rootless name=cgroupns]".into()),
        ("docker", "system info --format {{.Swarm.LocalNodeState}}", "inactive".into()),
        ("podman", "info --format {{.Host.Security.Rootless}}", "true".into()),
        ("podman", "version --format {{.Client.Version}}", "5.8.6".into()),
    ] {
        assert_eq!(called(&lab, name, words).run().text(), expected, "{name} {words}");
    }
    let version = called(&lab, "docker", "version --format json").run().text();
    assert_eq!(version.lines().count(), 1, "{version}");
    let info = called(&lab, "docker", "info --format {{json_.}}").run().json();
    assert!(info["DriverStatus"][0][0] == "Backing Filesystem" && info["OSType"] == "linux", "{info}");
    // A global option comes before the command there, too.
    let other = lab.work("other-store");
    let info = lab.called("docker", ["--root"]).arg(&other).args(["info", "-f", "{{.DockerRootDir}}"]).run().text();
    assert_eq!(info, other.display().to_string());
    let info = called(&lab, "podman", "info").run().text();
    assert!(!info.contains("runc"), "{info}");
    // Programs decide by these words whether docker is podman.
    for words in ["--help", "info", "version", "-v"] {
        let shown = called(&lab, "docker", words).run().text();
        assert!(!shown.contains("podman") && !shown.contains("emulate"), "{words}: {shown}");
    }
    assert!(called(&lab, "docker", "ps --help").run().text().contains("Usage: docker ps"));
}

fn go_arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[test]
fn docker_prints_an_object_a_line_and_podman_an_array() {
    let lab = Lab::with_payload();
    for name in ["a", "b"] {
        let create = ["create", "--name", name, "--label", "x=1", "--label", "y=2", "--network", "none", "payload"];
        lab.rc(create).arg("/payload").run().succeeds();
    }
    for format in ["json", "{{json_.}}"] {
        let rows = called(&lab, "docker", &format!("ps -a --format {format}")).run().text();
        assert_eq!(rows.lines().count(), 2, "{rows}");
        for row in rows.lines() {
            let row: serde_json::Value = serde_json::from_str(row).expect("an object");
            assert_eq!((&row["Labels"], &row["Command"]), (&"x=1,y=2".into(), &"\"/payload\"".into()), "{row}");
            assert!(row["Names"] == "a" || row["Names"] == "b", "{row}");
        }
    }
    assert_eq!(called(&lab, "podman", "ps -a --format json").run().json().as_array().map(Vec::len), Some(2));
    let image = called(&lab, "docker", "images --format json").run().json();
    assert_eq!((&image["Repository"], &image["Tag"]), (&"payload".into(), &"latest".into()), "{image}");
    let inspected = called(&lab, "docker", "inspect a").run().json();
    let id = called(&lab, "podman", "inspect payload").run().json()[0]["Id"].as_str().map(str::to_owned);
    let id = format!("sha256:{}", id.expect("an ID"));
    assert_eq!((&inspected[0]["Name"], &inspected[0]["Image"]), (&"/a".into(), &id.as_str().into()));
    assert_eq!(called(&lab, "docker", "image inspect --format {{.Id}} payload").run().text(), id);
    assert_eq!(called(&lab, "docker", &format!("image inspect -f {{{{.Os}}}} {id}")).run().text(), "linux");
    assert_eq!(called(&lab, "podman", "inspect --format {{.Name}} a").run().text(), "a");
    lab.remove_containers();
}

#[test]
fn what_docker_spares_stays_under_its_name() {
    let lab = Lab::with_payload();
    lab.rc(["network", "create", "app"]).run().succeeds();
    lab.rc(["volume", "create", "data"]).run().succeeds();
    lab.rc(["create", "--name", "web", "--network", "app", "-v", "data:/d", "payload", "/payload"]).run().succeeds();
    let there = || lab.rc(["ps", "-a", "--format", "{{.Names}}"]).run().text();
    for (words, reason) in [
        ("network rm -f app", "the network `app` is in use by `web`"),
        ("volume rm -f data", "the volume `data` is in use by `web`"),
        ("rmi -f payload", "web"),
    ] {
        let refused = called(&lab, "docker", words).run();
        assert!(refused.stderr().contains(reason), "{words}: {refused}");
        assert_eq!(there(), "web", "{words}");
    }
    for words in ["network rm -f missing", "volume rm -f missing"] {
        called(&lab, "docker", words).run().succeeds();
    }
    // A volume that has a name is not one of docker's prune; one without is.
    lab.rc(["rm", "web"]).run().succeeds();
    let run = ["run", "--name", "web", "--network", "none", "-v", "/d", "payload", "/payload", "exit", "0"];
    lab.rc(run).run().succeeds();
    lab.rc(["rm", "web"]).run().succeeds();
    let volumes = || lab.rc(["volume", "ls", "-q"]).run().stdout().lines().count();
    let before = volumes();
    assert_eq!(volumes(), 2);
    for (words, left) in [("volume prune -f", 1), ("system prune -f --volumes", 1), ("volume prune -f -a", 0)] {
        assert!(volumes() <= before, "{words}");
        called(&lab, "docker", words).run().succeeds();
        assert_eq!(volumes(), left, "{words}: {before} before");
    }
}

#[test]
fn names_are_links_in_the_home_that_replace_nothing() {
    let lab = Lab::new();
    let home = lab.work("home");
    fs::create_dir(&home).expect("a directory can be made");
    let setup = |words: &str| lab.rc(["setup", "names"]).args(words.split_whitespace()).env("HOME", &home);
    let bin = home.join(".local/bin");
    let output = setup("podman").env("PATH", "/usr/bin:/bin").run().exits(0);
    assert_eq!(output.stdout(), format!("{}/podman\n", bin.display()));
    assert!(output.stderr().contains("in PATH"), "{output}");
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let both = format!("{0}/docker\n{0}/podman\n", bin.display());
    setup("").env("PATH", &path).run().is(0, &both, "");
    let version = lab.program(bin.join("docker"), ["-v"]).run().text();
    assert!(version.starts_with("Docker version "), "{version}");
    setup("--remove").run().is(0, &both, "");
    assert!(!bin.join("docker").exists());
    fs::write(bin.join("docker"), "another program").expect("a file can be written");
    let message = format!("rc: {}/docker is not rc's\nhint: move it away, or choose the other name\n", bin.display());
    setup("docker").run().fails(125, &message);
    assert_eq!(fs::read_to_string(bin.join("docker")).expect("a file"), "another program");
    let output = setup("moby").run().exits(125);
    assert!(output.stderr().contains("`moby`: must be one of docker, podman"), "{output}");
}
