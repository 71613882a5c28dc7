//! `rc login` and `rc logout`, against Debian's registry and with helpers.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::registry::Registry;
use crate::support::{Exit, Lab};

/// The auth file that rc writes.
fn auth_file(lab: &Lab) -> PathBuf {
    lab.root().join("run/containers/auth.json")
}

fn read(path: &PathBuf) -> Value {
    serde_json::from_slice(&fs::read(path).expect("the file is there")).expect("JSON")
}

fn mode(path: &PathBuf) -> u32 {
    fs::metadata(path).expect("the file is there").permissions().mode() & 0o777
}

/// `me:secret` in base64.
const AUTH: &str = "bWU6c2VjcmV0";

#[test]
fn a_login_is_checked_stored_and_removed() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let registry = Registry::with_password(&lab);
    let host = registry.address.clone();
    let login = |words: &[&str]| lab.rc(["login"]).args(words).arg(&host);
    let file = auth_file(&lab);

    login(&["--get-login"]).run().fails(125, format!("rc: not logged in to `{host}`\n"));
    let wrong = format!("rc: cannot log in to `{host}`: `{host}` refused the user name or the password");
    for words in [&["-u", "me", "-p", "guess"][..], &["-u", "you", "-p", "secret"]] {
        let output = login(words).run().exits(125);
        assert!(output.stderr().starts_with(&wrong), "{output}");
        assert!(!output.to_string().contains("guess\n") && !file.exists(), "{output}");
    }
    login(&["-u", "me", "-p", "secret"]).run().prints("Login Succeeded!\n");
    assert_eq!(read(&file), json!({ "auths": { (host.clone()): { "auth": AUTH } } }));
    assert_eq!(mode(&file), 0o600);
    login(&["--get-login"]).run().prints("me\n");
    login(&[]).run().prints(format!(
        "Authenticating with existing credentials for {host}\n\
         Existing credentials are valid. Already logged in to {host}\n"
    ));
    // skopeo reads what rc writes.
    if std::path::Path::new("/usr/bin/skopeo").exists() {
        let known = lab.program("skopeo", ["login", "--get-login", &host]).run();
        assert_eq!(known.stdout(), "me\n", "{known}");
    }
    let logout = || lab.rc(["logout", &host]).run();
    logout().prints(format!("Removed login credentials for {host}\n"));
    logout().fails(125, format!("rc: not logged in to `{host}`\n"));
    assert_eq!(read(&file), json!({ "auths": {} }));
    registry.stop();
}

#[test]
fn a_password_comes_from_a_secret() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let registry = Registry::with_password(&lab);
    let host = registry.address.clone();
    lab.rc(["secret", "create", "me", "-"]).input("secret\n").run().succeeds();
    lab.rc(["login", "--secret", "me", &host]).run().prints("Login Succeeded!\n");
    lab.rc(["login", "--get-login", &host]).run().prints("me\n");
    let output = lab.rc(["login", "--secret", "me", "-u", "you", &host]).run().exits(125);
    assert!(output.stderr().contains("refused the user name or the password"), "{output}");
    assert!(lab.rc(["login", "--secret", "ghost", &host]).run().exits(125).stderr().contains("no such secret: ghost"));
    lab.rc(["secret", "rm", "me"]).run().succeeds();
    registry.stop();
}

#[test]
fn a_password_comes_from_standard_input_or_unseen_from_the_terminal() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let registry = Registry::with_password(&lab);
    let host = registry.address.clone();
    let login = |words: &[&str]| lab.rc(["login"]).args(words).arg(&host);
    for input in ["secret", "secret\n", "secret\r\n"] {
        login(&["-u", "me", "--password-stdin", "-v"])
            .input(input)
            .run()
            .prints(format!("Used: {}\nLogin Succeeded!\n", auth_file(&lab).display()));
    }
    lab.rc(["logout", "-a"]).run().prints("Removed login credentials for all registries\n");
    login(&["--password-stdin"]).input("secret").run().fails(125, "rc: `--password-stdin` needs `--username`\n");
    login(&["-u", "me"]).input("secret").run().fails(
        125,
        "rc: cannot ask for the user name and password: standard input is not a terminal\n\
         hint: use `--username USER --password-stdin`\n",
    );

    let mut terminal = login(&[]).start_on_terminal(24, 80);
    let before = terminal.settings();
    terminal.line("Username: ");
    terminal.send("me\n");
    terminal.line("Password: ");
    // DEL takes the last letter back, Ctrl-U the whole line.
    terminal.send("nothing\u{15}secrex\u{7f}t\r");
    terminal.line("Login Succeeded!");
    let after = terminal.settings();
    assert_eq!(before.local_modes, after.local_modes);
    let shown = terminal.wait().exits(0).stdout();
    assert!(!shown.contains("secre") && !shown.contains("nothing"), "{shown}");

    // A name is offered again; Ctrl-C leaves the terminal as it was.
    lab.rc(["logout", &host]).run().succeeds();
    let mut terminal = login(&["-u", "me"]).start_on_terminal(24, 80);
    terminal.line("Password: ");
    terminal.send("sec\u{3}");
    let output = terminal.wait();
    assert_eq!(output.exit, Exit::Code(130), "{output}");
    registry.stop();
}

#[test]
fn what_others_have_written_into_the_file_stays() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let registry = Registry::with_password(&lab);
    let host = registry.address.clone();
    let file = lab.work("auth.json");
    let other = json!({ "auth": "eDp5", "email": "x@y.z" });
    let with = |auths: Value| json!({ "HttpHeaders": { "A": "b" }, "auths": auths, "credHelpers": { "h.io": "pass" } });
    fs::write(&file, with(json!({ "h.io": other.clone() })).to_string()).expect("a file");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("a mode");
    let login = |user: &str, password: &str| {
        lab.rc(["login", "--authfile"]).arg(&file).args(["-u", user, "-p", password]).arg(&host).run()
    };
    login("me", "secret").prints("Login Succeeded!\n");
    assert_eq!(read(&file), with(json!({ "h.io": other.clone(), (host.clone()): { "auth": AUTH } })));
    assert_eq!(mode(&file), 0o600);
    // A wrong password changes nothing, and neither does a file that is none.
    drop(login("me", "guess").exits(125));
    assert_eq!(read(&file), with(json!({ "h.io": other.clone(), (host.clone()): { "auth": AUTH } })));
    lab.rc(["logout", "--authfile"]).arg(&file).arg(&host).run().succeeds();
    assert_eq!(read(&file), with(json!({ "h.io": other })));
    fs::write(&file, "{\"auths\": secret}").expect("a file");
    let output = login("me", "secret").exits(125);
    assert!(output.stderr().contains("auth.json") && !output.stderr().contains("secret"), "{output}");
    assert_eq!(fs::read_to_string(&file).expect("a file"), "{\"auths\": secret}");
    registry.stop();
}

#[test]
fn several_logins_at_once_lose_none() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let registry = Registry::with_password(&lab);
    let host = registry.address.clone();
    let logins: Vec<_> = (0..6)
        .map(|number| lab.rc(["login", "-u", "me", "-p", "secret", &format!("{host}/team{number}")]).start())
        .collect();
    for login in logins {
        assert_eq!(login.wait().exit, Exit::Code(0));
    }
    let document = read(&auth_file(&lab));
    assert_eq!(document["auths"].as_object().map(serde_json::Map::len), Some(6), "{document}");
    registry.stop();
}

/// A helper that keeps what it gets in files below its directory.
fn helper(lab: &Lab) -> PathBuf {
    let directory = lab.work("helper");
    fs::create_dir(&directory).expect("a directory");
    lab.script(
        "docker-credential-test",
        &format!(
            "#!/bin/sh\ncd {}\ncase $1 in\nstore) cat >kept;;\nerase) rm kept;;\n\
             get) cat >asked; [ -e kept ] && exec cat kept\necho credentials not found in native keychain; exit 1;;\n\
             esac\n",
            directory.display()
        ),
    );
    directory
}

#[test]
fn a_helper_that_docker_s_file_names_gets_the_secret() {
    require!(program "docker-registry");
    let lab = Lab::new();
    let registry = Registry::with_password(&lab);
    let host = registry.address.clone();
    let kept = helper(&lab).join("kept");
    let path = format!("{}:{}", lab.work("").display(), crate::support::lab::PATH);
    for configuration in [json!({ "credsStore": "test" }), json!({ "credHelpers": { (host.clone()): "test" } })] {
        fs::create_dir_all(lab.root().join("home/.docker")).expect("a directory");
        fs::write(lab.root().join("home/.docker/config.json"), configuration.to_string()).expect("a file");
        let rc = |words: &[&str]| lab.rc(words).arg(&host).env("PATH", &path);
        rc(&["login", "-u", "me", "-p", "secret"]).run().prints("Login Succeeded!\n");
        let document: Value = serde_json::from_slice(&fs::read(&kept).expect("it was asked")).expect("JSON");
        assert_eq!(document, json!({ "ServerURL": host, "Username": "me", "Secret": "secret" }));
        assert!(!auth_file(&lab).exists());
        rc(&["login", "--get-login"]).run().prints("me\n");
        rc(&["logout"]).run().prints(format!("Removed login credentials for {host}\n"));
        assert!(!kept.exists());
        drop(rc(&["logout"]).run().exits(125));
    }
    registry.stop();
}

#[test]
fn what_docker_has_stored_is_used_and_left_to_docker() {
    let lab = Lab::new();
    fs::create_dir_all(lab.root().join("home/.docker")).expect("a directory");
    let file = lab.root().join("home/.docker/config.json");
    let document = json!({ "auths": { "https://index.docker.io/v1/": { "auth": AUTH } } });
    fs::write(&file, document.to_string()).expect("a file");
    lab.rc(["login", "--get-login"]).run().prints("me\n");
    lab.rc(["login", "--get-login", "docker.io"]).run().prints("me\n");
    lab.rc(["logout"]).run().prints(
        "Not logged into docker.io with current tool. Existing credentials were established via docker login. Please \
         use docker logout instead.\n",
    );
    assert_eq!(read(&file), document);
    for bad in ["", "a b", "h.io/x:1", "h.io/UPPER", "-x/", "h.io:port"] {
        let output = lab.rc(["login", "-u", "me", "-p", "secret", "--", bad]).run().exits(125);
        assert!(output.stderr().contains("registry"), "{output}");
    }
}
