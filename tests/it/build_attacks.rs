//! What a Dockerfile, a context and an image may try: the cases B1 to B17 of the design, each with a canary that must
//! stay where and what it is.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::build::{build, inspect, lab, play, write};
use crate::support::processes::processes;
use crate::support::{Exit, Image, Lab, Layer, Set};

/// What must not be read.
const CANARY: &str = "k7Xq9w-canary";

/// A directory of the host with a file in it that nothing may read, change or remove.
fn canary(lab: &Lab) -> String {
    let directory = lab.work("host");
    fs::create_dir_all(&directory).expect("made");
    fs::write(directory.join("canary"), CANARY).expect("written");
    directory.display().to_string()
}

#[track_caller]
fn is_untouched(lab: &Lab) {
    let directory = lab.work("host");
    assert_eq!(fs::read_to_string(directory.join("canary")).expect("reads"), CANARY);
    assert_eq!(fs::read_dir(&directory).expect("reads").count(), 1, "nothing is added");
    let found = lab.program("grep", ["-rl", CANARY]).arg(lab.store()).run();
    assert_eq!(found.stdout(), "", "it is nowhere in the store");
}

/// An image `localhost/evil` with links to the host's directory.
fn evil(lab: &Lab, directory: &str) {
    let busybox = fs::read("/bin/busybox").expect("busybox-static is installed");
    let layer = Layer::new()
        .directory("bin/", 0o755)
        .file("bin/busybox", 0o755, &busybox)
        .symlink("bin/sh", "busybox")
        .symlink("root", "/")
        .symlink("out", directory)
        .symlink("up", "../../../../../../../../../../../../../../")
        .bytes();
    let config = serde_json::json!({ "Env": ["PATH=/bin"] });
    let archive = Image::new().layer(layer).config(config).oci_archive("localhost/evil:latest");
    lab.rc(["load", "-q"]).input(archive).run().exits(0).stdout();
}

#[test]
fn b1_a_bind_mount_of_an_image_shows_its_own_files_whatever_its_links_say() {
    let lab = lab(&[]);
    let directory = canary(&lab);
    evil(&lab, &directory);
    for source in ["/root", "/up", "/out"] {
        let text = format!(
            "FROM localhost/base\nRUN --mount=type=bind,from=localhost/evil,source={source},target=/m \
             test ! -e /m/canary && test ! -e /m{directory}/canary\n"
        );
        write(&lab, "Dockerfile", &text);
        let output = build(&lab, &[]);
        assert!(matches!(output.exit, Exit::Code(0 | 125)), "{source}: {output}");
        is_untouched(&lab);
    }
}

#[test]
fn b2_a_name_of_a_cache_is_no_path_and_a_source_stays_in_its_root() {
    let lab = lab(&[("a", "x")]);
    let directory = canary(&lab);
    let away = lab.work("host").strip_prefix(lab.root()).expect("is below").display().to_string();
    let text = format!(
        "FROM localhost/base\nRUN --mount=type=cache,id=../../../../{away},target=/c echo x >/c/canary\n\
         RUN --mount=type=cache,id={directory},target=/c echo x >/c/canary\n\
         RUN --mount=type=bind,source=../../../host,target=/m test ! -e /m/canary\n"
    );
    write(&lab, "Dockerfile", &text);
    let output = build(&lab, &[]);
    assert!(matches!(output.exit, Exit::Code(0 | 125)), "{output}");
    is_untouched(&lab);
    for (option, said) in [("bind-propagation=suid", "bind-propagation"), ("exec=yes", "exec")] {
        write(&lab, "Dockerfile", &format!("FROM localhost/base\nRUN --mount=type=cache,target=/c,{option} true\n"));
        let refused = build(&lab, &[]).exits(125).stderr();
        assert!(refused.contains(said), "{refused}");
    }
}

#[test]
fn b3_and_b14_what_is_mounted_through_links_reaches_no_file_of_the_host() {
    let lab = lab(&[("a", "x")]);
    let directory = canary(&lab);
    evil(&lab, &directory);
    let text = "FROM localhost/evil\n\
        RUN --mount=type=cache,target=/out/c --mount=type=tmpfs,target=/up/t echo x >/out/c/x\n\
        RUN --mount=type=cache,id=shared,target=/s ln -s /out /s/link; ln -s /up /s/up\n\
        RUN --mount=type=cache,id=shared,target=/s busybox rm -rf /s/link/canary /s/up/../canary; test -h /s/link\n";
    write(&lab, "Dockerfile", &text.replace("ln -s", "busybox ln -s").replace("test -h", "busybox test -h"));
    build(&lab, &["-q"]).exits(0).stdout();
    is_untouched(&lab);
    // Several that share a cache may make it at once.
    let stage = |name: &str| {
        format!(
            "FROM localhost/base AS {name}\nRUN --mount=type=cache,id=new,target=/c \
             for n in 1 2 3 4 5; do busybox rm -rf /c/x; busybox ln -s {directory} /c/x; rm -rf /c/x/; done; \
             echo {name} >/{name}\n"
        )
    };
    let last = "FROM localhost/base\nCOPY --from=one /one /\nCOPY --from=two /two /\n";
    write(&lab, "Dockerfile", &format!("{}{}{last}", stage("one"), stage("two")));
    build(&lab, &["-q"]).exits(0).stdout();
    is_untouched(&lab);
}

#[test]
fn b6_a_copy_is_written_and_read_beneath_its_roots() {
    let lab = lab(&[("a", "of the context")]);
    let directory = canary(&lab);
    evil(&lab, &directory);
    symlink(&directory, lab.work("context/away")).expect("linked");
    write(&lab, "Dockerfile", "FROM localhost/evil\nCOPY a /out/\nCOPY a /up/up/b\nCOPY a /../../c\n");
    build(&lab, &["-q"]).exits(0).stdout();
    is_untouched(&lab);
    play(&lab, &["busybox", "cat", &format!("{directory}/a"), "/b", "/c"])
        .prints("of the contextof the contextof the context");
    for copy in ["away/canary /x", "away /x/", "--from=localhost/evil /out/canary /x", "../host/canary /x"] {
        write(&lab, "Dockerfile", &format!("FROM localhost/base\nCOPY {copy}\n"));
        let output = build(&lab, &[]);
        assert!(matches!(output.exit, Exit::Code(0 | 125)), "{copy}: {output}");
        is_untouched(&lab);
    }
}

#[test]
fn b7_neither_a_secret_nor_its_mount_point_is_in_a_layer_or_the_history() {
    let lab = lab(&[(
        "Dockerfile",
        "FROM localhost/base\nRUN --mount=type=secret,id=key cat /run/secrets/key >/dev/null && echo done >/done\n\
         RUN --mount=type=secret,id=key,target=/root/.key,env=KEY test -n \"$KEY\"; true\n",
    )]);
    canary(&lab);
    let secret = format!("id=key,src={}", lab.work("host/canary").display());
    build(&lab, &["-q", "--secret", &secret]).exits(0).stdout();
    is_untouched(&lab);
    let archive = lab.rc(["save", "localhost/made"]).run().exits(0).stdout;
    assert!(!archive.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()));
    let listed = lab.program(
        "sh",
        ["-c", "mkdir x && tar -xf - -C x && for l in $(find x -type f); do tar -tf $l 2>/dev/null; done; true"],
    );
    let listed = listed.input(archive).run().exits(0).stdout();
    assert!(listed.contains("done") && !listed.contains("secrets") && !listed.contains(".key"), "{listed}");
}

#[test]
fn b8_what_is_ignored_is_in_no_layer_by_any_way_to_its_name() {
    let lab = lab(&[(".dockerignore", "host\nsecret*\n!secret.pub\n"), ("secret.pub", "public"), ("d/x", "x")]);
    canary(&lab);
    let context = lab.work("context");
    fs::create_dir_all(context.join("host")).expect("made");
    fs::write(context.join("secret.key"), CANARY).expect("written");
    fs::write(context.join("host/deep"), CANARY).expect("written");
    symlink("secret.key", context.join("alias")).expect("linked");
    symlink("../host", context.join("d/up")).expect("linked");
    for copy in
        ["secret.key /x", "alias /x", "d/up/deep /x", "host/ /x/", "s?cret.key /x/", ". /x/", "d/../secret.key /x"]
    {
        write(&lab, "Dockerfile", &format!("FROM localhost/base\nCOPY {copy}\n"));
        let output = build(&lab, &[]);
        assert!(matches!(output.exit, Exit::Code(0 | 125)), "{copy}: {output}");
        is_untouched(&lab);
        write(
            &lab,
            "Dockerfile",
            "FROM localhost/base\nRUN --mount=type=bind,target=/c ! busybox grep -r k7X[q]9w /c\n",
        );
        build(&lab, &["-q"]).exits(0).stdout();
        is_untouched(&lab);
    }
    // The patterns are those of the whole context, whatever part of it a step sees.
    fs::write(context.join(".dockerignore"), "host\nsecret*\nd/inner/key\n").expect("written");
    fs::create_dir_all(context.join("d/inner")).expect("made");
    fs::write(context.join("d/inner/key"), CANARY).expect("written");
    for source in ["d", "d/inner", "./d/../d/inner/"] {
        let text = format!(
            "FROM localhost/base\nRUN --mount=type=bind,source={source},target=/c ! busybox grep -r k7X[q]9w /c\n\
             COPY {source} /copied/\nRUN ! busybox grep -r k7X[q]9w /copied\n"
        );
        write(&lab, "Dockerfile", &text);
        build(&lab, &["-q"]).exits(0).stdout();
        is_untouched(&lab);
    }
    // An ignore file is read beneath the context.
    fs::remove_file(context.join(".dockerignore")).expect("removed");
    symlink(lab.work("host/canary"), context.join(".dockerignore")).expect("linked");
    assert!(!build(&lab, &[]).exits(125).stderr().contains(CANARY));
}

#[test]
fn b9_and_b16_a_step_has_the_profile_of_a_container_and_nothing_of_the_caller() {
    let text = "FROM localhost/base\nARG A=1\nRUN busybox env | busybox sort >/env; \
        busybox grep -E '^(Cap|NoNew|Seccomp:)' \
        /proc/self/status >/status; ls /proc/self/fd >/fds\n\
        RUN --mount=type=secret,id=s,env=S busybox env | busybox sort >/env2\n";
    let lab = lab(&[("Dockerfile", text)]);
    canary(&lab);
    let secret = format!("id=s,src={}", lab.work("host/canary").display());
    let command = lab.rc(["build", "-q", "-t", "localhost/made", "--secret", &secret]).arg(lab.work("context"));
    command.env("CANARY", CANARY).env("DOCKER_CONFIG", "/nowhere").run().exits(0).stdout();
    let env = play(&lab, &["cat", "/env"]).exits(0).stdout();
    let names: Vec<&str> = env.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert_eq!(names, ["A", "HOME", "OF", "PATH", "PWD", "SHLVL"], "{env}");
    let with_secret = play(&lab, &["cat", "/env2"]).exits(0).stdout();
    assert!(with_secret.contains(&format!("S={CANARY}")), "the step itself has it: {with_secret}");
    let status = "busybox grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status";
    play(&lab, &["sh", "-c", &format!("{status} >/tmp/s; busybox diff /status /tmp/s && echo same")]).prints("same\n");
    // Standard input, output and error, and what `ls` reads the directory by.
    play(&lab, &["cat", "/fds"]).prints("0\n1\n2\n3\n");
}

#[test]
fn b10_no_image_answers_for_a_step_whatever_its_history_says() {
    let lab = lab(&[("Dockerfile", "FROM localhost/base\nRUN echo real >/x\n")]);
    build(&lab, &["-q"]).exits(0).stdout();
    let real = inspect(&lab);
    lab.rc(["rmi", "-f", "localhost/made"]).run().exits(0).stdout();
    lab.rc(["builder", "prune", "-a", "-f"]).run().exits(0).stdout();
    // The same base and the same history, with another layer.
    let archive = lab.rc(["save", "--format", "oci-archive", "localhost/base"]).run().exits(0).stdout;
    let mut layers = Vec::new();
    for entry in tar::Archive::new(&archive[..]).entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).expect("reads");
        layers.push(bytes);
    }
    let base = layers.into_iter().max_by_key(Vec::len).expect("a layer");
    let base = if base.starts_with(&[0x1f, 0x8b]) { crate::support::image::gunzip(&base) } else { base };
    let forged = Layer::new().file("x", 0o644, b"forged").bytes();
    let image = Image::new().layer(base).layer(forged).config(real["Config"].clone()).history(real["History"].clone());
    lab.rc(["load", "-q"]).input(image.oci_archive("localhost/forged:latest")).run().exits(0).stdout();
    let said = build(&lab, &["--progress", "plain", "--cache-from", "localhost/forged"]).exits(0).stderr();
    assert!(!said.contains("CACHED"), "{said}");
    play(&lab, &["cat", "/x"]).prints("real\n");
}

#[test]
fn b11_a_context_is_as_it_was_whatever_steps_write_to_it() {
    let text = "FROM localhost/base\nRUN --mount=type=bind,target=/c,rw echo new >/c/a; rm -rf /c/d; mkdir /c/e; \
        chmod 777 /c /c/b; touch /c/b\nRUN --mount=type=bind,target=/c ! echo new >/c/a\n\
        RUN --mount=type=bind,source=d,target=/c,rw rm /c/x\n";
    let lab = lab(&[("Dockerfile", text), ("a", "1"), ("b", "2"), ("d/x", "3")]);
    let state = || {
        let script = "find . -printf '%p %m %T@ %i %s\\n' | sort; find . -type f -exec cat {} +";
        lab.program("sh", ["-c", script]).directory(lab.work("context")).run().exits(0).stdout()
    };
    let before = state();
    build(&lab, &["-q"]).exits(0).stdout();
    assert_eq!(state(), before);
}

#[test]
fn b11_a_step_reaches_no_program_of_the_host_by_a_socket_or_a_fifo_of_the_context() {
    let text = "FROM localhost/base\n\
        RUN --mount=type=bind,target=/c cat /c/a && test ! -e /c/socket && test -p /c/fifo\n\
        RUN --mount=type=bind,source=d,target=/c test -e /c/x && test ! -e /c/socket\n";
    let lab = lab(&[("Dockerfile", text), ("a", "1"), ("d/x", "2")]);
    let context = lab.work("context");
    let bind = |name: &str| {
        // A path may be longer than an address can be.
        let directory = fs::File::open(context.join(name)).expect("opens");
        let address = format!("/proc/self/fd/{}/socket", std::os::fd::AsRawFd::as_raw_fd(&directory));
        std::os::unix::net::UnixListener::bind(address).expect("bound")
    };
    let _listeners = [bind("."), bind("d")];
    lab.program("mkfifo", ["fifo"]).directory(&context).run().exits(0).stdout();
    build(&lab, &["-q"]).exits(0).stdout();
    write(&lab, "Dockerfile", "FROM localhost/base\nRUN --mount=type=bind,source=socket,target=/s true\n");
    let refused = build(&lab, &[]).exits(125).stderr();
    assert!(refused.contains("`socket` is neither a file nor a directory"), "{refused}");
    // What is written to a FIFO of the context comes to nobody outside.
    let text = "FROM localhost/base\nRUN --mount=type=bind,target=/c,rw cat /c/fifo & echo leak >/c/fifo\n";
    write(&lab, "Dockerfile", text);
    let fifo = rustix::fs::open(
        context.join("fifo"),
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK,
        rustix::fs::Mode::empty(),
    );
    let mut fifo = fs::File::from(fifo.expect("opens"));
    build(&lab, &["-q"]).exits(0).stdout();
    let mut said = Vec::new();
    std::io::Read::read_to_end(&mut fifo, &mut said).expect("reads");
    assert_eq!(said, b"");
}

#[test]
fn what_a_step_makes_of_files_that_change_meanwhile_is_not_kept() {
    let text = "FROM localhost/base\nRUN --mount=type=bind,target=/c echo started; \
        until busybox grep -q second /c/a; do sleep 0.05; done; cat /c/a >/a\n";
    let lab = lab(&[("Dockerfile", text), ("a", "first")]);
    let running = lab.rc(["build", "--progress", "plain", "-t", "localhost/made"]).arg(lab.work("context")).start();
    running.error_line(" started\n");
    write(&lab, "a", "second");
    let said = running.wait().exits(0).stderr();
    assert!(said.contains("files were changed while the step used them"), "{said}");
    play(&lab, &["cat", "/a"]).prints("second");
    // With the files as they are now it is another step, and with those of before it never was one.
    let said = build(&lab, &["--progress", "plain"]).exits(0).stderr();
    assert!(!said.contains("CACHED"), "{said}");
    let said = build(&lab, &["--progress", "plain"]).exits(0).stderr();
    assert!(said.contains("CACHED"), "{said}");
}

#[test]
fn no_steps_wait_for_each_other_s_caches_and_none_for_its_own() {
    let cache =
        |id: &str, sharing: &str, target: &str| format!("--mount=type=cache,id={id},sharing={sharing},target={target}");
    // In one step three times, in two ways; in two stages in two orders, each of which runs while the other one does.
    let text = format!(
        "FROM localhost/base AS one\nRUN {} {} {} echo x >/x/f; cat /y/f >/f; cat /z/f >>/f\n",
        cache("a", "locked", "/x"),
        cache("a", "shared", "/y"),
        cache("a", "locked", "/z"),
    );
    let stage = |name: &str, first: &str, second: &str| {
        let (first, second) = (cache(first, "locked", "/x"), cache(second, "locked", "/y"));
        let steps = (0..8).map(|number| format!("RUN {first} {second} echo {number} >/{name}\n"));
        format!("FROM localhost/base AS {name}\n{}", steps.collect::<String>())
    };
    let last = "FROM localhost/base\nCOPY --from=one /f /\nCOPY --from=two /two /\nCOPY --from=three /three /\n";
    let text = format!("{text}{}{}{last}", stage("two", "a", "b"), stage("three", "b", "a"));
    let lab = lab(&[("Dockerfile", &text)]);
    build(&lab, &["-q"]).exits(0).stdout();
    play(&lab, &["cat", "/f", "/two", "/three"]).prints("x\nx\n7\n7\n");
}

#[test]
fn a_stage_that_waits_for_another_build_ends_when_its_own_build_fails() {
    let waits = "RUN --mount=type=cache,id=a,sharing=locked,target=/c echo started; sleep 1000\n";
    let lab = lab(&[("Dockerfile", &format!("FROM localhost/base\n{waits}"))]);
    let holder = lab.rc(["build", "--progress", "plain"]).arg(lab.work("context")).start();
    holder.error_line(" started\n");
    // For its cache, and for the same step, which another build takes.
    for step in ["RUN --mount=type=cache,id=a,sharing=locked,target=/c true\n", waits] {
        let text = format!(
            "FROM localhost/base AS a\n{step}FROM localhost/base AS b\nRUN exit 3\n\
             FROM scratch\nCOPY --from=a / /\nCOPY --from=b / /\n"
        );
        write(&lab, "Dockerfile", &text);
        assert!(build(&lab, &[]).exits(3).stderr().contains("RUN exit 3"));
    }
    holder.kill(crate::support::Signal::KILL);
    drop(holder.wait());
    write(&lab, "Dockerfile", "FROM localhost/base\nRUN true\n");
    build(&lab, &["-q"]).exits(0).stdout();
}

#[test]
fn stages_that_grow_at_once_hold_nothing_of_each_other() {
    let stage = |name: &str| format!("FROM localhost/base AS {name}\nRUN echo {name} runs; exec sleep 1000\n");
    let last = "FROM scratch\nCOPY --from=one / /\nCOPY --from=two / /\n";
    let lab = lab(&[("Dockerfile", &format!("{}{}{last}", stage("one"), stage("two")))]);
    let building = lab.rc(["build", "--progress", "plain"]).arg(lab.work("context")).start();
    ["one", "two"].iter().for_each(|name| building.error_line(&format!(" {name} runs\n")));
    let workers = processes(&lab, "rc: build");
    assert_eq!(workers.len(), 2);
    // The pipe by which a child is told that nothing is wanted of it any more closes when the build closes it.
    let pipes = |pid: &i32| -> BTreeSet<String> {
        let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("lists").flatten();
        let of_its_own = entries.filter(|entry| !["0", "1", "2"].contains(&entry.file_name().to_str().unwrap_or("0")));
        let targets = of_its_own.filter_map(|entry| Some(fs::read_link(entry.path()).ok()?.display().to_string()));
        targets.filter(|target| target.starts_with("pipe:")).collect()
    };
    assert_eq!(pipes(&workers[0]).intersection(&pipes(&workers[1])).count(), 0);
    building.kill(crate::support::Signal::KILL);
    drop(building.wait());
    write(&lab, "Dockerfile", "FROM localhost/base\nRUN true\n");
    build(&lab, &["-q"]).exits(0).stdout();
}

#[test]
fn no_name_removes_a_file_where_the_image_is_unpacked() {
    // In the archive of a layer `.wh.passwd` would remove `passwd`.
    let lab = lab(&[(".wh.passwd", ""), ("a", "1")]);
    lab.program("tar", ["-cf", "files.tar", ".wh.passwd"]).directory(lab.work("context")).run().exits(0).stdout();
    for step in ["COPY .wh.passwd /etc/", "COPY . /etc/", "ADD files.tar /etc/", "RUN touch /etc/.wh.passwd"] {
        write(&lab, "Dockerfile", &format!("FROM localhost/base\n{step}\n"));
        let refused = build(&lab, &[]).exits(125).stderr();
        assert!(refused.contains("`etc/.wh.passwd` cannot be in a layer"), "{step}: {refused}");
    }
}

#[test]
fn a_tree_that_no_path_can_name_is_no_layer_and_leaves_nothing() {
    let lab = lab(&[("Dockerfile", "FROM payload\nRUN [\"/payload\", \"deep\", \"/work\", \"5000\"]\n")]);
    lab.payload();
    let said = build(&lab, &[]).exits(125).stderr();
    assert!(said.contains("rc: ") && !said.contains("panicked"), "{said}");
    // The lab checks that nothing is left.
    write(&lab, "Dockerfile", "FROM localhost/base\nRUN mkdir -p /a/b/c && echo x >/a/b/c/x\n");
    build(&lab, &["-q"]).exits(0).stdout();
}

#[test]
fn b12_what_takes_confinement_away_is_for_the_caller_to_allow() {
    let lab = lab(&[]);
    for (run, message) in [
        ("--security=insecure true", "security.insecure"),
        ("--network=host true", "network.host"),
        ("--security=none true", "none"),
        ("--network=container true", "container"),
    ] {
        write(&lab, "Dockerfile", &format!("FROM localhost/base\nRUN {run}\n"));
        let refused = build(&lab, &[]).exits(125).stderr();
        assert!(refused.contains(message), "{run}: {refused}");
    }
    let status = "busybox grep Seccomp: /proc/self/status >/s";
    write(&lab, "Dockerfile", &format!("FROM localhost/base\nRUN --security=insecure {status}\n"));
    build(&lab, &["-q", "--allow", "security.insecure"]).exits(0).stdout();
    play(&lab, &["cat", "/s"]).prints("Seccomp:\t0\n");
}

#[test]
fn b16_a_secret_is_for_the_user_that_the_mount_names() {
    only!(Full | Root);
    let text = "FROM localhost/base\nUSER web\n\
        RUN --mount=type=secret,id=s ! cat /run/secrets/s\n\
        RUN --mount=type=secret,id=s,uid=33,gid=33,mode=0440 cat /run/secrets/s >/dev/null \
        && test $(stat -c %u:%g:%a /run/secrets/s) = 33:33:440\n\
        RUN --mount=type=secret,id=s,mode=0444 cat /run/secrets/s >/dev/null\n";
    let lab = lab(&[("Dockerfile", text)]);
    canary(&lab);
    let secret = format!("id=s,src={}", lab.work("host/canary").display());
    build(&lab, &["-q", "--secret", &secret]).exits(0).stdout();
    is_untouched(&lab);
}

#[test]
fn b17_a_damaged_cache_answers_for_nothing() {
    let lab = lab(&[("Dockerfile", "FROM localhost/base\nRUN echo real >/x\n")]);
    let cache = lab.work("cache");
    let (to, from) = (format!("type=local,dest={}", cache.display()), format!("type=local,src={}", cache.display()));
    build(&lab, &["-q", "--cache-to", &to]).exits(0).stdout();
    let forget = || {
        lab.rc(["rmi", "-f", "localhost/made"]).run().exits(0).stdout();
        lab.rc(["builder", "prune", "-a", "-f"]).run().exits(0).stdout();
    };
    let rebuilt = |expected: &str| {
        forget();
        let said = build(&lab, &["--progress", "plain", "--cache-from", &from]).exits(0).stderr();
        assert!(said.contains(expected) && !said.contains("CACHED"), "{expected}: {said}");
        play(&lab, &["cat", "/x"]).prints("real\n");
    };
    let index: Value = serde_json::from_slice(&fs::read(cache.join("index.json")).expect("reads")).expect("JSON");
    let path = |digest: &Value| cache.join("blobs").join(digest.as_str().expect("a digest").replace(':', "/"));
    let manifest_path = path(&index["manifests"][0]["digest"]);
    let manifest: Value = serde_json::from_slice(&fs::read(&manifest_path).expect("reads")).expect("JSON");
    // A layer with another content.
    let layer = path(&manifest["layers"][0]["digest"]);
    let whole = fs::read(&layer).expect("reads");
    let forged = Layer::new().file("x", 0o644, b"forged").bytes();
    fs::write(&layer, crate::support::image::gzip(&forged)).expect("written");
    rebuilt("cannot take layer");
    // It is cut, a link to another file, a FIFO, or not there.
    fs::write(&layer, &whole[..whole.len() / 2]).expect("written");
    rebuilt("#1 ");
    fs::remove_file(&layer).expect("removed");
    symlink(lab.work("context/Dockerfile"), &layer).expect("linked");
    rebuilt("cannot take layer");
    fs::remove_file(&layer).expect("removed");
    rebuilt("cannot take layer");
    // The documents are others.
    let config = path(&manifest["config"]["digest"]);
    fs::write(&config, "{\"layers\":[],\"records\":[]}").expect("written");
    rebuilt("cannot use the cache");
    fs::write(&manifest_path, "{}").expect("written");
    rebuilt("cannot use the cache");
    fs::write(cache.join("index.json"), "[".repeat(10_000)).expect("written");
    rebuilt("cannot use the cache");
    fs::remove_dir_all(&cache).expect("removed");
    rebuilt("cannot use the cache");
}

#[test]
fn a_working_directory_belongs_to_the_user_that_is_set() {
    // With one ID everything belongs to the user that the program runs as.
    let of_root = if Set::current() == Set::One { "33" } else { "0" };
    let lab = lab(&[("Dockerfile", "FROM localhost/base\nWORKDIR /w\nUSER web\nWORKDIR /own/deep\n")]);
    build(&lab, &["-q"]).exits(0).stdout();
    play(&lab, &["stat", "-c", "%u", "/w", "/own", "/own/deep"]).prints(format!("{of_root}\n33\n33\n"));
}
