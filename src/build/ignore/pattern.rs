//! A pattern as a machine that reads a path once, and the machine's states.

/// A pattern that matches whole paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Token>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// This character.
    Letter(char),
    /// `?`: any one character within a component.
    One,
    /// `[a-z]`: one of these ranges, or of the other characters within a component.
    Class { is_negated: bool, ranges: Vec<(char, char)> },
    /// `*`: any characters within a component.
    Any,
    /// `**` at the end: any characters.
    Many,
    /// `**/`: any directories, or none.
    Directories,
}

impl Pattern {
    /// Reads a cleaned pattern. The error is the reason.
    pub(super) fn new(text: &str) -> Result<Self, &'static str> {
        let mut tokens = Vec::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            tokens.push(match letter {
                '*' if letters.as_str().starts_with('*') => {
                    letters.next();
                    let has_slash = letters.as_str().starts_with('/');
                    if has_slash {
                        letters.next();
                    }
                    let rest = letters.as_str();
                    // `**text` is any path that ends so; any other `**` is whole directories.
                    let is_suffix = tokens.is_empty() && !has_slash && !rest.contains(['*', '?', '[', '\\']);
                    if rest.is_empty() || is_suffix { Token::Many } else { Token::Directories }
                }
                '*' => Token::Any,
                '?' => Token::One,
                '[' => class(&mut letters)?,
                '\\' => Token::Letter(letters.next().ok_or("a backslash at the end escapes nothing")?),
                letter => Token::Letter(letter),
            });
        }
        Ok(Self(tokens))
    }

    /// Whether it matches whatever is at the context's root.
    pub(super) fn is_any(&self) -> bool {
        self.0.iter().all(|token| matches!(token, Token::Any | Token::Many | Token::Directories))
    }

    /// Whether it matches the path, or a directory that the path is in.
    pub(super) fn covers(&self, path: &str) -> bool {
        let mut machine = Machine::new(&self.0);
        for letter in path.chars() {
            if letter == '/' && machine.is_done() {
                return true;
            }
            if !machine.read(letter) {
                return false;
            }
        }
        machine.is_done()
    }

    /// Whether it may match something in the directory.
    pub(super) fn may_match_below(&self, directory: &str) -> bool {
        let mut machine = Machine::new(&self.0);
        directory.chars().chain(['/']).all(|letter| machine.read(letter))
    }
}

/// The tokens that may come next, each once. Its work is at most the number of tokens for each character.
struct Machine<'a> {
    tokens: &'a [Token],
    now: Vec<usize>,
    next: Vec<usize>,
    /// Whether a token is in `next`.
    is_next: Vec<bool>,
}

impl<'a> Machine<'a> {
    fn new(tokens: &'a [Token]) -> Self {
        let mut machine = Self { tokens, now: Vec::new(), next: Vec::new(), is_next: vec![false; tokens.len() + 1] };
        machine.enter(0);
        machine.turn();
        machine
    }

    fn is_done(&self) -> bool {
        self.now.contains(&self.tokens.len())
    }

    /// Reads a character. Returns whether something may still match.
    fn read(&mut self, letter: char) -> bool {
        for index in 0..self.now.len() {
            let at = self.now[index];
            let is_inner = letter != '/';
            match self.tokens.get(at) {
                Some(Token::Letter(wanted)) if *wanted == letter => self.enter(at + 1),
                Some(Token::One) if is_inner => self.enter(at + 1),
                Some(Token::Class { is_negated, ranges })
                    if is_inner && ranges.iter().any(|(a, z)| (*a..=*z).contains(&letter)) != *is_negated =>
                {
                    self.enter(at + 1);
                }
                Some(Token::Any) if is_inner => self.enter(at),
                Some(Token::Many) => self.enter(at),
                Some(Token::Directories) => {
                    self.add(at);
                    if !is_inner {
                        self.enter(at + 1);
                    }
                }
                _ => {}
            }
        }
        self.turn();
        !self.now.is_empty()
    }

    /// Adds a token, and those behind it if it may be nothing.
    fn enter(&mut self, mut at: usize) {
        loop {
            self.add(at);
            if !matches!(self.tokens.get(at), Some(Token::Any | Token::Many | Token::Directories)) {
                return;
            }
            at += 1;
        }
    }

    fn add(&mut self, at: usize) {
        if !std::mem::replace(&mut self.is_next[at], true) {
            self.next.push(at);
        }
    }

    fn turn(&mut self) {
        std::mem::swap(&mut self.now, &mut self.next);
        self.next.clear();
        self.now.iter().for_each(|at| self.is_next[*at] = false);
    }
}

/// Reads a class behind its bracket. Source: Go, `filepath.Match`.
fn class(letters: &mut std::str::Chars<'_>) -> Result<Token, &'static str> {
    const OPEN: &str = "a `[` is not closed";
    let is_negated = letters.as_str().starts_with('^');
    if is_negated {
        letters.next();
    }
    let mut ranges = Vec::new();
    loop {
        let low = match letters.next().ok_or(OPEN)? {
            ']' if !ranges.is_empty() => return Ok(Token::Class { is_negated, ranges }),
            ']' | '-' => return Err("a range in `[…]` has no beginning"),
            '\\' => letters.next().ok_or(OPEN)?,
            letter => letter,
        };
        let mut high = low;
        if letters.as_str().starts_with('-') {
            letters.next();
            high = match letters.next().ok_or(OPEN)? {
                ']' | '-' => return Err("a range in `[…]` has no end"),
                '\\' => letters.next().ok_or(OPEN)?,
                letter => letter,
            };
        }
        ranges.push((low, high));
    }
}
