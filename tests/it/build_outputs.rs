//! `rc build --output`, `--squash` and `--layers=false`: what becomes of the result.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

use serde_json::Value;

use crate::build::{build, inspect, lab, other_user, play, write};
use crate::support::image::hex;
use crate::support::wait::until;
use crate::support::{Exit, Lab, Registry};

const DOCKERFILE: &str = "FROM localhost/base AS base\n\
    RUN mkdir /made && echo x >/made/f && chmod 4750 /made/f && busybox ln -s f /made/l\n\
    FROM scratch\nCOPY --from=base /made /out\nCOPY a /a\n";

/// What an archive has, a line for each: mode, owner, name.
fn listed(lab: &Lab, archive: &[u8]) -> String {
    let listed = lab.program("tar", ["-tv", "--numeric-owner"]).input(archive.to_vec()).run().exits(0).stdout();
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        format!("{} {} {}", words[0], words[1], words[5..].join(" "))
    };
    listed.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn images(lab: &Lab) -> String {
    lab.rc(["images", "--format", "{{.Repository}}:{{.Tag}}"]).run().text()
}

#[test]
fn what_was_built_is_written_and_pushed_although_its_name_has_moved_since() {
    require!(program "docker-registry");
    let lab = lab(&[("Dockerfile", "FROM scratch\nCOPY a /a\n"), ("a", "of a")]);
    let registry = Registry::empty(&lab);
    let name = registry.image("made:1");
    let fifo = lab.work("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RWXU).expect("a fifo");
    // It waits for a reader between its two deliveries: by then the image has its name.
    let output = format!("type=oci,dest={}", fifo.display());
    let words = ["build", "-q", "--push", "-t", &name, "-o", &output, "--metadata-file", "metadata"];
    let build = lab.rc(words).arg(lab.work("context")).start();
    until("the image", || (lab.rc(["image", "exists", &name]).run().exit == Exit::Code(0)).then_some(()));
    lab.rc(["tag", "localhost/base", &name]).run().succeeds();
    let archive = fs::read(&fifo).expect("an archive");
    let id = build.wait().exits(0).stdout();
    let metadata: Value = serde_json::from_slice(&fs::read(lab.work("metadata")).expect("written")).expect("JSON");
    let raw = lab.rc(["buildx", "imagetools", "inspect", "--raw", &name]).run().exits(0).stdout;
    assert_eq!(metadata["containerimage.digest"], format!("sha256:{}", hex(&raw)));
    let pushed: Value = serde_json::from_slice(&raw).expect("JSON");
    assert_eq!(pushed["config"]["digest"], format!("sha256:{}", id.trim()));
    let own = |name: &str| lab.rc(["image", "inspect", "--format", "{{.Id}}", name]).run().text();
    assert_ne!(own(&name), id.trim(), "the name is that of the other image");
    lab.rc(["load", "-q"]).input(archive).run().exits(0).stdout();
    assert_eq!(own(&name), id.trim(), "the archive has the name and the image");
    registry.stop();
}

#[test]
fn files_go_to_a_directory_or_an_archive_and_no_image_is_made() {
    let lab = lab(&[("Dockerfile", DOCKERFILE), ("a", "of a")]);
    let context = lab.work("context");
    let out = |words: &[&str]| lab.rc(["build"]).args(words).arg(&context).run();
    let before = images(&lab);
    assert_eq!(out(&["-o", "out"]).exits(0).stdout(), "");
    let path = |name: &str| lab.work("out").join(name);
    assert_eq!(fs::read_to_string(path("a")).expect("there"), "of a");
    let file = fs::metadata(path("out/f")).expect("there");
    // A setuid file of a container does not become one of the user's.
    assert_eq!((file.permissions().mode() & 0o7777, file.uid()), (0o750, rustix::process::getuid().as_raw()));
    assert_eq!(fs::read_link(path("out/l")).expect("a link").to_str(), Some("f"));
    // Onto what is there: files are replaced, and what the result does not have stays.
    fs::write(path("a"), "old").expect("written");
    fs::write(path("mine"), "mine").expect("written");
    out(&["--output", "type=local,dest=out"]).succeeds();
    assert_eq!(fs::read_to_string(path("a")).expect("there"), "of a");
    assert_eq!(fs::read_to_string(path("mine")).expect("there"), "mine");
    // No link in the directory leads out of it, and a directory of the user's is not replaced.
    let canary = lab.work("canary");
    fs::create_dir(&canary).expect("made");
    fs::remove_dir_all(path("out")).expect("removed");
    symlink(&canary, path("out")).expect("linked");
    drop(out(&["-o", "out"]));
    assert_eq!(fs::read_dir(&canary).expect("reads").count(), 0);
    fs::remove_file(path("a")).expect("removed");
    fs::create_dir(path("a")).expect("made");
    let refused = out(&["-o", "out"]).exits(125).stderr();
    assert!(refused.contains("cannot overwrite") && !refused.contains("--overwrite"), "{refused}");
    let expected = "-rw-r--r-- 0/0 a\ndrwxr-xr-x 0/0 out/\n-rwsr-x--- 0/0 out/f\nlrwxrwxrwx 0/0 out/l -> f";
    let archive = out(&["-o", "-"]).exits(0);
    assert_eq!(listed(&lab, &archive.stdout), expected);
    for words in [["-o", "type=tar,dest=out.tar"], ["--output=type=tar", "--quiet"]] {
        let piped = out(&words).exits(0).stdout;
        let bytes = if words[0] == "-o" { fs::read(lab.work("out.tar")).expect("there") } else { piped };
        assert_eq!(listed(&lab, &bytes), expected);
    }
    assert_eq!(out(&["-o", "type=cacheonly"]).exits(0).stdout(), "");
    assert_eq!(images(&lab), before);
    // With a name it is an image, too.
    assert_eq!(out(&["-o", "out2", "-t", "localhost/made"]).exits(0).stdout().trim().len(), 64);
    assert!(images(&lab).contains("localhost/made:latest"));
}

#[test]
fn an_image_goes_to_an_archive_a_directory_or_a_registry() {
    let lab = lab(&[("Dockerfile", DOCKERFILE), ("a", "of a")]);
    let load = |archive: Vec<u8>| {
        lab.rc(["rmi", "-f", "localhost/made"]).run().exits(0).stdout();
        lab.rc(["load", "-q"]).input(archive).run().exits(0).stdout();
        inspect(&lab)["Id"].as_str().expect("an ID").to_owned()
    };
    for kind in ["oci", "docker"] {
        let piped = build(&lab, &["-o", &format!("type={kind},dest=-")]).exits(0);
        let id = inspect(&lab)["Id"].as_str().expect("an ID").to_owned();
        assert_eq!(load(piped.stdout), id, "{kind}");
        build(&lab, &["-q", "-o", &format!("type={kind},dest=image.tar")]).exits(0).stdout();
        assert_eq!(load(fs::read(lab.work("image.tar")).expect("there")), id, "{kind}");
    }
    build(&lab, &["-q", "-o", "type=oci,dest=layout,tar=false"]).exits(0).stdout();
    assert!(lab.work("layout/index.json").exists());
    let registry = Registry::empty(&lab);
    let name = registry.image("made:1");
    let output = format!("type=registry,name={name},compression=zstd,oci-mediatypes=true,annotation.org.x=y");
    let words = ["build", "-q", "-o", &output, "--annotation", "org.z=w"];
    lab.rc(words).arg(lab.work("context")).run().exits(0).stdout();
    lab.rc(["rmi", "-f", &name]).run().exits(0).stdout();
    lab.rc(["pull", "-q", &name]).run().exits(0).stdout();
    lab.rc(["save", "--format", "oci-dir", "-o", "saved", &name]).run().succeeds();
    let read = |path: String| -> Value {
        serde_json::from_slice(&fs::read(lab.work("saved").join(path)).expect("there")).expect("JSON")
    };
    let digest = read("index.json".to_owned())["manifests"][0]["digest"].as_str().expect("a digest").replace(':', "/");
    let manifest = read(format!("blobs/{digest}"));
    assert_eq!((&manifest["annotations"]["org.x"], &manifest["annotations"]["org.z"]), (&"y".into(), &"w".into()));
    assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.oci.image.layer.v1.tar+zstd");
    registry.stop();
    for (words, message) in [
        (&["-o", "type=loacl,dest=x"][..], "did you mean local?"),
        (&["-o", "type=image,compression=zstd"], "compress what is pushed or written"),
        (&["-o", "type=oci,dest=x,compression-level=12"], "0 to 9"),
        (&["-o", "type=docker,dest=x,oci-mediatypes=true"], "has no media types"),
        (&["-o", "type=docker,dest=x,tar=false"], "a directory is of type oci"),
        (&["-o", "type=image,push-by-digest=true"], "needs `push=true`"),
        (&["-o", "type=image,push=true,push-by-digest=true"], "needs the repository"),
        (&["-o", "type=image,annotation-index.a=b"], "needs several platforms"),
        (&["-o", "type=image,annotation-manifest-descriptor.a=b"], "annotates manifests and indexes"),
        (&["-o", "-", "-o", "type=oci"], "takes one archive"),
    ] {
        let refused = build(&lab, words).exits(125).stderr();
        assert!(refused.contains(message), "{words:?}: {refused}");
    }
    let words = ["build", "--iidfile", "id", "-o", "out"];
    let refused = lab.rc(words).arg(lab.work("context")).run().exits(125).stderr();
    assert!(refused.contains("--iidfile needs an image"), "{refused}");
    let refused = lab.rc(["build", "--push"]).arg(lab.work("context")).run().exits(125).stderr();
    assert!(refused.contains("needs a name"), "{refused}");
}

#[test]
fn layers_become_one_and_the_files_are_the_same() {
    let (_, uid) = other_user();
    let dockerfile = format!(
        "FROM localhost/base\n\
        RUN mkdir -p /d/keep /gone && echo 1 >/d/one && echo 1 >/gone/x && busybox ln /d/one /d/other\n\
        RUN rm -r /gone && echo 2 >/d/two && chown {uid}:{uid} /d/two && rm /bin/id\n\
        RUN rm -r /d/keep && echo file >/d/keep && rm -rf /tmp && mkdir /tmp && echo new >/tmp/new\nENV A=1\n"
    );
    let lab = lab(&[("Dockerfile", &dockerfile)]);
    let seen = || {
        let words = "ls -l /bin/id; cd / && for f in d/* gone* tmp/*; do stat -c '%n %a %u %F' $f; done; cat d/*; \
            test d/one -ef d/other; echo $?";
        play(&lab, &["sh", "-c", words]).exits(0).stdout()
    };
    let layers = || inspect(&lab)["RootFS"]["Layers"].as_array().map(Vec::len);
    let entries = || lab.rc(["history", "-q", "localhost/made"]).run().text().lines().count();
    build(&lab, &["-q"]).exits(0).stdout();
    let (expected, history) = (seen(), entries());
    assert_eq!(layers(), Some(4));
    // The layer of the base has no history, which is a line only as long as it is a layer.
    for (words, count, history) in [
        (&["-q", "--squash"][..], 2, history),
        (&["-q", "--squash-all"], 1, history - 1),
        (&["-q", "--layers=false"], 2, history),
        (&["-q", "--layers"], 4, history),
    ] {
        build(&lab, words).exits(0).stdout();
        assert_eq!((layers(), seen(), entries()), (Some(count), expected.clone(), history), "{words:?}");
        assert_eq!(inspect(&lab)["Config"]["Env"][2], "A=1");
    }
    // A second time it is the same image; nothing is taken from the cache for one without layers.
    let id = build(&lab, &["-q", "--squash"]).exits(0).stdout();
    assert_eq!(build(&lab, &["-q", "--squash"]).exits(0).stdout(), id);
    let anew = build(&lab, &["--progress", "plain", "--layers=false"]).exits(0).stderr();
    assert!(!anew.contains("CACHED"), "{anew}");
    // One layer stays what it is.
    write(&lab, "Dockerfile", "FROM localhost/base\nRUN echo x >/f\n");
    let one = build(&lab, &["-q"]).exits(0).stdout();
    assert_eq!(build(&lab, &["-q", "--squash"]).exits(0).stdout(), one);
}

#[test]
fn a_volume_is_there_in_every_step_and_in_no_layer() {
    let dockerfile = "FROM localhost/base\nRUN cat /shared/f >/one\nRUN cat /shared/f >/two && ! touch /shared/g\n";
    let lab = lab(&[("Dockerfile", dockerfile)]);
    write(&lab, "../shared/f", "shared");
    let volume = format!("{}:/shared:ro", lab.work("shared").display());
    build(&lab, &["-q", "-v", &volume]).exits(0).stdout();
    play(&lab, &["sh", "-c", "cat /one /two; echo /shared*"]).prints("sharedshared/shared*\n");
    assert!(build(&lab, &["-q", "--volume", "a:b:c:d"]).exits(125).stderr().contains("a:b:c:d"));
}

#[test]
fn archives_have_the_compression_and_the_types_that_are_asked_for() {
    let lab = lab(&[("Dockerfile", DOCKERFILE), ("a", "of a")]);
    let read = |path: &str| -> Value {
        serde_json::from_slice(&fs::read(lab.work("layout").join(path)).expect("there")).expect("JSON")
    };
    let manifest = |output: &str| {
        fs::remove_dir_all(lab.work("layout")).ok();
        build(&lab, &["-q", "-o", &format!("type=oci,dest=layout,tar=false{output}")]).exits(0).stdout();
        let entry = read("index.json")["manifests"][0].clone();
        let digest = entry["digest"].as_str().expect("a digest").replace(':', "/");
        (entry["mediaType"].as_str().expect("a type").to_owned(), read(&format!("blobs/{digest}")))
    };
    let (_, plain) = manifest("");
    let oci = "application/vnd.oci.image.layer.v1.tar";
    assert_eq!(plain["layers"][0]["mediaType"], oci);
    for (output, layer) in [
        (",compression=gzip,compression-level=9", format!("{oci}+gzip")),
        (",compression=zstd", format!("{oci}+zstd")),
        (",compression=uncompressed", oci.to_owned()),
        (",oci-mediatypes=false,compression=gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip".to_owned()),
    ] {
        let (media_type, found) = manifest(output);
        assert_eq!(found["layers"][0]["mediaType"], layer, "{output}");
        assert_eq!(media_type.contains("docker"), output.contains("oci-mediatypes"), "{output}: {media_type}");
        // It is the same image, whatever its layers look like.
        assert_eq!(found["config"]["digest"], plain["config"]["digest"]);
        let layout = format!("oci:{}", lab.work("layout").display());
        lab.rc(["rmi", "-f", "localhost/made"]).run().exits(0).stdout();
        lab.rc(["pull", "-q", &layout]).run().exits(0).stdout();
    }
    // What was made for an archive alone is gone.
    lab.rc(["images"]).run().exits(0).stdout();
    lab.settle();
}

#[test]
fn an_image_is_pushed_by_its_digest_alone_and_the_metadata_have_that() {
    require!(program "docker-registry");
    let lab = lab(&[("Dockerfile", DOCKERFILE), ("a", "of a")]);
    let registry = Registry::empty(&lab);
    let name = registry.image("made");
    let output = format!("type=image,push=true,push-by-digest=true,name={name}");
    let words = ["build", "-q", "--metadata-file", "metadata", "-o", &output];
    lab.rc(words).arg(lab.work("context")).run().exits(0).stdout();
    let read = || -> Value { serde_json::from_slice(&fs::read(lab.work("metadata")).expect("there")).expect("JSON") };
    let digest = read()["containerimage.digest"].as_str().expect("a digest").to_owned();
    assert!(!images(&lab).contains(&name), "{}", images(&lab));
    lab.rc(["pull", "-q", &format!("{name}@{digest}")]).run().exits(0).stdout();
    // No name leads to it.
    lab.rc(["pull", "-q", &name]).run().exits(125).stderr();
    // By its names it is that of the registry, too, not of the store.
    let tagged = format!("{name}:1");
    let words = ["build", "-q", "--metadata-file", "metadata", "--push", "-t", &tagged];
    lab.rc(words).arg(lab.work("context")).run().exits(0).stdout();
    assert_eq!(read()["containerimage.digest"], digest.as_str());
    registry.stop();
}
