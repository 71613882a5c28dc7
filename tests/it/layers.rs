//! The boundaries between modules: compares every `crate::` path in `src` with the table in ARCHITECTURE.md. Inside a
//! module, files do not use each other in a circle (`circles`). `rules` checks the form of files, as far as no tool
//! does.
//!
//! The table is the fenced block marked `layers`. Each line has a module, a colon, and the modules that it may import:
//! only modules of later lines, so that the table cannot have a circle.

mod circles;
mod rules;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Lab;

/// Crates that only these modules may name.
const CRATES: [(&str, &[&str]); 4] = [
    ("clap", &["main", "cli", "cmd"]),
    ("tokio", &["image", "registry"]),
    ("reqwest", &["registry"]),
    ("indicatif", &["ui"]),
];

/// The only modules that may name `ui`: those below return values, for every front end.
const SHOWING: [&str; 3] = ["main", "cli", "cmd"];

/// Module → what it may import, in the table's order.
fn table() -> Vec<(String, BTreeSet<String>)> {
    let text = fs::read_to_string(Lab::source_path().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md can be read");
    let (_, rest) = text.split_once("```layers\n").expect("ARCHITECTURE.md has a block marked `layers`");
    let (block, _) = rest.split_once("```").expect("the block marked `layers` ends");
    let row = |line: &str| {
        let (module, imports) = line.split_once(':').unwrap_or_else(|| panic!("no colon in the line `{line}`"));
        (module.trim().to_owned(), imports.split_whitespace().map(str::to_owned).collect())
    };
    block.lines().filter(|line| !line.trim().is_empty()).map(row).collect()
}

/// The module that a file of `src` belongs to: `net` of `net.rs` and of `net/slirp/api.rs`.
fn module_of(source: &Path, file: &Path) -> String {
    let relative = file.strip_prefix(source).expect("a file of src");
    let first = relative.iter().next().expect("a file has a name").to_string_lossy().into_owned();
    first.strip_suffix(".rs").map(str::to_owned).unwrap_or(first)
}

/// Every Rust file below `directory`.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("src can be listed").map(|entry| entry.expect("an entry").path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"));
    files.chain(directories.iter().flat_map(|directory| self::files(directory))).collect()
}

/// A file without its comments, which may name any module.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).expect("a file of src can be read");
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules that `code` reaches by `crate::` (`rc::` in main.rs, which is a crate of its own).
fn imports(code: &str, root: &str) -> BTreeSet<String> {
    let word =
        |text: &str| text.chars().take_while(|sign| sign.is_ascii_lowercase() || *sign == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for (place, _) in code.match_indices(root) {
        let boundary =
            code[..place].chars().next_back().is_none_or(|sign| !sign.is_alphanumeric() && sign != '_' && sign != '$');
        if !boundary {
            continue;
        }
        let rest = &code[place + root.len()..];
        match rest.strip_prefix('{') {
            // A braced list: the words right after the brace and after each comma of this depth.
            Some(group) => {
                let mut depth = 0;
                let mut start = 0;
                for (at, sign) in group.char_indices() {
                    match sign {
                        '{' => depth += 1,
                        '}' if depth == 0 => {
                            found.insert(word(group[start..at].trim_start()));
                            break;
                        }
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            found.insert(word(group[start..at].trim_start()));
                            start = at + 1;
                        }
                        _ => {}
                    }
                }
            }
            None => {
                found.insert(word(rest));
            }
        }
    }
    // A macro or a type at the crate's top has no module.
    found.remove("");
    found
}

#[test]
fn imports_keep_to_the_table() {
    let source = Lab::source_path().join("src");
    let allowed: BTreeMap<_, _> = table().into_iter().collect();
    let mut wrong = Vec::new();
    for file in files(&source) {
        let module = module_of(&source, &file);
        let root = if module == "main" { "rc::" } else { "crate::" };
        let name = file.strip_prefix(&source).expect("a file of src").display().to_string();
        if module == "lib" {
            continue;
        }
        let Some(may) = allowed.get(&module) else {
            wrong.push(format!("src/{name}: the module `{module}` is not in the table"));
            continue;
        };
        for import in imports(&code(&file), root) {
            if import != module && allowed.contains_key(&import) && !may.contains(&import) {
                wrong.push(format!("src/{name}: `{module}` may not import `{import}`"));
            }
        }
    }
    wrong.sort();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_has_no_circle_and_names_every_module() {
    let table = table();
    for (line, (module, imports)) in table.iter().enumerate() {
        for import in imports {
            let later = table[line + 1..].iter().any(|(other, _)| other == import);
            assert!(later, "`{module}` may import `{import}`, which is not on a later line");
        }
    }
    let library = fs::read_to_string(Lab::source_path().join("src/lib.rs")).expect("src/lib.rs can be read");
    let modules = library.lines().filter_map(|line| {
        let item = line.strip_prefix("pub ").or_else(|| line.strip_prefix("pub(crate) ")).unwrap_or(line);
        item.strip_prefix("mod ")?.strip_suffix(';')
    });
    let listed: BTreeSet<&str> = table.iter().map(|(module, _)| module.as_str()).collect();
    let missing: Vec<&str> = modules.clone().filter(|module| !listed.contains(module)).collect();
    assert!(modules.count() > 10, "the modules of src/lib.rs were not found");
    assert!(missing.is_empty(), "not in the table: {}", missing.join(" "));
}

#[test]
fn only_the_command_line_shows() {
    let wrong: Vec<String> = table()
        .into_iter()
        .filter(|(module, imports)| imports.contains("ui") && !SHOWING.contains(&module.as_str()))
        .map(|(module, _)| module)
        .collect();
    assert!(wrong.is_empty(), "may import `ui`: {}", wrong.join(" "));
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let files = source::read(&Lab::source_path().join("src"));
    let circles: Vec<String> = circles::Graph::new(&files).circles().iter().map(|circle| circle.join(" ")).collect();
    assert!(circles.is_empty(), "files that use each other in a circle:\n{}", circles.join("\n"));
}

#[test]
fn commands_are_short_and_know_nothing_of_each_other() {
    let files = source::read(&Lab::source_path().join("src"));
    let long = rules::long_commands(files.iter());
    assert!(long.is_empty(), "too long: {long:?}");
    let borrowed = rules::borrowed_commands(files.iter(), &circles::Graph::new(&files));
    assert!(borrowed.is_empty(), "commands that use what another one defines: {borrowed:?}");
}

#[test]
fn what_other_modules_see_is_documented() {
    let files = source::read(&Lab::source_path().join("src"));
    let wrong = rules::undocumented(files.iter());
    assert!(wrong.is_empty(), "without a doc comment:\n{}", wrong.join("\n"));
}

#[test]
fn lines_have_120_columns_at_most() {
    let root = Lab::source_path();
    let wrong: Vec<String> =
        ["src", "tests", "build"].iter().flat_map(|directory| rules::long_lines(&root, directory)).collect();
    assert!(wrong.is_empty(), "more than 120 columns:\n{}", wrong.join("\n"));
}

#[test]
fn crates_stay_in_their_modules() {
    let source = Lab::source_path().join("src");
    let mut wrong = Vec::new();
    for file in files(&source) {
        let code = code(&file);
        let code = source::without_tests(&code);
        for (name, modules) in CRATES {
            let path = format!("{name}::");
            let named = code.match_indices(&path).any(|(place, _)| {
                code[..place].chars().next_back().is_none_or(|sign| !sign.is_alphanumeric() && !"_:".contains(sign))
            });
            if named && !modules.contains(&module_of(&source, &file).as_str()) {
                wrong.push(format!("{}: names the crate `{name}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn groups_comments_and_longer_words_are_read_rightly() {
    let code = "use crate::{sys::{fs, lock}, types};\nlet a = mycrate::net::x;\nuse crate::plan;\npub(crate) fn f() {}";
    assert_eq!(imports(code, "crate::").into_iter().collect::<Vec<_>>(), ["plan", "sys", "types"]);
}
