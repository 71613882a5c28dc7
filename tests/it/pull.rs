//! `rc pull`, and `--pull` of run, from Debian's registry.

use std::net::TcpListener;

use serde_json::json;

use crate::support::image::{Compression, Image, Layer, payload_layer};
use crate::support::registry::Registry;
use crate::support::{Exit, Lab, wait};

/// Pushes an image to the registry as `name`; returns its full name.
#[track_caller]
fn push(lab: &Lab, registry: &Registry, image: &Image, name: &str, more: &[&str]) -> String {
    let archive = lab.work(name.replace([':', '/'], "-"));
    std::fs::write(&archive, image.oci_archive("x:1")).expect("the archive can be written");
    let target = registry.image(name);
    lab.program("skopeo", ["--insecure-policy", "copy", "-q", "--dest-tls-verify=false"])
        .args(more)
        .arg(format!("oci-archive:{}", archive.display()))
        .arg(format!("docker://{target}"))
        .run()
        .says_nothing();
    target
}

/// The number of blobs that were requested from the registry.
fn fetched(registry: &Registry) -> usize {
    registry.log().lines().filter(|line| line.contains("\"GET /v2/") && line.contains("/blobs/")).count()
}

#[test]
fn the_id_alone_goes_to_standard_output_and_progress_to_standard_error() {
    require!(program "docker-registry");
    require!(program "skopeo");
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    let layer = Layer::new().file("a", 0o644, b"1").bytes();
    for (name, packed, format) in [
        ("one:oci", Compression::Gzip, "oci"),
        ("two:docker", Compression::Gzip, "v2s2"),
        ("three:zstd", Compression::Zstd, "oci"),
    ] {
        let image = Image::new().packed_layer(layer.clone(), packed).config(json!({ "Cmd": [name] }));
        let whole = push(&lab, &registry, &image, name, &["--format", format]);
        let output = lab.rc(["pull"]).arg(&whole).run().exits(0);
        let id = output.stdout();
        assert!(id.len() == 65 && id.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()), "{id:?}");
        assert!(output.stderr().starts_with(&format!("Trying to pull {whole}...\n")), "{}", output.stderr());
        lab.rc(["pull", "-q"]).arg(&whole).run().prints(id);
    }
    registry.stop();
}

#[test]
fn pulls_of_one_image_at_the_same_time_fetch_each_blob_once() {
    require!(program "docker-registry");
    require!(program "skopeo");
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    let layer = |name: &str| Layer::new().file(name, 0o644, &vec![7; 1 << 20]).bytes();
    let image = ["a", "b", "c"].iter().fold(Image::new(), |image, name| image.layer(layer(name)));
    let whole = push(&lab, &registry, &image, "app:1", &[]);
    let pulls: Vec<_> = (0..8).map(|_| lab.rc(["pull", "-q"]).arg(&whole).start()).collect();
    for pull in pulls {
        assert_eq!(pull.wait().exit, Exit::Code(0));
    }
    // Three layers and the configuration; the registry writes its log after it answers.
    wait::until("the registry's log to show all", || (fetched(&registry) >= 4).then_some(()));
    assert_eq!(fetched(&registry), 4, "{}", registry.log());
    // Of an image with the same layers and one more, only that is fetched, and its configuration.
    let larger = push(&lab, &registry, &image.layer(layer("d")), "larger:1", &[]);
    lab.rc(["pull", "-q"]).arg(&larger).run().succeeds();
    wait::until("the registry's log to show both", || (fetched(&registry) >= 6).then_some(()));
    assert_eq!(fetched(&registry), 6, "{}", registry.log());
    registry.stop();
}

#[test]
fn run_pulls_a_missing_image_unless_the_policy_forbids_it() {
    require!(program "docker-registry");
    require!(program "skopeo");
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    let image = Image::new().layer(payload_layer());
    let whole = push(&lab, &registry, &image, "payload:1", &[]);
    let run = |policy: &str| {
        lab.rc(["run", "--rm", "-q", "--network", "none", "--pull", policy])
            .arg(&whole)
            .args(["/payload", "echo", "hi"])
            .run()
    };
    run("never").fails(
        125,
        format!(
            "rc: no such image: {whole}\n\
             hint: not found locally, and the pull policy is \"never\": run `rc pull {whole}`, or allow pulling with \
             `--pull=missing`\n"
        ),
    );
    for policy in ["missing", "never", "always", "newer"] {
        run(policy).prints("hi\n");
    }
    registry.stop();
    for policy in ["missing", "newer"] {
        run(policy).prints("hi\n");
    }
    assert!(run("always").exits(125).stderr().contains("connection refused"));
}

/// The records of all layers, with this name.
fn records(lab: &Lab, name: &str) -> Vec<std::path::PathBuf> {
    let inside = |directory: std::path::PathBuf| {
        let entries = std::fs::read_dir(directory).into_iter().flatten();
        entries.map(|entry| entry.expect("an entry").path())
    };
    let layers = inside(lab.store().join("layers")).flat_map(inside);
    layers.map(|layer| layer.join(name)).filter(|record| record.exists()).collect()
}

#[test]
fn what_a_power_cut_took_from_the_last_pull_is_pulled_again_by_run() {
    require!(program "docker-registry");
    require!(program "skopeo");
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    let image = Image::new().layer(payload_layer()).layer(Layer::new().file("more", 0o644, b"more").bytes());
    let whole = push(&lab, &registry, &image, "payload:1", &[]);
    let run = || {
        let run = lab.rc(["run", "--rm", "--network", "none"]).arg(&whole);
        run.args(["/payload", "echo", "whole"]).run()
    };
    lab.rc(["pull", "-q"]).arg(&whole).run().succeeds();
    // A process that nobody waits for says that the layers are on disk.
    wait::until("the layers to be on disk", || (records(&lab, "info").len() == 2).then_some(()));
    assert_eq!(records(&lab, "unsynced").len(), 0);
    run().prints("whole\n");
    let blobs: Vec<_> = std::fs::read_dir(lab.store().join("images/blobs/sha256")).expect("blobs").collect();
    let largest = blobs.into_iter().map(|blob| blob.expect("a blob").path());
    let largest = largest.max_by_key(|blob| blob.metadata().expect("a blob").len()).expect("a blob");
    let right = std::fs::read(&largest).expect("a blob can be read");
    for length in [0, right.len() / 2, right.len()] {
        // The power went off before anything but names had reached the disk.
        for info in records(&lab, "info") {
            let record = r#"{"size":1,"skipped":{"devices":0,"attributes":0},"boot":"another"}"#;
            std::fs::write(info.with_file_name("unsynced"), record).expect("a record can be written");
            std::fs::remove_file(info).expect("a record can be removed");
        }
        let mut lost = right[..length].to_vec();
        if let Some(byte) = lost.last_mut() {
            *byte ^= 1;
        }
        std::fs::write(&largest, lost).expect("a blob can be cut");
        let never = lab.rc(["run", "--rm", "--network", "none", "--pull", "never"]).arg(&whole).run().exits(125);
        assert!(never.stderr().ends_with("hint: pull the image again: `rc pull IMAGE`\n"), "{never}");
        let again = run().exits(0);
        assert_eq!(again.stdout(), "whole\n", "{length}");
        assert!(again.stderr().starts_with(&format!("Trying to pull {whole}...")), "{again}");
        assert!(std::fs::read(&largest).expect("a blob can be read") == right, "{length}");
        wait::until("the layers to be on disk", || (records(&lab, "info").len() == 2).then_some(()));
        run().prints("whole\n");
    }
    registry.stop();
    std::fs::write(&largest, "").expect("a blob can be cut");
    lab.rc(["unshare", "sh", "-c"]).arg(format!("rm -rf {}/layers/*", lab.store().display())).run().succeeds();
    let error = run().exits(125);
    assert!(error.stderr().contains("in the store is damaged") || error.stderr().contains("is not in the store"));
    assert!(error.stderr().ends_with("hint: pull the image again: `rc pull IMAGE`\n"), "{error}");
}

#[test]
fn a_killed_pull_leaves_only_what_the_next_one_uses() {
    require!(program "docker-registry");
    require!(program "skopeo");
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    let layer = Layer::new().file("a", 0o644, &vec![7; 64 << 20]).bytes();
    let whole = push(&lab, &registry, &Image::new().packed_layer(layer, Compression::None), "app:1", &[]);
    let was_killed = (0..20).any(|_| {
        let pull = lab.rc(["pull"]).arg(&whole).start();
        pull.error_line("Trying to pull");
        // If this thread had to wait for a CPU, it may have exited.
        pull.kill_if_alive();
        let was_killed = pull.wait().exit == Exit::Signal(9);
        if !was_killed {
            lab.rc(["rmi", &whole]).run().succeeds();
        }
        was_killed
    });
    assert!(was_killed);
    assert_eq!(lab.rc(["pull", "-q"]).arg(&whole).run().exits(0).stderr(), "");
    let tmp = std::fs::read_dir(lab.store().join("tmp")).expect("the directory is there").count();
    assert_eq!(tmp, 0);
    registry.stop();
}

/// Standard error says what rc waits for, with `-q` too.
#[test]
fn a_registry_that_stops_within_a_layer_is_named_while_rc_waits() {
    use std::io::{BufRead as _, BufReader, Write as _};
    let lab = Lab::new();
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port of loopback");
    let host = listener.local_addr().expect("an address").to_string();
    let digest = |byte: &str| format!("sha256:{}", byte.repeat(64));
    let manifest = json!({
        "schemaVersion": 2,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest("a"), "size": 1000
        },
        "layers": [],
    });
    let manifest = manifest.to_string();
    // The second half of the configuration never comes.
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let manifest = manifest.clone();
            std::thread::spawn(move || {
                let mut lines = BufReader::new(stream);
                loop {
                    let mut head = String::new();
                    while !head.ends_with("\r\n\r\n") {
                        if lines.read_line(&mut head).unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    let body = if head.contains("/manifests/") { &manifest } else { "{" };
                    let length = if head.contains("/blobs/") { 1000 } else { body.len() };
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
                    if lines.get_mut().write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let pull = lab.rc(["pull", "-q", &format!("{host}/app:1")]).start();
    pull.error_line(&format!("rc: warning: `{host}` has sent only a part of its configuration in 10 seconds"));
    pull.kill(crate::support::Signal::KILL);
    assert_eq!(pull.wait().exit, Exit::Signal(9));
    // The next command that changes images removes what was left.
    lab.rc(["rmi", "-fa"]).run().succeeds();
}

#[test]
fn a_registry_elsewhere_is_reached_by_the_proxy_of_the_environment() {
    use std::io::{Read as _, Write as _};
    let lab = Lab::new();
    let proxy = TcpListener::bind(("127.0.0.1", 0)).expect("a port of loopback");
    let address = format!("http://{}", proxy.local_addr().expect("an address"));
    let pull = lab.rc(["pull", "-q", "registry.example/app:1"]).env("HTTPS_PROXY", &address).start();
    let (mut connection, _) = proxy.accept().expect("rc asks the proxy");
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte).expect("a request");
        request.extend(byte);
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    assert!(request.starts_with("CONNECT registry.example:443 HTTP/1.1\r\n"), "{request}");
    // The proxy sees neither the request nor the credentials.
    assert!(!request.to_ascii_lowercase().contains("app"), "{request}");
    connection.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").expect("an answer");
    drop((connection, proxy));
    assert!(pull.wait().exits(125).stderr().contains("registry.example"));
}

/// The proxy that the variable names is reached directly; the address is this host's, but not spelled as loopback.
#[test]
fn a_registry_that_needs_no_proxy_is_reached_without_it() {
    use std::io::Read as _;
    let lab = Lab::new();
    for no_proxy in ["0.0.0.0", "registry.example, 0.0.0.0/8", "0.0.0.0:PORT", "*"] {
        let [registry, proxy] = [(); 2].map(|()| TcpListener::bind(("127.0.0.1", 0)).expect("a port of loopback"));
        let port = |listener: &TcpListener| listener.local_addr().expect("an address").port().to_string();
        let name = format!("0.0.0.0:{}/app:1", port(&registry));
        let pull = lab.rc(["pull", "-q", &name]).env("NO_PROXY", no_proxy.replace("PORT", &port(&registry)));
        let pull = pull.env("HTTPS_PROXY", format!("http://127.0.0.1:{}", port(&proxy))).start();
        for listener in [&registry, &proxy] {
            listener.set_nonblocking(true).expect("a listener can be asked without waiting");
        }
        let asked = || [registry.accept(), proxy.accept()].map(Result::ok);
        let [direct, other] =
            wait::until("rc asks", || Some(asked()).filter(|asked| asked.iter().any(Option::is_some)));
        assert!(other.is_none(), "the proxy was asked in spite of `{no_proxy}`");
        let (mut connection, _) = direct.expect("the registry was asked");
        let mut first = [0];
        connection.set_nonblocking(false).expect("a connection can be waited for");
        connection.read_exact(&mut first).expect("a handshake begins");
        assert_eq!(first, [22], "a record of a TLS handshake");
        drop((connection, registry, proxy));
        drop(pull.wait().exits(125));
    }
}

#[test]
fn a_certificate_is_trusted_by_file_by_directory_or_not_at_all() {
    require!(program "docker-registry");
    require!(program "skopeo");
    let lab = Lab::new();
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let pem = own.cert.pem();
    let registry = Registry::with_certificate(&lab, &pem, &own.signing_key.serialize_pem());
    let image = Image::new().layer(Layer::new().file("a", 0o644, b"1").bytes());
    let whole = push(&lab, &registry, &image, "app:1", &[]);
    let host = &registry.address;
    let distrust = format!(
        "rc: cannot pull `{whole}`: cannot trust `{host}`: its certificate comes from an authority that this system \
         does not know\n\
         hint: put the registry's CA into `~/.config/containers/certs.d/{host}/ca.crt`, or skip verification with \
         `--tls-verify=false`\n"
    );
    for verify in [None, Some("--tls-verify")] {
        lab.rc(["pull", "-q"]).args(verify).arg(&whole).run().fails(125, distrust.clone());
    }
    let (file, directory) = (lab.work("ours.pem"), lab.work("ours"));
    std::fs::write(&file, &pem).expect("a certificate can be written");
    std::fs::create_dir(&directory).expect("a directory can be made");
    std::fs::write(directory.join("any-name"), &pem).expect("a certificate can be written");
    std::fs::write(directory.join("README"), "no certificate").expect("a file can be written");
    let pull = || lab.rc(["pull", "-q"]).arg(&whole);
    let id = pull().arg("--tls-verify=false").run().exits(0).stdout();
    pull().env("SSL_CERT_FILE", &file).run().prints(&id);
    pull().env("SSL_CERT_DIR", &directory).run().prints(&id);
    pull().env("SSL_CERT_FILE", "/nowhere").env("SSL_CERT_DIR", lab.work("nowhere")).run().fails(125, distrust);
    registry.stop();
}

/// The configuration of registries: a mirror that is down, one that lacks the image, and the registry elsewhere.
#[test]
fn images_come_from_where_the_configuration_of_registries_says() {
    require!(program "docker-registry");
    require!(program "skopeo");
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    let image = Image::new().layer(Layer::new().file("a", 0o644, b"1").bytes());
    let whole = push(&lab, &registry, &image, "inner/app:1", &[]);
    let id = lab.rc(["pull", "-q", &whole]).run().text();
    lab.rc(["rmi", "-fa"]).run().succeeds();
    let host = &registry.address;
    let directory = lab.root().join("config/containers");
    std::fs::create_dir_all(directory.join("registries.conf.d")).expect("a directory can be made");
    let text = format!(
        "[[registry]]\nprefix = \"elsewhere.example/team\"\nlocation = \"{host}/inner\"\n\
         [[registry.mirror]]\nlocation = \"127.0.0.1:1/x\"\n[[registry.mirror]]\nlocation = \"{host}/lacks\"\n"
    );
    std::fs::write(directory.join("registries.conf"), text).expect("a file can be written");
    let blocked = "[[registry]]\nlocation = \"blocked.example\"\nblocked = true\n";
    std::fs::write(directory.join("registries.conf.d/1.conf"), blocked).expect("a file can be written");
    let output = lab.rc(["pull", "-q", "--retry", "0", "elsewhere.example/team/app:1"]).run().exits(0);
    assert_eq!(output.stdout().trim_end(), id);
    let said = output.stderr();
    assert!(said.contains("rc: warning: mirror `127.0.0.1:1/x/app`: cannot reach `127.0.0.1:1`"), "{said}");
    assert!(said.contains("rc: warning: mirror `") && said.contains("lacks/app`: "), "{said}");
    let names = lab.rc(["images", "--format", "{{.Repository}}:{{.Tag}}"]).run().text();
    assert_eq!(names, "elsewhere.example/team/app:1");
    lab.rc(["push", "-q", "elsewhere.example/team/app:1", "elsewhere.example/team/new:1"]).run().says_nothing();
    lab.rc(["pull", "-q", &registry.image("inner/new:1")]).run().prints(format!("{id}\n"));
    for command in [&["pull", "-q"][..], &["push", "-q", "elsewhere.example/team/app:1"]] {
        let output = lab.rc(command).arg("blocked.example/app:1").run().exits(125);
        let file = directory.join("registries.conf.d/1.conf");
        assert_eq!(output.stderr(), format!("rc: `blocked.example` is blocked in `{}`\n", file.display()));
    }
    std::fs::write(directory.join("registries.conf"), "[[registry]]\n").expect("a file can be written");
    let output = lab.rc(["pull", "-q", &whole]).run().exits(125);
    let expected = "registries.conf`: a `[[registry]]` needs a `location` or a `prefix`";
    assert!(output.stderr().contains(expected), "{output}");
    registry.stop();
}
