//! The documents: ARCHITECTURE.md names tests and files that exist, and all of them keep to the words of
//! CONTRIBUTING.md.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Lab;

fn architecture() -> String {
    fs::read_to_string(Lab::source_path().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md")
}

/// The words in backquotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_tests_of_invariants_and_attacks_exist() {
    let text = architecture();
    // Invariants, then attacks; other tables name no tests.
    let tables: Vec<&str> = ["| guarded by |\n| --- | --- |\n", "| shown by |\n| --- | --- |\n"]
        .map(|heading| text.split(heading).nth(1).expect("a table of tests"))
        .to_vec();
    let rows = tables.iter().flat_map(|table| table.lines().take_while(|line| line.starts_with("| ")));
    let mut missing = Vec::new();
    let mut count = 0;
    for row in rows {
        let guards = row.rsplit(" | ").next().expect("a row has two cells");
        let mut file = String::new();
        for word in quoted(guards) {
            if word.contains('/') {
                let path = Lab::source_path().join(word);
                file = fs::read_to_string(&path).unwrap_or_else(|_| panic!("{} is not there: {row}", path.display()));
            } else if !file.contains(&format!("fn {word}(")) {
                missing.push(word.to_owned());
            }
        }
        assert!(!file.is_empty(), "nothing guards: {row}");
        count += 1;
    }
    assert!(count > 10, "{count} invariants");
    assert_eq!(missing, Vec::<String>::new(), "no such tests");
}

#[test]
fn the_files_that_the_documents_name_exist() {
    let mut missing = Vec::new();
    for document in ["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(Lab::source_path().join(document)).expect("a document");
        for word in quoted(&text.replace("```", "")) {
            let is_ours = ["src/", "tests/", "man/", "scripts/", "bench/"].iter().any(|start| word.starts_with(start));
            if is_ours && !word.contains(' ') && !Lab::source_path().join(word).exists() {
                missing.push(format!("{document}: {word}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// What the vocabulary of CONTRIBUTING.md rejects; also as the beginning of a longer word.
const REJECTED: [&str; 6] = ["folder", "mend", "whoever", "processor", "at hand", "no container `"];

/// Every file below `directory`.
fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry"));
    entries
        .flat_map(|entry| match entry.file_type().expect("a type") {
            kind if kind.is_dir() => walk(&entry.path()),
            kind if kind.is_file() => vec![entry.path()],
            // A link leads to a file that is checked by its own name.
            _ => Vec::new(),
        })
        .collect()
}

/// The texts that a person reads, each with its name. CONTRIBUTING.md is without its vocabulary.
fn texts() -> Vec<(String, String)> {
    let source = Lab::source_path();
    let mut files: Vec<PathBuf> = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        .iter()
        .map(|name| source.join(name))
        .collect();
    for directory in ["man", "config", "scripts", "bench", "stub", "tests", "src", "build"] {
        files.extend(walk(&source.join(directory)));
    }
    let mut texts: Vec<_> = files
        .iter()
        .filter(|path| path.extension().is_none_or(|extension| extension != "json"))
        // This file names the rejected words.
        .filter(|path| !path.ends_with("tests/it/documents.rs"))
        .map(|path| {
            let text = String::from_utf8_lossy(&fs::read(path).expect("a text")).into_owned();
            let text = text.split_once("\n## Words\n").map_or(text.as_str(), |(before, _)| before).to_owned();
            (path.strip_prefix(&source).expect("a file of ours").display().to_string(), text)
        })
        .collect();
    let mut definition = rc::definition();
    definition.build();
    let help = definition.get_subcommands_mut().map(|command| command.render_long_help().to_string());
    texts.push(("help".to_owned(), help.collect()));
    texts
}

#[test]
fn the_documents_keep_to_the_vocabulary() {
    let mut wrong = Vec::new();
    for (name, text) in texts() {
        for (number, line) in text.lines().enumerate() {
            let line = line.to_lowercase();
            let begins = |at: usize| !line[..at].ends_with(char::is_alphanumeric);
            let found = REJECTED.iter().filter(|word| line.match_indices(**word).any(|(at, _)| begins(at)));
            wrong.extend(found.map(|word| format!("{name}:{}: {word}", number + 1)));
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "CONTRIBUTING.md, \"Words\", has the words to use");
}

#[test]
fn lines_of_documents_and_comments_have_at_most_120_columns() {
    let mut wrong = Vec::new();
    for (name, text) in texts().into_iter().filter(|(name, _)| name != "help") {
        let is_document = ["md", "1", "5", "7", "toml", "service"].iter().any(|end| name.ends_with(&format!(".{end}")));
        let is_comment = |line: &str| line.starts_with("//") || line.starts_with("# ");
        // Rows of tables, and of the block `layers`, which has only names.
        let is_row =
            |line: &str| line.starts_with("| ") || line.chars().all(|c| c.is_ascii_lowercase() || " :_".contains(c));
        let long = text.lines().enumerate().filter(|(_, line)| {
            line.chars().count() > 120 && !is_row(line) && (is_document || is_comment(line.trim_start()))
        });
        wrong.extend(long.map(|(number, _)| format!("{name}:{}", number + 1)));
    }
    assert_eq!(wrong, Vec::<String>::new());
}
