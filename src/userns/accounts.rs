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

/// The user's name: from `/etc/passwd`, from getent for users from other sources, else the number.
pub(crate) fn user_name(uid: u32) -> String {
    let own_line = |text: &str| {
        text.lines().find_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
        })
    };
    fs::read_to_string(Path::new("/etc/passwd"))
        .ok()
        .and_then(|text| own_line(&text))
        .or_else(|| helper::output("getent", &["passwd", &uid.to_string()]).and_then(|text| own_line(&text)))
        .unwrap_or_else(|| uid.to_string())
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
