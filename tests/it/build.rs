//! `rc build`: what a Dockerfile becomes, what the cache keeps, and how a build ends.

use std::fs;

use serde_json::Value;

use crate::support::wait::until;
use crate::support::{Exit, Image, Lab, Layer, Output, Set, Signal};

/// An image with busybox as the shell and all of its tools, `localhost/base`.
pub(crate) fn base(lab: &Lab) {
    lab.rc(["load", "-q"]).input(base_archive()).run().exits(0).stdout();
}

/// Its archive.
pub(crate) fn base_archive() -> Vec<u8> {
    let busybox = fs::read("/bin/busybox").expect("busybox-static is installed");
    let mut layer = Layer::new().directory("bin/", 0o755).file("bin/busybox", 0o755, &busybox);
    for tool in
        ["sh", "cat", "echo", "ls", "mkdir", "rm", "chmod", "chown", "stat", "id", "seq", "sleep", "test", "touch"]
    {
        layer = layer.symlink(&format!("bin/{tool}"), "busybox");
    }
    let layer = layer
        .directory("etc/", 0o755)
        .file("etc/passwd", 0o644, b"root:x:0:0::/root:/bin/sh\nweb:x:33:33::/:/bin/sh\n")
        .file("etc/group", 0o644, b"root:x:0:\nweb:x:33:\n")
        .directory("tmp/", 0o1777)
        .bytes();
    let config = serde_json::json!({ "Env": ["PATH=/bin", "OF=base"], "Cmd": ["sh"], "Labels": { "of": "base" } });
    Image::new().layer(layer).config(config).oci_archive("localhost/base:latest")
}

/// The name and the ID of a user that a step may become: another one needs subordinate IDs.
pub(crate) fn other_user() -> (&'static str, u32) {
    if Set::current() == Set::One { ("root", 0) } else { ("web", 33) }
}

/// A lab with the base image and a context of these files.
pub(crate) fn lab(files: &[(&str, &str)]) -> Lab {
    let lab = Lab::new();
    base(&lab);
    for (name, text) in files {
        write(&lab, name, text);
    }
    lab
}

pub(crate) fn write(lab: &Lab, name: &str, text: &str) {
    let path = lab.work("context").join(name);
    fs::create_dir_all(path.parent().expect("a directory")).expect("made");
    fs::write(path, text).expect("written");
}

pub(crate) fn build(lab: &Lab, words: &[&str]) -> Output {
    lab.rc(["build", "-t", "localhost/made"]).args(words).arg(lab.work("context")).run()
}

pub(crate) fn play(lab: &Lab, words: &[&str]) -> Output {
    lab.rc(["run", "--rm", "--network", "none", "localhost/made"]).args(words).run()
}

pub(crate) fn inspect(lab: &Lab) -> Value {
    lab.rc(["image", "inspect", "localhost/made"]).run().json()[0].clone()
}

#[test]
fn a_dockerfile_becomes_an_image() {
    let (user, uid) = other_user();
    let dockerfile = "FROM localhost/base\nENV A=1 B=$OF\nRUN echo $A-$B >/x && mkdir /d && chmod 700 /d\n\
        WORKDIR /w/v\nCOPY file dir /w/\nUSER @USER\nRUN id -u >/tmp/user\n\
        LABEL own=yes\nEXPOSE 80\nCMD [\"cat\", \"/x\"]\n";
    let dockerfile = dockerfile.replace("@USER", user);
    let lab = lab(&[("Dockerfile", &dockerfile), ("file", "of the context"), ("dir/inner", "deep")]);
    let id = build(&lab, &["-q"]).exits(0).stdout();
    assert_eq!(id.trim().len(), 64, "{id}");
    play(&lab, &[]).prints("1-base\n");
    play(&lab, &["cat", "/w/file", "/w/inner", "/tmp/user"]).prints(format!("of the contextdeep{uid}\n"));
    play(&lab, &["stat", "-c", "%a %u %F", "/d"]).prints("700 0 directory\n");
    let found = inspect(&lab);
    let config = &found["Config"];
    assert_eq!(config["WorkingDir"], "/w/v");
    assert_eq!(config["User"], user);
    assert_eq!((&config["Labels"]["of"], &config["Labels"]["own"]), (&"base".into(), &"yes".into()));
    assert!(config["ExposedPorts"].get("80/tcp").is_some(), "{config}");
    // Nothing that only a running container has is in a layer.
    let layers: Vec<String> =
        found["RootFS"]["Layers"].as_array().expect("layers").iter().map(Value::to_string).collect();
    assert_eq!(layers.len(), 5, "the base, RUN, WORKDIR, COPY, RUN: {layers:?}");
    let archive = lab.rc(["save", "localhost/made"]).run().exits(0).stdout;
    let listed = lab.program("tar", ["-tf", "-"]).input(archive).run().text();
    assert!(!listed.contains("resolv.conf"), "{listed}");
}

#[test]
fn what_has_not_changed_comes_from_the_cache_and_gives_the_same_image() {
    let dockerfile = "FROM localhost/base\nRUN echo one >/one\nCOPY a /a\nRUN echo two >/two\n";
    let lab = lab(&[("Dockerfile", dockerfile), ("a", "first"), ("other", "not named")]);
    let id = build(&lab, &["-q"]).exits(0).stdout();
    let again = build(&lab, &["--progress", "plain"]).exits(0);
    assert_eq!(again.stderr().matches(" CACHED").count(), 3, "{}", again.stderr());
    assert_eq!(again.stdout(), id);
    // A file that nobody names, and a new time, are no change.
    write(&lab, "other", "changed");
    write(&lab, "a", "first");
    assert_eq!(build(&lab, &["--progress", "plain"]).exits(0).stderr().matches(" CACHED").count(), 3);
    write(&lab, "a", "second");
    let changed = build(&lab, &["--progress", "plain"]).exits(0);
    assert_eq!(changed.stderr().matches(" CACHED").count(), 1, "{}", changed.stderr());
    assert_ne!(changed.stdout(), id);
    play(&lab, &["cat", "/a", "/two"]).prints("secondtwo\n");
    write(&lab, "a", "first");
    assert_eq!(build(&lab, &["-q"]).exits(0).stdout(), id, "the old result is still there");
    let anew = build(&lab, &["--no-cache", "--progress", "plain"]).exits(0);
    assert!(!anew.stderr().contains("CACHED"), "{}", anew.stderr());
}

#[test]
fn a_step_that_fails_ends_the_build_with_its_code_and_its_words() {
    let lab = lab(&[("Dockerfile", "FROM localhost/base\nRUN echo before; echo wrong >&2; exit 7\nRUN echo never\n")]);
    let failed = build(&lab, &["--progress", "plain"]).exits(7);
    let said = failed.stderr();
    assert!(said.contains(" before\n") && said.contains("wrong") && !said.contains("#2"), "{said}");
    assert!(said.contains("Dockerfile:2") && said.contains("exit code 7"), "{said}");
    lab.rc(["image", "exists", "localhost/made"]).run().fails(1, "");
    // What is quiet says it, too.
    let quiet = build(&lab, &["-q"]).exits(7).stderr();
    assert!(quiet.contains("wrong"), "{quiet}");
}

#[test]
fn stages_are_joined_and_those_that_nobody_needs_are_not_built() {
    let (_, uid) = other_user();
    let dockerfile = "FROM localhost/base AS build\nRUN mkdir /out && echo made >/out/file \
        && chown @UID:@UID /out/file\n\
        FROM localhost/base AS unused\nRUN exit 9\n\
        FROM scratch AS last\nCOPY --from=build /out /data\nCOPY --from=build /bin/busybox /bin/sh\n\
        ENTRYPOINT [\"/bin/sh\", \"-c\"]\nCMD [\"busybox cat /data/file\"]\n";
    let lab = lab(&[("Dockerfile", &dockerfile.replace("@UID", &uid.to_string()))]);
    build(&lab, &["-q"]).exits(0).stdout();
    play(&lab, &["busybox stat -c '%u %a' /data/file; busybox cat /data/file; echo /*"])
        .prints(format!("{uid} 644\nmade\n/bin /data /dev /etc /proc /run /sys\n"));
    assert_eq!(inspect(&lab)["RootFS"]["Layers"].as_array().map(Vec::len), Some(2));
    build(&lab, &["-q", "--target", "build"]).exits(0).stdout();
    play(&lab, &["stat", "-c", "%u", "/out/file"]).prints(format!("{uid}\n"));
    assert!(build(&lab, &["--target", "unused"]).exits(9).stderr().contains("RUN exit 9"));
    assert!(build(&lab, &["--target", "biuld"]).exits(125).stderr().contains("build"));
}

#[test]
fn the_context_is_read_as_far_as_it_is_named_and_not_ignored() {
    let dockerfile = "FROM localhost/base\nCOPY . /all/\nCOPY s*/*.txt /some/\n";
    let lab = lab(&[
        ("Dockerfile", dockerfile),
        (".dockerignore", "secret*\nlogs\n!logs/keep\nDockerfile\n"),
        ("secret.key", "x"),
        ("src/a.txt", "a"),
        ("src/b.md", "b"),
        ("logs/x", "x"),
        ("logs/keep", "k"),
    ]);
    build(&lab, &["-q"]).exits(0).stdout();
    play(&lab, &["sh", "-c", "cd /all && echo * src/* logs/*; echo /some/*"])
        .prints("logs src src/a.txt src/b.md logs/keep\n/some/a.txt\n");
    write(&lab, "Dockerfile", "FROM localhost/base\nCOPY secret.key /\n");
    let refused = build(&lab, &[]).exits(125).stderr();
    assert!(refused.contains("secret.key") && refused.contains("ignore"), "{refused}");
    write(&lab, "Dockerfile", "FROM localhost/base\nCOPY sr/a.txt /\n");
    assert!(build(&lab, &[]).exits(125).stderr().contains("sr/a.txt"));
}

#[test]
fn arguments_are_seen_where_they_are_declared() {
    let dockerfile = "ARG TAG=latest\nFROM localhost/base:$TAG\nARG V=default\nARG NONE\nRUN echo $V-$NONE >/v\n";
    let lab = lab(&[("Dockerfile", dockerfile)]);
    build(&lab, &["-q"]).exits(0).stdout();
    play(&lab, &["cat", "/v"]).prints("default-\n");
    build(&lab, &["-q", "--build-arg", "V=given", "--build-arg", "NONE"]).exits(0).stdout();
    play(&lab, &["cat", "/v"]).prints("given-\n");
    assert!(play(&lab, &["sh", "-c", "echo $V"]).exits(0).stdout().trim().is_empty(), "an argument is no environment");
}

#[test]
fn a_build_that_is_killed_leaves_nothing_running_and_the_next_one_goes_on_where_it_was() {
    let dockerfile = "FROM localhost/base\nRUN echo first >/first\nRUN echo started; sleep 1000\n";
    let lab = lab(&[("Dockerfile", dockerfile)]);
    let running = lab.rc(["build", "--progress", "plain"]).arg(lab.work("context")).start();
    running.error_line(" started\n");
    running.kill(Signal::KILL);
    assert_eq!(running.wait().exit, Exit::Signal(9));
    write(&lab, "Dockerfile", "FROM localhost/base\nRUN echo first >/first\nRUN echo second >/second\n");
    let next = build(&lab, &["--progress", "plain"]).exits(0).stderr();
    assert_eq!(next.matches(" CACHED").count(), 1, "{next}");
    // The lab checks that no process and nothing in the store is left.
}

#[test]
fn a_dockerfile_comes_from_elsewhere_or_from_standard_input() {
    let lab =
        lab(&[("sub/Other", "FROM localhost/base\nCOPY a /a\n"), ("a", "x"), ("Containerfile", "FROM scratch\n")]);
    build(&lab, &["-q", "-f", &lab.work("context/sub/Other").display().to_string()]).exits(0).stdout();
    play(&lab, &["cat", "/a"]).prints("x");
    let built = lab.rc(["build", "-q", "-t", "localhost/made", "-f", "-"]).arg(lab.work("context"));
    built.input("FROM localhost/base\nRUN echo from input >/i\n").run().exits(0).stdout();
    play(&lab, &["cat", "/i"]).prints("from input\n");
    build(&lab, &["-q", "--iidfile", &lab.work("id").display().to_string()]).exits(0).stdout();
    let written = fs::read_to_string(lab.work("id")).expect("written");
    let id = inspect(&lab)["Id"].as_str().expect("an ID").to_owned();
    assert_eq!(written.trim_start_matches("sha256:"), id.trim_start_matches("sha256:"));
    lab.rc(["build"]).arg(lab.work("nowhere")).run().exits(125).stderr();
}

#[test]
fn stages_that_need_nothing_of_each_other_grow_at_the_same_time_and_share_a_cache() {
    // Each waits for the other.
    let meet = |own: &str, other: &str| {
        format!(
            "FROM localhost/base AS {own}\nRUN --mount=type=cache,id=meeting,target=/m touch /m/{own}; \
             until test -e /m/{other}; do sleep 0.05; done; echo {own} >/{own}\n"
        )
    };
    let last = "FROM scratch\nCOPY --from=one /one /\nCOPY --from=two /two /\nCOPY --from=one /bin /bin\n";
    let lab = lab(&[("Dockerfile", &format!("{}{}{last}", meet("one", "two"), meet("two", "one")))]);
    build(&lab, &["--progress", "plain"]).exits(0).stdout();
    play(&lab, &["/bin/cat", "/one", "/two"]).prints("one\ntwo\n");
    play(&lab, &["/bin/ls", "/"]).exits(0).stdout();
    // What fails ends the others.
    write(
        &lab,
        "Dockerfile",
        "FROM localhost/base AS a\nRUN sleep 1000\nFROM localhost/base AS b\nRUN exit 3\n\
        FROM scratch\nCOPY --from=a / /\nCOPY --from=b / /\n",
    );
    assert!(build(&lab, &[]).exits(3).stderr().contains("RUN exit 3"));
}

#[test]
fn two_builds_at_once_take_each_step_once() {
    // Each step of the two stages runs until somebody writes to its FIFO.
    let dockerfile = "FROM localhost/base AS a\nRUN echo a >>/gate/times; cat /gate/a >/a\n\
        FROM localhost/base AS b\nRUN echo b >>/gate/times; cat /gate/b >/b\n\
        FROM localhost/base\nCOPY --from=a /a /\nCOPY --from=b /b /\n";
    let lab = lab(&[("Dockerfile", dockerfile)]);
    let gate = lab.work("gate");
    fs::create_dir(&gate).expect("made");
    for name in ["a", "b"] {
        lab.program("mkfifo", [name]).directory(&gate).run().exits(0).stdout();
    }
    let times = || fs::read_to_string(gate.join("times")).unwrap_or_default();
    let start = |progress: &str| {
        let command = lab.rc(["build", "--progress", progress, "-t", "localhost/made", "-v"]);
        command.arg(format!("{}:/gate", gate.display())).arg(lab.work("context")).start()
    };
    let first = start("plain");
    until("both steps to run", || (times().lines().count() == 2).then_some(()));
    // Here the lines of steps that run at once need not wait for each other.
    let second = start("rawjson");
    until("the second build to wait for both", || {
        (second.error_text().matches("waits for another build").count() == 2).then_some(())
    });
    for name in ["a", "b"] {
        fs::write(gate.join(name), format!("from {name}\n")).expect("a step reads it");
    }
    // Each step that one of them has taken the other has found.
    let [first, second] = [first, second].map(|build| build.wait().exits(0).stderr());
    let (done, found) = (first.matches(" DONE ").count(), second.matches("\"cached\":true").count());
    assert!(done == found && done >= 2, "{first}\n{second}");
    assert_eq!(times().lines().count(), 2, "{}", times());
    play(&lab, &["cat", "/a", "/b"]).prints("from a\nfrom b\n");
}

#[test]
fn what_is_mounted_for_a_step_is_in_no_layer() {
    let dockerfile = "FROM localhost/base AS other\nRUN echo of the stage >/file\nFROM localhost/base\n\
        RUN --mount=type=bind,target=/ctx cat /ctx/a >/a && ! touch /ctx/x\n\
        RUN --mount=type=bind,target=/ctx,rw touch /ctx/new && rm /ctx/a\n\
        RUN --mount=type=bind,from=other,source=/file,target=/f cat /f >/b\n\
        RUN --mount=type=tmpfs,target=/t,size=1m echo x >/t/x\n\
        RUN --mount=type=secret,id=token,env=TOKEN test ${#TOKEN} = 6\n\
        RUN --mount=type=secret,id=token test $(stat -c %a-%s /run/secrets/token) = 400-6\n\
        RUN --mount=type=secret,id=token,target=/etc/token,mode=0444 test $(stat -c %a-%s /etc/token) = 444-6\n\
        RUN --mount=type=secret,id=other test ! -e /run/secrets/other\n\
        RUN <<END\nset -e\necho several >/lines\necho lines >>/lines\nEND\n\
        RUN <<END\n#!/bin/cat\nthe text\nEND\n\
        COPY <<one <<two /docs/\nfirst\none\nsecond\ntwo\n";
    let lab = lab(&[("Dockerfile", dockerfile), ("a", "of the context"), (".dockerignore", "Dockerfile\n")]);
    write(&lab, "../secret", "k7Xq9w");
    let secret = format!("id=token,src={}", lab.work("secret").display());
    build(&lab, &["-q", "--secret", &secret]).exits(0).stdout();
    play(&lab, &["sh", "-c", "cat /a /b /lines /docs/*; echo /ctx* /f* /t* /run/s* /etc/t*"])
        .prints("of the contextof the stage\nseveral\nlines\nfirst\nsecond\n/ctx* /f* /tmp /run/s* /etc/t*\n");
    assert_eq!(fs::read_to_string(lab.work("context/a")).expect("reads"), "of the context", "the context is as it was");
    assert!(!lab.work("context/new").exists());
    // The secret is nowhere in the store.
    let found = lab.program("grep", ["-rl", "k7Xq9w"]).arg(lab.store()).run();
    assert_eq!(found.stdout(), "");
}

#[test]
fn what_is_mounted_of_a_stage_or_an_image_is_joined_and_what_is_written_to_it_is_thrown_away() {
    let (user, uid) = other_user();
    let dockerfile = "FROM localhost/base AS other\nRUN mkdir -p /d/e && echo one >/d/e/f && ln -s /d/e /link \\\n\
        && touch /d/own && chown @USER:@USER /d/own && rm /bin/stat\nRUN echo two >/d/g && rm -rf /tmp\n\
        FROM scratch AS empty\n\
        FROM localhost/base\nWORKDIR /w\n\
        RUN --mount=from=other,target=all cat all/d/e/f all/d/g >/a && stat -c %u all/d/own >>/a \\\n\
        && test ! -e all/tmp && test ! -e all/bin/stat && ! touch all/x && ! rm all/d/g\n\
        RUN --mount=from=other,source=link/f,target=/one cat /one >/b && ! (echo x >/one)\n\
        RUN --mount=from=other,source=/d/./x/../,target=/m/../n/,rw echo x >/n/new && rm -rf /n/e && ls /n >/c\n\
        RUN --mount=from=other,source=d,target=/n ls /n >>/c\n\
        RUN --mount=from=empty,target=/e ls -a /e >/d\n\
        RUN --mount=from=localhost/base,source=bin,target=/tools /tools/busybox echo run >/r\n";
    let lab = lab(&[("Dockerfile", &dockerfile.replace("@USER", user))]);
    build(&lab, &["-q"]).exits(0).stdout();
    play(&lab, &["cat", "/a", "/b", "/c", "/d", "/r"])
        .prints(format!("one\ntwo\n{uid}\none\ng\nnew\nown\ne\ng\nown\n.\n..\nrun\n"));
    play(&lab, &["sh", "-c", "cd /; echo * w/*"]).prints("a b bin c d dev etc proc r run sys tmp w w/*\n");
    write(&lab, "Dockerfile", "FROM localhost/base\nRUN --mount=from=localhost/base,source=nothing,target=/n true\n");
    assert!(build(&lab, &[]).exits(125).stderr().contains("`nothing` is not there"));
}

#[test]
fn the_cache_is_listed_and_removed_and_images_keep_what_they_have() {
    let lab = lab(&[("Dockerfile", "FROM localhost/base\nRUN echo first >/f\n")]);
    build(&lab, &["-q"]).exits(0).stdout();
    write(&lab, "Dockerfile", "FROM localhost/base\nRUN echo second >/f\n");
    build(&lab, &["-q"]).exits(0).stdout();
    let listed = lab.rc(["builder", "du", "--format", "{{.Reclaimable}} {{.Description}}"]).run().text();
    assert_eq!(listed, "false RUN echo second >/f\nfalse RUN echo first >/f");
    let first = lab.rc(["images", "-q", "--filter", "dangling=true"]).run().text();
    lab.rc(["rmi", "-f", first.trim()]).run().exits(0).stdout();
    let listed = lab.rc(["builder", "du", "--format", "{{.Reclaimable}} {{.Description}}"]).run().text();
    assert_eq!(listed, "false RUN echo second >/f\ntrue RUN echo first >/f");
    let pruned = lab.rc(["builder", "prune", "-f"]).run().text();
    assert_eq!(pruned.lines().count(), 1, "{pruned}");
    assert_eq!(lab.rc(["builder", "du", "--format", "{{.Description}}"]).run().text(), "RUN echo second >/f");
    lab.rc(["builder", "prune", "-a", "-f"]).run().exits(0).stdout();
    play(&lab, &["cat", "/f"]).prints("second\n");
    let anew = build(&lab, &["--progress", "plain"]).exits(0).stderr();
    assert!(!anew.contains("CACHED"), "{anew}");
    // A garbage collection keeps what a build may use again.
    lab.rc(["rmi", "-f", "localhost/made"]).run().exits(0).stdout();
    assert!(build(&lab, &["--progress", "plain"]).exits(0).stderr().contains("CACHED"));
    lab.rc(["rmi", "-f", "localhost/made"]).run().exits(0).stdout();
    lab.rc(["image", "prune", "-f", "--build-cache"]).run().exits(0).stdout();
    assert_eq!(lab.rc(["builder", "du", "--format", "{{.Description}}"]).run().text(), "");
}

#[test]
fn options_of_other_builders_are_accepted_or_refused_by_name() {
    let lab = lab(&[("Dockerfile", "FROM localhost/base AS one\nRUN cat /etc/hosts >/h\n")]);
    let words = [
        "--load",
        "--rm",
        "--force-rm=true",
        "--compress",
        "--provenance=false",
        "--sbom=false",
        "--add-host",
        "web:10.0.0.7",
        "--label",
        "a=b",
        "--jobs",
        "3",
        "--build-arg",
        "BUILDKIT_INLINE_CACHE=1",
        "--no-cache-filter",
        "one",
        "--metadata-file",
    ];
    let metadata = lab.work("metadata").display().to_string();
    build(&lab, &[&words[..], &[&metadata, "-q"]].concat()).exits(0).stdout();
    assert!(play(&lab, &["cat", "/h"]).exits(0).stdout().contains("10.0.0.7\tweb"));
    assert_eq!(inspect(&lab)["Config"]["Labels"]["a"], "b");
    let written: Value = serde_json::from_slice(&fs::read(&metadata).expect("written")).expect("JSON");
    assert_eq!(written["image.name"], "localhost/made:latest");
    for (word, message) in [
        ("--provenance=true", "no attestations"),
        ("--isolation=chroot", "--isolation"),
        ("--network=nowhere", "nowhere"),
        ("--push", "localhost"),
    ] {
        let refused = build(&lab, &[word]).exits(125).stderr();
        assert!(refused.contains(message), "{word}: {refused}");
    }
}

#[test]
fn the_same_build_at_one_time_gives_one_image_in_two_stores() {
    let files = [("Dockerfile", "FROM localhost/base\nRUN mkdir /d && echo x >/d/f\nCOPY a /a\nENV A=1\n"), ("a", "x")];
    let built = |words: &[&str], variable: &str| {
        let lab = lab(&files);
        let command = lab.rc(["build", "-q", "-t", "localhost/made"]).args(words).arg(lab.work("context"));
        let id = command.env("SOURCE_DATE_EPOCH", variable).run().exits(0).stdout();
        let times = play(&lab, &["stat", "-c", "%Y", "/d/f", "/a"]).exits(0).stdout();
        let created = inspect(&lab)["Created"].as_str().unwrap_or_default().to_owned();
        (id, times, created)
    };
    let one = built(&["--timestamp", "1000"], "");
    assert_eq!((&one.1[..], &one.2[..]), ("1000\n1000\n", "1970-01-01T00:16:40Z"));
    assert_eq!(built(&["--source-date-epoch", "1000", "--rewrite-timestamp"], "7"), one);
    assert_eq!(built(&["--build-arg", "SOURCE_DATE_EPOCH=1000"], "7"), one);
    assert_eq!(built(&[], "1000"), one);
    let output = "type=image,rewrite-timestamp=false";
    for words in [&["--rewrite-timestamp=false"][..], &["--output", output]] {
        let (_, times, created) = built(words, "1000");
        assert_eq!(created, "1970-01-01T00:16:40Z");
        assert_ne!(times, "1000\n1000\n");
    }
}
