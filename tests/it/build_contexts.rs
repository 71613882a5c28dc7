//! `rc build`: contexts that are no directories, and contexts with names.

use std::fs;
use std::os::unix::fs::symlink;

use crate::build::{base, lab as lab_with, play, write};
use crate::support::image::gzip;
use crate::support::{Exit, Image, Lab, Layer, Output, Page, Repository, Signal, Web};

const DOCKERFILE: &[u8] = b"FROM localhost/base\nCOPY a b/ /files/\n";

fn lab() -> Lab {
    let lab = Lab::new();
    base(&lab);
    lab
}

/// An archive with a Dockerfile and two files, one of which is ignored.
fn archive() -> Vec<u8> {
    let layer = Layer::new().file("Dockerfile", 0o644, DOCKERFILE).file(".dockerignore", 0o644, b"b/ignored\n");
    let layer = layer.file("./a", 0o640, b"of a").directory("b/", 0o750).file("b/c", 0o644, b"of c");
    layer.file("b/ignored", 0o644, b"x").bytes()
}

fn build(lab: &Lab, words: &[&str], input: Vec<u8>) -> Output {
    lab.rc(["build", "-q", "-t", "localhost/made"]).args(words).input(input).run()
}

#[track_caller]
fn has_files(lab: &Lab) {
    let seen = play(lab, &["sh", "-c", "cd /files && echo * && cat a c && stat -c %a-%u-%g a"]);
    seen.prints("a c\nof aof c640-0-0\n");
    lab.rc(["rmi", "-f", "localhost/made"]).run().succeeds();
}

#[test]
fn an_archive_is_a_context_from_input_from_a_file_and_from_a_server() {
    let lab = lab();
    let xz = {
        let mut writer = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::default()).expect("xz");
        std::io::Write::write_all(&mut writer, &archive()).expect("packed");
        writer.finish().expect("packed")
    };
    let bzip2 = {
        let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        std::io::Write::write_all(&mut writer, &archive()).expect("packed");
        writer.finish().expect("packed")
    };
    let zstd = zstd::encode_all(&archive()[..], 3).expect("packed");
    for bytes in [archive(), gzip(&archive()), xz, bzip2, zstd] {
        build(&lab, &["-"], bytes).succeeds();
        has_files(&lab);
    }
    fs::write(lab.work("context.tar.gz"), gzip(&archive())).expect("written");
    build(&lab, &["context.tar.gz"], Vec::new()).succeeds();
    has_files(&lab);
    let web = Web::new();
    web.file("/x/context.tar", archive(), "1");
    for _ in 0..2 {
        build(&lab, &[&web.url("/x/context.tar")], Vec::new()).succeeds();
        has_files(&lab);
    }
    // The second time the server says that it is the same.
    assert_eq!(web.log(), [("/x/context.tar".to_owned(), 200), ("/x/context.tar".to_owned(), 304)]);
    // A Dockerfile of another name is in the context, and nowhere else.
    write(&lab, "../Other", "FROM localhost/base\nRUN exit 9\n");
    let other = Layer::new().file("sub/Other", 0o644, b"FROM localhost/base\nCOPY sub /files\n").bytes();
    build(&lab, &["-f", "sub/Other", "-"], other.clone()).succeeds();
    let missing = build(&lab, &["-f", "Other", "-"], other).exits(125).stderr();
    assert!(missing.contains("no such Dockerfile in the context: `Other`"), "{missing}");
    assert!(build(&lab, &["-"], Layer::new().bytes()).exits(125).stderr().contains("the context has no Containerfile"));
}

#[test]
fn a_dockerfile_comes_from_input_or_from_a_server_without_a_context() {
    let lab = lab();
    let web = Web::new();
    web.file("/Dockerfile", "FROM localhost/base\nRUN echo made >/f\n", "1");
    for (words, input) in [
        (vec![web.url("/Dockerfile")], ""),
        (vec!["-".to_owned()], "FROM localhost/base\nRUN echo made >/f\n"),
        (vec!["-f".to_owned(), web.url("/Dockerfile"), ".".to_owned()], ""),
    ] {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        build(&lab, &words, input.into()).succeeds();
        play(&lab, &["cat", "/f"]).prints("made\n");
    }
    let alone = build(&lab, &["-"], b"FROM localhost/base\nCOPY a /\n".to_vec()).exits(125).stderr();
    assert!(alone.contains("no context to take files from"), "{alone}");
    for (words, input, message) in [
        (&["-f", "-", "-"][..], &b"FROM scratch\n"[..], "both the context and the Dockerfile"),
        (&["--build-context", "x=-", "-"], b"FROM scratch\n", "standard input is read once"),
        (&["-"], b"FROM \0scratch", "neither an archive nor a Dockerfile"),
        (&["-f", "other", "-"], b"FROM scratch\n", "`--file` cannot name another"),
        (&["Dockerfile"], b"", "neither a directory nor an archive"),
        (&["nowhere"], b"", "no such context"),
        (&["ftp://h/x"], b"", "no contexts of `ftp://`"),
        (&["file:///etc"], b"", "no contexts of `file://`"),
        (&["docker-image://localhost/base"], b"", "cannot be the context"),
    ] {
        write(&lab, "../Dockerfile", "FROM scratch\n");
        let refused = build(&lab, words, input.to_vec()).exits(125).stderr();
        assert!(refused.contains(message), "{words:?}: {refused}");
    }
    let refused = build(&lab, &[&web.url("/nowhere")], Vec::new()).exits(125).stderr();
    assert!(refused.contains("answered 404 for `http://127.0.0.1:"), "{refused}");
}

#[test]
fn b4_nothing_in_an_archive_leads_out_of_it() {
    let lab = lab();
    let canary = lab.work("canary");
    fs::write(&canary, "FROM localhost/base\nRUN exit 9\n").expect("written");
    let path = canary.display().to_string();
    for target in [path.as_str(), "../canary", "../../../../../../../../../../etc/passwd"] {
        let linked = Layer::new().symlink("Dockerfile", target).bytes();
        let refused = build(&lab, &["-"], linked).exits(125).stderr();
        assert!(refused.contains("link out of the context"), "{target}: {refused}");
        let ignored = Layer::new().file("Dockerfile", 0o644, b"FROM scratch\n").symlink(".dockerignore", target);
        assert!(build(&lab, &["-"], ignored.bytes()).exits(125).stderr().contains("link out of the context"));
        // Written through a link, and copied through one.
        let through =
            Layer::new().symlink("out", target).file("out", 0o644, b"mine").file("Dockerfile", 0o644, DOCKERFILE);
        let through = through.file("a", 0o644, b"a").symlink("b", target);
        build(&lab, &["-"], through.bytes()).exits(125).stderr();
    }
    let climbing = Layer::new().file("../../canary", 0o644, b"mine").file("/canary", 0o644, b"mine");
    let climbing = climbing.file("Dockerfile", 0o644, b"FROM localhost/base\nCOPY canary /f\n").bytes();
    build(&lab, &["-"], climbing).succeeds();
    play(&lab, &["cat", "/f"]).prints("mine");
    let cut = archive()[..1024].to_vec();
    build(&lab, &["-"], cut).exits(125).stderr();
    assert_eq!(fs::read_to_string(&canary).expect("there"), "FROM localhost/base\nRUN exit 9\n");
}

#[test]
fn a_repository_is_a_context_by_branch_tag_commit_and_directory() {
    let lab = lab();
    let repository = Repository::new(&lab, "repository");
    let dockerfile = "FROM localhost/base\nCOPY . /files\nRUN cat /files/f; ls /files/.git && echo has git || true\n";
    repository.write("Dockerfile", dockerfile).write("f", "first").write("sub/Dockerfile", dockerfile);
    let first = repository.write("sub/f", "of sub").commit();
    repository.git(&["tag", "-a", "-m", "x", "v1"]);
    repository.git(&["branch", "side"]);
    repository.write("f", "second").commit();
    repository.git(&["tag", "side"]);
    let web = Web::new();
    web.repository("/a.git", &repository.directory);
    let url = web.url("/a.git");
    let short = &first[..8];
    for (end, expected) in [
        ("", "second"),
        ("#main", "second"),
        ("#v1", "first"),
        ("#side", "first"),
        ("?tag=side", "second"),
        ("?branch=side", "first"),
        (&format!("#{first}"), "first"),
        (&format!("#{short}"), "first"),
        (&format!("?commit={first}"), "first"),
        (&format!("?ref=v1&checksum={short}"), "first"),
        ("#main:sub", "of sub"),
        ("#:sub/", "of sub"),
        ("?ref=v1&subdir=sub", "of sub"),
    ] {
        build(&lab, &[&format!("{url}{end}")], Vec::new()).succeeds();
        play(&lab, &["cat", "/files/f"]).prints(expected);
        play(&lab, &["ls", "/files/.git"]).fails(1, "ls: /files/.git: No such file or directory\n");
    }
    for words in [&["--build-arg", "BUILDKIT_CONTEXT_KEEP_GIT_DIR=1", &url][..], &[&format!("{url}?keep-git-dir=true")]]
    {
        build(&lab, words, Vec::new()).succeeds();
        play(&lab, &["ls", "/files/.git/HEAD"]).prints("/files/.git/HEAD\n");
    }
    for (end, message) in [
        ("#nowhere", "has no branch, tag or commit `nowhere`"),
        ("?branch=v1", "has no branch, tag or commit `v1`"),
        ("#1234567", "has no branch, tag or commit `1234567`"),
        ("?ref=main&checksum=1234567", "not 1234567"),
        ("#main:f", "`f` is no directory"),
        ("#main:nowhere", "`nowhere` is no directory"),
        ("#--upload-pack=x", "cannot be a branch"),
    ] {
        let refused = build(&lab, &[&format!("{url}{end}")], Vec::new()).exits(125).stderr();
        assert!(refused.contains(message), "{end}: {refused}");
    }
    let refused = build(&lab, &[&web.url("/b.git")], Vec::new()).exits(125).stderr();
    assert!(refused.contains("cannot fetch"), "{refused}");
    // What is asked for is checked, too.
    lab.rc(["build", "--check", &url]).run().prints("Check complete, no warnings found.\n");
}

#[test]
fn b5_a_repository_runs_nothing_and_leads_nowhere() {
    let lab = lab();
    let repository = Repository::new(&lab, "repository");
    let canary = lab.work("canary");
    fs::create_dir(&canary).expect("made");
    fs::write(canary.join("Dockerfile"), "FROM localhost/base\nRUN exit 9\n").expect("written");
    symlink(&canary, repository.directory.join("away")).expect("linked");
    repository.write("Dockerfile", "FROM localhost/base\nCOPY . /files\n").write("real/f", "x");
    symlink("real", repository.directory.join("inner")).expect("linked");
    // Attributes name a filter, which no configuration defines; submodules are somewhere else.
    repository.write(".gitattributes", "* filter=evil\n");
    let touch = format!("ext::touch {}", canary.join("touched").display());
    let modules = format!("[submodule \"m\"]\n\tpath = m\n\turl = {touch}\n");
    repository.write(".gitmodules", &modules).commit();
    let web = Web::new();
    web.repository("/a.git", &repository.directory);
    let url = web.url("/a.git");
    // Configuration of the user's that would run programs.
    let run = lab.script("run", &format!("#!/bin/sh\ntouch {}\n", canary.join("touched").display()));
    let home = lab.root().join("home");
    let text = format!(
        "[core]\n\tfsmonitor = {run}\n\thooksPath = {home}\n[filter \"evil\"]\n\tsmudge = {run}\n\
        [protocol]\n\tallow = always\n",
        run = run.display(),
        home = home.display()
    );
    fs::write(home.join(".gitconfig"), text).expect("written");
    symlink(&run, home.join("post-checkout")).expect("linked");
    let built = build(&lab, &[&url], Vec::new()).exits(0);
    assert!(built.stderr().contains("submodules of"), "{}", built.stderr());
    play(&lab, &["cat", "/files/real/f"]).prints("x");
    build(&lab, &[&format!("{url}?keep-git-dir=true")], Vec::new()).succeeds();
    for end in ["#main:away", "#main:inner", "?subdir=real/../away", "?subdir=away/."] {
        let refused = build(&lab, &[&format!("{url}{end}")], Vec::new()).exits(125).stderr();
        assert!(refused.contains("director"), "{end}: {refused}");
    }
    build(&lab, &["git@127.0.0.1:-oProxyCommand=touch"], Vec::new()).exits(125).stderr();
    assert_eq!(fs::read_dir(&canary).expect("reads").count(), 1, "nothing was run");
}

#[test]
fn a_build_that_is_killed_while_it_fetches_leaves_nothing() {
    let lab = lab();
    let web = Web::new();
    web.page("/mute.tar", Page { is_mute: true, ..Page::default() });
    web.page("/mute.git/info/refs?service=git-upload-pack", Page { is_mute: true, ..Page::default() });
    for path in ["/mute.tar", "/mute.git"] {
        let asked = web.asked().len();
        let running = lab.rc(["build", "-q", &web.url(path)]).start();
        crate::support::wait::until("the server is asked", || (web.asked().len() > asked).then_some(()));
        running.kill(Signal::KILL);
        assert_eq!(running.wait().exit, Exit::Signal(9));
        lab.rc(["image", "prune", "-f"]).run().succeeds();
    }
    // The lab checks that no process and nothing in the store is left.
}

#[test]
fn a_context_with_a_name_is_a_directory_an_archive_an_image_or_a_stage() {
    let lab = lab();
    write(
        &lab,
        "Dockerfile",
        "FROM base AS one\nCOPY --from=Files . /files\nRUN --mount=from=files,target=/m cat /m/f >/g\n",
    );
    write(&lab, "../files/f", "of a directory");
    write(&lab, "../files/ignored", "x");
    write(&lab, "../files/.dockerignore", "ignored\n");
    let context = lab.work("context").display().to_string();
    let built = |named: &str| {
        let words = ["--build-context", "base=docker-image://localhost/base", "--build-context", named, &context];
        build(&lab, &words, Layer::new().file("f", 0o644, b"of an archive").bytes())
    };
    built("files=files").succeeds();
    play(&lab, &["sh", "-c", "cat /files/f /g; echo /files/*"]).prints("of a directoryof a directory/files/f\n");
    built("files=-").succeeds();
    play(&lab, &["cat", "/g"]).prints("of an archive");
    let web = Web::new();
    web.file("/files.tgz", gzip(&Layer::new().file("f", 0o644, b"of a server").bytes()), "1");
    built(&format!("files={}", web.url("/files.tgz"))).succeeds();
    play(&lab, &["cat", "/g"]).prints("of a server");
    let repository = Repository::new(&lab, "repository");
    repository.write("sub/f", "of a repository").commit();
    web.repository("/a.git", &repository.directory);
    built(&format!("FILES={}#main:sub", web.url("/a.git"))).succeeds();
    play(&lab, &["cat", "/g"]).prints("of a repository");
    // An image in a layout: it gets no name in the store.
    let layer = Layer::new().file("f", 0o644, b"of a layout").bytes();
    let layout = Image::new().layer(layer).oci_archive("localhost/secret:7");
    fs::create_dir(lab.work("layout")).expect("made");
    lab.program("tar", ["-x", "-C"]).arg(lab.work("layout")).input(layout).run().succeeds();
    for place in ["oci-layout://layout", "oci-layout://layout:localhost/secret:7"] {
        let outcome = built(&format!("files={place}"));
        if place.ends_with("layout") {
            outcome.succeeds();
            play(&lab, &["cat", "/g"]).prints("of a layout");
        }
    }
    assert!(!lab.rc(["images"]).run().exits(0).stdout().contains("secret"));
    for (named, message) in [
        ("files=docker-image://localhost/nowhere", "localhost/nowhere"),
        ("files=nowhere", "no such context"),
        ("files=oci-layout://files", "oci-layout"),
        ("files", "NAME=PLACE"),
        ("files=ftp://h/x", "no contexts of `ftp://`"),
    ] {
        let refused = built(named).exits(125).stderr();
        assert!(refused.contains(message) || named.contains("oci-layout"), "{named}: {refused}");
    }
    write(&lab, "Dockerfile", "FROM files\n");
    let refused = built("files=files").exits(125).stderr();
    assert!(refused.contains("`files` is a directory, and FROM needs an image"), "{refused}");
}

#[test]
fn a_context_goes_before_a_stage_or_an_image_of_its_name() {
    let files = [
        (
            "Dockerfile",
            "FROM localhost/base AS one\nRUN exit 9\nFROM localhost/base AS two\nRUN echo two >/f\n\
            FROM alpine\nCOPY --from=one /f /g\n",
        ),
        ("one/f", "of the context"),
    ];
    let lab = lab_with(&files);
    let context = lab.work("context").display().to_string();
    let one = format!("one={context}/one");
    for alias in ["alpine", "alpine:latest", "docker.io/library/alpine"] {
        let named = format!("{alias}=target:two");
        build(&lab, &["--build-context", &one, "--build-context", &named, &context], Vec::new()).succeeds();
        play(&lab, &["cat", "/f", "/g"]).prints("two\nof the context");
    }
}
