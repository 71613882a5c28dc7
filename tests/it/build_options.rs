//! Options of `rc build` that change what the image says, how servers are reached, and where messages go.

use std::fs;

use serde_json::{Value, json};

use crate::build::{build, inspect, lab, play, write};
use crate::support::{Lab, Registry};

/// The environment of the image without PATH.
fn variables(lab: &Lab) -> Vec<String> {
    let env = inspect(lab)["Config"]["Env"].as_array().cloned().unwrap_or_default();
    let lines = env.iter().filter_map(Value::as_str).filter(|line| !line.starts_with("PATH="));
    lines.map(str::to_owned).collect()
}

#[test]
fn variables_labels_and_the_base_are_those_of_the_command_line() {
    let text = "FROM localhost/none AS one\nRUN echo $GIVEN-$OWN >/one\nFROM one\nENV OWN=file\nLABEL own=yes\n";
    let lab = lab(&[("Dockerfile", text)]);
    let base = ["--from", "localhost/base"];
    let words = [&base[..], &["-q", "--env", "GIVEN=$x 'y'", "--env", "OWN=first", "--env", "NOWHERE"]].concat();
    build(&lab, &words).exits(0).stdout();
    play(&lab, &["cat", "/one"]).prints("$x 'y'-first\n");
    assert_eq!(variables(&lab), ["OF=base", "GIVEN=$x 'y'", "OWN=file"]);
    assert_eq!(inspect(&lab)["Config"]["Labels"], serde_json::json!({ "of": "base", "own": "yes" }));
    // Steps have what the image does not.
    let words = [&base[..], &["-q", "--unsetenv", "OF", "--unsetlabel", "of", "--label", "more=1"]].concat();
    build(&lab, &words).exits(0).stdout();
    assert_eq!(variables(&lab), ["OWN=file"]);
    assert_eq!(inspect(&lab)["Config"]["Labels"], serde_json::json!({ "own": "yes", "more": "1" }));
    build(&lab, &[&base[..], &["-q", "--inherit-labels=false", "--omit-history"]].concat()).exits(0).stdout();
    assert_eq!(inspect(&lab)["Config"]["Labels"], serde_json::json!({ "own": "yes" }));
    assert_eq!(lab.rc(["history", "-q", "localhost/made"]).run().text().lines().count(), 2, "the layers alone");
}

#[test]
fn annotations_of_the_base_are_taken_over_unless_the_caller_says_otherwise() {
    let lab = lab(&[("Dockerfile", "FROM localhost/base\n")]);
    let annotated = ["build", "-q", "-t", "localhost/annotated", "--annotation", "a=1", "--annotation", "b=2"];
    lab.rc(annotated).arg(lab.work("context")).run().exits(0).stdout();
    write(&lab, "Dockerfile", "FROM localhost/annotated AS one\nRUN true\nFROM one\nRUN true\n");
    let made = || inspect(&lab)["Annotations"].clone();
    let with = |words: &[&str]| {
        build(&lab, &[&["-q"], words].concat()).exits(0).stdout();
        made()
    };
    assert_eq!(with(&[]), json!({ "a": "1", "b": "2" }));
    assert_eq!(with(&["--unsetannotation", "a", "--annotation", "b=3"]), json!({ "b": "3" }));
    assert_eq!(with(&["--inherit-annotations=false", "--annotation", "own=1"]), json!({ "own": "1" }));
    assert_eq!(with(&["--format", "docker"]), json!({}), "manifests of docker's type have none");
    // docker's builder takes none over.
    let words = ["build", "-q", "-t", "localhost/made"];
    lab.called("docker", words).arg(lab.work("context")).run().exits(0).stdout();
    assert_eq!(made(), json!({}));
    let words = ["build", "-q", "-t", "localhost/made", "--inherit-annotations"];
    lab.called("docker", words).arg(lab.work("context")).run().exits(0).stdout();
    assert_eq!(made(), json!({ "a": "1", "b": "2" }));
}

#[test]
fn what_steps_leave_in_the_cache_is_found_by_its_labels() {
    let lab = lab(&[("Dockerfile", "FROM localhost/base\nRUN echo one >/one\n")]);
    build(&lab, &["-q"]).exits(0).stdout();
    write(&lab, "Dockerfile", "FROM localhost/base\nRUN echo one >/one\nRUN echo two >/two\n");
    build(&lab, &["-q", "--layer-label", "of=ci", "--layer-label", "night"]).exits(0).stdout();
    assert_eq!(inspect(&lab)["Config"]["Labels"], json!({ "of": "base" }), "the image has none of them");
    let listed =
        |filter: &str| lab.rc(["builder", "du", "--format", "{{.Description}}", "--filter", filter]).run().text();
    assert_eq!(listed("label=of=ci"), "RUN echo two >/two", "a step of the cache stays as it was labelled");
    assert_eq!(listed("label=of=me"), "");
    assert_eq!(listed("label!=night"), "RUN echo one >/one");
    let block = |said: String| {
        let keys = ["Created at:", "Last used:", "ID:", "Size:"];
        let lines = said.lines().filter(|line| !keys.iter().any(|key| line.starts_with(key)));
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    let shown = ["Mutable: false", "Reclaimable: false", "Shared: true", "Description: RUN echo two >/two"];
    let shown = [&shown[..], &["Labels: night=,of=ci", "Type: regular", ""]].concat();
    let said = block(lab.rc(["builder", "du", "--verbose", "--filter", "label=night"]).run().text());
    assert_eq!(said[..shown.len()], shown);
    let pruned = lab.rc(["builder", "prune", "-a", "-f", "--verbose", "--filter", "label=night"]).run().text();
    let total =
        format!("Total: {}", pruned.lines().find_map(|line| line.strip_prefix("Size:")).expect("a size").trim());
    assert_eq!(block(pruned), [&shown[..], &[&total]].concat());
    assert_eq!(listed("label=night"), "");
    assert_eq!(listed("type=regular"), "RUN echo one >/one");
}

#[test]
fn steps_read_standard_input_one_after_the_other() {
    let text = "FROM localhost/base AS one\nRUN read line; echo $line >/one\nFROM localhost/base\n\
        RUN cat >/two\nCOPY --from=one /one /one\nRUN cat >/three\n";
    let lab = lab(&[("Dockerfile", text)]);
    let build = |words: &[&str], input: &str| {
        let command = lab.rc(["build", "-q", "--no-cache", "-t", "localhost/made"]).args(words);
        command.arg(lab.work("context")).input(input).run().exits(0).stdout();
        play(&lab, &["cat", "/one", "/two", "/three"]).exits(0).stdout()
    };
    assert_eq!(build(&[], "typed\n"), "\n", "without the option there is none");
    assert_eq!(build(&["--stdin"], ""), "\n", "which ends at once");
    // Much more than a pipe takes, of which the first step reads its line.
    write(&lab, "Dockerfile", "FROM localhost/base\nRUN wc -c >/one; touch /two /three\n");
    assert_eq!(build(&["--stdin"], &"x".repeat(300_000)), "300000\n");
    // A step that does not read holds nothing up.
    write(&lab, "Dockerfile", "FROM localhost/base\nRUN touch /one /two /three\n");
    assert_eq!(build(&["--stdin"], &"x".repeat(300_000)), "");
}

#[test]
fn what_ends_with_in_is_read_by_cpp_first_which_reads_nothing_but_the_context() {
    require!(program "cpp");
    let text = "# a comment\n#include \"part\"\nFROM BASE\n#ifdef MORE\nRUN echo MORE \"it's\" >/out\n#endif\nSTEP\n";
    let lab = lab(&[("app.in", text), ("part", "#define BASE localhost/base\n")]);
    write(&lab, "../own/step", "#define STEP RUN echo of-own >/own\n");
    let file = lab.work("context/app.in").display().to_string();
    let with = |words: &[&str]| build(&lab, &[&["-q", "-f", &file], words].concat());
    let flags = ["--cpp-flag=-DMORE=more", "--cpp-flag=-include", "--cpp-flag=own/step"];
    let said = with(&flags).exits(0);
    assert!(said.stderr().contains("app.in:1: error: invalid preprocessing directive"), "{said}");
    play(&lab, &["cat", "/out", "/own"]).prints("more it's\nof-own\n");
    // A file that a flag names is that file, and not its directory.
    write(&lab, "../own/beside", "");
    for beside in [lab.work("own/beside"), lab.work("own/step")] {
        write(&lab, "app.in", &format!("#include \"{}\"\nFROM localhost/base\n", beside.display()));
        let ended = with(&flags);
        let is_refused = ended.stderr().contains("Permission denied");
        assert_eq!(is_refused, beside.ends_with("beside"), "{ended}");
    }
    write(&lab, "app.in", text);
    // The flags of the environment, as buildah has them.
    let of_environment = || {
        let command = lab.rc(["build", "-q", "-t", "localhost/made", "-f", "app.in"]).arg(lab.work("context"));
        command.env("BUILDAH_CPPFLAGS", "-DMORE=env -DSTEP=").run()
    };
    of_environment().exits(0).stderr();
    play(&lab, &["cat", "/out"]).prints("env it's\n");
    // A Dockerfile reads no other file of the user's, neither by its path nor by a link.
    write(&lab, "../secret", "#define BASE localhost/base\n");
    std::os::unix::fs::symlink(lab.work("secret"), lab.work("context/link")).expect("a link");
    let secret = lab.work("secret").display().to_string();
    for (name, reason) in [("missing", "No such file"), ("link", "Permission denied"), (&secret, "Permission denied")] {
        write(&lab, "app.in", &format!("#include \"{name}\"\nFROM BASE\n"));
        let refused = with(&[]).exits(125).stderr();
        let start = format!("rc: cannot preprocess `{file}`: {file}:");
        assert!(refused.starts_with(&start) && refused.contains(reason), "{name}: {refused}");
    }
    // However much cpp says of comments, nothing is built of a part of the file.
    let comments = "# a comment, of which cpp says that it is no directive\n".repeat(400);
    for (end, reason) in [
        // Which cpp numbers by the line after it.
        ("#include \"missing\"\nRUN late\n", ": fatal error: missing: No such file or directory\nhint: "),
        ("#ifdef NOTHING\nRUN late\n", "app.in:403: error: unterminated #ifdef\n"),
        ("COPY a/* /\nRUN late\n", "app.in:403: error: unterminated comment\n"),
    ] {
        write(&lab, "app.in", &format!("{comments}FROM localhost/base\nRUN early\n{end}"));
        let refused = with(&[]).exits(125).stderr();
        assert!(refused.contains(reason) && refused.starts_with("rc: cannot preprocess "), "{refused}");
    }
    // What is wrong is shown as cpp has left it.
    write(&lab, "app.in", "#define WORD FORM\nWORD x\n");
    let refused = with(&[]).exits(125).stderr();
    assert!(refused.contains("FORM x"), "{refused}");
}

#[test]
fn arguments_come_from_files_and_those_of_the_command_line_go_before() {
    let lab = lab(&[("Dockerfile", "FROM localhost/base\nARG A\nARG B\nARG C\nRUN echo $A-$B-$C >/out\n")]);
    write(&lab, "../args", "# a comment\n\nA=1\n  B=two words\nC=3\n");
    let file = lab.work("args").display().to_string();
    build(&lab, &["-q", "--build-arg-file", &file, "--build-arg", "C=own"]).exits(0).stdout();
    play(&lab, &["cat", "/out"]).prints("1-two words-own\n");
    write(&lab, "../args", "A=1\nB\n");
    let refused = build(&lab, &["--build-arg-file", &file]).exits(125).stderr();
    assert!(refused.contains("line 2: `B` must be NAME=VALUE"), "{refused}");
}

#[test]
fn a_manifest_of_docker_s_type_is_stored_and_an_image_is_added_to_a_list() {
    let lab = lab(&[("Dockerfile", "FROM localhost/base\nRUN echo x >/x\nHEALTHCHECK CMD true\n")]);
    build(&lab, &["-q", "--format", "docker"]).exits(0).stdout();
    assert_eq!(inspect(&lab)["ManifestType"], "application/vnd.docker.distribution.manifest.v2+json");
    play(&lab, &["cat", "/x"]).prints("x\n");
    // As in the words of buildx.
    build(&lab, &["-q", "-o", "type=image,oci-mediatypes=false"]).exits(0).stdout();
    assert_eq!(inspect(&lab)["ManifestType"], "application/vnd.docker.distribution.manifest.v2+json");
    build(&lab, &["-q", "--format=oci"]).exits(0).stdout();
    assert_eq!(inspect(&lab)["ManifestType"], "application/vnd.oci.image.manifest.v1+json");
    let refused = build(&lab, &["--format", "docker", "--annotation", "a=b"]).exits(125).stderr();
    assert!(refused.contains("have no annotations"), "{refused}");
    let add = |words: &[&str]| {
        lab.rc(["build", "-q", "--manifest", "localhost/list"]).args(words).arg(lab.work("context")).run().exits(0)
    };
    drop((add(&[]).stdout(), add(&["--label", "other=1"]).stdout()));
    let list = lab.rc(["manifest", "inspect", "localhost/list"]).run().json();
    assert_eq!(list["manifests"].as_array().map(Vec::len), Some(2), "{list}");
    lab.rc(["run", "--rm", "--network", "none", "localhost/list", "cat", "/x"]).run().prints("x\n");
}

#[test]
fn what_is_shown_goes_to_a_file() {
    let lab = lab(&[("Dockerfile", "FROM localhost/base\nRUN echo from the step; exit 3\n")]);
    let path = lab.work("log").display().to_string();
    let failed = build(&lab, &["--logfile", &path]).exits(3).stderr();
    let log = fs::read_to_string(&path).expect("written");
    assert!(log.contains(" from the step\n") && !failed.contains("#1 "), "{log}\n{failed}");
    assert!(failed.contains("ended with exit code 3"), "{failed}");
    write(&lab, "Dockerfile", "FROM localhost/base\nRUN echo well\n");
    let built = build(&lab, &["--logfile", &path]).exits(0);
    assert_eq!((built.stdout().trim().len(), built.stderr().as_str()), (64, ""));
    assert!(fs::read_to_string(&path).expect("written").contains("well"));
    // A file for each platform: two of one name have their variants in it.
    write(&lab, "Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    let platforms = "linux/amd64,linux/arm/v6,linux/arm/v7";
    build(&lab, &["-q=false", "--logfile", &path, "--logsplit", "--platform", platforms]).exits(0).stdout();
    for name in ["log_linux_amd64", "log_linux_arm_v6", "log_linux_arm_v7"] {
        assert!(fs::read_to_string(lab.work(name)).expect(name).contains("COPY Dockerfile /"), "{name}");
    }
    build(&lab, &["--no-cache", "--logfile", &path, "--logsplit", "--platform", "linux/arm/v7"]).exits(0).stdout();
    assert!(fs::read_to_string(lab.work("log_linux_arm")).expect("written").contains("COPY Dockerfile /"));
}

#[test]
fn steps_get_the_proxies_of_the_environment_and_no_key_or_history_has_them() {
    let lab = lab(&[("Dockerfile", "FROM localhost/base\nRUN echo ${https_proxy:-none} >/out\n")]);
    let with = |words: &[&str], proxy: &str| {
        let command = lab.rc(["build", "-q", "-t", "localhost/made"]).args(words).arg(lab.work("context"));
        command.env("https_proxy", proxy).run().exits(0).stdout();
        play(&lab, &["cat", "/out"]).exits(0).stdout()
    };
    assert_eq!(with(&["--http-proxy=false"], "http://p:1"), "none\n");
    assert_eq!(with(&["--no-cache"], "http://p:1"), "http://p:1\n");
    assert_eq!(with(&[], "http://other:2"), "http://p:1\n", "it is in no key");
    assert_eq!(with(&["--no-cache", "--build-arg", "https_proxy=http://q:3"], "http://p:1"), "http://q:3\n");
    let history = lab.rc(["history", "--no-trunc", "localhost/made"]).run().text();
    assert!(!history.contains("http://"), "{history}");
}

#[test]
fn registries_and_urls_are_reached_as_the_options_say() {
    require!(program "docker-registry");
    let lab = lab(&[("Dockerfile", "FROM localhost/base\nRUN echo x >/x\n")]);
    let registry = Registry::with_password(&lab);
    let name = registry.image("made:1");
    let refused = lab.rc(["build", "-q", "--push", "-t", &name]).arg(lab.work("context")).run().exits(125).stderr();
    assert!(refused.contains("rc login") || refused.contains("401"), "{refused}");
    let creds = ["--creds", "me:secret", "--retry", "1", "--retry-delay", "1ms"];
    lab.rc(["build", "-q", "--push", "-t", &name]).args(creds).arg(lab.work("context")).run().exits(0).stdout();
    lab.rc(["rmi", "-f", &name]).run().exits(0).stdout();
    write(&lab, "Dockerfile", &format!("FROM {name}\nRUN cat /x >/y\n"));
    build(&lab, &["-q"]).exits(125).stderr();
    build(&lab, &[&creds[..], &["-q"]].concat()).exits(0).stdout();
    let cache = format!("type=registry,ref={}", registry.image("cache:1"));
    build(&lab, &[&creds[..], &["-q", "--cache-to", &cache]].concat()).exits(0).stdout();
    registry.stop();
}

#[test]
fn certificates_of_urls_are_verified_unless_the_caller_says_otherwise_and_secrets_stay_here() {
    require!(program "docker-registry");
    let lab = lab(&[]);
    let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let registry = Registry::with_certificate(&lab, &own.cert.pem(), &own.signing_key.serialize_pem());
    let (address, _) = registry.image("x").split_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())).expect("a host");
    write(&lab, "Dockerfile", &format!("FROM localhost/base\nADD https://{address}/v2/ /out\n"));
    let allow = ["-q", "--allow", "network.host"];
    let refused = build(&lab, &allow).exits(125).stderr();
    assert!(refused.contains("certificate") || refused.contains("cannot trust"), "{refused}");
    build(&lab, &[&allow[..], &["--tls-verify=false"]].concat()).exits(0).stdout();
    play(&lab, &["cat", "/out"]).prints("{}");
    // As a context.
    let url = format!("https://{address}/v2/");
    let fetch = |words: &[&str]| lab.rc(["build", "-q"]).args(words).arg(&url).run().exits(125).stderr();
    assert!(fetch(&[]).contains("cannot trust") || fetch(&[]).contains("certificate"), "{}", fetch(&[]));
    let read = fetch(&["--tls-verify=false"]);
    assert!(read.contains("Dockerfile"), "its content is read, and is none: {read}");
    registry.stop();
    write(&lab, "Dockerfile", "FROM localhost/base\nADD https://host.invalid/x /x\n");
    write(&lab, "../token", "k7Xq9w");
    let secret = "id=HTTP_AUTH_TOKEN_host.invalid,src=token";
    let refused = build(&lab, &["--tls-verify=false", "--secret", secret]).exits(125).stderr();
    assert!(refused.contains("to a server that nobody verifies"), "{refused}");
}

#[test]
fn a_failed_step_leaves_a_container_with_its_files_if_that_is_asked_for() {
    let text = "FROM localhost/base\nENV A=b\nWORKDIR /w\nRUN --mount=type=secret,id=s,target=/s \
        echo made >made; cat /s >/dev/null; exit 7\n";
    let lab = lab(&[("Dockerfile", text)]);
    write(&lab, "../secret", "k7Xq9w");
    let words = ["--network", "none", "--on-error", "keep", "--secret", "id=s,src=secret"];
    let said = build(&lab, &words).exits(7).stderr();
    let (_, rest) = said.split_once("are in the container ").expect(&said);
    let name = rest.split([':', ' ']).next().expect("a name");
    lab.rc(["exec", name, "sh", "-c", "cat made; echo $A; pwd; test -e /s || echo no secret"])
        .run()
        .prints("made\nb\n/w\nno secret\n");
    lab.rc(["cp", &format!("{name}:/w/made"), "copied"]).run().succeeds();
    assert_eq!(fs::read_to_string(lab.work("copied")).expect("copied"), "made\n");
    lab.rc(["rm", "-f", "-t", "0", name]).run().exits(0).stdout();
    // Without a shell it does not run, and its files are there.
    write(
        &lab,
        "Dockerfile",
        "FROM localhost/base AS b\nFROM scratch\nCOPY --from=b /bin/busybox /false\nRUN [\"/false\"]\n",
    );
    let said = build(&lab, &words).exits(1).stderr();
    assert!(said.contains("which does not run"), "{said}");
    let (_, rest) = said.split_once("are in the container ").expect(&said);
    let name = rest.split([',', ' ']).next().expect("a name");
    lab.rc(["cp", &format!("{name}:/false"), "copied"]).run().succeeds();
    lab.rc(["rm", name]).run().exits(0).stdout();
    // In a stage that grows beside another one.
    let text = "FROM localhost/base AS a\nRUN echo 1 >/f; exit 9\nFROM localhost/base AS b\nRUN sleep 1000\n\
        FROM scratch\nCOPY --from=a /f /\nCOPY --from=b /f /\n";
    write(&lab, "Dockerfile", text);
    let said = build(&lab, &words).exits(9).stderr();
    assert!(said.contains("are in the container failed-"), "{said}");
    lab.rc(["rm", "-f", "-t", "0", "-a"]).run().exits(0).stdout();
}

#[test]
fn steps_are_confined_and_equipped_as_the_options_say() {
    let text = "FROM localhost/base\nRUN id -G >/groups; test -e /dev/fuse && echo fuse >>/groups; \
        test -e /dev/tty0 || echo no tty0 >>/groups; cat /etc/hosts >/lines 2>/dev/null; true\n";
    let lab = lab(&[("Dockerfile", text)]);
    if crate::support::Set::current() != crate::support::Set::One {
        let words = ["-q", "--group-add", "33", "--no-hosts", "--security-opt", "no-new-privileges"];
        build(&lab, &words).exits(0).stdout();
        play(&lab, &["cat", "/groups"]).prints("0 33\nno tty0\n");
        play(&lab, &["cat", "/lines"]).prints("");
    }
    let refused = build(&lab, &["--security-opt", "seccomp=/nowhere"]).exits(125).stderr();
    assert!(refused.contains("/nowhere"), "{refused}");
    // A device is where it is to be, and the files of the image are its own.
    let text = "FROM localhost/base\nRUN test -c /dev/card && echo x >/dev/card && echo own >/etc/hostname && \
        ls /dev/card >/out; cat /etc/hostname >>/out; echo kept >/etc/hosts; true\n";
    write(&lab, "Dockerfile", text);
    build(&lab, &["-q", "--device", "/dev/null:/dev/card", "--no-hostname", "--no-hosts"]).exits(0).stdout();
    play(&lab, &["cat", "/out"]).prints("/dev/card\nown\n");
    let of_image = |words: &[&str]| {
        let line = ["run", "--rm", "--network", "none", "--no-hosts", "--no-hostname", "localhost/made"];
        lab.rc(line).args(words).run().exits(0).stdout()
    };
    assert_eq!(of_image(&["cat", "/etc/hostname", "/etc/hosts"]), "own\nkept\n");
    build(&lab, &["-q"]).exits(0).stdout();
    assert_eq!(of_image(&["cat", "/out"]), "build\n", "without the options it has neither");
    let refused = build(&lab, &["--device", "/dev/nowhere"]).exits(125).stderr();
    assert!(refused.contains("/dev/nowhere"), "{refused}");
}

#[test]
fn steps_are_in_the_namespaces_that_the_caller_names() {
    let kinds = ["cgroup", "ipc", "pid", "uts"];
    let text = "FROM localhost/base\nRUN for kind in cgroup ipc pid uts; do busybox readlink /proc/self/ns/$kind; \
        done >/out\n";
    let lab = lab(&[("Dockerfile", text)]);
    let own = kinds.map(|kind| fs::read_link(format!("/proc/self/ns/{kind}")).expect("reads").display().to_string());
    let shared = |words: &[&str]| {
        build(&lab, &[&["-q"], words].concat()).exits(0).stdout();
        let seen = play(&lab, &["cat", "/out"]).exits(0).stdout();
        let seen: Vec<&str> = seen.lines().collect();
        assert_eq!(seen.len(), 4, "{seen:?}");
        own.iter().zip(seen).map(|(own, seen)| own == seen).collect::<Vec<_>>()
    };
    assert_eq!(shared(&[]), [false; 4]);
    assert_eq!(shared(&["--cgroupns=host", "--ipc=host", "--pid=host", "--uts=host"]), [true; 4]);
    assert_eq!(shared(&["--cgroupns=private", "--ipc=container", "--pid=", "--userns=host"]), [false; 4]);
    for (option, message) in [
        ("--ipc=container:x", "must be private, host or the path of a namespace"),
        ("--ipc=/proc/self/ns/ipc", "cannot join the namespaces of `/proc/self/ns/ipc`"),
        ("--uts=none", "must be private, host or the path of a namespace"),
        ("--userns=keep-id", "rc builds with the IDs of its root namespace"),
    ] {
        let refused = build(&lab, &[option]).exits(125).stderr();
        assert!(refused.contains(message), "{option}: {refused}");
    }
}

#[test]
fn what_rc_does_not_do_is_refused_by_name_with_what_to_do() {
    let lab = lab(&[("Dockerfile", "FROM localhost/base\n")]);
    for (words, message) in [
        (&["--identity-label=true"][..], "label it"),
        (&["--created-annotation"], "annotate it"),
        (&["--isolation", "chroot"], "rc confines all steps"),
        (&["--skip-unused-stages=false"], "--target STAGE"),
        (&["--builder", "other"], "one builder, `default`"),
        (&["--cw", "type=SEV"], "no option `--cw`"),
        (&["--cpp-flag=-DX"], "is for a Dockerfile whose name ends with .in, not `Dockerfile`"),
        (&["--logsplit"], "--logsplit needs a file"),
        (&["--stdin", "-f", "-"], "standard input is read once"),
        (&["--sbom", "true"], "no attestations"),
        (&["--attest", "type=sbom"], "no attestations"),
        (&["--all-platforms"], "name each"),
        (&["--squash", "--cache-to", "type=inline"], "has none that a later build"),
        (&["--env", "=x"], "has no name"),
    ] {
        let refused = build(&lab, words).exits(125).stderr();
        assert!(refused.contains(message), "{words:?}: {refused}");
    }
    let fine = ["-q", "--identity-label=false", "--created-annotation=false", "--isolation=rootless"];
    let fine = [
        &fine[..],
        &["-D", "--disable-compression", "--builder=default", "--disable-content-trust", "--skip-unused-stages"],
    ]
    .concat();
    build(&lab, &fine).exits(0).stdout();
}
