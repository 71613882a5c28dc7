mod fields;

use clap::{Args as _, FromArgMatches as _};

use super::*;
use crate::plan::{ExecRequest, PullPolicy, Request};

fn command<T: clap::Args>() -> Command {
    with_values(T::augment_args(Command::new("rc").disable_help_flag(true)))
}

fn run(line: &[&str]) -> Result<Request, String> {
    let typed: Vec<String> = ["rc"].iter().chain(line).map(|&word| word.to_owned()).collect();
    let matches = command::<RunArgs>().try_get_matches_from(&typed).map_err(|error| error.to_string())?;
    let args = RunArgs::from_arg_matches(&matches).map_err(|error| error.to_string())?;
    args.into_request(&typed).map_err(|error| error.message)
}

#[test]
fn the_definitions_are_sound() {
    command::<ContainerArgs>().debug_assert();
    command::<RunArgs>().debug_assert();
    with_values(PullArgs::augment_args(Command::new("pull"))).debug_assert();
    command::<ProcessArgs>().debug_assert();
}

#[test]
fn options_end_at_the_image() {
    let request = run(&["-it", "--rm", "box", "-d", "--name", "x", "--", "-e"]).unwrap();
    assert_eq!(request.image, "box");
    assert_eq!(request.command, ["-d", "--name", "x", "--", "-e"]);
    assert!(request.interactive && request.tty && request.auto_remove && !request.detach);
    assert_eq!(run(&["--", "box", "ls"]).unwrap().command, ["ls"]);
}

#[test]
fn an_unknown_option_is_refused_and_an_image_is_needed() {
    assert!(run(&["--bogus", "box"]).is_err());
    assert!(run(&["--bogus=1", "box", "ls"]).is_err());
    assert!(run(&["-z", "box"]).is_err());
    assert!(run(&["--rm"]).is_err());
}

#[test]
fn switches_take_values_too() {
    let request = run(&["--rm=true", "--init=false", "--read-only", "--tls-verify=false", "--http-proxy=false", "box"]);
    let request = request.unwrap();
    assert!(request.auto_remove && request.init == Some(false) && request.read_only);
    assert_eq!((request.tls_verify, request.http_proxy), (Some(false), Some(false)));
    assert_eq!(run(&["--tls-verify", "box"]).unwrap().tls_verify, Some(true));
    for (text, value) in [("1", true), ("t", true), ("TRUE", true), ("0", false), ("f", false), ("False", false)] {
        assert_eq!(run(&[&format!("--rm={text}"), "box"]).unwrap().auto_remove, value, "{text}");
        assert_eq!(run(&[&format!("--http-proxy={text}"), "box"]).unwrap().http_proxy, Some(value), "{text}");
    }
    assert!(run(&["--rm=maybe", "box"]).is_err());
    assert_eq!(run(&["--pull=never", "box"]).unwrap().pull, Some(PullPolicy::Never));
    assert_eq!(run(&["--pull", "never", "box"]).unwrap().pull, Some(PullPolicy::Never));
    for (word, policy) in [
        ("Always", PullPolicy::Always),
        ("ifnotpresent", PullPolicy::Missing),
        ("IfNotPresent", PullPolicy::Missing),
        ("ifnewer", PullPolicy::Newer),
        ("Never", PullPolicy::Never),
    ] {
        assert_eq!(run(&["--pull", word, "box"]).unwrap().pull, Some(policy), "{word}");
    }
    assert!(run(&["--pull=sometimes", "box"]).is_err());
}

#[test]
fn descriptors_are_named_or_counted_from_three() {
    let numbers = |line: &[&str]| {
        let request = run(&[line, &["box"]].concat()).unwrap();
        request.descriptors.iter().map(|descriptor| descriptor.number).collect::<Vec<_>>()
    };
    assert!(numbers(&[]).is_empty());
    assert_eq!(numbers(&["--preserve-fds", "2"]), [3, 4]);
    assert_eq!(numbers(&["--preserve-fd=9,3", "--preserve-fd", "5"]), [3, 5, 9]);
}

#[test]
fn what_is_not_in_an_options_grammar_names_the_option() {
    for (line, error) in [
        (
            ["-p", "a"],
            "`--publish`: invalid port `a`: a port must be a number from 1 to 65535, or a range FIRST-LAST with the \
             smaller number first",
        ),
        (["-v", "a:b:c:d"], "`--volume`: volume `a:b:c:d` must be [SOURCE:]DESTINATION[:OPTIONS]"),
    ] {
        assert_eq!(run(&[&line[..], &["box"]].concat()), Err(error.to_owned()));
    }
}

#[test]
fn files_are_read_and_missing_ones_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("env");
    crate::sys::fs::write(&file, "A=1\n").unwrap();
    let file = file.to_str().unwrap();
    let request = run(&["--env-file", file, "--label-file", file, "box"]).unwrap();
    assert_eq!((request.env_files[0].text.as_str(), request.label_files[0].text.as_str()), ("A=1\n", "A=1\n"));
    let missing = run(&["--env-file", "/nowhere", "box"]);
    assert_eq!(missing, Err("cannot read `/nowhere`: no such file or directory".to_owned()));
}

#[test]
fn values_of_the_environment_are_not_kept_in_the_command_line() {
    let kept = |line: &[&str]| run(line).unwrap().create_command.join(" ");
    assert_eq!(
        kept(&["-e", "A=hunter2", "-eB=x", "--env=C=y", "--env", "D=z", "-ite", "E=q", "box"]),
        "rc -e A -eB --env=C --env D -ite E box"
    );
    assert_eq!(
        kept(&["-e", "A=B=1", "-e", "B=1", "-e", "C=", "-e", "PATH", "box", "echo", "A=B=1"]),
        "rc -e A -e B -e C= -e PATH box echo A=B=1"
    );
}

#[test]
fn passwords_of_registries_are_not_kept_in_the_command_line() {
    for line in [&["--creds", "me:hunter2"][..], &["--creds=me:hunter2"]] {
        let request = run(&[line, &["box", "me:hunter2"]].concat()).unwrap();
        let kept = request.create_command.join(" ");
        assert!(
            kept.ends_with("me box me:hunter2") && !format!("{:?}", request.registry).contains("hunter2"),
            "{kept}"
        );
    }
}

#[test]
fn the_parts_of_a_platform_become_one() {
    let platform = |line: &[&str]| run(&[line, &["box"]].concat()).map(|request| request.platform);
    assert_eq!(platform(&["--arch", "arm64"]), Ok(Some("linux/arm64/v8".into())));
    assert_eq!(platform(&["--os", "linux", "--arch=arm", "--variant", "v6"]), Ok(Some("linux/arm/v6".into())));
    assert_eq!(platform(&["--arch", ""]), Ok(None));
    assert!(platform(&["--arch", "arm64", "--platform", "linux/arm64"]).is_err());
}

#[test]
fn exec_takes_the_same_words() {
    let matches =
        command::<ProcessArgs>().try_get_matches_from(["rc", "-it", "-e", "A=1", "-u", "0", "-w", "/"]).unwrap();
    let request = ProcessArgs::from_arg_matches(&matches).unwrap().into_exec_request(vec!["sh".into()]).unwrap();
    let expected = ExecRequest {
        command: vec!["sh".into()],
        interactive: true,
        tty: true,
        env: vec!["A=1".into()],
        user: Some("0".into()),
        working_dir: Some("/".into()),
        ..ExecRequest::default()
    };
    assert_eq!(request, expected);
}
