//! Programs that people run: nginx and redis behind published ports, apt, su and setpriv, in a minimal Debian.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::registry::test_images;
use crate::support::wait::until;
use crate::support::{Lab, Registry, port};

/// A lab with `debian:latest` pulled, and its name.
fn debian() -> (Lab, String) {
    let lab = Lab::new();
    let registry = Registry::of_test_images(&lab);
    let name = registry.image("debian:latest");
    lab.rc(["pull", "-q", &name]).run().succeeds();
    registry.stop();
    (lab, name)
}

/// Skips the test if rc cannot pull images with many owners, or create networks.
macro_rules! require_debian {
    () => {
        only!(Full | Root);
        require!(program "docker-registry");
        require!(program "slirp4netns");
        require!(test_images().is_some(), "the test images are not made");
    };
}

/// Sends `question` to the port on loopback until an answer contains `part`.
fn ask(port: u16, question: &str, part: &str) -> String {
    until(&format!("an answer of port {port} with `{part}`"), || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        stream.write_all(question.as_bytes()).ok()?;
        let mut answer = Vec::new();
        let mut block = [0; 4096];
        while let Ok(length) = stream.read(&mut block) {
            answer.extend_from_slice(&block[..length]);
            let text = String::from_utf8_lossy(&answer).into_owned();
            if text.contains(part) {
                return Some(text);
            }
            if length == 0 {
                break;
            }
        }
        None
    })
}

#[test]
fn nginx_serves_a_page_on_a_published_port() {
    require_debian!();
    let (lab, name) = debian();
    let port = port::take(1);
    let publish = format!("127.0.0.1:{port}:80");
    let start = "echo 'a page of nginx' >/var/www/html/index.html; exec nginx -g 'daemon off;'";
    lab.rc(["run", "-d", "--name", "web", "-p", &publish, &name, "sh", "-c", start]).run().succeeds();
    let answer = ask(port, "GET / HTTP/1.0\r\n\r\n", "a page of nginx");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    // Its workers run as www-data.
    let users = lab.rc(["exec", "web", "ps", "-C", "nginx", "-o", "user="]).run().text();
    assert!(users.lines().any(|user| user == "www-data") && users.lines().any(|user| user == "root"), "{users}");
    lab.rc(["stop", "web"]).run().prints("web\n");
    lab.remove_containers();
}

#[test]
fn redis_keeps_a_value_on_a_published_port() {
    require_debian!();
    let (lab, name) = debian();
    let port = port::take(1);
    let publish = format!("127.0.0.1:{port}:6379");
    let redis = ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"];
    lab.rc(["run", "-d", "--name", "redis", "-u", "redis", "-w", "/tmp", "-p", &publish, &name])
        .args(redis)
        .run()
        .succeeds();
    ask(port, "PING\r\n", "+PONG\r\n");
    assert_eq!(ask(port, "SET a 42\r\n", "+OK\r\n"), "+OK\r\n");
    assert_eq!(ask(port, "GET a\r\n", "42\r\n"), "$2\r\n42\r\n");
    lab.rc(["exec", "redis", "redis-cli", "get", "a"]).run().prints("42\n");
    lab.rc(["stop", "redis"]).run().prints("redis\n");
    lab.remove_containers();
}

#[test]
fn apt_installs_a_package() {
    require_debian!();
    // apt downloads as a user of its own, and dpkg changes owners.
    let probe =
        "set -- $(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Origin: Debian')
        curl -sf -m 10 -o /dev/null \"${1%/}/dists/$2/InRelease\"";
    let answers = std::process::Command::new("sh").args(["-c", probe]).status();
    require!(answers.is_ok_and(|status| status.success()), "the host's package source does not answer");
    let (lab, name) = debian();
    let script = "get() { apt-get -q -o Acquire::Retries=3 \"$@\"; }
        get update && get install -y --no-install-recommends hello && hello";
    let run = lab.rc(["run", "--rm", "-e", "DEBIAN_FRONTEND=noninteractive", &name, "sh", "-c", script]);
    let output = run.deadline(Duration::from_secs(180)).run().exits(0);
    assert!(output.stdout().ends_with("Hello, world!\n"), "{output}");
    assert!(!output.stderr().contains("setgroups") && !output.stderr().contains("Operation not permitted"), "{output}");
}

#[test]
fn users_can_be_changed_inside() {
    require_debian!();
    let (lab, name) = debian();
    let run = ["run", "--rm", "--network", "none", &name];
    lab.rc(run).args(["su", "-s", "/bin/sh", "-c", "id -un", "www-data"]).run().prints("www-data\n");
    let setpriv = ["setpriv", "--reuid=33", "--regid=33", "--init-groups", "id"];
    lab.rc(run).args(setpriv).run().prints("uid=33(www-data) gid=33(www-data) groups=33(www-data)\n");
    let owners = "touch /tmp/f && chown 65534:33 /tmp/f && stat -c %u:%g /tmp/f";
    lab.rc(run).args(["sh", "-c", owners]).run().prints("65534:33\n");
    lab.rc(["run", "--rm", "--network", "none", "-u", "www-data:nogroup", &name, "id"])
        .run()
        .prints("uid=33(www-data) gid=65534(nogroup) groups=65534(nogroup)\n");
}
