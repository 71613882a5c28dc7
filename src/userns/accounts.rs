//! Users by number, and the source of their subordinate IDs.

use std::path::Path;

use super::helper;
use crate::sys::fs;

/// The source of subordinate IDs that nsswitch.conf(5) names instead of the files; `None` if it names the files, or
/// nothing.
pub(super) fn asks_nss(nsswitch: &str) -> Option<String> {
    let sources = nsswitch.lines().find_map(|line| line.strip_prefix("subid:"))?;
    let sources = sources.split('#').next().unwrap_or_default().trim();
    (!sources.is_empty() && sources != "files").then(|| sources.to_owned())
}

/// A user of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostUser {
    /// The name.
    pub(crate) name: String,
    /// The ID.
    pub(crate) uid: u32,
    /// The ID of the group.
    pub(crate) gid: u32,
    /// The comment, usually the full name.
    pub(crate) comment: String,
    /// The home directory.
    pub(crate) home: String,
}

/// The user of this name or number: from `/etc/passwd`, from getent for users from other sources.
pub(crate) fn host_user(word: &str) -> Option<HostUser> {
    let find =
        |text: &str| text.lines().filter_map(user).find(|user| user.name == word || word.parse() == Ok(user.uid));
    fs::read_to_string(Path::new("/etc/passwd"))
        .ok()
        .and_then(|text| find(&text))
        .or_else(|| helper::output("getent", &["passwd", word]).and_then(|text| find(&text)))
}

/// A line of passwd(5).
fn user(line: &str) -> Option<HostUser> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, comment, home, ..] = fields[..] else { return None };
    let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
    Some(HostUser { name: name.to_owned(), uid, gid, comment: comment.to_owned(), home: home.to_owned() })
}

/// The user's name, else the number.
pub(crate) fn user_name(uid: u32) -> String {
    host_user(&uid.to_string()).map_or_else(|| uid.to_string(), |user| user.name)
}

#[cfg(test)]
mod tests {
    use super::asks_nss;

    #[test]
    fn another_source_of_subordinate_ids_is_found() {
        for (text, expected) in [
            ("passwd: files systemd\n", None),
            ("subid: files\n", None),
            ("subid:\tfiles # the default\n", None),
            ("passwd: files sss\nsubid: sss\n", Some("sss")),
            ("#subid: sss\n", None),
        ] {
            assert_eq!(asks_nss(text).as_deref(), expected, "{text:?}");
        }
    }
}
