//! `--user` and `--group-add`: checked here, looked up in the root file system at start.

use crate::types::Invalid;

/// The largest ID: to the kernel 4294967295 means "no ID" (-1).
const MAX_ID: u32 = u32::MAX - 1;

/// Reads `USER[:GROUP]`, each a name or a number. An empty user is root, an empty group the user's own. Source: docker
/// and podman, `GetExecUser`.
pub(super) fn read(text: &str) -> Result<String, Invalid> {
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    if !user.is_empty() {
        id("user", user, text)?;
    }
    if group.is_empty() {
        return Ok(user.to_owned());
    }
    id("group", group, text)?;
    Ok(format!("{}:{group}", if user.is_empty() { "0" } else { user }))
}

/// The groups of the caller, instead of others. Source: podman-run(1), `--group-add`.
pub(super) const KEEP_GROUPS: &str = "keep-groups";

/// Reads `--group-add`: groups, several to a word with commas, as in podman.
pub(super) fn groups(texts: &[String]) -> Result<Vec<String>, Invalid> {
    let words = texts.iter().flat_map(|text| text.split(','));
    if words.clone().any(|word| word == KEEP_GROUPS) {
        return match words.clone().find(|word| *word != KEEP_GROUPS) {
            None => Ok(vec![KEEP_GROUPS.to_owned()]),
            Some(other) => {
                Err(Invalid::new("group", other, "no other group can be added to the caller's (keep-groups)"))
            }
        };
    }
    words.map(|word| check_group(word).map(|()| word.to_owned())).collect()
}

/// Checks one group of `--group-add`.
fn check_group(text: &str) -> Result<(), Invalid> {
    id("group", text, text)
}

/// Digits are a number, never looked up as a name, whatever `/etc/passwd` says (safety.md I10).
fn id(what: &'static str, word: &str, whole: &str) -> Result<(), Invalid> {
    let invalid = |reason: String| Err(Invalid::new(what, whole, reason));
    if word.is_empty() {
        return invalid(format!("the {what} is empty"));
    }
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return match word.parse::<u32>() {
            Ok(number) if number <= MAX_ID => Ok(()),
            _ => invalid(format!("an id is at most {MAX_ID}")),
        };
    }
    if word.starts_with(['-', '+']) {
        return invalid("neither a name nor a number".to_owned());
    }
    if word.contains([':', ',', '/', '\0']) || word.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return invalid("a name has no `:`, `,`, `/`, white space or control character".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_numbers_and_what_is_neither() {
        for good in
            ["", "0", "1000", "4294967294", "www-data", "1000:1000", "nobody:0", "app:staff", "user@domain", "1a"]
        {
            assert_eq!(read(good).as_deref(), Ok(good));
        }
        for (text, expected) in [("1000:", "1000"), (":5", "0:5"), (":", "")] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
        for bad in [
            "-1",
            "4294967295",
            "4294967296",
            "99999999999999999999",
            "a:b:c",
            "a::",
            "a b",
            "a\nb",
            "+5",
            "0:-1",
            "a/b",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        let words = ["1,video".to_owned(), "3".to_owned()];
        assert_eq!(groups(&words), Ok(vec!["1".to_owned(), "video".to_owned(), "3".to_owned()]));
        assert!(groups(&["1,".to_owned()]).is_err());
        assert_eq!(groups(&["keep-groups".to_owned()]), Ok(vec!["keep-groups".to_owned()]));
        assert!(groups(&["keep-groups,1".to_owned()]).is_err());
        assert!(check_group("video").is_ok() && check_group("44").is_ok());
        assert!(check_group("a:b").is_err() && check_group("").is_err());
    }
}
