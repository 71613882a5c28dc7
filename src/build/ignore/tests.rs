use super::*;
use crate::sys::cpus::time_of_thread;

fn ignores(patterns: &str, path: &str) -> bool {
    Ignore::new(patterns).expect("patterns").ignored_by(path).is_some()
}

#[test]
fn patterns_match_components() {
    for (pattern, path, expected) in [
        ("a", "a", true),
        ("a", "a/b/c", true),
        ("a", "b/a", false),
        ("a", "ab", false),
        ("/a", "a", true),
        ("./a/", "a", true),
        ("a/../b", "b", true),
        ("a/b", "a", false),
        ("a/b", "a/b/c", true),
        ("*", "a", true),
        ("*", ".hidden/x", true),
        ("*/b", "a/b", true),
        ("*/b", "a/x/b", false),
        ("a*c", "abc", true),
        ("a*c", "a/c", false),
        ("a?c", "abc", true),
        ("a?c", "a/c", false),
        ("?", "ä", true),
        ("[a-c]x", "bx", true),
        ("[^a-c]x", "bx", false),
        ("[^a-c]x", "dx", true),
        ("[a\\]b]x", "]x", true),
        ("a\\*", "a*", true),
        ("a\\*", "ab", false),
        ("a.b", "axb", false),
        ("a|b", "a|b", true),
        ("(a)+$", "(a)+$", true),
        ("**", "a/b", true),
        ("**/b", "b", true),
        ("**/b", "a/b", true),
        ("**/b", "x/y/b/z", true),
        ("**/b", "ab", false),
        ("a/**", "a", false),
        ("a/**", "a/b", true),
        ("a/**/b", "a/b", true),
        ("a/**/b", "a/x/y/b", true),
        ("a/**/b", "a/x/y", false),
        ("**/*.txt", "x/y.txt", true),
        ("**/*.txt", "y.txt", true),
        ("**/**/b", "b", true),
        ("**/a/**/b", "x/a/y/b", true),
        ("*.md", "docs/x.md", false),
        ("**b", "ab", true),
        ("**b", "x/ab", true),
        ("a**", "ab/c", true),
        ("a**b", "ab", true),
        ("a**b", "ax/b", true),
        ("a**b", "axxb", false),
        ("../a", "a", false),
        ("/../a", "a", true),
        ("[^x]b", "/b", false),
        ("ä*", "äö", true),
        ("  a  ", "a", true),
        ("\\#a", "#a", true),
        ("A", "a", false),
        (".", "a", false),
        ("a", "", false),
        ("a", "./a/.", true),
    ] {
        assert_eq!(ignores(pattern, path), expected, "{pattern} {path}");
    }
}

#[test]
fn the_last_match_decides() {
    for (patterns, path, expected) in [
        ("*\n!a", "a", false),
        ("*\n!a", "a/b", false),
        ("*\n!a", "b", true),
        ("!a\n*", "a", true),
        ("d\n!d/keep", "d/keep", false),
        ("d\n!d/keep", "d/other", true),
        ("d\n!d/keep\nd/keep/no", "d/keep/no", true),
        ("**/*.log\n!**/keep.log", "x/keep.log", false),
        ("a\n! a", "a", false),
        ("a\n!./a", "a", false),
    ] {
        assert_eq!(ignores(patterns, path), expected, "{patterns:?} {path}");
    }
    let ignore = Ignore::new("# one\n\na\nb\n!b\n").expect("patterns");
    assert_eq!((ignore.ignored_by("a/x"), ignore.ignored_by("b")), (Some(3), None));
}

#[test]
fn what_is_below_an_ignored_directory_is_read_only_if_it_may_be_seen() {
    for (patterns, directory, expected) in [
        ("d", "d", false),
        ("d\n!d/keep", "d", true),
        ("d\n!d/keep", "d/x", false),
        ("*\n!**/keep", "a/b", true),
        ("*\n!src/*.c", "src", true),
        ("*\n!src/*.c", "doc", false),
    ] {
        assert_eq!(Ignore::new(patterns).expect("patterns").may_see_below(directory), expected, "{patterns:?}");
    }
    for (patterns, expected) in
        [("*", true), ("**", true), ("**/*", true), ("*.md", false), ("a", false), ("!*", false)]
    {
        assert_eq!(Ignore::new(patterns).expect("patterns").ignores_all(), expected, "{patterns}");
    }
}

#[test]
fn comments_and_blank_lines_are_no_patterns_and_mistakes_name_their_line() {
    let text = "\u{feff}# comment\r\n\r\n  # a pattern\r\na\r\n";
    let ignore = Ignore::new(text).expect("patterns");
    assert_eq!(ignore.rules.len(), 2);
    assert!(ignore.ignored_by("# a pattern").is_some());
    for (text, line, reason) in [
        ("a\n!", 2, "a pattern is missing after `!`"),
        ("[", 1, "a `[` is not closed"),
        ("[]a]", 1, "a range in `[…]` has no beginning"),
        ("[-x]", 1, "a range in `[…]` has no beginning"),
        ("[x-]", 1, "a range in `[…]` has no end"),
        ("a[", 1, "a `[` is not closed"),
        ("a\\", 1, "a backslash at the end escapes nothing"),
    ] {
        assert_eq!(Ignore::new(text), Err(Wrong { line, reason }), "{text}");
    }
    assert!(Ignore::new("").is_ok_and(|ignore| ignore.rules.is_empty() && !ignore.has_exceptions()));
}

#[test]
fn time_is_bounded_for_many_stars() {
    let start = time_of_thread();
    let pattern = format!("{}b\n{}b", "*a".repeat(2000), "**/a/".repeat(2000));
    let ignore = Ignore::new(&pattern).expect("patterns");
    assert_eq!(ignore.ignored_by(&"a".repeat(4000)), None);
    assert_eq!(ignore.ignored_by(&"a/".repeat(2000)), None);
    let taken = time_of_thread() - start;
    assert!(taken.as_secs() < 5, "{taken:?}");
}
