//! `.dockerignore` and `.containerignore`: which paths of a context a build does not see.
//!
//! A line is a pattern, relative to the context. `*` and `?` and `[a-z]` stay within a component, `**` is any number of
//! them, `\` makes the next character ordinary. A pattern that begins with `!` takes paths in again; the last one that
//! matches decides. What matches a directory also matches what is in it.
//!
//! ```text
//! # a comment
//! node_modules
//! **/*.log
//! !important.log
//! ```
//!
//! Source: the Dockerfile reference, ".dockerignore file"; moby, `patternmatcher` and `ignorefile`.

mod pattern;

use pattern::Pattern;

/// The most bytes of an ignore file.
pub(crate) const FILE_LIMIT: usize = 1 << 20;

/// The patterns of an ignore file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    /// The line it is on, from 1.
    line: usize,
    is_exception: bool,
    pattern: Pattern,
}

/// A line that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub(crate) struct Wrong {
    /// The line, from 1.
    pub(crate) line: usize,
    /// Why.
    pub(crate) reason: &'static str,
}

impl Ignore {
    /// Reads an ignore file. Fails with the first line that is no pattern.
    pub(crate) fn new(text: &str) -> Result<Self, Wrong> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut rules = Vec::new();
        for (index, line) in text.lines().enumerate() {
            // A comment begins in the first column, as in docker.
            let pattern = line.trim();
            if line.starts_with('#') || pattern.is_empty() {
                continue;
            }
            let wrong = |reason| Wrong { line: index + 1, reason };
            let (is_exception, pattern) = match pattern.strip_prefix('!') {
                Some(pattern) => (true, pattern.trim()),
                None => (false, pattern),
            };
            if pattern.is_empty() {
                return Err(wrong("a pattern is missing after `!`"));
            }
            let cleaned = clean(pattern);
            let pattern = Pattern::new(&cleaned).map_err(wrong)?;
            // `.` and `/` name the context itself, which stays, and what begins with `..` is outside of it.
            if !cleaned.is_empty() && cleaned != ".." && !cleaned.starts_with("../") {
                rules.push(Rule { line: index + 1, is_exception, pattern });
            }
        }
        Ok(Self { rules })
    }

    /// Whether nothing is ignored.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether some pattern takes paths in again: only then may something below an ignored directory be seen.
    pub(crate) fn has_exceptions(&self) -> bool {
        self.rules.iter().any(|rule| rule.is_exception)
    }

    /// Whether a pattern ignores whatever is at the context's root.
    pub(crate) fn ignores_all(&self) -> bool {
        self.rules.iter().any(|rule| !rule.is_exception && rule.pattern.is_any())
    }

    /// The line, from 1, of the pattern that ignores a path; `None` if it is seen. The path is relative to the
    /// context, its components separated by `/`.
    pub(crate) fn ignored_by(&self, path: &str) -> Option<usize> {
        let path = clean(path);
        if path.is_empty() {
            return None;
        }
        let mut ignored = None;
        for rule in &self.rules {
            // One that would change nothing need not match.
            if rule.is_exception == ignored.is_some() && rule.pattern.covers(&path) {
                ignored = (!rule.is_exception).then_some(rule.line);
            }
        }
        ignored
    }

    /// Whether something below an ignored directory may be seen, so that it must be read.
    pub(crate) fn may_see_below(&self, directory: &str) -> bool {
        let path = clean(directory);
        self.rules.iter().any(|rule| rule.is_exception && rule.pattern.may_match_below(&path))
    }
}

/// A path without `.`, empty components, and `..` as far as it does not lead out; a leading slash goes. Source: Go,
/// `filepath.Clean`.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            ".." if path.starts_with('/') => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests;
