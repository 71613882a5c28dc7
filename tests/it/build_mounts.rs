//! `RUN --mount`: what a cache begins with, which builds share it, and who waits for whom.

use std::fs;

use crate::build::{build, lab, other_user, play, write};
use crate::support::Signal;

#[test]
fn a_cache_begins_with_what_a_stage_an_image_or_a_context_has() {
    let (user, uid) = other_user();
    let dockerfile = |seed: &str, step: &str| {
        format!(
            "FROM localhost/base AS seed\nRUN mkdir -p /c/d && echo {seed} >/c/d/f && chown {user} /c/d \
            && chmod 711 /c/d\nFROM localhost/base\nRUN --mount=type=cache,from=seed,source=/c,target=/t,id=x {step}\n"
        )
    };
    let look = "stat -c '%a %u' /t /t/d >/out; cat /t/d/f >>/out; echo mine >/t/d/f";
    let lab = lab(&[("Dockerfile", &dockerfile("seed", look))]);
    build(&lab, &["-q"]).exits(0).stdout();
    play(&lab, &["cat", "/out"]).prints(format!("755 0\n711 {uid}\nseed\n"));
    // The next step finds what the last one has left.
    write(&lab, "Dockerfile", &dockerfile("seed", "cat /t/d/f >/out"));
    build(&lab, &["-q"]).exits(0).stdout();
    play(&lab, &["cat", "/out"]).prints("mine\n");
    // Of another content it is another cache, and the step is taken anew.
    write(&lab, "Dockerfile", &dockerfile("other", "cat /t/d/f >/out"));
    build(&lab, &["-q"]).exits(0).stdout();
    play(&lab, &["cat", "/out"]).prints("other\n");
    // Without `source` it is all of an image; `mode` and the owner are the mount's if it says so.
    write(
        &lab,
        "Dockerfile",
        &format!(
            "FROM localhost/base\nRUN --mount=type=cache,from=localhost/base,target=/t,mode=0750,uid={uid} \
            stat -c '%a %u' /t >/out; cat /t/etc/group >>/out\n\
            RUN --mount=type=cache,from=assets,source=inner,target=/t cat /t/file >>/out\n"
        ),
    );
    write(&lab, "../assets/inner/file", "of a context\n");
    let assets = format!("assets={}", lab.work("assets").display());
    build(&lab, &["-q", "--build-context", &assets]).exits(0).stdout();
    play(&lab, &["cat", "/out"]).prints(format!("750 {uid}\nroot:x:0:\nweb:x:33:\nof a context\n"));
}

#[test]
fn what_a_cache_cannot_begin_with_is_refused() {
    let lab = lab(&[]);
    for (mount, message) in [
        ("type=cache,source=/c,target=/t", "`source` of a cache is a path in what `from` names"),
        ("type=cache,from=localhost/base,source=/nowhere,target=/t", "nowhere"),
        ("type=cache,from=localhost/base,source=/etc/passwd,target=/t", "a cache is a directory"),
        ("type=cache,from=localhost/base,target=/t,sharing=some", "shared, private or locked"),
    ] {
        write(&lab, "Dockerfile", &format!("FROM localhost/base\nRUN --mount={mount} true\n"));
        let refused = build(&lab, &[]).exits(125).stderr();
        assert!(refused.contains(message), "{mount}: {refused}");
    }
}

#[test]
fn a_namespace_or_a_context_of_its_own_keeps_caches_apart() {
    let step = |text: &str| format!("FROM localhost/base\nRUN --mount=type=cache,id=x,target=/t {text}\n");
    let lab = lab(&[("Dockerfile", &step("echo one >/t/f"))]);
    build(&lab, &["-q"]).exits(0).stdout();
    write(&lab, "Dockerfile", &step("ls /t >/out"));
    let seen = |words: &[&str]| {
        build(&lab, &[&["-q", "--no-cache"], words].concat()).exits(0).stdout();
        play(&lab, &["cat", "/out"]).exits(0).stdout()
    };
    assert_eq!(seen(&[]), "f\n");
    assert_eq!(seen(&["--build-arg", "BUILDKIT_CACHE_MOUNT_NS=other"]), "");
    // As rc.toml says.
    let settings = lab.root().join("config/rc");
    fs::create_dir_all(&settings).expect("made");
    let say = |value: &str| {
        fs::write(settings.join("rc.toml"), format!("[build]\ncache_mounts = \"{value}\"\n")).expect("written");
    };
    say("per-context");
    assert_eq!(seen(&[]), "");
    write(&lab, "Dockerfile", &step("echo own >/t/own; ls /t >/out"));
    assert_eq!(seen(&[]), "own\n");
    write(&lab, "../second/Dockerfile", &step("ls /t >/out"));
    lab.rc(["build", "-q", "-t", "localhost/made"]).arg(lab.work("second")).run().exits(0).stdout();
    play(&lab, &["cat", "/out"]).prints("");
    say("all");
    let refused = build(&lab, &["-q"]).exits(125).stderr();
    assert!(refused.contains("must be shared or per-context"), "{refused}");
}

#[test]
fn the_host_name_is_the_same_each_time_unless_the_caller_sets_it() {
    let text = "FROM localhost/base\nRUN cat /proc/sys/kernel/hostname >/name\n";
    let lab = lab(&[("Dockerfile", text)]);
    build(&lab, &["-q"]).exits(0).stdout();
    play(&lab, &["cat", "/name"]).prints("build\n");
    build(&lab, &["-q", "--build-arg", "BUILDKIT_SANDBOX_HOSTNAME=box"]).exits(0).stdout();
    play(&lab, &["cat", "/name"]).prints("box\n");
}

#[test]
fn a_build_says_for_which_other_one_it_waits() {
    let text = "FROM localhost/base\nRUN --mount=type=cache,id=x,target=/t,sharing=locked \
        test -e /t/first && exit; touch /t/first; echo started; sleep 1000\n";
    let lab = lab(&[("Dockerfile", text)]);
    let start = |context: &str| lab.rc(["build", "--progress", "plain"]).arg(lab.work(context)).start();
    let first = start("context");
    first.error_line(" started\n");
    // The same step, and another one that needs the same cache.
    let same = start("context");
    same.error_line("waits for another build (process ");
    write(&lab, "../second/Dockerfile", &text.replace("sleep 1000", "true"));
    let other = start("second");
    other.error_line("waits for the cache `x`, which ");
    first.kill(Signal::KILL);
    drop(first.wait());
    for waiting in [same, other] {
        waiting.wait().exits(0).stderr();
    }
}

#[test]
fn a_secret_is_a_file_a_variable_or_both() {
    let step = |fields: &str| {
        format!(
            "FROM localhost/base\nRUN --mount=type=secret,id=s{fields} \
            echo \"$S\" >/out; cat /run/secrets/s /x/y 2>/dev/null >>/out; true\n"
        )
    };
    let lab = lab(&[]);
    write(&lab, "../secret", "value");
    for (fields, expected) in
        [("", "\nvalue"), (",env=S", "value\n"), (",target=/x/y", "\nvalue"), (",env=S,target=/x/y", "value\nvalue")]
    {
        write(&lab, "Dockerfile", &step(fields));
        build(&lab, &["-q", "--secret", "id=s,src=secret"]).exits(0).stdout();
        play(&lab, &["cat", "/out"]).prints(expected);
    }
}

#[test]
fn what_is_wrong_with_a_mount_is_said_of_its_flag_and_of_its_place() {
    let lab = lab(&[("a", "x")]);
    for (flags, column, message) in [
        ("--mount=type=tmpfs,target=/proc/x", 5, "`--mount`: `/proc/x`: nothing can be mounted over /proc"),
        (
            "--network=none --mount=type=cache,target=/w/../..",
            20,
            "`--mount`: `/`: nothing can be mounted over the root",
        ),
        ("--mount=type=cache,target=/c --mount=target=/x/../c", 34, "`--mount`: `/c` is the target of two mounts"),
        ("--mount=target=/m --mount=from=localhost/base,source=no,target=/n", 23, "`--mount`: `no` is not there"),
        ("--mount=source=no,target=/n", 5, "`--mount`: `no` is not there"),
        ("--mount=type=secret,id=s,required", 5, "`--mount`: the step needs the secret `s`"),
        ("--mount=type=ssh,required", 5, "`--mount`: the step needs the agent `default`"),
    ] {
        write(&lab, "Dockerfile", &format!("FROM localhost/base\nRUN {flags} true\n"));
        let refused = build(&lab, &[]).exits(125).stderr();
        let is_placed = refused.contains(&format!("Dockerfile:2:{column}\n"));
        assert!(is_placed && refused.contains(message) && !refused.contains("--volume"), "{flags}: {refused}");
    }
}
