//! The build cache: what is listed and pruned of it, its bound, and caches that others share.

use std::fs;

use serde_json::Value;

use crate::build::{base, build, lab, play, write};
use crate::support::wait::until;
use crate::support::{Lab, Registry, Repository, Web};

const DOCKERFILE: &str = "FROM localhost/base AS one\nRUN echo $(seq 1000) >/one\nFROM localhost/base\n\
    COPY --from=one /one /one\nRUN true\nWORKDIR /w\n";

/// A lab with the same context as others, and an empty cache.
fn fresh() -> Lab {
    lab(&[("Dockerfile", DOCKERFILE)])
}

fn cached(said: &str) -> (usize, usize) {
    (said.matches(" CACHED\n").count(), said.matches(" cache from ").count())
}

#[test]
fn what_one_store_has_written_another_takes_from_a_directory() {
    let first = fresh();
    let cache = first.work("cache");
    let to = |rest: &str| format!("type=local,dest={}{rest}", cache.display());
    let from = format!("type=local,src={}", cache.display());
    let id = build(&first, &["-q", "--timestamp", "0", "--cache-to", &to(",mode=max")]).exits(0).stdout();
    let second = fresh();
    let said = build(&second, &["--progress", "plain", "--timestamp", "0", "--cache-from", &from]).exits(0);
    assert_eq!(cached(&said.stderr()), (4, 4), "{}", said.stderr());
    assert_eq!(said.stdout(), id);
    play(&second, &["test", "-s", "/one"]).exits(0).stdout();
    // It is in the own cache now.
    let again = build(&second, &["--progress", "plain", "--timestamp", "0"]).exits(0).stderr();
    assert_eq!(cached(&again), (4, 0), "{again}");
    // `min` has only the steps of the result.
    build(&first, &["-q", "--timestamp", "0", "--cache-to", &to(",tag=least")]).exits(0).stdout();
    let third = fresh();
    let from = format!("{from},tag=least");
    let said = build(&third, &["--progress", "plain", "--timestamp", "0", "--cache-from", &from]).exits(0).stderr();
    assert_eq!(cached(&said), (3, 3), "{said}");
    // Other tools see an image layout with a cache of BuildKit's form in it.
    let read =
        |path: &str| -> Value { serde_json::from_slice(&fs::read(cache.join(path)).expect("reads")).expect("JSON") };
    let index = read("index.json");
    assert_eq!(index["manifests"].as_array().map(Vec::len), Some(2));
    let digest = index["manifests"][0]["digest"].as_str().expect("a digest").replace(':', "/");
    let manifest = read(&format!("blobs/{digest}"));
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.buildkit.cacheconfig.v0");
    assert_eq!(read("oci-layout")["imageLayoutVersion"], "1.0.0");
}

#[test]
fn a_cache_in_a_registry_is_shared_and_what_is_none_is_named() {
    require!(program "docker-registry");
    let first = fresh();
    let registry = Registry::empty(&first);
    let name = registry.image("cache:main");
    let to = format!("type=registry,ref={name},mode=max");
    build(&first, &["-q", "--cache-to", &to]).exits(0).stdout();
    let second = fresh();
    for from in [name.clone(), format!("type=registry,ref={name}")] {
        let said = build(&second, &["--progress", "plain", "--cache-from", &from]).exits(0).stderr();
        assert_eq!(cached(&said), (4, 4), "{said}");
        second.rc(["rmi", "-f", "localhost/made"]).run().exits(0).stdout();
        second.rc(["builder", "prune", "-a", "-f"]).run().exits(0).stdout();
    }
    // An image is no cache, and a registry may not have it: the build goes on.
    first.rc(["push", "-q", "localhost/made"]).arg(registry.image("made:1")).run().exits(0).stdout();
    for (from, message) in [("made:1", "an image without a cache"), ("none:1", "none")] {
        let from = registry.image(from);
        let said = build(&second, &["--progress", "plain", "--no-cache", "--cache-from", &from]).exits(0).stderr();
        assert!(said.contains("warning: cannot use the cache") && said.contains(message), "{said}");
    }
    registry.stop();
    // What cannot be written is an error, unless the caller does not mind.
    build(&first, &["-q", "--cache-to", &to]).exits(125).stderr();
    let said = build(&first, &["-q", "--cache-to", &format!("{to},ignore-error=true")]).exits(0).stderr();
    assert!(said.contains("cannot write the cache"), "{said}");
    let refused = build(&first, &["--cache-to", "type=gha"]).exits(125).stderr();
    assert!(refused.contains("type=registry or type=local"), "{refused}");
}

#[test]
fn an_image_may_be_a_cache_of_its_own_layers() {
    require!(program "docker-registry");
    let first = fresh();
    let registry = Registry::empty(&first);
    let name = registry.image("made:1");
    let push = |words: &[&str]| {
        let command = first.rc(["build", "-q", "--push", "-t", &name]).args(words);
        command.arg(first.work("context")).run().exits(0).stdout()
    };
    let id = push(&["--timestamp", "0", "--cache-to", "type=inline"]);
    for from in [name.clone(), format!("type=registry,ref={name}")] {
        let second = fresh();
        let words = ["--progress", "plain", "--timestamp", "0", "--cache-to", "type=inline", "--cache-from", &from];
        let said = build(&second, &words).exits(0);
        // The stage `one` is not in the image, and its file is the same.
        assert_eq!(cached(&said.stderr()), (3, 3), "{}", said.stderr());
        assert_eq!(said.stdout(), id);
        second.rc(["builder", "prune", "-a", "-f"]).run().exits(0).stdout();
    }
    // The argument is BuildKit's; an image without it, or on top of one with it, says nothing of other steps.
    push(&["--build-arg", "BUILDKIT_INLINE_CACHE=1"]);
    let field = |name: &str| {
        let saved = first.rc(["save", "--format", "oci-dir", "-o", "saved", name]).run();
        saved.succeeds();
        let found = first.program("grep", ["-rl", "moby.buildkit.cache.v0"]).arg(first.work("saved")).run().stdout();
        fs::remove_dir_all(first.work("saved")).expect("removed");
        found.lines().count()
    };
    assert_eq!(field(&name), 1);
    write(&first, "Dockerfile", &format!("FROM {name}\nRUN true\n"));
    build(&first, &["-q"]).exits(0).stdout();
    assert_eq!(field("localhost/made"), 0);
    registry.stop();
}

#[test]
fn an_image_of_the_store_is_a_cache_and_its_registry_is_not_asked() {
    let first = fresh();
    let id = build(&first, &["-q", "--timestamp", "0", "--cache-to", "type=inline"]).exits(0).stdout();
    let saved = first.rc(["save", "--format", "oci-archive", "localhost/made"]).run().exits(0).stdout;
    let second = fresh();
    second.rc(["load", "-q"]).input(saved).run().exits(0).stdout();
    let from = ["--timestamp", "0", "--cache-to", "type=inline", "--cache-from", "localhost/made"];
    let said = build(&second, &[&["--progress", "plain"], &from[..]].concat()).exits(0);
    // As from a registry: the stage `one` is not in the image, and its file is the same.
    assert_eq!(cached(&said.stderr()), (3, 3), "{}", said.stderr());
    assert!(!said.stderr().contains("warning"), "{}", said.stderr());
    assert_eq!(said.stdout(), id);
    // What runs is what the first store has made.
    play(&second, &["test", "-s", "/one"]).exits(0).stdout();
    second.rc(["tag", "localhost/base", "localhost/plain"]).run().exits(0).stdout();
    let said = build(&second, &["--progress", "plain", "--cache-from", "localhost/plain"]).exits(0).stderr();
    assert!(
        said.contains("warning: cannot use the cache"),
        "an image that says nothing is asked for elsewhere: {said}"
    );
}

#[test]
fn steps_that_were_taken_too_long_ago_are_taken_again() {
    let lab = fresh();
    build(&lab, &["-q"]).exits(0).stdout();
    let said = |ttl: &str| build(&lab, &["--progress", "plain", "--cache-ttl", ttl]).exits(0).stderr();
    assert_eq!(cached(&said("1h")), (4, 0));
    let anew = said("0");
    assert_eq!(cached(&anew), (0, 0), "{anew}");
    // What comes after them may be after another layer: files have other times.
    assert!(anew.matches("not cached: older than --cache-ttl").count() >= 2, "{anew}");
}

#[test]
fn mounts_are_listed_measured_and_pruned_unless_a_step_uses_them() {
    let text = "FROM localhost/base\nRUN --mount=type=cache,id=npm,target=/c seq 100000 >/c/big; echo x >/x\n";
    let lab = lab(&[("Dockerfile", text)]);
    build(&lab, &["-q"]).exits(0).stdout();
    let listed = |filter: &[&str]| {
        lab.rc(["builder", "du", "--format", "{{.Type}} {{.Reclaimable}} {{.Description}}"]).args(filter).run().text()
    };
    assert_eq!(listed(&["--filter", "type=exec.cachemount"]), "exec.cachemount true cached mount npm");
    assert!(listed(&["--filter", "type=regular"]).starts_with("regular false RUN --mount"), "{}", listed(&[]));
    assert_eq!(listed(&["--filter", "unused-for=24h"]), "");
    // What was measured counts until a step uses it again.
    lab.rc(["builder", "prune", "-f", "--filter", "type=none"]).run().prints("");
    let bytes = || -> u64 {
        let rows = lab.rc(["builder", "du", "--filter", "type=exec.cachemount", "--format", "json"]).run().json();
        rows[0]["Size"].as_u64().expect("a size")
    };
    let before = bytes();
    write(&lab, "Dockerfile", &text.replace("/c/big", "/c/more").replace("echo x", "echo y"));
    build(&lab, &["-q"]).exits(0).stdout();
    assert!(before > 500_000 && bytes() > before + 500_000, "{before}, then {}", bytes());
    write(&lab, "Dockerfile", text);
    build(&lab, &["-q"]).exits(0).stdout();
    // The process that keeps the bound looks at the same locks.
    lab.settle();
    lab.rc(["image", "prune", "-f"]).run().exits(0).stdout();
    lab.rc(["builder", "prune", "-f", "--filter", "type=regular"]).run().exits(0).stdout();
    assert_eq!(listed(&["--filter", "description~=^cached"]).lines().count(), 1);
    let rows = lab.rc(["system", "df", "--format", "json"]).run().json();
    assert_eq!(
        (&rows[3]["Type"], &rows[3]["Total"], &rows[3]["Active"]),
        (&"Build Cache".into(), &2.into(), &1.into())
    );
    assert!(rows[3]["RawReclaimable"].as_u64().is_some_and(|bytes| bytes > 500_000), "{rows}");
    let details = lab.rc(["system", "df", "-v", "--format", "json"]).run().json();
    assert_eq!(details["BuildCache"].as_array().map(Vec::len), Some(2), "{details}");
    // A step uses it.
    write(
        &lab,
        "Dockerfile",
        "FROM localhost/base\nRUN --mount=type=cache,id=npm,target=/c echo started; sleep 1000\n",
    );
    let running = lab.rc(["build", "--progress", "plain"]).arg(lab.work("context")).start();
    running.error_line(" started\n");
    assert!(listed(&["--filter", "type=exec.cachemount"]).contains(" false "), "{}", listed(&[]));
    lab.rc(["builder", "prune", "-f", "-a"]).run().exits(0).stdout();
    assert_eq!(listed(&["--filter", "type=exec.cachemount"]).lines().count(), 1);
    running.kill(crate::support::Signal::KILL);
    drop(running.wait());
    // The step's monitor kills it when the build is gone.
    until("the step has ended", || listed(&["--filter", "type=exec.cachemount"]).contains(" true ").then_some(()));
    let kept = lab.rc(["builder", "prune", "-f", "--filter", "id=other"]).run().text();
    assert_eq!(kept, "");
    let pruned = lab.rc(["builder", "prune", "-f", "--filter", "type=exec.cachemount"]).run().text();
    assert_eq!(pruned.lines().count(), 1, "{pruned}");
    assert_eq!(listed(&["--filter", "type=exec.cachemount"]), "");
    let refused = lab.rc(["builder", "prune", "-f", "--filter", "name=x"]).run().exits(125).stderr();
    assert!(refused.contains("unknown filter `name`") && refused.contains("unused-for"), "{refused}");
}

#[test]
fn what_was_fetched_and_what_is_known_of_contexts_is_listed_and_pruned() {
    let web = Web::new();
    web.file("/file", vec![b'x'; 100_000], "1");
    let lab = lab(&[("a", "1")]);
    let repository = Repository::new(&lab, "repository");
    repository.write("in-git", "2").git(&["add", "."]);
    repository.git(&["commit", "-q", "-m", "x"]);
    web.repository("/r.git", repository.directory.join(".git"));
    let url = web.url("/file").replace("http://", "http://me:secret@");
    let text = format!("FROM localhost/base\nADD {} /f/\nADD {} /g/\nCOPY a /a\n", web.url("/file"), web.url("/r.git"));
    write(&lab, "Dockerfile", &text);
    let allow = ["-q", "--allow", "network.host"];
    build(&lab, &allow).exits(0).stdout();
    let rows = |filter: &str| {
        let format = "{{.Type}} {{.Reclaimable}} {{.Description}}";
        let listed = lab.rc(["builder", "du", "--no-trunc", "--filter", filter, "--format", format]).run().text();
        let mut rows: Vec<String> = listed.lines().map(str::to_owned).collect();
        rows.sort();
        rows
    };
    let git = format!("source.git true git source {}", web.url("/r.git"));
    let http = format!("source.http true http url {}", web.url("/file"));
    let local = "source.local true local source for context".to_owned();
    assert_eq!(rows("type~=source"), [git.clone(), http.clone(), local.clone()]);
    let sizes = lab.rc(["builder", "du", "--filter", "type=source.http", "--format", "json"]).run().json();
    assert!(sizes[0]["Size"].as_u64().is_some_and(|size| size >= 100_000), "{sizes}");
    let total = lab.rc(["system", "df", "--format", "json"]).run().json();
    assert_eq!((&total[3]["Type"], &total[3]["Total"]), (&"Build Cache".into(), &6.into()), "{total}");
    lab.settle();
    // A password is nobody's who reads the list.
    write(&lab, "Dockerfile", &format!("FROM localhost/base\nADD {url} /f/\n"));
    drop(build(&lab, &allow));
    assert!(!rows("type=source.http").join(" ").contains("secret"), "{:?}", rows("type=source.http"));
    lab.rc(["builder", "prune", "-f", "--filter", "type=source.http"]).run().exits(0).stdout();
    assert_eq!(rows("type~=source"), [git, local.clone()]);
    lab.rc(["builder", "prune", "-f", "--filter", "type=source.git"]).run().exits(0).stdout();
    assert_eq!(rows("type~=source"), [local]);
    let left = rows("type~=.");
    let said = lab.rc(["builder", "prune", "-f", "-a"]).run().exits(0).stdout();
    assert_eq!(said.lines().count(), left.len(), "{said}{left:?}");
    assert_eq!(rows("type~=source"), [""; 0]);
    // All of it comes again.
    write(&lab, "Dockerfile", &text);
    build(&lab, &allow).exits(0).stdout();
    play(&lab, &["cat", "/a", "/g/in-git"]).prints("12");
}

#[test]
fn a_stage_whose_files_are_known_is_not_read_again() {
    let text = "FROM localhost/base AS one\nRUN mkdir /d && echo first >/d/f\nFROM localhost/base\n\
        COPY --from=one /d /d\nRUN --mount=type=bind,from=one,source=/d,target=/m cat /m/f >/out\n";
    let lab = lab(&[("Dockerfile", text)]);
    build(&lab, &["-q"]).exits(0).stdout();
    let again = build(&lab, &["--progress", "plain"]).exits(0).stderr();
    assert_eq!(cached(&again).0, 3, "{again}");
    let listed = || fs::read_dir(lab.store().join("cache/listed")).expect("lists").count();
    assert_eq!(listed(), 1, "both take the same");
    // Another content of the stage, and another source of it.
    write(&lab, "Dockerfile", &text.replace("first", "second").replace("COPY --from=one /d", "COPY --from=one /d/."));
    build(&lab, &["-q"]).exits(0).stdout();
    play(&lab, &["cat", "/d/f", "/out"]).prints("second\nsecond\n");
    write(&lab, "Dockerfile", text);
    let back = build(&lab, &["--progress", "plain"]).exits(0).stderr();
    assert_eq!(cached(&back).0, 3, "{back}");
    play(&lab, &["cat", "/d/f", "/out"]).prints("first\nfirst\n");
    // What cannot be read does not exist.
    for entry in fs::read_dir(lab.store().join("cache/listed")).expect("lists") {
        fs::write(entry.expect("an entry").path(), "{\"digest\":").expect("damaged");
    }
    let damaged = build(&lab, &["--progress", "plain"]).exits(0).stderr();
    assert_eq!(cached(&damaged).0, 3, "{damaged}");
}

#[test]
fn the_cache_has_a_bound_and_what_was_used_last_stays() {
    let lab = lab(&[]);
    let step = |number: u32| {
        write(&lab, "Dockerfile", &format!("FROM localhost/base\nRUN seq 100000 >/x; echo {number} >>/x\n"));
        build(&lab, &["-q"]).exits(0).stdout();
        lab.rc(["rmi", "-f", "localhost/made"]).run().exits(0).stdout();
    };
    (1..=3).for_each(step);
    let listed = || lab.rc(["builder", "du", "--format", "{{.Description}}"]).run().text();
    assert_eq!(listed().lines().count(), 3);
    lab.rc(["builder", "prune", "-f", "--reserved-space", "1000m"]).run().exits(0).stdout();
    assert_eq!(listed().lines().count(), 3);
    lab.rc(["builder", "prune", "-f", "--max-used-space", "1m"]).run().exits(0).stdout();
    assert!(listed().ends_with("echo 3 >>/x") && listed().lines().count() == 1, "{}", listed());
    lab.rc(["builder", "prune", "-f", "--min-free-space", "1"]).run().exits(0).stdout();
    assert_eq!(listed().lines().count(), 1);
    // The settings bound it at the end of a build.
    let settings = lab.root().join("config/rc");
    fs::create_dir_all(&settings).expect("made");
    fs::write(settings.join("rc.toml"), "[build]\ncache_size = \"1m\"\n").expect("written");
    (4..=6).for_each(step);
    // The last one may have been in an image when the bound was applied.
    let is_bounded = || listed().lines().count() <= 2 && listed().contains("echo 6 ") && !listed().contains("echo 4 ");
    until("the cache to be within its bound", || is_bounded().then_some(()));
    lab.settle();
}

#[test]
fn docker_s_builder_is_there_under_its_names() {
    let lab = Lab::new();
    base(&lab);
    let list = lab.rc(["buildx", "ls"]).run().exits(0).stdout();
    assert!(list.starts_with("NAME/NODE") && list.contains("default*"), "{list}");
    let found = lab.rc(["buildx", "inspect", "--bootstrap"]).run().exits(0).stdout();
    assert!(found.starts_with("Name:     default\n") && found.contains("Status:    running\n"), "{found}");
    assert!(lab.rc(["buildx", "inspect", "other"]).run().exits(125).stderr().contains("no such builder"));
    let version = lab.rc(["buildx", "version"]).run().exits(0).stdout();
    assert!(version.starts_with("rc/buildx v") && version.matches('.').count() == 2, "{version}");
    lab.rc(["buildx", "du", "--format", "{{.ID}}"]).run().prints("");
    lab.rc(["buildx", "prune", "-f"]).run().prints("");
    write(&lab, "Dockerfile", "FROM localhost/base\nRUN true\n");
    lab.rc(["buildx", "b", "-q"]).arg(lab.work("context")).run().exits(0).stdout();
}

#[test]
fn scripts_give_the_builder_names_and_take_them_away() {
    let lab = lab(&[("Dockerfile", "FROM localhost/base\nRUN true\n")]);
    let buildx = |words: &[&str]| lab.rc(["buildx"]).args(words).run();
    let typed = ["create", "--name", "ci", "--use", "--bootstrap", "--driver", "docker-container"];
    let options = ["--driver-opt", "network=host,image=moby/buildkit:latest", "--platform", "linux/amd64,linux/arm64"];
    let flags = ["--buildkitd-flags", "--allow-insecure-entitlement security.insecure"];
    buildx(&[&typed[..], &options, &flags].concat()).prints("ci\n");
    buildx(&["create"]).prints("builder-1\n");
    assert!(buildx(&["create", "--name", "ci"]).exits(125).stderr().contains("there is a builder `ci`"));
    let names = || {
        let listed = buildx(&["ls"]).exits(0).stdout();
        let first = listed.lines().skip(1).filter(|line| !line.starts_with(' '));
        first.map(|line| line.split_whitespace().next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["default", "builder-1", "ci*"]);
    assert!(buildx(&["inspect", "--bootstrap"]).exits(0).stdout().starts_with("Name:     ci\n"));
    build(&lab, &["-q", "--builder", "ci"]).exits(0).stdout();
    let refused = build(&lab, &["--builder", "other"]).exits(125).stderr();
    assert!(refused.contains("no such builder: `other`") && refused.contains("one builder, `default`"), "{refused}");
    buildx(&["use", "--default", "builder-1"]).prints("");
    buildx(&["stop", "ci"]).prints("");
    assert!(buildx(&["rm", "-f"]).exits(0).stderr().contains("builder-1 removed"));
    assert_eq!(names(), ["default*", "ci"]);
    buildx(&["rm", "--all-inactive", "--keep-state"]).exits(0).stderr();
    assert_eq!(names(), ["default*"]);
    for (words, message) in [
        (&["rm", "default"][..], "cannot be removed"),
        (&["use", "ci"], "no such builder"),
        (&["create", "--driver", "kubernetes"], "`--driver kubernetes`: rc builds on this host alone"),
        (&["create", "tcp://host:1234"], "on this host alone"),
        (&["create", "--driver-opt", "memory=1g"], "`--driver-opt memory=1g`"),
        (&["create", "--buildkitd-flags", "--debug"], "`--buildkitd-flags`: rc has no daemon with `--debug`"),
        (&["create", "--append", "--name", "x"], "one node"),
        (&["bake"], "build each target"),
    ] {
        let refused = buildx(words).exits(125).stderr();
        assert!(refused.contains(message), "{words:?}: {refused}");
    }
}
