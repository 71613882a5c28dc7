use super::*;

/// What a line that ends with the cursor asks for, in short.
fn asked(line: &str) -> String {
    let mut definition = Command::new("rc")
        .arg(Arg::new("root").long("root").num_args(1))
        .subcommand(
            Command::new("run")
                .arg(Arg::new("detach").short('d').long("detach").action(clap::ArgAction::SetTrue))
                .arg(Arg::new("name").short('n').long("name").num_args(1))
                .arg(Arg::new("words").value_name("IMAGE").num_args(1..).trailing_var_arg(true)),
        )
        .subcommand(Command::new("rm").arg(Arg::new("c").value_name("CONTAINER").num_args(1..)))
        .subcommand(Command::new("tag").arg(Arg::new("i").value_name("IMAGE")).arg(Arg::new("n").value_name("NAME")))
        .subcommand(Command::new("volume").subcommand(Command::new("ls")));
    definition.build();
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let (last, before) = words.split_last().expect("a word");
    match Place::of(&definition, before, last) {
        Place::Command(command) => format!("command of {}", command.get_name()),
        Place::Option(command) => format!("option of {}", command.get_name()),
        Place::Value { name, prefix, arg, .. } => format!("{prefix}{name}<{}>", arg.get_id()),
        Place::Files => "files".to_owned(),
        Place::Nothing => "nothing".to_owned(),
    }
}

#[test]
fn the_place_in_a_line_is_found() {
    for (line, expected) in [
        ("", "command of rc"),
        ("r", "command of rc"),
        ("--root", "option of rc"),
        ("--root /x ", "command of rc"),
        ("volume ", "command of volume"),
        ("volume ls ", "nothing"),
        ("ghost ", "nothing"),
        ("run -", "option of run"),
        ("run --name ", "name<name>"),
        ("run -dn ", "name<name>"),
        ("run -nx ", "<words>"),
        ("run --name=w", "--name=name<name>"),
        ("run --bogus=w", "nothing"),
        ("run -d ", "<words>"),
        ("run -d box ", "files"),
        ("run box -", "files"),
        ("run -- -", "<words>"),
        ("rm a b ", "<c>"),
        ("tag a ", "<n>"),
        ("tag a b ", "nothing"),
    ] {
        assert_eq!(asked(line), expected, "{line:?}");
    }
}
