//! Parses the files of `src`, roughly: module paths, code without comments and tests, `use` trees and paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A module: `["storage", "layer"]` of `src/storage/layer.rs`.
pub(super) type Module = Vec<String>;

/// A name that a file imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Use {
    /// Whether it is exported again: `pub(crate) use`.
    pub(super) is_public: bool,
    /// As written: `["super", "sync", "tell"]`.
    pub(super) path: Vec<String>,
    /// Its name in this file.
    pub(super) name: String,
}

/// A path or a word in code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// `["super", "sync", "tell"]`, or one segment.
    pub(super) path: Vec<String>,
    /// A field, a method, or the name of a function in its definition.
    is_own: bool,
    is_called: bool,
}

/// A file of `src`.
#[derive(Debug)]
pub(super) struct File {
    /// The whole text.
    pub(super) text: String,
    /// All `use`s, also those in functions.
    pub(super) uses: Vec<Use>,
    /// Paths and words outside `use`s.
    pub(super) words: Vec<Word>,
    /// The modules that it declares, and whether each is for tests.
    children: Vec<(String, bool)>,
}

impl File {
    /// Parses `text`.
    pub(super) fn new(text: &str) -> Self {
        let code = code(text);
        let (uses, rest) = take_uses(&code);
        Self { text: text.to_owned(), uses, words: words(&rest), children: children(text) }
    }

    /// Whether the code uses the name `name`, not only imports it.
    pub(super) fn has_word(&self, name: &str) -> bool {
        let is_type = name.starts_with(|sign: char| sign.is_uppercase());
        let uses = |word: &Word| word.path[0] == name && !word.is_own;
        self.words.iter().any(|word| uses(word) && (is_type || word.is_called || word.path.len() > 1))
    }

    /// Whether it declares the module `name`.
    pub(super) fn has_child(&self, name: &str) -> bool {
        self.children.iter().any(|(child, _)| child == name)
    }
}

/// Every file of `src`, without those of tests.
pub(super) fn read(source: &Path) -> BTreeMap<Module, File> {
    let mut files = BTreeMap::new();
    for path in super::files(source) {
        let relative = path.strip_prefix(source).expect("a file of src").with_extension("");
        let module = relative.iter().map(|part| part.to_string_lossy().into_owned()).collect::<Module>();
        files.insert(module, File::new(&fs::read_to_string(&path).expect("a file of src can be read")));
    }
    let mut tests: BTreeSet<Module> = BTreeSet::new();
    for (module, file) in &files {
        let children = file.children.iter().filter(|(_, is_test)| *is_test);
        tests.extend(children.map(|(child, _)| [&module[..], std::slice::from_ref(child)].concat()));
    }
    files.retain(|module, _| !(1..=module.len()).any(|length| tests.contains(&module[..length])));
    files
}

/// The text without a module of tests at its end.
pub(super) fn without_tests(text: &str) -> &str {
    text.split_once("#[cfg(test)]\nmod tests {").map_or(text, |(code, _)| code)
}

/// The code without comments, and without a module of tests at the end.
fn code(text: &str) -> String {
    let text = without_tests(text);
    let line = |line: &str| match line.find("//") {
        Some(at) if line[..at].trim().is_empty() || line[..at].ends_with(' ') => line[..at].to_owned(),
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// `mod NAME;`, and whether `#[cfg(test)]` stands above it.
fn children(text: &str) -> Vec<(String, bool)> {
    let mut before = "";
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        let declared = line.strip_suffix(';').and_then(|line| match line.split_once("mod ") {
            Some((visibility, name)) if visibility.is_empty() || visibility.starts_with("pub") => Some(name),
            _ => None,
        });
        if let Some(name) = declared {
            found.push((name.to_owned(), before == "#[cfg(test)]"));
        }
        before = line;
    }
    found
}

/// All `use`s of `code`, and the code without them.
fn take_uses(code: &str) -> (Vec<Use>, String) {
    let mut uses = Vec::new();
    let mut rest = String::new();
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim_start();
        let tree = match trimmed.split_once("use ") {
            Some(("", tree)) => Some((false, tree)),
            Some((visibility, tree)) if visibility.starts_with("pub") && !visibility.contains(['{', ';', '=']) => {
                Some((true, tree))
            }
            _ => None,
        };
        let Some((is_public, tree)) = tree else {
            rest.push_str(line);
            rest.push('\n');
            continue;
        };
        let mut tree = tree.to_owned();
        while !tree.contains(';') {
            let Some(more) = lines.next() else { break };
            tree.push_str(more.trim());
        }
        let tree = tree.split(';').next().unwrap_or_default().to_owned();
        for (path, name) in expand(&tree, &[]) {
            uses.push(Use { is_public, path, name });
        }
    }
    (uses, rest)
}

/// The paths of a `use` tree, each with its name in the file.
fn expand(tree: &str, prefix: &[String]) -> Vec<(Vec<String>, String)> {
    let segments = |text: &str| {
        let segments = text.split("::").map(|segment| segment.trim().to_owned());
        [prefix, &segments.filter(|segment| !segment.is_empty()).collect::<Vec<_>>()].concat()
    };
    if let Some((path, group)) = tree.split_once('{') {
        let prefix = segments(path);
        let group = group.rsplit_once('}').map_or(group, |(group, _)| group);
        let mut depth = 0;
        let members = group.split(|sign: char| {
            match sign {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => {}
            }
            sign == ',' && depth == 0
        });
        let members: Vec<&str> = members.filter(|member| !member.trim().is_empty()).collect();
        return members.into_iter().flat_map(|member| expand(member, &prefix)).collect();
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, name)| (path, Some(name.trim())));
    let mut path = segments(path);
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = alias.map(str::to_owned).or_else(|| path.last().cloned()).unwrap_or_default();
    vec![(path, name)]
}

/// The paths and single words of `code`.
fn words(code: &str) -> Vec<Word> {
    let is_part = |sign: char| sign.is_alphanumeric() || sign == '_';
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(start) = code[at..].find(is_part).map(|offset| at + offset) {
        let mut path = Vec::new();
        let mut end = start;
        loop {
            let length = code[end..].find(|sign| !is_part(sign)).unwrap_or(code.len() - end);
            path.push(code[end..end + length].to_owned());
            end += length;
            match code[end..].strip_prefix("::") {
                Some(rest) if rest.starts_with(is_part) => end += 2,
                _ => break,
            }
        }
        let before = code[..start].trim_end();
        let is_own = before.ends_with('.') && !before.ends_with("..") || before.ends_with("fn");
        words.push(Word { path, is_own, is_called: code[end..].starts_with('(') });
        at = end;
    }
    words
}

#[test]
fn uses_are_expanded_and_tests_and_comments_are_skipped() {
    let text = "use super::{a::{self, B}, c as d};\n// use crate::no;\nmod kid;\n#[cfg(test)]\nmod tests;\n\
                pub(crate) use kid::{\n    X,\n    y,\n};\nfn f(x: X) { crate::p::q(x.y()) }\n\
                #[cfg(test)]\nmod tests {\n    use crate::never;\n}\n";
    let file = File::new(text);
    let uses: Vec<String> = file.uses.iter().map(|used| format!("{}={}", used.name, used.path.join("::"))).collect();
    assert_eq!(uses, ["a=super::a", "B=super::a::B", "d=super::c", "X=kid::X", "y=kid::y"]);
    assert!(file.has_child("kid") && file.has_word("X") && !file.has_word("y") && !file.has_word("f"));
    assert!(file.words.iter().any(|word| word.path.join("::") == "crate::p::q"));
}
