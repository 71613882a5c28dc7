//! Short names of images, and how `run` and `create` reach a registry.

use std::fs;

use crate::support::registry::Registry;
use crate::support::{Image, Lab};

/// Pushes an image that can run as `name`, and removes it from the store; returns its ID.
#[track_caller]
fn push(lab: &Lab, registry: &Registry, name: &str, more: &[&str]) -> String {
    let archive = lab.work("image.tar");
    fs::write(&archive, Image::payload().oci_archive("first:1")).expect("an archive can be written");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
    let id = lab.rc(["images", "-q", "--no-trunc", "first:1"]).run().text();
    lab.rc(["push", "-q"]).args(more).args(["first:1", &registry.image(name)]).run().says_nothing();
    lab.rc(["rmi", "-fa"]).run().succeeds();
    id.trim_start_matches("sha256:").to_owned()
}

fn configure(lab: &Lab, text: &str) {
    let directory = lab.root().join("config/containers");
    fs::create_dir_all(&directory).expect("a directory can be made");
    fs::write(directory.join("registries.conf"), text).expect("a file can be written");
}

#[test]
fn a_short_name_is_what_registries_conf_says() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    let host = &registry.address;
    let id = push(&lab, &registry, "team/app:1", &[]);
    configure(
        &lab,
        &format!(
            "unqualified-search-registries = [\"127.0.0.1:1\", \"{host}\"]\n\
             [aliases]\n\"rc-test-tool\" = \"{host}/team/app\"\n"
        ),
    );
    // The first registry is down, the second has it.
    lab.rc(["pull", "-q", "--retry", "0", "team/app:1"]).run().prints(format!("{id}\n"));
    let names = lab.rc(["images", "--format", "{{.Repository}}:{{.Tag}}"]).run().text();
    assert_eq!(names, registry.image("team/app:1"));
    // What was pulled by an alias or a search is found by the same short name.
    lab.rc(["pull", "-q", "--policy", "never", "rc-test-tool:1"]).run().prints(format!("{id}\n"));
    lab.rc(["image", "exists", "team/app:1"]).run().succeeds();
    lab.rc(["run", "--rm", "--network", "none", "--pull", "never", "rc-test-tool:1", "/payload", "exit", "0"])
        .run()
        .succeeds();
    lab.rc(["tag", "rc-test-tool:1", "rc-test-tool:2"]).run().succeeds();
    lab.rc(["image", "exists", "docker.io/library/rc-test-tool:2"]).run().succeeds();
    lab.rc(["rmi", "rc-test-tool:1"]).run().succeeds();
    drop(lab.rc(["image", "exists", &registry.image("team/app:1")]).run().exits(1));
    let output = lab.rc(["pull", "-q", "--retry", "0", "rc-test-ghost:1"]).run().exits(125);
    let expected = "rc: no registry has `rc-test-ghost:1`: cannot pull `127.0.0.1:1/rc-test-ghost:1`: ";
    assert!(output.stderr().starts_with(expected) && output.stderr().contains(&registry.image("rc-test")), "{output}");
    registry.stop();
}

#[test]
fn guessing_and_mistakes_are_refused() {
    let lab = Lab::new();
    configure(
        &lab,
        "unqualified-search-registries = [\"a.example\", \"b.example\"]\nshort-name-mode = \"enforcing\"\n",
    );
    lab.rc(["pull", "-q", "rc-test-ghost"]).run().fails(
        125,
        "rc: `rc-test-ghost` names no registry, and could be in each of a.example, b.example (`short-name-mode` is \
         `enforcing`)\nhint: write the registry before the name, or add an alias to registries.conf\n",
    );
    configure(&lab, "[aliases]\n\"a:1\" = \"h.example/a\"\n");
    let output = lab.rc(["pull", "-q", "rc-test-ghost"]).run().exits(125);
    let expected = "registries.conf`: alias `a:1` must be a name without a registry, tag and digest\n";
    assert!(output.stderr().ends_with(expected), "{output}");
    // Without a registry, a login is for the first that short names are searched in.
    configure(&lab, "unqualified-search-registries = [\"first.example\", \"b.example\"]\n");
    lab.rc(["login", "--get-login"]).run().fails(125, "rc: not logged in to `first.example`\n");
    lab.rc(["logout"]).run().fails(125, "rc: not logged in to `first.example`\n");
    configure(&lab, "[[registry]]\nlocation = \"blocked.example\"\nblocked = true\n");
    for words in ["login -u a -p b blocked.example", "search blocked.example/a", "search --list-tags blocked.example/a"]
    {
        let output = lab.rc(words.split(' ')).run().exits(125);
        assert!(output.stderr().contains("`blocked.example` is blocked in `"), "{output}");
    }
}

#[test]
fn run_and_create_log_in_with_options_and_keep_no_password() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let registry = Registry::with_password(&lab);
    let name = registry.image("app:1");
    push(&lab, &registry, "app:1", &["--creds", "me:secret"]);
    let create = |words: &[&str]| lab.rc(["create", "-q"]).args(words).args([&name, "/payload"]).run();
    let output = create(&[]).exits(125);
    assert!(output.stderr().contains("hint: log in with `rc login`"), "{output}");
    let output = create(&["--creds", "me:guess", "--retry", "0"]).exits(125);
    assert!(output.stderr().contains("refused") && !output.stderr().contains("guess"), "{output}");
    create(&["--creds", "me"])
        .fails(125, "rc: `--creds` has no password\nhint: use `--creds USER:PASSWORD`, or log in with `rc login`\n");
    let id = create(&["--creds", "me:secret"]).text();
    let inspected = lab.rc(["inspect", &id]).run().text();
    assert!(!inspected.contains("secret"), "{inspected}");
    lab.rc(["rm", &id]).run().succeeds();
    lab.rc(["rmi", "-fa"]).run().succeeds();
    let login = ["login", "--authfile", "auth.json", "-u", "me", "-p", "secret", &registry.address];
    lab.rc(login).run().succeeds();
    drop(create(&["--authfile", "ghost.json"]).exits(125));
    let id = create(&["--authfile", "auth.json", "--retry", "1", "--retry-delay", "1ms"]).text();
    lab.rc(["rm", &id]).run().succeeds();
    lab.rc(["rmi", "-fa"]).run().succeeds();
    // The variable names the file for every command.
    let run = lab.rc(["run", "--rm", "-q", "--network", "none", &name, "/payload", "exit", "7"]);
    drop(run.env("REGISTRY_AUTH_FILE", lab.work("auth.json")).run().exits(7));
    registry.stop();
}

#[test]
fn an_image_for_another_platform_is_neither_pushed_nor_saved_as_this_one() {
    let lab = Lab::new();
    let archive = lab.work("image.tar");
    fs::write(&archive, Image::payload().oci_archive("first:1")).expect("an archive can be written");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
    for words in ["save --platform linux/s390x -o a.tar", "push --platform linux/s390x"] {
        let output = lab.rc(words.split(' ')).arg("first:1").run().exits(125);
        assert!(output.stderr().contains("image `first:1` is for linux/"), "{output}");
        assert!(output.stderr().contains("hint: pull it for that platform: `rc pull --platform"), "{output}");
    }
    assert!(!lab.work("a.tar").exists());
    let own = format!("linux/{}", if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" });
    lab.rc(["save", "--platform", &own, "-o", "a.tar", "first:1"]).run().says_nothing();
}
