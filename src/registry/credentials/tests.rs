use std::collections::BTreeMap;

use super::*;

fn find(name: &str, file: &str) -> Result<Option<Credentials>, String> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("auth.json");
    fs::write(&path, file).expect("a file");
    let reference = name.parse().expect("a reference");
    Credentials::find(&reference, Some(&path), &Places::default()).map_err(|error| error.to_string())
}

fn user(found: Result<Option<Credentials>, String>) -> Option<String> {
    match found {
        Ok(Some(Credentials::Password { user, .. })) => Some(user),
        Ok(Some(Credentials::IdentityToken(token))) => Some(format!("token {token}")),
        Ok(None) => None,
        Err(error) => Some(error),
    }
}

/// `auths` with users named after the positions of their keys.
fn file(keys: &[&str]) -> String {
    let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    let auths: BTreeMap<_, _> = keys
        .iter()
        .enumerate()
        .map(|(place, key)| (*key, serde_json::json!({ "auth": encode(format!("{place}:secret:x")) })))
        .collect();
    serde_json::json!({ "auths": auths }).to_string()
}

#[test]
fn depth_is_bounded_in_fields_that_nobody_knows() {
    let deep = format!(r#"{{"unknown":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
    let error = find("h.io/x", &deep).map(drop);
    assert!(error.as_ref().is_err_and(|error| error.contains("levels deep")), "{error:?}");
}

#[test]
fn host_and_port_match_exactly_and_then_the_longest_path() {
    // R4
    let keys = ["h.io", "h.io/team", "h.io/team/app", "h.io:5000", "https://index.docker.io/v1/", "https://old.io/v2/"];
    for (name, expected) in [
        ("h.io/x", Some("0")),
        ("h.io/team/other", Some("1")),
        ("h.io/team/app", Some("2")),
        ("h.io/team/app/sub", Some("2")),
        ("h.io/team/apple", Some("1")),
        ("h.io/teams/app", Some("0")),
        ("h.io:5000/team/app", Some("3")),
        ("h.io:5001/x", None),
        ("x.h.io/team", None),
        ("h.io.evil.com/x", None),
        ("busybox", Some("4")),
        ("old.io/team/app", Some("5")),
    ] {
        assert_eq!(user(find(name, &file(&keys))).as_deref(), expected, "{name}");
    }
}

#[test]
fn entries_are_read_as_docker_and_podman_write_them() {
    assert_eq!(
        find("h.io/a", &file(&["h.io"])),
        Ok(Some(Credentials::Password { user: "0".to_owned(), password: "secret:x".to_owned() }))
    );
    let token = r#"{"auths":{"h.io":{"auth":"","identitytoken":"abc"}}}"#;
    assert_eq!(user(find("h.io/a", token)).as_deref(), Some("token abc"));
    assert_eq!(user(find("h.io/a", r#"{"auths":{"h.io":{}}}"#)), None);
    for bad in [
        r#"{"auths":{"h.io":{"auth":"c2VjcmV0"}}}"#,
        r#"{"auths":{"h.io":{"auth":"secret!"}}}"#,
        r#"{"auths":"secret"}"#,
    ] {
        let text = find("h.io/a", bad).expect_err("a fault");
        assert!(text.contains("auth.json") && !text.contains("secret") && !text.contains("c2Vj"), "{text}");
    }
}

#[test]
fn a_helpers_name_cannot_be_a_path_or_an_option() {
    // R4
    for name in ["../x", "a/b", "a b", "A", "a;b", "$(x)"] {
        let file = serde_json::json!({ "credHelpers": { "h.io": name } }).to_string();
        let error = format!("credential helper `{name}` must match [a-z0-9_-]+");
        assert!(find("h.io/a", &file).is_err_and(|text| text.ends_with(&error)), "{name}");
    }
    let absent = r#"{"credHelpers":{"h.io":"rc-is-not-there"}}"#;
    let text = find("h.io/a", absent).expect_err("a fault");
    assert_eq!(text, "credential helper `docker-credential-rc-is-not-there` is not installed");
    assert_eq!(find("h.io/a", r#"{"credsStore":"rc-is-not-there"}"#), Ok(None));
}

#[test]
fn files_are_looked_at_in_podmans_order() {
    let home = tempfile::tempdir().expect("a directory");
    let place = |name: &str| home.path().join(name);
    let places = Places {
        registry_auth_file: None,
        runtime_dir: Some(place("run")),
        config_home: Some(place("config")),
        docker_config: Some(place("docker")),
        registries_conf: None,
        etc: place("etc"),
        signatures: None,
    };
    let reference: ImageReference = "h.io/a".parse().expect("a reference");
    let find = |named: Option<&Path>, places: &Places| {
        user(Credentials::find(&reference, named, places).map_err(|error| error.to_string()))
    };
    assert_eq!(find(None, &places), None);
    for (path, keys, expected) in [
        ("docker/config.json", ["x.io", "y.io", "h.io"], "2"),
        ("config/containers/auth.json", ["x.io", "h.io", "y.io"], "1"),
        ("run/containers/auth.json", ["h.io", "x.io", "y.io"], "0"),
    ] {
        let path = place(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(&path, file(&keys)).expect("a file");
        assert_eq!(find(None, &places).as_deref(), Some(expected));
    }
    assert_eq!(find(Some(&place("docker/config.json")), &places).as_deref(), Some("2"));
    assert!(find(Some(&place("nowhere")), &places).is_some_and(|text| text.contains("no such file")));
    let named = Places { registry_auth_file: Some(place("config/containers/auth.json")), ..places };
    assert_eq!(find(None, &named).as_deref(), Some("1"));
}
