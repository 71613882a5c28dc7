use clap::{ArgAction, Args as _};

use super::*;
use crate::cmd::args::{ContainerArgs, RunArgs, with_values};

fn again(line: &str, env: &[&str]) -> Retyped {
    let mut config = crate::plan::example();
    config.create_command = line.split(' ').map(str::to_owned).collect();
    config.env = env.iter().map(|&line| line.to_owned()).collect();
    let run = with_values(RunArgs::augment_args(Command::new("run")));
    let create = with_values(ContainerArgs::augment_args(Command::new("create")));
    let globals = ["root", "log-level"].map(|name| Arg::new(name).long(name).short(name.chars().next()));
    let debug = Arg::new("debug").short('D').long("debug").action(ArgAction::SetTrue);
    retype(&Command::new("rc").args(globals).arg(debug).subcommands([run, create]), &config)
        .map_err(|error| error.message)
        .expect("a command line")
}

#[test]
fn what_a_unit_sets_is_left_out_wherever_it_stands() {
    let again = again("rc --root /s run -itd --rm=true --name a -p 80:80 --name=b -v/x:/y --net host box -d --rm", &[]);
    assert_eq!(again.globals, ["--root", "/s"]);
    assert_eq!(again.options, ["--interactive", "--tty", "--publish=80:80", "--volume=/x:/y", "--network=host"]);
    assert_eq!(again.words, ["box", "-d", "--rm"]);
    assert_eq!(again.sdnotify, "conmon");
    // Nor can anyone be attached to what the unit starts with `--detach`, which keeps the image as well.
    for line in ["rc create -a stdout --attach=stderr box", "rc run --rmi box"] {
        let again = self::again(line, &[]);
        assert_eq!((again.options.len(), again.words), (0, vec!["box".to_owned()]), "{line}");
    }
}

#[test]
fn run_of_the_group_is_run() {
    let again = again("rc --root=/s container run --net=host box container", &[]);
    assert_eq!(again.globals, ["--root=/s"]);
    assert_eq!(again.options, ["--network=host"]);
    assert_eq!(again.words, ["box", "container"]);
}

#[test]
fn the_value_of_a_global_option_is_no_command() {
    for globals in ["--root run", "--root=create -D", "-l debug --root container", "-ldebug --debug --root create"] {
        for command in ["run", "container create"] {
            let again = again(&format!("rc {globals} {command} --net=host box run"), &[]);
            assert_eq!(again.globals.join(" "), globals);
            assert_eq!(
                (again.options, again.words.join(" ")),
                (vec!["--network=host".to_owned()], "box run".to_owned())
            );
        }
    }
}

#[test]
fn restarts_are_the_unit_s_and_the_group_stays_in_it() {
    let plain = again("rc run box", &[]);
    assert_eq!((plain.cgroups.as_str(), plain.has_restart), ("no-conmon", false));
    let typed = again("rc create --restart on-failure:3 --cgroups split -m 9m box --restart=no", &[]);
    assert_eq!((typed.cgroups.as_str(), typed.has_restart), ("split", true));
    assert_eq!(typed.options, ["--memory=9m"]);
    assert_eq!(typed.words, ["box", "--restart=no"]);
}

#[test]
fn values_of_the_environment_are_the_container_s() {
    let again =
        again("rc run -e A -e HOME --env B=2 -e P* --sdnotify=container box", &["A=1", "HOME=/h", "P1=x", "P2=y"]);
    assert_eq!(again.options, ["--env=A", "--env=HOME=/h", "--env=B=2", "--env=P*"]);
    assert_eq!(again.environment, ["A=1", "P1=x", "P2=y"]);
    assert_eq!(again.sdnotify, "container");
}

#[test]
fn the_last_value_of_an_option_counts() {
    assert_eq!(again("rc run --sdnotify=container --sdnotify=conmon box", &[]).sdnotify, "conmon");
    assert_eq!(again("rc run --cgroups=split --cgroups=enabled box", &[]).cgroups, "enabled");
}
