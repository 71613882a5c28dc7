//! ARCHITECTURE.md names tests and files that exist.

use std::fs;

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
