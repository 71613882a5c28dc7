//! The manual agrees with the command line.
//!
//! Pages are written by hand, except for the text between the two marks in SYNOPSIS, OPTIONS and COMMANDS, which comes
//! from clap's definition. A page with stale text fails here; `RC_UPDATE_MAN=1 cargo test --test it man` updates it,
//! and creates a page for a new command, whose other sections must be written by hand. rc must be able to parse every
//! example in the pages and in README.md.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use crate::support::Lab;

const BEGIN: &str = ".\\\" from clap {";
const END: &str = ".\\\" }";

/// The sections of a command's page, in order.
const SECTIONS: [&str; 7] = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "SEE ALSO"];

/// The sections of a group's page.
const GROUP_SECTIONS: [&str; 5] = ["NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "SEE ALSO"];

fn definition() -> clap::Command {
    let mut definition = rc::definition();
    definition.build();
    definition
}

fn listed(parent: &clap::Command) -> impl Iterator<Item = &clap::Command> {
    parent.get_subcommands().filter(|command| command.get_name() != "help" && !command.is_hide_set())
}

fn about(command: &clap::Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

/// The name elsewhere of a command that has one: `ps` for `container ls`, `builder du` for `buildx du`.
fn name_elsewhere(definition: &clap::Command, group: &str, member: &clap::Command) -> Option<String> {
    let is_same = |command: &&clap::Command| about(command) == about(member);
    let mut alone = listed(definition).filter(|command| !command.has_subcommands());
    let name = alone.find(is_same).map(|command| command.get_name().to_owned());
    // docker has these in two groups.
    let builder = listed(definition).find(|command| group == "buildx" && command.get_name() == "builder");
    let twin = builder.and_then(|builder| listed(builder).find(is_same));
    name.or_else(|| twin.map(|command| format!("builder {}", command.get_name())))
}

/// `stop`, `volume ls`: the commands that do something, with their names after `rc`, each once.
fn commands(definition: &clap::Command) -> Vec<(String, clap::Command)> {
    let mut all = Vec::new();
    for command in listed(definition) {
        let name = command.get_name();
        if !command.has_subcommands() {
            all.push((name.to_owned(), command.clone()));
        }
        let own = listed(command).filter(|member| name_elsewhere(definition, name, member).is_none());
        all.extend(own.map(|member| (format!("{name} {}", member.get_name()), member.clone())));
    }
    all
}

fn groups(definition: &clap::Command) -> Vec<clap::Command> {
    listed(definition).filter(|command| command.has_subcommands()).cloned().collect()
}

fn directory() -> PathBuf {
    Lab::source_path().join("man")
}

fn page_name(command: &str) -> String {
    format!("rc-{}.1", command.replace(' ', "-"))
}

/// Text for roff: no control lines, hyphens that can be copied.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    text.lines()
        .map(|line| if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_owned() })
        .fold(String::new(), |all, line| if all.is_empty() { line } else { all + "\n" + &line })
}

fn sentence(text: &str) -> String {
    let text = roff(text.trim());
    if text.is_empty() || text.ends_with(['.', '?', '!']) { text } else { text + "." }
}

fn synopsis(command: &mut clap::Command) -> String {
    let usage = command.render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).replace("[OPTIONS]", "[\\fIOPTIONS\\fR]");
    usage.lines().fold(String::new(), |mut text, line| {
        writeln!(text, ".PP\n{}", line.trim().replace('-', "\\-")).expect("a string takes text");
        text
    })
}

fn options(command: &clap::Command) -> String {
    let mut arguments: Vec<_> = command.get_arguments().filter(|a| !a.is_positional() && !a.is_hide_set()).collect();
    arguments.sort_by_key(|argument| argument.get_long().map(str::to_owned));
    let mut text = String::new();
    for argument in arguments {
        let mut names = Vec::new();
        names.extend(argument.get_short().map(|short| format!("\\fB\\-{short}\\fR")));
        let longs = argument.get_long().into_iter().chain(argument.get_visible_aliases().unwrap_or_default());
        names.extend(longs.map(|long| format!("\\fB\\-\\-{}\\fR", roff(long))));
        let takes_value = argument.get_action().takes_values();
        let value = argument.get_value_names().and_then(|names| names.first()).map(|name| roff(name));
        let value = value.filter(|_| takes_value).map_or_else(String::new, |value| match argument.get_num_args() {
            Some(range) if range.min_values() == 0 => format!("[=\\fI{value}\\fR]"),
            _ => format!("=\\fI{value}\\fR"),
        });
        writeln!(text, ".TP\n{}{value}", names.join(", ")).expect("a string takes text");
        let help = argument.get_long_help().or_else(|| argument.get_help()).map(ToString::to_string);
        writeln!(text, "{}", sentence(&help.unwrap_or_default().replace("\n\n", "\n.sp\n")))
            .expect("a string takes text");
    }
    text
}

/// `\fBrc\-ps\fR(1)`.
fn reference(name: &str) -> String {
    format!("\\fB{}\\fR(1)", page_name(name).replace(".1", "").replace('-', "\\-"))
}

fn command_list(definition: &clap::Command) -> String {
    let mut text = String::new();
    for command in listed(definition) {
        writeln!(text, ".TP\n{}\n{}", reference(command.get_name()), sentence(&about(command)))
            .expect("a string takes text");
    }
    text
}

fn member_list(definition: &clap::Command, group: &clap::Command) -> String {
    let mut text = String::new();
    for member in listed(group) {
        let names = std::iter::once(member.get_name()).chain(member.get_visible_aliases());
        let names: Vec<String> = names.map(|name| format!("\\fB{}\\fR", roff(name))).collect();
        let page = name_elsewhere(definition, group.get_name(), member);
        let page = page.unwrap_or_else(|| format!("{} {}", group.get_name(), member.get_name()));
        writeln!(text, ".TP\n{}\n{} See {}.", names.join(", "), sentence(&about(member)), reference(&page))
            .expect("a string takes text");
    }
    text
}

/// The page with the text between the marks in `section` replaced; `None` if there are no marks.
fn poured(page: &str, section: &str, text: &str) -> Option<String> {
    let start = page.find(&format!(".SH {section}\n{BEGIN}\n"))? + format!(".SH {section}\n{BEGIN}\n").len();
    let end = start + page[start..].find(END)?;
    Some(format!("{}{text}{}", &page[..start], &page[end..]))
}

/// A page to start from.
fn blank(name: &str, about: &str, sections: &[&str]) -> String {
    let title = page_name(name).replace(".1", "");
    let mut page = format!(
        ".TH {} 1 \"\" \"rc\" \"rc manual\"\n.SH NAME\n{} \\- {}\n",
        title.to_uppercase(),
        title.replace('-', "\\-"),
        about.to_lowercase()
    );
    for section in &sections[1..] {
        let marks = if matches!(*section, "SYNOPSIS" | "OPTIONS" | "COMMANDS") {
            format!("{BEGIN}\n{END}\n")
        } else {
            String::new()
        };
        write!(page, ".SH {section}\n{marks}").expect("a string takes text");
    }
    page
}

#[test]
fn pages_have_the_options_that_the_commands_have() {
    let update = std::env::var_os("RC_UPDATE_MAN").is_some();
    let mut definition = definition();
    let mut wrong = Vec::new();
    let mut look = |file: String, parts: &[(&str, String)], blank: String| {
        let path = directory().join(&file);
        let old = fs::read_to_string(&path).unwrap_or_default();
        let mut new = if old.is_empty() && update { blank } else { old.clone() };
        for (section, text) in parts {
            match poured(&new, section, text) {
                Some(page) => new = page,
                None => wrong.push(format!("{file}: no marks in {section}")),
            }
        }
        if update && new != old {
            fs::write(&path, &new).expect("the manual can be written");
        } else if new != old {
            wrong.push(format!("{file}: stale"));
        }
    };
    for (name, mut command) in commands(&definition) {
        let parts = [("SYNOPSIS", synopsis(&mut command)), ("OPTIONS", options(&command))];
        look(page_name(&name), &parts, blank(&name, &about(&command), &SECTIONS));
    }
    for mut group in groups(&definition) {
        let parts = [("SYNOPSIS", synopsis(&mut group)), ("COMMANDS", member_list(&definition, &group))];
        look(page_name(group.get_name()), &parts, blank(group.get_name(), &about(&group), &GROUP_SECTIONS));
    }
    let list = command_list(&definition);
    let parts = [("SYNOPSIS", synopsis(&mut definition)), ("OPTIONS", options(&definition)), ("COMMANDS", list)];
    look("rc.1".to_owned(), &parts, String::new());
    assert!(wrong.is_empty(), "{}\nRC_UPDATE_MAN=1 cargo test --test it man", wrong.join("\n"));
}

#[test]
fn every_command_has_a_page_that_was_written_by_hand_and_no_page_is_left_over() {
    let definition = definition();
    let own = commands(&definition).into_iter().map(|(name, _)| (page_name(&name), &SECTIONS[..]));
    let groups = groups(&definition);
    let all: Vec<_> =
        own.chain(groups.iter().map(|group| (page_name(group.get_name()), &GROUP_SECTIONS[..]))).collect();
    let mut expected: Vec<String> = all.iter().map(|(file, _)| file.clone()).collect();
    expected.extend(["rc.1".to_owned(), "rc.toml.5".to_owned(), "rc-storage.7".to_owned()]);
    expected.sort();
    let mut found: Vec<String> = fs::read_dir(directory())
        .expect("man/")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, expected);
    for (file, expected) in &all {
        let page = fs::read_to_string(directory().join(file)).expect("a page");
        let sections: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        let wanted: Vec<&str> = sections.iter().copied().filter(|section| expected.contains(section)).collect();
        assert_eq!(wanted, *expected, "{file}");
        for (section, text) in sections.iter().zip(page.split(".SH ").skip(1)) {
            assert!(text.lines().nth(1).is_some_and(|line| !line.is_empty()), "{file}: {section} is empty");
        }
    }
}

/// The commands of a page's examples: the text after `$ `, with lines that a backslash joins.
fn examples(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        let line = line.replace("\\-", "-").replace("\\e", "\\").replace("\\(aq", "'").replace("\\&", "");
        let Some(line) = line.strip_prefix("$ ").or(goes_on.then_some(line.as_str())) else { continue };
        let (words, more) = line.strip_suffix('\\').map_or((line, false), |words| (words, true));
        match all.last_mut().filter(|_| goes_on) {
            Some(last) => last.push_str(words),
            None => all.push(words.to_owned()),
        }
        goes_on = more;
    }
    all
}

/// The words of the `rc` commands in a line of shell; understands quotes, pipes, and variables before the command.
fn rc_commands(line: &str) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = vec![Vec::new()];
    let (mut word, mut quote, mut in_word, mut escaped) = (String::new(), None, false, false);
    for c in line.chars().chain([' ']) {
        match (quote, c) {
            _ if escaped => {
                word.push(c);
                escaped = false;
            }
            (Some('"') | None, '\\') => (escaped, in_word) = (true, true),
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => (quote, in_word) = (Some(c), true),
            (Some(_), c) => word.push(c),
            (None, ' ' | '|' | ';' | '&' | '(' | ')' | '<' | '>' | '\n') => {
                if in_word {
                    commands.last_mut().expect("there is one").push(std::mem::take(&mut word));
                    in_word = false;
                }
                if c != ' ' {
                    commands.push(Vec::new());
                }
            }
            (None, c) => {
                word.push(c);
                in_word = true;
            }
        }
    }
    commands
        .into_iter()
        .filter_map(|words| Some(words[words.iter().position(|word| word == "rc")?..].to_vec()))
        .collect()
}

#[test]
fn examples_are_commands_that_rc_understands() {
    let definition = definition();
    let mut texts: Vec<(String, String)> = fs::read_dir(directory())
        .expect("man/")
        .flatten()
        .map(|entry| {
            let page = fs::read_to_string(entry.path()).expect("a page");
            (entry.file_name().to_string_lossy().into_owned(), page)
        })
        .collect();
    texts.push(("README.md".to_owned(), fs::read_to_string(Lab::source_path().join("README.md")).expect("README.md")));
    let mut wrong = Vec::new();
    let mut count = 0;
    for (file, text) in &texts {
        for line in examples(text) {
            for words in rc_commands(&line) {
                count += 1;
                if let Err(error) = definition.clone().try_get_matches_from(&words)
                    && error.use_stderr()
                {
                    wrong.push(format!("{file}: {line}\n  {error}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 40, "{count} examples were found");
}

#[test]
fn every_key_of_the_shipped_settings_has_an_entry_in_its_page() {
    let settings = fs::read_to_string(Lab::source_path().join("config/rc.toml")).expect("config/rc.toml");
    let page = fs::read_to_string(directory().join("rc.toml.5")).expect("a page").replace("\\-", "-");
    let mut table = String::new();
    let mut missing = Vec::new();
    for line in settings.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            table = name.to_owned();
        } else if let Some((key, value)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            let entry = format!("\n\\fB{table}.{key}\\fR = {}\n", value.replace('\\', "\\e"));
            if !page.contains(&entry) {
                missing.push(entry);
            }
        }
    }
    assert!(missing.is_empty(), "rc.toml.5 has no: {}", missing.join(""));
}

#[test]
fn pages_are_roff_that_man_reads_without_complaint() {
    require!(program "groff");
    let lab = Lab::new();
    for entry in fs::read_dir(directory()).expect("man/").flatten() {
        let output = lab.program("groff", ["-man", "-Tutf8", "-ww", "-z"]).arg(entry.path()).run();
        assert_eq!(output.stderr(), "", "{}", entry.path().display());
    }
}
