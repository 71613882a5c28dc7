//! Variables in words, and their quotes.
//!
//! ```text
//! $v ${v}            the value, or nothing
//! ${v:-w} ${v-w}     w if v is unset (with the colon also: empty)
//! ${v:+w} ${v+w}     w if v is set (with the colon: and not empty)
//! ${v:?w} ${v?w}     w is an error if v is unset (with the colon also: empty)
//! ${v#p} ${v##p}     without the shortest (longest) beginning that matches
//! ${v%p} ${v%%p}     without the shortest (longest) end that matches
//! ${v/p/w} ${v//p/w} the first match (each match) replaced
//! 'a $v'             as it is
//! "a $v"             expanded
//! ```
//!
//! Source: the Dockerfile reference, "Environment replacement"; BuildKit, `shell.Lex`.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::str::Chars;

use super::pattern::{Greed, Pattern};

/// The most bytes of an expanded word: the kernel takes no longer argument or variable (execve(2), MAX_ARG_STRLEN).
const WORD_LIMIT: usize = 128 << 10;

/// The most bytes of an expanded here-document.
const DOCUMENT_LIMIT: usize = 1 << 20;

/// How deep braces may be nested.
const DEPTH: usize = 32;

/// How many bytes all variables of a file may have together, each counted as often as it is used.
const WORK: usize = 256 << 20;

/// What is expanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A word: quotes go.
    Word,
    /// Words: as [`Mode::Word`], and then split at blanks that are not quoted.
    Words,
    /// A here-document: quotes are ordinary characters.
    Document,
}

/// An expanded text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Expanded {
    /// All of it.
    pub(crate) text: String,
    /// Its words, for [`Mode::Words`].
    pub(crate) words: Vec<String>,
    /// The variables in it that have a value.
    pub(crate) set: BTreeSet<String>,
    /// The variables in it that have none.
    pub(crate) unset: BTreeSet<String>,
}

/// Finds the value of a variable.
pub(crate) type Values<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Expands the words of one file, within a limit for all of them together.
#[derive(Debug)]
pub(crate) struct Expander {
    escape: char,
    work: Cell<usize>,
}

impl Expander {
    /// For a file with this escape character.
    pub(crate) fn new(escape: char) -> Self {
        Self { escape, work: Cell::new(WORK) }
    }

    /// Takes so many bytes from what all variables of the file may have together.
    pub(crate) fn charge(&self, bytes: usize) -> Result<(), String> {
        let left = self.work.get().checked_sub(bytes);
        self.work.set(left.ok_or_else(|| format!("all variables together have more than {} MiB", WORK >> 20))?);
        Ok(())
    }

    /// Takes the comparisons that it takes to look for a pattern in a value, at most, from the same account.
    fn charge_search(&self, pattern: &Pattern, value: &str) -> Result<(), String> {
        let compared = value.len().saturating_mul(pattern.longest());
        self.charge(compared).map_err(|_| "the patterns of all variables together take too long".to_owned())
    }

    /// Expands a text. The error is the reason.
    pub(crate) fn expand(&self, text: &str, mode: Mode, values: Values<'_>) -> Result<Expanded, String> {
        let escape = if mode == Mode::Document { '\\' } else { self.escape };
        let mut run = Run { letters: text.chars(), escape, mode, values, expander: self, found: Expanded::default() };
        let mut words = Splitter::default();
        let text = run.until(None, false, 0, (mode == Mode::Words).then_some(&mut words))?;
        Ok(Expanded { text, words: words.finish(), ..run.found })
    }
}

/// Collects words.
#[derive(Debug, Default)]
struct Splitter {
    words: Vec<String>,
    word: String,
    is_in_word: bool,
}

impl Splitter {
    fn add(&mut self, letter: char) {
        if !letter.is_whitespace() {
            self.add_quoted(letter.encode_utf8(&mut [0; 4]));
        } else if self.is_in_word {
            self.words.push(std::mem::take(&mut self.word));
            self.is_in_word = false;
        }
    }

    fn add_quoted(&mut self, text: &str) {
        self.word.push_str(text);
        self.is_in_word = true;
    }

    fn finish(mut self) -> Vec<String> {
        self.words.extend((!self.word.is_empty()).then_some(self.word));
        self.words
    }
}

struct Run<'a> {
    letters: Chars<'a>,
    escape: char,
    mode: Mode,
    values: Values<'a>,
    expander: &'a Expander,
    found: Expanded,
}

impl Run<'_> {
    fn peek(&self) -> Option<char> {
        self.letters.clone().next()
    }

    /// Expands until `stop`, which is consumed, or until the end. `keeps_escapes` is for patterns, which have escapes
    /// of their own.
    fn until(
        &mut self,
        stop: Option<char>,
        keeps_escapes: bool,
        depth: usize,
        mut words: Option<&mut Splitter>,
    ) -> Result<String, String> {
        let limit = if self.mode == Mode::Document { DOCUMENT_LIMIT } else { WORD_LIMIT };
        let has_quotes = self.mode != Mode::Document;
        let mut result = String::new();
        while let Some(letter) = self.letters.next() {
            if Some(letter) == stop {
                return Ok(result);
            }
            match letter {
                '$' => {
                    let value = self.variable(depth)?;
                    if let Some(words) = words.as_deref_mut() {
                        value.chars().for_each(|letter| words.add(letter));
                    }
                    result.push_str(&value);
                }
                '\'' if has_quotes => {
                    let quoted = self.single_quoted()?;
                    words.as_deref_mut().into_iter().for_each(|words| words.add_quoted(&quoted));
                    result.push_str(&quoted);
                }
                '"' if has_quotes => {
                    let quoted = self.double_quoted(keeps_escapes, depth)?;
                    words.as_deref_mut().into_iter().for_each(|words| words.add_quoted(&quoted));
                    result.push_str(&quoted);
                }
                letter if letter == self.escape => {
                    let mut text = String::new();
                    text.extend(keeps_escapes.then_some(letter));
                    text.extend(self.letters.next());
                    words.as_deref_mut().into_iter().for_each(|words| words.add_quoted(&text));
                    result.push_str(&text);
                }
                letter => {
                    words.as_deref_mut().into_iter().for_each(|words| words.add(letter));
                    result.push(letter);
                }
            }
            if result.len() > limit {
                return Err(format!("it expands to more than {} KiB", limit >> 10));
            }
        }
        match stop {
            Some('/') => Err("a `/` is missing".to_owned()),
            Some(stop) => Err(format!("a `{stop}` is missing")),
            None => Ok(result),
        }
    }

    fn single_quoted(&mut self) -> Result<String, String> {
        let rest = self.letters.as_str();
        let Some((quoted, after)) = rest.split_once('\'') else {
            return Err("a single quote is not closed".to_owned());
        };
        self.letters = after.chars();
        Ok(quoted.to_owned())
    }

    fn double_quoted(&mut self, keeps_escapes: bool, depth: usize) -> Result<String, String> {
        let mut result = String::new();
        while let Some(letter) = self.letters.next() {
            match letter {
                '"' => return Ok(result),
                '$' => result.push_str(&self.variable(depth)?),
                letter if letter == self.escape => {
                    result.extend(keeps_escapes.then_some(letter));
                    match self.peek() {
                        Some(next) if next == '"' || next == '$' || next == self.escape => {
                            result.extend(self.letters.next());
                        }
                        // An escape character at the end escapes nothing; any other is an ordinary character.
                        None => {}
                        Some(_) if keeps_escapes => {}
                        Some(_) => result.push(letter),
                    }
                }
                letter => result.push(letter),
            }
        }
        Err("a double quote is not closed".to_owned())
    }

    /// What stands for a variable; the dollar sign has been read.
    fn variable(&mut self, depth: usize) -> Result<String, String> {
        if self.peek() != Some('{') {
            let name = self.name();
            return Ok(if name.is_empty() { "$".to_owned() } else { self.value(&name)?.unwrap_or_default() });
        }
        self.letters.next();
        match self.peek() {
            None => return Err("a `}` is missing".to_owned()),
            Some('{' | '}' | ':') => return Err("there is no name between `${` and `}`".to_owned()),
            Some(_) => {}
        }
        if depth == DEPTH {
            return Err(format!("braces are nested more than {DEPTH} levels deep"));
        }
        let name = self.name();
        match self.letters.next() {
            Some('}') => Ok(self.value(&name)?.unwrap_or_default()),
            Some(':') => match self.letters.next() {
                Some(operator @ ('-' | '+' | '?')) => self.conditional(&name, operator, true, depth),
                Some(other) => Err(unknown(&format!(":{other}"))),
                None => Err("a `}` is missing".to_owned()),
            },
            Some(operator @ ('-' | '+' | '?')) => self.conditional(&name, operator, false, depth),
            Some(operator @ ('#' | '%')) => self.trimmed(&name, operator, depth),
            Some('/') => self.replaced(&name, depth),
            Some(other) => Err(unknown(&other.to_string())),
            None => Err("a `}` is missing".to_owned()),
        }
    }

    fn name(&mut self) -> String {
        let rest = self.letters.as_str();
        let first = rest.chars().next();
        let length = match first {
            Some(digit) if digit.is_numeric() => rest.find(|c: char| !c.is_numeric()).unwrap_or(rest.len()),
            // The special parameters of a shell, which are never set here.
            Some('@' | '*' | '#' | '?' | '-' | '$' | '!') => 1,
            _ => rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()),
        };
        let (name, after) = rest.split_at(length);
        self.letters = after.chars();
        name.to_owned()
    }

    fn value(&mut self, name: &str) -> Result<Option<String>, String> {
        let value = (self.values)(name);
        let names = if value.is_some() { &mut self.found.set } else { &mut self.found.unset };
        // The parameters of a shell are no names.
        if !names.contains(name) && name.starts_with(|first: char| first.is_alphabetic() || first == '_') {
            names.insert(name.to_owned());
        }
        self.expander.charge(value.as_ref().map_or(0, String::len))?;
        Ok(value)
    }

    fn conditional(&mut self, name: &str, operator: char, with_empty: bool, depth: usize) -> Result<String, String> {
        let word = self.until(Some('}'), false, depth + 1, None)?;
        let value = self.value(name)?;
        let is_set = value.is_some();
        let value = value.filter(|value| !with_empty || !value.is_empty());
        Ok(match (operator, value) {
            ('-', value) => value.unwrap_or(word),
            ('+', value) => value.map(|_| word).unwrap_or_default(),
            (_, Some(value)) => value,
            (_, None) if !word.is_empty() => return Err(format!("`{name}`: {word}")),
            (_, None) => return Err(format!("`{name}` is {}", if is_set { "empty" } else { "not set" })),
        })
    }

    fn trimmed(&mut self, name: &str, operator: char, depth: usize) -> Result<String, String> {
        let mut greed = Greed::Shortest;
        if self.peek() == Some(operator) {
            self.letters.next();
            greed = Greed::Longest;
        }
        let pattern = Pattern::new(&self.until(Some('}'), true, depth + 1, None)?)?;
        let value = self.value(name)?.unwrap_or_default();
        self.expander.charge_search(&pattern, &value)?;
        Ok(match operator {
            '#' => pattern.without_prefix(&value, greed),
            _ => pattern.without_suffix(&value, greed),
        })
    }

    fn replaced(&mut self, name: &str, depth: usize) -> Result<String, String> {
        let all = self.peek() == Some('/');
        if all {
            self.letters.next();
        }
        let pattern = Pattern::new(&self.until(Some('/'), true, depth + 1, None)?)?;
        let with = self.until(Some('}'), false, depth + 1, None)?;
        let value = self.value(name)?.unwrap_or_default();
        self.expander.charge_search(&pattern, &value)?;
        Ok(pattern.replace(&value, &with, all))
    }
}

fn unknown(operator: &str) -> String {
    format!("`{}` is no operator of `${{…}}`: :- - :+ + :? ? # ## % %% / // are", operator.escape_debug())
}

#[cfg(test)]
mod tests;
