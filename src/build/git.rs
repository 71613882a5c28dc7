//! URLs of git repositories, as contexts and as sources of ADD.
//!
//! ```text
//! https://host/repo.git#ref:directory          a fragment: what, and what of it
//! git@host:repo.git?branch=main&subdir=app     a query: ref, tag, branch, commit, subdir, checksum, …
//! ```
//!
//! Source: docker's documentation, "Build context", "URL fragments" and "URL queries".

use crate::types::{Invalid, nearest};

/// The keys of a query.
const KEYS: [&str; 8] = ["ref", "tag", "branch", "commit", "subdir", "checksum", "keep-git-dir", "submodules"];

/// A place in a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GitUrl {
    /// What `git fetch` gets.
    pub(crate) remote: String,
    /// The branch, tag or commit; `None` is the default branch.
    pub(crate) reference: Option<Reference>,
    /// The directory in it: plain components.
    pub(crate) subdir: Option<String>,
    /// The commit that it must be, in hexadecimal digits, or its beginning.
    pub(crate) checksum: Option<String>,
    /// `.git` is kept.
    pub(crate) keep_git_dir: Option<bool>,
    /// Submodules are fetched, too.
    pub(crate) submodules: Option<bool>,
}

/// What is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    /// Whatever has this name: a branch, a tag or a commit.
    Any(String),
    /// A tag.
    Tag(String),
    /// A branch.
    Branch(String),
    /// A commit.
    Commit(String),
}

/// Whether a context or a source is a repository: `git://`, `ssh://`, `user@host:path`, or `https://….git`.
pub(crate) fn is_git(text: &str) -> bool {
    let place = text.split(['#', '?']).next().unwrap_or_default();
    match scheme(place) {
        Some(("git" | "ssh", _)) => true,
        Some(("http" | "https", rest)) => rest.contains('/') && place.ends_with(".git"),
        Some(_) => false,
        None => is_scp(place),
    }
}

fn scheme(place: &str) -> Option<(&str, &str)> {
    place.split_once("://")
}

/// `user@host:path`, as scp(1) has it.
fn is_scp(place: &str) -> bool {
    let Some((user, rest)) = place.split_once('@') else { return false };
    let Some((host, path)) = rest.split_once(':') else { return false };
    let is_word = |text: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    is_word(user) && is_word(host) && !path.is_empty()
}

impl GitUrl {
    /// Reads a URL for which [`is_git`] is true.
    pub(crate) fn new(text: &str) -> Result<Self, Invalid> {
        let invalid = |reason: String| Invalid::new("git URL", text, reason);
        if text.chars().any(|letter| letter.is_control() || letter.is_whitespace()) {
            return Err(invalid("must have no blanks and control characters".to_owned()));
        }
        let (place, fragment) = text.split_once('#').map_or((text, None), |(place, rest)| (place, Some(rest)));
        let (remote, query) = place.split_once('?').map_or((place, None), |(remote, rest)| (remote, Some(rest)));
        if remote.starts_with('-') || !is_git(remote) {
            return Err(invalid("must be the URL of a repository, such as https://host/repo.git".to_owned()));
        }
        let mut url = Self { remote: remote.to_owned(), ..Self::default() };
        if let Some(fragment) = fragment {
            let (reference, subdir) = fragment.split_once(':').unwrap_or((fragment, ""));
            url.reference = name(reference).map_err(invalid)?.map(Reference::Any);
            url.subdir = directory(subdir).map_err(invalid)?;
        }
        for pair in query.into_iter().flat_map(|query| query.split('&')).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').map_or((pair, None), |(key, value)| (key, Some(value)));
            let value = value.map(decoded).transpose().map_err(invalid)?;
            url.set(key, value.as_deref()).map_err(invalid)?;
        }
        Ok(url)
    }

    fn set(&mut self, key: &str, value: Option<&str>) -> Result<(), String> {
        match key {
            "ref" => self.refer(value, Reference::Any),
            "tag" => self.refer(value, Reference::Tag),
            "branch" => self.refer(value, Reference::Branch),
            "commit" => {
                commit(value.unwrap_or_default())?;
                self.refer(value, Reference::Commit)
            }
            "checksum" => {
                self.checksum = Some(commit(value.unwrap_or_default())?);
                Ok(())
            }
            "subdir" if self.subdir.is_some() => Err("must have one directory".to_owned()),
            "subdir" => {
                self.subdir = directory(value.unwrap_or_default())?;
                Ok(())
            }
            "keep-git-dir" => truth(key, value).map(|value| self.keep_git_dir = Some(value)),
            "submodules" => truth(key, value).map(|value| self.submodules = Some(value)),
            other => {
                let shown = other.escape_debug();
                let near = nearest(other, KEYS).map_or_else(|| KEYS.join(", "), |near| format!("did you mean {near}?"));
                Err(format!("`{shown}` is unknown in its query ({near})"))
            }
        }
    }

    fn refer(&mut self, value: Option<&str>, kind: fn(String) -> Reference) -> Result<(), String> {
        if self.reference.is_some() {
            return Err("must name one branch, tag or commit".to_owned());
        }
        self.reference = name(value.unwrap_or_default())?.map(kind);
        Ok(())
    }
}

/// A name that git takes for no option. Source: git-check-ref-format(1).
fn name(text: &str) -> Result<Option<String>, String> {
    let is_bad = text.starts_with('-')
        || text.contains("..")
        || text.contains("@{")
        || text.bytes().any(|byte| b"\\^~:?*[ ".contains(&byte) || byte.is_ascii_control());
    if is_bad {
        return Err(format!("`{}` cannot be a branch, tag or commit", text.escape_debug()));
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

fn commit(text: &str) -> Result<String, String> {
    let is_commit = (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_commit {
        return Err(format!("commit `{}` must be 7 to 64 hexadecimal digits", text.escape_debug()));
    }
    Ok(text.to_ascii_lowercase())
}

/// A directory without `..`; each component is resolved as a real directory later.
fn directory(text: &str) -> Result<Option<String>, String> {
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.contains(&"..") || parts.contains(&".git") {
        return Err(format!("directory `{}` must be in the repository", text.escape_debug()));
    }
    Ok((!parts.is_empty()).then(|| parts.join("/")))
}

fn truth(key: &str, value: Option<&str>) -> Result<bool, String> {
    match value {
        None | Some("true" | "1" | "") => Ok(true),
        Some("false" | "0") => Ok(false),
        Some(value) => Err(format!("`{key}` must be true or false, not `{}`", value.escape_debug())),
    }
}

/// Undoes the percent signs of a query.
fn decoded(text: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (digit(rest.next()), digit(rest.next()));
                let value = high.zip(low).and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                value.ok_or_else(|| format!("`{}` has a percent sign without two digits", text.escape_debug()))?
            }
            byte => byte,
        });
    }
    let text = String::from_utf8(bytes).map_err(|_| "must be UTF-8".to_owned())?;
    if text.chars().any(char::is_control) { Err("must have no control characters".to_owned()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_told_from_files_and_other_urls() {
        for (text, expected) in [
            ("https://host/a/b.git", true),
            ("http://host/b.git#main:sub", true),
            ("https://host/b.git?branch=x", true),
            ("git://host/b", true),
            ("ssh://git@host:22/b", true),
            ("git@host:a/b", true),
            ("https://host/b", false),
            ("https://host.git", false),
            ("https://host/b.tar#.git", false),
            ("file:///b.git", false),
            ("./b.git", false),
            ("-x@host:b", false),
            ("a b@host:c", false),
            ("dir/x@y:z", false),
        ] {
            assert_eq!(is_git(text), expected, "{text}");
        }
    }

    #[test]
    fn fragments_and_queries_say_what_is_fetched() {
        let any = |text: &str| Some(Reference::Any(text.to_owned()));
        let hex = "1234567890abcdef1234567890abcdef12345678";
        for (text, reference, subdir) in [
            ("https://h/b.git", None, None),
            ("https://h/b.git#", None, None),
            ("https://h/b.git#main", any("main"), None),
            ("https://h/b.git#feature/x:a//b/", any("feature/x"), Some("a/b")),
            ("https://h/b.git#:a", None, Some("a")),
            ("https://h/b.git?ref=v1&subdir=a%2Fb", any("v1"), Some("a/b")),
            ("git@h:b?tag=v1", Some(Reference::Tag("v1".to_owned())), None),
            ("git://h/b?branch=main&subdir=.", Some(Reference::Branch("main".to_owned())), None),
            (&format!("git://h/b?commit={hex}"), Some(Reference::Commit(hex.to_owned())), None),
        ] {
            let url = GitUrl::new(text).expect(text);
            assert_eq!((url.reference, url.subdir.as_deref()), (reference, subdir), "{text}");
        }
        let url = GitUrl::new("https://h/b.git?checksum=ABCDEF1&keep-git-dir=true&submodules=0").expect("a URL");
        assert_eq!((url.remote.as_str(), url.checksum.as_deref()), ("https://h/b.git", Some("abcdef1")));
        assert_eq!((url.keep_git_dir, url.submodules), (Some(true), Some(false)));
    }

    #[test]
    fn options_paths_out_and_unknown_keys_are_refused() {
        for text in [
            "https://h/b.git#--upload-pack=x",
            "https://h/b.git#a..b",
            "https://h/b.git#main:../x",
            "https://h/b.git#main:.git/hooks",
            "https://h/b.git?subdir=a/../../x",
            "https://h/b.git?ref=-x",
            "https://h/b.git?ref=a&tag=b",
            "https://h/b.git?ref=a#b",
            "https://h/b.git?commit=xyz",
            "https://h/b.git?ref=a%0Ab",
            "https://h/b.git?ref=%zz",
            "https://h/b.git?branc=a",
            "https://h/b.git#a b",
            "--x@h:b",
            "file:///etc",
        ] {
            assert!(GitUrl::new(text).is_err(), "{text}");
        }
        let error = GitUrl::new("https://h/b.git?branc=a").expect_err("unknown").to_string();
        assert!(error.ends_with("`branc` is unknown in its query (did you mean branch?)"), "{error}");
    }
}
