use super::*;

fn unit(start: &[&str], is_template: bool) -> Unit {
    Unit {
        file: "container-web.service".to_owned(),
        header: None,
        after: vec!["db.service".to_owned()],
        requires: Vec::new(),
        wants: Vec::new(),
        store: "/s p/rc".to_owned(),
        environment: vec!["A=50% \"x\" $y".to_owned()],
        restart: Restart::of(RestartPolicy::UnlessStopped),
        restart_sec: None,
        start_timeout: Some(9),
        stop_timeout: 70,
        killed: 143,
        start: start.iter().map(|&word| word.to_owned()).collect(),
        stop: None,
        after_stop: Some(vec!["/rc".to_owned(), "rm".to_owned(), "web".to_owned()]),
        notifies: true,
        is_template,
    }
}

#[test]
fn the_whole_file() {
    let expected = "[Unit]\nDescription=rc container-web.service\nDocumentation=man:rc-generate-systemd(1)\n\
        Wants=network-online.target\nAfter=network-online.target db.service\nRequiresMountsFor=\"/s p/rc\"\n\n\
        [Service]\nEnvironment=PODMAN_SYSTEMD_UNIT=%n\nEnvironment=\"A=50%% \\\"x\\\" $y\"\n\
        Type=notify\nNotifyAccess=all\nDelegate=yes\nKillMode=mixed\n\
        Restart=always\nTimeoutStartSec=9\nTimeoutStopSec=70\nSuccessExitStatus=143\nExecStart=/rc run web\n\
        ExecStopPost=/rc rm web\n\n[Install]\nWantedBy=default.target\n";
    assert_eq!(unit(&["/rc", "run", "web"], false).to_string(), expected);
    let restart = Restart::of(RestartPolicy::OnFailure { retries: Some(3) });
    let expected = expected.replace("p/rc\"\n", "p/rc\"\nStartLimitBurst=3\n").replace("=always", "=on-failure");
    assert_eq!(Unit { restart, ..unit(&["/rc", "run", "web"], false) }.to_string(), expected);
}

#[test]
fn words_reach_the_program_as_they_are() {
    let line = |words: &[&str]| unit(words, false).line(&unit(words, false).start);
    assert_eq!(line(&["a b", "", ";", "100%", "$HOME", "${X}"]), r#""a b" "" ";" 100%% $$HOME "$${X}""#);
    assert_eq!(line(&["it's", "back\\slash", "two\nlines", "\u{1}"]), r#""it's" "back\\slash" "two\nlines" "\x01""#);
    let template = unit(&["--name", "web-%i", "50%"], true);
    assert_eq!(template.line(&template.start), "--name web-%i 50%%");
}
