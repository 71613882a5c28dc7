//! Volumes: `rc volume …`, and what their options mean to containers.

use std::fs;

use serde_json::json;

use crate::support::processes::waits_for_lock;
use crate::support::{Exit, Lab, Layer};

fn run(lab: &Lab, volume: &str, words: &[&str]) -> crate::support::Output {
    let before = ["run", "--rm", "--network", "none", "-v", volume, "payload", "/payload"];
    lab.rc(before.iter().copied().chain(words.iter().copied())).run()
}

#[test]
fn a_volume_is_created_shown_used_and_removed() {
    let lab = Lab::with_payload();
    lab.rc(["volume", "create", "--label", "app=shop", "-l", "tier", "data"]).run().prints("data\n");
    lab.rc(["volume", "exists", "data"]).run().says_nothing();
    run(&lab, "data:/v", &["write", "/v/file", "kept"]).says_nothing();
    run(&lab, "data:/v", &["read", "/v/file"]).prints("kept\n");
    let object = lab.rc(["volume", "inspect", "data"]).run().json()[0].clone();
    let place = lab.store().join("volumes/data/_data");
    assert_eq!(object["Mountpoint"], json!(place));
    assert_eq!(object["Labels"], json!({ "app": "shop", "tier": "" }));
    assert_eq!(
        (&object["Name"], &object["Driver"], &object["Scope"]),
        (&json!("data"), &json!("local"), &json!("local"))
    );
    assert_eq!((&object["Options"], &object["Anonymous"]), (&json!({}), &json!(false)));
    // A unique beginning is enough, as for podman.
    lab.rc(["volume", "inspect", "-f", "{{.Name}} {{.Labels.app}}", "da"]).run().prints("data shop\n");
    lab.rc(["volume", "mount", "data"]).run().prints(format!("{}\n", place.display()));
    lab.rc(["volume", "unmount", "data"]).run().prints("data\n");
    lab.rc(["volume", "ls"]).run().prints("DRIVER      VOLUME NAME\nlocal       data\n");
    lab.rc(["volume", "rm", "data"]).run().prints("data\n");
    assert!(!place.exists());
    let random = lab.rc(["volume", "create"]).run().text();
    assert!(random.trim().len() == 64 && random.trim().bytes().all(|byte| byte.is_ascii_hexdigit()), "{random}");
    lab.rc(["volume", "remove", random.trim()]).run().prints(format!("{random}\n"));
    assert!(lab.rc(["volume", "reload"]).run().exits(0).stderr().contains("nothing to do"));
}

#[test]
fn what_is_missing_in_use_or_wrong_has_the_code_and_the_words_of_podman() {
    let lab = Lab::with_payload();
    lab.rc(["volume", "create", "used"]).run().succeeds();
    lab.rc(["create", "--name", "web", "--network", "none", "-v", "used:/v", "payload", "/payload", "hang"])
        .run()
        .succeeds();
    for (line, code, words) in [
        ("volume rm ghost", 1, "no such volume: ghost"),
        ("volume rm used", 2, "the volume `used` is in use by `web`"),
        ("volume rm ghost used", 2, "in use"),
        ("volume rm", 125, "no volume was named"),
        ("volume rm -a used", 125, "--all"),
        ("volume rm -t 1 used", 125, "--force"),
        ("volume exists ghost", 1, ""),
        ("volume inspect ghost", 125, "no such volume: ghost"),
        ("volume inspect", 125, "no volume was named"),
        ("volume export ghost", 125, "no such volume: ghost"),
        ("volume import ghost -", 125, "no such volume: ghost"),
        ("volume mount ghost", 125, "no such volume: ghost"),
        ("volume create used", 125, "already exists"),
        ("volume create --ignore used", 0, ""),
        ("volume create ../x", 125, "must match"),
        ("volume create -d nfs x", 125, "`nfs` is not supported"),
        ("volume create -o type=nfs -o device=:/x x", 125, "only root can mount it"),
        ("volume create -o size=1m x", 125, "`size`: is unknown"),
        ("volume create -o o=uid=4000000000 x", 125, "not mapped"),
        ("volume create -l =x y", 125, "must have a name"),
        ("volume ls --filter ghost=1", 125, "unknown filter"),
        ("volume ls --format {{.Ghost}}", 125, "no such field"),
        ("volume prune --filter until=soon", 125, "until"),
        ("volume rm -f ghost", 0, ""),
    ] {
        let output = lab.rc(line.split(' ')).input("").run().exits(code);
        assert!(output.stderr().contains(words), "{line}: {output}");
    }
    // Nothing half-made is left.
    lab.rc(["volume", "ls", "-q"]).run().prints("used\n");
    // By force the containers are removed first, unless another one needs them.
    lab.rc(["create", "--name", "side", "--network", "container:web", "payload", "/payload", "hang"]).run().succeeds();
    let refused = lab.rc(["volume", "rm", "-f", "used"]).run().exits(2);
    assert!(refused.stderr().contains("cannot remove `web`: other containers need it: side"), "{refused}");
    lab.rc(["rm", "side"]).run().succeeds();
    lab.rc(["volume", "rm", "-f", "used"]).run().prints("used\n");
    lab.rc(["ps", "-aq"]).run().prints("");
}

#[test]
fn listings_are_filtered_and_formatted() {
    let lab = Lab::with_payload();
    for words in [&["a1", "-l", "app=shop"][..], &["a2"], &["b", "-o", "type=tmpfs", "-o", "o=size=1m"]] {
        lab.rc(["volume", "create"]).args(words).run().succeeds();
    }
    lab.rc(["create", "--network", "none", "-v", "a2:/v", "payload", "/payload", "hang"]).run().succeeds();
    for (filters, names) in [
        (&["name=^a"][..], "a1\na2\n"),
        (&["dangling=true"], "a1\nb\n"),
        (&["dangling=false"], "a2\n"),
        (&["label=app"], "a1\n"),
        (&["label!=app", "name=a"], "a2\n"),
        (&["opt=type=tmpfs"], "b\n"),
        (&["driver=local", "since=a1"], "a2\nb\n"),
        (&["until=1h"], ""),
    ] {
        let filters = filters.iter().flat_map(|filter| ["--filter", filter]);
        lab.rc(["volume", "ls", "-q"]).args(filters).run().prints(names);
    }
    let format = "table {{.Name}} {{.Scope}} {{.Anonymous}}";
    lab.rc(["volume", "ls", "-f", "name=a1", "--format", format])
        .run()
        .prints("VOLUME NAME SCOPE ANONYMOUS\na1 local false\n");
    let rows = lab.rc(["volume", "list", "--format", "json"]).run().json();
    assert_eq!(rows[2]["Options"], json!({ "o": "size=1m", "type": "tmpfs" }));
    let all = lab.rc(["volume", "inspect", "-a", "-f", "{{.Name}}"]).run();
    all.prints("a1\na2\nb\n");
    lab.rc(["volume", "ls", "-n"]).run().prints("local       a1\nlocal       a2\nlocal       b\n");
    lab.remove_containers();
    lab.rc(["volume", "rm", "-a"]).run().prints("a1\na2\nb\n");
}

#[test]
fn prune_asks_and_removes_what_no_container_uses() {
    let lab = Lab::with_payload();
    for name in ["one", "two", "busy"] {
        lab.rc(["volume", "create", name]).run().succeeds();
    }
    lab.rc([
        "create",
        "--name",
        "web",
        "--network",
        "none",
        "-v",
        "busy:/v",
        "-v",
        "/w",
        "payload",
        "/payload",
        "hang",
    ])
    .run()
    .succeeds();
    let unanswered = lab.rc(["volume", "prune"]).input("").run().exits(125);
    assert!(unanswered.stderr().contains("there is no answer"), "{unanswered}");
    for answer in ["n\n", "no\n"] {
        let asked = lab.rc(["volume", "prune"]).input(answer).run().text();
        assert!(asked.contains("WARNING!") && asked.contains("\none\n") && !asked.contains("busy"), "{asked}");
    }
    let done = lab.rc(["volume", "prune", "--filter", "name=one"]).input("y\n").run().text();
    assert!(done.ends_with("[y/N] one"), "{done}");
    lab.rc(["volume", "prune", "-f"]).run().prints("two\n");
    lab.rc(["volume", "prune", "--all", "--force"]).run().prints("");
    lab.rc(["volume", "ls", "-q"]).run().prints("busy\n");
    lab.rc(["rm", "web"]).run().succeeds();
    lab.rc(["volume", "prune", "-f", "--filter", "all=0"]).run().prints("");
    lab.rc(["volume", "prune", "-f"]).run().prints("busy\n");
}

#[test]
fn an_anonymous_volume_stays_without_its_container_unless_asked() {
    let lab = Lab::with_payload();
    let make = |name: &str| {
        let words =
            ["run", "--name", name, "--network", "none", "-v", "/v", "payload", "/payload", "write", "/v/f", "x"];
        lab.rc(words).run().succeeds();
    };
    make("one");
    let volume = lab.rc(["volume", "ls", "--format", "{{.Name}} {{.Anonymous}}"]).run().text();
    assert!(volume.ends_with(" true"), "{volume}");
    assert_eq!(lab.rc(["volume", "ls", "-q", "-f", "dangling=true"]).run().text(), "");
    lab.rc(["rm", "one"]).run().succeeds();
    assert_eq!(lab.rc(["volume", "ls", "-q", "-f", "dangling=true"]).run().text().lines().count(), 1);
    lab.rc(["volume", "prune", "-f", "--filter", "all=false"]).run().succeeds();
    make("two");
    lab.rc(["rm", "-v", "two"]).run().succeeds();
    lab.rc(["volume", "ls", "-q"]).run().prints("");
}

#[test]
fn options_bind_a_directory_or_make_a_tmpfs() {
    let lab = Lab::with_payload();
    fs::create_dir(lab.work("shared")).unwrap();
    fs::write(lab.work("shared/file"), "of the host\n").unwrap();
    let device = format!("device={}", lab.work("shared").display());
    let create = |name: &str, options: &[&str]| {
        let options = options.iter().flat_map(|option| ["-o", option]);
        lab.rc(["volume", "create"]).args(options).arg(name).run().succeeds();
    };
    create("bound", &["type=none", "o=bind", &device]);
    create("fixed", &["type=none", "o=bind,ro", &device]);
    create("memory", &["type=tmpfs", "device=tmpfs", "o=size=1m,mode=700"]);
    run(&lab, "bound:/v", &["read", "/v/file"]).prints("of the host\n");
    run(&lab, "bound:/v", &["write", "/v/new", "from inside"]).says_nothing();
    assert_eq!(fs::read_to_string(lab.work("shared/new")).unwrap(), "from inside\n");
    assert_ne!(run(&lab, "fixed:/v", &["write", "/v/no", "x"]).exit, Exit::Code(0));
    lab.rc(["volume", "inspect", "-f", "{{.Mountpoint}}", "bound"]).run().prints(format!("{}\n", &device[7..]));
    let report = run(&lab, "memory:/v", &["report"]).json();
    let mounts = report["mounts"].as_array().expect("mounts");
    let mount = mounts.iter().find(|mount| mount["path"] == "/v").expect("the volume");
    assert_eq!(mount["type"], "tmpfs", "{mount}");
    run(&lab, "memory:/v", &["write", "/v/x", "gone"]).says_nothing();
    run(&lab, "memory:/v", &["list", "/v"]).prints("");
    assert!(lab.rc(["volume", "export", "memory"]).run().exits(125).stderr().contains("is a tmpfs"));
    // What was bound stays when the volume is removed.
    lab.rc(["volume", "rm", "bound", "fixed", "memory"]).run().succeeds();
    assert!(lab.work("shared/new").exists());
}

#[test]
fn an_export_comes_back_by_an_import() {
    let lab = Lab::with_payload();
    lab.rc(["volume", "create", "from"]).run().succeeds();
    lab.rc(["volume", "create", "to"]).run().succeeds();
    run(&lab, "from:/v", &["write", "/v/file", "text"]).says_nothing();
    run(&lab, "from:/v", &["plant", "link", "/v/link", "/etc/passwd"]).says_nothing();
    run(&lab, "from:/v", &["deep", "/v", "30"]).succeeds();
    // An archive has whole seconds only.
    let tree = |volume: &str| {
        let tree = run(&lab, volume, &["tree", "/v"]).text();
        let is_time = |word: &str| word.contains('.') && word.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit());
        let line = |line: &str| line.split(' ').filter(|word| !is_time(word)).collect::<Vec<_>>().join(" ");
        tree.lines().map(line).collect::<Vec<_>>()
    };
    let archive = lab.rc(["volume", "export", "from"]).run().exits(0).stdout;
    assert_eq!(archive, lab.rc(["volume", "export", "from"]).run().stdout, "the same files, the same archive");
    lab.rc(["volume", "export", "-o", "from.tar", "from"]).directory(lab.work("")).run().says_nothing();
    assert_eq!(fs::read(lab.work("from.tar")).unwrap(), archive);
    lab.rc(["volume", "import", "to", "-"]).input(archive.clone()).run().says_nothing();
    assert_eq!(tree("to:/v"), tree("from:/v"));
    // What an archive does not name stays, and a compressed one is an archive, too.
    run(&lab, "to:/v", &["write", "/v/own", "stays"]).says_nothing();
    fs::write(lab.work("from.tar.gz"), crate::support::image::gzip(&archive)).unwrap();
    lab.rc(["volume", "import", "to", "from.tar.gz"]).directory(lab.work("")).run().says_nothing();
    run(&lab, "to:/v", &["read", "/v/own"]).prints("stays\n");
    assert!(lab.rc(["volume", "import", "to"]).input("no archive").run().exits(125).stderr().contains("archive"));
}

#[test]
fn an_import_waits_for_a_start_that_copies_files_into_the_volume() {
    let lab = Lab::with_payload();
    lab.rc(["volume", "create", "v"]).run().succeeds();
    let directory = lab.store().join("volumes/v");
    // What such a start holds.
    let held = fs::File::create(directory.join("lock")).expect("a lock");
    held.lock().expect("locked");
    let archive = Layer::new().file("file", 0o644, b"text").bytes();
    let importing = lab.rc(["volume", "import", "v"]).input(archive).start();
    waits_for_lock(importing.pid());
    assert!(!directory.join("used").exists() && !directory.join("_data/file").exists());
    drop(held);
    importing.wait().says_nothing();
    assert!(directory.join("used").exists() && directory.join("_data/file").exists());
}

#[test]
fn v4_no_link_leads_an_export_or_an_import_out_of_the_volume() {
    let lab = Lab::with_payload();
    lab.rc(["volume", "create", "v"]).run().succeeds();
    fs::create_dir(lab.work("outside")).unwrap();
    fs::write(lab.work("outside/secret"), "canary\n").unwrap();
    let outside = lab.work("outside").display().to_string();
    run(&lab, "v:/v", &["plant", "link", "/v/out", &outside]).says_nothing();
    run(&lab, "v:/v", &["plant", "fifo", "/v/fifo"]).says_nothing();
    let archive = lab.rc(["volume", "export", "v"]).run().exits(0).stdout;
    assert!(!archive.windows(6).any(|bytes| bytes == b"canary"), "the link itself is in the archive");
    let hostile = Layer::new().file("out/planted", 0o644, b"x").file("../../../planted", 0o644, b"x").bytes();
    let answer = lab.rc(["volume", "import", "v"]).input(hostile).run();
    assert!(!lab.work("outside/planted").exists(), "{answer}");
    assert_eq!(fs::read_dir(lab.work("outside")).unwrap().count(), 1);
}

#[test]
fn a_new_volume_that_is_mounted_read_only_starts_with_the_image_s_files() {
    let lab = Lab::new();
    let layer = Layer::new().directory("etc/", 0o755).file("etc/own", 0o644, b"image");
    lab.rc(["load", "-q"])
        .input(crate::support::Image::payload().layer(layer.bytes()).oci_archive("payload"))
        .run()
        .succeeds();
    let mount = "--mount=type=volume,src=more,dst=/etc,ro";
    for options in [&["-v", "new:/etc:ro"][..], &[mount], &["--read-only", "-v", "last:/etc:ro"]] {
        let options = options.iter().chain(&["payload", "/payload"]).copied();
        let run = ["run", "--rm", "--network", "none"].into_iter().chain(options);
        let run = |words: &[&str]| lab.rc(run.clone().chain(words.iter().copied())).run();
        run(&["read", "/etc/own"]).prints("image");
        let refused = run(&["write", "/etc/more", "text"]).exits(99).stderr();
        assert!(refused.contains("Read-only file system"), "{refused}");
    }
    run(&lab, "empty:/nothing:ro", &["list", "/nothing"]).says_nothing();
}

/// Makes an anonymous volume that nobody has used, of a container that does not exist: as a start has that is under
/// way, or that was killed. Nothing else runs.
fn lose_a_volume(lab: &Lab, digits: &str) {
    lab.settle();
    let name = digits.repeat(64 / digits.len());
    let volume = lab.store().join("volumes").join(&name);
    fs::create_dir_all(volume.join("_data")).expect("a directory");
    let record = json!({ "name": name, "created": "2026-01-01T00:00:00Z", "isAnonymous": true });
    fs::write(volume.join("volume.json"), record.to_string()).expect("a record");
}

#[test]
fn who_removes_volumes_while_a_start_has_the_store_does_not_wait_for_it() {
    let lab = Lab::with_payload();
    lose_a_volume(&lab, "0a");
    let run = ["run", "--network", "none", "-v", "/v", "--pidfile"];
    let failed = lab.rc(run).arg(lab.work("no/such")).args(["payload", "/payload", "exit", "0"]).run().exits(125);
    assert!(failed.stderr().contains("no/such`: no such file or directory"), "{failed}");
    let create = ["pod", "create", "--network", "none", "--name", "p", "--replace"];
    lab.rc(create).run().succeeds();
    lab.rc(["create", "--pod", "p", "-v", "/v", "payload", "/payload", "exit", "0"]).run().succeeds();
    lose_a_volume(&lab, "0b");
    lab.rc(create).run().succeeds();
    lab.rc(["pod", "rm", "p"]).run().succeeds();
    lab.rc(["volume", "ls", "-q"]).run().prints("");
}
