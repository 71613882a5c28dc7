//! The catalogues of what rc has to do, `tests/fixtures/*.tsv`: each row names the tests that show it.
//!
//! ```text
//! docker-notes.tsv   mechanisms, commands, options and claims of a course on docker
//! literal-calls.tsv  command lines of tools, as they type them
//! ```
//! The last cell of a row is the files with the tests, each followed by the tests: `pull.rs one two pods.rs three`.

use std::collections::BTreeMap;
use std::fs;

use crate::support::Lab;

/// The bodies of the tests of one row, each with its file. Fails if one does not exist.
fn bodies<'a>(texts: &'a mut BTreeMap<String, String>, cell: &'a str) -> Result<Vec<(&'a str, String)>, String> {
    let mut file = None;
    let mut bodies = Vec::new();
    for word in cell.split(' ') {
        if word.ends_with(".rs") {
            file = Some(word);
            continue;
        }
        let name = file.ok_or("a test without a file")?;
        let text = texts
            .entry(name.to_owned())
            .or_insert_with(|| fs::read_to_string(Lab::source_path().join("tests/it").join(name)).unwrap_or_default());
        let (_, body) = text.split_once(&format!("fn {word}(")).ok_or_else(|| format!("{name} has no test {word}"))?;
        let body = body.split_once("\n}\n").map_or(body, |(body, _)| body);
        // Command lines are continued in the next line of the source.
        let words: Vec<&str> = body.split_whitespace().filter(|word| *word != "\\").collect();
        bodies.push((name, words.join(" ")));
    }
    if bodies.is_empty() { Err("no test".to_owned()) } else { Ok(bodies) }
}

/// The rows of a catalogue, without its heading: the first cells, and the tests.
fn rows(name: &str) -> Vec<(String, String)> {
    let path = Lab::source_path().join("tests/fixtures").join(name);
    let text = fs::read_to_string(path).expect("a catalogue");
    let row = |line: &str| line.rsplit_once('\t').map(|(item, tests)| (item.to_owned(), tests.to_owned()));
    text.lines().skip(1).map(|line| row(line).unwrap_or_else(|| panic!("a row without tests: {line}"))).collect()
}

#[test]
fn each_note_has_tests() {
    let mut texts = BTreeMap::new();
    let rows = rows("docker-notes.tsv");
    let wrong = rows.iter().filter_map(|(item, cell)| Some(format!("{item}: {}", bodies(&mut texts, cell).err()?)));
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<String>::new());
    assert!(rows.len() >= 180, "{} rows", rows.len());
}

/// What must be in the tests of a command line: its commands, and its options.
fn marks(line: &str) -> Vec<String> {
    let is_word = |word: &&str| word.starts_with(char::is_lowercase) && !word.contains(['=', '/', ':', '.']);
    let mut marks = Vec::new();
    for call in line.split(" ; ") {
        let mut words = call.split(' ');
        let client = words.next().unwrap_or_default();
        let commands: Vec<&str> = words.by_ref().take_while(is_word).collect();
        // A client may be called by either name, unless it is a plugin.
        let client = if client.starts_with("docker-") { client } else { "" };
        marks.push(format!("{client} {}", commands.join(" ")).trim().to_owned());
        let options = call.split([' ', '"', '\'', '|']).filter(|word| word.starts_with('-') && word.len() > 1);
        marks.extend(options.map(|option| option.split('=').next().unwrap_or(option).to_owned()));
    }
    marks.retain(|mark| !mark.trim_matches('-').is_empty());
    marks
}

#[test]
fn each_command_line_is_in_its_tests() {
    let mut texts = BTreeMap::new();
    let mut wrong = Vec::new();
    let rows = rows("literal-calls.tsv");
    for (item, cell) in &rows {
        let (_, line) = item.split_once('\t').expect("a client and its command line");
        let item: String = item.chars().take(90).collect();
        match bodies(&mut texts, cell) {
            Err(reason) => wrong.push(format!("{item}: {reason}")),
            // Other tests have the words in arrays.
            Ok(bodies) if bodies.iter().any(|(file, _)| !file.starts_with("literal_")) => {}
            Ok(bodies) => {
                let is_missing = |mark: &String| bodies.iter().all(|(_, body)| !body.contains(mark));
                wrong.extend(marks(line).into_iter().filter(is_missing).map(|mark| format!("{item}: no `{mark}`")));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(rows.len() >= 124, "{} rows", rows.len());
}
