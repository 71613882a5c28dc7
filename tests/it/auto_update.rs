//! `rc auto-update`: newer images for containers in units. A thread of the test plays the service manager.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::JoinHandle;

use serde_json::json;

use crate::support::image::{Compression, Image, payload_layer};
use crate::support::{Lab, Output, Registry};

/// Plays a manager that restarts units with these results, and returns their names. It is there until it is joined.
fn manager(lab: &Lab, results: &[&'static str]) -> JoinHandle<Vec<String>> {
    let directory = lab.root().join("run/systemd");
    fs::create_dir_all(&directory).expect("a directory");
    let path = directory.join("private");
    let listener = UnixListener::bind(&path).expect("a socket");
    let results = results.to_vec();
    std::thread::spawn(move || {
        let restart = |result: &&str| restart(&mut listener.accept().expect("a caller").0, result);
        let units = results.iter().map(restart).collect();
        fs::remove_file(path).expect("removed");
        units
    })
}

/// Answers one call of `RestartUnit`. Source: the D-Bus specification, "Message Format".
fn restart(socket: &mut UnixStream, result: &str) -> String {
    let mut heard = Vec::new();
    let mut read = |socket: &mut UnixStream| {
        let mut bytes = [0; 1024];
        let length = socket.read(&mut bytes).expect("the caller speaks");
        assert!(length > 0, "the caller has gone");
        heard.extend(&bytes[..length]);
        heard.clone()
    };
    let login = loop {
        let heard = read(socket);
        if let Some(at) = heard.windows(7).position(|window| window == b"BEGIN\r\n") {
            break at + 7;
        }
    };
    socket.write_all(b"OK 0123456789abcdef\r\n").expect("the caller listens");
    let unit = loop {
        let call = read(socket)[login..].to_vec();
        let number = |at: usize| call.get(at..at + 4).map(|four| u32::from_le_bytes(four.try_into().expect("four")));
        let (Some(body), Some(fields)) = (number(4), number(12)) else { continue };
        let begin = 16 + fields.next_multiple_of(8) as usize;
        if call.len() == begin + body as usize {
            assert!(call.windows(11).any(|window| window == b"RestartUnit"), "another call");
            let length = number(begin).expect("a length") as usize;
            break String::from_utf8(call[begin + 4..][..length].to_vec()).expect("a name");
        }
    };
    let job = "/org/freedesktop/systemd1/job/7";
    let text = |text: &str| [&four(text.len())[..], text.as_bytes(), &[0]].concat();
    let reply = message(2, &[[&[5, 1, b'u', 0][..], &1_u32.to_le_bytes()].concat(), signature("o")], &text(job));
    let mut body = 7_u32.to_le_bytes().to_vec();
    for word in [job, &unit, result] {
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend(text(word));
    }
    let word = |code: u8, kind: u8, word: &str| [&[code, 1, kind, 0][..], &text(word)].concat();
    let fields = [
        word(1, b'o', "/org/freedesktop/systemd1"),
        word(2, b's', "org.freedesktop.systemd1.Manager"),
        word(3, b's', "JobRemoved"),
        signature("uoss"),
    ];
    socket.write_all(&[reply, message(4, &fields, &body)].concat()).expect("the caller listens");
    unit
}

fn four(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("a short message").to_le_bytes()
}

fn signature(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short text");
    [&[8, 1, b'g', 0, length][..], text.as_bytes(), &[0]].concat()
}

fn message(kind: u8, fields: &[Vec<u8>], body: &[u8]) -> Vec<u8> {
    let mut array = Vec::new();
    for field in fields {
        array.resize(array.len().next_multiple_of(8), 0);
        array.extend(field);
    }
    let mut bytes = vec![b'l', kind, 0, 1];
    for number in [body.len(), 1, array.len()] {
        bytes.extend(four(number));
    }
    bytes.extend(array);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    [&bytes, body].concat()
}

/// Puts an image into a registry, under a name.
#[track_caller]
fn publish(lab: &Lab, image: &Image, name: &str) {
    let archive = lab.work("published");
    fs::write(&archive, image.oci_archive("x:1")).expect("written");
    let copy = ["--insecure-policy", "copy", "-q", "--dest-tls-verify=false"];
    let copy = lab.program("skopeo", copy).arg(format!("oci-archive:{}", archive.display()));
    copy.arg(format!("docker://{name}")).run().says_nothing();
}

/// Starts a container in a unit of its name; `words` are options, and its image.
#[track_caller]
fn start(lab: &Lab, name: &str, policy: &str, words: &[&str]) {
    let label = format!("io.containers.autoupdate={policy}");
    let run = lab.rc(["run", "-d", "-q", "--network", "none", "--name", name, "--label", &label]).args(words);
    run.args(["/payload", "sleep"]).env("PODMAN_SYSTEMD_UNIT", format!("{name}.service")).run().succeeds();
}

fn update(lab: &Lab, words: &[&str]) -> Output {
    lab.rc(["auto-update", "--format", "{{.Unit}} {{.Policy}} {{.Updated}}"]).args(words).run()
}

#[test]
fn containers_get_the_images_that_their_labels_ask_for_and_go_back_if_their_units_fail() {
    require!(program "docker-registry");
    require!(program "skopeo");
    // Root's manager is the system's, which no test can play.
    only!(Full);
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    let image = registry.image("app:1");
    let archive = lab.work("archive");
    let version = |number: u32| Image::payload().config(json!({ "Labels": { "version": number.to_string() } }));
    let push = |number: u32| publish(&lab, &version(number), &image);
    let load = |number: u32| {
        fs::write(&archive, version(number).oci_archive("localhost/own:1")).expect("written");
        lab.rc(["load", "-q", "-i"]).arg(&archive).run().exits(0).stdout();
    };
    let start = |name: &str, policy: &str, image: &str| start(&lab, name, policy, &[image]);
    let update = |words: &[&str]| update(&lab, words);
    lab.rc(["auto-update"]).run().prints("");
    push(1);
    load(1);
    start("web", "registry", &image);
    start("own", "local", "localhost/own:1");
    start("off", "disabled", "localhost/own:1");
    let table = lab.rc(["auto-update"]).run().text();
    let cells: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(cells[0], ["UNIT", "CONTAINER", "IMAGE", "POLICY", "UPDATED"]);
    assert_eq!((cells[1][0], cells[1][2], cells[1][5]), ("own.service", "(own)", "false"));
    assert_eq!((cells[2][0], cells[2][3], cells[2][5]), ("web.service", &*image, "false"));
    push(2);
    load(2);
    update(&["--dry-run"]).prints("own.service local pending\nweb.service registry pending\n");
    let objects = lab.rc(["auto-update", "--dry-run", "--format", "json"]).run().json();
    assert_eq!((&objects[1]["ContainerName"], &objects[1]["Updated"]), (&json!("web"), &json!("pending")));
    let has = |image: &str| lab.rc(["image", "inspect", "-f", "{{.Labels.version}}", image]).run().text();
    assert_eq!((has("localhost/own:1"), has(&image)), ("2".to_owned(), "1".to_owned()));
    let played = manager(&lab, &["done", "done"]);
    update(&[]).prints("own.service local true\nweb.service registry true\n");
    assert_eq!(played.join().expect("a manager"), ["own.service", "web.service"]);
    assert_eq!(has(&image), "2");
    // The units here still run the old images.
    let played = manager(&lab, &["failed", "done", "failed"]);
    let output = update(&["--rollback=true"]);
    assert_eq!(played.join().expect("a manager"), ["own.service", "own.service", "web.service"]);
    assert!(output.stderr().contains("`own.service`: its job ended with `failed`; it has its old images"), "{output}");
    assert_eq!(has("localhost/own:1"), "1");
    assert!(output.stdout().starts_with("own.service local rolled back\nweb.service registry failed"), "{output}");
    load(2);
    let played = manager(&lab, &["failed", "done"]);
    let output = update(&["--rollback=false"]).exits(125);
    drop(played.join().expect("a manager"));
    assert_eq!(output.stdout(), "own.service local failed\nweb.service registry true\n");
    assert_eq!(has("localhost/own:1"), "2");
    let said = update(&[]).exits(125).stderr();
    assert!(said.contains("no service manager answers"), "{said}");
    // What is wrong with one container keeps no other from an update; a word without a meaning does.
    lab.rc(["rm", "-f", "-t", "0", "web", "own"]).run().succeeds();
    let label = "io.containers.autoupdate=local";
    let run = ["run", "-d", "--network", "none", "--name", "lost", "--label", label, "localhost/own:1"];
    lab.rc(run).args(["/payload", "sleep"]).run().exits(0).stdout();
    let said = update(&[]).exits(125).stderr();
    assert!(said.contains("cannot update `lost`: it has no label PODMAN_SYSTEMD_UNIT"), "{said}");
    start("odd", "sometimes", "localhost/own:1");
    let said = update(&[]).exits(125).stderr();
    assert!(said.contains("cannot update `odd`: auto-update policy `sometimes` must be registry"), "{said}");
    lab.rc(["rm", "-fa", "-t", "0"]).run().exits(0).stdout();
    registry.stop();
}

#[test]
fn a_container_of_another_platform_is_compared_with_that_and_an_image_in_another_form_is_not_newer() {
    require!(program "docker-registry");
    require!(program "skopeo");
    only!(Full);
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    let list = registry.image("app:1");
    let (own, other) = if cfg!(target_arch = "x86_64") { ("amd64", "386") } else { ("arm64", "amd64") };
    let publish = |versions: [u32; 2], packed: Compression| {
        let members = [(own, versions[0]), (other, versions[1])].map(|(architecture, version)| {
            let image = Image::new().packed_layer(payload_layer(), packed).architecture(architecture);
            let name = registry.image(&format!("app:{architecture}"));
            publish(&lab, &image.config(json!({ "Labels": { "version": version.to_string() } })), &name);
            name
        });
        lab.rc(["buildx", "imagetools", "create", "-t", &list]).args(members).run().says_nothing();
    };
    let has = || lab.rc(["image", "inspect", "-f", "{{.Architecture}} {{.Labels.version}}", &list]).run().text();
    publish([1, 1], Compression::Gzip);
    start(&lab, "web", "registry", &["--platform", &format!("linux/{other}"), &list]);
    update(&lab, &[]).prints("web.service registry false\n");
    // Another list, with the same image for this platform.
    publish([2, 1], Compression::Gzip);
    update(&lab, &[]).prints("web.service registry false\n");
    // The same images, which another manifest names. There is no manager who would restart the unit.
    publish([2, 1], Compression::Zstd);
    update(&lab, &[]).prints("web.service registry false\n");
    assert_eq!(has(), format!("{other} 1"));
    publish([2, 2], Compression::Gzip);
    let played = manager(&lab, &["done"]);
    update(&lab, &[]).prints("web.service registry true\n");
    assert_eq!(played.join().expect("a manager"), ["web.service"]);
    assert_eq!(has(), format!("{other} 2"));
    lab.rc(["rm", "-f", "-t", "0", "web"]).run().succeeds();
    registry.stop();
}
