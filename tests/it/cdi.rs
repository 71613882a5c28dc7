//! Devices that files of vendors describe (`--device VENDOR/CLASS=NAME`, `--gpus`).

use std::fs;

use serde_json::json;

use crate::build;
use crate::support::Lab;

const SONAME: &str = "libown.so.7";

/// A library for x86-64 that has nothing but its name.
fn shared_library() -> Vec<u8> {
    let mut bytes = vec![0; 0x200];
    let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
    put(0, b"\x7fELF\x02\x01\x01");
    put(18, &62_u16.to_le_bytes());
    put(32, &64_u64.to_le_bytes());
    put(54, &56_u16.to_le_bytes());
    put(56, &2_u16.to_le_bytes());
    for (index, (kind, offset, size)) in [(1_u32, 0_u64, 0x200_u64), (2, 0x100, 48)].iter().enumerate() {
        let at = 64 + index * 56;
        put(at, &kind.to_le_bytes());
        put(at + 8, &offset.to_le_bytes());
        put(at + 16, &offset.to_le_bytes());
        put(at + 32, &size.to_le_bytes());
    }
    for (index, (tag, value)) in [(14_u64, 1_u64), (5, 0x180), (0, 0)].iter().enumerate() {
        put(0x100 + index * 16, &tag.to_le_bytes());
        put(0x108 + index * 16, &value.to_le_bytes());
    }
    put(0x181, SONAME.as_bytes());
    bytes
}

#[test]
fn a_described_device_comes_with_its_files_and_variables() {
    let lab = Lab::with_payload();
    let config = lab.work("config");
    fs::create_dir_all(config.join("cdi")).expect("a directory can be created");
    let library = lab.work("library.so");
    fs::write(&library, "library\n").expect("a file can be written");
    let own = lab.work("own.so");
    fs::write(&own, shared_library()).expect("a file can be written");
    let hook = |words: &[&str]| {
        let words: Vec<&str> = ["nvidia-cdi-hook"].iter().chain(words).copied().collect();
        json!({ "hookName": "createContainer", "path": "/usr/bin/nvidia-cdi-hook", "args": words })
    };
    let file = |kind: &str| {
        json!({ "cdiVersion": "0.6.0", "kind": kind, "devices": [
            { "name": "all", "containerEdits": {
                "deviceNodes": [{ "path": "/dev/card", "hostPath": "/dev/null" }],
                "env": ["CARDS=all"],
                "mounts": [{ "hostPath": library, "containerPath": "/usr/lib/library.so", "options": ["ro"] }] } },
            { "name": "linked", "containerEdits": {
                "mounts": [
                    { "hostPath": own, "containerPath": "/usr/lib/libown.so.7.1" },
                    { "hostPath": library, "containerPath": "/usr/lib/none.so" }],
                "hooks": [
                    hook(&["create-symlinks", "--link", "libown.so.7.1::/usr/lib/deep/er/a", "--link", "b::/payload"]),
                    hook(&["update-ldcache", concat!("--fol", "der"), "/usr/lib"]), hook(&["enable-cuda-compat"])] } },
            { "name": "hooked", "containerEdits": {
                "hooks": [{ "hookName": "createContainer", "path": "/bin/false" }] } } ] })
        .to_string()
    };
    fs::write(config.join("cdi/a.json"), file("vendor.com/card")).expect("a file can be written");
    fs::write(config.join("cdi/b.json"), file("nvidia.com/gpu")).expect("a file can be written");
    fs::write(config.join("cdi/c.json"), "no description").expect("a file can be written");
    let run = |options: &[&str], words: &[&str]| {
        let line = ["run", "--rm", "--network", "none"];
        let command = lab.rc(line).args(options).args(["payload", "/payload"]).args(words);
        command.env("XDG_CONFIG_HOME", &config).run()
    };
    for options in [&["--device", "vendor.com/card=all"], &["--gpus", "all"]] {
        let report = run(options, &["report"]).json();
        assert_eq!(report["env"]["CARDS"], "all");
        run(options, &["read", "/usr/lib/library.so"]).prints("library\n");
        run(options, &["write", "/dev/card", "x"]).succeeds();
        drop(run(options, &["write", "/usr/lib/library.so", "x"]).exits(99));
    }
    let refused = run(&["--device", "vendor.com/card=hooked"], &["exit", "0"]).exits(125);
    let expected = "its hook `/bin/false` (createContainer) is a program of the host, which rc does not run";
    assert!(refused.stderr().contains(expected), "{refused}");
    // The links that hooks of a known program would make; what the image has stays.
    let linked = ["--device", "vendor.com/card=linked"];
    let listed = run(&linked, &["list", "/usr/lib"]).exits(0);
    assert!(listed.stdout().lines().any(|line| line == SONAME), "{listed}");
    assert!(listed.stderr().contains("`enable-cuda-compat` is left out"), "{listed}");
    let content = run(&linked, &["read", &format!("/usr/lib/{SONAME}")]).exits(0);
    assert_eq!(content.stdout, fs::read(&own).expect("the library"));
    for option in ["--device=vendor.com/card=none", "--gpus=7"] {
        let refused = run(&[option], &["exit", "0"]).exits(125);
        assert!(refused.stderr().contains("no file in /etc/cdi, /var/run/cdi or "), "{refused}");
    }
    // Other directories, by the option or the settings: they alone count, and of two the last.
    let other = |value: &str| {
        json!({ "kind": "vendor.com/card", "devices": [
            { "name": "other", "containerEdits": { "env": [format!("CARDS={value}")] } }] })
        .to_string()
    };
    for value in ["one", "two"] {
        fs::create_dir(lab.work(value)).expect("a directory can be created");
        fs::write(lab.work(value).join("x.json"), other(value)).expect("a file can be written");
    }
    let cards = |globals: &[&str], setting: &str, device: &str| {
        let call = ["run", "--rm", "--network", "none", "--device", device, "payload", "/payload", "report"];
        let call = lab.rc(globals.iter().copied()).args(call).env("XDG_CONFIG_HOME", &config);
        call.env("RC_CONTAINER_CDI_SPEC_DIRS", setting).run()
    };
    let (device, both) = ("vendor.com/card=other", ["--cdi-spec-dir", "one", "--cdi-spec-dir=two"]);
    assert_eq!(cards(&both, "", device).json()["env"]["CARDS"], "two");
    assert_eq!(cards(&[], "two,one", device).json()["env"]["CARDS"], "one");
    assert_eq!(cards(&["--cdi-spec-dir", "two"], "one", device).json()["env"]["CARDS"], "two");
    let refused = cards(&both[..2], "", "vendor.com/card=all").exits(125);
    let place = format!("no file in {} describes it", lab.work("one").display());
    assert!(refused.stderr().contains(&place), "{refused}");
}

#[test]
fn members_of_a_pod_have_its_described_devices_with_all_that_these_need() {
    let lab = Lab::with_payload();
    let config = lab.work("config");
    fs::create_dir_all(config.join("cdi")).expect("made");
    let library = lab.work("library.so");
    fs::write(&library, "library\n").expect("written");
    let link = ["nvidia-cdi-hook", "create-symlinks", "--link", "library.so::/usr/lib/short.so"];
    let device = |name: &str, variable: &str| {
        json!({ "name": name, "containerEdits": {
            "deviceNodes": [{ "path": format!("/dev/{variable}"), "hostPath": "/dev/null" }],
            "env": [format!("{variable}=yes"), "ANY=device"],
            "mounts": [{ "hostPath": library, "containerPath": "/usr/lib/library.so", "options": ["ro"] }],
            "hooks": [{ "hookName": "createContainer", "path": "/usr/bin/nvidia-cdi-hook", "args": link }] } })
    };
    let file = |kind: &str, name: &str, variable: &str| {
        let file = json!({ "cdiVersion": "0.6.0", "kind": kind, "devices": [device(name, variable)] });
        fs::write(config.join(format!("cdi/{variable}.json")), file.to_string()).expect("written");
    };
    file("vendor.com/card", "all", "card");
    file("nvidia.com/gpu", "0", "gpu");
    let make = |words: &[&str]| lab.rc(["pod"]).args(words).env("XDG_CONFIG_HOME", &config).run();
    // The members do without the files.
    let run = |pod: &str, words: &[&str]| {
        let line = ["run", "--rm", "--pod", pod, "-e", "ANY=own", "payload", "/payload"];
        lab.rc(line).args(words).run()
    };
    make(&["create", "--network", "none", "--name", "p", "--device", "vendor.com/card=all"]).text();
    let created = ["create", "--pod", "p", "--name", "one", "payload", "/payload", "sleep"];
    lab.rc(created).run().succeeds();
    make(&["clone", "--gpus", "0", "p", "q"]).text();
    for (pod, variables) in [("p", &["card"][..]), ("q", &["card", "gpu"])] {
        let env = run(pod, &["report"]).json()["env"].take();
        assert_eq!(env["ANY"], "own");
        run(pod, &["read", "/usr/lib/short.so"]).prints("library\n");
        for variable in variables {
            assert_eq!(env[variable], "yes", "{pod} {variable}");
            run(pod, &["write", &format!("/dev/{variable}"), "x"]).succeeds();
        }
    }
    assert_eq!(lab.rc(["pod", "inspect", "p"]).run().json()[0]["devices"][0]["PathInContainer"], "/dev/card");
    lab.rc(["start", "one", "one-clone"]).run().succeeds();
    lab.rc(["exec", "one-clone", "/payload", "read", "/usr/lib/short.so"]).run().prints("library\n");
    let gpu = lab.rc(["exec", "one-clone", "/payload", "report"]).run().json()["env"]["gpu"].take();
    assert_eq!(gpu, "yes");
    let refused = make(&["create", "--gpus", "7"]).exits(125).stderr();
    assert!(refused.contains("`--gpus`") && refused.contains("no file in /etc/cdi"), "{refused}");
    lab.rc(["pod", "rm", "-f", "-t", "0", "--all"]).run().succeeds();
    lab.settle();
}

#[test]
fn a_step_of_a_build_has_the_devices_that_it_asks_for_and_the_caller_allows() {
    let lab = build::lab(&[]);
    let config = lab.work("config");
    fs::create_dir_all(config.join("cdi")).expect("made");
    let library = lab.work("library.so");
    fs::write(&library, "library\n").expect("written");
    let file = json!({ "cdiVersion": "0.6.0", "kind": "vendor.com/card", "devices": [{ "name": "all",
        "containerEdits": {
            "deviceNodes": [{ "path": "/dev/card", "hostPath": "/dev/null" }],
            "env": ["CARDS=all"],
            "mounts": [{ "hostPath": library, "containerPath": "/usr/lib/library.so", "options": ["ro"] }] } }] });
    fs::write(config.join("cdi/a.json"), file.to_string()).expect("written");
    let make = |flags: &str, words: &[&str]| {
        let step = "echo x >/dev/card; cat /usr/lib/library.so >/out; echo ${CARDS-none} >>/out";
        let text = format!("FROM localhost/base\nRUN {flags} {step}\n");
        build::write(&lab, "Dockerfile", &text);
        let command = lab.rc(["build", "-t", "localhost/made", "--progress", "plain"]).args(words);
        command.arg(lab.work("context")).env("XDG_CONFIG_HOME", &config).run()
    };
    let asked = "--device=vendor.com/card=all,required";
    let refused = make(&format!("--network=none {asked}"), &[]).exits(125).stderr();
    let said = "`--device`: the Dockerfile asks for `vendor.com/card=all`, which is not allowed";
    assert!(refused.contains(said) && refused.contains("Dockerfile:2:20"), "{refused}");
    assert!(refused.contains("--allow device=vendor.com/card=all"), "{refused}");
    for allowed in ["device=vendor.com/card=all", "device"] {
        make(asked, &["--allow", allowed, "--no-cache"]).exits(0).stdout();
        build::play(&lab, &["cat", "/out"]).prints("library\nall\n");
    }
    // Where it was mounted is in no layer, and no variable in the image.
    build::play(&lab, &["sh", "-c", "test ! -e /usr && echo ${CARDS-none}"]).prints("none\n");
    let missing = make("--device=vendor.com/card=none,required", &["--allow", "device"]).exits(125).stderr();
    assert!(
        missing.contains("Dockerfile:2:5") && missing.contains("`vendor.com/card=none`: no file in /etc/cdi"),
        "{missing}"
    );
    make("--device=vendor.com/card=none", &[]).exits(0).stdout();
    build::play(&lab, &["cat", "/out"]).prints("none\n");
}
