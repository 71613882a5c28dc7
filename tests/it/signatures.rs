//! Simple signing: policy.json's `signedBy`, with keys and signatures of gpg and skopeo.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::image::hex;
use crate::support::registry::Registry;
use crate::support::web::{Page, Web};
use crate::support::{Image, Lab};

/// The words before every call of gpg.
const GPG: [&str; 6] =
    ["--batch", "--quiet", "--yes", "--pinentry-mode=loopback", "--passphrase=", "--trust-model=always"];

/// A key of a test's own, and what it signs.
struct Keys<'lab> {
    lab: &'lab Lab,
}

impl<'lab> Keys<'lab> {
    fn new(lab: &'lab Lab) -> Self {
        lab.program("mkdir", ["-m", "700"]).arg(lab.root().join("home/.gnupg")).run().succeeds();
        Self { lab }
    }

    /// Makes a key, and returns the file with its public half.
    fn create(&self, name: &str, words: &[&str]) -> PathBuf {
        let gpg = || self.lab.program("gpg", GPG).args(words);
        gpg()
            .args(["--quick-generate-key", name, "ed25519", "sign", if words.is_empty() { "never" } else { "1d" }])
            .run()
            .succeeds();
        let file = self.lab.root().join(format!("{name}.gpg"));
        gpg().args(["--export", "--output"]).arg(&file).arg(name).run().succeeds();
        file
    }

    /// Signs bytes: `how` is `--sign`, or something that is no good signature.
    fn sign(&self, name: &str, words: &[&str], how: &str, content: &[u8]) -> Vec<u8> {
        let [from, to] = ["content", "signed"].map(|name| self.lab.root().join(name));
        fs::write(&from, content).expect("a file can be written");
        let gpg = self.lab.program("gpg", GPG).args(words).args(["--local-user", name, "--output"]).arg(&to);
        gpg.arg(how).arg(&from).run().succeeds();
        fs::read(&to).expect("a signature")
    }

    /// Ends the agent that gpg has started.
    fn stop(&self) {
        self.lab.program("gpgconf", ["--kill", "all"]).run().succeeds();
    }
}

fn content(reference: &str, manifest: &str) -> Vec<u8> {
    let critical = json!({
        "type": "atomic container signature",
        "image": { "docker-manifest-digest": manifest },
        "identity": { "docker-reference": reference },
    });
    json!({ "critical": critical, "optional": { "creator": "test" } }).to_string().into_bytes()
}

/// The digest of the manifest of an image in the store.
fn digest(lab: &Lab, name: &str) -> String {
    lab.rc(["image", "inspect", "--format", "{{.Digest}}", name]).run().text().trim().to_owned()
}

fn configure(lab: &Lab, policy: &Value, registries: &str) {
    let directory = lab.root().join("config/containers/registries.d");
    fs::create_dir_all(&directory).expect("a directory");
    fs::write(directory.join("test.yaml"), registries).expect("a file can be written");
    fs::write(lab.root().join("config/containers/policy.json"), policy.to_string()).expect("a file can be written");
}

fn signed_by(key: &std::path::Path, identity: &Value) -> Value {
    let mut requirement = json!({ "type": "signedBy", "keyType": "GPGKeys", "keyPath": key });
    if !identity.is_null() {
        requirement["signedIdentity"] = identity.clone();
    }
    requirement
}

/// Pushes the payload's image to `names`, and returns the digest of its manifest.
fn push(lab: &Lab, names: &[&str]) -> String {
    let archive = lab.work("image.tar");
    fs::write(&archive, Image::payload().oci_archive("first:1")).expect("an archive can be written");
    lab.rc(["load", "-q", "-i"]).arg(&archive).run().succeeds();
    for name in names {
        lab.rc(["push", "-q", "first:1", name]).run().says_nothing();
    }
    lab.rc(["rmi", "-fa"]).run().succeeds();
    lab.rc(["pull", "-q", names[0]]).run().succeeds();
    let digest = digest(lab, names[0]);
    lab.rc(["rmi", "-fa"]).run().succeeds();
    digest
}

#[test]
fn only_a_good_signature_of_the_very_image_lets_it_in() {
    require!(program "docker-registry");
    require!(program "gpg");
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    let [app, second] = ["app:1", "app:2"].map(|name| registry.image(name));
    let manifest = push(&lab, &[&app, &second]);
    let keys = Keys::new(&lab);
    let good = keys.create("good@test", &[]);
    keys.create("evil@test", &[]);
    // The key is of the year 2020, and lived for a day.
    let old = "--faked-system-time=20200101T000000!";
    let expired = keys.create("old@test", &[old]);
    let sigs = lab.root().join("sigs");
    let host = &registry.address;
    let registries = format!("docker:\n  {host}:\n    lookaside: file://{}\n", sigs.display());
    let policy = |requirements: Value| {
        let policy = json!({ "default": [{ "type": "reject" }], "transports": { "docker": { host: requirements } } });
        configure(&lab, &policy, &registries);
    };
    policy(json!([signed_by(&good, &Value::Null)]));
    let file = lab.root().join("config/containers/policy.json");
    let place = sigs.join(format!("app@{}", manifest.replace(':', "=")));
    fs::create_dir_all(&place).expect("a directory");
    let pull = |name: &str| lab.rc(["pull", "-q", name]).run();
    let refused = |reason: &str| {
        let expected =
            format!("rc: cannot pull `{app}`: `{}` requires a signature of `{app}` ({host}): {reason}", file.display());
        let output = pull(&app).exits(125);
        assert!(output.stderr().starts_with(&expected), "{}\n{expected}", output.stderr());
        lab.rc(["images", "-q"]).run().says_nothing();
    };
    refused(&format!("there is none at `file://{}/signature-1`\n", place.display()));

    let right = content(&app, &manifest);
    let put = |number: u8, signature: &[u8]| {
        fs::write(place.join(format!("signature-{number}")), signature).expect("a signature can be written");
    };
    let other = format!("sha256:{}", "0".repeat(64));
    let mut changed = keys.sign("good@test", &["--compress-algo=none"], "--sign", &right);
    let at = changed.windows(4).position(|bytes| bytes == b"test").expect("the creator");
    changed[at] ^= 1;
    for (signature, reason) in [
        (keys.sign("evil@test", &[], "--sign", &right), "the policy does not name its key, "),
        (keys.sign("old@test", &[old], "--sign", &right), "the policy does not name its key, "),
        (keys.sign("good@test", &[], "--sign", &content(&second, &manifest)), "it is for `"),
        (keys.sign("good@test", &[], "--sign", &content(&app, &other)), "it is for another manifest, `sha256:0"),
        (keys.sign("good@test", &[], "--sign", b"{}"), "its content is invalid: missing field `critical`"),
        (keys.sign("good@test", &[], "--store", &right), "it is no OpenPGP message with a signature"),
        (keys.sign("good@test", &[], "--detach-sign", &right), "it is no OpenPGP message with a signature"),
        (keys.sign("good@test", &[], "--clear-sign", &right), "it is no OpenPGP message\n"),
        (changed, "its content was changed"),
        (right.clone(), "it is no OpenPGP message\n"),
        (Vec::new(), "it is no OpenPGP message\n"),
    ] {
        put(1, &signature);
        refused(reason);
    }
    let valid = keys.sign("good@test", &[], "--sign", &right);
    put(2, &keys.sign("good@test", &[], "--sign", b"{}"));
    refused("none of 2 does (1: it is no OpenPGP message; 2: its content is invalid");
    put(2, &valid);
    pull(&app).succeeds();
    lab.rc(["run", "--rm", "--pull=always", "-q", &app, "/payload", "echo", "hello"]).run().prints("hello\n");
    // On a host without gpgv.
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let script = format!(
        "for path in /usr/bin/gpgv /bin/gpgv /usr/local/bin/gpgv; do \
            test ! -e $path || mount --bind /dev/null $path || exit 77; \
        done; exec unshare -U --map-user={user} --map-group={group} {} pull -q {app}",
        Lab::rc_path().display()
    );
    let said = lab.program("unshare", ["-Urm", "sh", "-c", &script]).env("RC_SINGLE_ID", "1").run().exits(125).stderr();
    let expected = "2: gpgv, which verifies signatures, was not found)\n";
    assert!(said.contains(expected) && said.contains("hint: install it: `"), "{said}");
    // By digest, and another tag of the same manifest, which was not signed.
    lab.rc(["rmi", "-fa"]).run().succeeds();
    pull(&format!("{host}/app@{manifest}")).succeeds();
    assert!(pull(&second).exits(125).stderr().contains(&format!("it is for `{app}`")));
    // All requirements must be met.
    policy(json!([signed_by(&good, &Value::Null), signed_by(&expired, &Value::Null)]));
    lab.rc(["rmi", "-fa"]).run().succeeds();
    put(1, &keys.sign("old@test", &[old], "--sign", &right));
    refused("none of 2 does (1: its key, ");
    policy(json!([signed_by(&good, &json!({ "type": "matchRepository" }))]));
    pull(&second).succeeds();
    keys.stop();
    registry.stop();
}

/// Pushes the image `signed` as `own`, with signatures of gpg's keys; the last one replaces others.
fn push_signs(keys: &Keys<'_>, web: &Web, signed: &str, own: &str) {
    let lab = keys.lab;
    keys.create("locked@test", &["--passphrase=secret"]);
    keys.stop();
    lab.rc(["pull", "-q", signed]).run().succeeds();
    let passphrase = lab.work("passphrase");
    let sign = |words: &[&str]| lab.rc(["push", "-q"]).args(words).args([signed, own]).run();
    let locked = ["--sign-by", "locked@test", "--sign-passphrase-file", passphrase.to_str().expect("UTF-8")];
    let refused = sign(&["--sign-by", "nobody@test"]).exits(125).stderr();
    assert!(refused.starts_with("rc: cannot sign by `nobody@test`: "), "{refused}");
    fs::write(&passphrase, "wrong\n").expect("a file can be written");
    let refused = sign(&locked).exits(125).stderr();
    assert!(
        refused.starts_with(&format!("rc: `{own}` was pushed, but not signed: cannot sign by `locked@test`: ")),
        "{refused}"
    );
    fs::write(&passphrase, "secret\n").expect("a file can be written");
    sign(&locked).says_nothing();
    let page = || {
        let group =
            fs::read_dir(lab.root().join("sigs/group")).expect("signatures").map(|entry| entry.expect("a name"));
        let written = group.into_iter().find(|entry| entry.file_name().to_string_lossy().starts_with("own@"));
        let written = written.expect("a signature");
        let path = format!("/sig/group/{}/signature-1", written.file_name().display());
        let body = fs::read(written.path().join("signature-1")).expect("a signature");
        web.page(&path, Page { body, ..Page::default() });
    };
    page();
    let output = lab.rc(["pull", "-q", own]).run().exits(125);
    assert!(output.stderr().contains("the policy does not name its key"), "{output}");
    sign(&["--sign-by", "good@test"]).says_nothing();
    page();
    lab.rc(["pull", "-q", own]).run().succeeds();
    signs_a_list(lab, own);
    lab.rc(["rmi", "-fa"]).run().succeeds();
}

/// Pushes a list of an image under another name: the image and the list are signed under that name.
fn signs_a_list(lab: &Lab, image: &str) {
    let name = image.replace("/own:", "/list:");
    lab.rc(["manifest", "create", "localhost/list", image]).run().succeeds();
    let push = |words: &[&str]| lab.rc(["manifest", "push", "-q", "localhost/list", &name]).args(words).run();
    let refused = push(&["--sign-by", "nobody@test"]).exits(125).stderr();
    assert!(refused.starts_with("rc: cannot sign by `nobody@test`: "), "{refused}");
    push(&["--sign-by", "good@test"]).says_nothing();
    let list = lab.rc(["buildx", "imagetools", "inspect", "--raw", &name]).run().exits(0).stdout;
    let member = digest(lab, image);
    for digest in [format!("sha256:{}", hex(&list)), member] {
        let path = lab.root().join(format!("sigs/group/list@{}/signature-1", digest.replace(':', "=")));
        let said = lab.program("gpg", ["--batch", "--quiet", "--decrypt"]).arg(&path).run().exits(0);
        let critical: Value = serde_json::from_slice(&said.stdout).expect("JSON");
        assert_eq!(critical["critical"]["identity"]["docker-reference"], name);
        assert_eq!(critical["critical"]["image"]["docker-manifest-digest"], digest);
    }
}

#[test]
fn signatures_of_skopeo_are_good_and_come_from_a_web_server_too() {
    require!(program "docker-registry");
    require!(program "gpg");
    require!(program "skopeo");
    let lab = Lab::new();
    let registry = Registry::empty(&lab);
    let app = registry.image("group/app:1");
    let signed = registry.image("group/signed:1");
    push(&lab, &[&app]);
    let keys = Keys::new(&lab);
    let good = keys.create("good@test", &[]);
    // An armored keyring is as good as a binary one.
    let armored = lab.root().join("good.asc");
    lab.program("gpg", GPG).args(["--armor", "--export", "--output"]).arg(&armored).arg("good@test").run().succeeds();
    let sigs = lab.root().join("sigs");
    let host = &registry.address;
    let web = Web::new();
    let registries = format!(
        "docker:\n  {host}:\n    lookaside-staging: file://{}\n    lookaside: http://{}/sig\n",
        sigs.display(),
        web.address
    );
    let policy = json!({
        "default": [{ "type": "insecureAcceptAnything" }],
        "transports": {
            "docker": { host: [signed_by(&armored, &Value::Null)] },
            "dir": { "": [signed_by(&good, &json!({ "type": "exactReference", "dockerReference": signed }))] },
        },
    });
    configure(&lab, &policy, &registries);
    let directory = lab.root().join("config/containers/registries.d");
    let copy = |words: &[&str]| {
        let skopeo = lab.program("skopeo", ["--insecure-policy", "--registries.d"]).arg(&directory);
        skopeo.args(["copy", "--quiet", "--src-tls-verify=false", "--sign-by", "good@test"]).args(words)
    };
    let [from, to] = [&app, &signed].map(|name| format!("docker://{name}"));
    copy(&["--dest-tls-verify=false", &from, &to]).run().succeeds();
    let output = lab.rc(["pull", "-q", &signed]).run().exits(125);
    assert!(output.stderr().contains(&format!("there is none at `http://{}/sig/group/signed@sha256=", web.address)));
    let written = fs::read_dir(sigs.join("group")).expect("signatures").next().expect("a signature").expect("a name");
    let path = format!("/sig/group/{}/signature-1", written.file_name().display());
    let body = fs::read(written.path().join("signature-1")).expect("a signature");
    web.page(&path, Page { body, ..Page::default() });
    lab.rc(["pull", "-q", &signed]).run().succeeds();
    lab.rc(["rmi", "-fa"]).run().succeeds();

    push_signs(&keys, &web, &signed, &registry.image("group/own:1"));

    // A directory of skopeo's has its signatures with it.
    let saved = lab.work("saved");
    copy(&["--sign-identity", &signed, &from, &format!("dir:{}", saved.display())]).run().succeeds();
    lab.rc(["load", "-q", "-i"]).arg(&saved).run().succeeds();
    lab.rc(["rmi", "-fa"]).run().succeeds();
    fs::remove_file(saved.join("signature-1")).expect("a signature");
    let output = lab.rc(["load", "-q", "-i"]).arg(&saved).run().exits(125);
    assert!(output.stderr().contains("there is none in the directory (`signature-1`)"), "{}", output.stderr());

    let trust = |words: &[&str]| lab.rc(["image", "trust"]).args(words).run();
    let key = good.display().to_string();
    trust(&["set", "--pubkeysfile", &key, "h.example/a"]).says_nothing();
    let shown = trust(&["show", "--json"]).json();
    let row = shown.as_array().expect("rows").iter().find(|row| row["name"] == "h.example/a").cloned();
    let usual = match rustix::process::geteuid().is_root() {
        true => "file:///var/lib/containers/sigstore".to_owned(),
        false => format!("file://{}", lab.root().join("home/.local/share/containers/sigstore").display()),
    };
    let expected = json!({
        "transport": "repository", "name": "h.example/a", "repo_name": "h.example/a", "sigstore": usual,
        "type": "signed", "gpg_id": "good@test",
    });
    assert_eq!(row, Some(expected));
    trust(&["set", "h.example/a"]).fails(
        125,
        "rc: `--type signedBy` needs a file with public keys\n\
         hint: name it with `--pubkeysfile FILE`; `gpg --export KEY >FILE` writes one\n",
    );
    assert!(trust(&["set", "-f", "/etc/passwd", "x.y"]).exits(125).stderr().contains("it has no OpenPGP keys"));
    assert!(trust(&["set", "-t", "sigstoreSigned", "x.y"]).exits(125).stderr().contains("is not supported"));
    keys.stop();
    registry.stop();
}
