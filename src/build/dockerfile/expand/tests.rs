use super::*;
use crate::sys::cpus::time_of_thread;

fn values(name: &str) -> Option<String> {
    let value = match name {
        "HOME" => "/home/ann",
        "TEXT" => "two words",
        "FILE" => "archive.tar.gz",
        "WORD" => "한국어",
        "EMPTY" => "",
        _ => return None,
    };
    Some(value.to_owned())
}

fn expand(text: &str) -> Result<String, String> {
    Expander::new('\\').expand(text, Mode::Word, &values).map(|expanded| expanded.text)
}

#[test]
fn quotes_escapes_and_variables() {
    for (text, expected) in [
        ("plain", "plain"),
        ("한글", "한글"),
        ("a b  c", "a b  c"),
        ("'a'b\"c\"", "abc"),
        ("'$HOME'", "$HOME"),
        ("\"$HOME\"", "/home/ann"),
        ("'it\"s'", "it\"s"),
        ("\"it's\"", "it's"),
        ("a\\b", "ab"),
        ("a\\\\b", "a\\b"),
        ("\\$HOME", "$HOME"),
        ("\\'a", "'a"),
        ("a\\", "a"),
        ("\"a\\b\"", "a\\b"),
        ("\"a\\\\b\\\"c\\$HOME\"", "a\\b\"c$HOME"),
        ("\"\\한\"", "\\한"),
        ("$HOME/x", "/home/ann/x"),
        ("$WORD한", ""),
        ("${WORD}한", "한국어한"),
        ("$HOME$HOME", "/home/ann/home/ann"),
        ("$NONE", ""),
        ("a$", "a$"),
        ("$ a", "$ a"),
        ("$.", "$."),
        ("$1a", "a"),
        ("$12", ""),
        ("$$a$?b", "ab"),
        ("$@x", "x"),
        ("}{", "}{"),
        ("\\${HOME}", "${HOME}"),
    ] {
        assert_eq!(expand(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn braces_have_operators() {
    for (text, expected) in [
        ("${HOME}", "/home/ann"),
        ("${NONE}", ""),
        ("${NONE:-a b}", "a b"),
        ("${NONE-a}", "a"),
        ("${EMPTY:-a}", "a"),
        ("${EMPTY-a}", ""),
        ("${HOME:-a}", "/home/ann"),
        ("${HOME:+a}", "a"),
        ("${EMPTY:+a}", ""),
        ("${EMPTY+a}", "a"),
        ("${NONE+a}", ""),
        ("${HOME:?gone}", "/home/ann"),
        ("${EMPTY?gone}", ""),
        ("${NONE:-$HOME}", "/home/ann"),
        ("${NONE:-${ALSO:-${HOME}x}y}z", "/home/annxyz"),
        ("${NONE:-'$HOME}'}", "$HOME}"),
        ("${NONE:-\"a}b\"}", "a}b"),
        ("${NONE:-a\\}b}", "a}b"),
        ("${NONE:-}", ""),
        ("${FILE#*.}", "tar.gz"),
        ("${FILE##*.}", "gz"),
        ("${FILE%.*}", "archive.tar"),
        ("${FILE%%.*}", "archive"),
        ("${FILE%.${NONE:-gz}}", "archive.tar"),
        ("${FILE/a/A}", "Archive.tar.gz"),
        ("${FILE//a/A}", "Archive.tAr.gz"),
        ("${FILE//./}", "archivetargz"),
        ("${FILE/tar*/zip}", "archive.zip"),
        ("${HOME//\\//:}", ":home:ann"),
        ("${NONE/a/b}", ""),
        ("${NONE#a}", ""),
        ("\"${TEXT}\"", "two words"),
    ] {
        assert_eq!(expand(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn mistakes_have_a_reason() {
    for (text, expected) in [
        ("'open", "a single quote is not closed"),
        ("\"open", "a double quote is not closed"),
        ("a\"b\\\"", "a double quote is not closed"),
        ("${", "a `}` is missing"),
        ("${HOME", "a `}` is missing"),
        ("${HOME:", "a `}` is missing"),
        ("${HOME:-x", "a `}` is missing"),
        ("${HOME/x", "a `/` is missing"),
        ("${HOME/x/y", "a `}` is missing"),
        ("${}", "there is no name between `${` and `}`"),
        ("${{HOME}", "there is no name between `${` and `}`"),
        ("${:}", "there is no name between `${` and `}`"),
        ("${HOME^}", "`^` is no operator of `${…}`: :- - :+ + :? ? # ## % %% / // are"),
        ("${HOME:=x}", "`:=` is no operator of `${…}`: :- - :+ + :? ? # ## % %% / // are"),
        ("${.}", "`.` is no operator of `${…}`: :- - :+ + :? ? # ## % %% / // are"),
        ("${NONE:?}", "`NONE` is not set"),
        ("${EMPTY:?}", "`EMPTY` is empty"),
        ("${NONE?give it}", "`NONE`: give it"),
        ("${HOME#\\h}", "`\\h` escapes nothing"),
    ] {
        assert_eq!(expand(text), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn words_are_split_after_the_expansion_unless_they_are_quoted() {
    let words = |text: &str| Expander::new('\\').expand(text, Mode::Words, &values).map(|expanded| expanded.words);
    for (text, expected) in [
        ("80 $TEXT", &["80", "two", "words"][..]),
        ("a\"$TEXT\"b", &["atwo wordsb"]),
        ("'a b' c", &["a b", "c"]),
        ("a\\ b c", &["a b", "c"]),
        ("$NONE", &[]),
        ("  ", &[]),
        ("$TEXT$TEXT", &["two", "wordstwo", "words"]),
    ] {
        assert_eq!(words(text).as_deref(), Ok(expected.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>().as_slice()));
    }
}

#[test]
fn a_document_keeps_its_quotes() {
    let document = |text: &str| Expander::new('`').expand(text, Mode::Document, &values).map(|found| found.text);
    for (text, expected) in [
        ("\"$HOME\" 'it`s $TEXT\n", "\"/home/ann\" 'it`s two words\n"),
        ("\\$HOME \\\\ \\\n", "$HOME \\ \n"),
        ("${NONE:-'x'}", "'x'"),
    ] {
        assert_eq!(document(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn names_are_noted_and_the_escape_character_is_the_file_s() {
    let found = Expander::new('`').expand("`$A\\$HOME${NONE:-$TEXT}$NONE", Mode::Word, &values).expect("fine");
    assert_eq!(found.text, "$A\\/home/anntwo words");
    let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!((names(&found.set), names(&found.unset)), ("HOME TEXT".to_owned(), "NONE".to_owned()));
}

#[test]
fn size_and_depth_and_work_are_bounded() {
    let nested = |depth: usize| format!("{}x{}", "${A:-".repeat(depth), "}".repeat(depth));
    assert_eq!(expand(&nested(DEPTH)).as_deref(), Ok("x"));
    for depth in [DEPTH + 1, 200_000] {
        assert_eq!(expand(&nested(depth)), Err("braces are nested more than 32 levels deep".to_owned()));
    }
    let long = |_: &str| Some("x".repeat(WORD_LIMIT / 2));
    let expander = Expander::new('\\');
    let grow = |text: &str| expander.expand(text, Mode::Word, &long).map(|found| found.text.len());
    assert_eq!(grow("$A$A"), Ok(WORD_LIMIT));
    assert_eq!(grow("$A$A$A"), Err("it expands to more than 128 KiB".to_owned()));
    let outcome = (0..WORK).map(|_| grow("${A+y}")).find(Result::is_err);
    assert_eq!(outcome, Some(Err("all variables together have more than 256 MiB".to_owned())));
    // What is counted is what can be compared at most, so that this test takes no time.
    for pattern in ["${A//PATTERN/z}", "${A##*PATTERN}", "${A%%PATTERN?*}"] {
        let expander = Expander::new('\\');
        let text = pattern.replace("PATTERN", &"y".repeat(900));
        let outcome = (0..8).map(|_| expander.expand(&text, Mode::Word, &long).map(drop)).find(Result::is_err);
        assert_eq!(outcome, Some(Err("the patterns of all variables together take too long".to_owned())), "{pattern}");
    }
}

#[test]
fn time_is_linear() {
    let start = time_of_thread();
    for unit in ["$", "${", "$${", "'", "\"$", "\\", "${A:-", "${A/", "<<", "}", "$A "] {
        let text = unit.repeat((1 << 20) / unit.len());
        drop(Expander::new('\\').expand(&text, Mode::Document, &values));
    }
    let taken = time_of_thread() - start;
    assert!(taken.as_secs() < 5, "{taken:?}");
}
