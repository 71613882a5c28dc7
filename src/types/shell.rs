//! Words of a shell's command line, for commands that rc prints and a user pastes.

/// The word as sh(1) reads it: in single quotes, unless it has only harmless characters.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_reads_one_harmless_word() {
        for (word, expected) in [
            ("ann", "ann"),
            ("/usr/bin/newuidmap", "/usr/bin/newuidmap"),
            ("", "''"),
            ("a b", "'a b'"),
            ("$(reboot)", "'$(reboot)'"),
            ("it's", r"'it'\''s'"),
            ("~/x", "'~/x'"),
            ("a`b", "'a`b'"),
        ] {
            assert_eq!(quoted(word), expected, "{word}");
        }
    }
}
