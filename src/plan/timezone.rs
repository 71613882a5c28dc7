//! `--tz`.

use std::path::PathBuf;

use super::config::TimeZone;
use super::{Error, Facts, Request};
use crate::types::Invalid;

/// Where the host has its time zones. Source: tzset(3).
const ZONES: &str = "/usr/share/zoneinfo";

/// The host's file of a time zone, if the name is one.
pub(super) fn file(name: &str) -> Option<PathBuf> {
    if name == "local" {
        return Some("/etc/localtime".into());
    }
    let is_word = |word: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+');
        !word.is_empty() && word.bytes().all(is_plain)
    };
    name.split('/').all(is_word).then(|| [ZONES, name].iter().collect())
}

/// The time zone of the container; absent: the image's.
pub(super) fn timezone(request: &Request, facts: &Facts) -> Result<Option<TimeZone>, Error> {
    let Some(name) = &request.tz else { return Ok(None) };
    let refused = |reason: &str| Error::option("--tz")(Invalid::new("time zone", name, reason));
    let file = file(name).ok_or_else(|| refused("must be a name such as Europe/Berlin, or local"))?;
    match facts.found.has_zone {
        true => Ok(Some(TimeZone { name: name.clone(), file })),
        false => Err(refused(&format!("the host has no `{}`", file.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_else() {
        assert_eq!(file("local"), Some("/etc/localtime".into()));
        assert_eq!(file("Etc/GMT+5"), Some("/usr/share/zoneinfo/Etc/GMT+5".into()));
        for bad in ["", "/etc/passwd", "../x", "a/../b", "a//b", "a b", "a.b"] {
            assert_eq!(file(bad), None, "{bad}");
        }
    }
}
