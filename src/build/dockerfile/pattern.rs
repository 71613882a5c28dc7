//! Patterns in `${name#pattern}`, `${name%pattern}` and `${name/pattern/text}`: `*`, `?`, and `\` before either.
//!
//! A pattern is a list of segments between stars. Each is looked for from where the last one ended, or, for the longest
//! match, the last one from the end: no backtracking, so a segment is compared at each place once. `expand` bounds how
//! much is compared.

/// The most bytes of a pattern.
const LIMIT: usize = 1024;

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// What is between the stars; `None` is any one character.
    segments: Vec<Vec<Option<char>>>,
}

/// How much of the text is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Greed {
    /// As little as possible: `#`, `%`.
    Shortest,
    /// As much as possible: `##`, `%%`, `/`.
    Longest,
}

impl Pattern {
    /// Reads a pattern; the error is the reason.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        if text.len() > LIMIT {
            return Err(format!("a pattern has at most {LIMIT} bytes"));
        }
        let mut segments = vec![Vec::new()];
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            let Some(segment) = segments.last_mut() else { break };
            match letter {
                '*' => segments.push(Vec::new()),
                '?' => segment.push(None),
                // `}` and `/` are escaped for the braces, not for the pattern.
                '\\' if matches!(letters.peek(), Some('}' | '/')) => {}
                '\\' => match letters.next() {
                    Some(next @ ('*' | '?' | '\\')) => segment.push(Some(next)),
                    Some(next) => return Err(format!("`\\{}` escapes nothing", next.escape_debug())),
                    None => return Err("a backslash at the end escapes nothing".to_owned()),
                },
                letter => segment.push(Some(letter)),
            }
        }
        Ok(Self { segments })
    }

    /// The length of its longest segment.
    pub(crate) fn longest(&self) -> usize {
        self.segments.iter().map(Vec::len).max().unwrap_or(0)
    }

    fn is_empty(&self) -> bool {
        matches!(self.segments.as_slice(), [only] if only.is_empty())
    }

    fn reversed(&self) -> Self {
        let segments = self.segments.iter().rev().map(|segment| segment.iter().rev().copied().collect()).collect();
        Self { segments }
    }

    /// Removes what matches from the beginning.
    pub(crate) fn without_prefix(&self, text: &str, greed: Greed) -> String {
        let letters: Vec<char> = text.chars().collect();
        let end = self.match_at(&letters, 0, greed).unwrap_or(0);
        letters[end..].iter().collect()
    }

    /// Removes what matches from the end.
    pub(crate) fn without_suffix(&self, text: &str, greed: Greed) -> String {
        let letters: Vec<char> = text.chars().rev().collect();
        let end = self.reversed().match_at(&letters, 0, greed).unwrap_or(0);
        letters[end..].iter().rev().collect()
    }

    /// Replaces the first match, or all of them.
    pub(crate) fn replace(&self, text: &str, with: &str, all: bool) -> String {
        if self.is_empty() {
            return text.to_owned();
        }
        let letters: Vec<char> = text.chars().collect();
        let mut result = String::new();
        let mut at = 0;
        while let Some((start, end)) = self.find(&letters, at) {
            result.extend(&letters[at..start]);
            result.push_str(with);
            at = end;
            if !all || at == letters.len() || end == start {
                break;
            }
        }
        result.extend(&letters[at..]);
        result
    }

    /// The leftmost match from `at` on, and of those the longest.
    fn find(&self, letters: &[char], at: usize) -> Option<(usize, usize)> {
        let first = self.segments.first()?;
        // If the other segments do not follow the first place of the first segment, they follow no later place either.
        let start = find(first, letters, at)?;
        Some((start, self.match_at(letters, start, Greed::Longest)?))
    }

    /// The end of a match that begins at `start`.
    fn match_at(&self, letters: &[char], start: usize, greed: Greed) -> Option<usize> {
        let (first, others) = self.segments.split_first()?;
        if !is_at(first, letters, start) {
            return None;
        }
        let mut at = start + first.len();
        let Some((last, middle)) = others.split_last() else { return Some(at) };
        for segment in middle {
            at = find(segment, letters, at)? + segment.len();
        }
        let place = match greed {
            Greed::Shortest => find(last, letters, at)?,
            Greed::Longest => rfind(last, letters, at)?,
        };
        Some(place + last.len())
    }
}

fn is_at(segment: &[Option<char>], letters: &[char], at: usize) -> bool {
    let part = at.checked_add(segment.len()).and_then(|end| letters.get(at..end));
    part.is_some_and(|part| segment.iter().zip(part).all(|(wanted, letter)| wanted.is_none_or(|w| w == *letter)))
}

fn find(segment: &[Option<char>], letters: &[char], from: usize) -> Option<usize> {
    (from..=letters.len().checked_sub(segment.len())?).find(|at| is_at(segment, letters, *at))
}

fn rfind(segment: &[Option<char>], letters: &[char], from: usize) -> Option<usize> {
    (from..=letters.len().checked_sub(segment.len())?).rev().find(|at| is_at(segment, letters, *at))
}

#[cfg(test)]
mod tests {
    use super::Greed::{Longest, Shortest};
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::new(text).expect("a pattern")
    }

    #[test]
    fn prefixes_and_suffixes_are_the_shortest_or_the_longest() {
        for (text, word, short, long) in [
            ("a.b.c", "*.", "b.c", "c"),
            ("a.b.c", "?.", "b.c", "b.c"),
            ("a.b.c", "b", "a.b.c", "a.b.c"),
            ("aab", "a*", "ab", ""),
            ("aab", "", "aab", "aab"),
            ("x*y", "x\\*", "y", "y"),
            ("äöü", "?ö", "ü", "ü"),
            ("/usr/lib", "*\\/", "usr/lib", "lib"),
        ] {
            assert_eq!(pattern(word).without_prefix(text, Shortest), short, "{text}#{word}");
            assert_eq!(pattern(word).without_prefix(text, Longest), long, "{text}##{word}");
        }
        for (text, word, short, long) in [
            ("a.b.c", ".*", "a.b", "a"),
            ("a.b.c", ".?", "a.b", "a.b"),
            ("lib.so.1", "so", "lib.so.1", "lib.so.1"),
            ("abab", "b*", "aba", "a"),
            ("abab", "*b", "aba", ""),
        ] {
            assert_eq!(pattern(word).without_suffix(text, Shortest), short, "{text}%{word}");
            assert_eq!(pattern(word).without_suffix(text, Longest), long, "{text}%%{word}");
        }
    }

    #[test]
    fn the_first_match_or_all_are_replaced() {
        for (text, word, with, first, all) in [
            ("a-b-c", "-", "_", "a_b-c", "a_b_c"),
            ("abcabc", "b?", "x", "axabc", "axax"),
            ("abcabc", "a*b", "x", "xc", "xc"),
            ("aaa", "b", "x", "aaa", "aaa"),
            ("aaa", "*", "x", "x", "x"),
            ("", "*", "x", "x", "x"),
            ("aaa", "", "x", "aaa", "aaa"),
            ("aaaa", "aa", "", "aa", ""),
        ] {
            assert_eq!(pattern(word).replace(text, with, false), first, "{text}/{word}");
            assert_eq!(pattern(word).replace(text, with, true), all, "{text}//{word}");
        }
    }

    #[test]
    fn escapes_of_nothing_and_long_patterns_are_refused() {
        assert_eq!(Pattern::new("\\a"), Err("`\\a` escapes nothing".to_owned()));
        assert!(Pattern::new("\\").is_err());
        assert!(Pattern::new(&"x".repeat(LIMIT + 1)).is_err());
        assert!(Pattern::new("a\\}b\\/").is_ok());
    }
}
