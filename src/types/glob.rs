//! Patterns with `*` and `?`.

/// Whether `pattern` matches all of `text`. `*` and `?` match anything but a slash.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    is_glob_of(pattern.as_bytes(), text.as_bytes())
}

/// Matches from left to right. After a mismatch it goes back only to the last `*`: that suffices, and is not
/// exponential.
fn is_glob_of(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') if text[t] != b'/' => {
                p += 1;
                t += 1;
            }
            Some(wanted) if *wanted == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) if text[from] != b'/' => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                _ => return false,
            },
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stop_at_slashes() {
        for (pattern, text, expected) in [
            ("*", "busybox", true),
            ("b*x", "busybox", true),
            ("b?sybox", "busybox", true),
            ("*/*", "a/b", true),
            ("*", "a/b", false),
            ("?", "/", false),
            ("", "", true),
            ("a**b", "ab", true),
            ("*a*b", "xaxxb", true),
            ("*ab", "aab", true),
            ("a", "ab", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
