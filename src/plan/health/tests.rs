use serde_json::{Value, json};

use super::super::tests::{facts, identity, image};
use super::super::{LogRequest, Request, resolve};
use super::*;

fn of(request: &HealthRequest, image_check: Option<Value>) -> Result<Option<Healthcheck>, String> {
    let of_image = image_check.and_then(|check| json::from_str(&check.to_string()).ok());
    let image = ImageDefaults { healthcheck: of_image, ..image() };
    healthcheck(request, &image, Sdnotify::Container).map_err(|error| error.to_string())
}

fn asked(cmd: &str) -> HealthRequest {
    HealthRequest { cmd: Some(cmd.to_owned()), ..HealthRequest::default() }
}

fn test_of(cmd: &str) -> Result<Vec<String>, String> {
    of(&asked(cmd), None).map(|check| check.map(|check| check.check.test).unwrap_or_default())
}

#[test]
fn commands_are_those_of_podman_and_docker() {
    for (text, expected) in [
        ("curl -f http://localhost/ || exit 1", &["CMD-SHELL", "curl -f http://localhost/ || exit 1"][..]),
        ("true", &["CMD-SHELL", "true"]),
        (r#"["true"]"#, &["CMD-SHELL", "true"]),
        (r#"["test", "-e", "/a b"]"#, &["CMD", "test", "-e", "/a b"]),
        (r#"["CMD", "test", "-e", "/a"]"#, &["CMD", "test", "-e", "/a"]),
        (r#"["CMD-SHELL", "exit 1"]"#, &["CMD-SHELL", "exit 1"]),
        ("CMD test -e /a", &["CMD", "test", "-e", "/a"]),
        ("CMD-SHELL  test -e /a", &["CMD-SHELL", "test -e /a"]),
        ("none", &[]),
        (r#"["NONE"]"#, &[]),
    ] {
        assert_eq!(test_of(text).unwrap(), expected, "{text}");
    }
    for text in ["", "[]", r#"["CMD"]"#, "CMD", r#"[""]"#] {
        assert!(test_of(text).is_err(), "{text}");
    }
    let line = of(&asked("exit 1"), None).unwrap().unwrap().check.command();
    assert_eq!(line, ["/bin/sh", "-c", "exit 1"]);
    let words = of(&asked(r#"["a", "b c"]"#), None).unwrap().unwrap().check.command();
    assert_eq!(words, ["a", "b c"]);
}

#[test]
fn what_is_not_asked_for_is_the_image_s_or_the_usual() {
    let usual = of(&asked("true"), None).unwrap().unwrap();
    assert_eq!((usual.check.interval, usual.check.timeout, usual.check.retries), (Some(USUAL), USUAL, 3));
    assert_eq!((usual.start_period, usual.start_interval), (Duration::ZERO, START_INTERVAL));
    assert_eq!((usual.on_failure, usual.startup, usual.log), (OnFailure::None, None, LOG));
    let second = 1_000_000_000_u64;
    let of_image = json!({
        "Test": ["CMD", "/check"], "Interval": 5 * second, "Timeout": 2 * second, "Retries": 7,
        "StartPeriod": 60 * second, "StartInterval": second
    });
    let found = of(&HealthRequest::default(), Some(of_image.clone())).unwrap().unwrap();
    assert_eq!(found.check.test, ["CMD", "/check"]);
    assert_eq!((found.check.interval, found.check.timeout), (Some(Duration::from_secs(5)), Duration::from_secs(2)));
    assert_eq!((found.check.retries, found.start_period), (7, Duration::from_secs(60)));
    let changed = HealthRequest {
        interval: Some("disable".to_owned()),
        retries: Some(1),
        on_failure: Some("kill".to_owned()),
        ..HealthRequest::default()
    };
    let found = of(&changed, Some(of_image.clone())).unwrap().unwrap();
    assert_eq!((found.check.interval, found.check.retries, found.on_failure), (None, 1, OnFailure::Kill));
    assert_eq!(of(&asked("none"), Some(of_image.clone())), Ok(None));
    let disabled = HealthRequest { disabled: true, ..HealthRequest::default() };
    assert_eq!(of(&disabled, Some(of_image)), Ok(None));
    assert!(of(&HealthRequest { cmd: Some("x".to_owned()), ..disabled }, None).is_err());
}

#[test]
fn what_an_image_says_wrongly_is_no_check_and_no_busy_loop() {
    for check in [
        json!(null),
        json!([]),
        json!({}),
        json!({ "Test": [] }),
        json!({ "Test": ["NONE"] }),
        json!({ "Test": ["CMD"] }),
        json!({ "Test": "true" }),
        json!({ "Test": ["RUN", "x"] }),
        json!({ "Test": ["CMD", "a\0b"] }),
    ] {
        assert_eq!(of(&HealthRequest::default(), Some(check.clone())), Ok(None), "{check}");
    }
    let hasty = json!({ "Test": ["CMD", "x"], "Interval": 1, "Timeout": -1, "Retries": -1 });
    let found = of(&HealthRequest::default(), Some(hasty)).unwrap().unwrap();
    assert_eq!((found.check.interval, found.check.timeout, found.check.retries), (Some(SHORTEST), USUAL, RETRIES));
}

#[test]
fn wrong_values_are_refused_by_name() {
    let text = |text: &str| Some(text.to_owned());
    for (request, message) in [
        (
            HealthRequest { interval: text("soon"), ..asked("x") },
            "`--health-interval`: duration `soon` must be a number",
        ),
        (HealthRequest { timeout: text("0s"), ..asked("x") }, "`--health-timeout`: duration `0s` must be at least 1ms"),
        (HealthRequest { retries: Some(0), ..asked("x") }, "`--health-retries`: number `0` must be at least 1"),
        (HealthRequest { on_failure: text("cry"), ..asked("x") }, "`--health-on-failure`: action `cry` must be none, "),
        (
            HealthRequest { log_destination: text("/tmp"), ..asked("x") },
            "`--health-log-destination`: place `/tmp` must",
        ),
        (HealthRequest { max_log_size: Some(5000), ..asked("x") }, "`--health-max-log-size`: number `5000` must be at"),
        (HealthRequest { startup_cmd: text(""), ..asked("x") }, "`--health-startup-cmd`: command `` must not be"),
    ] {
        let error = of(&request, None).expect_err(message);
        assert!(error.starts_with(message), "{error}");
    }
    let needs = healthcheck(&HealthRequest::default(), &image(), Sdnotify::Healthy).unwrap_err();
    assert!(needs.to_string().contains("needs a health check"), "{needs}");
    let restart = Request {
        health: HealthRequest { on_failure: text("restart"), ..asked("x") },
        log: LogRequest { driver: text("passthrough"), ..LogRequest::default() },
        ..Request::default()
    };
    assert!(resolve(&restart, &image(), &facts(), identity()).is_err());
}

#[test]
fn a_startup_check_has_a_rhythm_of_its_own() {
    let request = HealthRequest {
        startup_cmd: Some("a".to_owned()),
        startup_interval: Some("1s".to_owned()),
        startup_success: Some(2),
        ..asked("b")
    };
    let found = of(&request, None).unwrap().unwrap();
    let startup = found.startup.clone().unwrap();
    assert_eq!(startup.check.test, ["CMD-SHELL", "a"]);
    assert_eq!((startup.check.interval, startup.check.retries), (Some(Duration::from_secs(1)), 0));
    assert_eq!((startup.successes, found.check.interval), (2, Some(USUAL)));
    let saved = serde_json::to_string(&found).unwrap();
    assert_eq!(json::from_str::<Healthcheck>(&saved).unwrap(), found);
}

#[test]
fn a_change_leaves_everything_else_as_it_is() {
    let asked = |words: &[(&str, &str)]| {
        let mut request = HealthRequest::default();
        for (name, value) in words {
            let value = Some((*value).to_owned());
            match *name {
                "cmd" => request.cmd = value,
                "interval" => request.interval = value,
                "on-failure" => request.on_failure = value,
                "startup-cmd" => request.startup_cmd = value,
                "startup-timeout" => request.startup_timeout = value,
                _ => request.disabled = true,
            }
        }
        request
    };
    let first = asked(&[("cmd", "CMD a b"), ("interval", "disable"), ("on-failure", "kill"), ("startup-cmd", "CMD s")]);
    let first = changed(None, &first).unwrap().unwrap();
    let second = changed(Some(&first), &asked(&[("startup-timeout", "7s")])).unwrap().unwrap();
    let mut expected = first.clone();
    expected.startup.as_mut().unwrap().check.timeout = Duration::from_secs(7);
    assert_eq!(second, expected);
    let third = changed(Some(&first), &asked(&[("cmd", "CMD c"), ("interval", "3s")])).unwrap().unwrap();
    let check = Check {
        test: vec!["CMD".to_owned(), "c".to_owned()],
        interval: Some(Duration::from_secs(3)),
        ..first.check.clone()
    };
    assert_eq!(third, Healthcheck { check, ..first.clone() });
    assert_eq!(changed(Some(&first), &asked(&[("none", "")])).unwrap(), None);
    assert_eq!(changed(Some(&first), &asked(&[("cmd", "none")])).unwrap(), None);
    assert!(changed(None, &asked(&[("interval", "3s")])).unwrap_err().to_string().contains("give its command"));
}
