//! Which files of a layer another layer may link instead of copying them.
//!
//! Programs see how many links a file has. Some refuse to read one with several, since a link is how a user makes
//! another's file appear where root reads it: cron leaves such a table out (`NUMBER OF HARD LINKS > 1`). What they read
//! is in a few directories, and small.

use std::path::Path;

/// The directories, from the root of a layer, whose files are copied.
const COPIED: [&str; 3] = ["etc", "usr/local/etc", "var/spool"];

/// Whether the file at `path`, from the root of a layer, may be a link to a file of another layer.
pub(crate) fn may_be_linked(path: &Path) -> bool {
    let path = path.strip_prefix("/").unwrap_or(path);
    !COPIED.iter().any(|directory| path.starts_with(directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_read_as_root_is_no_link() {
        for (path, expected) in [
            ("etc/cron.d/app", false),
            ("/etc/crontab", false),
            ("var/spool/cron/crontabs/root", false),
            ("usr/local/etc/x", false),
            ("etcetera/x", true),
            ("srv/etc/x", true),
            ("var/www/index.html", true),
        ] {
            assert_eq!(may_be_linked(Path::new(path)), expected, "{path}");
        }
    }
}
