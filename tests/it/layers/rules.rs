//! Rules of form that no tool checks: commands are short and do not use each other, lines have at most 120 columns,
//! everything that other modules see has a doc comment.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::circles::Graph;
use super::source::{File, Module};

/// The maximum number of lines of a file in `src/cmd`.
const LINES: usize = 150;
/// The maximum number of columns of a line.
const COLUMNS: usize = 120;

/// The files of `src/cmd` that are too long.
pub(super) fn long_commands<'a>(files: impl Iterator<Item = (&'a Module, &'a File)>) -> BTreeSet<String> {
    let commands = files.filter(|(module, _)| module[0] == "cmd" && module.len() > 1);
    commands.filter(|(_, file)| file.text.lines().count() > LINES).map(|(module, _)| module.join("/")).collect()
}

/// Files of `src/cmd` that use definitions of a command, with the command. A command's own files may use them.
pub(super) fn borrowed_commands<'a>(
    files: impl Iterator<Item = (&'a Module, &'a File)> + Clone,
    graph: &Graph<'_>,
) -> BTreeSet<String> {
    let runs = |file: &File| file.text.contains("\npub(crate) fn run(");
    let commands: BTreeSet<&Module> = files
        .clone()
        .filter(|(module, file)| module[0] == "cmd" && module.len() == 2 && runs(file))
        .map(|(module, _)| module)
        .collect();
    let mut found = BTreeSet::new();
    for (module, _) in files.filter(|(module, _)| module[0] == "cmd" && module.len() > 1) {
        let others = graph.used_by(module).filter(|other| commands.contains(other) && !module.starts_with(other));
        found.extend(others.map(|other| format!("{} {}", module.join("/"), other.join("/"))));
    }
    found
}

/// Items that other modules see and that have no doc comment: `FILE: LINE`.
pub(super) fn undocumented<'a>(files: impl Iterator<Item = (&'a Module, &'a File)>) -> Vec<String> {
    let kinds =
        ["fn ", "async fn ", "const fn ", "unsafe fn ", "struct ", "enum ", "trait ", "const ", "static ", "type "];
    let mut found = Vec::new();
    for (module, file) in files {
        let text = file.text.split_once("#[cfg(test)]\nmod tests {").map_or(&*file.text, |(code, _)| code);
        let mut is_documented = false;
        let mut is_for_tests = false;
        for line in text.lines().map(str::trim) {
            let item = line.strip_prefix("pub(crate) ");
            let is_item = item.is_some_and(|item| kinds.iter().any(|kind| item.starts_with(kind)));
            if is_item && !is_documented && !is_for_tests {
                found.push(format!("{}: {line}", module.join("/")));
            }
            // An attribute of several lines ends with `)]`.
            let goes_on = line.starts_with("#[") || line.starts_with(')') || line.ends_with(',');
            is_documented = line.starts_with("///") || line.contains("#[doc") || is_documented && goes_on;
            is_for_tests = line == "#[cfg(test)]" || is_for_tests && goes_on;
        }
    }
    found
}

/// Lines that are too long in the Rust files below `directory`: `FILE:LINE`.
pub(super) fn long_lines(root: &Path, directory: &str) -> Vec<String> {
    let mut found = Vec::new();
    for file in super::files(&root.join(directory)) {
        let text = fs::read_to_string(&file).expect("a Rust file can be read");
        let name = file.strip_prefix(root).expect("a file of the source").display().to_string();
        let long = text.lines().enumerate().filter(|(_, line)| line.chars().count() > COLUMNS);
        found.extend(long.map(|(number, _)| format!("{name}:{}", number + 1)));
    }
    found
}
