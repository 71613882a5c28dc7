//! `rc build --check` and `--call`: what it reads, what it says, and with which exit code.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::support::{Image, Lab, Layer};

/// A context with these files.
fn context(lab: &Lab, name: &str, files: &[(&str, &str)]) -> PathBuf {
    let directory = lab.work(name);
    fs::create_dir_all(&directory).expect("a directory");
    for (path, text) in files {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a directory");
        fs::write(path, text).expect("a file");
    }
    directory
}

#[test]
fn what_the_checks_find_is_shown_and_is_exit_code_1() {
    let lab = Lab::new();
    let fine = context(&lab, "fine", &[("Dockerfile", "FROM scratch\nCOPY a /\nCMD [\"/a\"]\n")]);
    lab.rc(["build", "--check"]).arg(&fine).run().prints("Check complete, no warnings found.\n");
    let doubtful = context(&lab, "doubtful", &[("Containerfile", "FROM scratch AS Base\nCMD [\"/a\"]\n")]);
    let shown = "Check complete, 1 warning has been found!\n\n\
        WARNING: StageNameCasing - https://docs.docker.com/go/dockerfile/rule/stage-name-casing/\n\
        Stage name 'Base' should be lowercase\nContainerfile:1\n--------------------\n   \
        1 | >>> FROM scratch AS Base\n   2 |     CMD [\"/a\"]\n--------------------\n";
    for words in [&["build", "--check"][..], &["image", "build", "--call=check"], &["buildx", "build", "--check"]] {
        lab.rc(words).arg(&doubtful).run().is(1, shown, "");
    }
    let object = lab.rc(["builder", "build", "--call=check,format=json"]).arg(&doubtful).run().exits(1);
    let object: serde_json::Value = serde_json::from_str(&object.stdout()).expect("JSON");
    assert_eq!(object["warnings"][0]["ruleName"], json!("StageNameCasing"));
    assert_eq!(object["sources"][0]["filename"], json!("Containerfile"));
    // Left out by the file, and by the caller.
    let skipped = context(&lab, "skipped", &[("Dockerfile", "# check=skip=StageNameCasing\nFROM scratch AS Base\n")]);
    lab.rc(["build", "--check"]).arg(&skipped).run().succeeds();
    let argument = "--build-arg=BUILDKIT_DOCKERFILE_CHECK=skip=all";
    lab.rc(["build", "--check", argument]).arg(&doubtful).run().succeeds();
}

#[test]
fn all_mistakes_are_shown_with_their_places() {
    let lab = Lab::new();
    let text = "FROM scratch\nCOYP a /\nRUN --mount=type=bnid,target=/x true\n";
    let wrong = context(&lab, "wrong", &[("Dockerfile", text)]);
    lab.rc(["build", "--check"]).arg(&wrong).run().fails(
        125,
        "Dockerfile:2:1\n   1 |     FROM scratch\n   2 | >>> COYP a /\n     |     ^^^^\n   \
         3 |     RUN --mount=type=bnid,target=/x true\nerror: there is no instruction `COYP`\n\
         hint: did you mean `COPY`?\n\nDockerfile:3:5\n   1 |     FROM scratch\n   2 |     COYP a /\n   \
         3 | >>> RUN --mount=type=bnid,target=/x true\n     |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^\n\
         error: there is no mount type `bnid`\nhint: did you mean `bind`?\n\nrc: `Dockerfile` has 2 errors\n",
    );
    // What a file says cannot control the terminal.
    let hostile = context(&lab, "hostile", &[("Dockerfile", "FROM scratch\n\u{1b}[2J x\n")]);
    let output = lab.rc(["build", "--check"]).arg(&hostile).run();
    assert!(output.stderr().contains("\\x1b[2J") && !output.stderr().contains('\u{1b}'), "{}", output.stderr());
    lab.rc(["build", "--check", "--target=nope"])
        .arg(context(&lab, "target", &[("Dockerfile", "FROM scratch AS node\n")]))
        .run()
        .fails(
            125,
            "Dockerfile:1:1\n   1 | >>> FROM scratch AS node\n     |     ^\nerror: there is no stage `nope`\n\
             hint: did you mean `node`?\n\nrc: `Dockerfile` has an error\n",
        );
}

#[test]
fn the_dockerfile_is_found_or_named_or_comes_from_standard_input() {
    let lab = Lab::new();
    let files = [("Dockerfile", "FROM scratch AS usual\n"), ("sub/other", "FROM scratch AS other\n")];
    let directory = context(&lab, "context", &files);
    let targets = |words: &[&str]| lab.rc(["build", "--call=targets"]).args(words).arg(&directory).run().text();
    assert_eq!(targets(&[]), "TARGET            DESCRIPTION\nusual (default)");
    // Relative to the context, if there is none in the working directory.
    assert_eq!(targets(&["-f", "sub/other"]), "TARGET            DESCRIPTION\nother (default)");
    let path = directory.join("sub/other").display().to_string();
    assert_eq!(targets(&["-f", &path]), "TARGET            DESCRIPTION\nother (default)");
    for words in [&["-f", "-", "."][..], &["-"]] {
        let output = lab.rc(["build", "--call=targets"]).args(words).input("FROM scratch AS input\n").run();
        output.prints("TARGET            DESCRIPTION\ninput (default)\n");
    }
    fs::write(directory.join("Containerfile"), "FROM scratch AS first\n").expect("a file");
    assert_eq!(targets(&[]), "TARGET            DESCRIPTION\nfirst (default)");
    let empty = context(&lab, "empty", &[]);
    lab.rc(["build", "--check"]).arg(&empty).run().fails(
        125,
        format!("rc: `{}` has no Containerfile and no Dockerfile\nhint: name it: `--file PATH`\n", empty.display()),
    );
    let output = lab.rc(["build", "-"]).input(b"FROM \x1f\x8b".to_vec()).run().exits(125);
    assert!(output.stderr().contains("is not UTF-8: line 1"), "{output}");
    let none = lab.work("none");
    lab.rc(["build", "--check"]).arg(&none).run().fails(125, format!("rc: no such context: `{}`\n", none.display()));
    lab.rc(["build", "--check", "-f", "nowhere"]).arg(&empty).run().fails(
        125,
        "rc: no such Dockerfile: `nowhere`\nhint: it is neither in the working directory nor in the context\n",
    );
}

#[test]
fn b4_no_link_of_a_context_leads_out_of_it_and_nothing_but_files_is_read() {
    let lab = Lab::new();
    let outside = lab.work("outside");
    fs::write(&outside, "FROM scratch AS outside\n").expect("a file");
    for (name, target) in [("absolute", outside.display().to_string()), ("relative", "../outside".to_owned())] {
        let directory = context(&lab, name, &[]);
        symlink(&target, directory.join("Dockerfile")).expect("a link");
        let message = "rc: `Dockerfile` is a link out of the context, or to nothing\n";
        lab.rc(["build", "--check"]).arg(&directory).run().fails(125, message);
    }
    let inside = context(&lab, "inside", &[("real", "FROM scratch AS inside\n")]);
    symlink("real", inside.join("Dockerfile")).expect("a link");
    lab.rc(["build", "--check"]).arg(&inside).run().succeeds();
    symlink(&outside, inside.join(".dockerignore")).expect("a link");
    let message = "rc: `.dockerignore` is a link out of the context, or to nothing\n";
    lab.rc(["build", "--check"]).arg(&inside).run().fails(125, message);
    // Neither is waited for.
    let fifo = context(&lab, "fifo", &[]);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        fifo.join("Dockerfile"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .expect("a FIFO");
    lab.rc(["build", "--check"]).arg(&fifo).run().fails(125, "rc: `Dockerfile` is not a regular file\n");
    let directory = context(&lab, "directory", &[("Dockerfile/x", "")]);
    lab.rc(["build", "--check"]).arg(&directory).run().fails(125, "rc: `Dockerfile` is not a regular file\n");
}

#[test]
fn b15_large_files_are_refused_and_others_checked_at_once() {
    let lab = Lab::new();
    let large = context(&lab, "large", &[("Dockerfile", &"#".repeat((1 << 20) + 1))]);
    lab.rc(["build", "--check"]).arg(&large).run().fails(125, "rc: `Dockerfile` has more than 1024 KiB\n");
    let text = format!("FROM scratch\nENV A=x\n{}", "ENV A=$A$A$$$$\n".repeat(9000));
    let long = context(&lab, "long", &[("Dockerfile", &text)]);
    let output = lab.rc(["build", "--check"]).arg(&long).run().within(Duration::from_secs(10)).exits(125);
    assert!(output.stderr().contains("expands to more than 128 KiB"), "{output}");
    let broken = context(&lab, "broken", &[("Dockerfile", "FROM scratch\n")]);
    fs::write(broken.join("Dockerfile"), b"FROM scratch\nRUN \xff\n").expect("a file");
    lab.rc(["build", "--check"]).arg(&broken).run().fails(125, "rc: `Dockerfile` is not UTF-8: line 2\n");
}

#[test]
fn an_ignore_file_is_that_of_the_dockerfile_or_of_the_context() {
    let lab = Lab::new();
    let files = [("Dockerfile", "FROM scratch\nCOPY a.txt b.txt /x/\n"), (".dockerignore", "a.txt\n")];
    let directory = context(&lab, "context", &files);
    let ignored = |words: &[&str]| {
        let output = lab.rc(["build", "--call=check,format=json"]).args(words).arg(&directory).run();
        let object: serde_json::Value = serde_json::from_str(&output.stdout()).expect("JSON");
        let warnings = object["warnings"].as_array().expect("a list").clone();
        warnings.iter().map(|one| one["detail"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    let message = |name: &str| vec![format!("Attempting to Copy file \"{name}\" that is excluded by .dockerignore")];
    assert_eq!(ignored(&[]), message("a.txt"));
    fs::write(directory.join("Dockerfile.dockerignore"), "b.txt\n").expect("a file");
    assert_eq!(ignored(&[]), message("b.txt"));
    let other = lab.work("other");
    fs::write(&other, "# nothing\n").expect("a file");
    assert_eq!(ignored(&["--ignorefile", &other.display().to_string()]), Vec::<String>::new());
    fs::write(&other, "a\n[\n").expect("a file");
    lab.rc(["build", "--check", "--ignorefile"])
        .arg(&other)
        .arg(&directory)
        .run()
        .fails(125, format!("rc: `{}`: line 2: a `[` is not closed\n", other.display()));
}

#[test]
fn bases_in_the_store_say_which_variables_there_are() {
    let lab = Lab::new();
    let image = Image::new()
        .layer(Layer::new().file("x", 0o644, b"").bytes())
        .config(json!({ "Env": ["GREETING=hello"], "OnBuild": ["ENV LATER=$GREETING"] }));
    let archive = lab.work("image.tar");
    fs::write(&archive, image.oci_archive("h.io/base:1")).expect("an archive");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
    let text = "FROM h.io/base:1\nENV A=$GREETING B=$LATER\nENV C=$GREETNIG D=$OTHER\n";
    let known = context(&lab, "known", &[("Dockerfile", text)]);
    let details = |directory: &Path| {
        let output = lab.rc(["build", "--call=check,format=json"]).arg(directory).run();
        let object: serde_json::Value = serde_json::from_str(&output.stdout()).expect("JSON");
        let warnings = object["warnings"].as_array().expect("a list").clone();
        warnings.iter().map(|one| one["detail"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        details(&known),
        ["Usage of undefined variable '$GREETNIG' (did you mean $GREETING?)", "Usage of undefined variable '$OTHER'",]
    );
    // Of an image that is not there only what looks like a mistake is reported.
    let unknown = context(&lab, "unknown", &[("Dockerfile", "FROM h.io/other\nENV A=$GREETING B=$PAHT\n")]);
    assert_eq!(details(&unknown), ["Usage of undefined variable '$PAHT' (did you mean $PATH?)"]);
}

#[test]
fn an_outline_says_what_a_build_takes() {
    let lab = Lab::new();
    let text = "# VERSION what to build\nARG VERSION=1\nFROM scratch AS base\nARG VERSION\nARG TOKEN_FILE\n\
                RUN --mount=type=secret,id=npm,required true\nFROM scratch\n";
    let directory = context(&lab, "context", &[("Dockerfile", text)]);
    lab.rc(["build", "--call=outline", "--target=base", "--build-arg=VERSION=2", "--build-arg=TOKEN_FILE"])
        .env("TOKEN_FILE", "/t")
        .arg(&directory)
        .run()
        .prints(
            "TARGET:      base\n\nBUILD ARG    VALUE   DESCRIPTION\nVERSION      2       what to build\n\
             TOKEN_FILE   /t\n\nSECRET   REQUIRED\nnpm      true\n",
        );
    let unused = lab.rc(["build", "--call=targets", "--build-arg=NOPE=1"]).arg(&directory).run();
    unused.is(
        0,
        "TARGET        DESCRIPTION\nbase\n1 (default)\n",
        "rc: warning: the build argument `NOPE` is not used\n",
    );
}

#[test]
fn changes_of_an_image_have_the_same_language() {
    let lab = Lab::new();
    let archive = lab.work("root.tar");
    fs::write(&archive, Layer::new().file("x", 0o644, b"").bytes()).expect("an archive");
    let changes = [
        "ENV A=1",
        "ENV B=${A:-x}",
        "HEALTHCHECK --interval=5s --retries=2 CMD true",
        "ONBUILD RUN x",
        "SHELL [\"/bin/bash\", \"-c\"]",
        "CMD echo hello",
    ];
    let words = changes.iter().flat_map(|change| ["-c", change]);
    lab.rc(["import", "-q"]).args(words).arg(&archive).arg("h.io/changed:1").run().succeeds();
    let config = lab.rc(["image", "inspect", "--format", "{{json .Config}}", "h.io/changed:1"]).run().json();
    assert_eq!(config["Env"], json!(["A=1", "B=1"]));
    assert_eq!(
        config["Healthcheck"],
        json!({ "Test": ["CMD-SHELL", "true"], "Interval": 5_000_000_000_u64, "Retries": 2 })
    );
    assert_eq!((&config["OnBuild"], &config["Cmd"]), (&json!(["RUN x"]), &json!(["/bin/bash", "-c", "echo hello"])));
    lab.rc(["import", "-q", "-c", "ENV A=${B", "-c", "CMD x"])
        .arg(&archive)
        .run()
        .fails(125, "rc: `--change` cannot take `ENV A=${B`: cannot expand `${B`: a `}` is missing\n");
}
